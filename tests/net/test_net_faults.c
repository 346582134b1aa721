/* Servers that fail, lie or fall silent: each fault has its status, and no wrong byte reaches the sink. */
#include <arpa/inet.h>
#include <pthread.h>
#include <signal.h>
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

/* What one attempt at /a.bin under a fault gave. */
typedef struct attempt {
    cistern_status status;
    net_answer answer;
    cistern_error err;
    kept k;
} attempt;

static void fault(const char *members)
{
    char json[512];
    snprintf(json, sizeof json, "{\"/a.bin\":{%s}}", members);
    origin_process_faults(&f.origin, json);
}

static attempt read_under(const char *members, const net_range *range, const char *validator)
{
    attempt a = {0};
    net_source *src = fixture_source(&f, "/a.bin");
    fault(members);
    a.status = net_source_read(src, range, validator, kept_sink, &a.k, NULL, &a.answer, &a.err);
    net_source_free(src);
    return a;
}

/* No byte came. */
static void assert_refused_at_once(attempt *a, cistern_status status, const char *words)
{
    if (a->status != status)
        fail_msg("%s, not %s: %s", cistern_status_name(a->status), cistern_status_name(status),
                 message(&a->err));
    assert_message(&a->err, words);
    assert_int_equal(a->k.calls, 0);
    assert_int_equal(a->answer.received, 0);
}

static char *etag_now(void)
{
    static char etag[NET_ETAG_MAX];
    net_answer answer;
    net_source *src = fixture_source(&f, "/a.bin");
    assert_int_equal(net_source_stat(src, NULL, &answer, NULL), CISTERN_OK);
    snprintf(etag, sizeof etag, "%s", answer.stat.etag);
    net_source_free(src);
    return etag;
}

static const net_range MIDDLE = {1000, 200999, FIXTURE_SIZE};

static void each_code_has_its_status(void **state)
{
    static const struct {
        int code;
        cistern_status status;
        bool transient;
    } rows[] = {
        {400, CISTERN_NETWORK, false},   {401, CISTERN_REFUSED, false},   {403, CISTERN_REFUSED, false},
        {404, CISTERN_NOT_FOUND, false}, {405, CISTERN_NETWORK, false},   {407, CISTERN_REFUSED, false},
        {408, CISTERN_NETWORK, true},    {410, CISTERN_NOT_FOUND, false}, {418, CISTERN_NETWORK, false},
        {429, CISTERN_NETWORK, true},    {451, CISTERN_REFUSED, false},   {500, CISTERN_NETWORK, true},
        {501, CISTERN_NETWORK, false},   {502, CISTERN_NETWORK, true},    {503, CISTERN_NETWORK, true},
        {504, CISTERN_NETWORK, true},    {599, CISTERN_NETWORK, true},    {204, CISTERN_NETWORK, false},
        {300, CISTERN_NETWORK, false}};
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char members[64], words[32];
        snprintf(members, sizeof members, "\"status\":%d", rows[i].code);
        snprintf(words, sizeof words, "HTTP %d", rows[i].code);
        attempt a = read_under(members, NULL, NULL);
        assert_refused_at_once(&a, rows[i].status, words);
        assert_int_equal(a.answer.transient, rows[i].transient);
        assert_int_equal(a.answer.http_code, rows[i].code);
        net_source *src = fixture_source(&f, "/a.bin");
        assert_int_equal(net_source_stat(src, NULL, &a.answer, NULL), rows[i].status);
        assert_int_equal(a.answer.transient, rows[i].transient);
        net_source_free(src);
    }
}

static void the_wish_of_retry_after_is_passed_on(void **state)
{
    (void)state;
    attempt a = read_under("\"status\":503,\"retry_after\":7", NULL, NULL);
    assert_int_equal(a.answer.retry_after_s, 7);
    a = read_under("\"status\":503", NULL, NULL);
    assert_int_equal(a.answer.retry_after_s, 0);
    a = read_under("\"status\":503,\"retry_after\":\"Fri, 31 Dec 2100 23:59:59 GMT\"", NULL, NULL);
    assert_true(a.answer.retry_after_s > 1000000);
    a = read_under("\"status\":503,\"retry_after\":\"soon\"", NULL, NULL);
    assert_int_equal(a.answer.retry_after_s, 0);
}

