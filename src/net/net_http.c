/* Sources behind URLs; see net_http.h and net_source.h.
 *
 * Invariants
 *  1. Everything in the head of an answer is judged in `judge_*` before a byte goes on; a listener drops the body of
 *     every answer that is not the one asked for.
 *  2. What is asked and known is compared for equality: first, last, total, length, ETag. Nothing is "close enough".
 */
#include "net_http.h"
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include "base_mem.h"
#include "net_url.h"
#include "priv/net_hops.h"
#include "priv/net_outcome.h"

#define PROGRESS_MS 100 /* at most 10 a second */

typedef struct http_source {
    net_source head;
    net_client *client;
    net_url url;
    char name[NET_NAME_MAX];
    bool has_dialect;
    net_dialect dialect;
} http_source;

/* One call of one operation. */
typedef struct call {
    http_source *src;
    const net_range *range; /* NULL: everything */
    const char *validator;
    net_sink sink;
    void *user;
    const base_run *run;
    net_answer *out;
    uint64_t start;    /* place in the object of the body's first byte */
    uint64_t expected; /* bytes of the body */
    bool expected_known;
    uint64_t told_ms; /* when progress was last told */
    base_buf fault;   /* a failure's body, if a dialect explains it */
} call;

static void call_init(call *c, net_source *src, const base_run *run, net_answer *out)
{
    *c = (call){.src = (http_source *)src, .run = run, .out = out};
    base_buf_init(&c->fault, NET_FAILURE_MAX);
}

static const net_dialect *dialect(const call *c)
{
    return c->src->has_dialect ? &c->src->dialect : NULL;
}

/* What happens to the body of an answer that is not wanted. */
static net_take unwanted(call *c)
{
    base_buf_clear(&c->fault); /* of an answer before this one */
    return dialect(c) != NULL ? NET_KEEP_BODY : NET_DROP_BODY;
}

static void watched(const net_head *head, const char *out[NET_WATCH_MAX])
{
    for (size_t i = 0; i < NET_WATCH_MAX; i++)
        out[i] = head->watched[i];
}

static const char *shown(const call *c)
{
    return c->src->head.shown;
}

/* The parts of a state that every answer of the object has. */
static void fill_stat(call *c, const net_head *head)
{
    net_stat *stat = &c->out->stat;
    memcpy(stat->etag, head->etag, sizeof stat->etag);
    memcpy(stat->last_modified, head->last_modified, sizeof stat->last_modified);
    memcpy(stat->content_type, head->content_type, sizeof stat->content_type);
    stat->accepts_ranges = head->accepts_ranges || head->code == 206;
    if (head->disposition[0] != '\0')
        memcpy(stat->file_name, head->disposition, sizeof stat->file_name);
    const char *values[NET_WATCH_MAX];
    watched(head, values);
    if (dialect(c) != NULL && dialect(c)->seen != NULL)
        dialect(c)->seen(dialect(c)->user, values, stat);
}

/* The name in the address is what people expect; without one that has a suffix, what the server suggests. */
static void fill_place(call *c, const net_hops *hops)
{
    net_stat *stat = &c->out->stat;
    memcpy(stat->final_url, hops->final_url, sizeof stat->final_url);
    if (strchr(c->src->name, '.') != NULL)
        memcpy(stat->file_name, c->src->name, sizeof stat->file_name);
    if (stat->file_name[0] == '\0' && strchr(hops->final_name, '.') != NULL)
        memcpy(stat->file_name, hops->final_name, sizeof stat->file_name);
    if (stat->file_name[0] == '\0')
        memcpy(stat->file_name, c->src->name, sizeof stat->file_name);
}

static void fill_answer(call *c, const net_hops *hops)
{
    c->out->http_code = hops->exchange.head.code;
    c->out->retry_after_s = hops->exchange.retry_after_s;
    c->out->transient = hops->exchange.transient;
    fill_place(c, hops);
}

