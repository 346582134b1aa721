/* The plain twin: the definition, written out. */
#include "priv/nn_conv3x3.h"

void nn_conv3x3_f32_1x16__ref(const float *x, size_t x_row, size_t x_plane, size_t channels, const float *w,
                              const float *bias, float *out, size_t width)
{
    for (size_t p = 0; p < width; p++) {
        for (size_t k = 0; k < NN_BLOCK; k++) {
            float sum = 0;
            for (size_t c = 0; c < channels; c++) {
                const float *plane = x + c * x_plane;
                for (size_t ky = 0; ky < 3; ky++) {
                    for (size_t kx = 0; kx < 3; kx++) {
                        sum += plane[ky * x_row + p + kx] * w[(c * 9 + ky * 3 + kx) * NN_BLOCK + k];
                    }
                }
            }
            sum += bias[k];
            out[p * NN_BLOCK + k] = sum < 0 ? 0 : sum;
        }
    }
}
