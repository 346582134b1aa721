/* Bytes that end exactly where memory ends: one read or write past them is a SIGSEGV, not luck.
 *
 *   guard_page g = guard_page_of(bytes, n);   or guard_page_make(n), zeroed
 *   parse(g.data, n);
 *   guard_page_free(&g);
 *
 * `data` is aligned only as its length is. With n = 0 it points at the guard itself, so that any access faults.
 */
#ifndef GUARD_PAGE_H
#define GUARD_PAGE_H

#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

typedef struct guard_page {
    uint8_t *data; /* n bytes */
    void *whole;
    size_t whole_size;
} guard_page;

static inline guard_page guard_page_make(size_t n)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    size_t bytes = (n + page - 1) / page * page;
    guard_page g = {NULL, NULL, bytes + page};
    int zero = open("/dev/zero", O_RDWR | O_CLOEXEC);
    g.whole = mmap(NULL, g.whole_size, PROT_READ | PROT_WRITE, MAP_PRIVATE, zero, 0);
    if (zero < 0 || g.whole == MAP_FAILED || mprotect((uint8_t *)g.whole + bytes, page, PROT_NONE) != 0) {
        perror("guard_page_make");
        abort();
    }
    close(zero);
    g.data = (uint8_t *)g.whole + bytes - n;
    return g;
}

static inline guard_page guard_page_of(const void *bytes, size_t n)
{
    guard_page g = guard_page_make(n);
    if (n > 0)
        memcpy(g.data, bytes, n);
    return g;
}

static inline void guard_page_free(guard_page *g)
{
    if (g->whole)
        munmap(g->whole, g->whole_size);
    g->data = NULL;
    g->whole = NULL;
}

#endif
