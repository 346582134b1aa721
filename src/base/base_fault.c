/* Pages of zeros over a mapping; see base_fault.h. Apart, because anonymous mappings are more than POSIX. */
#include "base_fault.h"

#include <sys/mman.h>

bool base_fault_cover(void *page, size_t bytes)
{
    return mmap(page, bytes, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_NORESERVE, -1, 0) !=
           MAP_FAILED;
}
