/* Option tables: see cli_options.h. getopt_long does the parsing. */
#include "cli_options.h"
#include <ctype.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ROWS_MAX   72  /* options of one verb together with the common ones */
#define LONG_FIRST 256 /* getopt's values for rows, above all letters */

const cli_option cli_options_common[] = {
    {"store", 0, "DIR", CLI_LIBRARY, 0, "the local store (default: $XDG_DATA_HOME/cistern)"},
    {"offline", 0, NULL, CLI_LIBRARY_FLAG, 0, "make no request"},
    {"wait", 0, "SECONDS", CLI_LIBRARY, 0,
     "wait so long for another process that fetches the same (default: forever)"},
    {"ca", 0, "FILE", CLI_LIBRARY, 0, "certificate authorities for https, PEM (default: the system's)"},
    {"proxy", 0, "URL", CLI_LIBRARY, 0, "HTTP proxy"},
    {"no-proxy", 0, "HOSTS", CLI_LIBRARY, 0, "hosts that are reached without the proxy, comma-separated"},
    {"tries", 0, "N", CLI_LIBRARY, 0, "tries of each request (default: 5)"},
    {"connect-timeout", 0, "SECONDS", CLI_LIBRARY, 0, "time for a connection (default: 10)"},
    {"low-speed-limit", 0, "BYTES", CLI_LIBRARY, 0,
     "bytes per second below which a transfer counts as cut (default: 1024)"},
    {"low-speed-time", 0, "SECONDS", CLI_LIBRARY, 0, "… after so long (default: 30)"},
    {"parallel", 0, "N", CLI_LIBRARY, 0, "ranged requests at once, 1 to 16 (default: 4)"},
    {"threads", 0, "N", CLI_LIBRARY, 0, "compute threads (default: as many as there are CPUs)"},
    {"isa", 0, "NAME", CLI_LIBRARY, 0, "kernels: auto, portable, avx2, avx512 or amx (default: auto)"},
    {"import-program", 0, "FILE", CLI_LIBRARY, 0,
     "the program that reads weight files (default: the one installed)"},
    {"state", 0, "DIR", CLI_LIBRARY, 0,
     "where it is kept that a file was verified (default: $XDG_STATE_HOME/cistern)"},
    {"cache", 0, "DIR", CLI_LIBRARY, 0,
     "where packed weights go if the store may not be written (default: $XDG_CACHE_HOME/cistern)"},
    {"s3-endpoint", 0, "URL", CLI_LIBRARY, 0,
     "S3 server (default: AWS_ENDPOINT_URL, the profile's, AWS's own)"},
    {"s3-region", 0, "NAME", CLI_LIBRARY, 0, "region of the bucket (default: AWS_REGION, the profile's)"},
    {"s3-profile", 0, "NAME", CLI_LIBRARY, 0, "profile of AWS's configuration files (default: AWS_PROFILE)"},
    {"s3-addressing", 0, "STYLE", CLI_LIBRARY, 0,
     "where the bucket stands in a URL: auto, path or virtual (default: auto)"},
    {"s3-anonymous", 0, NULL, CLI_LIBRARY_FLAG, 0, "sign no request to S3"},
    {"s3-requester-pays", 0, NULL, CLI_LIBRARY_FLAG, 0, "pay for requests to a bucket that wants that"},
    {"s3-config-file", 0, "FILE", CLI_LIBRARY, 0, "AWS's configuration file (default: ~/.aws/config)"},
    {"s3-credentials-file", 0, "FILE", CLI_LIBRARY, 0,
     "AWS's credentials file (default: ~/.aws/credentials)"},
    {"torch-home", 0, "DIR", CLI_LIBRARY, 0, "torch's home (default: TORCH_HOME, ~/.cache/torch)"},
    {"keras-home", 0, "DIR", CLI_LIBRARY, 0, "Keras' home (default: KERAS_HOME, ~/.keras)"},
    {"netrc", 0, "FILE", CLI_LIBRARY, 0, "user names and passwords by host (default: none)"},
    {"headers-file", 0, "FILE", CLI_LIBRARY, 0, "headers by server, such as tokens (default: none)"},
    {"mirror", 0, "URL=URL", CLI_LIBRARY, 0,
     "ask the second address in place of the first; see [mirror] in the manual"},
    {"keep-removed", 0, "TIME", CLI_LIBRARY, 0,
     "gc: removed versions keep their bytes so long (default: 7d)"},
    {"keep-partial", 0, "TIME", CLI_LIBRARY, 0, "gc: unfinished fetches are kept so long (default: 7d)"},
    {"json", 0, NULL, CLI_FLAG, offsetof(cli, json), "data as JSON"},
    {"quiet", 'q', NULL, CLI_FLAG, offsetof(cli, quiet), "say nothing but errors"},
    {"verbose", 'v', NULL, CLI_MORE, offsetof(cli, verbose), "say more"},
    {"no-color", 0, NULL, CLI_FLAG, offsetof(cli, no_color), "no colours (as the environment's NO_COLOR)"},
    {"help", 'h', NULL, CLI_FLAG, offsetof(cli, help), "show help"},
    {"version", 'V', NULL, CLI_FLAG, offsetof(cli, version), "show the version"},
    {NULL, 0, NULL, CLI_FLAG, 0, NULL},
};

