/* AVX-512: a few rows at a time, for one to eight images; each dot product in one accumulator.
 *
 * Several rows at once are several streams out of memory, which is what keeps it busy; several images share what is read.
 * How far ahead is asked for was measured over mappings of 4 KiB and of 2 MiB pages: docs/engine.md.
 */
#if defined(__x86_64__)
#include "priv/nn_linear.h"

#include <immintrin.h>
#include <stdbool.h>

#include "model_tensor.h"

#define ROWS   8
#define IMAGES 8

/* Bytes that each row is asked for ahead: for one image into L2, as nothing else goes on. Behind a row's end lies the beginning
 * of the one that follows it. */
#define AHEAD 512

/* More images than registers hold sums for: the inputs are cut into panels, of which those of IMAGES images fit L1 and the
 * weights of SAVED_ROWS rows L2, and sums are kept from panel to panel. That changes no bit. While a panel is multiplied, the
 * next one's weights are asked for, a part with each group of images. */
#define PANEL        256
#define SAVED_ROWS   48
#define SAVED_IMAGES 32

#define LINES_ROWS  6
#define LINES_AHEAD 16 /* of each row */

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

/* What all of a call's tiles have in common. */
typedef struct call {
    model_dtype dtype;
    size_t bytes; /* of a weight */
    size_t w_stride, n, x_stride;
    int relu;
    size_t out_stride;
    size_t from, to; /* of the n inputs */
    size_t every,
        behind; /* of panels: steps between two requests; bytes from a panel to what is asked for next */
} call;

/* The rows of eight images from three addresses: what a register can be added once, twice, or four times. */
typedef struct sight {
    const char *first, *third, *sixth;
    size_t stride; /* bytes */
} sight;

ALWAYS sight sight_of(const call *k, const float *x, const size_t B)
{
    sight a = {(const char *)x, (const char *)x, (const char *)x, k->x_stride * sizeof(float)};
    a.third += B > 3 ? 3 * a.stride : 0;
    a.sixth += B > 6 ? 6 * a.stride : 0;
    __asm__(""
            : "+r"(a.third),
              "+r"(a.sixth)); /* else each image gets a register, and sums are spilled for them */
    return a;
}

ALWAYS __m512 input_of(const sight *a, const size_t b, size_t i)
{
    const char *at = b >= 6 ? a->sixth : b == 3 || b == 5 ? a->third : a->first;
    const size_t times = b >= 6 ? b - 6 : b == 3 || b == 5 ? b - 3 : b;
    __m512 input = _mm512_load_ps(at + times * a->stride + i * sizeof(float));
    __asm__("" : "+v"(input)); /* read once, not by each multiplication */
    return input;
}

/* The n inputs from i on of R rows and B images. */
ALWAYS void step(const call *k, const uint8_t *w, const sight *x, size_t i, const size_t R, const size_t B,
                 const size_t n, __m512 sum[ROWS][IMAGES])
{
    __m512 weight[ROWS];
#pragma GCC unroll 8
    for (size_t r = 0; r < R; r++) {
        weight[r] = load(k->dtype, w + i * k->bytes + r * k->w_stride, n);
    }
#pragma GCC unroll 8
    for (size_t b = 0; b < B; b++) {
        __m512 input = input_of(x, b, i);
#pragma GCC unroll 8
        for (size_t r = 0; r < R; r++) {
            sum[r][b] = _mm512_fmadd_ps(weight[r], input, sum[r][b]);
        }
    }
}

/* Inputs i to end, whole steps; what lies `far` bytes ahead is asked for. Returns where it stopped. */
ALWAYS size_t steps(const call *k, const uint8_t *w, const sight *x, size_t i, size_t end, size_t far,
                    const size_t R, const size_t B, __m512 sum[ROWS][IMAGES])
{
    for (; i + 16 <= end; i += 16) {
        const char *at = (const char *)w + i * k->bytes + far;
#pragma GCC unroll 8
        for (size_t r = 0; r < R; r++) {
            _mm_prefetch(at + r * k->w_stride, B == 1 ? _MM_HINT_T1 : _MM_HINT_T0);
        }
        step(k, w, x, i, R, B, 16, sum);
    }
    return i;
}

