/* AVX2, FMA, F16C: a dot product's sum is two registers; up to six rows at a time, for one to three images. */
#if defined(__x86_64__)
#include "priv/nn_linear.h"

#include <immintrin.h>
#include <string.h>

#include "model_tensor.h"

#define ALWAYS static inline __attribute__((always_inline))

#define WIDTH   8
#define PARTS   2
#define ROWS    6
#define IMAGES  3
#define ROWS_1  6
#define ROWS_2  3
#define ROWS_3  2
#define SEEN(v) (void)(v)

typedef __m256 vec;

ALWAYS vec load_whole(model_dtype dtype, const uint8_t *w)
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

ALWAYS vec load(model_dtype dtype, const uint8_t *w, const size_t p, const size_t n)
{
    const size_t bytes = dtype == MODEL_F32 ? 4 : 2;
    if (n == NN_LINEAR_LANES) {
        return load_whole(dtype, w + p * WIDTH * bytes);
    }
    uint8_t end[NN_LINEAR_LANES * 4] = {0}; /* a row's end, from a copy: not a byte behind it may be read */
    memcpy(end, w, n * bytes);
    return load_whole(dtype, end + p * WIDTH * bytes);
}

ALWAYS vec load_floats(const float *at)
{
    return _mm256_load_ps(at);
}

ALWAYS void store_floats(float *at, vec v)
{
    _mm256_store_ps(at, v);
}

ALWAYS vec zero(void)
{
    return _mm256_setzero_ps();
}

ALWAYS vec fmadd(vec a, vec b, vec sum)
{
    return _mm256_fmadd_ps(a, b, sum);
}

ALWAYS float add_up(const vec sum[PARTS])
{
    __m256 all = _mm256_add_ps(sum[0], sum[1]);
    __m128 four = _mm_add_ps(_mm256_castps256_ps128(all), _mm256_extractf128_ps(all, 1));
    __m128 two = _mm_add_ps(four, _mm_movehl_ps(four, four));
    return _mm_cvtss_f32(_mm_add_ss(two, _mm_movehdup_ps(two)));
}

#include "priv/nn_linear_body.h"

KERNEL(nn_linear_f32__avx2, MODEL_F32)
KERNEL(nn_linear_f16__avx2, MODEL_F16)
KERNEL(nn_linear_bf16__avx2, MODEL_BF16)
LINES_KERNEL(nn_linear_lines_f32__avx2)
#else
typedef int nn_linear_avx2_is_for_x86_64;
#endif
