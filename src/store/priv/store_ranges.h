/* A set of byte ranges of one file. */
#ifndef STORE_RANGES_H
#define STORE_RANGES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base_error.h"

typedef struct store_range {
    uint64_t first, end; /* first <= byte < end */
} store_range;

typedef struct store_ranges {
    store_range *item; /* any order until store_ranges_merge; then ascending, neither empty nor touching */
    size_t count, capacity;
} store_ranges;

#define STORE_RANGES_MAX ((size_t)1 << 20)

cistern_status store_ranges_add(store_ranges *r, uint64_t first, uint64_t end,
                                cistern_error *err) CISTERN_MUST_CHECK;
void store_ranges_merge(store_ranges *r);
void store_ranges_clear(store_ranges *r);
/** Sum of all lengths; after merge. */
uint64_t store_ranges_bytes(const store_ranges *r);

#endif
