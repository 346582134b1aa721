/* Direct 3x3 convolution for the first layer, whose few input channels are too few for Winograd's algorithm: one row of 16
 * output channels at a time, over bordered planes.
 *
 * All kernels sum over input channels in order, and within one over the nine taps in order; they differ in rounding only
 * (FMA).
 */
#ifndef NN_CONV3X3_H
#define NN_CONV3X3_H

#include <stddef.h>

#define NN_BLOCK 16 /* channels side by side: one AVX-512 register, two AVX2, four NEON */

/**
 * Convolve 3x3 over bordered planes, add bias, then ReLU.
 * @param x         f32, the top left element of the window of the row's first output pixel (a border element).
 * @param x_row     floats from one row to the next.
 * @param x_plane   floats from one channel to the next.
 * @param channels  input channels.
 * @param w         f32 [channels][3][3][16], 64-byte aligned.
 * @param bias      f32 [16].
 * @param out       f32 [width][16]; must not overlap x.
 * Threads: safe on distinct out. Allocates: no. Source: torch.nn.Conv2d (cross-correlation), torch.nn.ReLU (NaN stays).
 */
typedef void (*nn_conv3x3_fn)(const float *x, size_t x_row, size_t x_plane, size_t channels, const float *w,
                              const float *bias, float *out, size_t width);

#define NN_CONV3X3_DECLARE(name)                                                                             \
    void name(const float *x, size_t x_row, size_t x_plane, size_t channels, const float *w,                 \
              const float *bias, float *out, size_t width)

NN_CONV3X3_DECLARE(nn_conv3x3_f32_1x16__ref);
NN_CONV3X3_DECLARE(nn_conv3x3_f32_4x16__portable);
NN_CONV3X3_DECLARE(nn_conv3x3_f32_6x16__avx2);
NN_CONV3X3_DECLARE(nn_conv3x3_f32_28x16__avx512);

#endif
