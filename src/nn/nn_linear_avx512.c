/* AVX-512: one row and up to four images at a time, four accumulators for each image. */
#if defined(__x86_64__)
#include "priv/nn_linear.h"

#include <immintrin.h>
#include <string.h>

#include "model_tensor.h"

#define VECTORS (NN_LINEAR_LANES / 16) /* registers that hold one row's lanes */
#define IMAGES  4
#define AHEAD   4096 /* bytes that the row is prefetched ahead */

#define ALWAYS static inline __attribute__((always_inline))

ALWAYS __m512 load(model_dtype dtype, const uint8_t *w)
{
    if (dtype == MODEL_F32) {
        return _mm512_loadu_ps(w);
    }
    __m256i half = _mm256_loadu_si256((const __m256i *)(const void *)w);
    if (dtype == MODEL_F16) {
        return _mm512_cvtph_ps(half);
    }
    return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(half), 16));
}

/* The next lanes of a row, times those of N images. */
ALWAYS void add_lanes(model_dtype dtype, const uint8_t *w, const float *x, size_t x_stride, const size_t N,
                      __m512 lanes[IMAGES][VECTORS])
{
    const size_t bytes = dtype == MODEL_F32 ? 4 : 2;
#pragma GCC unroll 4
    for (size_t v = 0; v < VECTORS; v++) {
        __m512 weight = load(dtype, w + v * 16 * bytes);
#pragma GCC unroll 4
        for (size_t i = 0; i < N; i++) {
            lanes[i][v] = _mm512_fmadd_ps(weight, _mm512_load_ps(x + i * x_stride + v * 16), lanes[i][v]);
        }
    }
}

/* N is a constant at every call. */
ALWAYS void dots(model_dtype dtype, const uint8_t *w, size_t n, const float *x, size_t x_stride,
                 const size_t N, float *sum)
{
    const size_t bytes = dtype == MODEL_F32 ? 4 : 2;
    __m512 lanes[IMAGES][VECTORS];
#pragma GCC unroll 4
    for (size_t i = 0; i < N; i++) {
#pragma GCC unroll 4
        for (size_t v = 0; v < VECTORS; v++) {
            lanes[i][v] = _mm512_setzero_ps();
        }
    }
    size_t k = 0;
    for (; k + NN_LINEAR_LANES <= n; k += NN_LINEAR_LANES) {
#pragma GCC unroll 4
        for (size_t line = 0; line < NN_LINEAR_LANES * bytes; line += 64) {
            _mm_prefetch((const char *)w + k * bytes + line + AHEAD, _MM_HINT_T0);
        }
        add_lanes(dtype, w + k * bytes, x + k, x_stride, N, lanes);
    }
    if (k < n) { /* the row's end, from a copy: not a byte behind it may be read */
        _Alignas(64) uint8_t end[NN_LINEAR_LANES * 4] = {0};
        memcpy(end, w + k * bytes, (n - k) * bytes);
        add_lanes(dtype, end, x + k, x_stride, N, lanes);
    }
#pragma GCC unroll 4
    for (size_t i = 0; i < N; i++) {
        __m512 all =
            _mm512_add_ps(_mm512_add_ps(lanes[i][0], lanes[i][2]), _mm512_add_ps(lanes[i][1], lanes[i][3]));
        sum[i] = _mm512_reduce_add_ps(all);
    }
}

ALWAYS void linear(model_dtype dtype, const uint8_t *w, size_t w_stride, size_t rows, size_t n,
                   const float *x, size_t x_stride, size_t images, const float *bias, int relu, float *out,
                   size_t out_stride)
{
    for (size_t r = 0; r < rows; r++, w += w_stride) {
        for (size_t i = 0; i < images;
             i += IMAGES) { /* from the second group on the row comes from the cache */
            const float *from = x + i * x_stride;
            size_t here = images - i < IMAGES ? images - i : IMAGES;
            float sum[IMAGES];
            switch (here) {
            case 1:
                dots(dtype, w, n, from, x_stride, 1, sum);
                break;
            case 2:
                dots(dtype, w, n, from, x_stride, 2, sum);
                break;
            case 3:
                dots(dtype, w, n, from, x_stride, 3, sum);
                break;
            case 4:
                dots(dtype, w, n, from, x_stride, 4, sum);
                break;
            }
            for (size_t j = 0; j < here; j++) {
                float value = sum[j] + bias[r];
                out[(i + j) * out_stride + r] = relu && value < 0 ? 0 : value;
            }
        }
    }
}

#define KERNEL(name, dtype)                                                                                  \
    NN_LINEAR_DECLARE(name)                                                                                  \
    {                                                                                                        \
        linear(dtype, w, w_stride, rows, n, x, x_stride, images, bias, relu, out, out_stride);               \
    }

KERNEL(nn_linear_f32__avx512, MODEL_F32)
KERNEL(nn_linear_f16__avx512, MODEL_F16)
KERNEL(nn_linear_bf16__avx512, MODEL_BF16)
#else
typedef int nn_linear_avx512_is_for_x86_64;
#endif
