/* Sources of S3; see cloud_s3.h.
 *
 *     s3_source ── place[0]: the region that is configured or remembered ──(it is elsewhere)──> place[1]
 *                     └── an HTTP source whose dialect signs and explains
 */
#include "cloud_s3.h"
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include "base_mem.h"
#include "net_http.h"
#include "priv/cloud_s3_fault.h"

#define PLACES     2
#define SERVICE    "s3"
#define OWN_FIELDS 5 /* of ours that are signed */

#define CHECKSUM_MODE "x-amz-checksum-mode" /* ENABLED: tell the digest that is kept of the object */

typedef struct s3_source s3_source;

/* The object as it is asked for in one region. */
typedef struct s3_place {
    s3_source *owner;
    char *region;
    char *server; /* "https://host[:port]", for messages */
    net_source *http;
} s3_place;

struct s3_source {
    net_source head;
    net_client *client;
    cloud_context *context; /* NULL: none */
    cloud_s3_address address;
    cloud_s3_config config;
    bool requester_pays;
    pthread_mutex_t lock; /* guards `count` */
    int count;            /* places that are there; a place that is there never changes */
    s3_place place[PLACES];
};

/* --- signing ------------------------------------------------------------------------------------------------- */

/* The fields of ours; returns how many. */
static size_t own_fields(const s3_source *s, const char *time, net_field out[OWN_FIELDS])
{
    size_t n = 0;
    out[n++] = (net_field){"x-amz-content-sha256", CLOUD_SIGV4_NO_PAYLOAD};
    out[n++] = (net_field){"x-amz-date", time};
    out[n++] = (net_field){CHECKSUM_MODE, "ENABLED"};
    if (s->config.session_token[0] != '\0')
        out[n++] = (net_field){"x-amz-security-token", s->config.session_token};
    if (s->requester_pays)
        out[n++] = (net_field){"x-amz-request-payer", "requester"};
    return n;
}

static cistern_status on_sign(void *user, const net_outgoing *request, net_put_field put, void *where,
                              cistern_error *err)
{
    const s3_place *place = user;
    const s3_source *s = place->owner;
    char time[CLOUD_SIGV4_TIME];
    char *authorization = NULL;
    net_field fields[CLOUD_SIGV4_FIELDS_MAX];
    if (s->config.anonymous || !cloud_s3_may_sign(request->start, request->url) ||
        request->field_count + OWN_FIELDS > CLOUD_SIGV4_FIELDS_MAX)
        return put(where, CHECKSUM_MODE, "ENABLED", err);
    cloud_sigv4_now(time);
    size_t own = own_fields(s, time, fields);
    if (request->field_count > 0)
        memcpy(fields + own, request->fields, request->field_count * sizeof *fields);
    const cloud_sigv4_request what = {.method = request->head ? "HEAD" : "GET",
                                      .url = request->url,
                                      .fields = fields,
                                      .field_count = own + request->field_count,
                                      .payload = CLOUD_SIGV4_NO_PAYLOAD,
                                      .time = time,
                                      .region = place->region,
                                      .service = SERVICE};
    const cloud_key key = {s->config.access_key_id, s->config.secret_access_key, s->config.session_token};
    cistern_status status = cloud_sigv4_authorization(&what, &key, &authorization, err);
    for (size_t i = 0; status == CISTERN_OK && i < own; i++)
        status = put(where, fields[i].name, fields[i].value, err);
    if (status == CISTERN_OK)
        status = put(where, "Authorization", authorization, err);
    free(authorization);
    return status;
}

/* --- places -------------------------------------------------------------------------------------------------- */

static cistern_status add_place(s3_source *s, const char *region, cistern_error *err);

