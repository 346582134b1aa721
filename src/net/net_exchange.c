/* One request, one answer; see priv/net_exchange.h.
 *
 *     take slot -> configure -> add -> [ perform -> cancelled? -> tick -> poll ]* -> outcome -> remove -> give slot
 *
 * Invariants
 *  1. The listener's head call comes before its first body call, and exactly once if an answer came at all.
 *  2. The caller's cancel token is looked at every POLL_MS, whatever libcurl does; while it waits nothing is locked.
 *  3. Redirects are never followed here: who follows decides about schemes and credentials.
 */
#include "priv/net_exchange.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "base_mem.h"
#include "priv/net_outcome.h"

#define POLL_MS      50            /* half of what cancelling may take */
#define BUFFER_BYTES (256l * 1024) /* of the receive buffer: fewer calls for fast transfers */
#define DROP_MAX     (64u * 1024)  /* bytes of an error page read so as to keep the connection */
#define REDIRECT_MAX (3 * 8192u)   /* bytes of a Location that is looked at */

/* One running exchange. */
typedef struct exchange {
    const net_curl *curl;
    net_slot *slot;
    const net_listener *listener;
    net_exchange *out;
    cistern_error *err;
    cistern_status status; /* the listener's, once it is not OK */
    net_take take;
    bool head_told;
    bool stopped; /* we ended it, and it is no failure */
    uint64_t dropped;
    struct curl_slist *fields;
    char error_text[CURL_ERROR_SIZE];
} exchange;

static bool tell_head(exchange *x)
{
    if (!x->head_told) {
        x->head_told = true;
        x->status = x->listener->head(x->listener->user, &x->out->head, &x->take, x->err);
        x->stopped = x->status == CISTERN_OK && x->take == NET_STOP_HERE;
    }
    return x->status == CISTERN_OK && !x->stopped;
}

static size_t on_header(char *line, size_t one, size_t n, void *user)
{
    exchange *x = user;
    (void)one;         /* always 1 */
    if (!x->head_told) /* what comes after the body (trailers) is not of the head */
        net_head_line(&x->out->head, line, n);
    return n;
}

static void keep(exchange *x, const char *bytes, size_t n)
{
    base_buf *kept = x->listener->kept;
    size_t room = kept->max - kept->len;
    x->status = base_buf_put(kept, bytes, n < room ? n : room, x->err);
}

static size_t on_body(char *bytes, size_t one, size_t n, void *user)
{
    exchange *x = user;
    (void)one;
    if (!tell_head(x))
        return 0;
    if (x->take == NET_TAKE_BODY) {
        x->status = x->listener->body(x->listener->user, bytes, n, x->err);
        return x->status == CISTERN_OK ? n : 0;
    }
    if (x->take == NET_KEEP_BODY)
        keep(x, bytes, n);
    x->dropped += n;
    x->stopped = x->dropped > DROP_MAX;
    return x->stopped || x->status != CISTERN_OK ? 0 : n;
}

/* libcurl refuses an option it does not know; none that we depend on is newer than what CMake asks for. */
#define SET(option, value)                                                                                   \
    do {                                                                                                     \
        if (x->curl->easy_setopt(x->slot->easy, option, value) == CURLE_OUT_OF_MEMORY)                       \
            return base_fail_memory(x->err, 0);                                                              \
    } while (0)

