/* Looking for an element; see priv/cloud_xml.h. */
#include "priv/cloud_xml.h"
#include <string.h>

#define ENTITY_MAX 10 /* bytes of "&#x10FFFF;" */

/* Find `head`name> at or after `from`: where it begins and where what follows it begins. */
static bool find_tag(const char *bytes, size_t n, size_t from, const char *head, const char *name,
                     size_t *out_at, size_t *out_after)
{
    size_t head_length = strlen(head), name_length = strlen(name), length = head_length + name_length + 1;
    for (size_t i = from; length <= n && i <= n - length; i++) {
        const char *at = bytes + i;
        if (memcmp(at, head, head_length) == 0 && memcmp(at + head_length, name, name_length) == 0 &&
            at[length - 1] == '>') {
            *out_at = i;
            *out_after = i + length;
            return true;
        }
    }
    return false;
}

/* The byte that the entity at `text` stands for, and its length; 0: none that can be shown. */
static char entity(const char *text, size_t n, size_t *out_length)
{
    static const struct {
        const char *name;
        char value;
    } named[] = {{"&lt;", '<'}, {"&gt;", '>'}, {"&amp;", '&'}, {"&quot;", '"'}, {"&apos;", '\''}};
    for (size_t i = 0; i < sizeof named / sizeof named[0]; i++) {
        size_t length = strlen(named[i].name);
        if (length <= n && memcmp(text, named[i].name, length) == 0) {
            *out_length = length;
            return named[i].value;
        }
    }
    size_t end = 0;
    while (end < n && end < ENTITY_MAX && text[end] != ';')
        end++;
    if (n < 4 || text[1] != '#' || end == n || end == ENTITY_MAX)
        return '\0';
    bool hex = text[2] == 'x' || text[2] == 'X';
    unsigned value = 0;
    if (end == (hex ? 3u : 2u))
        return '\0';
    for (size_t i = hex ? 3 : 2; i < end; i++) {
        char c = text[i];
        unsigned digit = c >= '0' && c <= '9'          ? (unsigned)(c - '0')
                         : hex && c >= 'a' && c <= 'f' ? (unsigned)(c - 'a') + 10
                         : hex && c >= 'A' && c <= 'F' ? (unsigned)(c - 'A') + 10
                                                       : 99;
        if (digit == 99)
            return '\0';
        value = value * (hex ? 16 : 10) + digit;
    }
    *out_length = end + 1;
    return value >= 0x20 && value < 0x7f ? (char)value : '?';
}

static void copy_text(const char *text, size_t n, char *out, size_t size)
{
    size_t length = 0;
    for (size_t i = 0; i < n && length + 1 < size;) {
        size_t taken = 1;
        char c = text[i];
        char decoded = c == '&' ? entity(text + i, n - i, &taken) : '\0';
        if (decoded != '\0')
            c = decoded;
        out[length++] = (unsigned char)c < 0x20 || c == 0x7f ? ' ' : c;
        i += taken;
    }
    out[length] = '\0';
}

bool cloud_xml_text(const char *bytes, size_t n, const char *name, char *out, size_t size)
{
    size_t start = 0, from = 0, end = 0, after = 0;
    out[0] = '\0';
    if (!find_tag(bytes, n, 0, "<", name, &start, &from) ||
        !find_tag(bytes, n, from, "</", name, &end, &after))
        return false;
    if (memchr(bytes + from, '<', end - from) != NULL)
        return false;
    copy_text(bytes + from, end - from, out, size);
    return true;
}
