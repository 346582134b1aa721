/* Reading the head of an HTTP answer; see priv/net_head.h. Source: RFC 9110 sections 8.3 to 8.8, 14.3 and 14.4;
 * RFC 6266 for the file name.
 *
 * Invariants
 *  1. A number that overflows or has anything behind it is no number: the field counts as absent, a Content-Range as bad.
 *  2. Texts kept are printable ASCII. An ETag is kept only if it can be sent back inside If-Match and names one state:
 *     quoted, or one bare word; never "*".
 */
#include "priv/net_head.h"
#include <ctype.h>
#include <string.h>
#include "priv/net_url_text.h"

/* A piece of a line, not terminated. */
typedef struct span {
    const char *text;
    size_t n;
} span;

static span trimmed(const char *text, size_t n)
{
    while (n > 0 && (text[0] == ' ' || text[0] == '\t'))
        text++, n--;
    while (n > 0 && strchr(" \t\r\n", text[n - 1]) != NULL && text[n - 1] != '\0')
        n--;
    return (span){text, n};
}

static bool span_is(span s, const char *text)
{
    return s.n == strlen(text) && net_url_has_prefix(s.text, text);
}

/* Take decimal digits off the front; false if there are none or they overflow. */
static bool take_number(span *s, uint64_t *out)
{
    uint64_t value = 0;
    size_t i = 0;
    for (; i < s->n && isdigit((unsigned char)s->text[i]); i++) {
        unsigned digit = (unsigned)(s->text[i] - '0');
        if (value > (UINT64_MAX - digit) / 10)
            return false;
        value = value * 10 + digit;
    }
    if (i == 0)
        return false;
    s->text += i;
    s->n -= i;
    *out = value;
    return true;
}

static bool take_char(span *s, char c)
{
    if (s->n == 0 || s->text[0] != c)
        return false;
    s->text++;
    s->n--;
    return true;
}

static void keep_printable(span s, char *out, size_t size)
{
    out[0] = '\0';
    if (s.n >= size)
        return;
    for (size_t i = 0; i < s.n; i++)
        if (s.text[i] < 0x20 || s.text[i] > 0x7e)
            return;
    memcpy(out, s.text, s.n);
    out[s.n] = '\0';
}

static bool etag_is_good(span s)
{
    if (s.n >= 2 && s.text[0] == 'W' && s.text[1] == '/')
        s = (span){s.text + 2, s.n - 2};
    bool quoted = s.n >= 2 && s.text[0] == '"' && s.text[s.n - 1] == '"';
    if (quoted)
        s = (span){s.text + 1, s.n - 2};
    for (size_t i = 0; i < s.n; i++) {
        unsigned char c = (unsigned char)s.text[i];
        if (quoted ? c == '"' || c <= 0x20 || c > 0x7e
                   : c > 0x7e || (!isalnum(c) && strchr("._-+/=:", c) == NULL))
            return false;
    }
    return quoted || (s.n > 0 && memchr(s.text, '\0', s.n) == NULL);
}

static void read_content_range(net_head *head, span s)
{
    uint64_t first = 0, last = 0, total = 0;
    head->range_kind = NET_RANGE_BAD;
    head->range_total_known = false;
    if (s.n < 6 || !net_url_has_prefix(s.text, "bytes "))
        return;
    s = trimmed(s.text + 6, s.n - 6);
    bool unsatisfied = take_char(&s, '*');
    if (!unsatisfied &&
        (!take_number(&s, &first) || !take_char(&s, '-') || !take_number(&s, &last) || last < first))
        return;
    if (!take_char(&s, '/'))
        return;
    bool total_known = !take_char(&s, '*');
    if (total_known && !take_number(&s, &total))
        return;
    if (s.n != 0 || (total_known && !unsatisfied && last >= total))
        return;
    head->range_kind = unsatisfied ? NET_RANGE_UNSATISFIED : NET_RANGE_BYTES;
    head->range_first = first;
    head->range_last = last;
    head->range_total_known = total_known;
    head->range_total = total;
}

static void read_disposition(net_head *head, span s)
{
    static const char key[] = "filename=";
    for (size_t i = 0; i + strlen(key) < s.n; i++) {
        if (!net_url_has_prefix(s.text + i, key) || (i > 0 && strchr("; \t", s.text[i - 1]) == NULL))
            continue;
        const char *name = s.text + i + strlen(key);
        size_t left = s.n - i - strlen(key);
        bool quoted = left > 0 && name[0] == '"';
        name += quoted;
        left -= quoted;
        size_t n = 0;
        while (n < left && (quoted ? name[n] != '"' : name[n] != ';' && name[n] != ' '))
            n++;
        net_url_clean_name(name, n, head->disposition, sizeof head->disposition);
        return;
    }
}

static void read_watched(net_head *head, span name, span value)
{
    for (size_t i = 0; head->watch != NULL && i < NET_WATCH_MAX && head->watch[i] != NULL; i++)
        if (span_is(name, head->watch[i]))
            keep_printable(value, head->watched[i], sizeof head->watched[i]);
}

static void read_field(net_head *head, span name, span value)
{
    span rest = value;
    read_watched(head, name, value);
    if (span_is(name, "etag")) {
        head->etag[0] = '\0';
        if (etag_is_good(value))
            keep_printable(value, head->etag, sizeof head->etag);
    } else if (span_is(name, "last-modified")) {
        keep_printable(value, head->last_modified, sizeof head->last_modified);
    } else if (span_is(name, "content-type")) {
        keep_printable(value, head->content_type, sizeof head->content_type);
    } else if (span_is(name, "content-length")) {
        head->length_known = take_number(&rest, &head->length) && rest.n == 0;
    } else if (span_is(name, "transfer-encoding")) {
        head->chunked = span_is(value, "chunked");
    } else if (span_is(name, "content-range")) {
        read_content_range(head, value);
    } else if (span_is(name, "content-encoding")) {
        head->encoded = value.n > 0 && !span_is(value, "identity");
        keep_printable(value, head->encoding, sizeof head->encoding);
    } else if (span_is(name, "accept-ranges")) {
        head->accepts_ranges = span_is(value, "bytes");
    } else if (span_is(name, "content-disposition")) {
        read_disposition(head, value);
    }
}

static void read_status_line(net_head *head, span s)
{
    uint64_t code = 0;
    const char *const *watch = head->watch;
    memset(head, 0, sizeof *head);
    head->watch = watch;
    const char *space = memchr(s.text, ' ', s.n);
    if (space == NULL)
        return;
    span rest = trimmed(space, (size_t)(s.text + s.n - space));
    if (take_number(&rest, &code) && code >= 100 && code <= 999)
        head->code = (int)code;
}

void net_head_line(net_head *head, const char *line, size_t n)
{
    span all = trimmed(line, n);
    if (all.n >= 5 && memcmp(all.text, "HTTP/", 5) == 0) {
        read_status_line(head, all);
        return;
    }
    const char *colon = memchr(all.text, ':', all.n);
    if (colon == NULL)
        return;
    size_t name = (size_t)(colon - all.text);
    read_field(head, trimmed(all.text, name), trimmed(colon + 1, all.n - name - 1));
}
