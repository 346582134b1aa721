/* The program: descriptors, colours, the verb, its options, the end. */
#include "cli.h"
#include "cli_options.h"
#include "cli_signal.h"
#include "cli_verbs.h"
#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* A closed standard descriptor would be given to the next file opened, and messages would land in it. Read-only, so
 * that writing data to a closed standard output is still an error. */
static bool fill_descriptors(void)
{
    int fd;
    do {
        fd = open("/dev/null", O_RDONLY);
    } while (fd >= 0 && fd <= 2);
    if (fd > 2)
        close(fd);
    return fd >= 0;
}

static bool is_utf8(void)
{
    const char *names[] = {"LC_ALL", "LC_CTYPE", "LANG"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        const char *value = getenv(names[i]);
        if (value && value[0])
            return strstr(value, "UTF-8") || strstr(value, "utf8") || strstr(value, "utf-8");
    }
    return false;
}

static bool color_is_refused(const cli *c)
{
    const char *no_color = getenv("NO_COLOR");
    return c->terminal_is_plain || c->no_color || (no_color && no_color[0]);
}

static void open_streams(cli *c)
{
    const char *terminal = getenv("TERM");
    c->terminal_is_plain = !terminal || !terminal[0] || strcmp(terminal, "dumb") == 0;
    term_stream_init(&c->out, 1, !color_is_refused(c), is_utf8());
    term_stream_init(&c->notes, 2, !color_is_refused(c), is_utf8());
}

static int unknown_verb(cli *c, const char *name)
{
    const char *meant = cli_verb_suggest(name);
    if (meant)
        return cli_usage(c, "no such verb: '%s' (did you mean '%s'?)", name, meant);
    return cli_usage(c, "no such verb: '%s'", name);
}

static int run_verb(cli *c, const cli_verb *verb, int argc, char **argv)
{
    union {
        max_align_t align;
        char bytes[CLI_VALUES_MAX];
    } values;
    static const cli_option none[] = {{NULL, 0, NULL, CLI_FLAG, 0, NULL}};
    int first = 0;
    memset(&values, 0, sizeof values);
    c->verb = verb->name;
    int code = cli_options_parse(c, verb->options ? verb->options : none, &values, argc, argv, &first);
    if (code)
        return code;
    open_streams(c); /* --no-color may stand behind the verb */
    if (c->help)
        return cli_verb_help(c, verb);
    if (c->version)
        return cmd_version.run(c, &values, 0, NULL);
    int count = argc - first;
    if (count < verb->least)
        return cli_usage(c, "%s needs %s", verb->name, verb->arguments);
    if (verb->most >= 0 && count > verb->most)
        return cli_usage(c, "%s: one argument too many: '%s'", verb->name, argv[first + verb->most]);
    return verb->run(c, &values, count, argv + first);
}

static int run(cli *c, int argc, char **argv)
{
    cistern_error err = CISTERN_ERROR_INIT;
    int first = 0;
    open_streams(c);
    if (cistern_options_new(&c->options, &err) != CISTERN_OK ||
        cistern_cancel_new(&c->cancel, &err) != CISTERN_OK)
        return cli_fail(c, &err);
    int code = cli_options_parse(c, NULL, NULL, argc, argv, &first);
    if (code)
        return code;
    open_streams(c);
    if (c->version)
        return cmd_version.run(c, NULL, 0, NULL);
    if (c->help && first == argc)
        return cli_verb_help(c, NULL);
    if (first == argc)
        return cli_usage(c, "a verb is needed, such as pull or classify");
    const cli_verb *verb = cli_verb_find(argv[first]);
    if (!verb)
        return unknown_verb(c, argv[first]);
    return run_verb(c, verb, argc - first, argv + first);
}

/* Data that could not be written is an error, except to a reader that has gone: that ends the process quietly. */
static int finish(cli *c, int code)
{
    cistern_error err = CISTERN_ERROR_INIT;
    if (term_stream_flush(&c->out, "standard output", &err) != CISTERN_OK) {
        if (c->out.os_errno == EPIPE)
            cli_signal_die_of_pipe();
        code = cli_first(code, cli_fail(c, &err));
    }
    (void)!term_stream_flush(&c->notes, "standard error", NULL);
    cistern_free(c->context);
    cistern_cancel_free(c->cancel);
    cistern_options_free(c->options);
    return code;
}

int main(int argc, char **argv)
{
    static cli c; /* zero */
    if (!fill_descriptors())
        return cistern_status_exit_code(CISTERN_UNEXPECTED);
    cli_signal_install();
    (void)!cistern_sigbus_guard(NULL); /* without it a truncated file ends the process */
    int code = run(&c, argc, argv);
    return finish(&c, code);
}