/* Failures of the region make the second place, where the operation is tried again. */
static cistern_status on_explain(void *user, const net_failure *failure, bool *out_transient,
                                 cistern_error *err)
{
    s3_place *place = user;
    s3_source *s = place->owner;
    char region[CLOUD_S3_REGION_BYTES];
    cloud_s3_asked asked = {s->head.shown, &s->address, &s->config, place->region, place->server};
    if (cloud_s3_fault_region(&s->config, failure, region) && region[0] != '\0' &&
        strcmp(region, place->region) != 0) {
        pthread_mutex_lock(&s->lock);
        cistern_status status =
            s->count < PLACES && place == &s->place[s->count - 1] ? add_place(s, region, err) : CISTERN_OK;
        pthread_mutex_unlock(&s->lock);
        if (status != CISTERN_OK)
            return status;
    }
    return cloud_s3_fault(&asked, failure, out_transient, err);
}

static const char *const base64_digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/* Exactly 32 bytes in base64 with its padding. */
static bool read_checksum(const char *text, base_digest *out)
{
    uint8_t bytes[33];
    if (strlen(text) != 44 || text[43] != '=')
        return false;
    for (size_t i = 0; i < 11; i++) {
        uint32_t group = 0;
        for (size_t j = 0; j < 4; j++) {
            char c = text[4 * i + j];
            const char *digit = strchr(base64_digits, c);
            if (digit == NULL && !(i == 10 && j == 3))
                return false;
            group = group << 6 | (digit != NULL ? (uint32_t)(digit - base64_digits) : 0);
        }
        bytes[3 * i] = (uint8_t)(group >> 16);
        bytes[3 * i + 1] = (uint8_t)(group >> 8);
        bytes[3 * i + 2] = (uint8_t)group;
    }
    memcpy(out->bytes, bytes, sizeof out->bytes);
    return bytes[32] == 0;
}

/* A SHA-256 that S3 checked when the object was written; one of parts' digests is none of the object. */
static void on_seen(void *user, const char *const *watched, net_stat *stat)
{
    (void)user;
    if (strcmp(watched[CLOUD_S3_FIELD_CHECKSUM_TYPE], "COMPOSITE") != 0)
        stat->has_sha256 = read_checksum(watched[CLOUD_S3_FIELD_CHECKSUM], &stat->sha256);
    snprintf(stat->version, sizeof stat->version, "%s", watched[CLOUD_S3_FIELD_VERSION]);
}

static cistern_status server_of(const char *url, char **out, cistern_error *err)
{
    const char *rest = strstr(url, "://") + 3;
    return base_asprintf(out, err, "%.*s", (int)((size_t)(rest - url) + strcspn(rest, "/")), url);
}

/* Under the lock, or before anybody else knows the source. */
static cistern_status add_place(s3_source *s, const char *region, cistern_error *err)
{
    s3_place *place = &s->place[s->count];
    char *url = NULL;
    net_dialect dialect = {.shown = s->head.shown,
                           .watch = cloud_s3_watch,
                           .sign = on_sign,
                           .explain = on_explain,
                           .seen = on_seen,
                           .user = place};
    place->owner = s;
    cistern_status status = base_strdup(region, &place->region, err);
    if (status == CISTERN_OK)
        status = cloud_s3_address_url(&s->address, s->config.endpoint, region, s->config.style, &url, err);
    if (status == CISTERN_OK)
        status = server_of(url, &place->server, err);
    if (status == CISTERN_OK)
        status = net_http_dialect_source_new(s->client, url, &dialect, &place->http, err);
    free(url);
    if (status != CISTERN_OK) {
        free(place->region);
        free(place->server);
        memset(place, 0, sizeof *place);
        return status;
    }
    s->count++;
    return CISTERN_OK;
}

static int last_place(s3_source *s)
{
    pthread_mutex_lock(&s->lock);
    int last = s->count - 1;
    pthread_mutex_unlock(&s->lock);
    return last;
}

/* Whether an operation that failed at place `at` shall be tried at the next one. */
static bool try_elsewhere(s3_source *s, int at, const net_answer *answer, const base_run *run,
                          cistern_error *err)
{
    if (answer->received > 0 || last_place(s) == at)
        return false;
    const char *region = s->place[at + 1].region;
    if (run != NULL)
        base_log_line(run->log, 2, "%s: the bucket is in the region %s, not %s", s->head.shown, region,
                      s->place[at].region);
    if (s->context != NULL)
        cloud_context_learn(s->context, s->address.bucket, region);
    base_error_clear(err);
    return true;
}

