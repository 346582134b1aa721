/* Who and where this process is; see base_host.h. Everything comes from /proc, /sys and /etc; nothing is
 * cached. */
#include "base_host.h"
#include "base_file.h"
#include "priv/base_proc.h"
#include "priv/base_text.h"
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <pwd.h>
#include <sched.h>

#define PROC_FILE_MAX 4096      /* bytes: one line of /proc/<pid>/stat, or a few of /proc/self/cgroup */
#define CPU_SET_MAX   (1 << 20) /* CPUs: far beyond what Linux can be built for */
#define PASSWD_MAX    16384     /* bytes of one entry of the user database */

/* The first bytes of a file of the kernel's as a string; false if it cannot be read. */
static bool read_text(const char *path, char *out, size_t size)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0)
        return false;
    ssize_t got = read(fd, out, size - 1);
    close(fd);
    out[got > 0 ? got : 0] = '\0';
    return got > 0;
}

/* A word of exactly size - 1 characters out of `allowed`, else empty. */
static void read_word(const char *path, const char *allowed, char *out, size_t size)
{
    char text[64];
    out[0] = '\0';
    if (!read_text(path, text, sizeof text))
        return;
    text[strcspn(text, "\n")] = '\0';
    if (strlen(text) == size - 1 && strspn(text, allowed) == size - 1)
        memcpy(out, text, size);
}

bool base_proc_stat_parse(const char *text, base_proc_stat *out)
{
    const char *after = strrchr(text, ')');
    base_proc_stat st;
    if (!after)
        return false;
    /* Field 3 follows; 16 fields between it and field 20, one between that and 22. */
    if (sscanf(after,
               ") %c %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %" SCNu64
               " %*s %" SCNu64,
               &st.state, &st.threads, &st.start_time) != 3)
        return false;
    *out = st;
    return true;
}

static bool stat_of(uint64_t pid, base_proc_stat *out)
{
    char path[64], text[PROC_FILE_MAX];
    snprintf(path, sizeof path, "/proc/%" PRIu64 "/stat", pid);
    return read_text(path, text, sizeof text) && base_proc_stat_parse(text, out);
}

void base_process_self(base_process *out)
{
    struct stat ns;
    base_proc_stat self;
    memset(out, 0, sizeof *out);
    read_word("/etc/machine-id", "0123456789abcdef", out->machine_id, sizeof out->machine_id);
    read_word("/proc/sys/kernel/random/boot_id", "0123456789abcdef-", out->boot_id, sizeof out->boot_id);
    if (stat("/proc/self/ns/pid", &ns) == 0)
        out->pid_ns = ns.st_ino;
    out->pid = (uint64_t)getpid();
    if (stat_of(out->pid, &self))
        out->start_time = self.start_time;
}

/* Whether no process has that pid and start time, asked on the same boot and in the same PID namespace. */
static bool is_gone(uint64_t pid, uint64_t start_time)
{
    base_proc_stat st;
    if (pid == 0 || pid > INT_MAX)
        return false;
    /* Not by the absence of /proc/<pid>, which `hidepid` also causes. */
    if (kill((pid_t)pid, 0) != 0 && errno == ESRCH)
        return true;
    if (!stat_of(pid, &st))
        return false;
    /* A zombie runs no more, unless only its first thread has ended. */
    bool ended = (st.state == 'Z' || st.state == 'X') && st.threads <= 1;
    return ended || st.start_time != start_time;
}

bool base_process_dead(const base_process *p, bool local_disk)
{
    base_process self;
    base_process_self(&self);
    if (p->boot_id[0] == '\0' || self.boot_id[0] == '\0')
        return false;
    if (strcmp(p->boot_id, self.boot_id) != 0)
        return local_disk && self.machine_id[0] != '\0' && strcmp(p->machine_id, self.machine_id) == 0;
    if (p->pid_ns == 0 || p->pid_ns != self.pid_ns || p->start_time == 0 || self.start_time == 0)
        return false;
    return is_gone(p->pid, p->start_time);
}

void base_who(char *out, size_t size)
{
    char host[HOST_NAME_MAX + 1] = "", raw[512], entry[PASSWD_MAX];
    struct passwd user, *found = NULL;
    if (size == 0)
        return;
    if (gethostname(host, sizeof host - 1) != 0 || host[0] == '\0')
        memcpy(host, "unknown", sizeof "unknown");
    if (getpwuid_r(geteuid(), &user, entry, sizeof entry, &found) == 0 && found)
        snprintf(raw, sizeof raw, "%s@%s", user.pw_name, host);
    else
        snprintf(raw, sizeof raw, "%u@%s", (unsigned)geteuid(), host);
    base_text_line(out, size, raw, strlen(raw));
}

/* One `cpu.max`: "<quota> <period>" in microseconds, or "max <period>". 0: no limit or no such file. */
static unsigned quota_of(const char *path)
{
    char text[128];
    uint64_t quota, period;
    if (!read_text(path, text, sizeof text) || sscanf(text, "%" SCNu64 " %" SCNu64, &quota, &period) != 2)
        return 0;
    if (period == 0 || quota == 0)
        return 0;
    uint64_t cpus = quota / period + (quota % period != 0);
    return cpus < CPU_SET_MAX ? (unsigned)cpus : CPU_SET_MAX;
}

unsigned base_cgroup_cpus(const char *mount, const char *group)
{
    char path[PATH_MAX], name[PATH_MAX];
    unsigned least = 0;
    if (strlen(group) >= sizeof name)
        return 0;
    memcpy(name, group, strlen(group) + 1);
    for (;;) {
        int n = snprintf(path, sizeof path, "%s%s/cpu.max", mount, name);
        unsigned cpus = n > 0 && (size_t)n < sizeof path ? quota_of(path) : 0;
        if (cpus > 0 && (least == 0 || cpus < least))
            least = cpus;
        char *slash = strrchr(name, '/');
        if (!slash)
            return least;
        *slash = '\0';
    }
}

/* The group of this process in the unified hierarchy: the line "0::/a/b" of /proc/self/cgroup. */
static unsigned own_quota(void)
{
    char text[PROC_FILE_MAX];
    if (!read_text("/proc/self/cgroup", text, sizeof text))
        return 0;
    for (char *line = text; line; line = strchr(line, '\n')) {
        line += *line == '\n';
        if (strncmp(line, "0::/", 4) != 0)
            continue;
        line[strcspn(line, "\n")] = '\0';
        return base_cgroup_cpus("/sys/fs/cgroup", line + 3);
    }
    return 0;
}

static unsigned affinity_count(void)
{
    /* The kernel says EINVAL as long as the set is smaller than its own. */
    for (int cpus = CPU_SETSIZE; cpus <= CPU_SET_MAX; cpus *= 2) {
        cpu_set_t *set = CPU_ALLOC((size_t)cpus);
        if (!set)
            return 0;
        size_t bytes = CPU_ALLOC_SIZE((size_t)cpus);
        int failed = sched_getaffinity(0, bytes, set) != 0 ? errno : 0;
        int count = failed ? 0 : CPU_COUNT_S(bytes, set);
        CPU_FREE(set);
        if (failed != EINVAL)
            return (unsigned)count;
    }
    return 0;
}

unsigned base_cpu_count(void)
{
    unsigned count = affinity_count();
    unsigned quota = own_quota();
    if (quota > 0 && quota < count)
        count = quota;
    return count > 0 ? count : 1;
}
