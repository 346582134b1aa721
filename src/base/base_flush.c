/* Writing out in steps; see base_flush.h. The next step is begun before the last one is waited for: the disk is never idle. */
#include "base_flush.h"

#include <fcntl.h>

#define STEP ((uint64_t)8 << 20) /* bytes: 16 ms at 500 MB/s, and large enough for any disk's queue */

void base_flush_begin(int fd, uint64_t offset, uint64_t n)
{
    if (n > 0) /* 0 would be all of it */
        (void)!sync_file_range(fd, (off_t)offset, (off_t)n, SYNC_FILE_RANGE_WRITE);
}

static void await(int fd, uint64_t at, uint64_t n)
{
    (void)!sync_file_range(fd, (off_t)at, (off_t)n,
                           SYNC_FILE_RANGE_WAIT_BEFORE | SYNC_FILE_RANGE_WRITE | SYNC_FILE_RANGE_WAIT_AFTER);
}

static uint64_t step(uint64_t done, uint64_t n)
{
    return n - done < STEP ? n - done : STEP;
}

cistern_status base_flush(int fd, uint64_t offset, uint64_t n, const base_cancel *cancel, cistern_error *err)
{
    cistern_status st = base_check_cancel(cancel, err);
    base_flush_begin(fd, offset, step(0, n));
    for (uint64_t done = 0; st == CISTERN_OK && done < n; done += step(done, n)) {
        uint64_t next = done + step(done, n);
        base_flush_begin(fd, offset + next, step(next, n));
        await(fd, offset + done, step(done, n));
        st = base_check_cancel(cancel, err);
    }
    return st;
}
