/* cistern doctor: whether everything is in order, and how fast it is. */
#include "cli_verbs.h"
#include <stdio.h>
#include <string.h>

static const char *const examples[] = {"cistern doctor", "cistern doctor --json", NULL};

typedef struct visit {
    cli *c;
    term_json json;
    char group[32];
} visit;

static const char *level_text(cistern_finding_level level)
{
    switch (level) {
    case CISTERN_FINDING_OK:
        return "ok";
    case CISTERN_FINDING_NOTE:
        return "note";
    case CISTERN_FINDING_WARNING:
        return "warning";
    case CISTERN_FINDING_FAILED:
        return "failed";
    }
    return "failed";
}

static void put_json(visit *v, const cistern_finding *f)
{
    term_json_object(&v->json, NULL);
    term_json_text(&v->json, "level", level_text(f->level));
    term_json_text(&v->json, "group", f->group);
    term_json_text(&v->json, "name", f->name);
    term_json_text(&v->json, "text", f->text);
    if (f->unit[0]) {
        term_json_double(&v->json, "value", f->value);
        term_json_text(&v->json, "unit", f->unit);
    }
    term_json_end(&v->json);
}

static void put_text(visit *v, const cistern_finding *f)
{
    static const term_style styles[] = {TERM_GREEN, TERM_PLAIN, TERM_YELLOW, TERM_RED};
    term_stream *out = &v->c->out;
    if (strcmp(v->group, f->group) != 0) {
        snprintf(v->group, sizeof v->group, "%s", f->group);
        term_stream_put_styled(out, TERM_BOLD, f->group);
        term_stream_put(out, "\n");
    }
    term_stream_put(out, "  ");
    term_stream_style(out, styles[f->level]);
    term_stream_printf(out, "%-7s", level_text(f->level));
    term_stream_style(out, TERM_PLAIN);
    term_stream_printf(out, "  %-15s  ", f->name);
    term_stream_put_text(out, f->text);
    term_stream_put(out, "\n");
}

static void on_finding(void *user, const cistern_finding *f)
{
    visit *v = user;
    if (v->c->json)
        put_json(v, f);
    else
        put_text(v, f);
    (void)!term_stream_flush(&v->c->out, "standard output", NULL); /* each as soon as it is known */
}

static int run(cli *c, const void *values, int count, char **arguments)
{
    cistern *context;
    cistern_error err = CISTERN_ERROR_INIT;
    cistern_finding_level worst = CISTERN_FINDING_OK;
    visit v = {.c = c};
    (void)values;
    (void)count;
    (void)arguments;
    if (cli_context(c, &context, &err) != CISTERN_OK)
        return cli_fail(c, &err);
    term_json_init(&v.json, &c->out);
    if (c->json) {
        term_json_object(&v.json, NULL);
        term_json_array(&v.json, "findings");
    }
    cistern_call call = cli_call(c, "doctor");
    cli_call_begin(c);
    cistern_status status = cistern_doctor(context, &call, on_finding, &v, &worst, &err);
    cli_call_end(c);
    if (c->json) {
        term_json_end(&v.json);
        term_json_text(&v.json, "worst", level_text(worst));
        term_json_end(&v.json);
    }
    if (status != CISTERN_OK)
        return cli_fail(c, &err);
    return worst == CISTERN_FINDING_FAILED ? cistern_status_exit_code(CISTERN_UNEXPECTED) : 0;
}

const cli_verb cmd_doctor = {
    .name = "doctor",
    .arguments = "",
    .summary = "check installation and store, and how fast they are",
    .about = "Check the installation, the store, the settings of the network, and try what the store's file "
             "system does and how fast\n"
             "it is. No request is made. Exit code 1 if something will not work; warnings leave it at 0.",
    .examples = examples,
    .least = 0,
    .most = 0,
    .run = run,
};
