/* Trying again: how often, how long between, what resets the count, what is never tried again. */
#include <pthread.h>
#include "base_thread.h"
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

static void fault(const char *members)
{
    char json[512];
    snprintf(json, sizeof json, "{\"/a.bin\":{%s}}", members);
    origin_process_faults(&f.origin, json);
}

static cistern_status stat_under(const char *members, net_answer *answer, cistern_error *err)
{
    net_source *src = fixture_source(&f, "/a.bin");
    fault(members);
    cistern_status status = net_retry_stat(src, NULL, answer, err);
    net_source_free(src);
    return status;
}

static long long requests(void)
{
    return origin_process_count(&f.origin, "/a.bin", "requests");
}

static void four_failures_are_survived_five_are_not(void **state)
{
    net_answer answer;
    cistern_error err = CISTERN_ERROR_INIT;
    (void)state;
    assert_ok(stat_under("\"status\":503,\"times\":4", &answer, &err), &err);
    assert_int_equal(requests(), 5);
    assert_int_equal(err.status, CISTERN_OK); /* nothing is left of what was survived */
    origin_process_reset(&f.origin);
    assert_int_equal(stat_under("\"status\":500", &answer, &err), CISTERN_NETWORK);
    assert_int_equal(requests(), 5);
    assert_message(&err, "given up after 5 tries");
    assert_message(&err, "HTTP 500");
}

static void what_lasts_is_asked_once(void **state)
{
    static const int codes[] = {401, 404, 410, 400, 418};
    net_answer answer;
    cistern_error err = CISTERN_ERROR_INIT;
    (void)state;
    for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++) {
        char members[64];
        snprintf(members, sizeof members, "\"status\":%d", codes[i]);
        origin_process_reset(&f.origin);
        assert_int_not_equal(stat_under(members, &answer, &err), CISTERN_OK);
        assert_int_equal(requests(), 1);
        assert_silent(&err, "tries");
    }
}

static void a_full_disk_is_not_tried_again(void **state)
{
    net_answer answer = {0};
    net_retry retry;
    net_options options = fixture_options();
    cistern_error err = CISTERN_ERROR_INIT;
    (void)state;
    net_retry_init(&retry, &options);
    kept k = {.fail = CISTERN_NO_SPACE, .fail_at = 10};
    net_source *src = fixture_source(&f, "/a.bin");
    cistern_status status = net_source_read(src, NULL, NULL, kept_sink, &k, NULL, &answer, &err);
    assert_int_equal(net_retry_wait(&retry, status, &answer, NULL, &err), CISTERN_NO_SPACE);
    net_source_free(src);
    kept_clear(&k);
}

/* --- waiting ------------------------------------------------------------------------------------------------- */

/* The waits that a log line tells, in tenths of a second. */
typedef struct waits {
    unsigned n, tenths[16];
    char line[2048];
} waits;

static void read_wait(void *user, int level, const char *line)
{
    waits *w = user;
    const char *at = strstr(line, "trying again in ");
    unsigned seconds = 0, tenths = 0;
    assert_int_equal(level, 1);
    assert_non_null(at);
    assert_int_equal(sscanf(at, "trying again in %u.%u s", &seconds, &tenths), 2);
    assert_true(w->n < 16);
    w->tenths[w->n++] = seconds * 10 + tenths;
    snprintf(w->line, sizeof w->line, "%s", line);
}

/* Fails `n` times with a cancel token that is set, so that nothing is really waited for. */
static waits waits_of(const net_options *options, unsigned n, unsigned retry_after_s)
{
    waits w = {0};
    net_retry retry;
    const base_log log = {read_wait, &w};
    base_cancel cancel = {1};
    const base_run run = {.cancel = &cancel, .log = &log};
    net_retry_init(&retry, options);
    for (unsigned i = 0; i < n; i++) {
        const net_answer answer = {.transient = true, .retry_after_s = retry_after_s};
        cistern_error err = {.status = CISTERN_NETWORK, .text = "it failed"};
        assert_int_equal(net_retry_wait(&retry, CISTERN_NETWORK, &answer, &run, &err), CISTERN_CANCELLED);
    }
    return w;
}

static void waits_double_with_jitter_up_to_a_limit(void **state)
{
    net_options options = NET_OPTIONS_INIT;
    (void)state;
    options.tries = 12;
    waits w = waits_of(&options, 10, 0);
    assert_int_equal(w.n, 10);
    unsigned middle = 5;
    for (unsigned i = 0; i < w.n; i++, middle *= 2) {
        unsigned wait = middle < 80 ? middle : 80;
        assert_in_range(w.tenths[i], wait / 2 - (wait / 2 > 0), wait + wait / 2);
        assert_true(w.tenths[i] <= 80);
    }
    assert_non_null(strstr(w.line, "it failed"));
    assert_non_null(strstr(w.line, "of 12"));
}

