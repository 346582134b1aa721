/* AVX2, FMA, F16C: up to six rows at a time, for one to three images; each dot product in two accumulators. How far ahead is
 * asked for was measured over mappings of 4 KiB and of 2 MiB pages: docs/engine.md. */
#if defined(__x86_64__)
#include "priv/nn_linear.h"

#include <immintrin.h>
#include <string.h>

#include "model_tensor.h"

#define ROWS   6
#define IMAGES 3

/* Bytes that each row is asked for ahead: for one image into L2, as nothing else goes on. Behind a row's end lies the beginning
 * of the one that follows it. */
#define AHEAD 512

#define LINES_ROWS  6
#define LINES_AHEAD 16 /* of each row */

#define ALWAYS static inline __attribute__((always_inline))

/* Eight weights. */
ALWAYS __m256 load(model_dtype dtype, const uint8_t *w)
{
    if (dtype == MODEL_F32) {
        return _mm256_loadu_ps((const float *)(const void *)w);
    }
    __m128i half = _mm_loadu_si128((const __m128i *)(const void *)w);
    if (dtype == MODEL_F16) {
        return _mm256_cvtph_ps(half);
    }
    return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(half), 16));
}

ALWAYS float add_up(__m256 low, __m256 high)
{
    __m256 all = _mm256_add_ps(low, high);
    __m128 four = _mm_add_ps(_mm256_castps256_ps128(all), _mm256_extractf128_ps(all, 1));
    __m128 two = _mm_add_ps(four, _mm_movehl_ps(four, four));
    return _mm_cvtss_f32(_mm_add_ss(two, _mm_movehdup_ps(two)));
}

/* The next 16 inputs of R rows and B images. */
ALWAYS void step(model_dtype dtype, const uint8_t *w, size_t w_stride, const float *x, size_t x_stride,
                 const size_t R, const size_t B, __m256 low[ROWS][IMAGES], __m256 high[ROWS][IMAGES])
{
    const size_t half = dtype == MODEL_F32 ? 32 : 16; /* bytes */
#pragma GCC unroll 6
    for (size_t r = 0; r < R; r++) {
        __m256 first = load(dtype, w + r * w_stride), second = load(dtype, w + r * w_stride + half);
#pragma GCC unroll 3
        for (size_t b = 0; b < B; b++) {
            low[r][b] = _mm256_fmadd_ps(first, _mm256_load_ps(x + b * x_stride), low[r][b]);
            high[r][b] = _mm256_fmadd_ps(second, _mm256_load_ps(x + b * x_stride + 8), high[r][b]);
        }
    }
}

/* Inputs k to end, whole steps; what lies `far` bytes ahead is asked for. Returns where it stopped. */
ALWAYS size_t steps(model_dtype dtype, const uint8_t *w, size_t w_stride, const float *x, size_t x_stride,
                    size_t k, size_t end, size_t far, const size_t R, const size_t B,
                    __m256 low[ROWS][IMAGES], __m256 high[ROWS][IMAGES])
{
    const size_t bytes = dtype == MODEL_F32 ? 4 : 2;
    for (; k + NN_LINEAR_LANES <= end; k += NN_LINEAR_LANES) {
#pragma GCC unroll 6
        for (size_t r = 0; r < R; r++) {
            _mm_prefetch((const char *)w + r * w_stride + k * bytes + far,
                         B == 1 ? _MM_HINT_T1 : _MM_HINT_T0);
        }
        step(dtype, w + k * bytes, w_stride, x + k, x_stride, R, B, low, high);
    }
    return k;
}

/* R and B are constants at every call, so that the sums stay in registers. */
ALWAYS void tile(model_dtype dtype, const uint8_t *w, size_t w_stride, size_t n, const float *x,
                 size_t x_stride, const size_t R, const size_t B, const float *bias, int relu, float *out,
                 size_t out_stride)
{
    const size_t bytes = dtype == MODEL_F32 ? 4 : 2, last = AHEAD / bytes;
    __m256 low[ROWS][IMAGES], high[ROWS][IMAGES];
#pragma GCC unroll 6
    for (size_t r = 0; r < R; r++) {
#pragma GCC unroll 3
        for (size_t b = 0; b < B; b++) {
            low[r][b] = high[r][b] = _mm256_setzero_ps();
        }
    }
    size_t k = steps(dtype, w, w_stride, x, x_stride, 0, n > last ? n - last : 0, AHEAD, R, B, low, high);
    k = steps(dtype, w, w_stride, x, x_stride, k, n, AHEAD + R * w_stride - n * bytes, R, B, low, high);
    if (k < n) { /* the rows' ends, from copies: not a byte behind them may be read */
        uint8_t end[ROWS][NN_LINEAR_LANES * 4];
        memset(end, 0, sizeof(end));
        for (size_t r = 0; r < R; r++) {
            memcpy(end[r], w + r * w_stride + k * bytes, (n - k) * bytes);
        }
        step(dtype, end[0], sizeof(end[0]), x + k, x_stride, R, B, low, high);
    }
#pragma GCC unroll 6
    for (size_t r = 0; r < R; r++) {
#pragma GCC unroll 3
        for (size_t b = 0; b < B; b++) {
            float value = add_up(low[r][b], high[r][b]) + bias[r];
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
            CASE(1, 6);
            CASE(2, 3);
            CASE(3, 2);
        }
    }
}