/* The same of a panel: what is asked for lies in the next one. */
ALWAYS size_t panel_steps(const call *k, const uint8_t *w, const sight *x, const size_t R, const size_t B,
                          __m512 sum[ROWS][IMAGES])
{
    const char *ahead = (const char *)w + k->from * k->bytes + k->behind;
    size_t i = k->from, left = 1;
    for (; i + 16 <= k->to; i += 16) {
        if (--left == 0) {
            left = k->every;
#pragma GCC unroll 8
            for (size_t r = 0; r < R; r++) {
                _mm_prefetch(ahead + r * k->w_stride, _MM_HINT_T1);
            }
            ahead += 64;
        }
        step(k, w, x, i, R, B, 16, sum);
    }
    return i;
}

ALWAYS void put(const call *k, __m512 sum, const float *bias, float *out)
{
    float value = _mm512_reduce_add_ps(sum) + *bias;
    *out = k->relu && value < 0 ? 0 : value;
}

/* R and B are constants at every call, so that the sums stay in registers. */
ALWAYS void tile(const call *k, const uint8_t *w, const float *x, const size_t R, const size_t B,
                 const float *bias, float *out)
{
    const size_t last = AHEAD / k->bytes;
    const sight in = sight_of(k, x, B);
    __m512 sum[ROWS][IMAGES];
#pragma GCC unroll 8
    for (size_t r = 0; r < R; r++) {
#pragma GCC unroll 8
        for (size_t b = 0; b < B; b++) {
            sum[r][b] = _mm512_setzero_ps();
        }
    }
    size_t i = steps(k, w, &in, 0, k->n > last ? k->n - last : 0, AHEAD, R, B, sum);
    i = steps(k, w, &in, i, k->n, AHEAD + R * k->w_stride - k->n * k->bytes, R, B, sum);
    if (i < k->n) {
        step(k, w, &in, i, R, B, k->n - i, sum);
    }
#pragma GCC unroll 8
    for (size_t r = 0; r < R; r++) {
#pragma GCC unroll 8
        for (size_t b = 0; b < B; b++) {
            put(k, sum[r][b], bias + r, out + b * k->out_stride + r);
        }
    }
}

/* A tile's panel: sums are kept from the one before and for the one behind. */
ALWAYS void panel_tile(const call *k, const uint8_t *w, const float *x, const size_t R, const size_t B,
                       const float *bias, float *out, float *sums)
{
    const sight in = sight_of(k, x, B);
    __m512 sum[ROWS][IMAGES];
#pragma GCC unroll 8
    for (size_t r = 0; r < R; r++) {
#pragma GCC unroll 8
        for (size_t b = 0; b < B; b++) {
            sum[r][b] = k->from ? _mm512_load_ps(sums + (r * B + b) * 16) : _mm512_setzero_ps();
        }
    }
    size_t i = panel_steps(k, w, &in, R, B, sum);
    if (i < k->to) {
        step(k, w, &in, i, R, B, k->to - i, sum);
    }
#pragma GCC unroll 8
    for (size_t r = 0; r < R; r++) {
#pragma GCC unroll 8
        for (size_t b = 0; b < B; b++) {
            if (k->to < k->n) {
                _mm512_store_ps(sums + (r * B + b) * 16, sum[r][b]);
            } else {
                put(k, sum[r][b], bias + r, out + b * k->out_stride + r);
            }
        }
    }
}

