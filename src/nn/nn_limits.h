/* What this machine can do at most: multiplications and additions, and bytes from memory, on all threads of a pool. */
#ifndef NN_LIMITS_H
#define NN_LIMITS_H

#include "base_pool.h"
#include "nn_isa.h"

typedef struct nn_limits {
    double flops;  /* 32-bit multiplications and additions per second, on registers; AMX: of split numbers */
    double memory; /* bytes per second read, of a block that fits no cache */
} nn_limits;

/**
 * Measure both, some tenths of a second each.
 * @param isa  resolved. @retval NO_MEMORY, CANCELLED
 */
cistern_status nn_limits_measure(base_pool *pool, nn_isa isa, const base_cancel *cancel, nn_limits *out,
                                 cistern_error *err) CISTERN_MUST_CHECK;

#endif
