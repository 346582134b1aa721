/* AVX2 and FMA: six pixels x 16 channels in twelve accumulators, two registers of weights, one broadcast. */
#if defined(__x86_64__)
#include "priv/nn_conv3x3.h"

#include <immintrin.h>

#define PIXELS 6

/* P is a constant at every call, so that the accumulators stay in registers. */
static inline __attribute__((always_inline)) void strip(const float *x, size_t x_row, size_t x_plane,
                                                        size_t channels, const float *w, const float *bias,
                                                        float *out, const size_t P)
{
    __m256 low[PIXELS], high[PIXELS];
    for (size_t p = 0; p < P; p++) {
        low[p] = high[p] = _mm256_setzero_ps();
    }
    for (size_t c = 0; c < channels; c++, x += x_plane, w += 9 * NN_BLOCK) {
#pragma GCC unroll 9
        for (size_t tap = 0; tap < 9; tap++) {
            const float *at = x + tap / 3 * x_row + tap % 3;
            __m256 w_low = _mm256_load_ps(w + tap * NN_BLOCK);
            __m256 w_high = _mm256_load_ps(w + tap * NN_BLOCK + 8);
#pragma GCC unroll 6
            for (size_t p = 0; p < P; p++) {
                __m256 value = _mm256_broadcast_ss(at + p);
                low[p] = _mm256_fmadd_ps(value, w_low, low[p]);
                high[p] = _mm256_fmadd_ps(value, w_high, high[p]);
            }
        }
    }
    /* MAXPS gives its second operand when one is NaN: zero comes first, so that NaN stays. */
    __m256 zero = _mm256_setzero_ps(), b_low = _mm256_loadu_ps(bias), b_high = _mm256_loadu_ps(bias + 8);
    for (size_t p = 0; p < P; p++) {
        _mm256_storeu_ps(out + p * NN_BLOCK, _mm256_max_ps(zero, _mm256_add_ps(low[p], b_low)));
        _mm256_storeu_ps(out + p * NN_BLOCK + 8, _mm256_max_ps(zero, _mm256_add_ps(high[p], b_high)));
    }
}

void nn_conv3x3_f32_6x16__avx2(const float *x, size_t x_row, size_t x_plane, size_t channels, const float *w,
                               const float *bias, float *out, size_t width)
{
    size_t p = 0;
    for (; p + PIXELS <= width; p += PIXELS) {
        strip(x + p, x_row, x_plane, channels, w, bias, out + p * NN_BLOCK, PIXELS);
    }
    for (; p + 2 <= width; p += 2) {
        strip(x + p, x_row, x_plane, channels, w, bias, out + p * NN_BLOCK, 2);
    }
    if (p < width) {
        strip(x + p, x_row, x_plane, channels, w, bias, out + p * NN_BLOCK, 1);
    }
}
#else
typedef int nn_conv3x3_avx2_is_for_x86_64;
#endif
