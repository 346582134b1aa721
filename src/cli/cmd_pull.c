/* cistern pull: bring a model into the store unless it is there. */
#include "cli_bring.h"
#include "cli_verbs.h"
#include <string.h>

typedef struct pull_values {
    const char *as, *sha256, *why;
    bool update, ignore_name_digest;
    cli_facts facts;
} pull_values;

static const cli_option options[] = {
    {"as", 0, "NAME[:VERSION]", CLI_TEXT, offsetof(pull_values, as),
     "what it is called here (default: made from the address)"},
    {"update", 0, NULL, CLI_FLAG, offsetof(pull_values, update), "ask the origin whether it has changed"},
    {"sha256", 0, "HEX", CLI_TEXT, offsetof(pull_values, sha256), "the digest that the file must have"},
    {"ignore-name-digest", 0, NULL, CLI_FLAG, offsetof(pull_values, ignore_name_digest),
     "do not check the -<8 hex> of the file's name"},
    CLI_FACT_ROWS(pull_values),
    {"why", 0, "TEXT", CLI_TEXT, offsetof(pull_values, why), "a note for the history"},
    {NULL, 0, NULL, CLI_FLAG, 0, NULL},
};

static const char *const examples[] = {
    "cistern pull torchvision:vgg16",
    "cistern pull https://download.pytorch.org/models/vgg16-397923af.pth --as vgg16",
    "cistern pull s3://models/vgg16/vgg16_pretrained.pth --as vgg16",
    "cistern pull vgg16 --update           # ask its origin; a change becomes the next version",
    "cistern pull ./model.pth --as mine:2025-03 --labels names.txt --arch vgg11_bn",
    NULL,
};

/* The last part of an address, for the progress line: never its user, password or query. */
static void title_of(const char *origin, char *out, size_t size)
{
    size_t end = strcspn(origin, "?#");
    size_t begin = end;
    while (begin > 0 && origin[begin - 1] != '/')
        begin--;
    if (end - begin >= size)
        end = begin + size - 1;
    memcpy(out, origin + begin, end - begin);
    out[end - begin] = '\0';
}

static int run(cli *c, const void *values, int count, char **arguments)
{
    (void)count;
    const pull_values *v = values;
    cistern *context;
    cistern_version *version = NULL;
    cistern_error err = CISTERN_ERROR_INIT;
    cistern_pull_options o = cli_bring_declared(&v->facts);
    cistern_pull_result result = {.size = sizeof result};
    char title[TERM_PROGRESS_TITLE_MAX];

    o.as = v->as;
    o.sha256 = v->sha256;
    o.update = v->update;
    o.ignore_name_digest = v->ignore_name_digest;
    o.why = v->why;
    if (cli_context(c, &context, &err) != CISTERN_OK)
        return cli_fail(c, &err);
    title_of(v->as ? v->as : arguments[0], title, sizeof title);
    cistern_call call = cli_call(c, title);
    uint64_t begun = cli_now_ms();
    cli_call_begin(c);
    cistern_status status = cistern_pull(context, arguments[0], &o, &call, &result, &version, &err);
    cli_call_end(c);
    if (status != CISTERN_OK)
        return cli_fail(c, &err);
    cli_bring_report(c, "fetched", version, &result, cli_now_ms() - begun);
    cistern_version_free(version);
    return 0;
}

const cli_verb cmd_pull = {
    .name = "pull",
    .arguments = "ORIGIN-OR-REF",
    .summary = "bring a model into the store unless it is there",
    .about =
        "Bring a model into the store unless it is there. ORIGIN is an address (https://…, http://…, "
        "s3://BUCKET/KEY,\n"
        "file:…), a path, or the name of published weights (torchvision:vgg16). What is here already is not "
        "asked for\n"
        "again: no request is made. REF is a model in the store; with --update the origin that it came from "
        "is asked.\n\n"
        "The last line on standard output is the full reference, NAME:VERSION@sha256:DIGEST. An "
        "interrupted pull keeps\n"
        "what it has fetched; the same command goes on from there.",
    .options = options,
    .examples = examples,
    .least = 1,
    .most = 1,
    .run = run,
};
