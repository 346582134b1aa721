/* Opening and making entries beneath a root; declared in base_file.h.
 *
 * Invariants
 *  1. No link is followed below a root, neither at the end of a path nor on the way: openat2 with
 * RESOLVE_BENEATH and RESOLVE_NO_SYMLINKS, or the same by hand, one component at a time, each opened with
 * O_NOFOLLOW.
 *  2. Opening never blocks: O_NONBLOCK, and what is not a regular file is closed again.
 *  3. A directory that was made is synced into its parent before anything is put into it.
 */
#include "base_file.h"
#include "priv/base_open.h"
#include <errno.h>
#include <limits.h>
#include <linux/openat2.h>
#include <sys/syscall.h>

#define OPEN_TRIES 16 /* openat2 says EAGAIN when a rename or mount elsewhere raced with it */

static void close_keeping_errno(int fd)
{
    int kept = errno;
    if (fd >= 0)
        close(fd);
    errno = kept;
}

/* One component of a path as a string; false: too long, ".." or nothing. */
static bool take_component(const char **path, char out[BASE_NAME_MAX + 1])
{
    size_t n = strcspn(*path, "/");
    if (n == 0 || n > BASE_NAME_MAX) {
        errno = n == 0 ? EXDEV : ENAMETOOLONG;
        return false;
    }
    memcpy(out, *path, n);
    out[n] = '\0';
    if (strcmp(out, "..") == 0) {
        errno = EXDEV;
        return false;
    }
    *path += n;
    while (**path == '/')
        (*path)++;
    return true;
}

/* Open the directory `name` in `dir` unless it is a link, which O_DIRECTORY alone would report as ENOTDIR. */
static int step_into(int dir, const char *name)
{
    int fd = openat(dir, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return -1;
    struct stat st;
    if (fstat(fd, &st) != 0 || !S_ISDIR(st.st_mode)) {
        errno = S_ISLNK(st.st_mode) ? ELOOP : ENOTDIR;
        close_keeping_errno(fd);
        return -1;
    }
    return fd;
}

int base_open_walk(int root, const char *path, int flags, mode_t mode)
{
    char name[BASE_NAME_MAX + 1];
    int dir = root, fd = -1;
    while (take_component(&path, name)) {
        if (*path == '\0') {
            fd = openat(dir, name, flags | O_NOFOLLOW | O_CLOEXEC, mode);
            break;
        }
        int next = step_into(dir, name);
        if (dir != root)
            close_keeping_errno(dir);
        dir = next;
        if (dir < 0)
            return -1;
    }
    if (dir != root)
        close_keeping_errno(dir);
    return fd;
}

int base_open_at(int root, const char *path, int flags, mode_t mode)
{
    struct open_how how = {
        .flags = (unsigned)(flags | O_NOFOLLOW | O_CLOEXEC),
        .mode = flags & O_CREAT ? mode : 0,
        .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS,
    };
    long fd = -1;
    for (int tries = 0; tries < OPEN_TRIES; tries++) {
        fd = syscall(SYS_openat2, root, path, &how, sizeof how);
        if (fd >= 0 || errno != EAGAIN)
            break;
    }
    if (fd < 0 && (errno == ENOSYS || errno == EPERM))
        return base_open_walk(root, path, flags, mode);
    return (int)fd;
}

int base_open_parent(int root, const char *path, const char **out_name)
{
    const char *slash = strrchr(path, '/');
    *out_name = slash ? slash + 1 : path;
    if (**out_name == '\0' || strcmp(*out_name, "..") == 0 || strcmp(*out_name, ".") == 0) {
        errno = EXDEV;
        return -1;
    }
    if (!slash)
        return base_open_at(root, ".", O_RDONLY | O_DIRECTORY, 0);
    char parent[PATH_MAX];
    size_t n = (size_t)(slash - path);
    if (n >= sizeof parent) {
        errno = ENAMETOOLONG;
        return -1;
    }
    memcpy(parent, path, n);
    parent[n] = '\0';
    return base_open_at(root, parent, O_RDONLY | O_DIRECTORY, 0);
}

cistern_status base_fail_open(cistern_error *err, int os_errno, const char *verb, const char *path)
{
    const char *what = NULL;
    switch (os_errno) {
    case ELOOP:
        what = "a symbolic link, which is not followed here";
        break;
    case EXDEV:
        what = "outside of its root";
        break;
    case ENOTDIR:
        what = "below what is not a directory";
        break;
    case EISDIR:
    case ENXIO:
        what = "not a regular file";
        break;
    default:
        return base_fail_errno(err, os_errno, "cannot %s '%s'", verb, path);
    }
    cistern_status status = base_fail(err, CISTERN_DAMAGED, "cannot %s '%s': it is %s", verb, path, what);
    if (err)
        err->os_errno = os_errno;
    return status;
}

int base_sync_dir(int fd)
{
    return fsync(fd) == 0 || errno == EINVAL ? 0 : -1;
}

cistern_status base_dir_open(const char *path, int *out_fd, cistern_error *err)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0 && errno == ENOTDIR) {
        struct stat st;
        if (stat(path, &st) == 0)
            return base_fail(err, CISTERN_USAGE, "'%s' is not a directory", path);
        errno = ENOTDIR;
    }
    if (fd < 0)
        return base_fail_errno(err, errno, "cannot open directory '%s'", path);
    *out_fd = fd;
    return CISTERN_OK;
}

