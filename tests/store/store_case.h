/* What every test of the store room needs: a store in a directory of its own, bytes, names, other processes. */
#ifndef STORE_CASE_H
#define STORE_CASE_H

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>
#include "base_file.h"
#include "base_mem.h"
#include "base_sha256.h"
#include "base_thread.h"
#include "store_blob.h"
#include "store_fetch.h"
#include "store_open.h"

#define CASE_PATH 512

typedef struct store_case {
    char top[CASE_PATH];   /* the test's own directory */
    char root[CASE_PATH];  /* the store in it */
    char state[CASE_PATH]; /* identity records */
    store_options options;
    store *s;
} store_case;

/* "<top>/<name>", in one of a few buffers that are used in turn. */
static inline const char *case_path(const store_case *c, const char *name)
{
    static char buffer[8][2 * CASE_PATH];
    static int next;
    char *out = buffer[next++ % 8];
    snprintf(out, sizeof buffer[0], "%s/%s", c->top, name);
    return out;
}

static inline void case_remove_tree(const char *path)
{
    struct stat st;
    if (lstat(path, &st) != 0)
        return;
    if (S_ISDIR(st.st_mode)) {
        chmod(path, 0700);
        DIR *dir = opendir(path);
        for (struct dirent *e; dir && (e = readdir(dir)) != NULL;) {
            char below[2 * CASE_PATH];
            if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
                continue;
            if ((size_t)snprintf(below, sizeof below, "%s/%s", path, e->d_name) < sizeof below)
                case_remove_tree(below);
        }
        if (dir)
            closedir(dir);
        rmdir(path);
    } else {
        unlink(path);
    }
}

static inline void case_fail(const char *what, const cistern_error *err)
{
    char text[2048];
    cistern_error_format(err, text, sizeof text);
    fail_msg("%s: %s: %s", what, cistern_status_name(err->status), text);
}

#define assert_ok(call)                                                                                      \
    do {                                                                                                     \
        cistern_error err_ = CISTERN_ERROR_INIT, *err = &err_;                                               \
        if ((call) != CISTERN_OK)                                                                            \
            case_fail(#call, err);                                                                           \
    } while (0)

/* The status, and a piece of the message. */
#define assert_status(call, expected, piece)                                                                 \
    do {                                                                                                     \
        cistern_error err_ = CISTERN_ERROR_INIT, *err = &err_;                                               \
        char text_[2048];                                                                                    \
        cistern_status status_ = (call);                                                                     \
        cistern_error_format(err, text_, sizeof text_);                                                      \
        if (status_ != (expected) || strstr(text_, (piece)) == NULL)                                         \
            fail_msg("%s gave %s: %s", #call, cistern_status_name(status_), text_);                          \
    } while (0)

static inline void case_make(store_case *c)
{
    memset(c, 0, sizeof *c);
    char here[CASE_PATH / 4], name[] = "store-XXXXXX";
    assert_non_null(getcwd(here, sizeof here));
    assert_non_null(mkdtemp(name));
    snprintf(c->top, sizeof c->top, "%s/%s", here, name);
    snprintf(c->root, sizeof c->root, "%.300s/store", c->top);
    snprintf(c->state, sizeof c->state, "%.300s/state", c->top);
    c->options = (store_options)STORE_OPTIONS_INIT;
    c->options.state_dir = c->state;
}

static inline int case_setup(void **state)
{
    store_case *c = calloc(1, sizeof *c);
    case_make(c);
    assert_ok(store_init(c->root, STORE_HOME, STORE_SHARING_USER, &c->options, &c->s, NULL, err));
    *state = c;
    return 0;
}

static inline int case_teardown(void **state)
{
    store_case *c = *state;
    store_free(c->s);
    case_remove_tree(c->top);
    free(c);
    return 0;
}

/* Open it anew, with c->options. */
static inline void case_reopen(store_case *c)
{
    store_free(c->s);
    c->s = NULL;
    assert_ok(store_open(c->root, &c->options, &c->s, err));
}

/* n bytes that look random but are always the same for a seed. */
static inline uint8_t *case_bytes(size_t n, uint64_t seed)
{
    uint8_t *out = malloc(n + 8);
    uint64_t x = seed * 0x9e3779b97f4a7c15u + 1;
    assert_non_null(out);
    for (size_t i = 0; i < n; i += 8) {
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
        memcpy(out + i, &x, 8);
    }
    return out;
}

static inline base_digest case_digest(const void *bytes, size_t n)
{
    base_digest d;
    assert_ok(base_sha256_of(bytes, n, &d, err));
    return d;
}

static inline void case_write(const char *path, const void *bytes, size_t n)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0644);
    assert_true(fd >= 0);
    assert_ok(base_pwrite_full(fd, bytes, n, 0, err));
    close(fd);
}

