/* Who and where this process is: for claims, documents and identity records. */
#ifndef BASE_HOST_H
#define BASE_HOST_H

#include "base_buf.h"

/** Identity of a process that outlives the reuse of its pid. All text is empty where unknown. */
typedef struct base_process {
    char machine_id[33]; /* /etc/machine-id */
    char boot_id[37];    /* /proc/sys/kernel/random/boot_id */
    uint64_t pid_ns;     /* inode of /proc/self/ns/pid */
    uint64_t pid;
    uint64_t start_time; /* field 22 of /proc/<pid>/stat: clock ticks since boot */
} base_process;

void base_process_self(base_process *out);
/** Whether the process described is proven dead: same boot and PID namespace and no process with that pid and
 *  start time; or (only if `local_disk`) same machine and another boot. false means "cannot prove it". */
bool base_process_dead(const base_process *p, bool local_disk);

/** n random bytes (getrandom) as 2n lower-case hexadecimal digits and a zero. */
cistern_status base_random_hex(size_t n, char *out, cistern_error *err) CISTERN_MUST_CHECK;

/** "user@host" for the `who` field of documents; cut to size, control characters replaced. */
void base_who(char *out, size_t size);

/** Number of CPUs that this process may use: affinity mask, then the cgroup v2 quota rounded up; at least 1. */
unsigned base_cpu_count(void);

#endif
