/* Placing files for other programs; see base_file_place.h.
 *
 *   absent --(copy or link under `.tmp-<32 hex>`)--> temporary --(linkat, or renameat to replace)--> placed
 */
#include "base_file_place.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>
#include "base_host.h"
#include "priv/base_open.h"

#define TEMPORARY_BYTES 16 /* 128 random bits: no two ever meet */

typedef struct placing {
    int dir;
    const char *name;
    char temporary[sizeof ".tmp-" + 2 * TEMPORARY_BYTES]; /* empty: there is none */
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
    return out->dir < 0 ? base_fail_open(err, errno, "place", p->path) : CISTERN_OK;
}

static cistern_status place_copy(const base_place *p, int dir, const char *name, cistern_error *err)
{
    int fd = openat(dir, name, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0666);
    if (fd < 0)
        return base_fail_errno(err, errno, "cannot create '%s'", p->path);
    cistern_status status = base_copy_file(p->from_fd, fd, p->size, err);
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
    char hex[2 * TEMPORARY_BYTES + 1], name[sizeof at->temporary];
    cistern_status status = base_random_hex(TEMPORARY_BYTES, hex, err);
    if (status != CISTERN_OK)
        return status;
    memcpy(name, ".tmp-", 5);
    memcpy(name + 5, hex, sizeof hex);
    memcpy(at->temporary, name, sizeof name); /* from here on there may be something to remove */
    switch (p->how) {
    case BASE_PLACE_COPY:
        return place_copy(p, at->dir, name, err);
    case BASE_PLACE_HARDLINK:
        return place_hardlink(p, at->dir, name, err);
    case BASE_PLACE_SYMLINK:
        break;
    }
    if (symlinkat(p->from_path, at->dir, name) != 0)
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
    placing at = {.dir = -1};
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
    close(at.dir);
    return status;
}
