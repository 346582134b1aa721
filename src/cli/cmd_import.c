/* cistern import: adopt what other tools have downloaded, or a directory of versions. */
#include "cli_bring.h"
#include "cli_carry.h"
#include "cli_verbs.h"
#include <string.h>

typedef struct import_values {
    const char *as, *why;
    bool all;
    cli_facts facts;
} import_values;

static const cli_option options[] = {
    {"as", 0, "NAME", CLI_TEXT, offsetof(import_values, as), "the model's name here (a directory needs it)"},
    {"all", 0, NULL, CLI_FLAG, offsetof(import_values, all),
     "torch: every file with digits of its SHA-256 in its name, not only VGGs"},
    CLI_FACT_ROWS(import_values),
    {"why", 0, "TEXT", CLI_TEXT, offsetof(import_values, why), "a note for the history"},
    {NULL, 0, NULL, CLI_FLAG, 0, NULL},
};

static const char *const examples[] = {
    "cistern import pretrained_models --as vgg16   # with metadata.json: {\"1\": \"vgg16_v1.pth\", …}",
    "cistern import torch                          # what torchvision has downloaded",
    NULL,
};

static int import_cache(cli *c, const import_values *v, cistern *context, const char *tool)
{
    cli_carry carry;
    cistern_error err = CISTERN_ERROR_INIT;
    size_t left = 0;
    if (v->as || v->facts.arch || v->facts.preprocess || v->facts.labels || v->facts.config ||
        v->facts.bn_epsilon || v->facts.data_format || v->why)
        return cli_usage(c, "import %s: names and facts come from the files; only --all can be given", tool);
    cistern_call call = cli_call(c, tool);
    cli_carry_begin(&carry, c, true);
    cli_call_begin(c);
    cistern_status status =
        cistern_import_cache(context, tool, v->all, &call, cli_carry_tell, &carry, &left, &err);
    cli_call_end(c);
    int code = cli_carry_end(&carry, status, &err);
    if (left)
        cli_note(c, "%zu other %s left alone%s", left, left == 1 ? "file is" : "files are",
                 v->all ? ": no digits of a SHA-256 in the name" : "");
    else if (code == 0 && carry.count == 0)
        cli_note(c, "the cache is empty");
    return code;
}

static int import_directory(cli *c, const import_values *v, cistern *context, const char *directory)
{
    cli_carry carry;
    cistern_error err = CISTERN_ERROR_INIT;
    cistern_pull_options o = cli_bring_declared(&v->facts);
    if (!v->as)
        return cli_usage(c, "import of a directory needs --as NAME");
    if (v->all)
        return cli_usage(c, "--all belongs to import torch");
    o.as = v->as;
    o.why = v->why;
    cistern_call call = cli_call(c, v->as);
    cli_carry_begin(&carry, c, true);
    cli_call_begin(c);
    cistern_status status =
        cistern_import_directory(context, directory, &o, &call, cli_carry_tell, &carry, &err);
    cli_call_end(c);
    return cli_carry_end(&carry, status, &err);
}

static int run(cli *c, const void *values, int count, char **arguments)
{
    (void)count;
    const import_values *v = values;
    const char *what = arguments[0];
    cistern *context;
    cistern_error err = CISTERN_ERROR_INIT;
    bool is_tool = strcmp(what, "torch") == 0 || strcmp(what, "keras") == 0;
    if (strcmp(what, "hf") == 0)
        return cli_usage(c, "'%s' cannot be imported by this version; a directory of that name is ./%s", what,
                         what);
    if (cli_context(c, &context, &err) != CISTERN_OK)
        return cli_fail(c, &err);
    return is_tool ? import_cache(c, v, context, what) : import_directory(c, v, context, what);
}

const cli_verb cmd_import = {
    .name = "import",
    .arguments = "torch | keras | DIR",
    .summary = "adopt what other tools have downloaded",
    .about =
        "Adopt what is there already. DIR holds a metadata.json, {\"1\": \"file\", \"2\": \"file\", …}, and "
        "becomes "
        "versions of\n"
        "one model with those numbers. torch and keras are those tools' caches: published files, and for "
        "torch others "
        "whose\n"
        "names end in digits of their SHA-256. Digests are compared; pulling what is published then makes no "
        "request.\n"
        "Files are shared or copied, and left as they are. Each line on standard output is a full reference.",
    .options = options,
    .examples = examples,
    .least = 1,
    .most = 1,
    .run = run,
};
