/* Sources behind http: what is asked, what is understood, where requests may go. */
#include <netinet/in.h>
#include <pthread.h>
#include "net_fixture.h"

static net_fixture f;

static int start(void **state)
{
    (void)state;
    fixture_start(&f, NULL);
    return 0;
}

static int stop(void **state)
{
    (void)state;
    fixture_stop(&f);
    return 0;
}

static int no_faults(void **state)
{
    (void)state;
    origin_process_faults(&f.origin, "{}");
    origin_process_reset(&f.origin);
    return 0;
}

/* The whole of /a.bin through `src`, compared byte by byte. */
static void assert_reads_all(net_source *src)
{
    kept k = {0};
    net_answer answer;
    cistern_error err = CISTERN_ERROR_INIT;
    assert_ok(net_source_read(src, NULL, NULL, kept_sink, &k, NULL, &answer, &err), &err);
    assert_int_equal(k.n, FIXTURE_SIZE);
    assert_memory_equal(k.data, f.bytes, FIXTURE_SIZE);
    assert_int_equal(answer.received, FIXTURE_SIZE);
    kept_clear(&k);
}

/* Must run first: this process has made no request yet. */
static void no_libcurl_before_the_first_request(void **state)
{
    char line[1024];
    bool mapped = false;
    FILE *maps;
    net_source *src = fixture_source(&f, "/a.bin");
    (void)state;
    for (int pass = 0; pass < 2; pass++) {
        maps = fopen("/proc/self/maps", "r");
        assert_non_null(maps);
        mapped = false;
        while (fgets(line, sizeof line, maps) != NULL)
            mapped = mapped || strstr(line, "libcurl") != NULL;
        fclose(maps);
        assert_int_equal(mapped, pass == 1);
        if (pass == 0) {
            net_answer answer;
            assert_int_equal(net_client_requests(f.client), 0);
            assert_int_equal(net_source_stat(src, NULL, &answer, NULL), CISTERN_OK);
            assert_int_equal(net_client_requests(f.client), 1);
        }
    }
    net_source_free(src);
}

static void stat_tells_size_validators_and_names(void **state)
{
    net_answer answer;
    char shown[128];
    cistern_error err = CISTERN_ERROR_INIT;
    net_source *src = fixture_source(&f, "/a.bin?token=secret");
    (void)state;
    assert_ok(net_source_stat(src, NULL, &answer, &err), &err);
    assert_true(answer.stat.size_known);
    assert_int_equal(answer.stat.size, FIXTURE_SIZE);
    assert_true(answer.stat.accepts_ranges);
    assert_ptr_equal(net_stat_validator(&answer.stat), answer.stat.etag);
    assert_int_equal(answer.stat.etag[0], '"');
    assert_non_null(strstr(answer.stat.last_modified, "GMT"));
    assert_string_equal(answer.stat.content_type, "application/octet-stream");
    assert_string_equal(answer.stat.file_name, "a.bin");
    snprintf(shown, sizeof shown, "http://127.0.0.1:%d/a.bin", f.origin.port);
    assert_string_equal(answer.stat.final_url, shown);
    assert_string_equal(net_source_shown(src), shown);
    assert_int_equal(origin_process_count(&f.origin, NULL, "bytes"), 0);
    assert_int_equal(origin_process_count(&f.origin, "/a.bin", "head"), 1);
    net_source_free(src);
}

static void stat_falls_back_to_one_byte_when_head_is_refused(void **state)
{
    static const int codes[] = {403, 405, 501};
    net_source *src = fixture_source(&f, "/a.bin");
    (void)state;
    for (size_t i = 0; i < 3; i++) {
        char fault[64];
        net_answer answer;
        cistern_error err = CISTERN_ERROR_INIT;
        snprintf(fault, sizeof fault, "{\"/a.bin\":{\"head_status\":%d}}", codes[i]);
        origin_process_faults(&f.origin, fault);
        origin_process_reset(&f.origin);
        assert_ok(net_source_stat(src, NULL, &answer, &err), &err);
        assert_int_equal(answer.stat.size, FIXTURE_SIZE);
        assert_true(answer.stat.accepts_ranges);
        assert_int_equal(origin_process_count(&f.origin, "/a.bin", "bytes"), 1);
    }
    net_source_free(src);
}

