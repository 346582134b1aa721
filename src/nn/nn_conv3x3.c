/* Portable C: four pixels at a time, so that each weight is used four times; compilers turn the inner loops into
 * whatever vectors the target has. */
#include "priv/nn_conv3x3.h"

#include <string.h>

#define PIXELS 4

/* P is a constant at every call, so that the loops unroll. */
static inline __attribute__((always_inline)) void strip(const float *x, size_t x_row, size_t x_plane,
                                                        size_t channels, const float *w, const float *bias,
                                                        float *out, size_t P)
{
    float sum[PIXELS][NN_BLOCK];
    memset(sum, 0, sizeof(sum));
    for (size_t c = 0; c < channels; c++, w += 9 * NN_BLOCK) {
        const float *plane = x + c * x_plane;
        for (size_t tap = 0; tap < 9; tap++) {
            const float *at = plane + tap / 3 * x_row + tap % 3;
            for (size_t p = 0; p < P; p++) {
                float value = at[p];
                for (size_t k = 0; k < NN_BLOCK; k++) {
                    sum[p][k] += value * w[tap * NN_BLOCK + k];
                }
            }
        }
    }
    for (size_t p = 0; p < P; p++) {
        for (size_t k = 0; k < NN_BLOCK; k++) {
            float value = sum[p][k] + bias[k];
            out[p * NN_BLOCK + k] = value < 0 ? 0 : value;
        }
    }
}

void nn_conv3x3_f32_4x16__portable(const float *x, size_t x_row, size_t x_plane, size_t channels,
                                   const float *w, const float *bias, float *out, size_t width)
{
    size_t p = 0;
    for (; p + PIXELS <= width; p += PIXELS) {
        strip(x + p, x_row, x_plane, channels, w, bias, out + p * NN_BLOCK, PIXELS);
    }
    for (; p < width; p++) {
        strip(x + p, x_row, x_plane, channels, w, bias, out + p * NN_BLOCK, 1);
    }
}
