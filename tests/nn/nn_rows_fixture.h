/* What tests of the convolution along rows share: random numbers that end at a guard page, the plain twins, the kernels. */
#ifndef NN_ROWS_FIXTURE_H
#define NN_ROWS_FIXTURE_H

#include "nn_fixture.h"

#include "nn_isa.h"
#include "priv/nn_rows.h"
#include "priv/nn_session_priv.h"

/* The plain twins. */
static const nn_rows_kernels twins = {
    nn_rows_begin__ref,          nn_rows_end__ref,          nn_rows_weights_fixed_16__ref,
    nn_rows_input_fixed_64__ref, nn_rows_range_f32_16__ref, nn_rows_multiply_fixed_32__ref,
    nn_rows_output_f32_16__ref};

static uint64_t counter; /* of random numbers */

static inline size_t random_below(size_t n)
{
    return (size_t)(fixture_bits(7, counter++) % n);
}

static inline float *floats(const guard_page *g)
{
    return (float *)(void *)g->data;
}

static inline int8_t *digits(const guard_page *g)
{
    return (int8_t *)(void *)g->data;
}

static inline guard_page random_floats(size_t n)
{
    guard_page g = guard_page_make(n * sizeof(float));
    for (size_t i = 0; i < n; i++) {
        floats(&g)[i] = fixture_normal(11, counter++, 1.0);
    }
    return g;
}

static inline guard_page random_bytes(size_t n)
{
    guard_page g = guard_page_make(n);
    for (size_t i = 0; i < n; i++) {
        g.data[i] = (uint8_t)fixture_bits(13, counter++);
    }
    return g;
}

/* Powers of two, from 2^-3 to 2^3. */
static inline guard_page random_powers(size_t n)
{
    guard_page g = guard_page_make(n * sizeof(float));
    for (size_t i = 0; i < n; i++) {
        floats(&g)[i] = ldexpf(1, (int)random_below(7) - 3);
    }
    return g;
}

static inline void free_all(guard_page **pages, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        guard_page_free(pages[i]);
    }
}

static inline const nn_rows_kernels *tile_kernels(void)
{
    return nn_kernels_of(NN_ISA_AMX)->rows;
}

#endif
