/* cistern pin: versions whose bytes stay even after they are removed. */
#include "cli_each.h"
#include "cli_verbs.h"

typedef struct pin_values {
    const char *why;
} pin_values;

static const cli_option options[] = {
    {"why", 0, "TEXT", CLI_TEXT, offsetof(pin_values, why), "a note that is kept beside it"},
    {NULL, 0, NULL, CLI_FLAG, 0, NULL},
};

static const char *const examples[] = {"cistern pin vgg16:3 --why 'release 2026-02'", NULL};

static int pin_one(cli *c, cistern *context, const void *values, const char *reference, term_json *j)
{
    const pin_values *v = values;
    cistern_error err = CISTERN_ERROR_INIT;
    cistern_version *version = NULL;
    int fresh = 0;
    cistern_call call = cli_call(c, reference);
    cli_call_begin(c);
    cistern_status status = cistern_pin(context, reference, v->why, &call, &version, &fresh, &err);
    cli_call_end(c);
    if (status != CISTERN_OK)
        return cli_fail(c, &err);
    if (c->json) {
        term_json_object(j, NULL);
        term_json_text(j, "reference", cistern_version_reference(version));
        term_json_bool(j, "new", fresh != 0);
        term_json_end(j);
    }
    cli_note(c, "%s:%s %s", cistern_version_name(version), cistern_version_tag(version),
             fresh ? "is pinned: its bytes stay" : "was pinned already");
    cistern_version_free(version);
    return 0;
}

static int run(cli *c, const void *values, int count, char **arguments)
{
    return cli_each(c, "pinned", pin_one, values, count, arguments);
}

const cli_verb cmd_pin = {
    .name = "pin",
    .arguments = "REF…",
    .summary = "keep the bytes of versions, whatever becomes of them",
    .about = "Keep the bytes of versions: gc spares them even after the versions were removed, until unpin.",
    .options = options,
    .examples = examples,
    .least = 1,
    .most = -1,
    .run = run,
};