static void stat_without_head_and_ranges_stops_after_the_head(void **state)
{
    net_answer answer;
    cistern_error err = CISTERN_ERROR_INIT;
    net_source *src = fixture_source(&f, "/a.bin");
    (void)state;
    origin_process_faults(
        &f.origin,
        "{\"/a.bin\":{\"head_status\":405,\"ignore_range\":true,\"no_accept_ranges\":true,\"rate\":200000}}");
    assert_ok(net_source_stat(src, NULL, &answer, &err), &err);
    assert_int_equal(answer.stat.size, FIXTURE_SIZE);
    assert_false(answer.stat.accepts_ranges);
    assert_true(origin_process_count(&f.origin, "/a.bin", "bytes") < (long long)FIXTURE_SIZE);
    net_source_free(src);
}

static void stat_of_an_empty_file_without_head(void **state)
{
    net_answer answer;
    cistern_error err = CISTERN_ERROR_INIT;
    net_source *src = fixture_source(&f, "/empty.bin");
    (void)state;
    fixture_write(&f.dir, "empty.bin", "", 0);
    origin_process_faults(&f.origin, "{\"/empty.bin\":{\"head_status\":405}}");
    assert_ok(net_source_stat(src, NULL, &answer, &err), &err);
    assert_true(answer.stat.size_known);
    assert_int_equal(answer.stat.size, 0);
    net_source_free(src);
}

static void weak_and_missing_etags_are_no_validators(void **state)
{
    net_answer answer;
    net_source *src = fixture_source(&f, "/a.bin");
    (void)state;
    origin_process_faults(&f.origin, "{\"/a.bin\":{\"etag\":\"weak\"}}");
    assert_int_equal(net_source_stat(src, NULL, &answer, NULL), CISTERN_OK);
    assert_memory_equal(answer.stat.etag, "W/\"", 3);
    assert_null(net_stat_validator(&answer.stat));
    origin_process_faults(&f.origin, "{\"/a.bin\":{\"etag\":\"none\"}}");
    assert_int_equal(net_source_stat(src, NULL, &answer, NULL), CISTERN_OK);
    assert_string_equal(answer.stat.etag, "");
    assert_null(net_stat_validator(&answer.stat));
    net_source_free(src);
}

static void reads_everything_and_ranges(void **state)
{
    static const net_range ranges[] = {{0, 0, FIXTURE_SIZE},
                                       {1000, 299999, FIXTURE_SIZE},
                                       {299999, 299999, 0},
                                       {5, NET_RANGE_END, FIXTURE_SIZE},
                                       {5, NET_RANGE_END, 0}};
    net_source *src = fixture_source(&f, "/a.bin");
    net_answer answer;
    (void)state;
    assert_reads_all(src);
    assert_int_equal(net_source_stat(src, NULL, &answer, NULL), CISTERN_OK);
    char etag[NET_ETAG_MAX], sent[NET_ETAG_MAX];
    snprintf(etag, sizeof etag, "%s", answer.stat.etag);
    for (size_t i = 0; i < sizeof ranges / sizeof ranges[0]; i++) {
        kept k = {0};
        cistern_error err = CISTERN_ERROR_INIT;
        size_t last = ranges[i].last == NET_RANGE_END ? FIXTURE_SIZE - 1 : (size_t)ranges[i].last;
        assert_ok(net_source_read(src, &ranges[i], etag, kept_sink, &k, NULL, &answer, &err), &err);
        assert_int_equal(answer.http_code, 206);
        assert_int_equal(k.n, last - ranges[i].first + 1);
        assert_memory_equal(k.data, f.bytes + ranges[i].first, k.n);
        assert_true(answer.stat.size_known);
        assert_int_equal(answer.stat.size, FIXTURE_SIZE);
        kept_clear(&k);
    }
    assert_true(origin_process_header(&f.origin, -1, "if-match", sent, sizeof sent));
    assert_string_equal(sent, etag);
    assert_false(origin_process_header(&f.origin, -1, "if-range", sent, sizeof sent));
    assert_true(origin_process_header(&f.origin, -1, "accept-encoding", sent, sizeof sent));
    assert_string_equal(sent, "identity");
    net_source_free(src);
}

