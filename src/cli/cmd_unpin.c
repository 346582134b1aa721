/* cistern unpin: the reverse of pin. */
#include "cli_verbs.h"

static const char *const examples[] = {"cistern unpin vgg16:3", NULL};

static int run(cli *c, const void *values, int count, char **arguments)
{
    cistern *context;
    cistern_error err = CISTERN_ERROR_INIT;
    term_json j;
    int code = 0;
    (void)values;
    if (cli_context(c, &context, &err) != CISTERN_OK)
        return cli_fail(c, &err);
    term_json_init(&j, &c->out);
    if (c->json) {
        term_json_object(&j, NULL);
        term_json_array(&j, "unpinned");
    }
    for (int i = 0; i < count; i++) {
        if (cistern_unpin(context, arguments[i], &err) != CISTERN_OK) {
            code = cli_first(code, cli_fail(c, &err));
            continue;
        }
        if (c->json)
            term_json_text(&j, NULL, arguments[i]);
        cli_note(c, "%s is not pinned any more", arguments[i]);
    }
    if (c->json) {
        term_json_end(&j);
        term_json_end(&j);
    }
    return code;
}

const cli_verb cmd_unpin = {
    .name = "unpin",
    .arguments = "REF…",
    .summary = "let gc have the bytes of pinned versions again",
    .about = "Take pins away, also those of versions that were removed since (NAME:VERSION).",
    .examples = examples,
    .least = 1,
    .most = -1,
    .run = run,
};
