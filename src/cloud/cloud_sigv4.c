/* Signing; see cloud_sigv4.h.
 *
 *     canonical request -> its SHA-256 in the string to sign -> HMAC with a key made of secret, day, region, service
 */
#include "cloud_sigv4.h"
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include "base_crypto.h"
#include "base_mem.h"
#include "base_sha256.h"
#include "base_wipe.h"

#define CANONICAL_MAX  (64u << 10) /* bytes: path and query of NET_URL_MAX each, fields of a few KiB */
#define PARAMETERS_MAX 64          /* of a query that is signed */
#define PORT_HTTP      80
#define PORT_HTTPS     443
#define DAY_LENGTH     8 /* of the time's "20260131" */

void cloud_sigv4_now(char out[CLOUD_SIGV4_TIME])
{
    struct timespec now = {0, 0};
    struct tm parts;
    memset(&parts, 0, sizeof parts);
    clock_gettime(CLOCK_REALTIME, &now);
    gmtime_r(&now.tv_sec, &parts);
    if (strftime(out, CLOUD_SIGV4_TIME, "%Y%m%dT%H%M%SZ", &parts) == 0)
        out[0] = '\0';
}

/* --- canonical request --------------------------------------------------------------------------------------- */

/* "host", with the port unless it is the scheme's own: what is sent as Host. */
static cistern_status host_text(const net_url *url, char **out, cistern_error *err)
{
    bool usual = url->port == (url->tls ? PORT_HTTPS : PORT_HTTP);
    return usual ? base_strdup(url->host, out, err)
                 : base_asprintf(out, err, "%s:%u", url->host, (unsigned)url->port);
}

static int compare_fields(const void *a, const void *b)
{
    return strcmp(((const net_field *)a)->name, ((const net_field *)b)->name);
}

/* All fields with Host, sorted; `host` is borrowed. */
static cistern_status sorted_fields(const cloud_sigv4_request *request, const char *host,
                                    net_field out[CLOUD_SIGV4_FIELDS_MAX + 1], cistern_error *err)
{
    if (request->field_count > CLOUD_SIGV4_FIELDS_MAX)
        return base_fail(err, CISTERN_USAGE, "%zu fields to sign, at most %d allowed", request->field_count,
                         CLOUD_SIGV4_FIELDS_MAX);
    if (request->field_count > 0)
        memcpy(out, request->fields, request->field_count * sizeof *out);
    out[request->field_count] = (net_field){"host", host};
    qsort(out, request->field_count + 1, sizeof *out, compare_fields);
    return CISTERN_OK;
}

