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

/* More images than registers hold sums for: the inputs are cut into panels, of which those of IMAGES images fit L1 and the
 * weights of SAVED_ROWS rows L2, and sums are kept from panel to panel. That changes no bit. */
#define PANEL        512
#define SAVED_ROWS   24
#define SAVED_IMAGES 32

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
    __m512 weight[ROWS];
#pragma GCC unroll 4
    for (size_t r = 0; r < R; r++) {
        weight[r] = load(dtype, w + r * w_stride, n);
        _mm_prefetch((const char *)w + r * w_stride + AHEAD, _MM_HINT_T0);
    }
#pragma GCC unroll 8
    for (size_t b = 0; b < B; b++) {
        __m512 input = _mm512_load_ps(x + b * x_stride);
#pragma GCC unroll 4
        for (size_t r = 0; r < R; r++) {
            sum[r][b] = _mm512_fmadd_ps(weight[r], input, sum[r][b]);
        }
    }
}

/* What all of a call's tiles have in common. */
typedef struct call {
    model_dtype dtype;
    size_t w_stride, n, x_stride;
    int relu;
    size_t out_stride;
    size_t from, to; /* of the n inputs */
} call;

/* R and B are constants at every call, so that the sums stay in registers. sums: kept ones, when not all inputs are taken. */
ALWAYS void tile(const call *k, const uint8_t *w, const float *x, const size_t R, const size_t B,
                 const float *bias, float *out, float *sums)
{
    const size_t bytes = k->dtype == MODEL_F32 ? 4 : 2;
    __m512 sum[ROWS][IMAGES];
#pragma GCC unroll 4
    for (size_t r = 0; r < R; r++) {
#pragma GCC unroll 8
        for (size_t b = 0; b < B; b++) {
            sum[r][b] = k->from ? _mm512_load_ps(sums + (r * B + b) * 16) : _mm512_setzero_ps();
        }
    }
    size_t i = k->from;
    for (; i + 16 <= k->to; i += 16) {
        step(k->dtype, w + i * bytes, k->w_stride, x + i, k->x_stride, R, B, 16, sum);
    }
    if (i < k->to) {
        step(k->dtype, w + i * bytes, k->w_stride, x + i, k->x_stride, R, B, k->to - i, sum);
    }
#pragma GCC unroll 4
    for (size_t r = 0; r < R; r++) {
#pragma GCC unroll 8
        for (size_t b = 0; b < B; b++) {
            if (k->to < k->n) {
                _mm512_store_ps(sums + (r * B + b) * 16, sum[r][b]);
                continue;
            }
            float value = _mm512_reduce_add_ps(sum[r][b]) + bias[r];
            out[b * k->out_stride + r] = k->relu && value < 0 ? 0 : value;
        }
    }
}

/* All rows for B images, R rows at a time. */
ALWAYS void rows_of(const call *k, const uint8_t *w, size_t rows, const float *x, const size_t R,
                    const size_t B, const float *bias, float *out, float *sums)
{
    size_t r = 0;
    for (; r + R <= rows; r += R) {
        tile(k, w + r * k->w_stride, x, R, B, bias + r, out + r, sums ? sums + r * B * 16 : NULL);
    }
    for (; r < rows; r++) {
        tile(k, w + r * k->w_stride, x, 1, B, bias + r, out + r, sums ? sums + r * B * 16 : NULL);
    }
}

#define CASE(images, rows_at_once)                                                                           \
    case images:                                                                                             \
        rows_of(k, w, rows, x, rows_at_once, images, bias, out, sums);                                       \
        break

/* All rows for at most IMAGES images. */
ALWAYS void group_of(const call *k, const uint8_t *w, size_t rows, const float *x, size_t images,
                     const float *bias, float *out, float *sums)
{
    switch (images) {
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

/* At most SAVED_ROWS rows for at most SAVED_IMAGES images, panel by panel. */
ALWAYS void panels_of(call *k, const uint8_t *w, size_t rows, const float *x, size_t images,
                      const float *bias, float *out)
{
    _Alignas(64) float sums[SAVED_ROWS * SAVED_IMAGES * 16];
    for (k->from = 0; k->from < k->n; k->from = k->to) {
        k->to = k->n - k->from < PANEL ? k->n : k->from + PANEL;
        for (size_t i = 0; i < images; i += IMAGES) {
            group_of(k, w, rows, x + i * k->x_stride, images - i < IMAGES ? images - i : IMAGES, bias,
                     out + i * k->out_stride, sums + i * SAVED_ROWS * 16);
        }
    }
}

ALWAYS void linear(model_dtype dtype, const uint8_t *w, size_t w_stride, size_t rows, size_t n,
                   const float *x, size_t x_stride, size_t images, const float *bias, int relu, float *out,
                   size_t out_stride)
{
    call k = {dtype, w_stride, n, x_stride, relu, out_stride, 0, n};
    if (images <= IMAGES) {
        group_of(&k, w, rows, x, images, bias, out, NULL);
        return;
    }
    for (size_t r = 0; r < rows; r += SAVED_ROWS) {
        for (size_t i = 0; i < images; i += SAVED_IMAGES) {
            panels_of(&k, w + r * w_stride, rows - r < SAVED_ROWS ? rows - r : SAVED_ROWS, x + i * x_stride,
                      images - i < SAVED_IMAGES ? images - i : SAVED_IMAGES, bias + r,
                      out + i * out_stride + r);
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