/* All rows for B images, R rows at a time. sums: of a panel; else NULL. */
ALWAYS void rows_of(const call *k, const uint8_t *w, size_t rows, const float *x, const size_t R,
                    const size_t B, const float *bias, float *out, float *sums)
{
    size_t r = 0;
    for (; r + R <= rows; r += R) {
        if (sums) {
            panel_tile(k, w + r * k->w_stride, x, R, B, bias + r, out + r, sums + r * B * 16);
        } else {
            tile(k, w + r * k->w_stride, x, R, B, bias + r, out + r);
        }
    }
    for (; r < rows; r++) {
        if (sums) {
            panel_tile(k, w + r * k->w_stride, x, 1, B, bias + r, out + r, sums + r * B * 16);
        } else {
            tile(k, w + r * k->w_stride, x, 1, B, bias + r, out + r);
        }
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
        CASE(1, 8);
        CASE(2, 6);
        CASE(3, 6);
        CASE(4, 6);
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
    size_t groups = (images + IMAGES - 1) / IMAGES;
    k->every = groups * 4 / k->bytes; /* a step is 16 weights, a request 64 bytes */
    for (k->from = 0; k->from < k->n; k->from = k->to) {
        size_t count = k->n - k->from < PANEL ? k->n - k->from : PANEL, bytes = count * k->bytes;
        k->to = k->from + count;
        k->behind = bytes;
        for (size_t i = 0; i < images; i += IMAGES) {
            group_of(k, w, rows, x + i * k->x_stride, images - i < IMAGES ? images - i : IMAGES, bias,
                     out + i * k->out_stride, sums + i * SAVED_ROWS * 16);
            k->behind += bytes / 64 / groups * 64;
        }
    }
}

ALWAYS void linear(model_dtype dtype, const uint8_t *w, size_t w_stride, size_t rows, size_t n,
                   const float *x, size_t x_stride, size_t images, const float *bias, int relu, float *out,
                   size_t out_stride)
{
    call k = {dtype, dtype == MODEL_F32 ? 4 : 2, w_stride, n, x_stride, relu, out_stride, 0, n, 0, 0};
    if (images <= IMAGES) {
        group_of(&k, w, rows, x, images, bias, out, NULL);
        return;
    }
    const size_t together = images <= 2 * IMAGES ? SAVED_ROWS / 2 : SAVED_ROWS;
    for (size_t r = 0; r < rows; r += together) {
        for (size_t i = 0; i < images; i += SAVED_IMAGES) {
            panels_of(&k, w + r * w_stride, rows - r < together ? rows - r : together, x + i * x_stride,
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

/* Lines j to end of R rows; the line that is `ahead` entries further, plus `far` bytes, is asked for. */
ALWAYS size_t lines_steps(const uint8_t *w, size_t w_stride, const float *x, const uint32_t *lines, size_t j,
                          size_t end, ptrdiff_t ahead, size_t far, const size_t R, __m512 sum[LINES_ROWS])
{
    for (; j < end; j++) {
        const size_t at = (size_t)lines[j] * 64, later = (size_t)lines[(ptrdiff_t)j + ahead] * 64 + far;
        __m512 input = _mm512_load_ps(x + lines[j] * 16);
#pragma GCC unroll 6
        for (size_t r = 0; r < R; r++) {
            _mm_prefetch((const char *)w + r * w_stride + later, _MM_HINT_T1);
            sum[r] = _mm512_fmadd_ps(_mm512_loadu_ps(w + r * w_stride + at), input, sum[r]);
        }
    }
    return j;
}

ALWAYS void lines_tile(const uint8_t *w, size_t w_stride, size_t n, const float *x, const uint32_t *lines,
                       size_t count, const size_t R, const float *bias, int relu, float *out)
{
    const bool cut = count > 0 && n % 16 != 0 && lines[count - 1] == n / 16; /* the last line is not whole */
    const size_t whole = count - cut, ahead = whole < 2 * LINES_AHEAD ? whole / 2 : LINES_AHEAD;
    const call k = {.relu = relu};
    __m512 sum[LINES_ROWS];
#pragma GCC unroll 6
    for (size_t r = 0; r < R; r++) {
        sum[r] = _mm512_setzero_ps();
    }
    size_t j = lines_steps(w, w_stride, x, lines, 0, whole - ahead, (ptrdiff_t)ahead, 0, R, sum);
    lines_steps(w, w_stride, x, lines, j, whole, (ptrdiff_t)ahead - (ptrdiff_t)whole, R * w_stride, R, sum);
#pragma GCC unroll 6
    for (size_t r = 0; r < R; r++) {
        if (cut) {
            __m512 weight = load(MODEL_F32, w + r * w_stride + n / 16 * 64, n % 16);
            sum[r] = _mm512_fmadd_ps(weight, _mm512_load_ps(x + n / 16 * 16), sum[r]);
        }
        put(&k, sum[r], bias + r, out + r);
    }
}

NN_LINEAR_LINES_DECLARE(nn_linear_lines_f32__avx512)
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
typedef int nn_linear_avx512_is_for_x86_64;
#endif
