/* A safetensors header's JSON (RFC 8259), without a tree in memory.
 *
 * Why not the JSON library: a header may have 100 MB, of which a tree makes gigabytes; here it takes a few hundred bytes.
 *
 * Invariants
 *  1. pos only grows; each function looks at no byte beyond len.
 *  2. Strings are valid UTF-8, escapes included; surrogates come in pairs.
 * It does not: know arrays, objects, true, false, null or real numbers; formats_safetensors.c has the grammar.
 */
#include "priv/formats_header.h"

#include <string.h>

#define FAIL(h, at, ...) base_fail_at((h)->err, CISTERN_UNREADABLE, (h)->origin + (at), __VA_ARGS__)

/* Where a string goes. */
typedef struct sink {
    char *out; /* NULL: nowhere */
    size_t len, max;
} sink;

uint64_t formats_header_at(formats_header *h)
{
    while (h->pos < h->len && (h->bytes[h->pos] == ' ' || h->bytes[h->pos] == '\t' ||
                               h->bytes[h->pos] == '\n' || h->bytes[h->pos] == '\r'))
        h->pos++;
    return h->origin + h->pos;
}

bool formats_header_try(formats_header *h, char c)
{
    (void)formats_header_at(h);
    if (h->pos == h->len || h->bytes[h->pos] != (uint8_t)c)
        return false;
    h->pos++;
    return true;
}

cistern_status formats_header_expect(formats_header *h, char c)
{
    if (formats_header_try(h, c))
        return CISTERN_OK;
    if (h->pos == h->len)
        return FAIL(h, h->pos, "the header ends where '%c' should be", c);
    uint8_t found = h->bytes[h->pos];
    if (found < 0x20 || found > 0x7e)
        return FAIL(h, h->pos, "the header has a byte 0x%02x where '%c' should be", found, c);
    return FAIL(h, h->pos, "the header has '%c' where '%c' should be", found, c);
}

cistern_status formats_header_end(formats_header *h)
{
    (void)formats_header_at(h);
    return h->pos == h->len ? CISTERN_OK : FAIL(h, h->pos, "the header goes on after its closing brace");
}

/* ---- strings ---- */

static bool put(sink *s, const uint8_t *bytes, size_t n)
{
    if (!s->out)
        return true;
    if (n > s->max - s->len)
        return false;
    memcpy(s->out + s->len, bytes, n);
    s->len += n;
    return true;
}

static bool put_code(sink *s, uint32_t c)
{
    uint8_t b[4];

    if (c < 0x80)
        return b[0] = (uint8_t)c, put(s, b, 1);
    if (c < 0x800) {
        b[0] = (uint8_t)(0xc0 | c >> 6);
        b[1] = (uint8_t)(0x80 | (c & 0x3f));
        return put(s, b, 2);
    }
    if (c < 0x10000) {
        b[0] = (uint8_t)(0xe0 | c >> 12);
        b[1] = (uint8_t)(0x80 | (c >> 6 & 0x3f));
        b[2] = (uint8_t)(0x80 | (c & 0x3f));
        return put(s, b, 3);
    }
    b[0] = (uint8_t)(0xf0 | c >> 18);
    b[1] = (uint8_t)(0x80 | (c >> 12 & 0x3f));
    b[2] = (uint8_t)(0x80 | (c >> 6 & 0x3f));
    b[3] = (uint8_t)(0x80 | (c & 0x3f));
    return put(s, b, 4);
}

/* Bytes of the UTF-8 sequence at p, 0 if it is none (overlong, surrogate, above U+10FFFF: RFC 3629). */
static size_t sequence(const uint8_t *p, size_t left)
{
    size_t n = p[0] < 0x80 ? 1 : p[0] < 0xc2 ? 0 : p[0] < 0xe0 ? 2 : p[0] < 0xf0 ? 3 : p[0] < 0xf5 ? 4 : 0;

    if (n == 0 || n > left)
        return 0;
    for (size_t i = 1; i < n; i++) {
        if ((p[i] & 0xc0) != 0x80)
            return 0;
    }
    if ((p[0] == 0xe0 && p[1] < 0xa0) || (p[0] == 0xed && p[1] > 0x9f) || (p[0] == 0xf0 && p[1] < 0x90) ||
        (p[0] == 0xf4 && p[1] > 0x8f))
        return 0;
    return n;
}

