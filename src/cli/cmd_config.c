/* cistern config: each option, its value, and where that came from. */
#include "cli_verbs.h"

static const char *const examples[] = {"cistern config", "CISTERN_OFFLINE=yes cistern config --json", NULL};

static cistern_status put_table(cli *c, cistern_error *err)
{
    static const term_column columns[] = {
        {"OPTION", false, false}, {"VALUE", false, true}, {"FROM", false, true}};
    const char *name, *value, *source;
    term_table *t = NULL;
    cistern_status status = term_table_new(columns, 3, &t, err);
    if (status != CISTERN_OK)
        return status;
    for (size_t i = 0; cistern_options_peek(c->options, i, &name, &value, &source); i++) {
        term_table_put(t, name);
        term_table_put(t, value ? value : "");
        term_table_put_styled(t, TERM_DIM, source);
    }
    status = term_table_print(t, 0, &c->out, err);
    term_table_free(t);
    return status;
}

static void put_json(cli *c)
{
    const char *name, *value, *source;
    term_json j;
    term_json_init(&j, &c->out);
    term_json_object(&j, NULL);
    term_json_array(&j, "options");
    for (size_t i = 0; cistern_options_peek(c->options, i, &name, &value, &source); i++) {
        term_json_object(&j, NULL);
        term_json_text(&j, "name", name);
        term_json_text_or_null(&j, "value", value);
        term_json_text(&j, "source", source);
        term_json_end(&j);
    }
    term_json_end(&j);
    term_json_end(&j);
}

static int run(cli *c, const void *values, int count, char **arguments)
{
    (void)values;
    (void)count;
    (void)arguments;
    cistern_error err = CISTERN_ERROR_INIT;
    cistern_status status = cistern_options_load(c->options, &err);
    if (status == CISTERN_OK && c->json)
        put_json(c);
    else if (status == CISTERN_OK)
        status = put_table(c, &err);
    return status == CISTERN_OK ? 0 : cli_fail(c, &err);
}

const cli_verb cmd_config = {
    .name = "config",
    .arguments = "",
    .summary = "show each option, its value, and where that came from",
    .about = "Show each option, its value, and where that came from. Flags win over the environment "
             "(CISTERN_STORE,\n"
             "CISTERN_OFFLINE …: the option in upper case, - as _), that over the user's configuration file\n"
             "($XDG_CONFIG_HOME/cistern/config.ini, or the one that CISTERN_CONFIG names), that over "
             "/etc/cistern/config.ini.",
    .examples = examples,
    .least = 0,
    .most = 0,
    .run = run,
};