static void an_empty_range_is_our_own_mistake(void **state)
{
    const net_range range = {5, 4, FIXTURE_SIZE};
    net_source *src = fixture_source(&f, "/a.bin");
    net_answer answer;
    (void)state;
    assert_int_equal(net_source_read(src, &range, NULL, kept_sink, NULL, NULL, &answer, NULL),
                     CISTERN_UNEXPECTED);
    assert_int_equal(origin_process_count(&f.origin, NULL, "requests"), 0);
    net_source_free(src);
}

static void one_connection_serves_many_requests(void **state)
{
    net_source *src = fixture_source(&f, "/a.bin");
    net_source *none = fixture_source(&f, "/none");
    net_answer answer;
    (void)state;
    for (int i = 0; i < 5; i++) {
        assert_reads_all(src);
        assert_int_equal(net_source_stat(src, NULL, &answer, NULL), CISTERN_OK);
        assert_int_equal(net_source_stat(none, NULL, &answer, NULL), CISTERN_NOT_FOUND);
    }
    assert_true(origin_process_count(&f.origin, NULL, "connections") <= 1);
    assert_int_equal(origin_process_count(&f.origin, NULL, "requests"), 15);
    net_source_free(src);
    net_source_free(none);
}

/* --- redirects ----------------------------------------------------------------------------------------------- */

static void ten_redirects_are_followed_eleven_are_not(void **state)
{
    net_answer answer;
    cistern_error err = CISTERN_ERROR_INIT;
    net_source *src = fixture_source(&f, "/a.bin");
    (void)state;
    origin_process_faults(&f.origin, "{\"/a.bin\":{\"redirect_chain\":10}}");
    assert_reads_all(src);
    assert_int_equal(origin_process_count(&f.origin, "/a.bin", "requests"), 11);
    origin_process_faults(&f.origin, "{\"/a.bin\":{\"redirect_chain\":11}}");
    assert_int_equal(net_source_stat(src, NULL, &answer, &err), CISTERN_NETWORK);
    assert_message(&err, "more than 10 redirects");
    assert_false(answer.transient);
    net_source_free(src);
}

static void a_redirect_loop_ends(void **state)
{
    net_answer answer;
    net_source *src = fixture_source(&f, "/a.bin");
    (void)state;
    origin_process_faults(&f.origin, "{\"/a.bin\":{\"redirect_loop\":true}}");
    assert_int_equal(net_source_stat(src, NULL, &answer, NULL), CISTERN_NETWORK);
    assert_false(answer.transient);
    assert_int_equal(origin_process_count(&f.origin, "/a.bin", "requests"), 11);
    net_source_free(src);
}

static void every_kind_of_redirect_is_followed_to_relative_addresses(void **state)
{
    static const int codes[] = {301, 302, 303, 307, 308};
    net_source *src = fixture_source(&f, "/d/old.pth");
    (void)state;
    for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++) {
        char fault[128];
        net_answer answer;
        snprintf(fault, sizeof fault,
                 "{\"/d/old.pth\":{\"redirect\":\"../a.bin?Signature=s\",\"redirect_status\":%d}}", codes[i]);
        origin_process_faults(&f.origin, fault);
        assert_reads_all(src);
        assert_int_equal(net_source_stat(src, NULL, &answer, NULL), CISTERN_OK);
        assert_non_null(strstr(answer.stat.final_url, "/a.bin"));
        assert_null(strstr(answer.stat.final_url, "Signature"));
        assert_string_equal(answer.stat.file_name, "old.pth");
    }
    net_source_free(src);
}

