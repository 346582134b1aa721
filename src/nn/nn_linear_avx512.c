/* AVX-512: a dot product's sum is one register; up to eight rows at a time, for one to eight images. */
#if defined(__x86_64__)
#include "priv/nn_linear.h"

#include <immintrin.h>

#include "model_tensor.h"

#define ALWAYS static inline __attribute__((always_inline))

#define WIDTH   16
#define PARTS   1
#define ROWS    8
#define IMAGES  8
#define ROWS_1  8
#define ROWS_2  6
#define ROWS_3  6
#define ROWS_4  6
#define ROWS_5  3
#define ROWS_6  3
#define ROWS_7  3
#define ROWS_8  3
#define SEEN(v) __asm__("" : "+v"(v))

typedef __m512 vec;

ALWAYS vec load(model_dtype dtype, const uint8_t *w, const size_t p, const size_t n)
{
    (void)p; /* the only one */
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

ALWAYS vec load_floats(const float *at)
{
    return _mm512_load_ps(at);
}

ALWAYS void store_floats(float *at, vec v)
{
    _mm512_store_ps(at, v);
}

ALWAYS vec zero(void)
{
    return _mm512_setzero_ps();
}

ALWAYS vec fmadd(vec a, vec b, vec sum)
{
    return _mm512_fmadd_ps(a, b, sum);
}

ALWAYS float add_up(const vec sum[PARTS])
{
    return _mm512_reduce_add_ps(sum[0]);
}

#include "priv/nn_linear_body.h"

KERNEL(nn_linear_f32__avx512, MODEL_F32)
KERNEL(nn_linear_f16__avx512, MODEL_F16)
KERNEL(nn_linear_bf16__avx512, MODEL_BF16)
LINES_KERNEL(nn_linear_lines_f32__avx512)
#else
typedef int nn_linear_avx512_is_for_x86_64;
#endif
