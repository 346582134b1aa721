/* Winograd convolution F(4x4, 3x3): the kernels.
 *
 * A tile of 4x4 outputs comes from 6x6 inputs (Lavin and Gray, arXiv 1509.09308, section 4.1):
 *
 *     Y = A^T [ (G g G^T) . (B^T d B) ] A
 *
 * with g the 3x3 weights, d the inputs, and "." elementwise; summed over input channels that is 36 independent matrix
 * products, with 36 multiplications where the definition has 144. The interpolation points are 0, +-5/8, +-3/2 and infinity:
 * they round about half as badly as the usual 0, +-1, +-2, at the same cost.
 *
 * Buffers ("position" is one of the 36; strides between positions are given in floats):
 *     w   [channels][3][3][16]              packed weights of 16 outputs
 *     u   [36][channels][32]                transformed weights of 32 outputs
 *     v   [36][channels/16][tiles][16]      transformed inputs
 *     m   [36][tiles][32]                   products
 * All are 64-byte aligned.
 */
#ifndef NN_WINOGRAD_H
#define NN_WINOGRAD_H

#include <stddef.h>

#define NN_TILE_OUT   4
#define NN_TILE_IN    6
#define NN_POSITIONS  36
#define NN_PAIR       32     /* outputs of one multiplication: two blocks of 16 */
#define NN_WINOGRAD_A 0.625f /* the points +-a, +-b */
#define NN_WINOGRAD_B 1.5f

/**
 * Transform the weights of 16 outputs: one row (six positions) of u = G w G^T. A row at a time, so that what is multiplied
 * next may stay in L1.
 * @param row  0 to 5.
 * @param u  the first or second half of a row of 32.
 */
typedef void (*nn_winograd_weights_fn)(const float *w, size_t channels, size_t row, float *u,
                                       size_t u_stride);

/**
 * Transform one tile of 16 channels: v = B^T x B.
 * @param x  the tile's top left input pixel; 6 rows, x_row floats apart, of 6 pixels of 16 channels.
 */
typedef void (*nn_winograd_input_fn)(const float *x, size_t x_row, float *v, size_t v_stride);

/** Two pieces of memory that will be read soon. */
typedef struct nn_ahead {
    const float *at[2];
    size_t lines[2]; /* cache lines; 0: none */
} nn_ahead;

/**
 * Multiply at one position: m[t][k] (+)= sum over channels of u[c][k] * v[c][t]; channels are added in order,
 * and the sum to what m holds.
 * @param v        [channels/16][v_block], of which the first tiles * 16 floats count.
 * @param add      whether m is added to, else overwritten.
 * @param ahead    what will be read soon, to be prefetched into L2 little by little; never read. NULL: nothing.
 */
typedef void (*nn_winograd_multiply_fn)(const float *u, const float *v, size_t v_block, size_t channels,
                                        size_t tiles, float *m, int add, const nn_ahead *ahead);

/** Where a tile's outputs go. */
typedef struct nn_tile_target {
    float *out;           /* the tile's top left output pixel, 16 channels */
    size_t row;           /* floats from one row to the next */
    size_t height, width; /* outputs that exist: 1 to 4, or 0 to 2 with pooling */
    int pool;             /* only the greatest of each 2x2 is written */
} nn_tile_target;

/** Transform one tile of 16 outputs back, Y = A^T m A, add bias, then ReLU, then pool if asked (NaN stays but for pooling). */
typedef void (*nn_winograd_output_fn)(const float *m, size_t m_stride, const float *bias,
                                      const nn_tile_target *target);

/** The kernels of one instruction set. */
typedef struct nn_winograd_kernels {
    nn_winograd_weights_fn weights;
    nn_winograd_input_fn input;
    nn_winograd_multiply_fn multiply;
    nn_winograd_output_fn output;
} nn_winograd_kernels;

#define NN_WINOGRAD_DECLARE(isa)                                                                             \
    void nn_winograd_weights_f32_16__##isa(const float *w, size_t channels, size_t row, float *u,            \
                                           size_t u_stride);                                                 \
    void nn_winograd_input_f32_16__##isa(const float *x, size_t x_row, float *v, size_t v_stride);           \
    void nn_winograd_multiply_f32_32__##isa(const float *u, const float *v, size_t v_block, size_t channels, \
                                            size_t tiles, float *m, int add, const nn_ahead *ahead);         \
    void nn_winograd_output_f32_16__##isa(const float *m, size_t m_stride, const float *bias,                \
                                          const nn_tile_target *target)

NN_WINOGRAD_DECLARE(ref);
NN_WINOGRAD_DECLARE(portable);
NN_WINOGRAD_DECLARE(avx2);
NN_WINOGRAD_DECLARE(avx512);

#endif
