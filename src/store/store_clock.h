/* The store's own clock: that of the file system which stamps its entries. Ages are differences of its stamps, so that no
 * two clocks are compared. */
#ifndef STORE_CLOCK_H
#define STORE_CLOCK_H

#include "store_open.h"

/** Nanoseconds since 1970, as a file that is made now is stamped; of a store that may not be written, this host's clock. */
cistern_status store_clock_now(const store *s, int64_t *out, cistern_error *err) CISTERN_MUST_CHECK;

/** When the entry at `path` was last written, never negative; false: there is no such entry. */
bool store_clock_of(const store *s, const char *path, int64_t *out);

#endif
