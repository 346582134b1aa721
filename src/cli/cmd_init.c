/* cistern init: make the store. */
#include "cli_verbs.h"
#include <string.h>

static const char *const examples[] = {"cistern init", "cistern init --store /srv/models", NULL};

static const char *store_of(const cli *c)
{
    const char *name, *value, *source;
    for (size_t i = 0; cistern_options_peek(c->options, i, &name, &value, &source); i++)
        if (strcmp(name, "store") == 0)
            return value;
    return "";
}

static int run(cli *c, const void *values, int count, char **arguments)
{
    (void)values;
    (void)count;
    (void)arguments;
    cistern *context;
    cistern_error err = CISTERN_ERROR_INIT;
    cistern_status status = cli_context(c, &context, &err);
    if (status == CISTERN_OK)
        status = cistern_init(context, &err);
    if (status != CISTERN_OK)
        return cli_fail(c, &err);
    cli_note(c, "%s is a store", store_of(c));
    if (c->json) {
        term_json j;
        term_json_init(&j, &c->out);
        term_json_object(&j, NULL);
        term_json_text(&j, "store", store_of(c));
        term_json_end(&j);
    }
    return 0;
}

const cli_verb cmd_init = {
    .name = "init",
    .arguments = "",
    .summary = "make the store (pull and add do it by themselves)",
    .about = "Make the store in a directory that is absent or empty; nothing happens if it is a store "
             "already. pull and add do this\n"
             "by themselves.",
    .examples = examples,
    .least = 0,
    .most = 0,
    .run = run,
};
