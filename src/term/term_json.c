/* JSON output: see term_json.h. */
#include "term_json.h"
#include "base_json.h"
#include "term_text.h"
#include <assert.h>
#include <inttypes.h>
#include <math.h>
#include <string.h>

void term_json_init(term_json *j, term_stream *stream)
{
    j->stream = stream;
    j->depth = 0;
}

static void put_escape(term_stream *s, uint32_t code)
{
    switch (code) {
    case '"':
        term_stream_put(s, "\\\"");
        return;
    case '\\':
        term_stream_put(s, "\\\\");
        return;
    case '\n':
        term_stream_put(s, "\\n");
        return;
    case '\t':
        term_stream_put(s, "\\t");
        return;
    }
    term_stream_printf(s, "\\u%04x", (unsigned)code);
}

static void put_string(term_stream *s, const char *text)
{
    size_t n = strlen(text);
    term_stream_put(s, "\"");
    for (size_t i = 0; i < n;) {
        uint32_t code = 0xfffd;
        size_t length = term_text_decode(text + i, n - i, &code);
        bool escape = code < 0x20 || code == '"' || code == '\\' || (code >= 0x7f && code < 0xa0) ||
                      (code >= 0x2028 && code <= 0x202e) || length == 0;
        if (escape)
            put_escape(s, code);
        else
            term_stream_put_bytes(s, text + i, length);
        i += length ? length : 1;
    }
    term_stream_put(s, "\"");
}

static void begin_value(term_json *j, const char *key)
{
    if (j->depth > 0) {
        if (j->some[j->depth - 1])
            term_stream_put(j->stream, ", ");
        j->some[j->depth - 1] = true;
    }
    if (key) {
        put_string(j->stream, key);
        term_stream_put(j->stream, ": ");
    }
}

static void open_level(term_json *j, const char *key, const char *open, char close)
{
    assert(j->depth < TERM_JSON_DEPTH);
    begin_value(j, key);
    term_stream_put(j->stream, open);
    j->some[j->depth] = false;
    j->close[j->depth++] = close;
}

void term_json_object(term_json *j, const char *key)
{
    open_level(j, key, "{", '}');
}

void term_json_array(term_json *j, const char *key)
{
    open_level(j, key, "[", ']');
}

void term_json_end(term_json *j)
{
    assert(j->depth > 0);
    term_stream_put_bytes(j->stream, &j->close[--j->depth], 1);
    if (j->depth == 0)
        term_stream_put(j->stream, "\n");
}

void term_json_text(term_json *j, const char *key, const char *value)
{
    begin_value(j, key);
    if (value)
        put_string(j->stream, value);
    else
        term_stream_put(j->stream, "null");
}

void term_json_text_or_null(term_json *j, const char *key, const char *value)
{
    term_json_text(j, key, value && value[0] ? value : NULL);
}

void term_json_bool(term_json *j, const char *key, bool value)
{
    begin_value(j, key);
    term_stream_put(j->stream, value ? "true" : "false");
}

void term_json_u64(term_json *j, const char *key, uint64_t value)
{
    begin_value(j, key);
    term_stream_printf(j->stream, "%" PRIu64, value);
}

void term_json_float(term_json *j, const char *key, float value)
{
    char text[32] = "null";
    if (isfinite(value))
        base_float_text(value, text);
    begin_value(j, key);
    term_stream_put(j->stream, text);
}

void term_json_double(term_json *j, const char *key, double value)
{
    char text[32] = "null";
    if (isfinite(value))
        base_double_text(value, text);
    begin_value(j, key);
    term_stream_put(j->stream, text);
}
