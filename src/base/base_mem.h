/* Allocation and checked arithmetic. Sizes are size_t, file offsets uint64_t. */
#ifndef BASE_MEM_H
#define BASE_MEM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base_error.h"

/* false on overflow; *out is then untouched. */
bool base_add_size(size_t a, size_t b, size_t *out) CISTERN_MUST_CHECK;
bool base_mul_size(size_t a, size_t b, size_t *out) CISTERN_MUST_CHECK;
bool base_add_u64(uint64_t a, uint64_t b, uint64_t *out) CISTERN_MUST_CHECK;
bool base_mul_u64(uint64_t a, uint64_t b, uint64_t *out) CISTERN_MUST_CHECK;

/** count * size zeroed bytes through *out; owned by the caller, freed with free(). */
cistern_status base_calloc(size_t count, size_t size, void *out, cistern_error *err) CISTERN_MUST_CHECK;
/** Memory aligned to `align` bytes (a power of two), not zeroed; freed with free(). */
cistern_status base_alloc_aligned(size_t bytes, size_t align, void *out,
                                  cistern_error *err) CISTERN_MUST_CHECK;
/** A copy of a string (NULL gives NULL). */
cistern_status base_strdup(const char *text, char **out, cistern_error *err) CISTERN_MUST_CHECK;
/** printf into fresh memory. */
cistern_status base_asprintf(char **out, cistern_error *err, const char *fmt, ...) CISTERN_MUST_CHECK
    CISTERN_PRINTF(3, 4);

#endif
