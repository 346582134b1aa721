/* Disk space and extents; see base_disk.h. */
#include "base_disk.h"
#include "base_file.h"
#include "base_mem.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/statvfs.h>

#define KERNEL_STEP (1u << 30) /* bytes of one copy_file_range: Linux cuts at 2 GiB */

uint64_t base_disk_to_block_end(uint64_t offset)
{
    return BASE_DISK_BLOCK - offset % BASE_DISK_BLOCK;
}

/* Some file systems take all the space there is before they find that it does not suffice: for that moment every other
 * writer meets a full disk, and the number may be a server's lie. So what cannot be is not tried. */
static cistern_status check_free(int fd, const struct stat *st, uint64_t size, cistern_error *err)
{
    uint64_t here = (uint64_t)st->st_blocks * 512, left = 0;
    cistern_status status = base_disk_free(fd, &left, err);
    if (status == CISTERN_OK && size > here && size - here > left)
        status = base_fail_errno(err, ENOSPC, "cannot reserve %llu bytes, %llu are free",
                                 (unsigned long long)size, (unsigned long long)left);
    return status;
}

cistern_status base_disk_reserve(int fd, uint64_t size, bool *out_reserved, cistern_error *err)
{
    struct stat st;
    if (size > (uint64_t)INT64_MAX)
        return base_fail(err, CISTERN_DAMAGED, "%llu bytes: no file is that long", (unsigned long long)size);
    if (fstat(fd, &st) != 0)
        return base_fail_errno(err, errno, "cannot stat an open file");
    cistern_status enough = check_free(fd, &st, size, err);
    if (enough != CISTERN_OK)
        return enough;
    int failed = 0;
    if (size > 0) {
        do {
            failed = fallocate(fd, 0, 0, (off_t)size) == 0 ? 0 : errno;
        } while (failed == EINTR);
    }
    bool reserved = failed == 0;
    if (failed == EOPNOTSUPP || failed == ENOSYS || failed == 0)
        failed = ftruncate(fd, (off_t)size) == 0 ? 0 : errno;
    if (failed != 0) {
        if (ftruncate(fd, st.st_size) != 0)
            return base_fail_errno(err, errno, "cannot give back %llu bytes", (unsigned long long)size);
        return base_fail_errno(err, failed, "cannot reserve %llu bytes", (unsigned long long)size);
    }
    if (out_reserved)
        *out_reserved = reserved;
    return CISTERN_OK;
}

bool base_disk_clone(int from_fd, int to_fd)
{
    return ioctl(to_fd, FICLONE, from_fd) == 0;
}

/* The same extents for a part of a file: both ends at the file system's blocks, or the end of the file. */
static bool clone_range(int from_fd, int to_fd, uint64_t offset, uint64_t n)
{
    struct file_clone_range range = {
        .src_fd = from_fd, .src_offset = offset, .src_length = n, .dest_offset = offset};
    return ioctl(to_fd, FICLONERANGE, &range) == 0;
}

/* Within the kernel, or within the server. Returns how far it came. */
static uint64_t copy_by_kernel(int from_fd, int to_fd, uint64_t at, uint64_t end)
{
    off_t from = (off_t)at, to = (off_t)at;
    while ((uint64_t)to < end) {
        uint64_t left = end - (uint64_t)to;
        ssize_t done =
            copy_file_range(from_fd, &from, to_fd, &to, left < KERNEL_STEP ? (size_t)left : KERNEL_STEP, 0);
        if (done < 0 && errno == EINTR)
            continue;
        if (done <= 0)
            break;
    }
    return (uint64_t)to;
}

/* Through memory: on a local disk the kernel would do no better, and fill the page cache with small pages. */
static cistern_status copy_by_block(int from_fd, int to_fd, uint64_t at, uint64_t end, cistern_error *err)
{
    char *step = NULL;
    cistern_status status = base_calloc(1, BASE_DISK_BLOCK, &step, err);
    while (status == CISTERN_OK && at < end) {
        uint64_t block = base_disk_to_block_end(at);
        size_t part = (size_t)(end - at < block ? end - at : block);
        status = base_pread_full(from_fd, step, part, at, err);
        if (status == CISTERN_OK)
            status = base_pwrite_full(to_fd, step, part, at, err);
        at += part;
    }
    free(step);
    return status;
}

cistern_status base_disk_copy_range(int from_fd, int to_fd, uint64_t offset, uint64_t n, cistern_error *err)
{
    uint64_t end;
    base_fs_info fs;
    if (!base_add_u64(offset, n, &end) || end > (uint64_t)INT64_MAX)
        return base_fail(err, CISTERN_DAMAGED, "%llu bytes at %llu: no file is that long",
                         (unsigned long long)n, (unsigned long long)offset);
    if (n == 0 || clone_range(from_fd, to_fd, offset, n))
        return CISTERN_OK;
    if (base_fs_of(to_fd, &fs, NULL) == CISTERN_OK && fs.network)
        offset = copy_by_kernel(from_fd, to_fd, offset, end);
    return copy_by_block(from_fd, to_fd, offset, end, err);
}

cistern_status base_disk_free(int fd, uint64_t *out, cistern_error *err)
{
    struct statvfs st;
    if (fstatvfs(fd, &st) != 0)
        return base_fail_errno(err, errno, "cannot ask for free space");
    uint64_t bytes;
    if (st.f_blocks == 0 || !base_mul_u64(st.f_bavail, st.f_frsize, &bytes)) /* no blocks: it does not say */
        bytes = UINT64_MAX;
    *out = bytes;
    return CISTERN_OK;
}

cistern_status base_disk_path(const char *path, char **out, cistern_error *err)
{
    char *found = realpath(path, NULL);
    if (!found)
        return base_strdup(path, out, err);
    *out = found;
    return CISTERN_OK;
}

bool base_disk_try_lock(int fd)
{
    return flock(fd, LOCK_EX | LOCK_NB) == 0;
}

bool base_disk_try_share(int fd)
{
    return flock(fd, LOCK_SH | LOCK_NB) == 0 || errno != EWOULDBLOCK;
}

void base_disk_unlock(int fd)
{
    (void)!flock(fd, LOCK_UN);
}
