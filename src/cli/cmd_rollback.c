/* cistern rollback: undo the last move of an alias. */
#include "cli_move.h"
#include "cli_verbs.h"
#include <string.h>

typedef struct rollback_values {
    const char *why;
} rollback_values;

static const cli_option options[] = {
    {"why", 0, "TEXT", CLI_TEXT, offsetof(rollback_values, why), "a note for the history"},
    {NULL, 0, NULL, CLI_FLAG, 0, NULL},
};

static const char *const examples[] = {"cistern rollback vgg16",
                                       "cistern rollback vgg16:production --why 'worse on cats'", NULL};

static int run(cli *c, const void *values, int count, char **arguments)
{
    (void)count;
    const rollback_values *v = values;
    cistern *context;
    cistern_version *version = NULL;
    cistern_error err = CISTERN_ERROR_INIT;
    char *colon = strchr(arguments[0], ':'); /* the argument is ours to cut */
    const char *alias = colon ? colon + 1 : "latest";
    if (colon)
        *colon = '\0';
    cistern_status status = cli_context(c, &context, &err);
    if (status == CISTERN_OK)
        status = cistern_rollback(context, arguments[0], alias, v->why, &version, &err);
    if (status != CISTERN_OK)
        return cli_fail(c, &err);
    cli_move_report(c, alias, version);
    cistern_version_free(version);
    return 0;
}

const cli_verb cmd_rollback = {
    .name = "rollback",
    .arguments = "NAME[:ALIAS]",
    .summary = "undo the last move of an alias (of latest, if none is named)",
    .about = "Undo the last move of an alias; of latest, if none is named. Repeating it walks further back. "
             "The rollback itself is\n"
             "recorded in the history.",
    .options = options,
    .examples = examples,
    .least = 1,
    .most = 1,
    .run = run,
};
