/* Reading what the kernel says about processes and control groups; apart from base_host.c so that tests can
 * feed it. */
#ifndef BASE_PROC_H
#define BASE_PROC_H

#include <stdbool.h>
#include <stdint.h>

/** One line of /proc/<pid>/stat: state letter, number of threads, start time (fields 3, 20 and 22 of
 * proc(5)). */
typedef struct base_proc_stat {
    char state;
    uint64_t threads;
    uint64_t start_time;
} base_proc_stat;

/** false: not such a line. The name of the program in it may hold anything, also ") R 1". */
bool base_proc_stat_parse(const char *text, base_proc_stat *out);

/** CPUs allowed by the `cpu.max` files of `group` (as in /proc/self/cgroup, "/a/b") and of all above it,
 * below `mount`; rounded up; 0: no limit. */
unsigned base_cgroup_cpus(const char *mount, const char *group);

#endif
