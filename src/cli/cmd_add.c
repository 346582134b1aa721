/* cistern add: bring local files into the store as one version. */
#include "cli_bring.h"
#include "cli_verbs.h"

typedef struct add_values {
    const char *as, *sha256, *why;
    cli_facts facts;
} add_values;

static const cli_option options[] = {
    {"as", 0, "NAME[:VERSION]", CLI_TEXT, offsetof(add_values, as), "what it is called here (needed)"},
    {"sha256", 0, "HEX", CLI_TEXT, offsetof(add_values, sha256), "the digest that the file must have"},
    CLI_FACT_ROWS(add_values),
    {"why", 0, "TEXT", CLI_TEXT, offsetof(add_values, why), "a note for the history"},
    {NULL, 0, NULL, CLI_FLAG, 0, NULL},
};

static const char *const examples[] = {
    "cistern add vgg16_finetuned.pth --as cats",
    "cistern add saved_model/ --as vgg16",
    "cistern add model.safetensors --as cats:2025-03 --labels breeds.txt --why 'more data'",
    NULL,
};

static int run(cli *c, const void *values, int count, char **arguments)
{
    const add_values *v = values;
    cistern *context;
    cistern_version *version = NULL;
    cistern_error err = CISTERN_ERROR_INIT;
    cistern_pull_options o = cli_bring_declared(&v->facts);
    cistern_pull_result result = {.size = sizeof result};

    if (!v->as)
        return cli_usage(c, "add needs --as NAME");
    o.as = v->as;
    o.sha256 = v->sha256;
    o.why = v->why;
    if (cli_context(c, &context, &err) != CISTERN_OK)
        return cli_fail(c, &err);
    cistern_call call = cli_call(c, v->as);
    uint64_t begun = cli_now_ms();
    cli_call_begin(c);
    cistern_status status = cistern_add(context, (const char *const *)arguments, (size_t)count, &o, &call,
                                        &result, &version, &err);
    cli_call_end(c);
    if (status != CISTERN_OK)
        return cli_fail(c, &err);
    cli_bring_report(c, "added", version, &result, cli_now_ms() - begun);
    cistern_version_free(version);
    return 0;
}

const cli_verb cmd_add = {
    .name = "add",
    .arguments = "FILE-OR-DIR…",
    .summary = "bring local files into the store as one version",
    .about =
        "Bring local files into the store; together they become one version of the model. The files are "
        "left as they are\n"
        "and may be removed afterwards. The last line on standard output is the full reference.\n"
        "Of a directory all files are taken, under their paths inside it: a SavedModel, shards with their "
        "list, an ONNX model\n"
        "with its data. Names that begin with a dot are left out; a symbolic link is an error.",
    .options = options,
    .examples = examples,
    .least = 1,
    .most = -1,
    .run = run,
};