/* What the dialect knows of a failure; OK: nothing. */
static cistern_status explain(call *c, bool head, const net_hops *hops, cistern_error *err)
{
    const char *values[NET_WATCH_MAX];
    watched(&hops->exchange.head, values);
    net_failure failure = {.head = head,
                           .code = hops->exchange.head.code,
                           .shown = hops->final_url,
                           .watched = values,
                           .body = c->fault.data != NULL ? c->fault.data : "",
                           .body_size = c->fault.len};
    return dialect(c)->explain(dialect(c)->user, &failure, &c->out->transient, err);
}

/* The answer's code is a failure. The message names the place that answered, and where the way there began. */
static cistern_status fail_code(call *c, bool head, const net_hops *hops, cistern_error *err)
{
    int code = hops->exchange.head.code;
    cistern_status status = dialect(c) != NULL ? explain(c, head, hops, err) : CISTERN_OK;
    if (status != CISTERN_OK)
        return status;
    if (dialect(c) != NULL)
        return net_outcome_http(code, shown(c), &c->out->transient, err);
    status = net_outcome_http(code, hops->final_url, &c->out->transient, err);
    return strcmp(hops->final_url, shown(c)) == 0 ? status
                                                  : base_frame(err, status, "redirected from %s", shown(c));
}

static cistern_status judge_encoding(const call *c, const net_head *head, cistern_error *err)
{
    if (!head->encoded)
        return CISTERN_OK;
    return base_fail(err, CISTERN_NETWORK, "%s: the answer is encoded (%s) though identity was asked for",
                     shown(c), head->encoding[0] != '\0' ? head->encoding : "unnamed");
}

/* --- stat and revalidate ------------------------------------------------------------------------------------- */

static void take_size(call *c, const net_head *head)
{
    net_stat *stat = &c->out->stat;
    bool partial = head->range_kind == NET_RANGE_BYTES || head->range_kind == NET_RANGE_UNSATISFIED;
    stat->size_known = partial ? head->range_total_known : head->length_known;
    stat->size = !stat->size_known ? 0 : partial ? head->range_total : head->length;
}

static cistern_status on_stat_head(void *user, const net_head *head, net_take *out, cistern_error *err)
{
    call *c = user;
    *out = unwanted(c);
    if (head->code != 200 && head->code != 206 && head->code != 416)
        return CISTERN_OK;
    fill_stat(c, head);
    take_size(c, head);
    if (head->code == 200)
        *out = NET_STOP_HERE; /* a GET that was given everything */
    return judge_encoding(c, head, err);
}

static cistern_status no_body(void *user, const void *bytes, size_t n, cistern_error *err)
{
    call *c = user;
    (void)bytes;
    return base_fail(err, CISTERN_UNEXPECTED, "%s: %zu bytes that nobody asked for", shown(c), n);
}

/* The conditional or plain question about the state, by HEAD or by GET of the first byte. */
static cistern_status ask_state(call *c, net_request *request, net_hops *hops, cistern_error *err)
{
    const net_listener listener = {.head = on_stat_head, .body = no_body, .user = c, .kept = &c->fault};
    request->dialect = dialect(c);
    if (!request->head)
        snprintf(request->range, sizeof request->range, "0-0");
    cistern_status status = net_hops_run(c->src->client, &c->src->url, request, &listener, c->run, hops, err);
    fill_answer(c, hops);
    return status;
}

static cistern_status state_outcome(call *c, const net_request *request, const net_hops *hops,
                                    cistern_error *err)
{
    const net_head *head = &hops->exchange.head;
    bool empty = head->code == 416 && head->range_kind == NET_RANGE_UNSATISFIED && head->range_total_known &&
                 head->range_total == 0;
    bool conditional = request->if_none_match != NULL || request->if_modified_since != NULL;
    c->out->unchanged = head->code == 304 && conditional;
    if (c->out->unchanged || head->code == 200 || (!request->head && (head->code == 206 || empty)))
        return CISTERN_OK;
    return fail_code(c, request->head, hops, err);
}

