/* The plain twins: the definition, written out. */
#include "priv/nn_linear.h"
#include "priv/nn_read.h"

static void linear(model_dtype dtype, const uint8_t *w, size_t w_stride, size_t rows, size_t n,
                   const float *x, size_t x_stride, size_t images, const float *bias, int relu, float *out,
                   size_t out_stride)
{
    size_t bytes = dtype == MODEL_F32 ? 4 : 2;
    for (size_t r = 0; r < rows; r++) {
        for (size_t i = 0; i < images; i++) {
            float sum = 0;
            for (size_t k = 0; k < n; k++) {
                double weight;
                nn_read_row(dtype, w + r * w_stride + k * bytes, 1, 1, &weight);
                sum += (float)weight * x[i * x_stride + k];
            }
            sum += bias[r];
            out[i * out_stride + r] = relu && sum < 0 ? 0 : sum;
        }
    }
}

#define TWIN(name, dtype)                                                                                    \
    NN_LINEAR_DECLARE(name)                                                                                  \
    {                                                                                                        \
        linear(dtype, w, w_stride, rows, n, x, x_stride, images, bias, relu, out, out_stride);               \
    }

TWIN(nn_linear_f32__ref, MODEL_F32)
TWIN(nn_linear_f16__ref, MODEL_F16)
TWIN(nn_linear_bf16__ref, MODEL_BF16)

size_t nn_linear_lines(const float *x, size_t n, uint32_t *out)
{
    size_t count = 0;
    for (size_t line = 0; line * NN_LINEAR_LANES < n; line++) {
        int any = 0;
        for (size_t l = 0; l < NN_LINEAR_LANES; l++) {
            any |= x[line * NN_LINEAR_LANES + l] != 0;
        }
        out[count] = (uint32_t)line;
        count += any != 0;
    }
    return count;
}

NN_LINEAR_LINES_DECLARE(nn_linear_lines_f32__ref)
{
    for (size_t r = 0; r < rows; r++) {
        float sum = 0;
        for (size_t j = 0; j < count; j++) {
            for (size_t k = lines[j] * NN_LINEAR_LANES; k < n && k < (lines[j] + 1) * NN_LINEAR_LANES; k++) {
                double weight;
                nn_read_row(MODEL_F32, w + r * w_stride + k * sizeof(float), 1, 1, &weight);
                sum += (float)weight * x[k];
            }
        }
        sum += bias[r];
        out[r] = relu && sum < 0 ? 0 : sum;
    }
}
