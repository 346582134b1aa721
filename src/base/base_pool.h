/* A fork-join pool for computing: one per context, sized once, all signals blocked in its threads.
 *
 * Invariants
 *  1. base_pool_run returns only after every job of that call has returned: what jobs wrote is visible to the
 * caller.
 *  2. The caller works too; a pool of one thread starts none and calls the jobs in order.
 *  3. Calls from several threads at once are served one after the other; a job must not call base_pool_run.
 *  4. Nothing is allocated after base_pool_new. Idle threads look for work for some tens of microseconds,
 * then sleep.
 *  5. Work beside the rounds is only done by threads that have no round to take part in, and no round waits for it.
 *
 * Which thread runs which job is not fixed: a result must not depend on it. Not for work that blocks
 * (transfers and hashing start their own threads).
 */
#ifndef BASE_POOL_H
#define BASE_POOL_H

#include "base_thread.h"

#define BASE_POOL_THREADS_MAX 256

typedef struct base_pool base_pool;

/**
 * @param threads  threads that compute, the caller of base_pool_run included; 0: base_cpu_count(). At most
 *                 BASE_POOL_THREADS_MAX are used.
 * @retval UNEXPECTED, NO_MEMORY  a thread could not be started.
 */
cistern_status base_pool_new(unsigned threads, base_pool **out, cistern_error *err) CISTERN_MUST_CHECK;
/** NULL allowed. No call may be running. */
void base_pool_free(base_pool *pool);
/** For a forked child, where the threads of its parent's pool are not: give the memory back and touch nothing else.
 *  NULL allowed. */
void base_pool_abandon(base_pool *pool);

/** Threads that compute, the caller included; 1 for NULL. */
unsigned base_pool_threads(const base_pool *pool);

/**
 * One job: `thread` is below base_pool_threads(pool), and differs between jobs of one call that run at the
 * same time: an index into scratch memory.
 */
typedef void (*base_pool_fn)(void *user, size_t job, unsigned thread);

/**
 * Call fn(user, job, thread) for each job from 0 to jobs - 1, each exactly once; they start in ascending
 * order.
 * @param pool  NULL: all on the caller's thread. (So does a single job.)
 * Threads: any. Allocates: no.
 */
void base_pool_run(base_pool *pool, base_pool_fn fn, void *user, size_t jobs);

/** One step of work beside the rounds: short, for a thread that is in one joins the next round only after it. */
typedef void (*base_pool_beside_fn)(void *user, size_t step);

/**
 * Let the pool's other threads call fn(user, step) for each step from 0 to steps - 1 while there is no round for them: what makes
 * later rounds shorter and may as well be left undone. Returns at once. Steps begin in ascending order; on several threads, if
 * there are several.
 *
 * Nothing is done if there are no other threads, or while what was given before is not finished.
 * @param user  must live, with all that fn uses, until base_pool_beside_end.
 * Threads: any. Allocates: no.
 */
void base_pool_beside(base_pool *pool, base_pool_beside_fn fn, void *user, size_t steps);
/** After it no step of this user's runs, nor will one begin: waits for those that run. Of one that is not there: nothing.
 *  @param pool  NULL allowed. */
void base_pool_beside_end(base_pool *pool, const void *user);

#endif
