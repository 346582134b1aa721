/* Threads, time, cancelling, log lines; see base_thread.h. */
#include "base_thread.h"
#include "priv/base_text.h"
#include <errno.h>
#include <sched.h>
#include <stdarg.h>
#include <time.h>

#define LOG_LINE_MAX 2048 /* bytes, with the zero: a URL and a sentence */

/* What a thread's own instructions raise: where it is blocked the system ends the process and asks no handler. */
static const int own_faults[] = {SIGBUS, SIGSEGV, SIGFPE, SIGILL, SIGTRAP};

/* How a thread is made that may run on every CPU of the caller's but the one that the caller is on; false: there is no other. */
static bool attribute_apart(pthread_attr_t *out, base_cpus *out_all)
{
    cpu_set_t cpus;
    int own = sched_getcpu();
    _Static_assert(sizeof cpus == sizeof *out_all, "the system's set of CPUs");
    if (own < 0 || sched_getaffinity(0, sizeof cpus, &cpus) != 0)
        return false;
    memcpy(out_all, &cpus, sizeof cpus);
    CPU_CLR((size_t)own, &cpus);
    if (CPU_COUNT(&cpus) == 0 || pthread_attr_init(out) != 0)
        return false;
    if (pthread_attr_setaffinity_np(out, sizeof cpus, &cpus) == 0)
        return true;
    pthread_attr_destroy(out);
    return false;
}

static cistern_status start(base_thread *out, const pthread_attr_t *attribute, void *(*fn)(void *), void *arg,
                            cistern_error *err)
{
    sigset_t all, before;
    pthread_t handle;
    sigfillset(&all);
    for (size_t i = 0; i < sizeof own_faults / sizeof own_faults[0]; i++)
        sigdelset(&all, own_faults[i]);
    int masked = pthread_sigmask(SIG_SETMASK, &all, &before); /* a thread inherits its creator's mask */
    if (masked != 0)
        return base_fail_errno(err, masked, "cannot block signals");
    int failed = pthread_create(&handle, attribute, fn, arg);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (failed != 0)
        return base_fail_errno(err, failed, "cannot start a thread");
    out->handle = handle;
    return CISTERN_OK;
}

cistern_status base_thread_start(base_thread *out, void *(*fn)(void *), void *arg, cistern_error *err)
{
    return start(out, NULL, fn, arg, err);
}

cistern_status base_thread_start_apart(base_thread *out, void *(*fn)(void *), void *arg, base_cpus *out_all,
                                       cistern_error *err)
{
    pthread_attr_t attribute;
    cistern_status status = CISTERN_UNEXPECTED;
    memset(out_all, 0, sizeof *out_all);
    if (attribute_apart(&attribute, out_all)) {
        status = start(out, &attribute, fn, arg, NULL);
        pthread_attr_destroy(&attribute);
    }
    return status == CISTERN_OK
               ? status
               : start(out, NULL, fn, arg, err); /* those CPUs may just have been taken away */
}

void base_thread_settle(const base_cpus *cpus)
{
    cpu_set_t set;
    memcpy(&set, cpus, sizeof set);
    if (CPU_COUNT(&set) > 0)
        (void)sched_setaffinity(0, sizeof set, &set);
}

void base_thread_join(base_thread *t)
{
    pthread_join(t->handle, NULL);
}

uint64_t base_monotonic_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

void base_sleep_ms(unsigned ms)
{
    struct timespec span = {.tv_sec = ms / 1000, .tv_nsec = (long)(ms % 1000) * 1000000};
    nanosleep(&span, NULL);
}

void base_time_text(char out[24])
{
    struct timespec now;
    struct tm utc;
    clock_gettime(CLOCK_REALTIME, &now);
    if (!gmtime_r(&now.tv_sec, &utc) || utc.tm_year < 0 || utc.tm_year > 9999 - 1900)
        memset(&utc, 0, sizeof utc);
    snprintf(out, 24, "%04u-%02u-%02uT%02u:%02u:%02uZ", (unsigned)(utc.tm_year + 1900) % 10000u,
             (unsigned)(utc.tm_mon + 1) % 100u, (unsigned)utc.tm_mday % 100u, (unsigned)utc.tm_hour % 100u,
             (unsigned)utc.tm_min % 100u, (unsigned)utc.tm_sec % 100u);
}

bool base_cancelled(const base_cancel *cancel)
{
    return cancel && atomic_load_explicit(&cancel->set, memory_order_relaxed) != 0;
}

cistern_status base_check_cancel(const base_cancel *cancel, cistern_error *err)
{
    return base_cancelled(cancel) ? base_fail(err, CISTERN_CANCELLED, "interrupted") : CISTERN_OK;
}

void base_log_line(const base_log *log, int level, const char *fmt, ...)
{
    char raw[LOG_LINE_MAX], line[LOG_LINE_MAX];
    if (!log || !log->fn)
        return;
    va_list args;
    va_start(args, fmt);
    int wanted = vsnprintf(raw, sizeof raw, fmt, args);
    va_end(args);
    if (wanted < 0)
        return;
    base_text_line(line, sizeof line, raw, strlen(raw));
    log->fn(log->user, level, line);
}