static void waits_of_many_differ(void **state)
{
    net_options options = NET_OPTIONS_INIT;
    bool differ = false;
    (void)state;
    waits first = waits_of(&options, 4, 0);
    for (int i = 0; i < 20 && !differ; i++) {
        waits other = waits_of(&options, 4, 0);
        differ = memcmp(first.tenths, other.tenths, sizeof first.tenths) != 0;
    }
    assert_true(differ);
}

static void the_server_s_wish_is_the_least_wait(void **state)
{
    net_options options = NET_OPTIONS_INIT;
    (void)state;
    waits w = waits_of(&options, 1, 42);
    assert_int_equal(w.tenths[0], 420);
    w = waits_of(&options, 1, 60);
    assert_int_equal(w.tenths[0], 600);
}

static void a_wish_beyond_the_limit_ends_the_tries(void **state)
{
    net_answer answer;
    cistern_error err = CISTERN_ERROR_INIT;
    (void)state;
    assert_int_equal(stat_under("\"status\":429,\"retry_after\":61", &answer, &err), CISTERN_NETWORK);
    assert_message(&err, "61 s");
    assert_message(&err, "429");
    assert_int_equal(requests(), 1);
}

static void retry_after_is_honoured(void **state)
{
    net_answer answer;
    cistern_error err = CISTERN_ERROR_INIT;
    (void)state;
    uint64_t before = base_monotonic_ms();
    assert_ok(stat_under("\"status\":503,\"times\":1,\"retry_after\":1", &answer, &err), &err);
    assert_true(base_monotonic_ms() - before >= 1000); /* our own wait would be 20 ms at most */
    assert_int_equal(requests(), 2);
}

static base_cancel token;

static void *cancel_soon(void *arg)
{
    (void)arg;
    base_sleep_ms(200);
    atomic_store(&token.set, 1);
    return NULL;
}

static void cancel_ends_a_wait(void **state)
{
    pthread_t thread;
    net_answer answer;
    cistern_error err = CISTERN_ERROR_INIT;
    const base_run run = {.cancel = &token};
    net_source *src = fixture_source(&f, "/a.bin");
    (void)state;
    fault("\"status\":503,\"retry_after\":50");
    assert_int_equal(pthread_create(&thread, NULL, cancel_soon, NULL), 0);
    uint64_t before = base_monotonic_ms();
    assert_int_equal(net_retry_stat(src, &run, &answer, &err), CISTERN_CANCELLED);
    assert_true(base_monotonic_ms() - before < 10000);
    pthread_join(thread, NULL);
    net_source_free(src);
}

/* --- resuming ------------------------------------------------------------------------------------------------ */

/* The way store copies: each try goes on where the last one ended. */
static cistern_status copy_with_retry(kept *k, const char *validator, cistern_error *err)
{
    net_retry retry;
    net_source *src = fixture_source(&f, "/a.bin");
    cistern_status status = CISTERN_OK;
    net_retry_init(&retry, src->options);
    while (status == CISTERN_OK && k->n < FIXTURE_SIZE) {
        const net_range range = {k->n, FIXTURE_SIZE - 1, FIXTURE_SIZE};
        net_answer answer;
        status = net_source_read(src, &range, validator, kept_sink, k, NULL, &answer, err);
        if (status != CISTERN_OK)
            status = net_retry_wait(&retry, status, &answer, NULL, err);
    }
    net_source_free(src);
    return status;
}

static void resume_after_cut(void **state)
{
    kept k = {0};
    net_answer answer;
    cistern_error err = CISTERN_ERROR_INIT;
    net_source *src = fixture_source(&f, "/a.bin");
    (void)state;
    assert_int_equal(net_source_stat(src, NULL, &answer, NULL), CISTERN_OK);
    net_source_free(src);
    fault("\"cut_after\":100000,\"cut_times\":2");
    assert_ok(copy_with_retry(&k, net_stat_validator(&answer.stat), &err), &err);
    assert_memory_equal(k.data, f.bytes, FIXTURE_SIZE);
    assert_int_equal(origin_process_count(&f.origin, "/a.bin", "get"), 3);
    assert_int_equal(origin_process_count(&f.origin, "/a.bin", "bytes"),
                     FIXTURE_SIZE); /* no byte came twice */
    kept_clear(&k);
}

static void progress_resets_the_count(void **state)
{
    kept k = {0};
    cistern_error err = CISTERN_ERROR_INIT;
    (void)state;
    fault("\"cut_after\":20000"); /* 15 tries, each with progress */
    assert_ok(copy_with_retry(&k, NULL, &err), &err);
    assert_memory_equal(k.data, f.bytes, FIXTURE_SIZE);
    assert_int_equal(origin_process_count(&f.origin, "/a.bin", "get"), 15);
    kept_clear(&k);
}

