/* One clean line out of any bytes: for messages, log lines and names of people.
 *
 * Invariants
 *  1. What is written is well-formed UTF-8 without control characters, whatever went in.
 *  2. A cut never splits a character or an escape.
 * It does not escape the backslash: text is for people and is not read back.
 */
#include "priv/base_text.h"
#include <stdbool.h>
#include <stdint.h>

static bool is_continuation(unsigned char byte)
{
    return (byte & 0xc0) == 0x80;
}

size_t base_text_char(const char *text, size_t n)
{
    const unsigned char *b = (const unsigned char *)text;
    size_t want = 0;
    if (n == 0)
        return 0;
    if (b[0] < 0x80)
        return 1;
    if (b[0] >= 0xc2 && b[0] <= 0xdf)
        want = 2;
    else if ((b[0] & 0xf0) == 0xe0)
        want = 3;
    else if (b[0] >= 0xf0 && b[0] <= 0xf4)
        want = 4;
    if (want == 0 || n < want)
        return 0;
    for (size_t i = 1; i < want; i++)
        if (!is_continuation(b[i]))
            return 0;
    /* Overlong forms, surrogates and what lies beyond U+10FFFF: RFC 3629, section 4. */
    if ((b[0] == 0xe0 && b[1] < 0xa0) || (b[0] == 0xed && b[1] > 0x9f) || (b[0] == 0xf0 && b[1] < 0x90) ||
        (b[0] == 0xf4 && b[1] > 0x8f))
        return 0;
    return want;
}

/* C0, DEL, C1 (U+0080 to U+009F, which terminals obey) and the separators U+2028 and U+2029. */
static bool is_control(const unsigned char *b, size_t length)
{
    if (length == 1)
        return b[0] < 0x20 || b[0] == 0x7f;
    if (length == 2)
        return b[0] == 0xc2 && b[1] < 0xa0;
    return length == 3 && b[0] == 0xe2 && b[1] == 0x80 && (b[2] == 0xa8 || b[2] == 0xa9);
}

size_t base_text_line(char *out, size_t size, const char *text, size_t n)
{
    static const char digits[] = "0123456789abcdef";
    size_t used = 0;
    for (size_t i = 0; i < n;) {
        const unsigned char *b = (const unsigned char *)text + i;
        size_t length = base_text_char(text + i, n - i);
        bool escape = length == 0 || is_control(b, length);
        if (length == 0)
            length = 1;
        if (used + (escape ? 4 * length : length) >= size)
            break;
        for (size_t k = 0; k < length; k++) {
            if (escape) {
                out[used++] = '\\';
                out[used++] = 'x';
                out[used++] = digits[b[k] >> 4];
                out[used++] = digits[b[k] & 15];
            } else {
                out[used++] = (char)b[k];
            }
        }
        i += length;
    }
    out[used] = '\0';
    return used;
}