static void cut_in_the_body_is_worth_another_try(void **state)
{
    static const char *const faults[] = {"\"cut_after\":70000", "\"cut_after\":70000,\"chunked\":true",
                                         "\"connection_limit\":70000"};
    (void)state;
    for (size_t i = 0; i < 3; i++) {
        attempt a = read_under(faults[i], i == 1 ? NULL : &MIDDLE, NULL);
        assert_int_equal(a.status, CISTERN_NETWORK);
        assert_true(a.answer.transient);
        assert_int_equal(a.answer.received, 70000);
        assert_memory_equal(a.k.data, f.bytes + (i == 1 ? 0 : 1000), 70000);
        kept_clear(&a.k);
    }
}

static void range_ignored_by_server(void **state)
{
    (void)state;
    attempt a = read_under("\"ignore_range\":true", &MIDDLE, etag_now());
    assert_refused_at_once(&a, CISTERN_NETWORK, "everything");
    assert_true(a.answer.range_ignored);
    assert_false(a.answer.transient);
    assert_false(a.answer.changed);
    assert_int_equal(a.answer.stat.size, 0);
}

static void wrong_content_range_is_refused(void **state)
{
    static const char *const ranges[] = {
        "bytes 0-200000/300000",    "bytes 999-200999/300000",  "bytes 1001-201000/300000",
        "bytes 1000-200998/300000", "bytes 1000-201000/300000", "bytes */300000",
        "bytes 1000-200999",        "lines 1000-200999/300000", ""};
    (void)state;
    for (size_t i = 0; i < sizeof ranges / sizeof ranges[0]; i++) {
        char members[128];
        snprintf(members, sizeof members, "\"content_range\":\"%s\"", ranges[i]);
        attempt a = read_under(members, &MIDDLE, NULL);
        assert_refused_at_once(&a, CISTERN_NETWORK, "sent");
        assert_false(a.answer.transient);
    }
    attempt a = read_under("\"range_shift\":5", &MIDDLE, NULL);
    assert_refused_at_once(&a, CISTERN_NETWORK, "1005-201004");
}

static void another_total_is_a_change(void **state)
{
    (void)state;
    attempt a = read_under("\"content_range\":\"bytes 1000-200999/300001\"", &MIDDLE, NULL);
    assert_refused_at_once(&a, CISTERN_CONFLICT, "size has changed");
    assert_true(a.answer.changed);
    char *etag = etag_now(); /* with the same ETag it is a lie instead */
    a = read_under("\"content_range\":\"bytes 1000-200999/300001\"", &MIDDLE, etag);
    assert_refused_at_once(&a, CISTERN_NETWORK, "300001");
    assert_false(a.answer.changed);
}

static void changed_object_is_seen_by_if_match_and_by_etag(void **state)
{
    char etag[NET_ETAG_MAX];
    (void)state;
    snprintf(etag, sizeof etag, "%s", etag_now());
    attempt a = read_under("\"etag_changes_after\":0", &MIDDLE, etag);
    assert_refused_at_once(&a, CISTERN_CONFLICT, "replaced");
    assert_true(a.answer.changed);
    assert_int_equal(a.answer.http_code, 412);
    a = read_under("\"etag_changes_after\":0,\"ignore_if_match\":true", &MIDDLE, etag);
    assert_refused_at_once(&a, CISTERN_CONFLICT, "ETag has changed");
    assert_true(a.answer.changed);
    a = read_under("\"etag\":\"none\",\"ignore_if_match\":true", &MIDDLE, etag);
    assert_refused_at_once(&a, CISTERN_CONFLICT, "no longer told");
    a = read_under("\"etag\":\"weak\",\"ignore_if_match\":true", NULL, etag);
    assert_refused_at_once(&a, CISTERN_CONFLICT, "ETag has changed");
}