/* The rows that are looked through in one call, and getopt's view of them. */
typedef struct rows {
    const cli_option *row[ROWS_MAX];
    void *base[ROWS_MAX]; /* what the row's offset counts from */
    struct option longs[ROWS_MAX + 1];
    char shorts[2 * ROWS_MAX + 3];
    size_t count;
} rows;

static void add_rows(rows *r, const cli_option *table, void *base)
{
    for (; table && table->name && r->count < ROWS_MAX; table++) {
        struct option *option = &r->longs[r->count];
        option->name = table->name;
        option->has_arg = table->argument                   ? required_argument
                          : table->kind == CLI_LIBRARY_FLAG ? optional_argument
                                                            : no_argument;
        option->flag = NULL;
        option->val = LONG_FIRST + (int)r->count;
        if (table->letter) {
            size_t n = strlen(r->shorts);
            snprintf(r->shorts + n, sizeof r->shorts - n, "%c%s", table->letter, table->argument ? ":" : "");
        }
        r->base[r->count] = base;
        r->row[r->count++] = table;
    }
}

static bool parse_number(const char *text, unsigned *out)
{
    unsigned value = 0;
    size_t n = strlen(text);
    if (n == 0 || n > 6 || strspn(text, "0123456789") != n)
        return false;
    for (size_t i = 0; i < n; i++)
        value = value * 10 + (unsigned)(text[i] - '0');
    *out = value;
    return value > 0;
}

/* Store one option's value. */
static int take(cli *c, const cli_option *row, void *base, const char *value)
{
    cistern_error err = CISTERN_ERROR_INIT;
    char *place = (char *)base + row->offset;
    switch (row->kind) {
    case CLI_FLAG:
        *(bool *)place = true;
        return 0;
    case CLI_MORE:
        ++*(unsigned *)(void *)place;
        return 0;
    case CLI_TEXT:
        *(const char **)(void *)place = value;
        return 0;
    case CLI_NUMBER:
        if (!parse_number(value, (unsigned *)(void *)place))
            return cli_usage(c, "--%s: '%s' is no number from 1 to 999999", row->name, value);
        return 0;
    case CLI_LIBRARY:
    case CLI_LIBRARY_FLAG:
        /* an unset variable in a script must not mean the user's own store */
        if (row->argument && strcmp(row->argument, "DIR") == 0 && !value[0])
            return cli_usage(c, "--%s: the directory is missing: '' was given", row->name);
        if (cistern_options_set(c->options, row->name, value ? value : "yes", &err) != CISTERN_OK)
            return cli_fail(c, &err);
        return 0;
    }
    return 0;
}

static size_t row_of(const rows *r, int value)
{
    if (value >= LONG_FIRST)
        return (size_t)(value - LONG_FIRST);
    for (size_t i = 0; i < r->count; i++)
        if (r->row[i]->letter == value)
            return i;
    return r->count;
}

/* getopt's refusal in our words; `found` is the argument that it looked at. */
static int refuse(cli *c, int result, const char *found)
{
    if (result == ':')
        return cli_usage(c, "option %s needs a value", found);
    if (strncmp(found, "--", 2) != 0)
        return cli_usage(c, "no such option: -%c", isprint(optopt) ? optopt : '?');
    const char *equals = strchr(found, '=');
    int n = (int)(equals ? equals - found : (long)strlen(found));
    if (equals && optopt >= LONG_FIRST)
        return cli_usage(c, "option %.*s takes no value", n, found);
    return cli_usage(c, "no such option: %.*s", n, found);
}

int cli_options_parse(cli *c, const cli_option *own, void *values, int argc, char **argv, int *out_first)
{
    rows r = {.count = 0};
    snprintf(r.shorts, sizeof r.shorts, "%s:", own ? "" : "+");
    add_rows(&r, own, values);
    add_rows(&r, cli_options_common, c);
    opterr = 0;
    optind = 0; /* glibc: start anew */
    int result;
    while ((result = getopt_long(argc, argv, r.shorts, r.longs, NULL)) != -1) {
        size_t i = row_of(&r, result);
        if (result == '?' || result == ':' || i == r.count)
            return refuse(c, result, optind > 0 && optind <= argc ? argv[optind - 1] : "");
        int code = take(c, r.row[i], r.base[i], optarg);
        if (code)
            return code;
    }
    *out_first = optind;
    return 0;
}

cistern_status cli_options_help(cli *c, const cli_option *table, cistern_error *err)
{
    static const term_column columns[] = {{NULL, false, false}, {NULL, false, false}};
    term_table *lines = NULL;
    cistern_status status = term_table_new(columns, 2, &lines, err);
    if (status != CISTERN_OK)
        return status;
    for (; table->name; table++) {
        char letter[8] = "";
        if (table->letter)
            snprintf(letter, sizeof letter, "-%c, ", table->letter);
        term_table_printf(lines, "%s--%s%s%s", letter, table->name, table->argument ? " " : "",
                          table->argument ? table->argument : "");
        term_table_put(lines, table->help);
    }
    status = term_table_print(lines, 2, &c->out, err);
    term_table_free(lines);
    return status;
}