static void a_redirect_elsewhere_than_http_is_not_followed(void **state)
{
    static const char *const targets[] = {"file:///etc/passwd", "ftp://127.0.0.1/x", "gopher://127.0.0.1/x"};
    net_source *src = fixture_source(&f, "/a.bin");
    (void)state;
    for (size_t i = 0; i < 3; i++) {
        char fault[128];
        net_answer answer;
        cistern_error err = CISTERN_ERROR_INIT;
        snprintf(fault, sizeof fault, "{\"/a.bin\":{\"redirect\":\"%s\"}}", targets[i]);
        origin_process_faults(&f.origin, fault);
        assert_int_equal(net_source_stat(src, NULL, &answer, &err), CISTERN_NETWORK);
        assert_false(answer.transient);
    }
    net_source_free(src);
}

static void a_message_after_a_redirect_names_both_places_without_secrets(void **state)
{
    net_answer answer;
    cistern_error err = CISTERN_ERROR_INIT;
    net_source *src = fixture_source(&f, "/a.bin?sig=mine");
    (void)state;
    origin_process_faults(&f.origin, "{\"/a.bin\":{\"redirect\":\"/gone?X-Amz-Signature=theirs\"}}");
    assert_int_equal(net_source_stat(src, NULL, &answer, &err), CISTERN_NOT_FOUND);
    assert_message(&err, "/gone");
    assert_message(&err, "redirected from http://127.0.0.1");
    assert_message(&err, "/a.bin");
    assert_silent(&err, "theirs");
    assert_silent(&err, "mine");
    net_source_free(src);
}

/* --- credentials --------------------------------------------------------------------------------------------- */

static net_source *source_with_user(const char *user, const char *path)
{
    char host[128];
    snprintf(host, sizeof host, "%s@127.0.0.1", user);
    return fixture_source_at(f.client, "http", host, f.origin.port, path);
}

static void user_info_is_basic_authorisation_and_never_shown(void **state)
{
    net_answer answer;
    cistern_error err = CISTERN_ERROR_INIT;
    (void)state;
    origin_process_faults(&f.origin, "{\"/a.bin\":{\"require_auth\":\"me:pass w\"}}");
    net_source *good = source_with_user("me:pass%20w", "/a.bin");
    net_source *bad = source_with_user("me:hunter2", "/a.bin");
    net_source *none = fixture_source(&f, "/a.bin");
    assert_reads_all(good);
    assert_null(strstr(net_source_shown(good), "me"));
    assert_int_equal(net_source_stat(bad, NULL, &answer, &err), CISTERN_REFUSED);
    assert_message(&err, "401");
    assert_silent(&err, "hunter2");
    assert_false(answer.transient);
    assert_int_equal(net_source_stat(none, NULL, &answer, &err), CISTERN_REFUSED);
    net_source_free(good);
    net_source_free(bad);
    net_source_free(none);
}

static void credentials_do_not_follow_a_redirect_to_another_server(void **state)
{
    origin_process other;
    char fault[128], value[128];
    (void)state;
    origin_process_start(&other, f.dir.path, NULL);
    snprintf(fault, sizeof fault, "{\"/x\":{\"redirect\":\"http://127.0.0.1:%d/a.bin\"}}", other.port);
    origin_process_faults(&f.origin, fault);
    net_source *src = source_with_user("me:secret", "/x");
    assert_reads_all(src);
    assert_true(origin_process_header(&f.origin, -1, "authorization", value, sizeof value));
    assert_false(origin_process_header(&other, -1, "authorization", value, sizeof value));
    assert_false(origin_process_header(&other, -1, "cookie", value, sizeof value));
    net_source_free(src);
    /* to the same server they go along, and user info of a Location is not used */
    snprintf(fault, sizeof fault, "{\"/x\":{\"redirect\":\"http://evil:evil@127.0.0.1:%d/a.bin\"}}",
             f.origin.port);
    origin_process_faults(&f.origin, fault);
    src = source_with_user("me:secret", "/x");
    assert_reads_all(src);
    assert_true(origin_process_header(&f.origin, -1, "authorization", value, sizeof value));
    assert_string_equal(value, "Basic bWU6c2VjcmV0");
    net_source_free(src);
    origin_process_stop(&other);
}

