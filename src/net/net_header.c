/* Reading headers from a file's text; see net_header.h. */
#include "net_header.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include "base_mem.h"

typedef struct reading {
    net_headers *out;
    net_url server; /* of the section */
    bool in_section;
    cistern_error *err;
} reading;

void net_headers_clear(net_headers *headers)
{
    for (size_t i = 0; i < headers->count; i++) {
        net_url_clear(&headers->items[i].server);
        free(headers->items[i].line);
    }
    free(headers->items);
    headers->items = NULL;
    headers->count = 0;
}

/* RFC 9110 section 5.6.2. */
static bool is_token(const char *text, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (!isalnum((unsigned char)text[i]) &&
            (text[i] == '\0' || strchr("!#$%&'*+-.^_`|~", text[i]) == NULL))
            return false;
    return n > 0;
}

static bool is_ours(const char *name, size_t n)
{
    static const char *const ours[] = {
        "accept-encoding",   "connection",        "content-length", "host",  "if-match",
        "if-modified-since", "if-none-match",     "if-range",       "range", "te",
        "trailer",           "transfer-encoding", "upgrade"};
    for (size_t i = 0; i < sizeof ours / sizeof ours[0]; i++) {
        size_t k = 0;
        while (k < n && ours[i][k] == tolower((unsigned char)name[k]))
            k++;
        if (k == n && ours[i][k] == '\0')
            return true;
    }
    return false;
}

static cistern_status read_section(reading *r, const char *line, size_t n)
{
    char *text = NULL;
    cistern_status status = base_asprintf(&text, r->err, "%.*s", (int)(n - 2), line + 1);
    if (status != CISTERN_OK)
        return status;
    net_url_clear(&r->server);
    memset(&r->server, 0, sizeof r->server);
    status = net_url_parse(text, &r->server, r->err);
    free(text);
    r->in_section = status == CISTERN_OK;
    if (status == CISTERN_OK &&
        (strcmp(r->server.path, "/") != 0 || r->server.query != NULL || r->server.user))
        return base_fail(
            r->err, CISTERN_USAGE,
            "a section is a server, such as [https://host]: without a path, a query or user info");
    return status;
}

static cistern_status read_header(reading *r, const char *line, size_t n)
{
    const char *colon = memchr(line, ':', n);
    size_t name = colon != NULL ? (size_t)(colon - line) : n;
    if (colon == NULL || !is_token(line, name))
        return base_fail(r->err, CISTERN_USAGE, "'[https://host]' or 'Name: value' is expected");
    if (!r->in_section)
        return base_fail(r->err, CISTERN_USAGE,
                         "%.*s: no section says which server it is for: [https://host]", (int)name, line);
    if (is_ours(line, name))
        return base_fail(r->err, CISTERN_USAGE, "%.*s cannot be given", (int)name, line);
    const char *value = colon + 1;
    while (value < line + n && (*value == ' ' || *value == '\t'))
        value++;
    for (const char *c = value; c < line + n; c++)
        if ((unsigned char)*c < ' ' || *c == 0x7f)
            return base_fail(r->err, CISTERN_USAGE, "%.*s: its value holds a control character", (int)name,
                             line);
    if (value == line + n)
        return base_fail(r->err, CISTERN_USAGE, "%.*s: it has no value", (int)name, line);
    if (r->out->count == NET_HEADERS_MAX)
        return base_fail(r->err, CISTERN_USAGE, "more than %d headers", NET_HEADERS_MAX);
    net_header *item = &r->out->items[r->out->count];
    item->server = r->server;
    item->server.user = item->server.password = item->server.query = NULL;
    cistern_status status = base_strdup(r->server.host, &item->server.host, r->err);
    if (status != CISTERN_OK)
        return status;
    item->server.path = NULL;
    r->out->count++; /* what is there so far is freed by clear */
    return base_asprintf(&item->line, r->err, "%.*s: %.*s", (int)name, line, (int)(line + n - value), value);
}

static cistern_status read_line(reading *r, const char *line, size_t n)
{
    while (n > 0 && strchr(" \t\r", line[n - 1]) != NULL && line[n - 1] != '\0')
        n--;
    while (n > 0 && (*line == ' ' || *line == '\t')) {
        line++;
        n--;
    }
    if (n > NET_HEADER_LINE_MAX)
        return base_fail(r->err, CISTERN_USAGE, "%zu bytes, at most %u allowed", n, NET_HEADER_LINE_MAX);
    if (n == 0 || *line == '#' || *line == ';')
        return CISTERN_OK;
    if (*line == '[' && line[n - 1] == ']')
        return read_section(r, line, n);
    return read_header(r, line, n);
}

cistern_status net_headers_parse(const char *text, size_t n, const char *what, net_headers *out,
                                 cistern_error *err)
{
    reading r = {.out = out, .err = err};
    cistern_status status = base_calloc(NET_HEADERS_MAX, sizeof *out->items, &out->items, err);
    for (size_t number = 1, start = 0; status == CISTERN_OK && start < n; number++) {
        const char *end = memchr(text + start, '\n', n - start);
        size_t length = end != NULL ? (size_t)(end - text) - start : n - start;
        status = read_line(&r, text + start, length);
        if (status != CISTERN_OK)
            status = base_frame(err, status, "%s: line %zu", what, number);
        start += length + 1;
    }
    net_url_clear(&r.server);
    if (status != CISTERN_OK)
        net_headers_clear(out);
    return status;
}
