/* Direct 3x3 convolution, one row of 16 output channels at a time.
 *
 * Activations lie blocked: [channels/16][height+2][width+2][16], with a border of zeros one pixel wide. All kernels sum
 * over input channels in order, and within one over the nine taps in order; they differ in rounding only (FMA).
 */
#ifndef NN_CONV3X3_H
#define NN_CONV3X3_H

#include <stddef.h>

#define NN_BLOCK 16 /* channels side by side: one AVX-512 register, two AVX2, four NEON */

/**
 * Convolve 3x3 over a blocked and bordered input, add bias, then ReLU.
 * @param x         f32, the top left pixel of the window of the row's first output pixel (a border pixel).
 * @param x_row     floats from one row to the next.
 * @param x_plane   floats from one block of 16 channels to the next.
 * @param channels  input channels; of the last block only those that exist are read.
 * @param w         f32 [channels][3][3][16], 64-byte aligned.
 * @param bias      f32 [16].
 * @param out       f32 [width][16]; must not overlap x.
 * Threads: safe on distinct out. Allocates: no. Source: torch.nn.Conv2d (cross-correlation), torch.nn.ReLU (NaN stays).
 */
typedef void (*nn_conv3x3_fn)(const float *x, size_t x_row, size_t x_plane, size_t channels, const float *w,
                              const float *bias, float *out, size_t width);

void nn_conv3x3_f32_1x16__ref(const float *x, size_t x_row, size_t x_plane, size_t channels, const float *w,
                              const float *bias, float *out, size_t width);
void nn_conv3x3_f32_4x16__portable(const float *x, size_t x_row, size_t x_plane, size_t channels,
                                   const float *w, const float *bias, float *out, size_t width);
void nn_conv3x3_f32_6x16__avx2(const float *x, size_t x_row, size_t x_plane, size_t channels, const float *w,
                               const float *bias, float *out, size_t width);

#endif
