/* Addresses in S3; see cloud_s3_address.h. Source: "Object key names", "Virtual hosting of buckets" of the AWS
 * documentation; the choice of style is botocore's. */
#include "cloud_s3_address.h"
#include <stdlib.h>
#include <string.h>
#include "base_buf.h"
#include "base_mem.h"

#define SCHEME       "s3://"
#define VERSION_MARK "?versionId="
#define REGION_MAX   32 /* bytes of a region's name */
#define DNS_MAX      63 /* bytes of one label of a host name */
#define URL_MAX      (3 * (size_t)(CLOUD_S3_KEY_MAX + CLOUD_S3_VERSION_MAX) + NET_URL_MAX)

static bool is_alnum(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

bool cloud_s3_region_is_good(const char *region)
{
    size_t n = strlen(region);
    for (size_t i = 0; i < n; i++)
        if (!is_alnum(region[i]) && (region[i] != '-' || i == 0))
            return false;
    return n > 0 && n <= REGION_MAX;
}

/* Bytes of the UTF-8 sequence at `text`, 0: none. Overlong forms, surrogates and what lies above U+10FFFF are none. */
static size_t utf8_length(const unsigned char *text)
{
    unsigned char c = text[0];
    size_t n = c < 0x80                 ? 1
               : c >= 0xc2 && c <= 0xdf ? 2
               : c >= 0xe0 && c <= 0xef ? 3
               : c >= 0xf0 && c <= 0xf4 ? 4
                                        : 0;
    unsigned char low = c == 0xe0 ? 0xa0 : c == 0xf0 ? 0x90 : 0x80;
    unsigned char high = c == 0xed ? 0x9f : c == 0xf4 ? 0x8f : 0xbf;
    for (size_t i = 1; i < n; i++) {
        if (text[i] < (i == 1 ? low : 0x80) || text[i] > (i == 1 ? high : 0xbf))
            return 0;
    }
    return n;
}

static cistern_status check_text(const char *text, cistern_error *err)
{
    for (size_t n; *text != '\0'; text += n) {
        unsigned char c = (unsigned char)*text;
        n = utf8_length((const unsigned char *)text);
        if (n == 0)
            return base_fail(err, CISTERN_USAGE, "the key is not UTF-8, as keys of S3 are");
        if (c < 0x20 || c == 0x7f)
            return base_fail(err, CISTERN_USAGE, "the address holds a control character (0x%02x)", c);
    }
    return CISTERN_OK;
}

static cistern_status check_bucket(const char *bucket, size_t n, cistern_error *err)
{
    if (n == 0)
        return base_fail(err, CISTERN_USAGE, "there is no bucket: s3://BUCKET/KEY is expected");
    if (n > CLOUD_S3_BUCKET_MAX)
        return base_fail(err, CISTERN_USAGE, "the bucket's name has %zu bytes, at most %d allowed", n,
                         CLOUD_S3_BUCKET_MAX);
    for (size_t i = 0; i < n; i++)
        if (!is_alnum(bucket[i]) && strchr("-._", bucket[i]) == NULL)
            return base_fail(
                err, CISTERN_USAGE,
                "'%.*s' is no bucket's name (letters, digits, '-', '.', '_'): an access point is "
                "named by its alias",
                (int)n, bucket);
    return CISTERN_OK;
}

static cistern_status check_key(const char *key, size_t n, cistern_error *err)
{
    if (n == 0)
        return base_fail(err, CISTERN_USAGE, "there is no key: s3://BUCKET/KEY is expected");
    if (n > CLOUD_S3_KEY_MAX)
        return base_fail(err, CISTERN_USAGE, "the key has %zu bytes, at most %d allowed", n,
                         CLOUD_S3_KEY_MAX);
    if (key[n - 1] == '/')
        return base_fail(err, CISTERN_USAGE, "the key ends in '/': name one object, not a directory");
    return CISTERN_OK;
}

static cistern_status split(const char *rest, cloud_s3_address *out, cistern_error *err)
{
    size_t bucket = strcspn(rest, "/");
    const char *key = rest + bucket + (rest[bucket] == '/');
    const char *version = NULL;
    for (const char *p = key; (p = strstr(p, VERSION_MARK)) != NULL; p++)
        version = p; /* the last one */
    size_t key_length = version != NULL ? (size_t)(version - key) : strlen(key);
    cistern_status status = check_bucket(rest, bucket, err);
    if (status == CISTERN_OK)
        status = check_key(key, key_length, err);
    if (status == CISTERN_OK && version != NULL) {
        version += strlen(VERSION_MARK);
        if (version[0] == '\0' || strlen(version) > CLOUD_S3_VERSION_MAX)
            return base_fail(err, CISTERN_USAGE, "the version id has %zu bytes, 1 to %d are expected",
                             strlen(version), CLOUD_S3_VERSION_MAX);
        status = base_strdup(version, &out->version, err);
    }
    if (status == CISTERN_OK)
        status = base_asprintf(&out->bucket, err, "%.*s", (int)bucket, rest);
    if (status == CISTERN_OK)
        status = base_asprintf(&out->key, err, "%.*s", (int)key_length, key);
    return status;
}

cistern_status cloud_s3_address_parse(const char *text, cloud_s3_address *out, cistern_error *err)
{
    cloud_s3_address address = {NULL, NULL, NULL};
    bool scheme =
        (text[0] == 's' || text[0] == 'S') && strncmp(text + 1, SCHEME + 1, strlen(SCHEME) - 1) == 0;
    if (!scheme)
        return base_fail(err, CISTERN_USAGE, "s3://BUCKET/KEY is expected");
    cistern_status status = check_text(text, err);
    if (status == CISTERN_OK)
        status = split(text + strlen(SCHEME), &address, err);
    if (status != CISTERN_OK) {
        cloud_s3_address_clear(&address);
        return status;
    }
    *out = address;
    return CISTERN_OK;
}

void cloud_s3_address_clear(cloud_s3_address *address)
{
    free(address->bucket);
    free(address->key);
    free(address->version);
    *address = (cloud_s3_address){NULL, NULL, NULL};
}

cistern_status cloud_s3_address_normalise(const cloud_s3_address *address, char **out, cistern_error *err)
{
    return base_asprintf(out, err, SCHEME "%s/%s%s%s", address->bucket, address->key,
                         address->version != NULL ? VERSION_MARK : "",
                         address->version != NULL ? address->version : "");
}

/* --- URL ----------------------------------------------------------------------------------------------------- */

/* A name that can stand before an endpoint's host; with `dots` one of several labels. */
static bool is_host_name(const char *bucket, bool dots)
{
    size_t n = strlen(bucket);
    bool digits = true;
    for (size_t i = 0; i < n; i++) {
        char c = bucket[i];
        bool inner = i > 0 && i + 1 < n && is_alnum(bucket[i - 1]) && is_alnum(bucket[i + 1]);
        bool hyphen = c == '-' && i > 0 && i + 1 < n;
        if (!(c >= 'a' && c <= 'z') && !(c >= '0' && c <= '9') && !hyphen && !(c == '.' && dots && inner))
            return false;
        digits = digits && ((c >= '0' && c <= '9') || c == '.');
    }
    return n >= 3 && n <= DNS_MAX && !(digits && strchr(bucket, '.') != NULL); /* no IP address */
}

/* The domain of a region's endpoints. Source: AWS's partitions. */
static const char *domain_of(const char *region)
{
    if (strncmp(region, "cn-", 3) == 0)
        return "amazonaws.com.cn";
    if (strncmp(region, "us-isob-", 8) == 0)
        return "sc2s.sgov.gov";
    if (strncmp(region, "us-iso-", 7) == 0)
        return "c2s.ic.gov";
    return "amazonaws.com";
}

static cistern_status put_escaped(const char *text, const char *also, base_buf *out, cistern_error *err)
{
    cistern_status status = CISTERN_OK;
    for (; status == CISTERN_OK && *text != '\0'; text++) {
        bool plain = is_alnum(*text) || strchr("-._~", *text) != NULL || strchr(also, *text) != NULL;
        status = plain ? base_buf_put(out, text, 1, err)
                       : base_buf_printf(out, err, "%%%02X", (unsigned char)*text);
    }
    return status;
}

/* scheme://[bucket.]host[:port][/base] */
static cistern_status put_server(const net_url *at, const char *bucket, base_buf *out, cistern_error *err)
{
    bool usual = at->port == (at->tls ? 443 : 80);
    size_t base = strlen(at->path);
    while (base > 0 && at->path[base - 1] == '/')
        base--;
    cistern_status status = base_buf_printf(out, err, "%s://%s%s%s", at->tls ? "https" : "http", bucket,
                                            bucket[0] != '\0' ? "." : "", at->host);
    if (status == CISTERN_OK && !usual)
        status = base_buf_printf(out, err, ":%u", (unsigned)at->port);
    return status == CISTERN_OK ? base_buf_put(out, at->path, base, err) : status;
}

static cistern_status parse_endpoint(const char *endpoint, const char *region, net_url *out,
                                     cistern_error *err)
{
    char *text = NULL;
    cistern_status status = CISTERN_OK;
    if (endpoint != NULL)
        status = base_strdup(endpoint, &text, err);
    else if (strcmp(region, "us-east-1") == 0) /* the oldest one has none in its name */
        status = base_strdup("https://s3.amazonaws.com", &text, err);
    else
        status = base_asprintf(&text, err, "https://s3.%s.%s", region, domain_of(region));
    if (status == CISTERN_OK)
        status = net_url_parse(text, out, err);
    free(text);
    if (status == CISTERN_USAGE)
        return base_frame(err, status, "the endpoint of S3");
    if (status == CISTERN_OK && (out->user != NULL || out->query != NULL)) {
        net_url_clear(out);
        return base_fail(err, CISTERN_USAGE,
                         "the endpoint of S3: scheme, host, port and path are expected, nothing else");
    }
    return status;
}

cistern_status cloud_s3_address_url(const cloud_s3_address *address, const char *endpoint, const char *region,
                                    cloud_s3_style style, char **out, cistern_error *err)
{
    net_url at = {0};
    base_buf url;
    base_buf_init(&url, URL_MAX);
    cistern_status status = parse_endpoint(endpoint, region, &at, err);
    if (status != CISTERN_OK)
        return status;
    /* A certificate's `*.s3.…` covers one label, so that names with dots cannot go before it over TLS. */
    bool can = is_host_name(address->bucket, !at.tls);
    bool host = style == CLOUD_S3_VIRTUAL || (style == CLOUD_S3_AUTO && endpoint == NULL && can);
    if (host && !can)
        status = base_fail(err, CISTERN_USAGE,
                           "the bucket '%s' cannot be part of a host name: use --s3-addressing path",
                           address->bucket);
    if (status == CISTERN_OK)
        status = put_server(&at, host ? address->bucket : "", &url, err);
    if (status == CISTERN_OK && !host)
        status = base_buf_printf(&url, err, "/%s", address->bucket);
    if (status == CISTERN_OK)
        status = base_buf_put(&url, "/", 1, err);
    if (status == CISTERN_OK)
        status = put_escaped(address->key, "/", &url, err);
    if (status == CISTERN_OK && address->version != NULL)
        status = base_buf_put(&url, VERSION_MARK, strlen(VERSION_MARK), err);
    if (status == CISTERN_OK && address->version != NULL)
        status = put_escaped(address->version, "", &url, err);
    if (status == CISTERN_OK)
        *out = base_buf_take(&url);
    net_url_clear(&at);
    base_buf_clear(&url);
    return status;
}

static bool ends_with(const char *text, const char *with)
{
    size_t n = strlen(text), m = strlen(with);
    return n >= m && strcmp(text + n - m, with) == 0;
}

/* Endpoints of AWS's S3; other hosts of that domain may be anybody's machines. */
static bool is_aws(const net_url *url)
{
    const char *host = url->host;
    bool s3 = strncmp(host, "s3.", 3) == 0 || strncmp(host, "s3-", 3) == 0 || strstr(host, ".s3.") != NULL ||
              strstr(host, ".s3-") != NULL;
    return url->tls && s3 && (ends_with(host, ".amazonaws.com") || ends_with(host, ".amazonaws.com.cn"));
}

bool cloud_s3_may_sign(const net_url *start, const net_url *url)
{
    return net_url_same_server(start, url) || (is_aws(start) && is_aws(url));
}
