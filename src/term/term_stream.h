/* Output to one descriptor: buffered, with an error that sticks, coloured where that is wanted.
 *
 * Invariants
 *  1. After a failed write nothing more is written, and the first errno is kept until it is asked for.
 *  2. Colour is written only if the caller allows it and the descriptor is a terminal.
 *  3. term_stream_put writes text as it is: it is for our own words and for data; whatever comes from a document, a
 *     server or a file name goes through term_stream_put_text, or through a table.
 * It does not close the descriptor, and looks at no locale.
 */
#ifndef TERM_STREAM_H
#define TERM_STREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <cistern/error.h>

#define TERM_STREAM_BUFFER   8192 /* bytes: one write for what a verb usually prints */
#define TERM_COLUMNS_DEFAULT 80   /* where the width is not known */

typedef enum term_style {
    TERM_PLAIN = 0,
    TERM_BOLD,
    TERM_DIM,
    TERM_RED,
    TERM_GREEN,
    TERM_YELLOW,
    TERM_CYAN,
} term_style;

typedef struct term_stream {
    int fd;
    bool terminal; /* whether fd is one */
    bool colour;
    bool utf8;     /* whether signs beyond ASCII of our own may be drawn */
    int os_errno;  /* of the first write that failed, else 0 */
    size_t length; /* bytes of buffer in use */
    char buffer[TERM_STREAM_BUFFER];
} term_stream;

/**
 * @param colour_allowed  false: no colour even on a terminal (NO_COLOR, --no-color).
 * @param utf8            whether the terminal shows UTF-8.
 */
void term_stream_init(term_stream *s, int fd, bool colour_allowed, bool utf8);

void term_stream_put(term_stream *s, const char *text);
void term_stream_put_bytes(term_stream *s, const char *bytes, size_t n);
void term_stream_put_text(term_stream *s, const char *text); /* escaped */
/** Text of our own; arguments are not escaped; at most 4 KiB, the rest is cut. */
void term_stream_printf(term_stream *s, const char *fmt, ...) CISTERN_PRINTF(2, 3);

/** Begin a style, or end it with TERM_PLAIN; nothing where there is no colour. */
void term_stream_style(term_stream *s, term_style style);
/** Escaped text in a style. */
void term_stream_put_styled(term_stream *s, term_style style, const char *text);

/** Write out what is buffered. @param what names the stream in the message. @retval NO_SPACE, DENIED, UNEXPECTED … by errno */
cistern_status term_stream_flush(term_stream *s, const char *what, cistern_error *err) CISTERN_MUST_CHECK;

/** Columns of the terminal now; TERM_COLUMNS_DEFAULT where unknown. Asked anew at each call, so that no SIGWINCH is needed. */
unsigned term_stream_columns(const term_stream *s);

#endif
