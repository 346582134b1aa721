#include "cistern_test.h"
#include "base_thread.h"
#include <signal.h>
#include <time.h>
#include <unistd.h>

static atomic_int handled;
static atomic_bool handled_in_worker;
static pthread_t worker_handle;

static void on_signal(int number)
{
    (void)number;
    atomic_fetch_add(&handled, 1);
    if (pthread_equal(pthread_self(), worker_handle))
        atomic_store(&handled_in_worker, true);
}

typedef struct worker_state {
    atomic_bool stop;
    atomic_bool all_blocked;
    int seen;
} worker_state;

static void *work(void *arg)
{
    worker_state *w = arg;
    sigset_t mask;
    pthread_sigmask(SIG_SETMASK, NULL, &mask);
    atomic_store(&w->all_blocked, sigismember(&mask, SIGINT) && sigismember(&mask, SIGTERM) &&
                                      sigismember(&mask, SIGUSR1) && sigismember(&mask, SIGWINCH));
    w->seen = 42;
    while (!atomic_load(&w->stop))
        base_sleep_ms(1);
    return NULL;
}

static void signals_stay_with_the_programs_own_threads(void **state)
{
    (void)state;
    cistern_error err = CISTERN_ERROR_INIT;
    worker_state w = {.seen = 0};
    base_thread t;
    struct sigaction act = {.sa_handler = on_signal}, before;
    sigset_t mask_before, mask_after;
    sigaction(SIGUSR1, &act, &before);
    pthread_sigmask(SIG_SETMASK, NULL, &mask_before);
    assert_ok(base_thread_start(&t, work, &w, &err), &err);
    worker_handle = t.handle;
    pthread_sigmask(SIG_SETMASK, NULL, &mask_after);
    assert_int_equal(sigismember(&mask_after, SIGUSR1), sigismember(&mask_before, SIGUSR1));
    for (int i = 0; i < 100; i++)
        kill(getpid(), SIGUSR1);
    atomic_store(&w.stop, true);
    base_thread_join(&t);
    assert_int_equal(w.seen, 42);
    assert_true(atomic_load(&w.all_blocked));
    assert_true(atomic_load(&handled) > 0);
    assert_false(atomic_load(&handled_in_worker));
    sigaction(SIGUSR1, &before, NULL);
}

static void time_only_goes_forward(void **state)
{
    (void)state;
    uint64_t last = base_monotonic_ms(), start = last;
    base_sleep_ms(30);
    for (int i = 0; i < 1000; i++) {
        uint64_t now = base_monotonic_ms();
        assert_true(now >= last);
        last = now;
    }
    assert_true(last - start >= 29);
}

static void the_time_is_rfc_3339_in_utc(void **state)
{
    (void)state;
    char text[24], extra;
    int year, month, day, hour, minute, second;
    base_time_text(text);
    assert_int_equal(strlen(text), 20);
    assert_int_equal(
        sscanf(text, "%4d-%2d-%2dT%2d:%2d:%2dZ%c", &year, &month, &day, &hour, &minute, &second, &extra), 6);
    assert_true(year >= 2024 && month >= 1 && month <= 12 && day >= 1 && day <= 31 && hour <= 23 &&
                minute <= 59 && second <= 60);
    assert_int_equal(text[19], 'Z');
}

static void a_token_cancels(void **state)
{
    (void)state;
    cistern_error err = CISTERN_ERROR_INIT;
    base_cancel cancel = {0};
    assert_false(base_cancelled(NULL));
    assert_ok(base_check_cancel(NULL, &err), &err);
    assert_false(base_cancelled(&cancel));
    assert_ok(base_check_cancel(&cancel, &err), &err);
    atomic_store(&cancel.set, 1);
    assert_true(base_cancelled(&cancel));
    assert_says(base_check_cancel(&cancel, &err), CISTERN_CANCELLED, &err, "interrupted");
}

typedef struct last_line {
    int calls, level;
    char text[4096];
} last_line;

static void keep_line(void *user, int level, const char *line)
{
    last_line *last = user;
    last->calls++;
    last->level = level;
    snprintf(last->text, sizeof last->text, "%s", line);
}

static void a_log_line_is_one_clean_line(void **state)
{
    (void)state;
    last_line last = {0};
    base_log log = {keep_line, &last};
    base_log_line(NULL, 0, "nobody listens %d", 1);
    base_log_line(&(base_log){0}, 0, "nobody listens");
    base_log_line(&log, 2, "two\nlines %s", "\033[0m");
    assert_int_equal(last.calls, 1);
    assert_int_equal(last.level, 2);
    assert_string_equal(last.text, "two\\x0alines \\x1b[0m");
    char large[8000];
    memset(large, 'x', sizeof large - 1);
    large[sizeof large - 1] = '\0';
    base_log_line(&log, 1, "%s", large);
    assert_int_equal(last.calls, 2);
    assert_true(strlen(last.text) > 1000);
}

static void a_signal_ends_a_sleep(void **state)
{
    (void)state;
    struct sigaction act = {.sa_handler = on_signal}, before;
    struct itimerspec soon = {.it_value = {.tv_nsec = 20000000}};
    struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1};
    timer_t timer;
    sigaction(SIGUSR1, &act, &before);
    assert_int_equal(timer_create(CLOCK_MONOTONIC, &event, &timer), 0);
    assert_int_equal(timer_settime(timer, 0, &soon, NULL), 0);
    base_sleep_ms(3600u * 1000); /* a failure is the test's time-out */
    timer_delete(timer);
    sigaction(SIGUSR1, &before, NULL);
}

/* From /proc, as the C library tells it only to programs that want more than POSIX. */
static long cpus_of_this_thread(void)
{
    char line[4096];
    long count = 0;
    FILE *file = fopen("/proc/thread-self/status", "r");
    assert_non_null(file);
    while (fgets(line, sizeof line, file)) {
        if (strncmp(line, "Cpus_allowed:", 13) != 0)
            continue;
        for (const char *digit = line + 13; *digit; digit++) {
            unsigned value = 0;
            if (sscanf(digit, "%1x", &value) == 1 && *digit != ' ' && *digit != '\t')
                for (; value; value >>= 1)
                    count += value & 1;
        }
    }
    fclose(file);
    return count;
}

typedef struct apart_state {
    base_cpus all;
    long allowed, settled; /* CPUs that the thread may use */
} apart_state;

static void *settle(void *arg)
{
    apart_state *a = arg;
    a->allowed = (long)cpus_of_this_thread();
    base_thread_settle(&a->all);
    a->settled = (long)cpus_of_this_thread();
    return NULL;
}

static void a_thread_apart_has_all_cpus_but_one_until_it_settles(void **state)
{
    (void)state;
    cistern_error err = CISTERN_ERROR_INIT;
    apart_state a = {.allowed = 0};
    long own = (long)cpus_of_this_thread();
    base_thread t;
    assert_ok(base_thread_start_apart(&t, settle, &a, &a.all, &err), &err);
    base_thread_join(&t);
    assert_int_equal(a.allowed, own > 1 ? own - 1 : own);
    assert_int_equal(a.settled, own);
    assert_int_equal((long)cpus_of_this_thread(), own); /* the caller's are as they were */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(signals_stay_with_the_programs_own_threads),
        cmocka_unit_test(a_thread_apart_has_all_cpus_but_one_until_it_settles),
        cmocka_unit_test(time_only_goes_forward),
        cmocka_unit_test(the_time_is_rfc_3339_in_utc),
        cmocka_unit_test(a_token_cancels),
        cmocka_unit_test(a_log_line_is_one_clean_line),
        cmocka_unit_test(a_signal_ends_a_sleep),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
