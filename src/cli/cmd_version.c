/* cistern version. */
#include "cli_verbs.h"

static const char *const examples[] = {"cistern version", NULL};

static int run(cli *c, const void *values, int count, char **arguments)
{
    (void)values;
    (void)count;
    (void)arguments;
    if (c->json) {
        term_json j;
        term_json_init(&j, &c->out);
        term_json_object(&j, NULL);
        term_json_text(&j, "version", CISTERN_VERSION_TEXT);
        term_json_text(&j, "library", cistern_library_version());
        term_json_end(&j);
    } else {
        term_stream_printf(&c->out, "cistern %s\n", cistern_library_version());
    }
    return 0;
}

const cli_verb cmd_version = {
    .name = "version",
    .arguments = "",
    .summary = "show the version",
    .examples = examples,
    .least = 0,
    .most = 0,
    .run = run,
};
