/* Large scratch memory: whole pages straight from the system, in huge ones where it grants them. */
#ifndef BASE_PAGES_H
#define BASE_PAGES_H

#include <stddef.h>
#include "base_error.h"

#define BASE_PAGES_ALIGN 4096 /* bytes */

/**
 * Memory of `bytes` zero bytes, aligned to BASE_PAGES_ALIGN, from a huge page on to one; pages come into being when they are
 * first touched.
 * @retval NO_MEMORY
 */
cistern_status base_pages_new(size_t bytes, void *out, cistern_error *err) CISTERN_MUST_CHECK;
/** @param bytes  as given to base_pages_new. NULL allowed. */
void base_pages_free(void *pages, size_t bytes);
/** Let pages come into being as a first touch would, whatever they hold unchanged; others may use them meanwhile.
 *  @param pages  at a multiple of BASE_PAGES_ALIGN in what base_pages_new gave. */
void base_pages_touch(void *pages, size_t bytes);

#endif
