/* MODEL on the command line: see cli_model.h. */
#include "cli_model.h"
#include "cli_signal.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PATH_BYTES 8192 /* longer than PATH_MAX */

static cistern_status usage(cistern_error *err, const char *text)
{
    err->status = CISTERN_USAGE;
    snprintf(err->text, sizeof err->text, "%s", text);
    return CISTERN_USAGE;
}

/* A "~/" that the shell has not expanded, as in MODEL=~/x inside quotes. */
static const char *expand_home(const char *text, char *out, size_t size)
{
    const char *home = getenv("HOME");
    if (strncmp(text, "~/", 2) != 0 || !home || (size_t)snprintf(out, size, "%s%s", home, text + 1) >= size)
        return text;
    return out;
}

static bool declares_facts(const cistern_pull_options *o)
{
    return o &&
           (o->architecture || o->preprocess || o->labels || o->config || o->bn_epsilon || o->data_format);
}

cistern_status cli_model_open(cli *c, const char *text, const cistern_pull_options *declared,
                              cistern_model **out, cistern_error *err)
{
    char home[PATH_BYTES];
    int path = 0;
    cistern *context;
    cistern_status status = cli_context(c, &context, err);
    if (status == CISTERN_OK)
        status = cistern_argument_is_path(context, text, &path, err);
    if (status == CISTERN_OK && !path && declares_facts(declared))
        status = usage(
            err,
            "--arch, --preprocess, --labels, --config, --bn-epsilon and --data-format are for weight files; "
            "what is known of a model in the store is said to pull and add");
    if (status != CISTERN_OK)
        return status;
    cistern_call call = cli_call(c, text);
    cli_call_begin(c);
    if (path)
        status =
            cistern_model_open_file(context, expand_home(text, home, sizeof home), declared, &call, out, err);
    else
        status = cistern_model_open(context, text, &call, out, err);
    cli_call_end(c);
    return status;
}

int cli_model_close(cli *c, cistern_session *session, cistern_model *model, int code)
{
    cistern_error err = CISTERN_ERROR_INIT;
    bool told = cli_signal_asked();
    cli_call_begin(c);
    (void)!term_stream_flush(&c->out, "standard output", NULL); /* what fails now is told at the end */
    cistern_session_free(session);
    cistern_model_free(model);
    cli_call_end(c);
    if (told || !cli_signal_asked())
        return code;
    err.status = CISTERN_CANCELLED;
    return cli_first(code, cli_fail(c, &err));
}
