/* A growing array in chunks: elements never move, the maximum is given at birth, number 0 is never used. */
#ifndef FORMATS_POOL_H
#define FORMATS_POOL_H

#include "base_error.h"

typedef struct formats_pool {
    void **chunk;
    size_t element; /* bytes */
    uint32_t count; /* elements, the unused number 0 included */
    uint32_t max;   /* elements that may be asked for */
    uint32_t chunk_count;
} formats_pool;

/** An empty pool; allocates nothing. */
void formats_pool_init(formats_pool *pool, size_t element, uint32_t max);
void formats_pool_clear(formats_pool *pool);
/** Whether `max` elements were handed out. */
bool formats_pool_full(const formats_pool *pool);
/** One more element, zeroed. Asserts that the pool is not full. @retval NO_MEMORY */
cistern_status formats_pool_add(formats_pool *pool, uint32_t *out, cistern_error *err) CISTERN_MUST_CHECK;
/** Element `i`; asserts that it was handed out. */
void *formats_pool_get(const formats_pool *pool, uint32_t i);

#endif
