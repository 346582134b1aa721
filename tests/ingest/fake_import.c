/* An import program that does what the "path" of its first file says, instead of what it should.
 *
 * It is started as the real one is: the answer's socket is 3, the files begin at 5. A mode that
 * enters the sandbox may end in what that shall consist of: +filter, +landlock, +nothing; else everything.
 */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>
#include "priv/ingest_answer.h"
#include "priv/ingest_sandbox.h"

extern char **environ;

static void send_bytes(const void *bytes, size_t n)
{
    const char *p = bytes;

    while (n) {
        ssize_t sent = write(INGEST_ANSWER_FD, p, n);
        if (sent <= 0)
            _exit(9);
        p += sent;
        n -= (size_t)sent;
    }
}

static void send_buf(base_buf *answer)
{
    send_bytes(answer->data, answer->len);
    base_buf_clear(answer);
}

static void send_error(cistern_status status, const char *text)
{
    cistern_error what = CISTERN_ERROR_INIT;
    base_buf answer;

    base_buf_init(&answer, INGEST_ANSWER_MAX);
    what.status = status;
    (void)snprintf(what.text, sizeof what.text, "%s", text);
    if (ingest_answer_put_error(&what, &answer, NULL) != CISTERN_OK)
        _exit(8);
    send_buf(&answer);
}

/* An index of one tensor "w" of `count` floats at byte 0 of a file said to have `size` bytes. */
static void send_index(uint64_t size, uint64_t count)
{
    model_index *index = NULL;
    model_tensor t = {.name = "w", .dtype = MODEL_F32, .rank = 1, .shape = {count}, .stride = {1}};
    base_buf answer;

    base_buf_init(&answer, INGEST_ANSWER_MAX);
    if (model_index_new(&size, 1, &index, NULL) || model_index_add(index, &t, NULL) ||
        ingest_answer_put_index(index, &answer, NULL))
        _exit(8);
    send_buf(&answer);
    model_index_free(index);
}

static void wait_for_ever(void)
{
    for (;;)
        pause();
}

/* ---- lies ---- */

static void good(void)
{
    send_index(40, 10);
}

static void beyond_the_file(void)
{
    send_index(44, 11);
}

static void other_size(void)
{
    send_index(41, 10);
}

static void too_long(void)
{
    char *piece = calloc(1, 1 << 20);

    for (size_t i = 0; piece && i < (INGEST_ANSWER_MAX >> 20) + 2; i++)
        send_bytes(piece, 1 << 20);
}

static void send_zeros(size_t n)
{
    char *piece = calloc(1, 1 << 20);

    for (size_t step; piece && n; n -= step) {
        step = n < 1 << 20 ? n : 1 << 20;
        send_bytes(piece, step);
    }
    free(piece);
}

static void longest(void)
{
    send_zeros(INGEST_ANSWER_MAX);
}

static void one_byte_too_long(void)
{
    send_zeros(INGEST_ANSWER_MAX + 1);
}

static void endless(void)
{
    for (;;)
        too_long();
}

static void silent(void)
{
}

static void garbage(void)
{
    send_bytes("<html>not what you want, all of it</html>", 41);
}

static void escapes(void)
{
    send_error(CISTERN_UNREADABLE, "a \x1b[31mred\n line");
}

static void impossible_status(void)
{
    send_error(CISTERN_CANCELLED, "interrupted");
}

static void no_memory(void)
{
    send_error(CISTERN_NO_MEMORY, "out of memory");
}

/* ---- deaths ---- */

static void exits(void)
{
    _exit(3);
}

static void answers_and_fails(void)
{
    good();
    _exit(4);
}

static void crashes(void)
{
    raise(SIGSEGV);
}

static void answers_and_crashes(void)
{
    good();
    raise(SIGSEGV);
}

/* The file loses its bytes after it was mapped. */
static void cut_while_read(void)
{
    struct stat st;
    int fd = open("/proc/self/fd/5", O_RDWR);

    if (fstat(INGEST_FILES_FD, &st) != 0 || fd < 0)
        _exit(7);
    volatile const char *p = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_SHARED, INGEST_FILES_FD, 0);
    if (p == MAP_FAILED || ftruncate(fd, 0) != 0)
        _exit(7);
    _exit(p[0] ? 5 : 6);
}

static void hangs(void)
{
    wait_for_ever();
}

static void answers_and_hangs(void)
{
    good();
    close(INGEST_ANSWER_FD);
    wait_for_ever();
}

