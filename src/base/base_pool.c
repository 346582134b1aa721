/* The pool's life is a row of rounds, one per base_pool_run. `state` is one word: the round's number, whether
 * it is open, and how many threads are inside.
 *
 *   closed, 0 inside --(caller: publish)--> open --(thread: enter, +1; leave, -1)--> open
 *   open --(caller: jobs used up, close)--> closed, n inside --(threads: leave)--> closed, 0 inside: the
 * round is over
 *
 * Invariants
 *  1. fn, user, jobs are written only while the state is closed with nobody inside, and read only from
 * inside.
 *  2. A thread enters a round at most once; one that wakes too late finds it closed and is not waited for.
 *  3. Who sleeps says so before a last look at `state`; who changes `state` looks for sleepers after: no wake
 * is lost (both sides are sequentially consistent).
 *  4. Work beside the rounds is guarded by `lock`; `beside_left` says, without it, that a step may be begun.
 */
#include "base_pool.h"

#include <sched.h>
#include <time.h>

#include "base_host.h"
#include "base_mem.h"

#define SPIN_NS                                                                                              \
    40000 /* look for work this long before sleeping: a layer's gap is shorter, an idle process is not */
/* A thread is kept apart from the pool's maker for so long: by then whatever starts and ends at once has ended, and of what goes on
 * the system has seen how busy it is. */
#define APART_NS   UINT64_C(1000000000)
#define SPIN_BATCH 16 /* pauses between two looks at the clock */
#define OPEN       ((uint64_t)1 << 31)
#define INSIDE     (OPEN - 1)

typedef struct worker {
    base_pool *pool;
    unsigned index;
    base_thread thread;
    base_cpus cpus;   /* that it settles on */
    uint64_t settles; /* when, ns; 0: it has */
} worker;

typedef struct beside {
    base_pool_beside_fn fn;
    void *user;
    size_t steps, next;
    unsigned inside; /* steps that run */
} beside;

struct base_pool {
    _Alignas(64) atomic_uint_fast64_t state; /* round << 32 | open << 31 | threads inside */
    _Alignas(64) atomic_size_t next;         /* the next job of the round */
    base_pool_fn fn;
    void *user;
    size_t jobs;
    _Alignas(64) atomic_uint sleepers; /* workers that sleep or are about to */
    atomic_uint waiting;               /* whether the caller sleeps or is about to */
    atomic_bool quit;
    unsigned threads;
    pthread_mutex_t turn; /* held by the caller whose round it is */
    pthread_mutex_t lock; /* for the two conditions */
    pthread_cond_t work, done;
    beside beside;
    atomic_bool beside_left;
    pthread_cond_t beside_done;
    worker workers[];
};

