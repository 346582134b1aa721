/* Parsing and writing http and https URLs; see net_url.h. Secrets and the normalised form: net_url_normalise.c.
 *
 * Invariants
 *  1. A parsed URL holds no control character and nothing that a URL may not hold; what goes to the wire is made of
 *     parsed parts only.
 *  2. User info never leaves `user` and `password`: no function here writes it.
 */
#include "net_url.h"
#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include "base_mem.h"
#include "priv/net_url_text.h"

#define PORT_HTTP  80u
#define PORT_HTTPS 443u
#define PORT_MAX   65535ul

static cistern_status dup_range(const char *text, size_t n, char **out, cistern_error *err)
{
    char *copy = NULL;
    cistern_status status = base_calloc(n + 1, 1, &copy, err);
    if (status == CISTERN_OK) {
        memcpy(copy, text, n);
        *out = copy;
    }
    return status;
}

cistern_status net_url_decode(const char *text, size_t n, char **out, cistern_error *err)
{
    char *copy = NULL;
    cistern_status status = base_calloc(n + 1, 1, &copy, err);
    size_t length = 0;
    for (size_t i = 0; status == CISTERN_OK && i < n; i++) {
        int value = text[i] == '%' ? net_url_escape(text + i, n - i) : (unsigned char)text[i];
        if (value <= 0)
            status = base_fail(err, CISTERN_USAGE, "'%.3s' is not an escape: write %%25 for a percent sign",
                               text + i);
        else
            copy[length++] = (char)value;
        if (text[i] == '%')
            i += 2;
    }
    if (status != CISTERN_OK) {
        free(copy);
        return status;
    }
    copy[length] = '\0';
    *out = copy;
    return CISTERN_OK;
}

cistern_status net_url_encode_path(const char *bytes, base_buf *out, cistern_error *err)
{
    for (; *bytes != '\0'; bytes++) {
        unsigned char byte = (unsigned char)*bytes;
        bool plain = net_url_unreserved(byte) || strchr("/!$&'()*+,;=:@", byte) != NULL;
        cistern_status status =
            plain ? base_buf_put(out, bytes, 1, err) : base_buf_printf(out, err, "%%%02X", byte);
        if (status != CISTERN_OK)
            return status;
    }
    return CISTERN_OK;
}

/* Path or query as the wire takes it: what a URL cannot hold is encoded, what is encoded must be so properly. */
static cistern_status dup_wire(const char *text, size_t n, char **out, cistern_error *err)
{
    base_buf buf;
    cistern_status status = CISTERN_OK;
    base_buf_init(&buf, 3 * (size_t)NET_URL_MAX);
    for (size_t i = 0; status == CISTERN_OK && i < n; i++) {
        unsigned char byte = (unsigned char)text[i];
        if (byte == '%' && net_url_escape(text + i, n - i) < 0)
            status = base_fail(err, CISTERN_USAGE, "'%.3s' is not an escape: write %%25 for a percent sign",
                               text + i);
        else if (byte > 0x7e || byte == ' ' || strchr("\"<>\\^`{|}", byte) != NULL)
            status = base_buf_printf(&buf, err, "%%%02X", byte);
        else
            status = base_buf_put(&buf, text + i, 1, err);
    }
    if (status == CISTERN_OK)
        *out = base_buf_take(&buf);
    base_buf_clear(&buf);
    return status;
}

static cistern_status parse_user_info(const char *text, size_t n, net_url *url, cistern_error *err)
{
    const char *colon = memchr(text, ':', n);
    size_t user = colon != NULL ? (size_t)(colon - text) : n;
    cistern_status status = net_url_decode(text, user, &url->user, err);
    if (status == CISTERN_OK && colon != NULL)
        status = net_url_decode(colon + 1, n - user - 1, &url->password, err);
    /* The decoder's message would quote a piece of the password. */
    return status == CISTERN_USAGE ? base_fail(err, status, "the user info has a bad percent escape")
                                   : status;
}

static cistern_status parse_port(const char *text, size_t n, net_url *url, cistern_error *err)
{
    unsigned long port = 0;
    url->port = (uint16_t)(url->tls ? PORT_HTTPS : PORT_HTTP);
    if (n == 0)
        return CISTERN_OK;
    for (size_t i = 0; i < n && port <= PORT_MAX; i++) {
        if (!isdigit((unsigned char)text[i]))
            return base_fail(err, CISTERN_USAGE, "the port is no number");
        port = port * 10 + (unsigned long)(text[i] - '0');
    }
    if (port == 0 || port > PORT_MAX)
        return base_fail(err, CISTERN_USAGE, "the port is not between 1 and %lu", PORT_MAX);
    url->port = (uint16_t)port;
    return CISTERN_OK;
}

static bool host_is_good(const char *host, size_t n)
{
    bool bracketed = n > 2 && host[0] == '[' && host[n - 1] == ']';
    for (size_t i = bracketed; i < n - bracketed; i++) {
        unsigned char c = (unsigned char)host[i];
        if (bracketed ? !isxdigit(c) && c != ':' && c != '.' : !isalnum(c) && strchr("-._", c) == NULL)
            return false;
    }
    return n > 0;
}

