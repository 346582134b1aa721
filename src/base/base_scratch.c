/* Files in memory; see base_scratch.h. */
#include "base_scratch.h"

#include <errno.h>
#include <sys/mman.h>

cistern_status base_scratch_file(const char *what, int *out_fd, cistern_error *err)
{
    int fd = memfd_create(what, MFD_CLOEXEC);

    if (fd < 0)
        return base_fail_errno(err, errno, "cannot make a file in memory");
    *out_fd = fd;
    return CISTERN_OK;
}