/* Whether a HEAD's failure is a reason to ask by GET. */
static bool ask_otherwise(const call *c, int code)
{
    if (dialect(c) != NULL)
        return (code >= 300 && code < 500 && code != 304) || code == 501; /* only a GET says why */
    return code == 403 || code == 405 || code == 501;                     /* HEAD may be what is refused */
}

static cistern_status state(call *c, net_request *request, cistern_error *err)
{
    net_hops hops;
    request->head = true;
    cistern_status status = ask_state(c, request, &hops, err);
    if (status == CISTERN_OK && ask_otherwise(c, hops.exchange.head.code)) {
        request->head = false;
        status = ask_state(c, request, &hops, err);
    }
    if (status == CISTERN_OK)
        status = state_outcome(c, request, &hops, err);
    base_buf_clear(&c->fault);
    return status;
}

static cistern_status http_stat(net_source *src, const base_run *run, net_answer *out, cistern_error *err)
{
    call c;
    net_request request = {0};
    call_init(&c, src, run, out);
    return state(&c, &request, err);
}

/* Weak comparison: RFC 9110 section 8.8.3.2. */
static bool etags_match(const char *a, const char *b)
{
    a += a[0] == 'W' && a[1] == '/' ? 2 : 0;
    b += b[0] == 'W' && b[1] == '/' ? 2 : 0;
    return a[0] != '\0' && strcmp(a, b) == 0;
}

static cistern_status http_revalidate(net_source *src, const char *etag, const char *last_modified,
                                      const base_run *run, net_answer *out, cistern_error *err)
{
    call c;
    call_init(&c, src, run, out);
    net_request request = {.if_none_match = etag, .if_modified_since = last_modified};
    cistern_status status = state(&c, &request, err);
    if (status != CISTERN_OK || out->unchanged)
        return status;
    /* A server that does not know conditions has told its state all the same. */
    out->unchanged = etag != NULL
                         ? etags_match(etag, out->stat.etag)
                         : last_modified != NULL && strcmp(last_modified, out->stat.last_modified) == 0;
    return CISTERN_OK;
}

/* --- read ---------------------------------------------------------------------------------------------------- */

static cistern_status fail_changed(call *c, const char *what, cistern_error *err)
{
    c->out->changed = true;
    return base_fail(err, CISTERN_CONFLICT, "%s: %s: it was replaced while it was being fetched", shown(c),
                     what);
}

static cistern_status judge_validator(call *c, const net_head *head, cistern_error *err)
{
    if (c->validator == NULL || strcmp(c->validator, head->etag) == 0)
        return CISTERN_OK;
    return fail_changed(c, head->etag[0] != '\0' ? "its ETag has changed" : "its ETag is no longer told",
                        err);
}

static cistern_status judge_range(call *c, const net_head *head, cistern_error *err)
{
    const net_range *want = c->range;
    bool ended = want->last == NET_RANGE_END;
    if (head->range_kind != NET_RANGE_BYTES)
        return base_fail(err, CISTERN_NETWORK, "%s: the server sent a part without saying which", shown(c));
    if (want->total != 0 && head->range_total_known && head->range_total != want->total)
        return c->validator == NULL
                   ? fail_changed(c, "its size has changed", err)
                   : base_fail(err, CISTERN_NETWORK, "%s: the server says %" PRIu64 " bytes, it has %" PRIu64,
                               shown(c), head->range_total, want->total);
    uint64_t total = want->total != 0 ? want->total : head->range_total;
    if (ended && total == 0)
        return base_fail(err, CISTERN_NETWORK, "%s: the server does not say where the end is", shown(c));
    uint64_t last = ended ? total - 1 : want->last;
    if (head->range_first != want->first || head->range_last != last)
        return base_fail(err, CISTERN_NETWORK,
                         "%s: the server sent bytes %" PRIu64 "-%" PRIu64 ", asked for were %" PRIu64
                         "-%" PRIu64,
                         shown(c), head->range_first, head->range_last, want->first, last);
    c->start = want->first;
    c->expected = last - want->first + 1;
    c->expected_known = true;
    if (head->length_known && head->length != c->expected)
        return base_fail(err, CISTERN_NETWORK,
                         "%s: the server announces %" PRIu64 " bytes for a range of %" PRIu64, shown(c),
                         head->length, c->expected);
    return CISTERN_OK;
}

