/* Placing files for other programs; see base_file_place.h.
 *
 *   absent --(copy or link under `.tmp-<32 hex>`)--> temporary --(linkat, or renameat to replace)--> placed
 */
#include "base_file_place.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>
#include "base_disk.h"
#include "base_flush.h"
#include "base_host.h"
#include "base_temporary.h"
#include "priv/base_open.h"

#define COPY_STEP ((uint64_t)8 << 20) /* bytes between two looks at a cancel */

typedef struct placing {
    int dir;
    const char *name;
    char temporary[BASE_TEMPORARY_NAME]; /* empty: there is none */
    int lock; /* of a copy: open as long as its temporary counts as ours; -1: none */
} placing;

static cistern_status open_directory(const base_place *p, placing *out, cistern_error *err)
{
    static const base_modes modes = {0644, 0644, 0755};
    const char *slash = strrchr(p->path, '/');
    char parent[BASE_PLACE_PATH_MAX];
    if (strlen(p->path) >= sizeof parent)
        return base_fail_open(err, ENAMETOOLONG, "place", p->path);
    if (slash != NULL) {
        memcpy(parent, p->path, (size_t)(slash - p->path));
        parent[slash - p->path] = '\0';
        cistern_status status = base_mkdirs(p->root, parent, &modes, err);
        if (status != CISTERN_OK)
            return status;
    }
    out->dir = base_open_parent(p->root, p->path, &out->name);
    if (out->dir < 0)
        return base_fail_open(err, errno, "place", p->path);
    base_temporary_sweep(out->dir);
    return CISTERN_OK;
}

/* Extents are shared of a whole file only, so that nothing beyond its size comes along. */
static cistern_status copy(const base_place *p, int fd, cistern_error *err)
{
    struct stat st;
    cistern_status status = CISTERN_OK;
    if (fstat(p->from_fd, &st) == 0 && (uint64_t)st.st_size == p->size && base_disk_clone(p->from_fd, fd))
        return CISTERN_OK;
    for (uint64_t at = 0; status == CISTERN_OK && at < p->size; at += COPY_STEP) {
        status = base_check_cancel(p->cancel, err);
        if (status == CISTERN_OK)
            status = base_disk_copy_range(p->from_fd, fd, at,
                                          p->size - at < COPY_STEP ? p->size - at : COPY_STEP, err);
    }
    return status == CISTERN_OK ? base_flush(fd, 0, p->size, p->cancel, err) : status;
}

static cistern_status place_copy(const base_place *p, placing *at, cistern_error *err)
{
    int fd = -1;
    cistern_status status = base_temporary_create(at->dir, p->path, at->temporary, &fd, err);
    if (status != CISTERN_OK)
        return status;
    at->lock = fcntl(fd, F_DUPFD_CLOEXEC, 3);
    status = at->lock < 0 ? base_fail_errno(err, errno, "cannot create '%s'", p->path) : copy(p, fd, err);
    if (status == CISTERN_OK && fsync(fd) != 0)
        status = base_fail_errno(err, errno, "cannot sync '%s'", p->path);
    if (close(fd) != 0 && status == CISTERN_OK) /* where a quota may be told */
        status = base_fail_errno(err, errno, "cannot close '%s'", p->path);
    return status;
}

static cistern_status place_hardlink(const base_place *p, int dir, const char *name, cistern_error *err)
{
    struct stat from, made;
    if (linkat(AT_FDCWD, p->from_path, dir, name, 0) != 0)
        return errno == EXDEV
                   ? base_fail(err, CISTERN_USAGE,
                               "'%s' is on another file system than %s: a hard link cannot be made, a "
                               "copy can",
                               p->path, p->from_path)
                   : base_fail_errno(err, errno, "cannot link '%s' to %s", p->path, p->from_path);
    if (fstat(p->from_fd, &from) != 0 || fstatat(dir, name, &made, AT_SYMLINK_NOFOLLOW) != 0)
        return base_fail_errno(err, errno, "cannot stat '%s'", p->path);
    if (from.st_ino != made.st_ino || from.st_dev != made.st_dev)
        return base_fail(err, CISTERN_CONFLICT, "%s was replaced meanwhile", p->from_path);
    return CISTERN_OK;
}

static cistern_status make_temporary(const base_place *p, placing *at, cistern_error *err)
{
    if (p->how == BASE_PLACE_COPY)
        return place_copy(p, at, err);
    cistern_status status = base_temporary_name(at->temporary, err);
    if (status != CISTERN_OK)
        return status;
    if (p->how == BASE_PLACE_HARDLINK)
        return place_hardlink(p, at->dir, at->temporary, err);
    if (symlinkat(p->from_path, at->dir, at->temporary) != 0)
        return base_fail_errno(err, errno, "cannot link '%s' to %s", p->path, p->from_path);
    return CISTERN_OK;
}

/* Give the temporary its name. */
static cistern_status name_it(const base_place *p, placing *at, bool *out_created, cistern_error *err)
{
    bool created = true;
    if (p->replace) {
        if (renameat(at->dir, at->temporary, at->dir, at->name) != 0)
            return base_fail_errno(err, errno, "cannot replace '%s'", p->path);
    } else if (linkat(at->dir, at->temporary, at->dir, at->name, 0) != 0) {
        if (errno != EEXIST)
            return base_fail_errno(err, errno, "cannot name '%s'", p->path);
        created = false;
    }
    if (base_sync_dir(at->dir) != 0)
        return base_fail_errno(err, errno, "cannot sync the directory of '%s'", p->path);
    *out_created = created;
    return CISTERN_OK;
}

cistern_status base_place_file(const base_place *p, bool *out_created, cistern_error *err)
{
    placing at = {.dir = -1, .lock = -1};
    struct stat there;
    cistern_status status = open_directory(p, &at, err);
    if (status != CISTERN_OK)
        return status;
    if (!p->replace && fstatat(at.dir, at.name, &there, AT_SYMLINK_NOFOLLOW) == 0) {
        close(at.dir); /* seen before 550 MB are copied for nothing */
        *out_created = false;
        return CISTERN_OK;
    }
    status = make_temporary(p, &at, err);
    if (status == CISTERN_OK)
        status = name_it(p, &at, out_created, err);
    if (at.temporary[0] != '\0') /* also after a rename, which does nothing where both are one inode */
        unlinkat(at.dir, at.temporary, 0);
    if (at.lock >= 0)
        close(at.lock);
    close(at.dir);
    return status;
}
