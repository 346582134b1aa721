/* Portable C. A piece of a row is converted once and used for every image; the lanes are a loop that compilers turn into
 * vectors. */
#include "priv/nn_linear.h"

#include <string.h>

#include "priv/nn_read.h"

#define IMAGES 4 /* whose partial sums are kept at once */
#define LANES  NN_LINEAR_LANES

/* The next `count` (at most LANES) weights as floats, zeros behind them. */
static inline __attribute__((always_inline)) void piece(model_dtype dtype, const uint8_t *w, size_t count,
                                                        float out[LANES])
{
    if (dtype == MODEL_F32) {
        memcpy(out, w, count * sizeof(float));
    } else {
        for (size_t l = 0; l < count; l++) {
            uint16_t bits;
            memcpy(&bits, w + 2 * l, sizeof(bits));
            out[l] = dtype == MODEL_F16 ? nn_f32_from_f16(bits) : nn_f32_from_bf16(bits);
        }
    }
    if (count < LANES) {
        memset(out + count, 0, (LANES - count) * sizeof(float));
    }
}

static inline __attribute__((always_inline)) void dots(model_dtype dtype, const uint8_t *w, size_t n,
                                                       const float *x, size_t x_stride, size_t images,
                                                       float sum[IMAGES])
{
    float lanes[IMAGES][LANES], weight[LANES];
    size_t bytes = dtype == MODEL_F32 ? 4 : 2;
    memset(lanes, 0, sizeof(lanes));
    for (size_t k = 0; k < n; k += LANES) {
        piece(dtype, w + k * bytes, n - k < LANES ? n - k : LANES, weight);
        for (size_t i = 0; i < images; i++) {
            for (size_t l = 0; l < LANES; l++) {
                lanes[i][l] += weight[l] * x[i * x_stride + k + l];
            }
        }
    }
    for (size_t i = 0; i < images; i++) {
        for (size_t half = LANES / 2; half; half /= 2) {
            for (size_t l = 0; l < half; l++) {
                lanes[i][l] += lanes[i][l + half];
            }
        }
        sum[i] = lanes[i][0];
    }
}

static inline __attribute__((always_inline)) void linear(model_dtype dtype, const uint8_t *w, size_t w_stride,
                                                         size_t rows, size_t n, const float *x,
                                                         size_t x_stride, size_t images, const float *bias,
                                                         int relu, float *out, size_t out_stride)
{
    for (size_t r = 0; r < rows; r++) {
        for (size_t i = 0; i < images; i += IMAGES) {
            size_t here = images - i < IMAGES ? images - i : IMAGES;
            float sum[IMAGES];
            dots(dtype, w + r * w_stride, n, x + i * x_stride, x_stride, here, sum);
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

KERNEL(nn_linear_f32__portable, MODEL_F32)
KERNEL(nn_linear_f16__portable, MODEL_F16)
KERNEL(nn_linear_bf16__portable, MODEL_BF16)
