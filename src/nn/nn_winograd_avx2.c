/* AVX2 and FMA: 16 of the 32 outputs x up to 6 tiles in twelve accumulators. */
#if defined(__x86_64__)
#include <immintrin.h>

#define NN_LANES 8
#include "priv/nn_winograd_body.h"

#define TILES 6

NN_WINOGRAD_TRANSFORMS(avx2)

/* N is a constant at every call, so that the accumulators stay in registers. */
ALWAYS void multiply(const float *u, const float *v, size_t v_block, size_t channels, float *m, int add,
                     nn_ahead *ahead, const size_t N)
{
    __m256 low[TILES], high[TILES];
#pragma GCC unroll 6
    for (size_t t = 0; t < N; t++) {
        low[t] = high[t] = _mm256_setzero_ps();
    }
    for (size_t first = 0; first < channels; first += NN_BLOCK, v += v_block) {
        size_t here = channels - first < NN_BLOCK ? channels - first : NN_BLOCK;
        for (size_t a = 0; a < 2; a++) {
            for (size_t l = 0; l < ahead->lines[a]; l++, ahead->at[a] += NN_BLOCK) {
                _mm_prefetch((const char *)ahead->at[a], _MM_HINT_T1);
            }
        }
        for (size_t c = 0; c < here; c++, u += NN_PAIR) {
            __m256 u_low = _mm256_load_ps(u), u_high = _mm256_load_ps(u + 8);
#pragma GCC unroll 6
            for (size_t t = 0; t < N; t++) {
                __m256 value = _mm256_broadcast_ss(v + t * NN_BLOCK + c);
                low[t] = _mm256_fmadd_ps(u_low, value, low[t]);
                high[t] = _mm256_fmadd_ps(u_high, value, high[t]);
            }
        }
    }
    if (add) { /* at the end, where nothing waits for what is loaded */
#pragma GCC unroll 6
        for (size_t t = 0; t < N; t++) {
            low[t] = _mm256_add_ps(low[t], _mm256_load_ps(m + t * NN_PAIR));
            high[t] = _mm256_add_ps(high[t], _mm256_load_ps(m + t * NN_PAIR + 8));
        }
    }
#pragma GCC unroll 6
    for (size_t t = 0; t < N; t++) {
        _mm256_store_ps(m + t * NN_PAIR, low[t]);
        _mm256_store_ps(m + t * NN_PAIR + 8, high[t]);
    }
}

#define CASE(n)                                                                                              \
    case n:                                                                                                  \
        multiply(u, v, v_block, channels, m, add, &now, n);                                                  \
        break

/* One half of the outputs. */
static void multiply_half(const float *u, const float *v, size_t v_block, size_t channels, size_t tiles,
                          float *m, int add, const nn_ahead *ahead)
{
    size_t parts = (tiles + TILES - 1) / TILES, blocks = (channels + NN_BLOCK - 1) / NN_BLOCK;
    nn_ahead now = nn_ahead_each(ahead, parts * blocks);
    for (; parts > 0; parts--) {
        size_t here = (tiles + parts - 1) / parts;
        switch (here) {
            CASE(1);
            CASE(2);
            CASE(3);
            CASE(4);
            CASE(5);
            CASE(6);
        }
        tiles -= here;
        v += here * NN_BLOCK;
        m += here * NN_PAIR;
    }
}

void nn_winograd_multiply_f32_32__avx2(const float *u, const float *v, size_t v_block, size_t channels,
                                       size_t tiles, float *m, int add, const nn_ahead *ahead)
{
    multiply_half(u, v, v_block, channels, tiles, m, add, ahead);
    multiply_half(u + NN_BLOCK, v, v_block, channels, tiles, m + NN_BLOCK, add, NULL);
}
#else
typedef int nn_winograd_avx2_is_for_x86_64;
#endif