/* 200 or 206. */
static cistern_status judge_success(call *c, const net_head *head, cistern_error *err)
{
    cistern_status status = judge_encoding(c, head, err);
    if (status == CISTERN_OK)
        status = judge_validator(c, head, err);
    if (status != CISTERN_OK)
        return status;
    if (c->range != NULL && head->code == 200) {
        c->out->range_ignored = true;
        return base_fail(err, CISTERN_NETWORK, "%s: the server sends everything though a range was asked for",
                         shown(c));
    }
    if (c->range == NULL && head->code == 206)
        return base_fail(err, CISTERN_NETWORK, "%s: the server sends a part though everything was asked for",
                         shown(c));
    take_size(c, head);
    c->out->end_proven = c->range != NULL || head->length_known || head->chunked;
    if (c->range != NULL)
        return judge_range(c, head, err);
    c->expected = head->length;
    c->expected_known = head->length_known;
    return CISTERN_OK;
}

static cistern_status on_read_head(void *user, const net_head *head, net_take *out, cistern_error *err)
{
    call *c = user;
    *out = unwanted(c);
    if (head->code != 200 && head->code != 206)
        return CISTERN_OK;
    c->out->http_code = head->code;
    fill_stat(c, head);
    cistern_status status = judge_success(c, head, err);
    if (status == CISTERN_OK)
        *out = NET_TAKE_BODY;
    return status;
}

static cistern_status on_read_body(void *user, const void *bytes, size_t n, cistern_error *err)
{
    call *c = user;
    if (c->expected_known && n > c->expected - c->out->received)
        return base_fail(err, CISTERN_NETWORK,
                         "%s: the server sends more than the %" PRIu64 " bytes asked for", shown(c),
                         c->expected);
    cistern_status status = c->sink(c->user, bytes, n, err);
    if (status == CISTERN_OK)
        c->out->received += n;
    c->out->reached = c->start + c->out->received;
    return status;
}

static void tell_progress(call *c, bool last)
{
    const net_stat *stat = &c->out->stat;
    uint64_t total = stat->size_known ? stat->size : c->range != NULL ? c->range->total : 0;
    base_progress progress = {.what = "fetch",
                              .done = c->start + c->out->received,
                              .total = total,
                              .resumed = c->start,
                              .last = last};
    c->run->progress(c->run->progress_user, &progress);
}

static void on_tick(void *user)
{
    call *c = user;
    uint64_t now = base_monotonic_ms();
    if (c->run == NULL || c->run->progress == NULL || now - c->told_ms < PROGRESS_MS)
        return;
    c->told_ms = now;
    tell_progress(c, false);
}

static cistern_status read_outcome(call *c, const net_hops *hops, cistern_error *err)
{
    int code = hops->exchange.head.code;
    bool have = code == 200 || code == 206;
    if (have && c->expected_known && c->out->received < c->expected) {
        c->out->transient = true;
        return base_fail(err, CISTERN_NETWORK,
                         "%s: the connection was lost after %" PRIu64 " of %" PRIu64 " bytes", shown(c),
                         c->out->received, c->expected);
    }
    if (have)
        return CISTERN_OK;
    if (code == 412 && c->validator != NULL)
        return fail_changed(c, "HTTP 412", err);
    if (code == 416 && c->range != NULL && c->range->total != 0) /* the range lay inside what was there */
        return fail_changed(c, "HTTP 416", err);
    return fail_code(c, false, hops, err);
}

