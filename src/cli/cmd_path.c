/* cistern path: where the bytes of a version lie. */
#include "cli_verbs.h"

#define PATH_BYTES 8192 /* longer than PATH_MAX */

static const char *const examples[] = {
    "cistern path vgg16",
    "python3 -c 'import torch, sys; torch.load(sys.argv[1])' \"$(cistern path vgg16)\"",
    NULL,
};

static int run(cli *c, const void *values, int count, char **arguments)
{
    (void)values;
    char path[PATH_BYTES];
    cistern *context;
    cistern_error err = CISTERN_ERROR_INIT;
    cistern_status status = cli_context(c, &context, &err);
    if (status == CISTERN_OK)
        status =
            cistern_path(context, arguments[0], count > 1 ? arguments[1] : NULL, path, sizeof path, &err);
    if (status != CISTERN_OK)
        return cli_fail(c, &err);
    if (c->json) {
        term_json j;
        term_json_init(&j, &c->out);
        term_json_object(&j, NULL);
        term_json_text(&j, "path", path);
        term_json_end(&j);
    } else {
        term_stream_put(&c->out, path); /* as it is: scripts open it */
        term_stream_put(&c->out, "\n");
    }
    return 0;
}

const cli_verb cmd_path = {
    .name = "path",
    .arguments = "REF [FILE]",
    .summary = "print where the bytes of a version lie",
    .about = "Print the path of a version's file in the store, for other programs to read; it must not be "
             "written. FILE names one\n"
             "of several files.",
    .examples = examples,
    .least = 1,
    .most = 2,
    .run = run,
};
