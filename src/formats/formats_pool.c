/* Chunked arrays for what a pickle makes.
 *
 * Invariants
 *  1. Elements 1 … count-1 exist, zeroed when handed out, and keep their address.
 *  2. Freeing is a loop over chunks: no depth of nesting in the file can turn into recursion here.
 */
#include "priv/formats_pool.h"

#include <assert.h>
#include "base_mem.h"

#define POOL_CHUNK 4096u /* elements per chunk */

void formats_pool_init(formats_pool *pool, size_t element, uint32_t max)
{
    *pool = (formats_pool){.element = element, .count = 1, .max = max};
}

void formats_pool_clear(formats_pool *pool)
{
    for (uint32_t i = 0; i < pool->chunk_count; i++)
        free(pool->chunk[i]);
    free(pool->chunk);
    formats_pool_init(pool, pool->element, pool->max);
}

bool formats_pool_full(const formats_pool *pool)
{
    return pool->count > pool->max;
}

static cistern_status add_chunk(formats_pool *pool, cistern_error *err)
{
    cistern_status st;

    if (!pool->chunk) {
        st = base_calloc(pool->max / POOL_CHUNK + 1, sizeof *pool->chunk, &pool->chunk, err);
        if (st)
            return st;
    }
    st = base_calloc(POOL_CHUNK, pool->element, &pool->chunk[pool->chunk_count], err);
    if (!st)
        pool->chunk_count++;
    return st;
}

cistern_status formats_pool_add(formats_pool *pool, uint32_t *out, cistern_error *err)
{
    assert(!formats_pool_full(pool));
    if (pool->count / POOL_CHUNK == pool->chunk_count) {
        cistern_status st = add_chunk(pool, err);
        if (st)
            return st;
    }
    *out = pool->count++;
    return CISTERN_OK;
}

void *formats_pool_get(const formats_pool *pool, uint32_t i)
{
    assert(i > 0 && i < pool->count);
    return (char *)pool->chunk[i / POOL_CHUNK] + (size_t)(i % POOL_CHUNK) * pool->element;
}
