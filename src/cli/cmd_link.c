/* cistern link: put versions where another tool looks for them. */
#include "cli_carry.h"
#include "cli_verbs.h"
#include <string.h>

typedef struct link_values {
    CLI_PLACE_VALUES;
} link_values;

static const cli_option options[] = {
    CLI_PLACE_ROWS(link_values),
    {NULL, 0, NULL, CLI_FLAG, 0, NULL},
};

static const char *const examples[] = {
    "cistern link torch          # then torchvision.models.vgg16(weights=\"DEFAULT\") downloads nothing",
    "cistern link torch vgg16:3", NULL};

static int run(cli *c, const void *values, int count, char **arguments)
{
    const link_values *v = values;
    cli_carry carry;
    cistern *context;
    cistern_error err = CISTERN_ERROR_INIT;
    cistern_place_options o = CISTERN_PLACE_OPTIONS_INIT;
    int code = cli_carry_place(c, v->hardlink, v->symlink, v->force, &o);
    if (code)
        return code;
    if (strcmp(arguments[0], "torch") != 0 && strcmp(arguments[0], "keras") != 0)
        return cli_usage(c, "link knows torch and keras, not '%s'", arguments[0]);
    if (cli_context(c, &context, &err) != CISTERN_OK)
        return cli_fail(c, &err);
    cistern_call call = cli_call(c, arguments[0]);
    cli_carry_begin(&carry, c, false);
    cli_call_begin(c);
    cistern_status status = cistern_link_cache(context, arguments[0], (const char *const *)arguments + 1,
                                               (size_t)(count - 1), &o, &call, cli_carry_tell, &carry, &err);
    cli_call_end(c);
    return cli_carry_end(&carry, status, &err);
}

const cli_verb cmd_link = {
    .name = "link",
    .arguments = "torch|keras [REF…]",
    .summary = "put versions where another tool looks for them",
    .about = "Put versions where torch hub or Keras looks for downloaded files, under the names that "
             "torchvision or "
             "Keras asks\n"
             "for: of each published file the newest version that is here, or the ones that are named. Files "
             "are shared "
             "or\n"
             "copied; a file with other bytes is left alone without --force. Each line on standard output is "
             "a file.",
    .options = options,
    .examples = examples,
    .least = 1,
    .most = -1,
    .run = run,
};
