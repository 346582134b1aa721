/* Convolution by Winograd's algorithm along rows, F(4, 3), in fixed point of 24 bits: the kernels, for CPUs that multiply
 * matrices of 8-bit integers.
 *
 * Four outputs of a row come from six inputs of each of three rows (dy):
 *
 *     y = A^T [ sum over dy and input channels of (G g_dy) . (B^T d_dy) ]
 *
 * with the matrices and points of priv/nn_winograd.h; "." is elementwise, over six positions. That is half of the definition's
 * multiplications, where tiles of 4x4 would do with a quarter; but a unit for matrices multiplies faster than anything can
 * be transformed or moved, and here half as much is transformed, three times as much is added in its registers, and rows are
 * transformed once for the three rows of outputs that they belong to.
 *
 * Fixed point: a transformed number x becomes the integer n = round(x * factor), |n| <= NN_ROWS_MOST, in three signed digits of
 * base 256, n = 65536 h + 256 m + l, each -128 to 127. The factor makes the greatest |x| NN_ROWS_MOST: of weights for each output
 * and position, of inputs for each image and position, over the whole layer. Integers are multiplied and added exactly; of the
 * nine products of digits the smallest (l l) is left out, and of the sum of the next (m l, l m) the last eight bits: together
 * less than what rounding to integers does. So errors are relative to the greatest numbers of a layer, not to each: 24 bits of
 * fixed point have what the significand of 32-bit floating point has, and no exponent. Of numbers without long tails that costs as much as
 * sums in 32-bit floating point lose by rounding, of others more (docs/engine.md has figures).
 *
 * Channels differ in size, and so do the weights that belong to them. What counts is their product: inputs are
 * multiplied with 2^e of their channel and weights divided by it (exactly), so that the weights of all channels are
 * of equal size ("equal").
 *
 * Where a layer's greatest input or weight is infinite or NaN, its results are NaN.
 *
 * Buffers (tiles are four outputs of a row, `columns` of them a row, row by row):
 *     w      f32 [channels][3][3][16]                   packed weights of 16 outputs
 *     u      i8 [channels/64][6][3 dy][2][h, m, l][16][16][4]
 *                                                       weights of twice 16 outputs, of which [2] is the half:
 *                                                       rows l of 16 outputs of channels l, l + 16, l + 32, l + 48
 *     scale  f32 [6][16]                                what a unit of 65536 of u is worth, for 16 outputs
 *     v      i8 [6][h, m, l][tiles][16][4]              inputs, 64 channels: l, l + 16, l + 32, l + 48; two rows more than outputs
 *     m      f32 [6][tiles][32]                         sums, in units of 65536
 * All are 64-byte aligned. Channels are rounded up to 64; those that do not exist are zero in u and v.
 */
#ifndef NN_ROWS_H
#define NN_ROWS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define NN_ROWS_POSITIONS  6
#define NN_ROWS_OUT        4       /* outputs of a tile */
#define NN_ROWS_PAIR       32      /* outputs of one multiplication: two blocks of 16 */
#define NN_ROWS_CHANNELS   64      /* input channels that lie together */
#define NN_ROWS_BLOCKS     4       /* of 16 of them */
#define NN_ROWS_DIGITS     3       /* h, m, l */
#define NN_ROWS_TILES      16      /* tiles that are multiplied together, at most */
#define NN_ROWS_MOST       8355711 /* 0x7f7f7f: the greatest number that has three digits */
#define NN_ROWS_U_DIGIT    1024    /* bytes of u: one digit of 16 outputs, 64 channels, one dy */
#define NN_ROWS_U_HALF     3072    /* the three digits */
#define NN_ROWS_U_DY       6144    /* both halves */
#define NN_ROWS_U_POSITION 18432   /* three dy */
#define NN_ROWS_U_CHUNK    110592  /* six positions */
#define NN_ROWS_V_TILE     64      /* bytes of v: one digit of a tile */

/** Chunks of channels that lie together. */
static inline size_t nn_rows_chunks(size_t channels)
{
    return (channels + NN_ROWS_CHANNELS - 1) / NN_ROWS_CHANNELS;
}

/** Into how many parts tiles are cut, and how long each is. */
static inline size_t nn_rows_parts(size_t tiles)
{
    return (tiles + NN_ROWS_TILES - 1) / NN_ROWS_TILES;
}

static inline size_t nn_rows_part(size_t tiles)
{
    return (tiles + nn_rows_parts(tiles) - 1) / nn_rows_parts(tiles);
}

