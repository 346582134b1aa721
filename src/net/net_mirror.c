/* Mirrors; see net_mirror.h. */
#include "net_mirror.h"

#include <stdlib.h>
#include <string.h>
#include "base_mem.h"
#include "net_url.h"

/* A prefix or a replacement: a URL that something can be put behind. */
static cistern_status parse_part(const char *text, net_url *out, cistern_error *err)
{
    cistern_status status = net_url_parse(text, out, err);
    if (status == CISTERN_OK && (out->query != NULL || strchr(text, '#') != NULL)) {
        net_url_clear(out);
        status = base_fail(err, CISTERN_USAGE, "a query or a fragment has no place in a mirror's addresses");
    }
    return status;
}

cistern_status net_mirror_check(const char *prefix, const char *replacement, char **out_prefix,
                                cistern_error *err)
{
    net_url from = {0}, to = {0};
    cistern_status status = parse_part(replacement, &to, err);
    net_url_clear(&to);
    if (status == CISTERN_OK)
        status = parse_part(prefix, &from, err);
    if (status == CISTERN_OK && from.user != NULL)
        status = base_fail(err, CISTERN_USAGE, "user info has no place in a published address");
    if (status == CISTERN_OK)
        status = net_url_normalise(&from, out_prefix, err);
    net_url_clear(&from);
    return status;
}

/* How much of `url` the prefix covers, its last slash not counted; 0: none. */
static size_t covers(const char *prefix, const char *url)
{
    size_t n = strlen(prefix);
    if (n > 0 && prefix[n - 1] == '/')
        n--;
    bool ends =
        url[0] != '\0' && strncmp(url, prefix, n) == 0 && (url[n] == '\0' || url[n] == '/' || url[n] == '?');
    return ends ? n : 0;
}

cistern_status net_mirror_apply(const net_mirror *mirrors, size_t count, const char *url, char **out,
                                cistern_error *err)
{
    const net_mirror *best = NULL;
    size_t most = 0;
    for (size_t i = 0; i < count; i++) {
        size_t n = covers(mirrors[i].prefix, url);
        if (n > most) {
            most = n;
            best = &mirrors[i];
        }
    }
    *out = NULL;
    if (best == NULL)
        return CISTERN_OK;
    size_t n = strlen(best->replacement);
    if (n > 0 && best->replacement[n - 1] == '/' && url[most] == '/')
        n--;
    return base_asprintf(out, err, "%.*s%s", (int)n, best->replacement, url + most);
}