static void cookies_are_not_kept(void **state)
{
    char value[128];
    net_source *src = fixture_source(&f, "/a.bin");
    (void)state;
    origin_process_faults(&f.origin, "{\"/a.bin\":{\"headers\":{\"Set-Cookie\":\"a=b\"}}}");
    assert_reads_all(src);
    assert_reads_all(src);
    assert_false(origin_process_header(&f.origin, -1, "cookie", value, sizeof value));
    net_source_free(src);
}

/* --- revalidation -------------------------------------------------------------------------------------------- */

static void revalidation_is_one_request_without_bytes(void **state)
{
    net_answer answer;
    net_stat before;
    cistern_error err = CISTERN_ERROR_INIT;
    net_source *src = fixture_source(&f, "/a.bin");
    (void)state;
    assert_ok(net_source_stat(src, NULL, &answer, &err), &err);
    before = answer.stat;
    origin_process_reset(&f.origin);
    assert_ok(net_source_revalidate(src, before.etag, before.last_modified, NULL, &answer, &err), &err);
    assert_true(answer.unchanged);
    assert_ok(net_source_revalidate(src, NULL, before.last_modified, NULL, &answer, &err), &err);
    assert_true(answer.unchanged);
    assert_int_equal(origin_process_count(&f.origin, "/a.bin", "not_modified"), 2);
    assert_int_equal(origin_process_count(&f.origin, NULL, "requests"), 2);
    assert_int_equal(origin_process_count(&f.origin, NULL, "bytes"), 0);
    assert_ok(net_source_revalidate(src, "\"another\"", NULL, NULL, &answer, &err), &err);
    assert_false(answer.unchanged);
    assert_string_equal(answer.stat.etag, before.etag);
    assert_int_equal(answer.stat.size, FIXTURE_SIZE);
    assert_ok(net_source_revalidate(src, NULL, "", NULL, &answer, &err), &err);
    assert_false(answer.unchanged);
    net_source_free(src);
}

static void revalidation_works_where_conditions_or_head_do_not(void **state)
{
    net_answer answer;
    char etag[NET_ETAG_MAX];
    net_source *src = fixture_source(&f, "/a.bin");
    (void)state;
    assert_int_equal(net_source_stat(src, NULL, &answer, NULL), CISTERN_OK);
    snprintf(etag, sizeof etag, "%s", answer.stat.etag);
    origin_process_faults(&f.origin, "{\"/a.bin\":{\"ignore_if_match\":true}}");
    assert_int_equal(net_source_revalidate(src, etag, NULL, NULL, &answer, NULL), CISTERN_OK);
    assert_true(answer.unchanged);
    origin_process_faults(&f.origin, "{\"/a.bin\":{\"head_status\":405}}");
    assert_int_equal(net_source_revalidate(src, etag, NULL, NULL, &answer, NULL), CISTERN_OK);
    assert_true(answer.unchanged);
    assert_int_equal(net_source_revalidate(src, "\"x\"", NULL, NULL, &answer, NULL), CISTERN_OK);
    assert_false(answer.unchanged);
    origin_process_faults(&f.origin, "{\"/a.bin\":{\"etag\":\"weak\"}}");
    assert_int_equal(net_source_stat(src, NULL, &answer, NULL), CISTERN_OK);
    snprintf(etag, sizeof etag, "%s", answer.stat.etag);
    assert_int_equal(net_source_revalidate(src, etag, NULL, NULL, &answer, NULL), CISTERN_OK);
    assert_true(answer.unchanged);
    net_source_free(src);
}

/* --- proxy --------------------------------------------------------------------------------------------------- */

static net_client *client_with_proxy(const char *proxy, const char *no_proxy)
{
    net_options options = fixture_options();
    net_client *client = NULL;
    options.proxy = proxy;
    options.no_proxy = no_proxy;
    options.tries = 1;
    assert_int_equal(net_client_new(&options, &client, NULL), CISTERN_OK);
    return client;
}