/* --- the source ---------------------------------------------------------------------------------------------- */

static cistern_status s3_stat(net_source *src, const base_run *run, net_answer *out, cistern_error *err)
{
    s3_source *s = (s3_source *)src;
    int at = last_place(s);
    cistern_status status = net_source_stat(s->place[at].http, run, out, err);
    if (status != CISTERN_OK && try_elsewhere(s, at, out, run, err))
        status = net_source_stat(s->place[at + 1].http, run, out, err);
    if (status == CISTERN_OK && run != NULL)
        base_log_line(run->log, 2, "%s: ETag %s%s%s, %llu bytes", s->head.shown,
                      out->stat.etag[0] != '\0' ? out->stat.etag : "none",
                      out->stat.version[0] != '\0' ? ", version " : "", out->stat.version,
                      (unsigned long long)out->stat.size);
    return status;
}

static cistern_status s3_read(net_source *src, const net_range *range, const char *validator, net_sink sink,
                              void *user, const base_run *run, net_answer *out, cistern_error *err)
{
    s3_source *s = (s3_source *)src;
    int at = last_place(s);
    cistern_status status = net_source_read(s->place[at].http, range, validator, sink, user, run, out, err);
    if (status != CISTERN_OK && try_elsewhere(s, at, out, run, err))
        status = net_source_read(s->place[at + 1].http, range, validator, sink, user, run, out, err);
    return status;
}

static cistern_status s3_revalidate(net_source *src, const char *etag, const char *last_modified,
                                    const base_run *run, net_answer *out, cistern_error *err)
{
    s3_source *s = (s3_source *)src;
    int at = last_place(s);
    cistern_status status = net_source_revalidate(s->place[at].http, etag, last_modified, run, out, err);
    if (status != CISTERN_OK && try_elsewhere(s, at, out, run, err))
        status = net_source_revalidate(s->place[at + 1].http, etag, last_modified, run, out, err);
    return status;
}

static void s3_free(net_source *src)
{
    s3_source *s = (s3_source *)src;
    for (int i = 0; i < s->count; i++) {
        net_source_free(s->place[i].http);
        free(s->place[i].region);
        free(s->place[i].server);
    }
    cloud_s3_address_clear(&s->address);
    cloud_s3_config_clear(&s->config);
    pthread_mutex_destroy(&s->lock);
    free(s);
}

/* Everything but the first place. */
static cistern_status read_parts(s3_source *s, const char *address, cistern_error *err)
{
    static const cloud_s3_options none = {.anonymous = true};
    const cloud_s3_options *options = s->context != NULL ? cloud_context_s3(s->context) : &none;
    s->requester_pays = options->requester_pays;
    cistern_status status = cloud_s3_address_parse(address, &s->address, err);
    if (status == CISTERN_OK)
        status = cloud_s3_address_normalise(&s->address, &s->head.shown, err);
    if (status == CISTERN_OK)
        status = cloud_s3_config_read(options, &s->config, err);
    return status;
}

cistern_status cloud_s3_source_new(net_client *client, cloud_context *context, const char *address,
                                   net_source **out, cistern_error *err)
{
    static const net_source_ops ops = {s3_stat, s3_read, s3_revalidate, s3_free};
    char known[CLOUD_S3_REGION_BYTES] = "";
    s3_source *s = NULL;
    cistern_status status = base_calloc(1, sizeof *s, &s, err);
    if (status != CISTERN_OK)
        return status;
    s->head.ops = &ops;
    s->head.options = net_client_options(client);
    s->client = client;
    s->context = context;
    s->config.anonymous = true;
    pthread_mutex_init(&s->lock, NULL);
    status = read_parts(s, address, err);
    if (status == CISTERN_OK && context != NULL)
        cloud_context_region(context, s->address.bucket, known);
    if (status == CISTERN_OK)
        status = add_place(s, known[0] != '\0' ? known : s->config.region, err);
    if (status != CISTERN_OK) {
        net_source_free(&s->head);
        return status;
    }
    *out = &s->head;
    return CISTERN_OK;
}
