/* The import program as a process.
 *
 * Invariants
 *  1. It gets the files (from number 5), one socket for its answer (3), one file for decoded tensors (4), nothing to read
 *     or write at 0, 1 and 2, an empty environment, no other descriptor, its own process group, and every signal as by default.
 *  2. The end of the socket is the end of the answer; nobody else holds its other end.
 *  3. Once started it is always reaped here, by its own pid: killed first if it does not end by itself.
 *  4. Nothing is written to it, so no SIGPIPE can come; no handler and no mask of ours is touched.
 */
#include "priv/ingest_child.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include "base_mem.h"
#include "priv/ingest_answer.h"

#define POLL_MS  50    /* how often the cancel token is looked at */
#define GRACE_MS 2000u /* between the answer's end and the process's own */
#define PIECE    65536 /* bytes */

/* ---- starting ---- */

typedef struct start {
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    bool has_actions, has_attributes;
    int *high; /* copies of the files' descriptors, above all numbers that the program will use; -1: none */
    size_t count;
    char **argv;
    int ours, theirs; /* the socket's ends */
    int decoded;      /* a high copy, or -1 */
} start;

static void start_clear(start *s)
{
    if (s->has_actions)
        posix_spawn_file_actions_destroy(&s->actions);
    if (s->has_attributes)
        posix_spawnattr_destroy(&s->attributes);
    for (size_t i = 0; s->high && i < s->count; i++) {
        if (s->high[i] >= 0)
            close(s->high[i]);
    }
    free(s->high);
    free(s->argv);
    if (s->decoded >= 0)
        close(s->decoded);
    if (s->theirs >= 0)
        close(s->theirs);
    if (s->ours >= 0)
        close(s->ours);
}

/* Copies with numbers that the dup2 calls in the child cannot overwrite. */
static cistern_status copy_descriptors(start *s, const ingest_file *files, int decoded, cistern_error *err)
{
    int above = INGEST_FILES_FD + (int)s->count, ends[2];
    cistern_status st = base_calloc(s->count, sizeof *s->high, &s->high, err);

    if (st)
        return st;
    for (size_t i = 0; i < s->count; i++)
        s->high[i] = -1;
    for (size_t i = 0; i < s->count; i++) {
        s->high[i] = fcntl(files[i].fd, F_DUPFD_CLOEXEC, above);
        if (s->high[i] < 0)
            return base_fail_errno(err, errno, "cannot hand %s to the import program", files[i].path);
    }
    if (decoded >= 0 && (s->decoded = fcntl(decoded, F_DUPFD_CLOEXEC, above)) < 0)
        return base_fail_errno(err, errno, "cannot hand a file for decoded tensors to the import program");
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0)
        return base_fail_errno(err, errno, "cannot make a socket for the import program");
    s->ours = ends[0];
    s->theirs = fcntl(ends[1], F_DUPFD_CLOEXEC, above);
    int failed = errno;
    close(ends[1]);
    return s->theirs < 0 ? base_fail_errno(err, failed, "cannot make a socket for the import program")
                         : CISTERN_OK;
}

static int add_actions(start *s)
{
    int e = posix_spawn_file_actions_init(&s->actions);

    if (e)
        return e;
    s->has_actions = true;
    e = posix_spawn_file_actions_adddup2(&s->actions, s->theirs, INGEST_ANSWER_FD);
    if (!e)
        e = s->decoded >= 0
                ? posix_spawn_file_actions_adddup2(&s->actions, s->decoded, INGEST_DECODED_FD)
                : posix_spawn_file_actions_addopen(&s->actions, INGEST_DECODED_FD, "/dev/null", O_RDONLY, 0);
    for (size_t i = 0; i < s->count && !e; i++)
        e = posix_spawn_file_actions_adddup2(&s->actions, s->high[i], INGEST_FILES_FD + (int)i);
#if defined(CISTERN_SANITIZED)
    int last = 1; /* reports go to standard error */
#else
    int last = 2;
#endif
    for (int fd = 0; fd <= last && !e; fd++)
        e = posix_spawn_file_actions_addopen(&s->actions, fd, "/dev/null", O_RDWR, 0);
    return e;
}