/** Make this thread ready to multiply `tiles` tiles at a time, until end; and give back what that took. */
typedef void (*nn_rows_begin_fn)(size_t tiles);
typedef void (*nn_rows_end_fn)(void);

/**
 * Transform the weights of 16 outputs, all positions. Weights that are not finite make their output's scale NaN.
 * @param equal  2^-e of each channel, a power of two (priv/nn_pack_map.h).
 * @param u      the first or second half of a pair's.
 * @param scale  f32 [6][16].
 */
typedef void (*nn_rows_weights_fn)(const float *w, size_t channels, const float *equal, int8_t *u,
                                   float *scale);

/** Where the pixels of some tiles of one row lie, of one to four blocks of 16 channels. */
typedef struct nn_rows_row {
    const float *x; /* the first tile's first input pixel; four pixels a tile, and two more at the end */
    size_t x_block; /* floats from a block to the next */
    size_t blocks, tiles;
} nn_rows_row;

/**
 * Transform tiles of one row, 64 channels.
 * @param factor    f32 [4][6][16]: what each number is multiplied with, by block, position and channel. The products are at
 *                  most NN_ROWS_MOST (else results are unspecified).
 * @param v         the first tile's h at position 0. @param v_stride, v_digit  bytes to the next position, to the next digit.
 */
typedef void (*nn_rows_input_fn)(const nn_rows_row *row, const float *factor, int8_t *v, size_t v_stride,
                                 size_t v_digit);

/**
 * The greatest magnitudes of what `input` transforms, before it is multiplied with factors, of one block of 16 channels.
 * @param equal  2^e of the 16 channels.
 * @param most   f32 [6][16]: made greater where this row's are. What is not finite is greater than what is: infinity, then NaN.
 */
typedef void (*nn_rows_range_fn)(const float *x, size_t tiles, const float *equal, float *most);

/** A product of a chunk of 64 channels at all positions. */
typedef struct nn_rows_product {
    const int8_t *u, *v;
    float *m;
    size_t v_stride, v_digit; /* bytes from one position to the next, from one digit to the next */
    size_t m_stride;          /* floats from one position to the next */
    size_t tiles, columns;
    bool add;          /* to what m holds */
    const void *soon;  /* what will be read soon, to be prefetched into L2 little by little; never read */
    size_t soon_lines; /* its cache lines; 0: nothing */
} nn_rows_product;

/** m (+)= the sum over dy and channels of u v. Up to 15 tiles behind the last are overwritten, and read of v. */
typedef void (*nn_rows_multiply_fn)(const nn_rows_product *p);

/**
 * Transform one row of 16 outputs back, add bias, ReLU, and where a pooling follows the greatest of each 2x2.
 * @param m_row   floats to the next row, which is pooled with this; 0: no pooling.
 * @param scale   f32 [6][16]: what a unit of m is worth, by position and output.
 * @param width   pixels to be written.
 */
typedef void (*nn_rows_output_fn)(const float *m, size_t m_stride, size_t m_row, const float *scale,
                                  const float *bias, float *out, size_t width);

typedef struct nn_rows_kernels {
    nn_rows_begin_fn begin;
    nn_rows_end_fn end;
    nn_rows_weights_fn weights;
    nn_rows_input_fn input;
    nn_rows_range_fn range;
    nn_rows_multiply_fn multiply;
    nn_rows_output_fn output;
} nn_rows_kernels;

#define NN_ROWS_DECLARE(isa)                                                                                 \
    void nn_rows_begin__##isa(size_t tiles);                                                                 \
    void nn_rows_end__##isa(void);                                                                           \
    void nn_rows_weights_fixed_16__##isa(const float *w, size_t channels, const float *equal, int8_t *u,     \
                                         float *scale);                                                      \
    void nn_rows_input_fixed_64__##isa(const nn_rows_row *row, const float *factor, int8_t *v,               \
                                       size_t v_stride, size_t v_digit);                                     \
    void nn_rows_range_f32_16__##isa(const float *x, size_t tiles, const float *equal, float *most);         \
    void nn_rows_multiply_fixed_32__##isa(const nn_rows_product *p);                                         \
    void nn_rows_output_f32_16__##isa(const float *m, size_t m_stride, size_t m_row, const float *scale,     \
                                      const float *bias, float *out, size_t width)

NN_ROWS_DECLARE(ref);
NN_ROWS_DECLARE(amx);

/** For measuring: `steps` times the products of 64 channels, 32 tiles and 32 outputs, on registers. */
void nn_rows_peak__amx(size_t steps);
#define NN_ROWS_PEAK_FLOPS (2.0 * 64 * 32 * 32) /* of a step */

#endif
