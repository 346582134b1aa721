/* Publishing: a name appears with its whole content or not at all, and is never overwritten; declared in
 * base_file.h.
 *
 *   absent --(write, fchmod, fsync `.tmp-<32 hex>`)--> temporary --(linkat)--> published --(unlinkat,
 * fsync)--> durable
 *
 * Invariants
 *  1. An object's name is only ever made by linkat, which fails if the name is there.
 *  2. A process that is killed leaves at most a `.tmp-` name, which no reader looks at.
 *  3. Also when the name was there already its directory is synced, because something is about to refer to
 * it.
 */
#include "base_file.h"
#include "base_host.h"
#include "priv/base_open.h"
#include <errno.h>
#include <limits.h>

#define TEMPORARY_BYTES 16 /* 128 random bits: no two ever meet */

/* A temporary in an open directory. */
typedef struct temporary {
    int dir;
    int fd;
    char name[sizeof ".tmp-" + 2 * TEMPORARY_BYTES]; /* empty: there is none */
} temporary;

static cistern_status make_temporary(temporary *t, const void *bytes, size_t n, mode_t mode, bool sync,
                                     cistern_error *err)
{
    char hex[2 * TEMPORARY_BYTES + 1], name[sizeof t->name];
    cistern_status status = base_random_hex(TEMPORARY_BYTES, hex, err);
    if (status != CISTERN_OK)
        return status;
    snprintf(name, sizeof name, ".tmp-%s", hex);
    t->fd = openat(t->dir, name, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (t->fd < 0)
        return base_fail_errno(err, errno, "cannot create '%s'", name);
    memcpy(t->name, name, sizeof name);
    status = base_pwrite_full(t->fd, bytes, n, 0, err);
    if (status == CISTERN_OK && fchmod(t->fd, mode) != 0)
        status = base_fail_errno(err, errno, "cannot set the mode of '%s'", name);
    if (status == CISTERN_OK && sync && fsync(t->fd) != 0)
        status = base_fail_errno(err, errno, "cannot sync '%s'", name);
    return status;
}

static void clear_temporary(temporary *t)
{
    if (t->fd >= 0)
        close(t->fd);
    if (t->name[0] != '\0')
        unlinkat(t->dir, t->name, 0);
}

/* The directory of `path`, made with its parents where missing. */
static cistern_status open_target(int root, const char *path, const base_modes *modes, int *out_dir,
                                  const char **out_name, cistern_error *err)
{
    const char *slash = strrchr(path, '/');
    if (slash) {
        char parent[PATH_MAX];
        size_t n = (size_t)(slash - path);
        if (n >= sizeof parent)
            return base_fail_open(err, ENAMETOOLONG, "publish", path);
        memcpy(parent, path, n);
        parent[n] = '\0';
        cistern_status status = base_mkdirs(root, parent, modes, err);
        if (status != CISTERN_OK)
            return status;
    }
    int dir = base_open_parent(root, path, out_name);
    if (dir < 0)
        return base_fail_open(err, errno, "publish", path);
    *out_dir = dir;
    return CISTERN_OK;
}

static bool is_there(int dir, const char *name)
{
    struct stat st;
    return fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) == 0;
}

/* A network file system may repeat a link that was done and report EEXIST: then our own inode has two names.
 */
static bool was_linked(int fd)
{
    struct stat st;
    return fstat(fd, &st) == 0 && st.st_nlink == 2;
}

static cistern_status sync_target(int dir, const char *path, cistern_error *err)
{
    if (base_sync_dir(dir) != 0)
        return base_fail_errno(err, errno, "cannot sync the directory of '%s'", path);
    return CISTERN_OK;
}