/* A child of its own keeps the socket open; it leaves by itself when the other end is closed. */
static void leaves_a_child(void)
{
    char byte;

    good();
    if (fork() == 0) {
        (void)!read(INGEST_ANSWER_FD, &byte, 1);
        _exit(0);
    }
}

/* ---- what it was given ---- */

static size_t say_descriptors(char *text, size_t size)
{
    size_t n = 0;

    for (int fd = 0; fd < 256; fd++) {
        if (fcntl(fd, F_GETFD) >= 0)
            n += (size_t)snprintf(text + n, size - n, " %d", fd);
    }
    return n;
}

static void surroundings(void)
{
    char text[512] = "descriptors", blocked[32];
    sigset_t mask;
    size_t n = 11 + say_descriptors(text + 11, sizeof text - 11);
    int count = 0, variables = 0;

    sigprocmask(SIG_SETMASK, NULL, &mask);
    for (int i = 1; i < 32; i++)
        count += sigismember(&mask, i) == 1;
    while (environ[variables])
        variables++;
    (void)snprintf(blocked, sizeof blocked, "; %d blocked", count);
    (void)snprintf(text + n, sizeof text - n, "%s; %d variables; group %s; standard input %s", blocked,
                   variables, getpgrp() == getpid() ? "own" : "shared",
                   read(0, blocked, 1) == 0 ? "empty" : "not empty");
    send_error(CISTERN_UNREADABLE, text);
}

/* ---- out of the sandbox ---- */

static unsigned without;        /* INGEST_WITHOUT_*, by the mode's name */
static const char *beside = ""; /* the path of the second file */

static void enter(unsigned seconds)
{
    ingest_sandbox sandbox = {INGEST_DATA_MAX, seconds, INGEST_ANSWER_FD, 0, 0, without};
    cistern_error err = CISTERN_ERROR_INIT;

    if (ingest_sandbox_enter(&sandbox, &err) != CISTERN_OK) {
        send_error(CISTERN_UNEXPECTED, err.text);
        _exit(0);
    }
}

static void confined_works(void)
{
    enter(10);
    char *p = malloc(64 << 20);
    if (!p)
        _exit(9);
    memset(p, 1, 64 << 20);
    free(p);
    good();
}

static void confined_memory(void)
{
    size_t got = 0;

    enter(10);
    while (malloc(1 << 20))
        got++;
    send_error(got > 120 && got <= INGEST_DATA_MAX >> 20 ? CISTERN_NO_MEMORY : CISTERN_UNEXPECTED,
               "the limit is elsewhere");
}

static void confined_time(void)
{
    enter(1);
    for (volatile unsigned long i = 0;; i++)
        ;
}

static void confined_open(void)
{
    enter(10);
    (void)open("/etc/passwd", O_RDONLY);
    good();
}

static void confined_read(void)
{
    char byte;

    enter(10);
    (void)!read(INGEST_FILES_FD, &byte, 1);
    good();
}

static void confined_socket(void)
{
    enter(10);
    (void)socket(AF_INET, SOCK_STREAM, 0);
    good();
}

static void confined_exec(void)
{
    char *const none[] = {NULL};

    enter(10);
    (void)execve("/bin/true", none, none);
    good();
}

static void confined_code(void)
{
    enter(10);
    (void)mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | 0x20, -1, 0);
    good();
}

static void confined_map(void)
{
    enter(10);
    (void)mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, INGEST_FILES_FD, 0);
    good();
}

static void confined_write(void)
{
    enter(10);
    (void)!write(1, "x", 1);
    good();
}

static void confined_kill(void)
{
    enter(10);
    (void)kill(getppid(), 0);
    good();
}

/* A file of the sandbox's size limit of one byte, written to twice. */
static void confined_file(void)
{
    ingest_sandbox sandbox = {INGEST_DATA_MAX, 10, INGEST_ANSWER_FD, INGEST_FILES_FD, 1, without};

    if (ingest_sandbox_enter(&sandbox, NULL) != CISTERN_OK || write(INGEST_FILES_FD, "x", 1) != 1)
        _exit(9);
    (void)!write(INGEST_FILES_FD, "x", 1);
    good();
}

/* ---- Landlock alone: everything is tried, and what came of it told as numbers of errors ---- */

static int error_of(long result)
{
    return result < 0 ? errno : 0;
}

