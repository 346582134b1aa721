/* Pages from the system; from the heap under a sanitizer, which then sees their bounds. See base_pages.h. */
#include "base_pages.h"

#include <errno.h>
#include <stdint.h>
#include <sys/mman.h>

#include "base_mem.h"

#if defined(CISTERN_SANITIZED)
/* From the heap, so that sanitizers see its bounds. */
cistern_status base_pages_new(size_t bytes, void *out, cistern_error *err)
{
    size_t whole;
    if (!base_add_size(bytes, BASE_PAGES_ALIGN, &whole)) {
        return base_fail_memory(err, bytes);
    }
    void *pages;
    cistern_status status =
        base_alloc_aligned(whole / BASE_PAGES_ALIGN * BASE_PAGES_ALIGN, BASE_PAGES_ALIGN, &pages, err);
    if (status == CISTERN_OK) {
        memset(pages, 0, bytes);
        memcpy(out, &pages, sizeof(pages));
    }
    return status;
}

void base_pages_free(void *pages, size_t bytes)
{
    (void)bytes;
    free(pages);
}
#else
#define HUGE_FROM ((size_t)1 << 21) /* bytes of a huge page; smaller memory gains nothing */

cistern_status base_pages_new(size_t bytes, void *out, cistern_error *err)
{
    if (bytes == 0) {
        bytes = 1;
    }
    void *pages = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (pages == MAP_FAILED) {
        return errno == ENOMEM ? base_fail_memory(err, bytes)
                               : base_fail_errno(err, errno, "cannot map %zu bytes", bytes);
    }
    if (bytes >= HUGE_FROM) {
        (void)madvise(pages, bytes, MADV_HUGEPAGE); /* advice: without it the memory is only slower */
    }
    memcpy(out, &pages, sizeof(pages));
    return CISTERN_OK;
}

void base_pages_free(void *pages, size_t bytes)
{
    if (pages) {
        munmap(pages, bytes ? bytes : 1);
    }
}
#endif
