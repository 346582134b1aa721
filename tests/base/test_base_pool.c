#include "cistern_test.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>

#include "base_pool.h"

#define JOBS 1000

typedef struct counting {
    atomic_int done[JOBS];
    size_t plain[JOBS]; /* written without atomics: visible after base_pool_run */
    atomic_int busy[BASE_POOL_THREADS_MAX];
    atomic_int clashes;
    atomic_int unblocked;
} counting;

static void count_job(void *user, size_t job, unsigned thread)
{
    counting *c = user;
    sigset_t set;
    if (atomic_fetch_add(&c->busy[thread], 1) != 0) {
        atomic_fetch_add(&c->clashes, 1);
    }
    atomic_fetch_add(&c->done[job], 1);
    c->plain[job] += job;
    pthread_sigmask(SIG_BLOCK, NULL, &set);
    if (thread > 0 &&
        !(sigismember(&set, SIGINT) && sigismember(&set, SIGTERM) && sigismember(&set, SIGCHLD))) {
        atomic_fetch_add(&c->unblocked, 1);
    }
    atomic_fetch_sub(&c->busy[thread], 1);
}

static base_pool *pool_of(unsigned threads)
{
    cistern_error err = CISTERN_ERROR_INIT;
    base_pool *pool;
    assert_ok(base_pool_new(threads, &pool, &err), &err);
    return pool;
}

static void run_and_check(base_pool *pool, size_t jobs, int rounds)
{
    counting *c = calloc(1, sizeof(*c));
    assert_non_null(c);
    for (int i = 0; i < rounds; i++) {
        base_pool_run(pool, count_job, c, jobs);
    }
    for (size_t i = 0; i < JOBS; i++) {
        assert_int_equal(atomic_load(&c->done[i]), i < jobs ? rounds : 0);
        assert_int_equal(c->plain[i], i < jobs ? i * (size_t)rounds : 0);
    }
    assert_int_equal(atomic_load(&c->clashes), 0);
    assert_int_equal(atomic_load(&c->unblocked), 0);
    free(c);
}

static void each_job_runs_once(void **state)
{
    (void)state;
    for (unsigned threads = 1; threads < 9; threads++) {
        base_pool *pool = pool_of(threads);
        assert_int_equal(base_pool_threads(pool), threads);
        run_and_check(pool, JOBS, 20);
        run_and_check(pool, 2, 500);
        run_and_check(pool, 1, 3);
        run_and_check(pool, 0, 3);
        base_pool_free(pool);
    }
}

static void without_a_pool_the_caller_works(void **state)
{
    (void)state;
    run_and_check(NULL, 17, 2);
    assert_int_equal(base_pool_threads(NULL), 1);
    base_pool_free(NULL);
}

static void default_is_at_least_one_thread(void **state)
{
    (void)state;
    base_pool *pool = pool_of(0);
    assert_in_range(base_pool_threads(pool), 1, BASE_POOL_THREADS_MAX);
    run_and_check(pool, 50, 10);
    base_pool_free(pool);
}

/* Sleeping threads are woken; those that found nothing do no harm. */
static void work_after_a_long_rest(void **state)
{
    (void)state;
    base_pool *pool = pool_of(4);
    for (int i = 0; i < 20; i++) {
        base_sleep_ms(2);
        run_and_check(pool, 64, 1);
    }
    base_pool_free(pool);
}

static void *caller(void *pool)
{
    run_and_check(pool, 100, 200);
    return NULL;
}

static void callers_take_turns(void **state)
{
    (void)state;
    base_pool *pool = pool_of(3);
    base_thread threads[4];
    for (size_t i = 0; i < 4; i++) {
        assert_ok(base_thread_start(&threads[i], caller, pool, NULL), NULL);
    }
    for (size_t i = 0; i < 4; i++) {
        base_thread_join(&threads[i]);
    }
    base_pool_free(pool);
}

static void freed_at_once(void **state)
{
    (void)state;
    for (int i = 0; i < 50; i++) {
        base_pool_free(pool_of(4));
    }
}

#define STEPS 200

typedef struct aside {
    atomic_int begun[STEPS];
    atomic_int ended;
    atomic_bool hold; /* steps wait while it is set */
    atomic_int last;
    atomic_int out_of_order;
} aside;

static void aside_step(void *user, size_t step)
{
    aside *a = user;
    if (atomic_exchange(&a->last, (int)step) > (int)step) {
        atomic_fetch_add(&a->out_of_order, 1);
    }
    atomic_fetch_add(&a->begun[step], 1);
    while (atomic_load(&a->hold)) {
        base_sleep_ms(1);
    }
    atomic_fetch_add(&a->ended, 1);
}