static void object_replaced_between_two_ranges(void **state)
{
    (void)state;
    uint8_t *other = fixture_bytes(FIXTURE_SIZE, 99);
    fixture_write(&f.dir, "b.bin", other, FIXTURE_SIZE);
    free(other);
    char etag[NET_ETAG_MAX];
    snprintf(etag, sizeof etag, "%s", etag_now());
    const net_range first = {0, 999, FIXTURE_SIZE};
    kept k = {0};
    net_answer answer;
    net_source *src = fixture_source(&f, "/a.bin");
    fault("\"replace_after\":1,\"replace_with\":\"b.bin\"");
    assert_int_equal(net_source_read(src, &first, etag, kept_sink, &k, NULL, &answer, NULL), CISTERN_OK);
    assert_int_equal(k.n, 1000);
    assert_int_equal(net_source_read(src, &MIDDLE, etag, kept_sink, &k, NULL, &answer, NULL),
                     CISTERN_CONFLICT);
    assert_true(answer.changed);
    assert_int_equal(k.n, 1000);
    kept_clear(&k);
    net_source_free(src);
}

static void range_behind_the_end_is_a_change(void **state)
{
    const net_range range = {FIXTURE_SIZE, FIXTURE_SIZE + 10, FIXTURE_SIZE + 11};
    (void)state;
    attempt a = read_under("", &range, NULL);
    assert_refused_at_once(&a, CISTERN_CONFLICT, "416");
    assert_true(a.answer.changed);
}

static void part_that_nobody_asked_for(void **state)
{
    (void)state;
    attempt a = read_under("\"status\":206", NULL, NULL);
    assert_refused_at_once(&a, CISTERN_NETWORK, "a part");
}

static void encoded_body_is_refused(void **state)
{
    net_answer answer;
    cistern_error err = CISTERN_ERROR_INIT;
    (void)state;
    attempt a = read_under("\"gzip\":true", NULL, NULL);
    assert_refused_at_once(&a, CISTERN_NETWORK, "gzip");
    assert_false(a.answer.transient);
    net_source *src = fixture_source(&f, "/a.bin");
    assert_int_equal(net_source_stat(src, NULL, &answer, &err), CISTERN_NETWORK);
    assert_message(&err, "gzip");
    net_source_free(src);
}

static void announced_length_that_is_a_lie(void **state)
{
    (void)state;
    attempt a = read_under("\"length_delta\":10", NULL, NULL); /* announces more than comes */
    assert_int_equal(a.status, CISTERN_NETWORK);
    assert_true(a.answer.transient);
    kept_clear(&a.k);
    a = read_under("\"length_delta\":10", &MIDDLE, NULL);
    assert_refused_at_once(&a, CISTERN_NETWORK, "announces");
    a = read_under("\"length_delta\":-10", &MIDDLE, NULL);
    assert_refused_at_once(&a, CISTERN_NETWORK, "announces");
}

static void body_without_a_length(void **state)
{
    (void)state;
    attempt a = read_under("\"chunked\":true", NULL, NULL);
    assert_int_equal(a.status, CISTERN_OK);
    assert_false(a.answer.stat.size_known);
    assert_true(a.answer.end_proven);
    assert_int_equal(a.k.n, FIXTURE_SIZE);
    kept_clear(&a.k);
    /* nobody can tell this from the end */
    a = read_under("\"close_delimited\":true,\"cut_after\":500", NULL, NULL);
    assert_int_equal(a.status, CISTERN_OK);
    assert_false(a.answer.end_proven);
    assert_int_equal(a.k.n, 500);
    kept_clear(&a.k);
    a = read_under("\"close_delimited\":true,\"cut_after\":500", &MIDDLE,
                   NULL); /* only the range knows better */
    assert_int_equal(a.status, CISTERN_NETWORK);
    assert_true(a.answer.transient);
    assert_true(a.answer.end_proven);
    assert_int_equal(a.answer.received, 500);
    kept_clear(&a.k);
}