static void the_proxy_of_the_options_is_used_and_its_exceptions_are(void **state)
{
    char proxy[64];
    net_answer answer;
    (void)state;
    snprintf(proxy, sizeof proxy, "http://127.0.0.1:%d", f.origin.port);
    net_client *client = client_with_proxy(proxy, "127.0.0.1");
    net_source *far = fixture_source_at(client, "http", "models.invalid", 80, "/a.bin");
    net_source *near = fixture_source_at(client, "http", "127.0.0.1", f.origin.port, "/a.bin");
    assert_reads_all(far);
    assert_int_equal(origin_process_count(&f.origin, NULL, "proxied"), 1);
    assert_int_equal(net_source_stat(near, NULL, &answer, NULL), CISTERN_OK);
    assert_int_equal(origin_process_count(&f.origin, NULL, "proxied"), 1);
    net_source_free(far);
    net_source_free(near);
    net_client_free(client);
}

static void a_proxy_that_wants_a_password_says_so_and_gets_it(void **state)
{
    static const char *const args[] = {"--proxy-auth", "p:w", NULL};
    origin_process proxy;
    char url[64];
    net_answer answer;
    cistern_error err = CISTERN_ERROR_INIT;
    (void)state;
    origin_process_start(&proxy, f.dir.path, args);
    for (int tls = 0; tls < 2; tls++) { /* a plain request, and a tunnel */
        snprintf(url, sizeof url, "http://p:wrong@127.0.0.1:%d", proxy.port);
        net_client *client = client_with_proxy(url, NULL);
        net_source *src = fixture_source_at(client, tls ? "https" : "http", "models.invalid", 444, "/a.bin");
        assert_int_equal(net_source_stat(src, NULL, &answer, &err), CISTERN_REFUSED);
        assert_message(&err, "407");
        assert_silent(&err, "wrong");
        assert_false(answer.transient);
        net_source_free(src);
        net_client_free(client);
    }
    snprintf(url, sizeof url, "http://p:w@127.0.0.1:%d", proxy.port);
    net_client *client = client_with_proxy(url, NULL);
    net_source *src = fixture_source_at(client, "http", "models.invalid", 80, "/a.bin");
    assert_reads_all(src);
    net_source_free(src);
    net_client_free(client);
    origin_process_stop(&proxy);
}

static void no_proxy_is_taken_from_the_environment(void **state)
{
    net_source *src = fixture_source(&f, "/a.bin");
    (void)state;
    assert_int_equal(setenv("http_proxy", "http://127.0.0.1:1", 1), 0);
    assert_int_equal(setenv("all_proxy", "http://127.0.0.1:1", 1), 0);
    assert_reads_all(src);
    unsetenv("http_proxy");
    unsetenv("all_proxy");
    net_source_free(src);
}

/* --- threads ------------------------------------------------------------------------------------------------- */

#define THREADS 8

typedef struct part {
    net_source *src;
    net_range range;
    kept k;
    cistern_status status;
    cistern_error err;
} part;

static void *read_part(void *arg)
{
    part *p = arg;
    for (int i = 0; i < 3 && p->status == CISTERN_OK; i++) {
        net_answer answer;
        kept_clear(&p->k);
        p->status = net_source_read(p->src, &p->range, NULL, kept_sink, &p->k, NULL, &answer, &p->err);
    }
    return NULL;
}