static cistern_status set_connection(exchange *x, const net_options *options)
{
    SET(CURLOPT_NOSIGNAL, 1L);
    SET(CURLOPT_QUICK_EXIT, 1L); /* a name look-up that was given up is not waited for */
    SET(CURLOPT_PROTOCOLS_STR, "http,https");
    SET(CURLOPT_FOLLOWLOCATION, 0L);
    SET(CURLOPT_HTTP_VERSION,
        (long)CURL_HTTP_VERSION_1_1); /* parallel ranges want connections of their own */
    SET(CURLOPT_NETRC, (long)CURL_NETRC_IGNORED);
    SET(CURLOPT_PROXY,
        options->proxy != NULL ? options->proxy : ""); /* "": the environment is not looked at */
    SET(CURLOPT_NOPROXY, options->no_proxy != NULL ? options->no_proxy : "");
    SET(CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
    SET(CURLOPT_USERAGENT, options->user_agent != NULL ? options->user_agent : "cistern");
    SET(CURLOPT_CONNECTTIMEOUT_MS, (long)options->connect_timeout_ms);
    SET(CURLOPT_LOW_SPEED_LIMIT, (long)options->low_speed_bytes);
    SET(CURLOPT_LOW_SPEED_TIME, (long)options->low_speed_seconds);
    SET(CURLOPT_BUFFERSIZE, BUFFER_BYTES);
    SET(CURLOPT_ERRORBUFFER, x->error_text);
    if (options->ca_file != NULL) { /* instead of the system's, not beside them */
        SET(CURLOPT_CAINFO, options->ca_file);
        SET(CURLOPT_CAPATH, NULL);
        SET(CURLOPT_PROXY_CAINFO, options->ca_file);
        SET(CURLOPT_PROXY_CAPATH, NULL);
    }
    return CISTERN_OK;
}

static cistern_status add_line(exchange *x, const char *line)
{
    struct curl_slist *longer = x->curl->slist_append(x->fields, line);
    if (longer == NULL)
        return base_fail_memory(x->err, 0);
    x->fields = longer;
    return CISTERN_OK;
}

static cistern_status add_field(exchange *x, const char *name, const char *value)
{
    char *line = NULL;
    if (value == NULL || value[0] == '\0')
        return CISTERN_OK;
    cistern_status status = base_asprintf(&line, x->err, "%s: %s", name, value);
    if (status == CISTERN_OK)
        status = add_line(x, line);
    free(line);
    return status;
}

static cistern_status put_field(void *where, const char *name, const char *value, cistern_error *err)
{
    (void)err; /* the exchange's own, which it was called with */
    return add_field(where, name, value);
}

/* What a dialect adds. It is told what is sent besides, because signatures cover it. */
static cistern_status add_dialect(exchange *x, const net_url *url, const net_request *request)
{
    char range[sizeof request->range + 8];
    net_field fields[4];
    net_outgoing outgoing = {.head = request->head, .start = request->start, .url = url, .fields = fields};
    const net_field all[] = {{"range", range},
                             {"if-match", request->if_match},
                             {"if-none-match", request->if_none_match},
                             {"if-modified-since", request->if_modified_since}};
    if (request->dialect == NULL)
        return CISTERN_OK;
    SET(CURLOPT_PATH_AS_IS, 1L);
    if (request->dialect->sign == NULL)
        return CISTERN_OK;
    snprintf(range, sizeof range, "%s%s", request->range[0] != '\0' ? "bytes=" : "", request->range);
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
        if (all[i].value != NULL && all[i].value[0] != '\0')
            fields[outgoing.field_count++] = all[i];
    return request->dialect->sign(request->dialect->user, &outgoing, put_field, x, x->err);
}

/* What the user's files have for this very server. */
static cistern_status add_headers(exchange *x, net_client *client, const net_url *url)
{
    const char *netrc = net_client_options(client)->netrc_file;
    const net_headers *headers = NULL;
    cistern_status status = net_pool_headers(client, &headers, x->err);
    if (status == CISTERN_OK && netrc != NULL) {
        if (access(netrc, R_OK) != 0) /* libcurl would go on without it */
            return base_fail_errno(x->err, errno, "netrc %s", netrc);
        SET(CURLOPT_NETRC, (long)CURL_NETRC_OPTIONAL);
        SET(CURLOPT_NETRC_FILE, netrc);
    }
    for (size_t i = 0; status == CISTERN_OK && i < headers->count; i++)
        if (net_url_same_server(&headers->items[i].server, url))
            status = add_line(x, headers->items[i].line);
    return status;
}

static cistern_status set_request(exchange *x, net_client *client, const net_url *url, bool credentials,
                                  const net_request *request)
{
    char *text = NULL;
    cistern_status status = net_url_request(url, &text, x->err);
    if (status != CISTERN_OK)
        return status;
    CURLcode code = x->curl->easy_setopt(x->slot->easy, CURLOPT_URL, text);
    free(text);
    if (code != CURLE_OK)
        return base_fail_memory(x->err, 0);
    SET(CURLOPT_NOBODY, request->head ? 1L : 0L);
    if (request->range[0] != '\0')
        SET(CURLOPT_RANGE, request->range);
    if (credentials && url->user != NULL) {
        SET(CURLOPT_HTTPAUTH, (long)CURLAUTH_BASIC);
        SET(CURLOPT_USERNAME, url->user);
        SET(CURLOPT_PASSWORD, url->password != NULL ? url->password : "");
    }
    status = add_field(x, "Accept-Encoding", "identity");
    if (status == CISTERN_OK)
        status = add_field(x, "If-Match", request->if_match);
    if (status == CISTERN_OK)
        status = add_field(x, "If-None-Match", request->if_none_match);
    if (status == CISTERN_OK)
        status = add_field(x, "If-Modified-Since", request->if_modified_since);
    if (status == CISTERN_OK)
        status = request->dialect != NULL ? add_dialect(x, url, request) : add_headers(x, client, url);
    if (status != CISTERN_OK)
        return status;
    SET(CURLOPT_HTTPHEADER, x->fields);
    SET(CURLOPT_HEADERFUNCTION, on_header);
    SET(CURLOPT_HEADERDATA, x);
    SET(CURLOPT_WRITEFUNCTION, on_body);
    SET(CURLOPT_WRITEDATA, x);
    return CISTERN_OK;
}

/* libcurl's verdict once the transfer is over. */
static CURLcode verdict(exchange *x)
{
    int left = 0;
    for (CURLMsg *message; (message = x->curl->multi_info_read(x->slot->multi, &left)) != NULL;)
        if (message->msg == CURLMSG_DONE && message->easy_handle == x->slot->easy)
            return message->data.result;
    return CURLE_FAILED_INIT;
}

static cistern_status drive(exchange *x, const base_run *run, CURLcode *out_code)
{
    int running = 1;
    while (running != 0) {
        net_signals signals;
        if (base_cancelled(run != NULL ? run->cancel : NULL))
            return base_fail(x->err, CISTERN_CANCELLED, "interrupted");
        net_signals_block(&signals);
        CURLMcode code = x->curl->multi_perform(x->slot->multi, &running);
        net_signals_restore(&signals);
        if (code != CURLM_OK)
            return base_fail(x->err, CISTERN_UNEXPECTED, "libcurl stopped (multi %d)", (int)code);
        if (x->listener->tick != NULL)
            x->listener->tick(x->listener->user);
        if (running != 0)
            x->curl->multi_poll(x->slot->multi, NULL, 0, POLL_MS, NULL);
    }
    *out_code = verdict(x);
    return CISTERN_OK;
}

static cistern_status transfer(exchange *x, const base_run *run, CURLcode *out_code)
{
    net_signals signals;
    if (x->curl->multi_add_handle(x->slot->multi, x->slot->easy) != CURLM_OK)
        return base_fail_memory(x->err, 0);
    cistern_status status = drive(x, run, out_code);
    net_signals_block(&signals);
    x->curl->multi_remove_handle(x->slot->multi, x->slot->easy); /* closes what is unfinished */
    net_signals_restore(&signals);
    return status;
}

static cistern_status outcome(exchange *x, CURLcode code, const char *shown, const net_options *options)
{
    net_exchange *out = x->out;
    bool enough = x->stopped || (x->head_told && (x->take == NET_DROP_BODY || x->take == NET_KEEP_BODY));
    if (x->status != CISTERN_OK || enough)
        return x->status;
    if (code == CURLE_OK) {
        tell_head(x); /* there was no body */
        return x->status;
    }
    net_fault fault = {.code = code, .body_began = x->head_told};
    long os_errno = 0, connect_code = 0;
    x->curl->easy_getinfo(x->slot->easy, CURLINFO_OS_ERRNO, &os_errno);
    x->curl->easy_getinfo(x->slot->easy, CURLINFO_HTTP_CONNECTCODE, &connect_code);
    fault.os_errno = (int)os_errno;
    fault.connect_code = (int)connect_code;
    fault.text = x->error_text[0] != '\0' ? x->error_text : x->curl->easy_strerror(code);
    return net_outcome_fault(&fault, shown, options, &out->transient, x->err);
}

/* What libcurl knows of the answer beyond its lines. */
static cistern_status read_details(exchange *x)
{
    net_exchange *out = x->out;
    const char *target = NULL;
    curl_off_t wait = 0;
    if (x->curl->easy_getinfo(x->slot->easy, CURLINFO_RETRY_AFTER, &wait) == CURLE_OK && wait > 0)
        out->retry_after_s = wait < UINT32_MAX ? (unsigned)wait : UINT32_MAX;
    int code = out->head.code;
    bool redirect = code == 301 || code == 302 || code == 303 || code == 307 || code == 308;
    if (redirect)
        x->curl->easy_getinfo(x->slot->easy, CURLINFO_REDIRECT_URL, &target);
    if (target == NULL || strlen(target) > REDIRECT_MAX)
        return CISTERN_OK;
    return base_strdup(target, &out->redirect, x->err);
}

cistern_status net_exchange_run(net_client *client, const net_url *url, bool credentials, const char *shown,
                                const net_request *request, const net_listener *listener, const base_run *run,
                                net_exchange *out, cistern_error *err)
{
    const net_options *options = net_client_options(client);
    exchange x = {.listener = listener, .out = out, .err = err};
    CURLcode code = CURLE_OK;
    memset(out, 0, sizeof *out);
    out->head.watch = request->dialect != NULL ? request->dialect->watch : NULL;
    cistern_status status = net_pool_take(client, &x.slot, err);
    if (status != CISTERN_OK)
        return status;
    x.curl = x.slot->curl;
    status = set_connection(&x, options);
    if (status == CISTERN_OK)
        status = set_request(&x, client, url, credentials, request);
    if (status != CISTERN_OK)
        goto out;
    net_pool_count(client);
    status = transfer(&x, run, &code);
    if (status == CISTERN_OK)
        status = outcome(&x, code, shown, options);
    if (status == CISTERN_OK)
        status = read_details(&x);
out:
    net_pool_give(client, x.slot);
    x.curl->slist_free_all(x.fields);
    return status;
}