/* A server that answers every request with `answer`, once per connection; ends when its listener is shut down. */
typedef struct raw_server {
    int listener, port;
    const char *answer;
    size_t length;
    pthread_t thread;
} raw_server;

static void *raw_serve(void *arg)
{
    raw_server *server = arg;
    char request[4096];
    for (int fd; (fd = accept(server->listener, NULL, NULL)) >= 0;) {
        if (read(fd, request, sizeof request) > 0 && write(fd, server->answer, server->length) < 0)
            perror("raw_serve");
        shutdown(fd, SHUT_WR);
        while (read(fd, request, sizeof request) > 0)
            continue;
        close(fd);
    }
    return NULL;
}

static void raw_start(raw_server *server, const char *answer, size_t length)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t n = sizeof address;
    server->answer = answer;
    server->length = length;
    server->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(server->listener, (struct sockaddr *)&address, n), 0);
    assert_int_equal(listen(server->listener, 8), 0);
    assert_int_equal(getsockname(server->listener, (struct sockaddr *)&address, &n), 0);
    server->port = ntohs(address.sin_port);
    assert_int_equal(pthread_create(&server->thread, NULL, raw_serve, server), 0);
}

static void raw_stop(raw_server *server)
{
    shutdown(server->listener, SHUT_RDWR);
    pthread_join(server->thread, NULL);
    close(server->listener);
}

static attempt read_raw(const char *text, const net_range *range)
{
    attempt a = {0};
    raw_server server;
    raw_start(&server, text, strlen(text));
    net_client *client = NULL;
    net_options options = fixture_options();
    assert_int_equal(net_client_new(&options, &client, NULL), CISTERN_OK);
    net_source *src = fixture_source_at(client, "http", "127.0.0.1", server.port, "/x");
    a.status = net_source_read(src, range, NULL, kept_sink, &a.k, NULL, &a.answer, &a.err);
    net_source_free(src);
    net_client_free(client);
    raw_stop(&server);
    return a;
}

static void bytes_beyond_the_range_are_refused(void **state)
{
    static const net_range range = {0, 4, 10};
    (void)state;
    attempt a = read_raw(
        "HTTP/1.1 206 OK\r\nContent-Range: bytes 0-4/10\r\nConnection: close\r\n\r\n0123456789", &range);
    assert_int_equal(a.status, CISTERN_NETWORK);
    assert_message(&a.err, "more than the 5 bytes");
    assert_true(a.k.n <= 5);
    kept_clear(&a.k);
    a = read_raw("HTTP/1.1 206 OK\r\nContent-Range: bytes 0-4/10\r\nConnection: close\r\n\r\n01234", &range);
    assert_int_equal(a.status, CISTERN_OK);
    assert_memory_equal(a.k.data, "01234", 5);
    kept_clear(&a.k);
}

static void answers_that_are_no_http(void **state)
{
    static const char *const texts[] = {"",
                                        "hello\r\n",
                                        "\x16\x03\x01\x02\x01\x01",
                                        "HTTP/1.1 abc\r\n\r\n",
                                        "HTTP/9.9 200 OK\r\n\r\nx",
                                        "HTTP/1.1 200 OK\r\nContent-Length: x\r\n"};
    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        attempt a = read_raw(texts[i], NULL);
        assert_int_equal(a.status, CISTERN_NETWORK);
        assert_int_equal(a.k.n, 0);
        kept_clear(&a.k);
    }
}

static void a_cut_error_page_is_still_the_error(void **state)
{
    (void)state;
    attempt a = read_raw("HTTP/1.1 404 Not Found\r\nContent-Length: 100\r\n\r\nshort", NULL);
    assert_refused_at_once(&a, CISTERN_NOT_FOUND, "404");
    assert_false(a.answer.transient);
}

