/* Escaping and measuring text: see term_text.h. */
#include "term_text.h"
#include "priv/term_widths.h"
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

size_t term_text_decode(const char *text, size_t n, uint32_t *out)
{
    static const uint32_t least[5] = {0, 0, 0x80, 0x800, 0x10000}; /* the smallest character of each length */
    unsigned char lead = (unsigned char)text[0];
    if (lead < 0x80) {
        *out = lead;
        return 1;
    }
    size_t length = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
    if (lead < 0xc2 || lead > 0xf4 || length > n)
        return 0;
    uint32_t code = lead & (0x7fu >> length);
    for (size_t i = 1; i < length; i++) {
        unsigned char next = (unsigned char)text[i];
        if ((next & 0xc0) != 0x80)
            return 0;
        code = code << 6 | (next & 0x3fu);
    }
    if (code < least[length] || code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff))
        return 0;
    *out = code;
    return length;
}

/* Control characters, and those that reorder or separate what stands beside them. */
static bool is_unsafe(uint32_t code)
{
    return code < 0x20 || (code >= 0x7f && code < 0xa0) || code == 0x061c || code == 0x200e ||
           code == 0x200f || (code >= 0x2028 && code <= 0x202e) || (code >= 0x2066 && code <= 0x2069) ||
           code == 0xfeff;
}

size_t term_text_escape(const char *text, size_t n, char *out, size_t size)
{
    size_t needed = 0, used = 0;
    bool cut = size == 0;
    for (size_t i = 0; i < n;) {
        char piece[20];
        uint32_t code = 0;
        size_t length = term_text_decode(text + i, n - i, &code);
        size_t bytes = length ? length : 1, piece_length = 0;
        if (length && !is_unsafe(code)) {
            memcpy(piece, text + i, length);
            piece_length = length;
        } else {
            for (size_t b = 0; b < bytes; b++, piece_length += 4)
                snprintf(piece + piece_length, 5, "\\x%02x", (unsigned)(unsigned char)text[i + b]);
        }
        cut = cut || used + piece_length >= size;
        if (!cut) {
            memcpy(out + used, piece, piece_length);
            used += piece_length;
        }
        needed += piece_length;
        i += bytes;
    }
    if (size)
        out[used] = '\0';
    return needed;
}

static bool is_in(uint32_t code, const struct term_range *ranges, size_t count)
{
    size_t low = 0, high = count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (code > ranges[middle].last)
            low = middle + 1;
        else if (code < ranges[middle].first)
            high = middle;
        else
            return true;
    }
    return false;
}

static size_t columns_of(uint32_t code)
{
    if (code < 0x80)
        return 1;
    if (is_in(code, term_widths_none, term_widths_none_count))
        return 0;
    return is_in(code, term_widths_two, term_widths_two_count) ? 2 : 1;
}

size_t term_text_fit(const char *text, size_t columns)
{
    size_t n = strlen(text), at = 0, used = 0;
    while (at < n) {
        uint32_t code = '?';
        size_t length = term_text_decode(text + at, n - at, &code);
        used += columns_of(code);
        if (used > columns)
            break;
        at += length ? length : 1;
    }
    return at;
}

size_t term_text_columns(const char *text)
{
    size_t n = strlen(text), used = 0;
    for (size_t at = 0; at < n;) {
        uint32_t code = '?';
        size_t length = term_text_decode(text + at, n - at, &code);
        used += columns_of(code);
        at += length ? length : 1;
    }
    return used;
}
