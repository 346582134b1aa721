/* cistern history: what happened to a model. */
#include "cli_verbs.h"
#include <stdio.h>
#include <string.h>

static const char *const examples[] = {"cistern history vgg16", NULL};

static const term_column columns[] = {
    {"WHEN", false, false}, {"WHAT", false, false}, {"WHO", false, true}, {"WHY", false, true}};

static void what_text(const cistern_event *e, char *out, size_t size)
{
    if (strcmp(e->kind, "add") == 0)
        snprintf(out, size, "version %s added", e->tag);
    else if (strcmp(e->kind, "remove") == 0)
        snprintf(out, size, "version %s removed", e->tag);
    else if (!e->from || !e->from[0])
        snprintf(out, size, "%s: %s", e->alias, e->tag);
    else
        snprintf(out, size, "%s%s: %s -> %s", e->alias,
                 strcmp(e->kind, "rollback") == 0 ? " rolled back" : "", e->from, e->tag);
}

static cistern_status put_table(cli *c, const cistern_history *h, cistern_error *err)
{
    term_table *table = NULL;
    cistern_event e = {.size = sizeof e};
    cistern_status status = term_table_new(columns, sizeof columns / sizeof columns[0], &table, err);
    if (status != CISTERN_OK)
        return status;
    for (size_t i = 0; cistern_history_event(h, i, &e); i++) {
        char what[512];
        what_text(&e, what, sizeof what);
        term_table_put(table, e.when);
        term_table_put_styled(table, strcmp(e.kind, "rollback") == 0 ? TERM_YELLOW : TERM_PLAIN, what);
        term_table_put(table, e.who);
        term_table_put(table, e.why);
    }
    status = term_table_print(table, 0, &c->out, err);
    term_table_free(table);
    return status;
}

static void put_json(cli *c, const char *name, const cistern_history *h)
{
    term_json j;
    cistern_event e = {.size = sizeof e};
    term_json_init(&j, &c->out);
    term_json_object(&j, NULL);
    term_json_text(&j, "name", name);
    term_json_array(&j, "events");
    for (size_t i = 0; cistern_history_event(h, i, &e); i++) {
        term_json_object(&j, NULL);
        term_json_text(&j, "kind", e.kind);
        term_json_text(&j, "tag", e.tag);
        term_json_text_or_null(&j, "alias", e.alias);
        term_json_u64(&j, "number", e.number);
        term_json_text_or_null(&j, "from", e.from);
        term_json_text_or_null(&j, "digest", e.digest);
        term_json_text_or_null(&j, "when", e.when);
        term_json_text_or_null(&j, "who", e.who);
        term_json_text_or_null(&j, "why", e.why);
        term_json_end(&j);
    }
    term_json_end(&j);
    term_json_end(&j);
}

static int run(cli *c, const void *values, int count, char **arguments)
{
    (void)values;
    (void)count;
    cistern *context;
    cistern_history *history = NULL;
    cistern_error err = CISTERN_ERROR_INIT;
    cistern_status status = cli_context(c, &context, &err);
    if (status == CISTERN_OK)
        status = cistern_history_read(context, arguments[0], &history, &err);
    if (status == CISTERN_OK) {
        if (c->json)
            put_json(c, arguments[0], history);
        else
            status = put_table(c, history, &err);
    }
    cistern_history_free(history);
    return status == CISTERN_OK ? 0 : cli_fail(c, &err);
}

const cli_verb cmd_history = {
    .name = "history",
    .arguments = "NAME",
    .summary = "show what happened to a model",
    .about = "Show what happened to a model, oldest first: versions added and removed, aliases moved and "
             "rolled back.",
    .examples = examples,
    .least = 1,
    .most = 1,
    .run = run,
};