static void endless_head_is_given_up(void **state)
{
    (void)state;
    size_t line = 1000, lines = 2000;
    char *text = malloc(line * lines + 64);
    size_t n = (size_t)sprintf(text, "HTTP/1.1 200 OK\r\n");
    for (size_t i = 0; i < lines; i++, n += line) {
        memset(text + n, 'a', line);
        memcpy(text + n, "X: ", 3);
        memcpy(text + n + line - 2, "\r\n", 2);
    }
    text[n] = '\0';
    attempt a = read_raw(text, NULL);
    assert_int_equal(a.status, CISTERN_NETWORK);
    assert_int_equal(a.k.calls, 0);
    free(text);
}

static void a_sink_that_refuses_ends_the_transfer_with_its_status(void **state)
{
    (void)state;
    attempt a = {.k = {.fail = CISTERN_NO_SPACE, .fail_at = 50000}};
    net_source *src = fixture_source(&f, "/a.bin");
    a.status = net_source_read(src, NULL, NULL, kept_sink, &a.k, NULL, &a.answer, &a.err);
    assert_int_equal(a.status, CISTERN_NO_SPACE);
    assert_message(&a.err, "the sink is full");
    assert_false(a.answer.transient);
    assert_true(a.answer.received <= 50000 && a.answer.received == a.k.n);
    kept_clear(&a.k);
    net_source_free(src);
}

/* --- nobody there -------------------------------------------------------------------------------------------- */

static attempt stat_at(const char *scheme, const char *host, int port)
{
    attempt a = {0};
    net_source *src = fixture_source_at(f.client, scheme, host, port, "/a.bin");
    a.status = net_source_stat(src, NULL, &a.answer, &a.err);
    net_source_free(src);
    return a;
}

static void unknown_host(void **state)
{
    (void)state;
    attempt a = stat_at("http", "no-such-host.invalid", 80);
    assert_int_equal(a.status, CISTERN_NETWORK);
    assert_message(&a.err, "no such host");
    assert_message(&a.err, "http://no-such-host.invalid/a.bin");
    assert_true(a.answer.transient);
    assert_int_equal(a.answer.http_code, 0);
}

/* A port of this machine where nobody listens (bound, so that nobody else takes it). */
static void refused_port(void **state)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t n = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    (void)state;
    assert_int_equal(bind(fd, (struct sockaddr *)&address, n), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &n), 0);
    attempt a = stat_at("http", "127.0.0.1", ntohs(address.sin_port));
    assert_int_equal(a.status, CISTERN_NETWORK);
    assert_message(&a.err, "no connection");
    assert_message(&a.err, "refused");
    assert_true(a.answer.transient);
    close(fd);
}

/* --- silence and cancelling ---------------------------------------------------------------------------------- */

static void silence_is_a_cut(void **state)
{
    static const char *const faults[] = {"\"stall_after\":1000", "\"stall_head\":true"};
    net_options options = fixture_options();
    net_client *impatient = NULL;
    (void)state;
    options.low_speed_seconds = 1;
    assert_int_equal(net_client_new(&options, &impatient, NULL), CISTERN_OK);
    for (size_t i = 0; i < 2; i++) {
        attempt a = {0};
        net_source *src = fixture_source_at(impatient, "http", "127.0.0.1", f.origin.port, "/a.bin");
        fault(faults[i]);
        a.status = net_source_read(src, &MIDDLE, NULL, kept_sink, &a.k, NULL, &a.answer, &a.err);
        assert_int_equal(a.status, CISTERN_NETWORK);
        assert_message(&a.err, "timed out");
        assert_true(a.answer.transient);
        assert_int_equal(a.answer.received, i == 0 ? 1000 : 0);
        kept_clear(&a.k);
        net_source_free(src);
    }
    net_client_free(impatient);
}

static base_cancel token;

static void *cancel_soon(void *arg)
{
    (void)arg;
    base_sleep_ms(300);
    atomic_store(&token.set, 1);
    return NULL;
}