static void beginning_anew_at_the_same_cut_is_no_progress(void **state)
{
    net_retry retry;
    net_options options = fixture_options();
    (void)state;
    net_retry_init(&retry, &options);
    for (unsigned i = 1; i <= 6; i++) {
        /* The third attempt comes further than the first two, and counts as a first one again. */
        const net_answer answer = {.transient = true, .received = 100, .reached = i == 3 ? 101 : 100};
        cistern_error err = {.status = CISTERN_NETWORK, .text = "it failed"};
        assert_int_equal(net_retry_wait(&retry, CISTERN_NETWORK, &answer, NULL, &err), CISTERN_OK);
    }
    const net_answer answer = {.transient = true, .received = 100, .reached = 100};
    assert_int_equal(net_retry_wait(&retry, CISTERN_NETWORK, &answer, NULL, NULL), CISTERN_NETWORK);
}

static void change_between_tries_ends_them(void **state)
{
    kept k = {0};
    net_answer answer;
    cistern_error err = CISTERN_ERROR_INIT;
    net_source *src = fixture_source(&f, "/a.bin");
    (void)state;
    assert_int_equal(net_source_stat(src, NULL, &answer, NULL), CISTERN_OK);
    net_source_free(src);
    fault("\"cut_after\":1000,\"etag_changes_after\":1");
    assert_int_equal(copy_with_retry(&k, answer.stat.etag, &err), CISTERN_CONFLICT);
    assert_int_equal(k.n, 1000);
    assert_int_equal(origin_process_count(&f.origin, "/a.bin", "get"), 2);
    kept_clear(&k);
}

static void revalidation_is_tried_again(void **state)
{
    net_answer answer;
    cistern_error err = CISTERN_ERROR_INIT;
    net_source *src = fixture_source(&f, "/a.bin");
    (void)state;
    fault("\"status\":502,\"times\":2");
    assert_ok(net_retry_revalidate(src, "\"old\"", NULL, NULL, &answer, &err), &err);
    assert_false(answer.unchanged);
    assert_int_equal(requests(), 3);
    net_source_free(src);
}

static void document_begins_anew_after_a_cut_and_has_a_limit(void **state)
{
    base_buf buf;
    net_answer answer;
    cistern_error err = CISTERN_ERROR_INIT;
    net_source *src = fixture_source(&f, "/a.bin");
    (void)state;
    base_buf_init(&buf, FIXTURE_SIZE);
    fault("\"cut_after\":1000,\"cut_times\":4");
    assert_ok(net_retry_document(src, &buf, NULL, &answer, &err), &err);
    assert_int_equal(buf.len, FIXTURE_SIZE);
    assert_memory_equal(buf.data, f.bytes, FIXTURE_SIZE);
    base_buf_clear(&buf);
    fault("\"cut_after\":1000"); /* bytes that are thrown away are no progress */
    origin_process_reset(&f.origin);
    assert_int_equal(net_retry_document(src, &buf, NULL, &answer, &err), CISTERN_NETWORK);
    assert_int_equal(requests(), 5);
    base_buf_clear(&buf);
    base_buf_init(&buf, FIXTURE_SIZE - 1);
    fault("");
    assert_int_equal(net_retry_document(src, &buf, NULL, &answer, &err), CISTERN_DAMAGED);
    base_buf_clear(&buf);
    net_source_free(src);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(four_failures_are_survived_five_are_not, no_faults),
        cmocka_unit_test_setup(what_lasts_is_asked_once, no_faults),
        cmocka_unit_test_setup(a_full_disk_is_not_tried_again, no_faults),
        cmocka_unit_test(waits_double_with_jitter_up_to_a_limit),
        cmocka_unit_test(waits_of_many_differ),
        cmocka_unit_test(the_server_s_wish_is_the_least_wait),
        cmocka_unit_test_setup(a_wish_beyond_the_limit_ends_the_tries, no_faults),
        cmocka_unit_test_setup(retry_after_is_honoured, no_faults),
        cmocka_unit_test_setup(cancel_ends_a_wait, no_faults),
        cmocka_unit_test_setup(resume_after_cut, no_faults),
        cmocka_unit_test_setup(progress_resets_the_count, no_faults),
        cmocka_unit_test(beginning_anew_at_the_same_cut_is_no_progress),
        cmocka_unit_test_setup(change_between_tries_ends_them, no_faults),
        cmocka_unit_test_setup(revalidation_is_tried_again, no_faults),
        cmocka_unit_test_setup(document_begins_anew_after_a_cut_and_has_a_limit, no_faults),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
