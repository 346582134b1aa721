/* cistern ls: the models of the store and their versions. */
#include "cli_show.h"
#include "cli_verbs.h"
#include "term_units.h"
#include <string.h>

static const char *const examples[] = {"cistern ls", "cistern ls vgg16",
                                       "cistern ls --json | jq -r '.versions[].reference'", NULL};

static const term_column columns[] = {
    {"MODEL", false, false}, {"ALIASES", false, true},   {"ARCHITECTURE", false, false},
    {"SIZE", true, false},   {"RECORDED", false, false}, {"DIGEST", false, false},
};

static void put_row(term_table *table, const cistern_version *v)
{
    char size[TERM_UNITS_MAX], aliases[512];
    cistern_facts facts = {.size = sizeof facts};
    const char *when = cistern_version_when(v); /* 2026-01-31T12:00:00Z */
    cistern_version_facts(v, &facts);
    term_units_bytes(cistern_version_bytes(v), size);
    cli_show_aliases(v, aliases, sizeof aliases);
    term_table_printf(table, "%s:%s", cistern_version_name(v), cistern_version_tag(v));
    term_table_put_styled(table, TERM_CYAN, aliases);
    term_table_put(table, facts.architecture ? facts.architecture : "");
    term_table_put(table, size);
    term_table_printf(table, "%.10s %.5s%s", when, strlen(when) > 11 ? when + 11 : "",
                      cistern_version_is_here(v) ? "" : " (damaged or gone)");
    term_table_printf(table, "%.12s", cistern_version_digest(v));
}

static cistern_status put_table(cli *c, const cistern_list *list, cistern_error *err)
{
    term_table *table = NULL;
    if (cistern_list_count(list) == 0)
        return CISTERN_OK;
    cistern_status status = term_table_new(columns, sizeof columns / sizeof columns[0], &table, err);
    if (status != CISTERN_OK)
        return status;
    for (size_t i = 0; i < cistern_list_count(list); i++)
        put_row(table, cistern_list_peek(list, i));
    status = term_table_print(table, 0, &c->out, err);
    term_table_free(table);
    return status;
}

static void put_json(cli *c, const cistern_list *list)
{
    term_json j;
    term_json_init(&j, &c->out);
    term_json_object(&j, NULL);
    term_json_array(&j, "versions");
    for (size_t i = 0; i < cistern_list_count(list); i++) {
        term_json_object(&j, NULL);
        cli_show_json(&j, cistern_list_peek(list, i));
        term_json_end(&j);
    }
    term_json_end(&j);
    term_json_end(&j);
}

static int run(cli *c, const void *values, int count, char **arguments)
{
    (void)values;
    cistern *context;
    cistern_list *list = NULL;
    cistern_error err = CISTERN_ERROR_INIT;
    cistern_status status = cli_context(c, &context, &err);
    if (status == CISTERN_OK)
        status = cistern_list_versions(context, count ? arguments[0] : NULL, &list, &err);
    if (status == CISTERN_OK) {
        if (c->json)
            put_json(c, list);
        else
            status = put_table(c, list, &err);
    }
    cistern_list_free(list);
    return status == CISTERN_OK ? 0 : cli_fail(c, &err);
}

const cli_verb cmd_ls = {
    .name = "ls",
    .arguments = "[NAME]",
    .summary = "list the models of the store and their versions",
    .about = "List the models of the store and their versions, newest last. Where there is no store yet, "
             "nothing is printed.",
    .examples = examples,
    .least = 0,
    .most = 1,
    .run = run,
};
