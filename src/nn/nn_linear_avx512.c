/* AVX-512: up to four rows at a time, for one to eight images; each dot product in one accumulator.
 *
 * Several rows at once are several streams out of memory, which is what keeps it busy; several images share what is read.
 */
#if defined(__x86_64__)
#include "priv/nn_linear.h"

#include <immintrin.h>

#include "model_tensor.h"

#define ROWS   4
#define IMAGES 8
#define AHEAD  1024 /* bytes that each row is prefetched ahead */

#define ALWAYS static inline __attribute__((always_inline))

/* The n (16, or less at a row's end: not a byte behind it is read) weights at w. */
ALWAYS __m512 load(model_dtype dtype, const uint8_t *w, const size_t n)
{
    if (dtype == MODEL_F32) {
        return n == 16 ? _mm512_loadu_ps(w) : _mm512_maskz_loadu_ps((__mmask16)((1u << n) - 1), w);
    }
    __m256i half = n == 16 ? _mm256_loadu_si256((const __m256i *)(const void *)w)
                           : _mm256_maskz_loadu_epi16((__mmask16)((1u << n) - 1), w);
    if (dtype == MODEL_F16) {
        return _mm512_cvtph_ps(half);
    }
    return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(half), 16));
}

/* The next n inputs of R rows and B images. */
ALWAYS void step(model_dtype dtype, const uint8_t *w, size_t w_stride, const float *x, size_t x_stride,
                 const size_t R, const size_t B, const size_t n, __m512 sum[ROWS][IMAGES])
{
    __m512 input[IMAGES];
#pragma GCC unroll 8
    for (size_t b = 0; b < B; b++) {
        input[b] = _mm512_load_ps(x + b * x_stride);
    }
#pragma GCC unroll 4
    for (size_t r = 0; r < R; r++) {
        __m512 weight = load(dtype, w + r * w_stride, n);
        _mm_prefetch((const char *)w + r * w_stride + AHEAD, _MM_HINT_T0);
#pragma GCC unroll 8
        for (size_t b = 0; b < B; b++) {
            sum[r][b] = _mm512_fmadd_ps(weight, input[b], sum[r][b]);
        }
    }
}

/* R and B are constants at every call, so that the sums stay in registers. */
ALWAYS void tile(model_dtype dtype, const uint8_t *w, size_t w_stride, size_t n, const float *x,
                 size_t x_stride, const size_t R, const size_t B, const float *bias, int relu, float *out,
                 size_t out_stride)
{
    const size_t bytes = dtype == MODEL_F32 ? 4 : 2;
    __m512 sum[ROWS][IMAGES];
#pragma GCC unroll 4
    for (size_t r = 0; r < R; r++) {
#pragma GCC unroll 8
        for (size_t b = 0; b < B; b++) {
            sum[r][b] = _mm512_setzero_ps();
        }
    }
    size_t k = 0;
    for (; k + 16 <= n; k += 16) {
        step(dtype, w + k * bytes, w_stride, x + k, x_stride, R, B, 16, sum);
    }
    if (k < n) {
        step(dtype, w + k * bytes, w_stride, x + k, x_stride, R, B, n - k, sum);
    }
#pragma GCC unroll 4
    for (size_t r = 0; r < R; r++) {
#pragma GCC unroll 8
        for (size_t b = 0; b < B; b++) {
            float value = _mm512_reduce_add_ps(sum[r][b]) + bias[r];
            out[b * out_stride + r] = relu && value < 0 ? 0 : value;
        }
    }
}

/* All rows for B images, R rows at a time. */
ALWAYS void rows_of(model_dtype dtype, const uint8_t *w, size_t w_stride, size_t rows, size_t n,
                    const float *x, size_t x_stride, const size_t R, const size_t B, const float *bias,
                    int relu, float *out, size_t out_stride)
{
    size_t r = 0;
    for (; r + R <= rows; r += R) {
        tile(dtype, w + r * w_stride, w_stride, n, x, x_stride, R, B, bias + r, relu, out + r, out_stride);
    }
    for (; r < rows; r++) {
        tile(dtype, w + r * w_stride, w_stride, n, x, x_stride, 1, B, bias + r, relu, out + r, out_stride);
    }
}

#define CASE(images, rows_at_once)                                                                           \
    case images:                                                                                             \
        rows_of(dtype, w, w_stride, rows, n, from, x_stride, rows_at_once, images, bias, relu, to,           \
                out_stride);                                                                                 \
        break

ALWAYS void linear(model_dtype dtype, const uint8_t *w, size_t w_stride, size_t rows, size_t n,
                   const float *x, size_t x_stride, size_t images, const float *bias, int relu, float *out,
                   size_t out_stride)
{
    for (size_t i = 0; i < images; i += IMAGES) { /* from the second group on the rows come from the cache */
        const float *from = x + i * x_stride;
        float *to = out + i * out_stride;
        switch (images - i < IMAGES ? images - i : IMAGES) {
            CASE(1, 4);
            CASE(2, 4);
            CASE(3, 4);
            CASE(4, 4);
            CASE(5, 3);
            CASE(6, 3);
            CASE(7, 3);
            CASE(8, 3);
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
