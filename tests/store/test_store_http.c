/* Fetching from a real HTTP server that counts and misbehaves: the store and net together. */
#include <signal.h>
#include "net_http.h"
#include "origin_process.h"
#include "store_case.h"

#define MIB  ((size_t)1 << 20)
#define SIZE (12 * MIB + 345)

typedef struct http_case {
    store_case c; /* first: store_case's teardown frees it */
    origin_process origin;
    uint8_t *bytes;
    char www[2 * CASE_PATH];
    char url[128];
    base_digest digest;
    bool digest_known;
    store_fetch_got got;
    cistern_error error;
} http_case;

static int http_setup(void **state)
{
    http_case *h = calloc(1, sizeof *h);
    char path[4 * CASE_PATH];
    case_make(&h->c);
    assert_ok(store_init(h->c.root, STORE_HOME, STORE_SHARING_USER, &h->c.options, &h->c.s, NULL, err));
    snprintf(h->www, sizeof h->www, "%s/www", h->c.top);
    assert_int_equal(mkdir(h->www, 0700), 0);
    h->bytes = case_bytes(SIZE, 1);
    snprintf(path, sizeof path, "%s/a.bin", h->www);
    case_write(path, h->bytes, SIZE);
    h->digest = case_digest(h->bytes, SIZE);
    origin_process_start(&h->origin, h->www, NULL);
    snprintf(h->url, sizeof h->url, "http://127.0.0.1:%d/a.bin", h->origin.port);
    *state = h;
    return 0;
}

static int http_teardown(void **state)
{
    http_case *h = *state;
    origin_process_stop(&h->origin);
    free(h->bytes);
    return case_teardown(state);
}

/* One command: the claim, a look, the fetch. */
static cistern_status pull(http_case *h)
{
    net_options options = NET_OPTIONS_INIT;
    net_client *client = NULL;
    net_source *source = NULL;
    store_fetch *fetch = NULL;
    store_fetch_want want = STORE_FETCH_WANT_INIT;
    base_digest key;
    cistern_error *err = &h->error;
    bool here = false;
    *err = (cistern_error)CISTERN_ERROR_INIT;
    memset(&h->got, 0, sizeof h->got);
    options.backoff_first_ms = 1;
    options.backoff_max_ms = 5;
    want.piece = 2 * MIB;
    want.sha256 = h->digest_known ? &h->digest : NULL;
    cistern_status status = net_client_new(&options, &client, err);
    if (status == CISTERN_OK)
        status = net_http_source_new(client, h->url, &source, err);
    if (status == CISTERN_OK)
        status = store_fetch_key(want.sha256, h->url, &key, err);
    while (status == CISTERN_OK && !here) {
        status = store_fetch_begin(h->c.s, &key, STORE_WAIT_FOREVER, NULL, &fetch, err);
        if (status == CISTERN_OK)
            status = store_blob_has(h->c.s, &h->digest, SIZE, &here, err);
        if (!fetch)
            continue;
        if (status == CISTERN_OK && !here)
            status = store_fetch_copy(fetch, source, &want, NULL, &h->got, err);
        if (status == CISTERN_OK && !here)
            status = store_fetch_publish(fetch, NULL, err);
        store_fetch_end(fetch, status, err);
        fetch = NULL;
        break;
    }
    net_source_free(source);
    net_client_free(client);
    return status;
}

static void assert_pulled(http_case *h)
{
    if (pull(h) != CISTERN_OK)
        case_fail("pull", &h->error);
    assert_true(case_has_blob(&h->c, h->bytes, SIZE));
    assert_int_equal(case_partials(&h->c), 0);
}

static long long sent(const http_case *h)
{
    return origin_process_count(&h->origin, "/a.bin", "bytes");
}

