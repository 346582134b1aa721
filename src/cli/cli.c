/* Speaking, the context, progress: see cli.h. */
#include "cli.h"
#include "cli_signal.h"
#include "term_text.h"
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

double cli_now_exact_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
}

uint64_t cli_now_ms(void)
{
    return (uint64_t)cli_now_exact_ms();
}

/* One line on standard error, at once; a progress line makes room for it. */
static void say(cli *c, const char *prefix, term_style style, const char *text)
{
    term_progress_clear(&c->progress);
    if (prefix)
        term_stream_put_styled(&c->notes, style, prefix);
    term_stream_put_text(&c->notes, text);
    term_stream_put(&c->notes, "\n");
    (void)!term_stream_flush(&c->notes, "standard error", NULL); /* there is nowhere to tell it */
}

void cli_note(cli *c, const char *fmt, ...)
{
    char text[CLI_MESSAGE_MAX];
    if (c->quiet)
        return;
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    say(c, NULL, TERM_PLAIN, text);
}

int cli_fail(cli *c, const cistern_error *err)
{
    char text[CLI_MESSAGE_MAX];
    cistern_error_format(err, text, sizeof text);
    say(c, "cistern: ", TERM_RED, text[0] ? text : cistern_status_text(err->status));
    return cistern_status_exit_code(err->status);
}

int cli_usage(cli *c, const char *fmt, ...)
{
    char text[CLI_MESSAGE_MAX];
    va_list args;
    va_start(args, fmt);
    int n = vsnprintf(text, sizeof text - 64, fmt, args);
    va_end(args);
    size_t used = n < 0 ? 0 : strlen(text);
    snprintf(text + used, sizeof text - used, "; see: cistern help%s%.32s", c->verb ? " " : "",
             c->verb ? c->verb : "");
    say(c, "cistern: ", TERM_RED, text);
    return cistern_status_exit_code(CISTERN_USAGE);
}

int cli_first(int before, int now)
{
    return before ? before : now;
}

static void on_log(void *user, int level, const char *line)
{
    cli *c = user;
    if (c->quiet || (level >= 2 && c->verbose == 0))
        return;
    say(c, level == 0 ? "cistern: warning: " : NULL, TERM_YELLOW, line);
}

cistern_status cli_context(cli *c, cistern **out, cistern_error *err)
{
    if (!c->context) {
        cistern_options_set_log(c->options, on_log, c);
        cistern_status status = cistern_options_load(c->options, err);
        if (status == CISTERN_OK)
            status = cistern_new(c->options, &c->context, err);
        if (status != CISTERN_OK)
            return status;
    }
    *out = c->context;
    return CISTERN_OK;
}

static void on_progress(void *user, const cistern_progress *at)
{
    cli *c = user;
    term_progress_state state = {at->step ? at->step : "", at->done, at->total, at->resumed};
    term_progress_draw(&c->progress, &state, cli_now_ms());
}

cistern_call cli_call(cli *c, const char *title)
{
    cistern_call call = CISTERN_CALL_INIT;
    call.cancel = c->cancel;
    call.progress = on_progress;
    call.user = c;
    term_progress_init(&c->progress, &c->notes, title, !c->quiet && !c->terminal_is_plain);
    return call;
}

void cli_call_begin(cli *c)
{
    cli_signal_hold(c->cancel);
}

void cli_call_end(cli *c)
{
    cli_signal_release();
    term_progress_clear(&c->progress);
    (void)!term_stream_flush(&c->notes, "standard error", NULL);
}