static cistern_status parse_authority(const char *text, size_t n, net_url *url, cistern_error *err)
{
    size_t host = n; /* where it begins */
    while (host > 0 && text[host - 1] != '@')
        host--;
    if (host > 0) {
        cistern_status status = parse_user_info(text, host - 1, url, err);
        if (status != CISTERN_OK)
            return status;
    }
    const char *end = text + n, *name = text + host;
    const char *close = memchr(name, ']', (size_t)(end - name));
    const char *colon =
        memchr(close != NULL ? close : name, ':', (size_t)(end - (close != NULL ? close : name)));
    size_t length = (size_t)((colon != NULL ? colon : end) - name);
    if (!host_is_good(name, length))
        return base_fail(
            err, CISTERN_USAGE,
            "there is no valid host name (letters, digits, '-', '.'; names of other letters as xn--…)");
    cistern_status status = dup_range(name, length, &url->host, err);
    for (size_t i = 0; status == CISTERN_OK && i < length; i++)
        url->host[i] = (char)tolower((unsigned char)url->host[i]);
    if (status == CISTERN_OK)
        status = parse_port(colon != NULL ? colon + 1 : end, colon != NULL ? (size_t)(end - colon - 1) : 0,
                            url, err);
    return status;
}

/* The rest, after the scheme. */
static cistern_status parse_parts(const char *text, net_url *url, cistern_error *err)
{
    size_t authority = strcspn(text, "/?#");
    cistern_status status = parse_authority(text, authority, url, err);
    if (status != CISTERN_OK)
        return status;
    const char *path = text + authority;
    size_t path_length = strcspn(path, "?#");
    status =
        path_length > 0 ? dup_wire(path, path_length, &url->path, err) : dup_range("/", 1, &url->path, err);
    const char *query = path + path_length;
    if (status == CISTERN_OK && query[0] == '?' && strcspn(query + 1, "#") > 0)
        status = dup_wire(query + 1, strcspn(query + 1, "#"), &url->query, err);
    return status;
}

cistern_status net_url_parse(const char *text, net_url *out, cistern_error *err)
{
    net_url url = {0};
    const char *rest = NULL;
    if (strlen(text) > NET_URL_MAX)
        return base_fail(err, CISTERN_USAGE, "the URL has %zu bytes, at most %u allowed", strlen(text),
                         NET_URL_MAX);
    for (const char *c = text; *c != '\0'; c++)
        if ((unsigned char)*c < 0x20 || *c == 0x7f)
            return base_fail(err, CISTERN_USAGE, "the URL holds a control character (0x%02x)",
                             (unsigned char)*c);
    if (net_url_has_prefix(text, "http://"))
        rest = text + strlen("http://");
    else if (net_url_has_prefix(text, "https://"))
        rest = text + strlen("https://");
    if (rest == NULL)
        return base_fail(err, CISTERN_USAGE, "the URL does not begin with http:// or https://");
    url.tls = rest - text == (long)strlen("https://");
    cistern_status status = parse_parts(rest, &url, err);
    if (status != CISTERN_OK) {
        net_url_clear(&url);
        return status;
    }
    *out = url;
    return CISTERN_OK;
}

void net_url_clear(net_url *url)
{
    free(url->user);
    free(url->password);
    free(url->host);
    free(url->path);
    free(url->query);
    *url = (net_url){0};
}

cistern_status net_url_put_server(const net_url *url, base_buf *out, cistern_error *err)
{
    cistern_status status = base_buf_printf(out, err, "%s://%s", url->tls ? "https" : "http", url->host);
    if (status == CISTERN_OK && url->port != (url->tls ? PORT_HTTPS : PORT_HTTP))
        status = base_buf_printf(out, err, ":%u", (unsigned)url->port);
    return status;
}

cistern_status net_url_request(const net_url *url, char **out, cistern_error *err)
{
    base_buf buf;
    base_buf_init(&buf, NET_URL_TEXT_MAX);
    cistern_status status = net_url_put_server(url, &buf, err);
    if (status == CISTERN_OK)
        status = base_buf_put(&buf, url->path, strlen(url->path), err);
    if (status == CISTERN_OK && url->query != NULL)
        status = base_buf_printf(&buf, err, "?%s", url->query);
    if (status == CISTERN_OK)
        *out = base_buf_take(&buf);
    base_buf_clear(&buf);
    return status;
}

bool net_url_same_server(const net_url *a, const net_url *b)
{
    return a->tls == b->tls && a->port == b->port && strcmp(a->host, b->host) == 0;
}

void net_url_clean_name(const char *text, size_t n, char *out, size_t size)
{
    size_t length = 0;
    out[0] = '\0';
    if (n >= size || (n == 1 && text[0] == '.') || (n == 2 && memcmp(text, "..", 2) == 0))
        return;
    for (; length < n; length++) {
        unsigned char c = (unsigned char)text[length];
        out[length] = c < 0x20 || c > 0x7e || c == '/' || c == '\\' ? '_' : (char)c;
    }
    out[length] = '\0';
}

cistern_status net_url_segment(const net_url *url, char **out, cistern_error *err)
{
    const char *last = strrchr(url->path, '/') + 1;
    return net_url_decode(last, strlen(last), out, err);
}

void net_url_file_name(const net_url *url, char *out, size_t size)
{
    char *name = NULL;
    out[0] = '\0';
    if (net_url_segment(url, &name, NULL) == CISTERN_OK)
        net_url_clean_name(name, strlen(name), out, size);
    free(name);
}
