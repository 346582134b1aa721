/* Pages from the system; from the heap under a sanitizer, which then sees their bounds. See base_pages.h. */
#include "base_pages.h"

#include <errno.h>
#include <stdatomic.h>
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

void base_pages_touch(void *pages, size_t bytes)
{
    (void)pages; /* all were written at birth */
    (void)bytes;
}
#else
/* Bytes of a huge page; smaller memory gains nothing. Larger memory is made of whole ones: of what lies before the first boundary or
 * behind the last each 4 KiB would be a fault of its own. */
#define HUGE_PAGE ((size_t)1 << 21)

/* Bytes that are mapped for so many; false: more than there can be. */
static bool mapped_size(size_t bytes, size_t *out)
{
    if (bytes < HUGE_PAGE) {
        *out = bytes ? bytes : 1;
        return true;
    }
    *out = bytes / HUGE_PAGE * HUGE_PAGE;
    return bytes % HUGE_PAGE == 0 || base_add_size(*out, HUGE_PAGE, out);
}

/* A mapping that begins at a huge page's boundary, cut out of a larger one. */
static void *map_aligned(size_t bytes)
{
    size_t room;
    if (!base_add_size(bytes, HUGE_PAGE, &room)) {
        errno = ENOMEM;
        return MAP_FAILED;
    }
    uint8_t *pages = mmap(NULL, room, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (pages == MAP_FAILED) {
        return MAP_FAILED;
    }
    size_t before = (HUGE_PAGE - (uintptr_t)pages % HUGE_PAGE) % HUGE_PAGE;
    if (before > 0) {
        munmap(pages, before);
    }
    munmap(pages + before + bytes, HUGE_PAGE - before);
    return pages + before;
}

cistern_status base_pages_new(size_t bytes, void *out, cistern_error *err)
{
    size_t whole;
    if (!mapped_size(bytes, &whole)) {
        return base_fail_memory(err, bytes);
    }
    void *pages = whole < HUGE_PAGE
                      ? mmap(NULL, whole, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
                      : map_aligned(whole);
    if (pages == MAP_FAILED) {
        return errno == ENOMEM ? base_fail_memory(err, bytes)
                               : base_fail_errno(err, errno, "cannot map %zu bytes", bytes);
    }
    if (whole >= HUGE_PAGE) {
        (void)madvise(pages, whole, MADV_HUGEPAGE); /* advice: without it the memory is only slower */
    }
    memcpy(out, &pages, sizeof(pages));
    return CISTERN_OK;
}

void base_pages_free(void *pages, size_t bytes)
{
    size_t whole;
    if (pages && mapped_size(bytes, &whole)) {
        munmap(pages, whole);
    }
}

/* Adding nothing, in one instruction, to a byte of each page: others may write there at the same time. Not by MADV_POPULATE_WRITE,
 * which holds the lock of the whole address space meanwhile: another thread's mmap, behind several of those, waited for 4 ms. */
void base_pages_touch(void *pages, size_t bytes)
{
    _Static_assert(sizeof(atomic_uchar) == 1, "a byte is touched as it lies");
    for (size_t i = 0; i < bytes; i += BASE_PAGES_ALIGN) {
        atomic_fetch_or_explicit((atomic_uchar *)pages + i, 0, memory_order_relaxed);
    }
}
#endif