static int connect_or_bind(bool bound)
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(bound ? 0 : 9)};
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return error_of((bound ? bind : connect)(fd, (struct sockaddr *)&to, sizeof to));
}

/* The parent listens there. */
static int connect_by_name(void)
{
    struct sockaddr_un to = {.sun_family = AF_UNIX};
    int n = snprintf(to.sun_path + 1, sizeof to.sun_path - 1, "cistern-test-%ld", (long)getppid());
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);

    return error_of(
        connect(fd, (struct sockaddr *)&to, (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + n)));
}

static int map_file(void)
{
    volatile const char *p = mmap(NULL, 40, PROT_READ, MAP_PRIVATE, INGEST_FILES_FD, 0);

    return p == MAP_FAILED ? errno : p[39];
}

static void landlocked(void)
{
    char *const none[] = {NULL};
    char text[512], other[256], byte;

    enter(10);
    (void)snprintf(other, sizeof other, "%s-other", beside);
    (void)snprintf(
        text, sizeof text,
        "open %d, list %d, write %d, make %d, directory %d, unlink %d, rename %d, truncate %d, execute %d, "
        "connect %d, bind %d, name %d, signal %d, read %d, map %d.",
        error_of(open(beside, O_RDONLY)), error_of(open("/", O_RDONLY)), error_of(open(beside, O_WRONLY)),
        error_of(open(other, O_WRONLY | O_CREAT, 0600)), error_of(mkdir(other, 0700)),
        error_of(unlink(beside)), error_of(rename(beside, other)), error_of(truncate(beside, 1)),
        error_of(execve("/bin/true", none, none)), connect_or_bind(false), connect_or_bind(true),
        connect_by_name(), error_of(kill(getppid(), 0)), error_of(read(INGEST_FILES_FD, &byte, 1)),
        map_file());
    send_error(CISTERN_UNREADABLE, text);
}

#define MODE(name)                                                                                           \
    {                                                                                                        \
#name, name                                                                                          \
    }
static const struct {
    const char *name;
    void (*run)(void);
} modes[] = {
    MODE(good),
    MODE(beyond_the_file),
    MODE(other_size),
    MODE(too_long),
    MODE(longest),
    MODE(one_byte_too_long),
    MODE(endless),
    MODE(silent),
    MODE(garbage),
    MODE(escapes),
    MODE(no_memory),
    MODE(impossible_status),
    MODE(exits),
    MODE(answers_and_fails),
    MODE(crashes),
    MODE(answers_and_crashes),
    MODE(cut_while_read),
    MODE(hangs),
    MODE(answers_and_hangs),
    MODE(leaves_a_child),
    MODE(surroundings),
    MODE(confined_works),
    MODE(confined_memory),
    MODE(confined_time),
    MODE(confined_open),
    MODE(confined_read),
    MODE(confined_socket),
    MODE(confined_exec),
    MODE(confined_code),
    MODE(confined_map),
    MODE(confined_write),
    MODE(confined_kill),
    MODE(confined_file),
    MODE(landlocked),
};

/* Deaths are deaths, also where a sanitizer would report them first. */
static void die_by_default(void)
{
    struct sigaction by_default;

    memset(&by_default, 0, sizeof by_default);
    by_default.sa_handler = SIG_DFL;
    (void)sigaction(SIGSEGV, &by_default, NULL);
    (void)sigaction(SIGBUS, &by_default, NULL);
}

/* Cuts what follows the mode's name off and remembers it. */
static void take_parts(char *mode)
{
    char *parts = strchr(mode, '+');

    if (!parts)
        return;
    *parts++ = 0;
    if (strcmp(parts, "filter") == 0)
        without = INGEST_WITHOUT_LANDLOCK | INGEST_WITHOUT_LIMITS;
    else if (strcmp(parts, "landlock") == 0)
        without = INGEST_WITHOUT_FILTER | INGEST_WITHOUT_LIMITS;
    else
        without = INGEST_WITHOUT_FILTER | INGEST_WITHOUT_LANDLOCK;
}

int main(int argc, char **argv)
{
    die_by_default();
    if (argc > 1)
        take_parts(argv[1]);
    if (argc > 2)
        beside = argv[2];
    for (size_t i = 0; argc > 1 && i < sizeof modes / sizeof modes[0]; i++) {
        if (strcmp(argv[1], modes[i].name) == 0) {
            modes[i].run();
            _exit(0);
        }
    }
    _exit(99);
}
