/* cistern tag: point an alias at a version. */
#include "cli_move.h"
#include "cli_verbs.h"

typedef struct tag_values {
    const char *expect, *why;
} tag_values;

static const cli_option options[] = {
    {"expect", 0, "VERSION", CLI_TEXT, offsetof(tag_values, expect),
     "only if the alias points there now; '' for an alias that must not exist yet"},
    {"why", 0, "TEXT", CLI_TEXT, offsetof(tag_values, why), "a note for the history"},
    {NULL, 0, NULL, CLI_FLAG, 0, NULL},
};

static const char *const examples[] = {
    "cistern tag vgg16:3 production",
    "cistern tag vgg16:4 production --expect 3 --why 'A/B test won'",
    NULL,
};

static int run(cli *c, const void *values, int count, char **arguments)
{
    (void)count;
    const tag_values *v = values;
    cistern *context;
    cistern_version *version = NULL;
    cistern_error err = CISTERN_ERROR_INIT;
    cistern_status status = cli_context(c, &context, &err);
    if (status == CISTERN_OK)
        status = cistern_tag(context, arguments[0], arguments[1], v->expect, v->why, &version, &err);
    if (status != CISTERN_OK)
        return cli_fail(c, &err);
    cli_move_report(c, arguments[1], version);
    cistern_version_free(version);
    return 0;
}

const cli_verb cmd_tag = {
    .name = "tag",
    .arguments = "REF ALIAS",
    .summary = "point an alias at a version",
    .about = "Point an alias, such as production, at a version. The move is recorded and can be undone with "
             "cistern rollback.",
    .options = options,
    .examples = examples,
    .least = 2,
    .most = 2,
    .run = run,
};
