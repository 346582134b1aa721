/* The progress line: see term_progress.h. */
#include "term_progress.h"
#include "term_text.h"
#include "term_units.h"
#include <math.h>
#include <stdio.h>
#include <string.h>

#define RATE_SPAN_S   3.0 /* seconds over which the rate forgets */
#define SAMPLE_MS     200 /* milliseconds between two samples of the rate */
#define TITLE_COLUMNS 28  /* of the title, at most */
#define BAR_LEAST     8   /* columns below which there is no bar */
#define BAR_MOST      40

void term_progress_init(term_progress *p, term_stream *stream, const char *title, bool enabled)
{
    memset(p, 0, sizeof *p);
    p->stream = stream;
    p->enabled = enabled && stream->terminal;
    term_text_escape(title, strlen(title), p->title, sizeof p->title);
    p->title[term_text_fit(p->title, TITLE_COLUMNS)] = '\0';
}

/* An exponentially weighted mean of the rate, whose weight follows from the time that passed. */
static void sample(term_progress *p, const term_progress_state *state, uint64_t now_ms)
{
    if (strcmp(p->step, state->step) != 0) {
        snprintf(p->step, sizeof p->step, "%s", state->step);
        p->started_ms = p->sampled_ms = now_ms;
        p->sampled_bytes = state->done;
        p->rate = 0;
        return;
    }
    uint64_t passed_ms = now_ms - p->sampled_ms;
    if (passed_ms < SAMPLE_MS)
        return;
    uint64_t bytes = state->done > p->sampled_bytes ? state->done - p->sampled_bytes : 0;
    double seconds = (double)passed_ms / 1000, now = (double)bytes / seconds;
    double weight = 1 - exp(-seconds / RATE_SPAN_S);
    p->rate = p->rate > 0 ? p->rate + weight * (now - p->rate) : now;
    p->sampled_ms = now_ms;
    p->sampled_bytes = state->done;
}

/* The numbers after the bar; each level of detail is for a narrower terminal. */
static void numbers(const term_progress *p, const term_progress_state *state, uint64_t now_ms,
                    unsigned detail, char *out, size_t size)
{
    char sizes[2 * TERM_UNITS_MAX] = "", rate[TERM_UNITS_MAX + 2] = "", left[TERM_UNITS_MAX + 8] = "",
                   part[8] = "";
    char text[TERM_UNITS_MAX];
    if (state->total)
        term_units_bytes_of(state->done, state->total, sizes);
    else
        term_units_bytes(state->done, sizes);
    if (state->total)
        snprintf(part, sizeof part, "%3u %%", (unsigned)(100 * ((double)state->done / (double)state->total)));
    if (detail >= 1 && p->rate > 0) {
        term_units_rate(p->rate, text);
        snprintf(rate, sizeof rate, "  %s", text);
    }
    if (detail >= 2 && p->rate > 0 && state->total >= state->done && state->total) {
        term_units_duration((uint64_t)(1000 * ((double)(state->total - state->done) / p->rate)), text);
        snprintf(left, sizeof left, "  %s left", text);
    } else if (detail >= 2 && !state->total) {
        term_units_duration(now_ms - p->started_ms, text);
        snprintf(left, sizeof left, "  %s", text);
    }
    snprintf(out, size, "%s%s%s%s%s", part, part[0] ? "  " : "", sizes, rate, left);
    if (detail >= 3 && state->resumed) {
        size_t used = strlen(out);
        term_units_bytes(state->resumed, text);
        snprintf(out + used, size - used, "  (%s resumed)", text);
    }
}

static size_t append(char *out, size_t used, const char *text)
{
    size_t n = strlen(text);
    if (used + n >= TERM_PROGRESS_LINE_MAX)
        return used;
    memcpy(out + used, text, n + 1);
    return used + n;
}

static size_t append_times(char *out, size_t used, const char *sign, unsigned times)
{
    for (; times > 0; times--)
        used = append(out, used, sign);
    return used;
}

/* Three parts: brought by an earlier attempt, brought by this one, not here yet. */
static size_t append_bar(const term_progress *p, const term_progress_state *state, unsigned width, char *out,
                         size_t used)
{
    static const char *const signs[3][3] = {{"=", "#", "."}, {"▒", "█", "░"}, {"━", "━", "━"}};
    static const char *const colours[3] = {"\033[36m", "\033[32m", "\033[2m"};
    bool colour = p->stream->colour;
    const char *const *sign = signs[!p->stream->utf8 ? 0 : colour ? 2 : 1];
    double scale = (double)width / (double)state->total;
    unsigned filled = state->done >= state->total ? width : (unsigned)((double)state->done * scale);
    unsigned resumed = (unsigned)((double)state->resumed * scale);
    if (resumed > filled)
        resumed = filled;
    unsigned parts[3] = {resumed, filled - resumed, width - filled};
    for (int i = 0; i < 3; i++) {
        if (parts[i] == 0)
            continue;
        used = append(out, used, colour ? colours[i] : "");
        used = append_times(out, used, sign[i], parts[i]);
        used = append(out, used, colour ? "\033[0m" : "");
    }
    return append(out, used, "  ");
}

void term_progress_line(const term_progress *p, const term_progress_state *state, uint64_t now_ms,
                        unsigned columns, char out[TERM_PROGRESS_LINE_MAX])
{
    char head[TERM_PROGRESS_TITLE_MAX + 24], tail[256];
    bool fetching = strcmp(state->step, "fetch") == 0;
    snprintf(head, sizeof head, "%s%s%s  ", fetching ? "" : state->step, fetching ? "" : " ", p->title);
    unsigned limit = columns > 1 ? columns - 1 : 1; /* the last column would wrap on some terminals */
    unsigned detail = 4, used = 0;
    do {
        numbers(p, state, now_ms, --detail, tail, sizeof tail);
        used = (unsigned)(term_text_columns(head) + term_text_columns(tail));
    } while (detail > 0 && used + (state->total ? BAR_LEAST + 2 : 0) > limit);
    out[0] = '\0';
    size_t at = append(out, 0, head);
    if (state->total && limit >= used + BAR_LEAST + 2) {
        unsigned room = limit - used - 2;
        at = append_bar(p, state, room < BAR_MOST ? room : BAR_MOST, out, at);
    }
    append(out, at, tail);
    if (used > limit)
        out[term_text_fit(out, limit)] = '\0';
}

void term_progress_draw(term_progress *p, const term_progress_state *state, uint64_t now_ms)
{
    if (!p->enabled)
        return;
    char line[TERM_PROGRESS_LINE_MAX];
    sample(p, state, now_ms);
    term_progress_line(p, state, now_ms, term_stream_columns(p->stream), line);
    term_stream_put(p->stream, "\r");
    term_stream_put(p->stream, line);
    term_stream_put(p->stream, "\033[K");
    /* A terminal that went away is found out when the end is told. */
    (void)!term_stream_flush(p->stream, "the terminal", NULL);
    p->drawn = true;
}

void term_progress_clear(term_progress *p)
{
    if (!p->drawn)
        return;
    term_stream_put(p->stream, "\r\033[K");
    p->drawn = false;
}
