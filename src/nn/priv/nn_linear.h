/* Fully-connected layers: dot products of weight rows, streamed from where they lie, with the inputs of some images.
 *
 * A row's dot product is summed in NN_LINEAR_LANES partial sums (element i in lane i mod NN_LINEAR_LANES), which are then
 * added in an order that is fixed for each kernel; so an image's result does not depend on the other images of the call.
 */
#ifndef NN_LINEAR_H
#define NN_LINEAR_H

#include <stddef.h>
#include <stdint.h>

#define NN_LINEAR_LANES 16 /* inputs are padded with zeros to a multiple */

/**
 * For each row r and image i: out[i * out_stride + r] = dot(w row r, x row i) + bias[r], then ReLU if asked.
 * @param w         rows of f32, f16 or bf16 (the kernel's name says), any alignment; never read past a row's end.
 * @param w_stride  bytes from one row to the next.
 * @param rows      of w.
 * @param n         inputs: elements of a row.
 * @param x         f32 [images][x_stride], 64-byte aligned; elements n up to the next multiple of NN_LINEAR_LANES are 0.
 * @param x_stride  floats, a multiple of NN_LINEAR_LANES.
 * Threads: safe on distinct rows. Allocates: no. Source: torch.nn.Linear, torch.nn.ReLU (NaN stays).
 */
typedef void (*nn_linear_fn)(const uint8_t *w, size_t w_stride, size_t rows, size_t n, const float *x,
                             size_t x_stride, size_t images, const float *bias, int relu, float *out,
                             size_t out_stride);

#define NN_LINEAR_DECLARE(name)                                                                              \
    void name(const uint8_t *w, size_t w_stride, size_t rows, size_t n, const float *x, size_t x_stride,     \
              size_t images, const float *bias, int relu, float *out, size_t out_stride)

NN_LINEAR_DECLARE(nn_linear_f32__ref);
NN_LINEAR_DECLARE(nn_linear_f16__ref);
NN_LINEAR_DECLARE(nn_linear_bf16__ref);
NN_LINEAR_DECLARE(nn_linear_f32__portable);
NN_LINEAR_DECLARE(nn_linear_f16__portable);
NN_LINEAR_DECLARE(nn_linear_bf16__portable);
NN_LINEAR_DECLARE(nn_linear_f32__avx2);
NN_LINEAR_DECLARE(nn_linear_f16__avx2);
NN_LINEAR_DECLARE(nn_linear_bf16__avx2);
NN_LINEAR_DECLARE(nn_linear_f32__avx512);
NN_LINEAR_DECLARE(nn_linear_f16__avx512);
NN_LINEAR_DECLARE(nn_linear_bf16__avx512);

/*
 * Lines of inputs that are wholly zero: their weights need not be read. Behind ReLU and pooling whole channels are zero, 49
 * neighbours each, so that half or more of the first layer's weights are not needed. A product of zero and a finite weight
 * changes no sum; one with an infinity or a NaN would, so weights must have been seen to be finite.
 */

/** Which lines of NN_LINEAR_LANES inputs are not all zero (NaN is not zero): their numbers, ascending.
 *  @param n    inputs; x is padded as above.
 *  @param out  room for every line.
 *  @return     how many. */
size_t nn_linear_lines(const float *x, size_t n, uint32_t *out);

/**
 * The same as an nn_linear_fn of f32 weights for one image, reading only the `count` lines that `lines` says.
 * Gives the same bits where all weights are finite.
 */
typedef void (*nn_linear_lines_fn)(const uint8_t *w, size_t w_stride, size_t rows, size_t n, const float *x,
                                   const uint32_t *lines, size_t count, const float *bias, int relu,
                                   float *out);

#define NN_LINEAR_LINES_DECLARE(name)                                                                        \
    void name(const uint8_t *w, size_t w_stride, size_t rows, size_t n, const float *x,                      \
              const uint32_t *lines, size_t count, const float *bias, int relu, float *out)

NN_LINEAR_LINES_DECLARE(nn_linear_lines_f32__ref);
NN_LINEAR_LINES_DECLARE(nn_linear_lines_f32__avx2);
NN_LINEAR_LINES_DECLARE(nn_linear_lines_f32__avx512);

#endif