static void ranges_come_in_once(void **state)
{
    http_case *h = *state;
    assert_pulled(h);
    assert_int_equal(sent(h), SIZE);
    assert_int_equal(origin_process_count(&h->origin, "/a.bin", "ranged"), 7);
    assert_int_equal(origin_process_count(&h->origin, "/a.bin", "head"), 1);
    assert_int_equal(h->got.transferred, SIZE);
    assert_true(h->got.stat.etag[0] == '"');
}

static int pull_in_child(void *arg)
{
    return (int)pull(arg);
}

static void eight_processes_make_one_transfer(void **state)
{
    http_case *h = *state;
    pid_t pid[8];
    origin_process_faults(&h->origin, "{\"/a.bin\":{\"rate\":12000000}}");
    fflush(NULL);
    for (int i = 0; i < 8; i++) {
        pid[i] = fork();
        if (pid[i] == 0)
            _exit(pull_in_child(h));
    }
    for (int i = 0; i < 8; i++) {
        int status;
        waitpid(pid[i], &status, 0);
        assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    }
    assert_int_equal(sent(h), SIZE);
    assert_true(case_has_blob(&h->c, h->bytes, SIZE));
}

/* Killed again and again, it still comes to an end, and what is certain is not sent twice. */
static void killed_and_resumed(void **state)
{
    http_case *h = *state;
    int kills = 0;
    /* Each answer stands still in the middle of its piece: no round comes to the end, however late it is killed. */
    origin_process_faults(&h->origin, "{\"/a.bin\":{\"rate\":2000000,\"stall_after\":600000}}");
    for (int round = 0; round < 4; round++) {
        fflush(NULL);
        pid_t pid = fork();
        if (pid == 0)
            _exit(pull_in_child(h));
        long long before = sent(h);
        for (int i = 0; i < 6000 && sent(h) < before + (long long)(2 * MIB); i++)
            base_sleep_ms(20);
        kill(pid, SIGKILL);
        int status;
        waitpid(pid, &status, 0);
        kills += WIFSIGNALED(status);
    }
    assert_int_equal(kills, 4);
    origin_process_faults(&h->origin, "{}");
    assert_pulled(h);
    assert_true(h->got.resumed > 0);
    /* For each kill: four connections with a record of at most 256 KiB or 50 ms, and what lay in socket buffers. */
    assert_true(h->got.transferred + h->got.resumed == SIZE);
    assert_true(h->got.resumed >= 2 * MIB);
}

static void cuts_are_tried_again_from_there(void **state)
{
    http_case *h = *state;
    origin_process_faults(&h->origin, "{\"/a.bin\":{\"cut_after\":500000,\"cut_times\":5}}");
    assert_pulled(h);
    assert_int_equal(h->got.transferred, SIZE);
}

static void range_ignored_is_one_plain_request(void **state)
{
    http_case *h = *state;
    origin_process_faults(&h->origin, "{\"/a.bin\":{\"ignore_range\":true}}");
    assert_pulled(h);
    assert_int_equal(h->got.transferred, SIZE);
}

static void no_or_weak_etag_is_one_plain_request(void **state)
{
    http_case *h = *state;
    static const char *const faults[] = {"{\"/a.bin\":{\"etag\":\"none\"}}",
                                         "{\"/a.bin\":{\"etag\":\"weak\"}}"};
    for (int i = 0; i < 2; i++) {
        char path[2 * CASE_PATH];
        origin_process_faults(&h->origin, faults[i]);
        origin_process_reset(&h->origin);
        assert_pulled(h);
        assert_int_equal(origin_process_count(&h->origin, "/a.bin", "get"), 1);
        assert_int_equal(origin_process_count(&h->origin, "/a.bin", "ranged"), 0);
        case_blob_name(&h->c, &h->digest, path);
        assert_int_equal(unlink(path), 0);
    }
}

static void no_etag_but_a_known_digest_comes_in_ranges(void **state)
{
    http_case *h = *state;
    h->digest_known = true;
    origin_process_faults(&h->origin, "{\"/a.bin\":{\"etag\":\"none\"}}");
    assert_pulled(h);
    assert_int_equal(origin_process_count(&h->origin, "/a.bin", "ranged"), 7);
}

