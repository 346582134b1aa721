/* One thing to each reference: see cli_each.h. */
#include "cli_each.h"
#include "cli_options.h"

int cli_each(cli *c, const char *list, cli_each_fn fn, const void *values, int count, char **arguments)
{
    cistern *context;
    cistern_error err = CISTERN_ERROR_INIT;
    term_json json;
    int code = 0;
    if (cli_context(c, &context, &err) != CISTERN_OK)
        return cli_fail(c, &err);
    term_json_init(&json, &c->out);
    if (c->json) {
        term_json_object(&json, NULL);
        term_json_array(&json, list);
    }
    for (int i = 0; i < count; i++) {
        int now = fn(c, context, values, arguments[i], &json);
        code = cli_first(code, now);
        if (now == cistern_status_exit_code(CISTERN_CANCELLED))
            break;
    }
    if (c->json) {
        term_json_end(&json);
        term_json_end(&json);
    }
    return code;
}
