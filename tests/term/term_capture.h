/* A stream into a temporary file, and what was written to it. */
#ifndef TERM_CAPTURE_H
#define TERM_CAPTURE_H

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>
#include "term_stream.h"

typedef struct capture {
    FILE *file;
    term_stream stream;
    char text[65536];
} capture;

static void capture_begin(capture *c, bool terminal, bool colour, bool utf8)
{
    c->file = tmpfile();
    assert_non_null(c->file);
    term_stream_init(&c->stream, fileno(c->file), colour, utf8);
    c->stream.terminal = terminal;
    c->stream.colour = terminal && colour;
}

static const char *capture_text(capture *c)
{
    assert_int_equal(term_stream_flush(&c->stream, "the capture", NULL), CISTERN_OK);
    ssize_t n = pread(fileno(c->file), c->text, sizeof c->text - 1, 0);
    assert_true(n >= 0);
    c->text[n] = '\0';
    return c->text;
}

static void capture_end(capture *c)
{
    fclose(c->file);
}

#endif