cistern_status base_publish_bytes(int root, const char *path, const void *bytes, size_t n,
                                  const base_modes *modes, bool *out_created, cistern_error *err)
{
    temporary t = {.dir = -1, .fd = -1};
    const char *name;
    bool created = false;
    cistern_status status = open_target(root, path, modes, &t.dir, &name, err);
    if (status != CISTERN_OK)
        return status;
    if (!is_there(t.dir, name)) {
        status = make_temporary(&t, bytes, n, modes->file, true, err);
        if (status != CISTERN_OK)
            goto out;
        created = linkat(t.dir, t.name, t.dir, name, 0) == 0;
        if (!created && errno != EEXIST) {
            status = base_fail_errno(err, errno, "cannot link '%s'", path);
            goto out;
        }
        created = created || was_linked(t.fd);
    }
out:
    clear_temporary(&t); /* before the sync, which then covers both */
    if (status == CISTERN_OK)
        status = sync_target(t.dir, path, err);
    close(t.dir);
    if (status != CISTERN_OK)
        return base_frame(err, status, "cannot publish '%s'", path);
    *out_created = created;
    return CISTERN_OK;
}

cistern_status base_publish_link(int root, const char *from, const char *path, const base_modes *modes,
                                 bool *out_created, cistern_error *err)
{
    const char *from_name, *name;
    int from_dir = -1, dir = -1;
    struct stat st;
    cistern_status status = open_target(root, path, modes, &dir, &name, err);
    if (status != CISTERN_OK)
        return status;
    from_dir = base_open_parent(root, from, &from_name);
    if (from_dir < 0) {
        status = base_fail_open(err, errno, "publish", from);
        goto out;
    }
    if (fstatat(from_dir, from_name, &st, AT_SYMLINK_NOFOLLOW) != 0) {
        status = base_fail_open(err, errno, "publish", from);
        goto out;
    }
    if (!S_ISREG(st.st_mode)) {
        status = base_fail_open(err, S_ISLNK(st.st_mode) ? ELOOP : ENXIO, "publish", from);
        goto out;
    }
    bool created = linkat(from_dir, from_name, dir, name, 0) == 0;
    if (!created && errno != EEXIST) {
        status = base_fail_errno(err, errno, "cannot link '%s' to '%s'", from, path);
        goto out;
    }
    status = sync_target(dir, path, err);
    if (status == CISTERN_OK)
        *out_created = created;
out:
    if (from_dir >= 0)
        close(from_dir);
    close(dir);
    return status;
}

static cistern_status replace(int root, const char *path, const void *bytes, size_t n,
                              const base_modes *modes, bool sync, cistern_error *err)
{
    temporary t = {.dir = -1, .fd = -1};
    const char *name;
    cistern_status status = open_target(root, path, modes, &t.dir, &name, err);
    if (status != CISTERN_OK)
        return status;
    status = make_temporary(&t, bytes, n, modes->work, sync, err);
    if (status == CISTERN_OK && renameat(t.dir, t.name, t.dir, name) != 0)
        status = base_fail_errno(err, errno, "cannot rename '%s'", t.name);
    if (status == CISTERN_OK)
        t.name[0] = '\0';
    clear_temporary(&t);
    if (status == CISTERN_OK && sync)
        status = sync_target(t.dir, path, err);
    close(t.dir);
    return base_frame(err, status, "cannot replace '%s'", path);
}

cistern_status base_replace_bytes(int root, const char *path, const void *bytes, size_t n,
                                  const base_modes *modes, cistern_error *err)
{
    return replace(root, path, bytes, n, modes, true, err);
}

cistern_status base_replace_hint(int root, const char *path, const void *bytes, size_t n,
                                 const base_modes *modes, cistern_error *err)
{
    return replace(root, path, bytes, n, modes, false, err);
}

cistern_status base_unlink_beneath(int root, const char *path, cistern_error *err)
{
    const char *name;
    int dir = base_open_parent(root, path, &name);
    if (dir < 0)
        return errno == ENOENT ? CISTERN_OK : base_fail_open(err, errno, "remove", path);
    cistern_status status = CISTERN_OK;
    if (unlinkat(dir, name, 0) != 0 && errno != ENOENT)
        status = base_fail_open(err, errno, "remove", path);
    close(dir);
    return status;
}
