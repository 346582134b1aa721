/* Closing what was inherited; see base_close.h. */
#include "base_close.h"

#include <unistd.h>

#define CLOSE_FALLBACK_MAX 65536 /* descriptors, where the kernel has no close_range (before 5.9) */

void base_close_from(int first)
{
    if (close_range((unsigned)first, ~0u, 0) == 0)
        return;
    long limit = sysconf(_SC_OPEN_MAX);
    if (limit < 0 || limit > CLOSE_FALLBACK_MAX)
        limit = CLOSE_FALLBACK_MAX;
    for (int fd = first; fd < limit; fd++)
        close(fd);
}
