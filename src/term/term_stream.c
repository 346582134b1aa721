/* Buffered output: see term_stream.h. */
#include "term_stream.h"
#include "base_error.h"
#include "term_text.h"
#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define PRINTF_MAX  4096 /* bytes of one formatted text */
#define ESCAPED_MAX 512  /* bytes escaped at a time */

void term_stream_init(term_stream *s, int fd, bool colour_allowed, bool utf8)
{
    s->fd = fd;
    s->terminal = isatty(fd) == 1;
    s->colour = s->terminal && colour_allowed;
    s->utf8 = utf8;
    s->os_errno = 0;
    s->length = 0;
}

/* A descriptor shared with another program may be non-blocking: then wait for room. */
static bool wait_for_room(int fd)
{
    struct pollfd p = {.fd = fd, .events = POLLOUT, .revents = 0};
    return poll(&p, 1, -1) >= 0 || errno == EINTR;
}

static void write_out(term_stream *s)
{
    size_t done = 0;
    while (done < s->length && s->os_errno == 0) {
        ssize_t n = write(s->fd, s->buffer + done, s->length - done);
        if (n >= 0)
            done += (size_t)n;
        else if (errno == EAGAIN && wait_for_room(s->fd))
            continue;
        else if (errno != EINTR)
            s->os_errno = errno;
    }
    s->length = 0;
}

void term_stream_put_bytes(term_stream *s, const char *bytes, size_t n)
{
    while (n > 0 && s->os_errno == 0) {
        size_t room = sizeof s->buffer - s->length;
        size_t take = n < room ? n : room;
        memcpy(s->buffer + s->length, bytes, take);
        s->length += take;
        bytes += take;
        n -= take;
        if (s->length == sizeof s->buffer)
            write_out(s);
    }
}

void term_stream_put(term_stream *s, const char *text)
{
    term_stream_put_bytes(s, text, strlen(text));
}

void term_stream_put_text(term_stream *s, const char *text)
{
    char escaped[ESCAPED_MAX];
    size_t left = strlen(text);
    while (left > 0) {
        /* Each byte becomes at most four; do not split a character. */
        size_t take = left < ESCAPED_MAX / 4 - 1 ? left : ESCAPED_MAX / 4 - 4;
        while (take < left && take > 1 && ((unsigned char)text[take] & 0xc0) == 0x80)
            take--;
        term_text_escape(text, take, escaped, sizeof escaped);
        term_stream_put(s, escaped);
        text += take;
        left -= take;
    }
}

void term_stream_printf(term_stream *s, const char *fmt, ...)
{
    char text[PRINTF_MAX];
    va_list args;
    va_start(args, fmt);
    int n = vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    if (n > 0)
        term_stream_put(s, text);
}

static const char *sequence_of(term_style style)
{
    switch (style) {
    case TERM_PLAIN:
        return "\033[0m";
    case TERM_BOLD:
        return "\033[1m";
    case TERM_DIM:
        return "\033[2m";
    case TERM_RED:
        return "\033[31m";
    case TERM_GREEN:
        return "\033[32m";
    case TERM_YELLOW:
        return "\033[33m";
    case TERM_CYAN:
        return "\033[36m";
    }
    return "";
}

void term_stream_style(term_stream *s, term_style style)
{
    if (s->colour)
        term_stream_put(s, sequence_of(style));
}

void term_stream_put_styled(term_stream *s, term_style style, const char *text)
{
    if (style != TERM_PLAIN)
        term_stream_style(s, style);
    term_stream_put_text(s, text);
    if (style != TERM_PLAIN)
        term_stream_style(s, TERM_PLAIN);
}

cistern_status term_stream_flush(term_stream *s, const char *what, cistern_error *err)
{
    write_out(s);
    return s->os_errno ? base_fail_errno(err, s->os_errno, "cannot write to %s", what) : CISTERN_OK;
}

unsigned term_stream_columns(const term_stream *s)
{
    struct winsize size;
    if (!s->terminal || ioctl(s->fd, TIOCGWINSZ, &size) != 0 || size.ws_col == 0)
        return TERM_COLUMNS_DEFAULT;
    return size.ws_col;
}