static cistern_status http_read(net_source *src, const net_range *range, const char *validator, net_sink sink,
                                void *user, const base_run *run, net_answer *out, cistern_error *err)
{
    call c;
    call_init(&c, src, run, out);
    c.range = range;
    c.validator = validator;
    c.sink = sink;
    c.user = user;
    c.told_ms = base_monotonic_ms();
    const net_listener listener = {
        .head = on_read_head, .body = on_read_body, .tick = on_tick, .user = &c, .kept = &c.fault};
    net_request request = {.if_match = validator, .dialect = dialect(&c)};
    net_hops hops;
    if (range != NULL && range->last == NET_RANGE_END)
        snprintf(request.range, sizeof request.range, "%" PRIu64 "-", range->first);
    else if (range != NULL)
        snprintf(request.range, sizeof request.range, "%" PRIu64 "-%" PRIu64, range->first, range->last);
    cistern_status status = net_hops_run(c.src->client, &c.src->url, &request, &listener, run, &hops, err);
    fill_answer(&c, &hops);
    if (status == CISTERN_OK)
        status = read_outcome(&c, &hops, err);
    if (status == CISTERN_OK && run != NULL && run->progress != NULL)
        tell_progress(&c, true);
    base_buf_clear(&c.fault);
    return status;
}

/* --- making -------------------------------------------------------------------------------------------------- */

static void http_free(net_source *src)
{
    http_source *http = (http_source *)src;
    net_url_clear(&http->url);
    free(http);
}

/* Put the mirror's address in place of the published one, if there is a mirror for it. */
static cistern_status find_mirror(http_source *src, cistern_error *err)
{
    char *text = NULL;
    net_url mirror = {0};
    cistern_status status = net_mirror_apply(src->head.options->mirrors, src->head.options->mirror_count,
                                             src->head.shown, &text, err);
    if (status != CISTERN_OK || text == NULL)
        return status;
    status = net_url_parse(text, &mirror, err);
    free(text);
    if (status != CISTERN_OK)
        return base_frame(err, status, "the mirror of %s", src->head.shown);
    net_url_clear(&src->url);
    src->url = mirror;
    src->head.published = src->head.shown;
    src->head.shown = NULL;
    return net_url_normalise(&src->url, &src->head.shown, err);
}

static cistern_status source_new(net_client *client, const char *url, const net_dialect *dialect_or_null,
                                 net_source **out, cistern_error *err)
{
    static const net_source_ops ops = {http_stat, http_read, http_revalidate, http_free};
    http_source *src = NULL;
    cistern_status status = base_calloc(1, sizeof *src, &src, err);
    if (status != CISTERN_OK)
        return status;
    src->head.ops = &ops;
    src->head.options = net_client_options(client);
    src->client = client;
    src->has_dialect = dialect_or_null != NULL;
    if (src->has_dialect)
        src->dialect = *dialect_or_null;
    status = net_url_parse(url, &src->url, err);
    if (status == CISTERN_OK)
        status = src->has_dialect ? base_strdup(src->dialect.shown, &src->head.shown, err)
                                  : net_url_normalise(&src->url, &src->head.shown, err);
    if (status == CISTERN_OK) {
        net_url_file_name(&src->url, src->name, sizeof src->name);
        status = src->has_dialect ? CISTERN_OK : find_mirror(src, err); /* signatures are for one server */
    }
    if (status != CISTERN_OK) {
        net_source_free(&src->head);
        return status;
    }
    *out = &src->head;
    return CISTERN_OK;
}

cistern_status net_http_source_new(net_client *client, const char *url, net_source **out, cistern_error *err)
{
    return source_new(client, url, NULL, out, err);
}

cistern_status net_http_dialect_source_new(net_client *client, const char *url, const net_dialect *dialect,
                                           net_source **out, cistern_error *err)
{
    return source_new(client, url, dialect, out, err);
}
