/* AVX-512: 28 pixels x 16 channels in 28 accumulators; inputs are broadcast inside the multiplications. */
#if defined(__x86_64__)
#include "priv/nn_conv3x3.h"

#include <immintrin.h>

#define PIXELS 28

/* P is a constant at every call, so that the accumulators stay in registers. */
static inline __attribute__((always_inline)) void strip(const float *x, size_t x_row, size_t x_plane,
                                                        size_t channels, const float *w, const float *bias,
                                                        float *out, const size_t P)
{
    __m512 sum[PIXELS];
#pragma GCC unroll 28
    for (size_t p = 0; p < P; p++) {
        sum[p] = _mm512_setzero_ps();
    }
    for (size_t c = 0; c < channels; c++, x += x_plane, w += 9 * NN_BLOCK) {
        for (size_t tap = 0; tap < 9; tap++) {
            const float *at = x + tap / 3 * x_row + tap % 3;
            __m512 weight = _mm512_load_ps(w + tap * NN_BLOCK);
#pragma GCC unroll 28
            for (size_t p = 0; p < P; p++) {
                sum[p] = _mm512_fmadd_ps(_mm512_set1_ps(at[p]), weight, sum[p]);
            }
        }
    }
    /* VMAXPS gives its second operand when one is NaN: zero comes first, so that NaN stays. */
    __m512 b = _mm512_loadu_ps(bias);
#pragma GCC unroll 28
    for (size_t p = 0; p < P; p++) {
        _mm512_storeu_ps(out + p * NN_BLOCK, _mm512_max_ps(_mm512_setzero_ps(), _mm512_add_ps(sum[p], b)));
    }
}

void nn_conv3x3_f32_28x16__avx512(const float *x, size_t x_row, size_t x_plane, size_t channels,
                                  const float *w, const float *bias, float *out, size_t width)
{
    size_t p = 0;
    for (; p + PIXELS <= width; p += PIXELS) {
        strip(x + p, x_row, x_plane, channels, w, bias, out + p * NN_BLOCK, PIXELS);
    }
    for (; p + 4 <= width; p += 4) {
        strip(x + p, x_row, x_plane, channels, w, bias, out + p * NN_BLOCK, 4);
    }
    for (; p < width; p++) {
        strip(x + p, x_row, x_plane, channels, w, bias, out + p * NN_BLOCK, 1);
    }
}
#else
typedef int nn_conv3x3_avx512_is_for_x86_64;
#endif
