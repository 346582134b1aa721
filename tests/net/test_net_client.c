/* The client: its copy of the options, its first requests, its counter. */
#include <pthread.h>
#include <signal.h>
#include <time.h>
#include "net_fixture.h"
#include "priv/net_curl.h"

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

#define THREADS 8

static pthread_barrier_t together;

static void *first_request(void *arg)
{
    net_client *client = NULL;
    net_answer answer;
    net_options options = fixture_options();
    (void)arg;
    if (net_client_new(&options, &client, NULL) != CISTERN_OK)
        return NULL;
    net_source *src = fixture_source_at(client, "http", "127.0.0.1", f.origin.port, "/a.bin");
    pthread_barrier_wait(&together);
    cistern_status status = net_source_stat(src, NULL, &answer, NULL);
    net_source_free(src);
    net_client_free(client);
    return status == CISTERN_OK && answer.stat.size == FIXTURE_SIZE ? arg : NULL;
}

/* Must run first: libcurl is loaded once for all of them. */
static void eight_clients_make_their_first_requests_at_once(void **state)
{
    pthread_t threads[THREADS];
    (void)state;
    pthread_barrier_init(&together, NULL, THREADS);
    for (size_t i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, first_request, &f), 0);
    for (size_t i = 0; i < THREADS; i++) {
        void *good = NULL;
        pthread_join(threads[i], &good);
        assert_ptr_equal(good, &f);
    }
    pthread_barrier_destroy(&together);
}

static void options_are_copied(void **state)
{
    char agent[] = "tester/1", value[64];
    net_options options = fixture_options();
    net_client *client = NULL;
    net_answer answer;
    (void)state;
    options.user_agent = agent;
    assert_int_equal(net_client_new(&options, &client, NULL), CISTERN_OK);
    memset(agent, 'x', sizeof agent - 1);
    net_source *src = fixture_source_at(client, "http", "127.0.0.1", f.origin.port, "/a.bin");
    assert_int_equal(net_source_stat(src, NULL, &answer, NULL), CISTERN_OK);
    assert_true(origin_process_header(&f.origin, -1, "user-agent", value, sizeof value));
    assert_string_equal(value, "tester/1");
    net_source_free(src);
    net_client_free(client);
}

static void options_of_an_older_caller_are_filled_up(void **state)
{
    net_options options = NET_OPTIONS_INIT;
    net_client *client = NULL;
    (void)state;
    options.tries = 3;
    options.low_speed_seconds = 7;
    options.size = offsetof(net_options, low_speed_seconds);
    assert_int_equal(net_client_new(&options, &client, NULL), CISTERN_OK);
    assert_int_equal(net_client_options(client)->tries, 3);
    assert_int_equal(net_client_options(client)->low_speed_seconds, 30);
    net_client_free(client);
    net_client_free(NULL);
    net_source_free(NULL);
}

static void every_redirect_and_every_try_counts_as_a_request(void **state)
{
    net_answer answer;
    net_source *src = fixture_source(&f, "/a.bin");
    (void)state;
    uint64_t before = net_client_requests(f.client);
    origin_process_reset(&f.origin);
    origin_process_faults(&f.origin, "{\"/a.bin\":{\"redirect_chain\":3,\"status\":503,\"times\":2}}");
    assert_int_equal(net_retry_stat(src, NULL, &answer, NULL), CISTERN_OK);
    assert_int_equal(net_client_requests(f.client) - before, 6);
    assert_int_equal(origin_process_count(&f.origin, NULL, "requests"), 6);
    net_source_free(src);
}

static void a_url_that_is_none_makes_no_source(void **state)
{
    net_source *src = NULL;
    cistern_error err = CISTERN_ERROR_INIT;
    (void)state;
    assert_says(net_http_source_new(f.client, "ftp://h/x", &src, &err), CISTERN_USAGE, &err, "http://");
    assert_null(src);
}

/* raise() reaches this thread, as a write to a closed socket does. */
static void a_broken_pipe_meanwhile_is_swallowed_an_older_one_is_not(void **state)
{
    net_signals signals;
    sigset_t pipe, pending, before;
    (void)state;
    net_signals_block(&signals);
    raise(SIGPIPE);
    net_signals_restore(&signals); /* the default action would end the program here */
    sigpending(&pending);
    assert_false(sigismember(&pending, SIGPIPE));

    sigemptyset(&pipe);
    sigaddset(&pipe, SIGPIPE);
    pthread_sigmask(SIG_BLOCK, &pipe, &before);
    raise(SIGPIPE);
    net_signals_block(&signals);
    net_signals_restore(&signals);
    sigpending(&pending);
    assert_true(sigismember(&pending, SIGPIPE));
    assert_int_equal(sigtimedwait(&pipe, NULL, &(struct timespec){0, 0}), SIGPIPE);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(eight_clients_make_their_first_requests_at_once),
        cmocka_unit_test(options_are_copied),
        cmocka_unit_test(options_of_an_older_caller_are_filled_up),
        cmocka_unit_test(every_redirect_and_every_try_counts_as_a_request),
        cmocka_unit_test(a_broken_pipe_meanwhile_is_swallowed_an_older_one_is_not),
        cmocka_unit_test(a_url_that_is_none_makes_no_source),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