static int set_attributes(start *s)
{
    sigset_t none, all;
    int e = posix_spawnattr_init(&s->attributes);

    if (e)
        return e;
    s->has_attributes = true;
    sigemptyset(&none);
    sigfillset(&all);
    if (!(e = posix_spawnattr_setflags(&s->attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF |
                                                           POSIX_SPAWN_SETPGROUP)) &&
        !(e = posix_spawnattr_setsigmask(&s->attributes, &none)) &&
        !(e = posix_spawnattr_setsigdefault(&s->attributes, &all)))
        e = posix_spawnattr_setpgroup(&s->attributes, 0);
    return e;
}

/* The program's name, then the files' paths; borrowed. */
static cistern_status make_argv(start *s, const char *program, const ingest_file *files, cistern_error *err)
{
    cistern_status st = base_calloc(s->count + 2, sizeof(char *), &s->argv, err);

    if (st)
        return st;
    s->argv[0] = (char *)(uintptr_t)program;
    for (size_t i = 0; i < s->count; i++)
        s->argv[i + 1] = (char *)(uintptr_t)files[i].path;
    return CISTERN_OK;
}

cistern_status ingest_child_start(const char *program, const ingest_file *files, size_t count, int decoded,
                                  ingest_child *out, cistern_error *err)
{
    char *const no_environment[] = {NULL};
    start s = {.count = count, .ours = -1, .theirs = -1, .decoded = -1};
    cistern_status st;
    int e;

    if ((st = copy_descriptors(&s, files, decoded, err)) || (st = make_argv(&s, program, files, err)))
        goto out;
    if ((e = add_actions(&s)) || (e = set_attributes(&s)) ||
        (e = posix_spawn(&out->pid, program, &s.actions, &s.attributes, s.argv, no_environment))) {
        st = base_fail(err, CISTERN_UNEXPECTED, "cannot start the import program %s: %s", program,
                       strerror(e));
        goto out;
    }
    out->answer = s.ours;
    s.ours = -1;
out:
    start_clear(&s);
    return st;
}

/* ---- listening and ending ---- */

/* One piece of the answer, or *end. */
static cistern_status listen_once(const ingest_child *child, base_buf *answer, bool *end, ingest_end *how,
                                  cistern_error *err)
{
    char piece[PIECE];
    struct pollfd p = {.fd = child->answer, .events = POLLIN};

    if (poll(&p, 1, POLL_MS) <= 0)
        return CISTERN_OK;
    ssize_t n = read(child->answer, piece, sizeof piece);
    if (n < 0 && (errno == EINTR || errno == EAGAIN))
        return CISTERN_OK;
    if (n <= 0) { /* its end; an error here is a broken socket, hence also the end */
        *end = true;
        return CISTERN_OK;
    }
    if ((size_t)n > answer->max - answer->len) {
        how->too_long = *end = true;
        return CISTERN_OK;
    }
    return base_buf_put(answer, piece, (size_t)n, err);
}

/* Whether the process is gone now; where `block`, wait for that. */
static bool reaped(pid_t pid, bool block, ingest_end *how)
{
    pid_t got;

    do
        got = waitpid(pid, &how->wait_status, block ? 0 : WNOHANG);
    while (got < 0 && errno == EINTR);
    how->known = got == pid;
    return got != 0; /* ECHILD: gone, and somebody else knows how */
}

/* Wait for a process that has nothing left to say; kill it when it lingers, or at once if `now`. */
static void end_process(const ingest_child *child, bool now, const base_cancel *cancel, ingest_end *how)
{
    for (uint64_t until = base_monotonic_ms() + GRACE_MS; !now && base_monotonic_ms() < until;) {
        if (reaped(child->pid, false, how))
            return;
        if (base_cancelled(cancel))
            break;
        base_sleep_ms(1);
    }
    how->hung = !now;
    kill(child->pid, SIGKILL);
    (void)reaped(child->pid, true, how);
}

cistern_status ingest_child_finish(ingest_child *child, const base_cancel *cancel, base_buf *answer,
                                   ingest_end *out, cistern_error *err)
{
    ingest_end how = {0};
    cistern_status st = CISTERN_OK;

    for (bool end = false; !st && !end;) {
        st = base_check_cancel(cancel, err);
        if (!st)
            st = listen_once(child, answer, &end, &how, err);
    }
    close(child->answer);
    end_process(child, st || how.too_long, cancel, &how);
    if (!st)
        st = base_check_cancel(cancel, err);
    *out = how;
    return st;
}
