/* cistern export: versions as a directory with metadata.json. */
#include "cli_carry.h"
#include "cli_verbs.h"

typedef struct export_values {
    CLI_PLACE_VALUES;
} export_values;

static const cli_option options[] = {
    CLI_PLACE_ROWS(export_values),
    {NULL, 0, NULL, CLI_FLAG, 0, NULL},
};

static const char *const examples[] = {"cistern export vgg16 pretrained_models",
                                       "cistern export vgg16:3 /srv/models/vgg16", NULL};

static int run(cli *c, const void *values, int count, char **arguments)
{
    (void)count;
    const export_values *v = values;
    cli_carry carry;
    cistern *context;
    cistern_error err = CISTERN_ERROR_INIT;
    cistern_place_options o = CISTERN_PLACE_OPTIONS_INIT;
    int code = cli_carry_place(c, v->hardlink, v->symlink, v->force, &o);
    if (code)
        return code;
    if (cli_context(c, &context, &err) != CISTERN_OK)
        return cli_fail(c, &err);
    cistern_call call = cli_call(c, arguments[0]);
    cli_carry_begin(&carry, c, false);
    cli_call_begin(c);
    cistern_status status =
        cistern_export(context, arguments[0], arguments[1], &o, &call, cli_carry_tell, &carry, &err);
    cli_call_end(c);
    return cli_carry_end(&carry, status, &err);
}

const cli_verb cmd_export = {
    .name = "export",
    .arguments = "REF DIR",
    .summary = "write versions as a directory with metadata.json",
    .about =
        "Write a version, or of a bare NAME every numbered version, into DIR: the files under their own "
        "names, and "
        "a\n"
        "metadata.json, {\"1\": \"file\", \"2\": \"file\", …}, that says which is which. A name that other "
        "bytes have "
        "gets -v<number>.\n"
        "What is in DIR already stays. Files are shared or copied. Each line on standard output is a file.",
    .options = options,
    .examples = examples,
    .least = 2,
    .most = 2,
    .run = run,
};