static void pause_cpu(void)
{
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

static uint64_t now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/* Whether a round that this thread has not seen is open, something is left to do beside, or the end has come. */
static bool work_is_there(base_pool *pool, uint64_t seen)
{
    uint64_t state = atomic_load(&pool->state);
    return ((state & OPEN) && state >> 32 != seen) || atomic_load(&pool->beside_left) ||
           atomic_load(&pool->quit);
}

static bool nobody_is_inside(base_pool *pool)
{
    return (atomic_load(&pool->state) & INSIDE) == 0;
}

static void wait_for_work(base_pool *pool, uint64_t seen)
{
    uint64_t end = now_ns() + SPIN_NS;
    do {
        for (int i = 0; i < SPIN_BATCH; i++) {
            if (work_is_there(pool, seen)) {
                return;
            }
            pause_cpu();
        }
    } while (now_ns() < end);
    pthread_mutex_lock(&pool->lock);
    atomic_fetch_add(&pool->sleepers, 1);
    while (!work_is_there(pool, seen)) {
        pthread_cond_wait(&pool->work, &pool->lock);
    }
    atomic_fetch_sub(&pool->sleepers, 1);
    pthread_mutex_unlock(&pool->lock);
}

static void wait_for_end(base_pool *pool)
{
    uint64_t end = now_ns() + SPIN_NS;
    do {
        for (int i = 0; i < SPIN_BATCH; i++) {
            if (nobody_is_inside(pool)) {
                return;
            }
            pause_cpu();
        }
    } while (now_ns() < end);
    pthread_mutex_lock(&pool->lock);
    atomic_store(&pool->waiting, 1);
    while (!nobody_is_inside(pool)) {
        pthread_cond_wait(&pool->done, &pool->lock);
    }
    atomic_store(&pool->waiting, 0);
    pthread_mutex_unlock(&pool->lock);
}

static void take_jobs(base_pool *pool, unsigned thread)
{
    for (;;) {
        size_t job = atomic_fetch_add_explicit(&pool->next, 1, memory_order_relaxed);
        if (job >= pool->jobs) {
            return;
        }
        pool->fn(pool->user, job, thread);
    }
}

/* Enter the round if it is still open. */
static bool enter(base_pool *pool, uint64_t *seen)
{
    uint64_t state = atomic_load(&pool->state);
    while ((state & OPEN) && state >> 32 != *seen) {
        if (atomic_compare_exchange_weak(&pool->state, &state, state + 1)) {
            *seen = state >> 32;
            return true;
        }
    }
    return false;
}

static void leave(base_pool *pool)
{
    uint64_t state = atomic_fetch_sub(&pool->state, 1) - 1;
    if ((state & INSIDE) == 0 && atomic_load(&pool->waiting)) {
        pthread_mutex_lock(&pool->lock);
        pthread_cond_signal(&pool->done);
        pthread_mutex_unlock(&pool->lock);
    }
}

/* Take one step beside the rounds, if one is left. */
static bool step_beside(base_pool *pool)
{
    beside *b = &pool->beside;
    if (!atomic_load(&pool->beside_left)) {
        return false;
    }
    pthread_mutex_lock(&pool->lock);
    bool left = b->next < b->steps;
    if (left) {
        beside now = *b;
        b->inside++;
        b->next++;
        atomic_store(&pool->beside_left, b->next < b->steps);
        pthread_mutex_unlock(&pool->lock);
        now.fn(now.user, now.next);
        pthread_mutex_lock(&pool->lock);
        if (--b->inside == 0) {
            pthread_cond_broadcast(&pool->beside_done);
        }
    }
    pthread_mutex_unlock(&pool->lock);
    return left;
}

static void settle(worker *self)
{
    if (self->settles && now_ns() > self->settles) {
        base_thread_settle(&self->cpus);
        self->settles = 0;
    }
}

static void *worker_main(void *arg)
{
    worker *self = arg;
    base_pool *pool = self->pool;
    uint64_t seen = 0;
    self->settles = now_ns() + APART_NS;
    while (!atomic_load(&pool->quit)) {
        if (enter(pool, &seen)) {
            take_jobs(pool, self->index);
            leave(pool);
        } else if (!step_beside(pool)) {
            settle(self);
            wait_for_work(pool, seen);
        }
    }
    return NULL;
}

static void wake_workers(base_pool *pool)
{
    if (atomic_load(&pool->sleepers)) {
        pthread_mutex_lock(&pool->lock);
        pthread_cond_broadcast(&pool->work);
        pthread_mutex_unlock(&pool->lock);
    }
}

cistern_status base_pool_new(unsigned threads, base_pool **out, cistern_error *err)
{
    if (threads == 0) {
        threads = base_cpu_count();
    }
    if (threads > BASE_POOL_THREADS_MAX) {
        threads = BASE_POOL_THREADS_MAX;
    }
    size_t bytes = sizeof(base_pool) + threads * sizeof(worker);
    base_pool *pool;
    cistern_status status = base_alloc_aligned((bytes + 63) & ~(size_t)63, 64, &pool, err);
    if (status != CISTERN_OK) {
        return status;
    }
    memset(pool, 0, bytes);
    pool->threads = 1;
    pthread_mutex_init(&pool->turn, NULL);
    pthread_mutex_init(&pool->lock, NULL);
    pthread_cond_init(&pool->work, NULL);
    pthread_cond_init(&pool->done, NULL);
    pthread_cond_init(&pool->beside_done, NULL);
    for (unsigned i = 1; i < threads; i++) {
        worker *w = &pool->workers[i];
        *w = (worker){.pool = pool, .index = i};
        status = base_thread_start_apart(&w->thread, worker_main, w, &w->cpus, err);
        if (status != CISTERN_OK) {
            base_pool_free(pool);
            return base_frame(err, status, "cannot start compute thread %u of %u", i + 1, threads);
        }
        pool->threads = i + 1;
    }
    *out = pool;
    return CISTERN_OK;
}

void base_pool_free(base_pool *pool)
{
    if (!pool) {
        return;
    }
    atomic_store(&pool->quit, true);
    wake_workers(pool);
    for (unsigned i = 1; i < pool->threads; i++) {
        base_thread_join(&pool->workers[i].thread);
    }
    pthread_cond_destroy(&pool->beside_done);
    pthread_cond_destroy(&pool->done);
    pthread_cond_destroy(&pool->work);
    pthread_mutex_destroy(&pool->lock);
    pthread_mutex_destroy(&pool->turn);
    free(pool);
}

void base_pool_abandon(base_pool *pool)
{
    free(pool);
}

unsigned base_pool_threads(const base_pool *pool)
{
    return pool ? pool->threads : 1;
}

void base_pool_run(base_pool *pool, base_pool_fn fn, void *user, size_t jobs)
{
    if (!pool || pool->threads == 1 || jobs == 1) {
        for (size_t job = 0; job < jobs; job++) {
            fn(user, job, 0);
        }
        return;
    }
    if (jobs == 0) {
        return;
    }
    pthread_mutex_lock(&pool->turn);
    pool->fn = fn;
    pool->user = user;
    pool->jobs = jobs;
    atomic_store_explicit(&pool->next, 0, memory_order_relaxed);
    uint64_t number = (atomic_load(&pool->state) >> 32) + 1;
    if (number > UINT32_MAX) {
        number = 1; /* 0 is what a thread has seen at birth */
    }
    atomic_store(&pool->state, number << 32 | OPEN);
    wake_workers(pool);
    take_jobs(pool, 0);
    atomic_fetch_and(&pool->state, ~OPEN);
    wait_for_end(pool);
    pthread_mutex_unlock(&pool->turn);
}

void base_pool_beside(base_pool *pool, base_pool_beside_fn fn, void *user, size_t steps)
{
    if (!pool || pool->threads == 1 || steps == 0) {
        return;
    }
    pthread_mutex_lock(&pool->lock);
    beside *b = &pool->beside;
    if (b->next == b->steps && b->inside == 0) {
        *b = (beside){.fn = fn, .user = user, .steps = steps};
        atomic_store(&pool->beside_left, true);
        pthread_cond_broadcast(&pool->work);
    }
    pthread_mutex_unlock(&pool->lock);
}

void base_pool_beside_end(base_pool *pool, const void *user)
{
    if (!pool) {
        return;
    }
    pthread_mutex_lock(&pool->lock);
    beside *b = &pool->beside;
    if (b->user == user) {
        b->next = b->steps;
        atomic_store(&pool->beside_left, false);
        while (b->user == user && b->inside > 0) {
            pthread_cond_wait(&pool->beside_done, &pool->lock);
        }
    }
    pthread_mutex_unlock(&pool->lock);
}