#define KERNEL(name, dtype)                                                                                  \
    NN_LINEAR_DECLARE(name)                                                                                  \
    {                                                                                                        \
        linear(dtype, w, w_stride, rows, n, x, x_stride, images, bias, relu, out, out_stride);               \
    }

KERNEL(nn_linear_f32__avx2, MODEL_F32)
KERNEL(nn_linear_f16__avx2, MODEL_F16)
KERNEL(nn_linear_bf16__avx2, MODEL_BF16)

/* Lines j to end of R rows; the line that is `ahead` entries further, plus `far` bytes, is asked for. */
ALWAYS size_t lines_steps(const uint8_t *w, size_t w_stride, const float *x, const uint32_t *lines, size_t j,
                          size_t end, ptrdiff_t ahead, size_t far, const size_t R, __m256 low[ROWS][IMAGES],
                          __m256 high[ROWS][IMAGES])
{
    for (; j < end; j++) {
        const size_t later = (size_t)lines[(ptrdiff_t)j + ahead] * 64 + far;
#pragma GCC unroll 6
        for (size_t r = 0; r < R; r++) {
            _mm_prefetch((const char *)w + r * w_stride + later, _MM_HINT_T1);
        }
        step(MODEL_F32, w + (size_t)lines[j] * 64, w_stride, x + lines[j] * NN_LINEAR_LANES, 0, R, 1, low,
             high);
    }
    return j;
}

ALWAYS void lines_tile(const uint8_t *w, size_t w_stride, size_t n, const float *x, const uint32_t *lines,
                       size_t count, const size_t R, const float *bias, int relu, float *out)
{
    const size_t cut = n % NN_LINEAR_LANES, begin = n - cut; /* of a last line that is not whole */
    const size_t whole = count - (count > 0 && cut && lines[count - 1] * NN_LINEAR_LANES == begin);
    const size_t ahead = whole < 2 * LINES_AHEAD ? whole / 2 : LINES_AHEAD;
    __m256 low[ROWS][IMAGES], high[ROWS][IMAGES];
#pragma GCC unroll 6
    for (size_t r = 0; r < R; r++) {
        low[r][0] = high[r][0] = _mm256_setzero_ps();
    }
    size_t j = lines_steps(w, w_stride, x, lines, 0, whole - ahead, (ptrdiff_t)ahead, 0, R, low, high);
    lines_steps(w, w_stride, x, lines, j, whole, (ptrdiff_t)ahead - (ptrdiff_t)whole, R * w_stride, R, low,
                high);
    if (whole < count) {
        uint8_t end[LINES_ROWS][NN_LINEAR_LANES * 4];
        memset(end, 0, sizeof(end));
        for (size_t r = 0; r < R; r++) {
            memcpy(end[r], w + r * w_stride + begin * sizeof(float), cut * sizeof(float));
        }
        step(MODEL_F32, end[0], sizeof(end[0]), x + begin, 0, R, 1, low, high);
    }
#pragma GCC unroll 6
    for (size_t r = 0; r < R; r++) {
        float value = add_up(low[r][0], high[r][0]) + bias[r];
        out[r] = relu && value < 0 ? 0 : value;
    }
}

NN_LINEAR_LINES_DECLARE(nn_linear_lines_f32__avx2)
{
    size_t r = 0;
    for (; r + LINES_ROWS <= rows; r += LINES_ROWS) {
        lines_tile(w + r * w_stride, w_stride, n, x, lines, count, LINES_ROWS, bias + r, relu, out + r);
    }
    for (; r < rows; r++) {
        lines_tile(w + r * w_stride, w_stride, n, x, lines, count, 1, bias + r, relu, out + r);
    }
}
#else
typedef int nn_linear_avx2_is_for_x86_64;
#endif