static void replaced_midway_is_a_clean_restart(void **state)
{
    http_case *h = *state;
    char path[4 * CASE_PATH];
    uint8_t *other = case_bytes(SIZE - 1000, 2);
    snprintf(path, sizeof path, "%s/b.bin", h->www);
    case_write(path, other, SIZE - 1000);
    origin_process_faults(&h->origin, "{\"/a.bin\":{\"replace_after\":4,\"replace_with\":\"b.bin\"}}");
    if (pull(h) != CISTERN_OK)
        case_fail("pull", &h->error);
    assert_true(case_has_blob(&h->c, other, SIZE - 1000));
    assert_false(case_has_blob(&h->c, h->bytes, SIZE));
    assert_int_equal(case_partials(&h->c), 0);
    free(other);
}

static void chunked_and_close_delimited_bodies(void **state)
{
    http_case *h = *state;
    static const char *const faults[] = {"{\"/a.bin\":{\"chunked\":true,\"etag\":\"none\"}}",
                                         "{\"/a.bin\":{\"close_delimited\":true,\"etag\":\"none\"}}"};
    for (int i = 0; i < 2; i++) {
        char path[2 * CASE_PATH];
        origin_process_faults(&h->origin, faults[i]);
        assert_pulled(h);
        case_blob_name(&h->c, &h->digest, path);
        assert_int_equal(unlink(path), 0);
    }
}

static void flipped_bit_is_found_by_the_digest(void **state)
{
    http_case *h = *state;
    h->digest_known = true;
    origin_process_faults(&h->origin, "{\"/a.bin\":{\"flip\":[7000000]}}");
    assert_int_equal(pull(h), CISTERN_DAMAGED);
    assert_non_null(strstr(h->error.text, "expected; nothing was stored"));
    assert_int_equal(case_partials(&h->c), 0);
    assert_int_equal(case_entries(&h->c, "blobs"), 0);
}

static void http_failures_have_their_status(void **state)
{
    http_case *h = *state;
    static const struct {
        const char *fault;
        cistern_status status;
    } failures[] = {
        {"{\"/a.bin\":{\"status\":404}}", CISTERN_NOT_FOUND},
        {"{\"/a.bin\":{\"status\":403}}", CISTERN_REFUSED},
        {"{\"/a.bin\":{\"status\":500}}", CISTERN_NETWORK},
        {"{\"/a.bin\":{\"methods\":[\"GET\"],\"status\":404}}", CISTERN_NOT_FOUND},
        {"{\"/a.bin\":{\"range_shift\":1}}", CISTERN_NETWORK},
        {"{\"/a.bin\":{\"gzip\":true,\"etag\":\"none\"}}", CISTERN_NETWORK},
        {"{\"/a.bin\":{\"length_delta\":10,\"etag\":\"none\"}}", CISTERN_NETWORK},
    };
    for (size_t i = 0; i < sizeof failures / sizeof failures[0]; i++) {
        origin_process_faults(&h->origin, failures[i].fault);
        cistern_status status = pull(h);
        if (status != failures[i].status)
            fail_msg("%s: %s: %s", failures[i].fault, cistern_status_name(status), h->error.text);
        assert_int_equal(case_entries(&h->c, "blobs"), 0);
        assert_int_equal(case_partials(&h->c), 0);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, http_setup, http_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(ranges_come_in_once),
        TEST(eight_processes_make_one_transfer),
        TEST(killed_and_resumed),
        TEST(cuts_are_tried_again_from_there),
        TEST(range_ignored_is_one_plain_request),
        TEST(no_or_weak_etag_is_one_plain_request),
        TEST(no_etag_but_a_known_digest_comes_in_ranges),
        TEST(replaced_midway_is_a_clean_restart),
        TEST(chunked_and_close_delimited_bodies),
        TEST(flipped_bit_is_found_by_the_digest),
        TEST(http_failures_have_their_status),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