cistern_status base_open_beneath(int root, const char *path, int flags, int *out_fd, cistern_error *err)
{
    struct stat st;
    if (flags & O_CREAT)
        return base_fail(err, CISTERN_UNEXPECTED, "cannot open '%s': it may not be created here", path);
    int fd = base_open_at(root, path, flags | O_NONBLOCK | O_NOCTTY, 0);
    if (fd < 0)
        return base_fail_open(err, errno, "open", path);
    if (fstat(fd, &st) != 0) {
        close_keeping_errno(fd);
        return base_fail_errno(err, errno, "cannot stat '%s'", path);
    }
    if (!S_ISREG(st.st_mode)) {
        close(fd);
        return base_fail_open(err, S_ISDIR(st.st_mode) ? EISDIR : ENXIO, "open", path);
    }
    *out_fd = fd;
    return CISTERN_OK;
}

cistern_status base_create_beneath(int root, const char *path, mode_t mode, int *out_fd, cistern_error *err)
{
    int fd = base_open_at(root, path, O_RDWR | O_CREAT | O_EXCL, mode & 0777);
    if (fd < 0 && errno == EEXIST) {
        cistern_status status =
            base_fail(err, CISTERN_CONFLICT, "cannot create '%s': it is there already", path);
        if (err)
            err->os_errno = EEXIST;
        return status;
    }
    if (fd < 0)
        return base_fail_open(err, errno, "create", path);
    if (fchmod(fd, mode) != 0) {
        close_keeping_errno(fd);
        return base_fail_errno(err, errno, "cannot set the mode of '%s'", path);
    }
    *out_fd = fd;
    return CISTERN_OK;
}

/* Open the directory `name` in `dir`, making it with `mode` if it is absent. -1 and errno. */
static int open_or_make(int dir, const char *name, mode_t mode)
{
    int fd = base_open_at(dir, name, O_RDONLY | O_DIRECTORY, 0);
    if (fd >= 0 || errno != ENOENT)
        return fd;
    bool made = mkdirat(dir, name, mode & 0777) == 0;
    if (!made && errno != EEXIST)
        return -1;
    fd = base_open_at(dir, name, O_RDONLY | O_DIRECTORY, 0);
    /* Also after EEXIST: whoever made it may not have come to the sync, and we are about to refer to it. */
    if (fd < 0 || (made && fchmod(fd, mode) != 0) || base_sync_dir(dir) != 0) {
        close_keeping_errno(fd);
        return -1;
    }
    return fd;
}

cistern_status base_mkdirs(int root, const char *path, const base_modes *modes, cistern_error *err)
{
    char name[BASE_NAME_MAX + 1];
    const char *rest = path;
    int dir = root;
    while (*rest != '\0') {
        int next = take_component(&rest, name) ? open_or_make(dir, name, modes->dir) : -1;
        if (dir != root)
            close_keeping_errno(dir);
        if (next < 0)
            return base_fail_open(err, errno, "make directory", path);
        dir = next;
    }
    if (dir != root)
        close(dir);
    return CISTERN_OK;
}

/* Make one directory of a path of the user's; `parent` is the path of what holds it. */
static cistern_status make_one(const char *parent, const char *path, mode_t mode, cistern_error *err)
{
    struct stat st;
    int fd = -1;
    cistern_status status = CISTERN_OK;
    if (mkdir(path, mode & 0777) != 0) {
        int failed = errno;
        if (stat(path, &st) == 0 && S_ISDIR(st.st_mode))
            return CISTERN_OK;
        if (failed == EEXIST || failed == ENOTDIR)
            return base_fail(err, CISTERN_USAGE, "'%s' is not a directory", failed == EEXIST ? path : parent);
        return base_fail_errno(err, failed, "cannot make directory '%s'", path);
    }
    if (chmod(path, mode) != 0)
        return base_fail_errno(err, errno, "cannot set the mode of '%s'", path);
    status = base_dir_open(parent, &fd, err);
    if (status == CISTERN_OK && base_sync_dir(fd) != 0)
        status = base_fail_errno(err, errno, "cannot sync directory '%s'", parent);
    if (fd >= 0)
        close(fd);
    return status;
}

cistern_status base_mkdirs_path(const char *path, mode_t mode, cistern_error *err)
{
    char part[PATH_MAX], parent[PATH_MAX];
    size_t n = strlen(path);
    if (n == 0 || n >= sizeof part)
        return base_fail(err, CISTERN_USAGE, "a path of %zu bytes, 1 to %zu allowed", n, sizeof part - 1);
    memcpy(parent, path[0] == '/' ? "/" : ".", 2);
    for (size_t end = 0; end < n;) {
        end += strspn(path + end, "/");
        end += strcspn(path + end, "/");
        memcpy(part, path, end);
        part[end] = '\0';
        if (strspn(part, "/") == end)
            continue;
        cistern_status status = make_one(parent, part, mode, err);
        if (status != CISTERN_OK)
            return status;
        memcpy(parent, part, end + 1);
    }
    return CISTERN_OK;
}

cistern_status base_sync_parent(int root, const char *path, cistern_error *err)
{
    const char *name;
    int dir = base_open_parent(root, path, &name);
    if (dir < 0)
        return base_fail_open(err, errno, "open the directory of", path);
    cistern_status status = CISTERN_OK;
    if (base_sync_dir(dir) != 0)
        status = base_fail_errno(err, errno, "cannot sync the directory of '%s'", path);
    close(dir);
    return status;
}