/* How many entries a directory of the store has, `.tmp-` ones included; 0 if it is absent. */
static inline int case_entries(const store_case *c, const char *dir)
{
    char path[2 * CASE_PATH];
    int count = 0;
    snprintf(path, sizeof path, "%s/%s", c->root, dir);
    DIR *d = opendir(path);
    if (!d)
        return 0;
    for (struct dirent *e; (e = readdir(d)) != NULL;)
        count += strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0;
    closedir(d);
    return count;
}

/* Entries of partial/ without its CACHEDIR.TAG. */
static inline int case_partials(const store_case *c)
{
    int count = case_entries(c, "partial");
    return count > 0 ? count - 1 : 0;
}

/* A blob of these bytes, put there by the fetch of a local file. */
static inline store_file case_put(store_case *c, const void *bytes, size_t n)
{
    store_fetch *fetch = NULL;
    store_fetch_got got;
    store_fetch_want want = STORE_FETCH_WANT_INIT;
    base_digest key = case_digest(bytes, n);
    const char *path = case_path(c, "source.bin");
    case_write(path, bytes, n);
    int fd = open(path, O_RDONLY);
    assert_ok(store_fetch_begin(c->s, &key, STORE_WAIT_FOREVER, NULL, &fetch, err));
    assert_non_null(fetch);
    assert_ok(store_fetch_add(fetch, fd, "source.bin", &want, NULL, &got, err));
    assert_ok(store_fetch_publish(fetch, NULL, err));
    store_fetch_end(fetch, CISTERN_OK, NULL);
    close(fd);
    return got.file;
}

static inline void case_blob_name(const store_case *c, const base_digest *d, char out[2 * CASE_PATH])
{
    char *path = NULL;
    assert_ok(store_blob_path(c->s, d, &path, err));
    snprintf(out, 2 * CASE_PATH, "%s", path);
    free(path);
}

/* Whether the blob is here with exactly these bytes. */
static inline bool case_has_blob(const store_case *c, const void *bytes, size_t n)
{
    base_digest d = case_digest(bytes, n);
    char path[2 * CASE_PATH];
    base_buf found;
    case_blob_name(c, &d, path);
    base_buf_init(&found, n + 1);
    bool same = base_read_path(path, &found, NULL) == CISTERN_OK && found.len == n &&
                (n == 0 || memcmp(found.data, bytes, n) == 0);
    base_buf_clear(&found);
    return same;
}

/* Zeroed memory that child processes share with this one. */
static inline void *case_shared(const store_case *c, size_t n)
{
    static int count;
    char path[2 * CASE_PATH];
    snprintf(path, sizeof path, "%s/shared-%d", c->top, count++);
    int fd = open(path, O_RDWR | O_CREAT | O_EXCL, 0600);
    assert_true(fd >= 0 && ftruncate(fd, (off_t)n) == 0);
    void *out = mmap(NULL, n, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    assert_true(out != MAP_FAILED);
    close(fd);
    return out;
}

/* Run fn in a child process; its exit code, or 1000 + signal. */
static inline int case_child(int (*fn)(void *arg), void *arg)
{
    fflush(NULL);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0)
        _exit(fn(arg));
    int status = 0;
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
}

#endif
