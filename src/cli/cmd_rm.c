/* cistern rm: remove versions. */
#include "cli_each.h"
#include "cli_verbs.h"

typedef struct rm_values {
    bool all, force;
    const char *why;
} rm_values;

static const cli_option options[] = {
    {"all", 0, NULL, CLI_FLAG, offsetof(rm_values, all), "every version of the model"},
    {"force", 'f', NULL, CLI_FLAG, offsetof(rm_values, force), "even if an alias points there"},
    {"why", 0, "TEXT", CLI_TEXT, offsetof(rm_values, why), "a note for the history"},
    {NULL, 0, NULL, CLI_FLAG, 0, NULL},
};

static const char *const examples[] = {"cistern rm vgg16:1", "cistern rm vgg16 --all --force", NULL};

static int remove_one(cli *c, cistern *context, const void *values, const char *reference, term_json *j)
{
    const rm_values *v = values;
    cistern_error err = CISTERN_ERROR_INIT;
    size_t removed = 0;
    if (cistern_remove(context, reference, v->all, v->force, v->why, &removed, &err) != CISTERN_OK)
        return cli_fail(c, &err);
    if (c->json) {
        term_json_object(j, NULL);
        term_json_text(j, "reference", reference);
        term_json_u64(j, "versions", removed);
        term_json_end(j);
    }
    if (v->all)
        cli_note(c, "%s: %zu versions removed; their bytes stay in the store until they are collected",
                 reference, removed);
    else
        cli_note(c, "%s removed; its bytes stay in the store until they are collected", reference);
    return 0;
}

static int run(cli *c, const void *values, int count, char **arguments)
{
    return cli_each(c, "removed", remove_one, values, count, arguments);
}

const cli_verb cmd_rm = {
    .name = "rm",
    .arguments = "REF…",
    .summary = "remove versions",
    .about = "Remove versions. REF needs a version or a digest; --all takes every version of a name. A "
             "removed version's tag is\n"
             "never used again. What an alias points to is not removed without --force. The bytes stay for "
             "some days\n"
             "(--keep-removed); after that, gc deletes them.",
    .options = options,
    .examples = examples,
    .least = 1,
    .most = -1,
    .run = run,
};
