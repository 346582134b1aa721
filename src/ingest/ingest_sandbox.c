/* Entering the sandbox: no new privileges, Landlock, resource limits, a filter of system calls.
 *
 * Invariants
 *  1. Files are mapped before: the filter has no open, no stat, no read, and no mmap of descriptors.
 *  2. The filter is an allow-list; what is not on it kills the whole process. Landlock's rules allow nothing.
 *  3. One of the two is in force, both where the kernel has both; else nothing is read.
 *  4. Landlock comes before the limits, for it needs a descriptor, and before the filter, which forbids its calls.
 */
#include "priv/ingest_sandbox.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#if !defined(CISTERN_SANITIZED)
#include <seccomp.h>
#include "base_confine.h"
#endif

#define MAP_OF_NO_FILE 0x20 /* MAP_ANONYMOUS, which POSIX does not name; Linux, x86-64 and aarch64 */

/* At most `soft` and `hard`; a limit that is tighter already stays, for it could not be widened. */
static cistern_status set_limit(int which, rlim_t soft, rlim_t hard, const char *what, cistern_error *err)
{
    struct rlimit limit;

    if (getrlimit((__rlimit_resource_t)which, &limit) == 0) {
        limit.rlim_max = hard < limit.rlim_max ? hard : limit.rlim_max;
        limit.rlim_cur = soft < limit.rlim_max ? soft : limit.rlim_max;
        if (setrlimit((__rlimit_resource_t)which, &limit) == 0)
            return CISTERN_OK;
    }
    return base_fail(err, CISTERN_UNEXPECTED, "cannot limit the import program's %s: %s", what,
                     strerror(errno));
}

static cistern_status set_limits(const ingest_sandbox *sandbox, cistern_error *err)
{
    cistern_status st;

    if (sandbox->without & INGEST_WITHOUT_LIMITS)
        return CISTERN_OK;
    /* processor time: at the hard limit the kernel kills without saying why, hence one second above the soft one */
    if ((st = set_limit(RLIMIT_CPU, sandbox->cpu_seconds, sandbox->cpu_seconds + 1, "processor time", err)) ||
        (st = set_limit(RLIMIT_NOFILE, 0, 0, "descriptors", err)) ||
        (st = set_limit(RLIMIT_FSIZE, sandbox->file_max, sandbox->file_max, "files", err)) ||
        (st = set_limit(RLIMIT_CORE, 0, 0, "core dumps", err)))
        return st;
#if !defined(CISTERN_SANITIZED)
    return set_limit(RLIMIT_DATA, sandbox->data_max, sandbox->data_max, "memory", err);
#else
    return CISTERN_OK;
#endif
}

#if !defined(CISTERN_SANITIZED)
static int allow_plain(scmp_filter_ctx filter)
{
    static const int
        plain[] =
            {
                SCMP_SYS(exit_group),   SCMP_SYS(exit),   SCMP_SYS(munmap),
                SCMP_SYS(mremap),       SCMP_SYS(brk),    SCMP_SYS(madvise),
                SCMP_SYS(rt_sigreturn), SCMP_SYS(sysinfo)}; /* the C library's qsort asks how much memory there is */
    int e = 0;

    for (size_t i = 0; i < sizeof plain / sizeof plain[0] && !e; i++)
        e = seccomp_rule_add(filter, SCMP_ACT_ALLOW, plain[i], 0);
    return e;
}

static int allow_write(scmp_filter_ctx filter, int fd)
{
    return seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(write), 1,
                            SCMP_A0(SCMP_CMP_EQ, (scmp_datum_t)fd));
}

static int fill_filter(scmp_filter_ctx filter, const ingest_sandbox *sandbox)
{
    int e = allow_plain(filter);

    if (!e)
        e = allow_write(filter, sandbox->write_fd);
    if (!e && sandbox->file_fd)
        e = allow_write(filter, sandbox->file_fd);
    if (!e)
        e = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(mmap), 2,
                             SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0),
                             SCMP_A3(SCMP_CMP_MASKED_EQ, MAP_OF_NO_FILE, MAP_OF_NO_FILE));
    return e;
}

static cistern_status load_filter(const ingest_sandbox *sandbox, cistern_error *err)
{
    scmp_filter_ctx filter = seccomp_init(SCMP_ACT_KILL_PROCESS);

    if (!filter)
        return base_fail_memory(err, 0);
    int e = fill_filter(filter, sandbox);
    if (!e)
        e = seccomp_load(filter);
    if (e)
        (void)base_fail(err, CISTERN_UNEXPECTED, "cannot filter the import program's system calls: %s",
                        strerror(-e));
    else
        return CISTERN_OK; /* the filter's own memory stays: freeing it may need what is forbidden now */
    seccomp_release(filter);
    return CISTERN_UNEXPECTED;
}

static cistern_status confine(const ingest_sandbox *sandbox, cistern_error *err)
{
    unsigned landlock = sandbox->without & INGEST_WITHOUT_LANDLOCK ? 0 : base_confine_landlock_version();
    bool filter = !(sandbox->without & INGEST_WITHOUT_FILTER) && base_confine_has_filter();
    cistern_status st;

    if (!landlock && !filter)
        return base_fail(err, CISTERN_UNEXPECTED,
                         "this kernel offers neither filters of system calls nor Landlock; weight files are "
                         "not read without either");
    if ((st = base_confine_by_landlock(landlock, err)) || (st = set_limits(sandbox, err)))
        return st;
    return filter ? load_filter(sandbox, err) : CISTERN_OK;
}
#else
static cistern_status confine(const ingest_sandbox *sandbox, cistern_error *err)
{
    return set_limits(sandbox, err);
}
#endif

cistern_status ingest_sandbox_enter(const ingest_sandbox *sandbox, cistern_error *err)
{
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 || prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0)
        return base_fail(err, CISTERN_UNEXPECTED, "cannot give up privileges: %s", strerror(errno));
    return confine(sandbox, err);
}
