/* Writing a file at once: see base_write.h. */
#include "base_write.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base_disk.h"
#include "base_file.h"
#include "base_flush.h"
#include "base_host.h"
#include "base_mem.h"
#include "base_temporary.h"
#include "priv/base_open.h"

#define BUFFER_BYTES ((size_t)BASE_DISK_BLOCK) /* what is put is gathered up to the end of a block */

struct base_write {
    int dir, fd, lock;
    bool replace;
    char *path; /* as the user gave it */
    const char *name;
    char temporary[BASE_TEMPORARY_NAME]; /* empty: there is none */
    uint64_t written;                    /* bytes in the file */
    size_t waiting;                      /* bytes in the buffer */
    uint8_t buffer[BUFFER_BYTES];
};

static cistern_status open_directory(base_write *w, cistern_error *err)
{
    const char *slash = strrchr(w->path, '/');
    char *parent = NULL;
    struct stat there;
    cistern_status st;

    w->name = slash ? slash + 1 : w->path;
    if (w->name[0] == '\0' || strcmp(w->name, ".") == 0 || strcmp(w->name, "..") == 0)
        return base_fail(err, CISTERN_USAGE, "'%s' is not the name of a file", w->path);
    st = base_asprintf(&parent, err, "%.*s", slash ? (int)(slash - w->path) + 1 : 1, slash ? w->path : ".");
    if (st != CISTERN_OK)
        return st;
    w->dir = open(parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (w->dir < 0)
        st = base_fail_errno(err, errno, "cannot write '%s'", w->path);
    free(parent);
    if (st == CISTERN_OK && fstatat(w->dir, w->name, &there, AT_SYMLINK_NOFOLLOW) == 0 &&
        (!w->replace || S_ISDIR(there.st_mode)))
        st = base_fail(err, CISTERN_CONFLICT, "'%s' is there already%s", w->path,
                       S_ISDIR(there.st_mode) ? ", a directory" : "");
    return st;
}

/* The lock is held by a second descriptor, past the closing of the first: until the file has its name. */
static cistern_status make_temporary(base_write *w, cistern_error *err)
{
    cistern_status st = base_temporary_create(w->dir, w->path, w->temporary, &w->fd, err);

    if (st != CISTERN_OK)
        return st;
    w->lock = fcntl(w->fd, F_DUPFD_CLOEXEC, 3);
    return w->lock < 0 ? base_fail_errno(err, errno, "cannot write '%s'", w->path) : CISTERN_OK;
}

cistern_status base_write_begin(const char *path, bool replace, base_write **out, cistern_error *err)
{
    base_write *w = NULL;
    cistern_status st = base_calloc(1, sizeof *w, &w, err);

    if (st != CISTERN_OK)
        return st;
    w->dir = w->fd = w->lock = -1;
    w->replace = replace;
    st = base_strdup(path, &w->path, err);
    if (st == CISTERN_OK)
        st = open_directory(w, err);
    if (st == CISTERN_OK) {
        base_temporary_sweep(w->dir);
        st = make_temporary(w, err);
    }
    if (st != CISTERN_OK) {
        base_write_abandon(w);
        return st;
    }
    *out = w;
    return CISTERN_OK;
}

static cistern_status flush(base_write *w, cistern_error *err)
{
    cistern_status st = base_pwrite_full(w->fd, w->buffer, w->waiting, w->written, err);

    if (st != CISTERN_OK)
        return base_frame(err, st, "cannot write '%s'", w->path);
    w->written += w->waiting;
    w->waiting = 0;
    return CISTERN_OK;
}

cistern_status base_write_put(base_write *w, const void *bytes, size_t n, cistern_error *err)
{
    cistern_status st = CISTERN_OK;

    for (const uint8_t *from = bytes; st == CISTERN_OK && n > 0;) {
        size_t room = BUFFER_BYTES - w->waiting, part = n < room ? n : room;
        memcpy(w->buffer + w->waiting, from, part);
        w->waiting += part;
        from += part;
        n -= part;
        if (w->waiting == BUFFER_BYTES)
            st = flush(w, err);
    }
    return st;
}

uint64_t base_write_size(const base_write *w)
{
    return w->written + w->waiting;
}

static cistern_status name_it(base_write *w, cistern_error *err)
{
    int failed = w->replace ? renameat(w->dir, w->temporary, w->dir, w->name)
                            : linkat(w->dir, w->temporary, w->dir, w->name, 0);

    if (failed && !w->replace && errno == EEXIST)
        return base_fail(err, CISTERN_CONFLICT, "'%s' is there already", w->path);
    if (failed)
        return base_fail_errno(err, errno, "cannot name '%s'", w->path);
    return base_sync_dir(w->dir) == 0
               ? CISTERN_OK
               : base_fail_errno(err, errno, "cannot sync the directory of '%s'", w->path);
}

cistern_status base_write_flush(base_write *w, const base_cancel *cancel, cistern_error *err)
{
    cistern_status st = w->waiting ? flush(w, err) : CISTERN_OK;
    return st == CISTERN_OK ? base_flush(w->fd, 0, w->written, cancel, err) : st;
}

cistern_status base_write_end(base_write *w, cistern_error *err)
{
    cistern_status st = w->waiting ? flush(w, err) : CISTERN_OK;
    int fd = w->fd;

    if (st == CISTERN_OK && fsync(fd) != 0)
        st = base_fail_errno(err, errno, "cannot sync '%s'", w->path);
    w->fd = -1;
    if (close(fd) != 0 && st == CISTERN_OK) /* where a quota may be told */
        st = base_fail_errno(err, errno, "cannot close '%s'", w->path);
    if (st == CISTERN_OK)
        st = name_it(w, err);
    base_write_abandon(w);
    return st;
}

void base_write_abandon(base_write *w)
{
    if (!w)
        return;
    if (w->fd >= 0)
        close(w->fd);
    if (w->temporary[0] != '\0')
        unlinkat(w->dir, w->temporary, 0);
    if (w->lock >= 0)
        close(w->lock);
    if (w->dir >= 0)
        close(w->dir);
    free(w->path);
    free(w);
}
