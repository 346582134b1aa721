/* AVX-512: 32 outputs x up to 14 tiles in 28 accumulators; two registers of weights, one broadcast input used twice (a
 * broadcast inside each multiplication would need a load for each, more than the load ports give). */
#if defined(__x86_64__)
#include <immintrin.h>

#define NN_LANES 16
#include "priv/nn_winograd_body.h"

#define TILES 14

NN_WINOGRAD_TRANSFORMS(avx512)

/* N is a constant at every call, so that the accumulators stay in registers. */
ALWAYS void multiply(const float *u, const float *v, size_t v_block, size_t channels, float *m, int add,
                     nn_ahead *ahead, const size_t N)
{
    __m512 low[TILES], high[TILES];
#pragma GCC unroll 14
    for (size_t t = 0; t < N; t++) {
        low[t] = high[t] = _mm512_setzero_ps();
    }
    for (size_t first = 0; first < channels; first += NN_BLOCK, v += v_block) {
        size_t here = channels - first < NN_BLOCK ? channels - first : NN_BLOCK;
        for (size_t a = 0; a < 2; a++) {
            for (size_t l = 0; l < ahead->lines[a]; l++, ahead->at[a] += NN_BLOCK) {
                _mm_prefetch((const char *)ahead->at[a], _MM_HINT_T1);
            }
        }
        for (size_t c = 0; c < here; c++, u += NN_PAIR) {
            __m512 u_low = _mm512_load_ps(u), u_high = _mm512_load_ps(u + NN_BLOCK);
#pragma GCC unroll 14
            for (size_t t = 0; t < N; t++) {
                __m512 value = _mm512_set1_ps(v[t * NN_BLOCK + c]);
                low[t] = _mm512_fmadd_ps(u_low, value, low[t]);
                high[t] = _mm512_fmadd_ps(u_high, value, high[t]);
            }
        }
    }
    if (add) { /* at the end, where nothing waits for what is loaded */
#pragma GCC unroll 14
        for (size_t t = 0; t < N; t++) {
            low[t] = _mm512_add_ps(low[t], _mm512_load_ps(m + t * NN_PAIR));
            high[t] = _mm512_add_ps(high[t], _mm512_load_ps(m + t * NN_PAIR + NN_BLOCK));
        }
    }
#pragma GCC unroll 14
    for (size_t t = 0; t < N; t++) {
        _mm512_store_ps(m + t * NN_PAIR, low[t]);
        _mm512_store_ps(m + t * NN_PAIR + NN_BLOCK, high[t]);
    }
}

#define CASE(n)                                                                                              \
    case n:                                                                                                  \
        multiply(u, v, v_block, channels, m, add, &now, n);                                                  \
        break

void nn_winograd_multiply_f32_32__avx512(const float *u, const float *v, size_t v_block, size_t channels,
                                         size_t tiles, float *m, int add, const nn_ahead *ahead)
{
    size_t parts = (tiles + TILES - 1) / TILES, blocks = (channels + NN_BLOCK - 1) / NN_BLOCK;
    nn_ahead now = nn_ahead_each(ahead, parts * blocks);
    /* equal parts: 16 tiles are 8 and 8, not 14 and 2 */
    for (; parts > 0; parts--) {
        size_t here = (tiles + parts - 1) / parts;
        switch (here) {
            CASE(1);
            CASE(2);
            CASE(3);
            CASE(4);
            CASE(5);
            CASE(6);
            CASE(7);
            CASE(8);
            CASE(9);
            CASE(10);
            CASE(11);
            CASE(12);
            CASE(13);
            CASE(14);
        }
        tiles -= here;
        v += here * NN_BLOCK;
        m += here * NN_PAIR;
    }
}
#else
typedef int nn_winograd_avx512_is_for_x86_64;
#endif
