/* Pages of zeros over a mapping; see base_fault.h. Apart, because anonymous mappings are more than POSIX. */
#include "base_fault.h"

#include <sys/mman.h>
#include <sys/syscall.h>

/* The system call itself: what a handler may do, and a ThreadSanitizer does not take it for a write that races with the
 * reads of the threads that wait for it. */
bool base_fault_cover(void *page, size_t bytes)
{
    return syscall(SYS_mmap, page, bytes, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_NORESERVE,
                   -1, 0) != -1;
}
