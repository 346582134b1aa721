/* A progress line on a terminal: what, a bar, how far, how fast, how long yet.
 *
 *     vgg16  ━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━  62 %  343.1/553.4 MB  131.2 MB/s  1.6 s left
 *
 * Invariants
 *  1. Nothing at all is written where the stream is no terminal, or `enabled` is false.
 *  2. The line is redrawn in place and is never wider than the terminal; term_progress_clear leaves an empty line.
 *  3. Bytes that an earlier attempt had brought have their own part of the bar and do not count into the rate.
 * It has no thread: it draws when it is told.
 */
#ifndef TERM_PROGRESS_H
#define TERM_PROGRESS_H

#include <stdint.h>
#include "term_stream.h"

#define TERM_PROGRESS_LINE_MAX  1024 /* bytes of a drawn line, with colours */
#define TERM_PROGRESS_TITLE_MAX 64   /* bytes of the title, with the zero */

/** How far a step is. */
typedef struct term_progress_state {
    const char *
        step; /* "fetch", "wait", …: shown before the title unless it is "fetch"; another one starts the rate anew */
    uint64_t done;    /* bytes, the resumed ones included */
    uint64_t total;   /* bytes; 0: not known */
    uint64_t resumed; /* bytes of `done` that were here before */
} term_progress_state;

typedef struct term_progress {
    term_stream *stream;
    bool enabled, drawn;
    char title[TERM_PROGRESS_TITLE_MAX]; /* escaped */
    char step[16];
    uint64_t started_ms, sampled_ms; /* of the step; of the last sample of the rate */
    uint64_t sampled_bytes;
    double rate; /* bytes per second, smoothed; 0: not known yet */
} term_progress;

void term_progress_init(term_progress *p, term_stream *stream, const char *title, bool enabled);

/** Draw the state at a time (milliseconds that only grow). */
void term_progress_draw(term_progress *p, const term_progress_state *state, uint64_t now_ms);
/** Take the line away, before a message or at the end. */
void term_progress_clear(term_progress *p);

/** The line for a terminal of `columns`, without moving the cursor; a zero is always put. For term_progress_draw and tests. */
void term_progress_line(const term_progress *p, const term_progress_state *state, uint64_t now_ms,
                        unsigned columns, char out[TERM_PROGRESS_LINE_MAX]);

#endif
