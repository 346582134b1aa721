/* cistern help. */
#include "cli_verbs.h"

static const char *const examples[] = {"cistern help", "cistern help pull", NULL};

static int run(cli *c, const void *values, int count, char **arguments)
{
    (void)values;
    const cli_verb *verb = count ? cli_verb_find(arguments[0]) : NULL;
    if (count && !verb) {
        const char *meant = cli_verb_suggest(arguments[0]);
        c->verb = NULL;
        return cli_usage(c, "no such verb: '%s'%s%s%s", arguments[0], meant ? " (did you mean '" : "",
                         meant ? meant : "", meant ? "'?)" : "");
    }
    return cli_verb_help(c, verb);
}

const cli_verb cmd_help = {
    .name = "help",
    .arguments = "[VERB]",
    .summary = "show help, of a verb if one is named",
    .examples = examples,
    .least = 0,
    .most = 1,
    .run = run,
};