static void cancel_ends_a_stalled_transfer(void **state)
{
    static const char *const faults[] = {"\"stall_after\":1000", "\"stall_head\":true"};
    const base_run run = {.cancel = &token};
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        attempt a = {0};
        pthread_t thread;
        net_source *src = fixture_source(&f, "/a.bin");
        fault(faults[i]);
        atomic_store(&token.set, 0);
        assert_int_equal(pthread_create(&thread, NULL, cancel_soon, NULL), 0);
        uint64_t before = base_monotonic_ms();
        a.status = net_source_read(src, NULL, NULL, kept_sink, &a.k, &run, &a.answer, &a.err);
        uint64_t after = base_monotonic_ms();
        pthread_join(thread, NULL);
        assert_int_equal(a.status, CISTERN_CANCELLED);
        assert_false(a.answer.transient);
        assert_true(after - before < 5000); /* silence would count as a cut after 30 s */
        kept_clear(&a.k);
        net_source_free(src);
    }
}

static void cancelled_before_it_began(void **state)
{
    const base_run run = {.cancel = &token};
    net_answer answer;
    net_source *src = fixture_source(&f, "/a.bin");
    (void)state;
    atomic_store(&token.set, 1);
    assert_int_equal(net_source_stat(src, &run, &answer, NULL), CISTERN_CANCELLED);
    assert_int_equal(origin_process_count(&f.origin, NULL, "requests"), 0);
    net_source_free(src);
}

static void the_program_keeps_its_signals(void **state)
{
    sigset_t before, after, pending;
    struct sigaction action;
    (void)state;
    pthread_sigmask(SIG_SETMASK, NULL, &before);
    attempt a = read_under("\"cut_after\":1000", NULL, NULL);
    kept_clear(&a.k);
    pthread_sigmask(SIG_SETMASK, NULL, &after);
    for (int s = 1; s <= 64; s++)
        assert_int_equal(sigismember(&before, s), sigismember(&after, s));
    assert_int_equal(sigaction(SIGPIPE, NULL, &action), 0);
    assert_true(action.sa_handler == SIG_DFL);
    assert_int_equal(sigpending(&pending), 0);
    assert_false(sigismember(&pending, SIGPIPE));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(each_code_has_its_status, no_faults),
        cmocka_unit_test_setup(the_wish_of_retry_after_is_passed_on, no_faults),
        cmocka_unit_test_setup(cut_in_the_body_is_worth_another_try, no_faults),
        cmocka_unit_test_setup(range_ignored_by_server, no_faults),
        cmocka_unit_test_setup(wrong_content_range_is_refused, no_faults),
        cmocka_unit_test_setup(another_total_is_a_change, no_faults),
        cmocka_unit_test_setup(changed_object_is_seen_by_if_match_and_by_etag, no_faults),
        cmocka_unit_test_setup(object_replaced_between_two_ranges, no_faults),
        cmocka_unit_test_setup(range_behind_the_end_is_a_change, no_faults),
        cmocka_unit_test_setup(part_that_nobody_asked_for, no_faults),
        cmocka_unit_test_setup(encoded_body_is_refused, no_faults),
        cmocka_unit_test_setup(announced_length_that_is_a_lie, no_faults),
        cmocka_unit_test_setup(body_without_a_length, no_faults),
        cmocka_unit_test(bytes_beyond_the_range_are_refused),
        cmocka_unit_test(answers_that_are_no_http),
        cmocka_unit_test(a_cut_error_page_is_still_the_error),
        cmocka_unit_test(endless_head_is_given_up),
        cmocka_unit_test_setup(a_sink_that_refuses_ends_the_transfer_with_its_status, no_faults),
        cmocka_unit_test(unknown_host),
        cmocka_unit_test(refused_port),
        cmocka_unit_test_setup(silence_is_a_cut, no_faults),
        cmocka_unit_test_setup(cancel_ends_a_stalled_transfer, no_faults),
        cmocka_unit_test_setup(cancelled_before_it_began, no_faults),
        cmocka_unit_test_setup(the_program_keeps_its_signals, no_faults),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
