/* The table of verbs and their help: see cli_verbs.h. */
#include "cli_verbs.h"
#include <stdio.h>
#include <string.h>

const cli_verb *const cli_verbs[] = {
    &cmd_pull,     &cmd_add,    &cmd_import,     &cmd_export,  &cmd_link,    &cmd_classify,
    &cmd_features, &cmd_ls,     &cmd_show,       &cmd_diff,    &cmd_convert, &cmd_path,
    &cmd_history,  &cmd_tag,    &cmd_rollback,   &cmd_verify,  &cmd_rm,      &cmd_gc,
    &cmd_pin,      &cmd_unpin,  &cmd_stats,      &cmd_doctor,  &cmd_bench,   &cmd_prepare,
    &cmd_init,     &cmd_config, &cmd_completion, &cmd_version, &cmd_help,    NULL,
};

const cli_verb *cli_verb_find(const char *name)
{
    for (const cli_verb *const *v = cli_verbs; *v; v++)
        if (strcmp((*v)->name, name) == 0)
            return *v;
    return NULL;
}

/* Letters to insert, remove, replace or swap with the neighbour to make one word of the other; words of at most 15. */
static unsigned distance(const char *a, const char *b)
{
    unsigned d[17][17] = {{0}};
    size_t m = strlen(a), n = strlen(b);
    for (size_t i = 0; i <= m; i++) {
        for (size_t j = 0; j <= n; j++) {
            if (i == 0 || j == 0) {
                d[i][j] = (unsigned)(i + j);
                continue;
            }
            unsigned best = d[i - 1][j - 1] + (a[i - 1] != b[j - 1]);
            best = d[i - 1][j] + 1 < best ? d[i - 1][j] + 1 : best;
            best = d[i][j - 1] + 1 < best ? d[i][j - 1] + 1 : best;
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] && d[i - 2][j - 2] + 1 < best)
                best = d[i - 2][j - 2] + 1;
            d[i][j] = best;
        }
    }
    return d[m][n];
}

const char *cli_verb_suggest(const char *name)
{
    static const struct {
        const char *said, *meant;
    } habits[] = {{"list", "ls"},       {"remove", "rm"},        {"delete", "rm"},    {"fetch", "pull"},
                  {"download", "pull"}, {"get", "pull"},         {"info", "show"},    {"log", "history"},
                  {"run", "classify"},  {"predict", "classify"}, {"inspect", "show"}, {"compare", "diff"},
                  {"check", "verify"},  {"undo", "rollback"}};
    for (size_t i = 0; i < sizeof habits / sizeof habits[0]; i++)
        if (strcmp(habits[i].said, name) == 0)
            return habits[i].meant;
    if (strlen(name) > 15)
        return NULL;
    for (const cli_verb *const *v = cli_verbs; *v; v++)
        if (distance(name, (*v)->name) <= (strlen((*v)->name) > 3 ? 2u : 1u))
            return (*v)->name;
    return NULL;
}

static cistern_status put_verbs(cli *c, cistern_error *err)
{
    static const term_column columns[] = {{NULL, false, false}, {NULL, false, false}, {NULL, false, false}};
    term_table *lines = NULL;
    cistern_status status = term_table_new(columns, 3, &lines, err);
    if (status != CISTERN_OK)
        return status;
    for (const cli_verb *const *v = cli_verbs; *v; v++) {
        term_table_put_styled(lines, TERM_BOLD, (*v)->name);
        term_table_put(lines, (*v)->arguments);
        term_table_put(lines, (*v)->summary);
    }
    status = term_table_print(lines, 2, &c->out, err);
    term_table_free(lines);
    return status;
}

static void put_title(cli *c, const char *title)
{
    term_stream_put(&c->out, "\n");
    term_stream_put_styled(&c->out, TERM_BOLD, title);
    term_stream_put(&c->out, "\n");
}

static cistern_status put_overview(cli *c, cistern_error *err)
{
    term_stream_put(&c->out, "usage: cistern VERB [ARGUMENTS] [OPTIONS]\n\n"
                             "Fetch a pretrained VGG model once; verify it, version it, map it, run it.\n");
    put_title(c, "Verbs");
    cistern_status status = put_verbs(c, err);
    if (status != CISTERN_OK)
        return status;
    put_title(c, "Options of every verb");
    status = cli_options_help(c, cli_options_common, err);
    put_title(c, "Begin with");
    term_stream_put(&c->out,
                    "  cistern pull https://download.pytorch.org/models/vgg16-397923af.pth --as vgg16\n"
                    "  cistern classify vgg16 cat.jpg\n\n"
                    "More: cistern help VERB, man cistern\n");
    return status;
}

static cistern_status put_verb(cli *c, const cli_verb *verb, cistern_error *err)
{
    cistern_status status = CISTERN_OK;
    term_stream_printf(&c->out, "usage: cistern %s%s%s%s\n\n", verb->name, verb->arguments[0] ? " " : "",
                       verb->arguments, verb->options ? " [OPTIONS]" : "");
    term_stream_put(&c->out, verb->about ? verb->about : verb->summary);
    term_stream_put(&c->out, "\n");
    if (verb->options) {
        put_title(c, "Options");
        status = cli_options_help(c, verb->options, err);
    }
    put_title(c, "Examples");
    for (const char *const *e = verb->examples; *e; e++)
        term_stream_printf(&c->out, "  %s\n", *e);
    term_stream_put(&c->out,
                    "\nOptions of every verb (--store, --offline, --json, --quiet …): cistern help\n");
    return status;
}

int cli_verb_help(cli *c, const cli_verb *verb)
{
    cistern_error err = CISTERN_ERROR_INIT;
    cistern_status status = verb ? put_verb(c, verb, &err) : put_overview(c, &err);
    return status == CISTERN_OK ? 0 : cli_fail(c, &err);
}