static bool is_space(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

/* Without spaces at the ends; several in a row become one. */
static cistern_status put_value(const char *value, base_buf *out, cistern_error *err)
{
    cistern_status status = CISTERN_OK;
    const char *separator = "";
    while (status == CISTERN_OK) {
        size_t n = 0;
        while (is_space(*value))
            value++;
        while (value[n] != '\0' && !is_space(value[n]))
            n++;
        if (n == 0)
            break;
        status = base_buf_put(out, separator, strlen(separator), err);
        if (status == CISTERN_OK)
            status = base_buf_put(out, value, n, err);
        value += n;
        separator = " ";
    }
    return status;
}

/* A parameter of the query: where its name and value lie. */
typedef struct parameter {
    const char *name, *value;
    size_t name_length, value_length;
} parameter;

static int compare_bytes(const char *a, size_t n, const char *b, size_t m)
{
    int order = memcmp(a, b, n < m ? n : m);
    return order != 0 ? order : (n > m) - (n < m);
}

static int compare_parameters(const void *a, const void *b)
{
    const parameter *p = a, *q = b;
    int order = compare_bytes(p->name, p->name_length, q->name, q->name_length);
    return order != 0 ? order : compare_bytes(p->value, p->value_length, q->value, q->value_length);
}

static parameter parameter_at(const char *text, size_t n)
{
    const char *equals = memchr(text, '=', n);
    size_t name = equals != NULL ? (size_t)(equals - text) : n;
    return (parameter){text, equals != NULL ? equals + 1 : text + n, name, equals != NULL ? n - name - 1 : 0};
}

static cistern_status put_query(const char *query, base_buf *out, cistern_error *err)
{
    parameter all[PARAMETERS_MAX];
    size_t count = 0;
    cistern_status status = CISTERN_OK;
    for (const char *p = query; p != NULL;) { /* an empty parameter is one, too */
        size_t n = strcspn(p, "&");
        if (count == PARAMETERS_MAX)
            return base_fail(err, CISTERN_USAGE, "the query has more than %d parameters", PARAMETERS_MAX);
        all[count++] = parameter_at(p, n);
        p = p[n] == '&' ? p + n + 1 : NULL;
    }
    qsort(all, count, sizeof *all, compare_parameters);
    for (size_t i = 0; status == CISTERN_OK && i < count; i++)
        status = base_buf_printf(out, err, "%s%.*s=%.*s", i > 0 ? "&" : "", (int)all[i].name_length,
                                 all[i].name, (int)all[i].value_length, all[i].value);
    return status;
}

static cistern_status put_names(const net_field *fields, size_t count, base_buf *out, cistern_error *err)
{
    cistern_status status = CISTERN_OK;
    for (size_t i = 0; status == CISTERN_OK && i < count; i++)
        status = base_buf_printf(out, err, "%s%s", i > 0 ? ";" : "", fields[i].name);
    return status;
}

static cistern_status put_fields(const net_field *fields, size_t count, base_buf *out, cistern_error *err)
{
    cistern_status status = CISTERN_OK;
    for (size_t i = 0; status == CISTERN_OK && i < count; i++) {
        status = base_buf_printf(out, err, "%s:", fields[i].name);
        if (status == CISTERN_OK)
            status = put_value(fields[i].value, out, err);
        if (status == CISTERN_OK)
            status = base_buf_put(out, "\n", 1, err);
    }
    return status;
}

/* The same, and the names of the signed fields as they stand in it. */
static cistern_status canonical(const cloud_sigv4_request *request, base_buf *out, base_buf *names,
                                cistern_error *err)
{
    net_field fields[CLOUD_SIGV4_FIELDS_MAX + 1];
    size_t count = request->field_count + 1;
    char *host = NULL;
    cistern_status status = host_text(request->url, &host, err);
    if (status == CISTERN_OK)
        status = sorted_fields(request, host, fields, err);
    if (status == CISTERN_OK)
        status = base_buf_printf(out, err, "%s\n%s\n", request->method, request->url->path);
    if (status == CISTERN_OK)
        status = put_query(request->url->query, out, err);
    if (status == CISTERN_OK)
        status = base_buf_put(out, "\n", 1, err);
    if (status == CISTERN_OK)
        status = put_fields(fields, count, out, err);
    if (status == CISTERN_OK)
        status = put_names(fields, count, names, err);
    if (status == CISTERN_OK)
        status = base_buf_printf(out, err, "\n%s\n%s", names->data, request->payload);
    free(host);
    return status;
}

cistern_status cloud_sigv4_canonical(const cloud_sigv4_request *request, base_buf *out, cistern_error *err)
{
    base_buf names;
    base_buf_init(&names, CANONICAL_MAX);
    cistern_status status = canonical(request, out, &names, err);
    base_buf_clear(&names);
    return status;
}

/* --- signature ----------------------------------------------------------------------------------------------- */

static bool hmac(const void *key, size_t key_size, const char *text, base_digest *out)
{
    base_crypto crypto;
    unsigned n = sizeof out->bytes;
    return base_crypto_load(&crypto) &&
           crypto.HMAC(crypto.EVP_sha256(), key, (int)key_size, (const unsigned char *)text, strlen(text),
                       out->bytes, &n) != NULL;
}

/* The key that holds for one day, region and service. */
static cistern_status signing_key(const cloud_sigv4_request *request, const cloud_key *key, base_digest *out,
                                  cistern_error *err)
{
    char day[DAY_LENGTH + 1];
    char *secret = NULL;
    cistern_status status = base_asprintf(&secret, err, "AWS4%s", key->secret_access_key);
    if (status != CISTERN_OK)
        return status;
    snprintf(day, sizeof day, "%s", request->time);
    bool done = hmac(secret, strlen(secret), day, out) &&
                hmac(out->bytes, sizeof out->bytes, request->region, out) &&
                hmac(out->bytes, sizeof out->bytes, request->service, out) &&
                hmac(out->bytes, sizeof out->bytes, "aws4_request", out);
    base_wipe(secret, strlen(secret));
    free(secret);
    return done ? CISTERN_OK : base_fail(err, CISTERN_UNEXPECTED, "libcrypto makes no HMAC");
}

static cistern_status sign(const cloud_sigv4_request *request, const cloud_key *key, const char *scope,
                           const base_buf *text, char hex[BASE_SHA256_HEX], cistern_error *err)
{
    base_digest digest, signing;
    char *to_sign = NULL;
    cistern_status status = base_sha256_of(text->data, text->len, &digest, err);
    if (status != CISTERN_OK)
        return status;
    base_digest_hex(&digest, hex);
    status = base_asprintf(&to_sign, err, "AWS4-HMAC-SHA256\n%s\n%s\n%s", request->time, scope, hex);
    if (status == CISTERN_OK)
        status = signing_key(request, key, &signing, err);
    if (status == CISTERN_OK && !hmac(signing.bytes, sizeof signing.bytes, to_sign, &digest))
        status = base_fail(err, CISTERN_UNEXPECTED, "libcrypto makes no HMAC");
    if (status == CISTERN_OK)
        base_digest_hex(&digest, hex);
    base_wipe(&signing, sizeof signing);
    free(to_sign);
    return status;
}

cistern_status cloud_sigv4_authorization(const cloud_sigv4_request *request, const cloud_key *key, char **out,
                                         cistern_error *err)
{
    char hex[BASE_SHA256_HEX];
    char *scope = NULL;
    base_buf text, names;
    base_buf_init(&text, CANONICAL_MAX);
    base_buf_init(&names, CANONICAL_MAX);
    cistern_status status = canonical(request, &text, &names, err);
    if (status == CISTERN_OK)
        status = base_asprintf(&scope, err, "%.*s/%s/%s/aws4_request", DAY_LENGTH, request->time,
                               request->region, request->service);
    if (status == CISTERN_OK)
        status = sign(request, key, scope, &text, hex, err);
    if (status == CISTERN_OK)
        status = base_asprintf(out, err, "AWS4-HMAC-SHA256 Credential=%s/%s, SignedHeaders=%s, Signature=%s",
                               key->access_key_id, scope, names.data, hex);
    free(scope);
    base_buf_clear(&text);
    base_buf_clear(&names);
    return status;
}
