/* AVX2, FMA, F16C: one row and one image at a time, eight accumulators. */
#if defined(__x86_64__)
#include "priv/nn_linear.h"

#include <immintrin.h>
#include <string.h>

#include "model_tensor.h"

#define VECTORS (NN_LINEAR_LANES / 8) /* registers that hold one row's lanes */
#define AHEAD   2048 /* bytes that the row is prefetched ahead: about a DRAM latency at 20 GB/s */

static inline __attribute__((always_inline)) __m256 load(model_dtype dtype, const uint8_t *w)
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

static inline __attribute__((always_inline)) float add_up(const __m256 lanes[VECTORS])
{
    __m256 all =
        _mm256_add_ps(_mm256_add_ps(_mm256_add_ps(lanes[0], lanes[4]), _mm256_add_ps(lanes[2], lanes[6])),
                      _mm256_add_ps(_mm256_add_ps(lanes[1], lanes[5]), _mm256_add_ps(lanes[3], lanes[7])));
    __m128 four = _mm_add_ps(_mm256_castps256_ps128(all), _mm256_extractf128_ps(all, 1));
    __m128 two = _mm_add_ps(four, _mm_movehl_ps(four, four));
    return _mm_cvtss_f32(_mm_add_ss(two, _mm_movehdup_ps(two)));
}

static inline __attribute__((always_inline)) float dot(model_dtype dtype, const uint8_t *w, size_t n,
                                                       const float *x)
{
    const size_t bytes = dtype == MODEL_F32 ? 4 : 2;
    __m256 lanes[VECTORS];
    for (size_t v = 0; v < VECTORS; v++) {
        lanes[v] = _mm256_setzero_ps();
    }
    size_t k = 0;
    for (; k + NN_LINEAR_LANES <= n; k += NN_LINEAR_LANES) {
        for (size_t line = 0; line < NN_LINEAR_LANES * bytes; line += 64) {
            _mm_prefetch((const char *)w + k * bytes + line + AHEAD, _MM_HINT_T0);
        }
#pragma GCC unroll 8
        for (size_t v = 0; v < VECTORS; v++) {
            lanes[v] = _mm256_fmadd_ps(load(dtype, w + (k + v * 8) * bytes), _mm256_load_ps(x + k + v * 8),
                                       lanes[v]);
        }
    }
    if (k < n) { /* the row's end, from a copy: not a byte behind it may be read */
        _Alignas(32) uint8_t end[NN_LINEAR_LANES * 4] = {0};
        memcpy(end, w + k * bytes, (n - k) * bytes);
        for (size_t v = 0; v < VECTORS; v++) {
            lanes[v] =
                _mm256_fmadd_ps(load(dtype, end + v * 8 * bytes), _mm256_load_ps(x + k + v * 8), lanes[v]);
        }
    }
    return add_up(lanes);
}

static inline __attribute__((always_inline)) void linear(model_dtype dtype, const uint8_t *w, size_t w_stride,
                                                         size_t rows, size_t n, const float *x,
                                                         size_t x_stride, size_t images, const float *bias,
                                                         int relu, float *out, size_t out_stride)
{
    for (size_t r = 0; r < rows; r++) {
        for (size_t i = 0; i < images; i++) { /* from the second image on the row comes from the cache */
            float value = dot(dtype, w + r * w_stride, n, x + i * x_stride) + bias[r];
            out[i * out_stride + r] = relu && value < 0 ? 0 : value;
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
#else
typedef int nn_linear_avx2_is_for_x86_64;
#endif