static void eight_threads_read_one_source(void **state)
{
    pthread_t threads[THREADS];
    static part parts[THREADS];
    net_source *src = fixture_source(&f, "/a.bin");
    (void)state;
    for (size_t i = 0; i < THREADS; i++) {
        parts[i] = (part){.src = src, .range = {i * 30000, i * 30000 + 49999, FIXTURE_SIZE}};
        assert_int_equal(pthread_create(&threads[i], NULL, read_part, &parts[i]), 0);
    }
    for (size_t i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
        assert_ok(parts[i].status, &parts[i].err);
        assert_int_equal(parts[i].k.n, 50000);
        assert_memory_equal(parts[i].k.data, f.bytes + parts[i].range.first, 50000);
        kept_clear(&parts[i].k);
    }
    assert_int_equal(origin_process_count(&f.origin, NULL, "requests"), 3 * THREADS);
    assert_true(origin_process_count(&f.origin, NULL, "connections") <= THREADS);
    net_source_free(src);
}

typedef struct seen {
    unsigned calls, last;
    uint64_t done;
} seen;

static void see(void *user, const base_progress *p)
{
    seen *s = user;
    assert_true(p->done >= s->done || s->last > 0);
    assert_int_equal(p->total, FIXTURE_SIZE);
    assert_int_equal(p->resumed, 1000);
    s->calls++;
    s->last += p->last;
    s->done = p->done;
}

static void progress_is_told_and_ends_once(void **state)
{
    seen s = {0};
    kept k = {0};
    net_answer answer;
    const base_run run = {.progress = see, .progress_user = &s};
    const net_range range = {1000, FIXTURE_SIZE - 1, FIXTURE_SIZE};
    net_source *src = fixture_source(&f, "/a.bin");
    (void)state;
    origin_process_faults(&f.origin, "{\"/a.bin\":{\"rate\":600000}}");
    assert_int_equal(net_source_read(src, &range, NULL, kept_sink, &k, &run, &answer, NULL), CISTERN_OK);
    assert_true(s.calls >= 2);
    assert_int_equal(s.last, 1);
    assert_int_equal(s.done, FIXTURE_SIZE);
    kept_clear(&k);
    net_source_free(src);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(no_libcurl_before_the_first_request, no_faults),
        cmocka_unit_test_setup(stat_tells_size_validators_and_names, no_faults),
        cmocka_unit_test_setup(stat_falls_back_to_one_byte_when_head_is_refused, no_faults),
        cmocka_unit_test_setup(stat_without_head_and_ranges_stops_after_the_head, no_faults),
        cmocka_unit_test_setup(stat_of_an_empty_file_without_head, no_faults),
        cmocka_unit_test_setup(weak_and_missing_etags_are_no_validators, no_faults),
        cmocka_unit_test_setup(reads_everything_and_ranges, no_faults),
        cmocka_unit_test_setup(an_empty_range_is_our_own_mistake, no_faults),
        cmocka_unit_test_setup(one_connection_serves_many_requests, no_faults),
        cmocka_unit_test_setup(ten_redirects_are_followed_eleven_are_not, no_faults),
        cmocka_unit_test_setup(a_redirect_loop_ends, no_faults),
        cmocka_unit_test_setup(every_kind_of_redirect_is_followed_to_relative_addresses, no_faults),
        cmocka_unit_test_setup(a_redirect_elsewhere_than_http_is_not_followed, no_faults),
        cmocka_unit_test_setup(a_message_after_a_redirect_names_both_places_without_secrets, no_faults),
        cmocka_unit_test_setup(user_info_is_basic_authorisation_and_never_shown, no_faults),
        cmocka_unit_test_setup(credentials_do_not_follow_a_redirect_to_another_server, no_faults),
        cmocka_unit_test_setup(cookies_are_not_kept, no_faults),
        cmocka_unit_test_setup(revalidation_is_one_request_without_bytes, no_faults),
        cmocka_unit_test_setup(revalidation_works_where_conditions_or_head_do_not, no_faults),
        cmocka_unit_test_setup(the_proxy_of_the_options_is_used_and_its_exceptions_are, no_faults),
        cmocka_unit_test_setup(a_proxy_that_wants_a_password_says_so_and_gets_it, no_faults),
        cmocka_unit_test_setup(no_proxy_is_taken_from_the_environment, no_faults),
        cmocka_unit_test_setup(eight_threads_read_one_source, no_faults),
        cmocka_unit_test_setup(progress_is_told_and_ends_once, no_faults),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
