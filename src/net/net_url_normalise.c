/* The form of a URL that is stored, compared and shown; see net_url.h.
 *
 * Invariants
 *  1. Two URLs with the same normalised form name the same object (for a server that treats signatures as such).
 *  2. Nothing in it lets its reader fetch what is not public: signatures and tokens are gone. A parameter that may be
 *     a secret or a name ("key") is replaced by a digest of its value, so that neither is lost.
 */
#include "net_url.h"
#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include "base_mem.h"
#include "base_sha256.h"
#include "priv/net_url_text.h"

#define PARAMETER_NAME_MAX 64 /* bytes with the zero; longer names are compared by their beginning */
#define KEY_DIGEST_HEX     16 /* digits that stand for the value of a "key" */

bool net_url_has_prefix(const char *text, const char *prefix)
{
    for (; *prefix != '\0'; text++, prefix++)
        if (tolower((unsigned char)*text) != tolower((unsigned char)*prefix))
            return false;
    return true;
}

bool net_url_unreserved(unsigned char c)
{
    return c < 0x80 && (isalnum(c) || c == '-' || c == '.' || c == '_' || c == '~');
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

int net_url_escape(const char *text, size_t n)
{
    if (n < 3 || text[0] != '%' || hex_digit(text[1]) < 0 || hex_digit(text[2]) < 0)
        return -1;
    return hex_digit(text[1]) * 16 + hex_digit(text[2]);
}

/* In place: never longer. */
static void normalise_escapes(char *text)
{
    char *to = text;
    for (const char *from = text; *from != '\0';) {
        int byte = net_url_escape(from, strlen(from) < 3 ? strlen(from) : 3);
        if (byte >= 0 && net_url_unreserved((unsigned char)byte)) {
            *to++ = (char)byte;
            from += 3;
        } else if (byte >= 0) {
            *to++ = '%';
            *to++ = (char)toupper((unsigned char)from[1]);
            *to++ = (char)toupper((unsigned char)from[2]);
            from += 3;
        } else {
            *to++ = *from++;
        }
    }
    *to = '\0';
}

/* RFC 3986 section 5.2.4 for a path that begins with '/'; in place. */
static void remove_dot_segments(char *path)
{
    char *to = path;
    const char *from = path;
    while (*from == '/') {
        size_t n = strcspn(from + 1, "/");
        bool last = from[1 + n] == '\0';
        bool here = n == 1 && from[1] == '.';
        bool up = n == 2 && from[1] == '.' && from[2] == '.';
        if (up)
            while (to > path && *--to != '/')
                continue;
        if (!here && !up) {
            memmove(to, from, n + 1);
            to += n + 1;
        } else if (last) {
            *to++ = '/';
        }
        from += n + 1;
    }
    *to = '\0';
}

static bool is_one_of(const char *name, const char *const *names)
{
    for (; *names != NULL; names++)
        if (strcmp(name, *names) == 0)
            return true;
    return false;
}

/* Lower-case, percent-decoded name of the parameter at `text`. */
static void parameter_name(const char *text, size_t n, char out[PARAMETER_NAME_MAX])
{
    size_t length = 0;
    for (size_t i = 0; i < n && text[i] != '=' && length + 1 < PARAMETER_NAME_MAX; i++) {
        int byte = net_url_escape(text + i, n - i);
        out[length++] = (char)tolower(byte > 0 ? byte : (unsigned char)text[i]);
        i += byte > 0 ? 2 : 0;
    }
    out[length] = '\0';
}

static bool query_has(const char *query, const char *wanted)
{
    char name[PARAMETER_NAME_MAX];
    for (const char *p = query;; p++) {
        size_t n = strcspn(p, "&");
        parameter_name(p, n, name);
        if (strcmp(name, wanted) == 0)
            return true;
        p += n;
        if (*p == '\0')
            return false;
    }
}

/* Signature version 4 of AWS and Google; version 2 of AWS and Google; CloudFront; Azure's shared access signature;
 * and what secrets are usually called. The short names of Azure's and of version 2 count only beside a signature. */
static bool is_secret(const char *name, const char *query)
{
    static const char *const prefixes[] = {"x-amz-", "x-goog-", NULL};
    static const char *const parts[] = {"token",      "secret",    "signature",  "password",
                                        "passwd",     "api_key",   "api-key",    "apikey",
                                        "access_key", "accesskey", "credential", NULL};
    static const char *const names[] = {
        "sig", "key-pair-id", "googleaccessid", "hmac", "auth", "authorization", "jwt", "pwd", "pass", NULL};
    static const char *const azure[] = {"sv",  "ss",  "srt", "sr",  "sp",  "se",    "st",    "spr",
                                        "sip", "ske", "skt", "sks", "skv", "skoid", "sktid", NULL};
    static const char *const version_2[] = {"expires", "policy", NULL};
    for (const char *const *p = prefixes; *p != NULL; p++)
        if (net_url_has_prefix(name, *p))
            return true;
    for (const char *const *p = parts; *p != NULL; p++)
        if (strstr(name, *p) != NULL)
            return true;
    return is_one_of(name, names) || (is_one_of(name, azure) && query_has(query, "sig")) ||
           (is_one_of(name, version_2) && query_has(query, "signature"));
}

static cistern_status put_parameter(const char *text, size_t n, base_buf *out, cistern_error *err)
{
    char name[PARAMETER_NAME_MAX], hex[BASE_SHA256_HEX];
    base_digest digest;
    parameter_name(text, n, name);
    if (strcmp(name, "key") != 0)
        return base_buf_put(out, text, n, err);
    cistern_status status = base_sha256_of(text, n, &digest, err);
    if (status != CISTERN_OK)
        return status;
    base_digest_hex(&digest, hex);
    return base_buf_printf(out, err, "key=sha256-%.*s", KEY_DIGEST_HEX, hex);
}

static cistern_status put_query(const char *query, base_buf *out, cistern_error *err)
{
    char name[PARAMETER_NAME_MAX];
    char before = '?';
    for (const char *p = query;; p++) {
        size_t n = strcspn(p, "&");
        parameter_name(p, n, name);
        if (n > 0 && !is_secret(name, query)) {
            cistern_status status = base_buf_put(out, &before, 1, err);
            if (status == CISTERN_OK)
                status = put_parameter(p, n, out, err);
            if (status != CISTERN_OK)
                return status;
            before = '&';
        }
        p += n;
        if (*p == '\0')
            return CISTERN_OK;
    }
}

cistern_status net_url_normalise(const net_url *url, char **out, cistern_error *err)
{
    char *path = NULL;
    base_buf buf;
    base_buf_init(&buf, NET_URL_TEXT_MAX);
    cistern_status status = base_strdup(url->path, &path, err);
    if (status != CISTERN_OK)
        goto out;
    normalise_escapes(path);
    remove_dot_segments(path);
    status = net_url_put_server(url, &buf, err);
    if (status == CISTERN_OK)
        status = base_buf_put(&buf, path, strlen(path), err);
    if (status == CISTERN_OK && url->query != NULL)
        status = put_query(url->query, &buf, err);
    if (status == CISTERN_OK)
        *out = base_buf_take(&buf);
out:
    free(path);
    base_buf_clear(&buf);
    return status;
}

void net_url_redact(const char *text, char *out, size_t size)
{
    net_url url = {0};
    char *shown = NULL;
    if (net_url_parse(text, &url, NULL) != CISTERN_OK || net_url_normalise(&url, &shown, NULL) != CISTERN_OK)
        snprintf(out, size, "(unreadable URL)");
    else
        snprintf(out, size, "%s", shown);
    free(shown);
    net_url_clear(&url);
}
