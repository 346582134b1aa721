/* Copying a file's bytes the cheapest way that the file systems offer; declared in base_file.h. */
#include "base_file.h"
#include "base_mem.h"
#include <errno.h>
#include <linux/fs.h>
#include <sys/ioctl.h>

#define COPY_STEP   (1u << 20) /* bytes of the buffer of the plain way */
#define KERNEL_STEP (1u << 30) /* bytes of one copy_file_range: Linux cuts at 2 GiB */

/* Share the extents; only of a whole file, so that nothing beyond `size` comes along. */
static bool try_clone(int from_fd, int to_fd, uint64_t size)
{
    struct stat st;
    if (fstat(from_fd, &st) != 0 || (uint64_t)st.st_size != size)
        return false;
    return ioctl(to_fd, FICLONE, from_fd) == 0;
}

/* Bytes that the kernel copied before it was done or would not go on. */
static uint64_t kernel_copy(int from_fd, int to_fd, uint64_t size)
{
    off_t from = 0, to = 0;
    while ((uint64_t)to < size) {
        uint64_t left = size - (uint64_t)to;
        size_t want = left < KERNEL_STEP ? (size_t)left : KERNEL_STEP;
        ssize_t done = copy_file_range(from_fd, &from, to_fd, &to, want, 0);
        if (done < 0 && errno == EINTR)
            continue;
        if (done <= 0)
            break;
    }
    return (uint64_t)to;
}

cistern_status base_copy_file(int from_fd, int to_fd, uint64_t size, cistern_error *err)
{
    if (try_clone(from_fd, to_fd, size))
        return CISTERN_OK;
    uint64_t done = kernel_copy(from_fd, to_fd, size);
    if (done == size)
        return CISTERN_OK;
    char *step = NULL;
    cistern_status status = base_calloc(1, COPY_STEP, &step, err);
    while (status == CISTERN_OK && done < size) {
        size_t n = size - done < COPY_STEP ? (size_t)(size - done) : COPY_STEP;
        status = base_pread_full(from_fd, step, n, done, err);
        if (status == CISTERN_OK)
            status = base_pwrite_full(to_fd, step, n, done, err);
        done += n;
    }
    free(step);
    return status;
}
