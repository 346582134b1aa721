/* Threads, locks and time. Threads block all signals, so that handlers run on the program's own threads;
 * but not those that a thread's own instructions raise, such as SIGBUS. */
#ifndef BASE_THREAD_H
#define BASE_THREAD_H

#include <pthread.h>
#include <stdatomic.h>
#include "base_error.h"

typedef struct base_thread {
    pthread_t handle;
} base_thread;
/** Start fn(arg) on its own thread with signals blocked (see above); join it with base_thread_join. */
cistern_status base_thread_start(base_thread *out, void *(*fn)(void *), void *arg,
                                 cistern_error *err) CISTERN_MUST_CHECK;
/** CPUs, as the system counts them. */
typedef struct base_cpus {
    uint64_t word[16]; /* 1024: where there are more, nothing is kept apart */
} base_cpus;
/**
 * The same, on another CPU than the caller's where it may use several, until base_thread_settle. Some kernels, those of virtual
 * machines above all, put a thread that is new or wakes beside the one that made it, and move one of the two only at a tick of
 * their clock or several: 4 to 12 ms in which two threads compute like one.
 * @param out_all  the CPUs that the caller may use, written before fn begins.
 */
cistern_status base_thread_start_apart(base_thread *out, void *(*fn)(void *), void *arg, base_cpus *out_all,
                                       cistern_error *err) CISTERN_MUST_CHECK;
/** From now on the calling thread runs wherever the system wants. @param cpus  from base_thread_start_apart */
void base_thread_settle(const base_cpus *cpus);
void base_thread_join(base_thread *t);

/** Milliseconds of CLOCK_MONOTONIC, which stands still while the machine sleeps; only differences mean anything. */
uint64_t base_monotonic_ms(void);
void base_sleep_ms(unsigned ms); /* a signal ends it early */
/** The time now as RFC 3339 in UTC with seconds, for people: "2026-01-31T12:00:00Z". */
void base_time_text(char out[24]);

/** A token that any thread or a signal handler may set. */
typedef struct base_cancel {
    atomic_int set;
} base_cancel;
bool base_cancelled(const base_cancel *cancel); /* NULL: never */
cistern_status base_check_cancel(const base_cancel *cancel,
                                 cistern_error *err) CISTERN_MUST_CHECK; /* CANCELLED "interrupted" */

/** Progress of one long step; on the caller's thread, at most 10 a second and once at its end. */
typedef struct base_progress {
    const char *what;     /* "fetch", "hash", "copy", "wait" */
    uint64_t done, total; /* bytes; total 0: unknown */
    uint64_t resumed;     /* bytes that were here before this step began */
    bool last;
} base_progress;
typedef void (*base_progress_fn)(void *user, const base_progress *p);

/** Messages for people about what is going on; level 0 warning, 1 note, 2 detail. fn NULL: none. */
typedef void (*base_log_fn)(void *user, int level, const char *line);
typedef struct base_log {
    base_log_fn fn;
    void *user;
} base_log;
void base_log_line(const base_log *log, int level, const char *fmt, ...) CISTERN_PRINTF(3, 4);

/** What a long-running call is given: each member may be zero. */
typedef struct base_run {
    const base_cancel *cancel;
    base_progress_fn progress;
    void *progress_user;
    const base_log *log;
} base_run;

#endif
