/* What a handler of SIGBUS may do about a page of a mapped file that is no longer there. */
#ifndef BASE_FAULT_H
#define BASE_FAULT_H

#include <stdbool.h>
#include <stddef.h>

/**
 * Put zeros, read only, in the place of pages: whoever reads them goes on. May be called from a signal handler.
 * @param page   the beginning of a page.
 * @param bytes  rounded up to whole pages.
 * @return       false: the system refused, and what was there is there still.
 */
bool base_fault_cover(void *page, size_t bytes);

#endif