static void wait_for_ended(aside *a, int count)
{
    while (atomic_load(&a->ended) < count) {
        base_sleep_ms(1);
    }
}

static void steps_beside_run_once_and_in_order(void **state)
{
    (void)state;
    for (unsigned threads = 2; threads < 5; threads++) {
        base_pool *pool = pool_of(threads);
        for (int round = 0; round < 3; round++) {
            aside a = {.last = -1};
            base_pool_beside(pool, aside_step, &a, STEPS);
            run_and_check(pool, 64, 20); /* rounds and steps take turns */
            wait_for_ended(&a, STEPS);
            base_pool_beside_end(pool, &a);
            for (size_t i = 0; i < STEPS; i++) {
                assert_int_equal(atomic_load(&a.begun[i]), 1);
            }
            if (threads == 2) {
                assert_int_equal(atomic_load(&a.out_of_order), 0);
            }
        }
        base_pool_free(pool);
    }
}

/* Every other thread is in a step that does not end: the caller does the round by itself. */
static void no_round_waits_for_a_step_beside(void **state)
{
    (void)state;
    base_pool *pool = pool_of(2);
    aside a = {.hold = true, .last = -1};
    base_pool_beside(pool, aside_step, &a, STEPS);
    while (atomic_load(&a.begun[0]) == 0) {
        base_sleep_ms(1);
    }
    run_and_check(pool, 64, 5);
    assert_int_equal(atomic_load(&a.ended), 0);
    atomic_store(&a.hold, false);
    base_pool_beside_end(pool, &a);
    base_pool_free(pool);
}

static void after_its_end_no_step_beside_runs(void **state)
{
    (void)state;
    base_pool *pool = pool_of(3);
    for (int i = 0; i < 50; i++) {
        aside a = {.last = -1};
        base_pool_beside(pool, aside_step, &a, STEPS);
        base_pool_beside_end(pool, &a);
        int begun = 0;
        for (size_t k = 0; k < STEPS; k++) {
            begun += atomic_load(&a.begun[k]);
        }
        assert_int_equal(begun, atomic_load(&a.ended));
        base_pool_beside_end(pool, &a); /* again: nothing */
    }
    base_pool_free(pool);
}

static void another_user_finds_the_place_taken(void **state)
{
    (void)state;
    base_pool *pool = pool_of(2);
    aside first = {.hold = true, .last = -1}, second = {.last = -1};
    base_pool_beside(pool, aside_step, &first, 1);
    while (atomic_load(&first.begun[0]) == 0) {
        base_sleep_ms(1);
    }
    base_pool_beside(pool, aside_step, &second, STEPS);
    base_pool_beside_end(pool, &second); /* does not wait for the first's */
    atomic_store(&first.hold, false);
    base_pool_beside_end(pool, &first);
    assert_int_equal(atomic_load(&first.ended), 1);
    assert_int_equal(atomic_load(&second.ended), 0);
    base_pool_free(pool);
}

static void a_pool_without_other_threads_leaves_it_undone(void **state)
{
    (void)state;
    base_pool *pool = pool_of(1);
    aside a = {.last = -1};
    base_pool_beside(pool, aside_step, &a, STEPS);
    base_pool_beside(NULL, aside_step, &a, STEPS);
    run_and_check(pool, 8, 1);
    base_pool_beside_end(pool, &a);
    base_pool_beside_end(NULL, &a);
    assert_int_equal(atomic_load(&a.ended), 0);
    base_pool_free(pool);
}

static void freed_with_steps_left(void **state)
{
    (void)state;
    for (int i = 0; i < 50; i++) {
        aside a = {.last = -1};
        base_pool *pool = pool_of(3);
        base_pool_beside(pool, aside_step, &a, STEPS);
        base_pool_free(pool);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_job_runs_once),
        cmocka_unit_test(without_a_pool_the_caller_works),
        cmocka_unit_test(default_is_at_least_one_thread),
        cmocka_unit_test(work_after_a_long_rest),
        cmocka_unit_test(callers_take_turns),
        cmocka_unit_test(freed_at_once),
        cmocka_unit_test(steps_beside_run_once_and_in_order),
        cmocka_unit_test(no_round_waits_for_a_step_beside),
        cmocka_unit_test(after_its_end_no_step_beside_runs),
        cmocka_unit_test(another_user_finds_the_place_taken),
        cmocka_unit_test(a_pool_without_other_threads_leaves_it_undone),
        cmocka_unit_test(freed_with_steps_left),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