static bool hex4(formats_header *h, uint32_t *out)
{
    static const char digits[] = "0123456789abcdefABCDEF";
    uint32_t value = 0;

    if (h->len - h->pos < 4)
        return false;
    for (size_t i = 0; i < 4; i++) {
        uint8_t c = h->bytes[h->pos + i];
        const char *found = c ? strchr(digits, c) : NULL;
        if (!found)
            return false;
        uint32_t digit = (uint32_t)(found - digits);
        value = value << 4 | (digit < 16 ? digit : digit - 6);
    }
    h->pos += 4;
    *out = value;
    return true;
}

/* The four digits of \uXXXX, and the second half of a pair where the first is one. */
static bool unicode_escape(formats_header *h, uint32_t *out)
{
    uint32_t high, low;

    if (!hex4(h, &high) || (high >= 0xdc00 && high <= 0xdfff))
        return false;
    *out = high;
    if (high < 0xd800 || high > 0xdbff)
        return true;
    if (h->len - h->pos < 6 || h->bytes[h->pos] != '\\' || h->bytes[h->pos + 1] != 'u')
        return false;
    h->pos += 2;
    if (!hex4(h, &low) || low < 0xdc00 || low > 0xdfff)
        return false;
    *out = 0x10000 + ((high - 0xd800) << 10) + (low - 0xdc00);
    return true;
}

/* What follows a backslash. */
static bool escape(formats_header *h, uint32_t *out)
{
    static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";

    if (h->pos == h->len)
        return false;
    char c = (char)h->bytes[h->pos++];
    if (c == 'u')
        return unicode_escape(h, out);
    const char *found = c ? strchr(from, c) : NULL;
    if (!found)
        return false;
    *out = (uint8_t)to[found - from];
    return true;
}

/* One character of a string; *fits false: the sink is full. */
static cistern_status character(formats_header *h, sink *s, bool *fits)
{
    const uint8_t *p = h->bytes + h->pos;
    size_t at = h->pos;
    uint32_t code;

    if (*p == '\\') {
        h->pos++;
        if (!escape(h, &code))
            return FAIL(h, at, "a string in the header has a bad escape");
        *fits = put_code(s, code);
        return CISTERN_OK;
    }
    size_t n = *p < 0x20 ? 0 : sequence(p, h->len - h->pos);
    if (n == 0)
        return FAIL(h, at, "a string in the header is not UTF-8 text (byte 0x%02x)", *p);
    h->pos += n;
    *fits = put(s, p, n);
    return CISTERN_OK;
}

cistern_status formats_header_string(formats_header *h, char *out, size_t max)
{
    sink s = {.out = out, .max = max};
    bool fits = true;
    cistern_status st = formats_header_expect(h, '"');
    size_t begin = h->pos;

    while (!st && h->pos < h->len && h->bytes[h->pos] != '"') {
        st = character(h, &s, &fits);
        if (!st && !fits)
            return FAIL(h, begin, "a string in the header has more than %zu bytes", max);
    }
    if (st)
        return st;
    if (h->pos == h->len)
        return FAIL(h, begin, "a string in the header does not end");
    h->pos++;
    if (out)
        out[s.len] = 0;
    if (out && memchr(out, 0, s.len))
        return FAIL(h, begin, "a string in the header holds a zero");
    return CISTERN_OK;
}

cistern_status formats_header_natural(formats_header *h, uint64_t *out)
{
    uint64_t value = 0;
    size_t begin = (size_t)(formats_header_at(h) - h->origin), at = begin;

    for (; at < h->len && h->bytes[at] >= '0' && h->bytes[at] <= '9'; at++) {
        uint64_t digit = (uint64_t)(h->bytes[at] - '0');
        if (value > (UINT64_MAX - digit) / 10)
            return FAIL(h, begin, "a number in the header is larger than 64 bits");
        value = value * 10 + digit;
    }
    bool plain = at > begin && (at == begin + 1 || h->bytes[begin] != '0');
    bool ended = at < h->len && strchr(",]} \t\n\r", h->bytes[at]) && h->bytes[at];
    if (!plain || !ended)
        return FAIL(h, begin,
                    "not a natural number in plain digits, which shapes and data_offsets are made of");
    h->pos = at;
    *out = value;
    return CISTERN_OK;
}
