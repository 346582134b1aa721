/* Convolution by Winograd's algorithm along rows, F(4, 3), from split numbers: the kernels, for CPUs that multiply matrices
 * of 16-bit floats.
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
 * Split numbers: each x becomes three of 16 bits (bf16), x = h + m + l, by cutting off: h holds the first 8 bits of the
 * significand, m the next 8, l the last. Of the nine products of two numbers six are added: h h, h m, m h, m m, h l, l h;
 * what is left out is below 2^-21 of the product, some 2^-24 on the average. Parts below 2^-126 count as zero, so that numbers
 * below 2^-110 lose their last bits, and products below 2^-126 are zero. x infinite or NaN: at least one of its parts is NaN, so
 * every sum that it belongs to is NaN. (Where 32-bit arithmetic has infinity, this has NaN.)
 *
 * Buffers (strides in floats; tiles are four outputs of a row, `columns` of them a row, row by row):
 *     w   [channels][3][3][16]                            packed weights of 16 outputs
 *     u   [6][channels/32][3 dy][2][h, m, l][16][16][2]   weights of twice 16 outputs: rows of pairs of channels c, c + 16
 *     v   [6][channels/32][h, m, l][tiles][16][2]         inputs: pairs of channels c, c + 16; two rows more than outputs
 *     m   [6][tiles][32]                                  sums
 * All are 64-byte aligned. Channels are rounded up to 32; those that do not exist are zero in u and v.
 */
#ifndef NN_ROWS_H
#define NN_ROWS_H

#include <stdbool.h>
#include <stddef.h>

#define NN_ROWS_POSITIONS 6
#define NN_ROWS_OUT       4    /* outputs of a tile */
#define NN_ROWS_PAIR      32   /* outputs of one multiplication: two blocks of 16 */
#define NN_ROWS_CHANNELS  32   /* input channels that lie together */
#define NN_ROWS_PARTS     3    /* h, m, l */
#define NN_ROWS_TILES     16   /* tiles that are multiplied together, at most */
#define NN_ROWS_U_PART    256  /* floats of u: one part of 16 outputs, 32 channels, one dy */
#define NN_ROWS_U_HALF    768  /* the three parts */
#define NN_ROWS_U_DY      1536 /* both halves */

/** Blocks of channels that lie together. */
static inline size_t nn_rows_blocks(size_t channels)
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

/** Transform the weights of 16 outputs, one position. @param u  the first or second half. */
typedef void (*nn_rows_weights_fn)(const float *w, size_t channels, size_t position, float *u);

/** Weights of one position that are to be transformed. */
typedef struct nn_rows_task {
    const float *w[2]; /* of 16 outputs each; the second may be NULL: then its half of u is left alone */
    size_t channels, position;
    float *u;
} nn_rows_task;

/**
 * Transform tiles of one row, 32 channels.
 * @param x        the first tile's first input pixel, of 16 channels; four pixels a tile, and two more at the end.
 * @param x_block  floats to the next 16 channels; 0: they do not exist.
 * @param v_part   floats from h to m and from m to l.
 */
typedef void (*nn_rows_input_fn)(const float *x, size_t x_block, size_t tiles, float *v, size_t v_stride,
                                 size_t v_part);

/** A product at one position. */
typedef struct nn_rows_product {
    const float *u, *v;
    float *m;
    size_t v_part; /* from h to m */
    size_t channels, tiles, columns;
    bool add;                 /* to what m holds */
    const nn_rows_task *task; /* the next position's weights, to be transformed meanwhile; NULL: none */
    const float *soon[2]; /* what will be read soon, to be prefetched into L2 little by little; never read */
    size_t soon_lines;    /* cache lines of each; 0: nothing */
} nn_rows_product;

/** m (+)= the sum over dy and channels of u v. Up to 15 tiles behind the last are overwritten, and read of v. */
typedef void (*nn_rows_multiply_fn)(const nn_rows_product *p);

/**
 * Transform one row of 16 outputs back, add bias, ReLU, and where a pooling follows the greatest of each 2x2.
 * @param m_row   floats to the next row, which is pooled with this; 0: no pooling.
 * @param width   pixels to be written.
 */
typedef void (*nn_rows_output_fn)(const float *m, size_t m_stride, size_t m_row, const float *bias,
                                  float *out, size_t width);

typedef struct nn_rows_kernels {
    nn_rows_begin_fn begin;
    nn_rows_end_fn end;
    nn_rows_weights_fn weights;
    nn_rows_input_fn input;
    nn_rows_multiply_fn multiply;
    nn_rows_output_fn output;
} nn_rows_kernels;

#define NN_ROWS_DECLARE(isa)                                                                                 \
    void nn_rows_begin__##isa(size_t tiles);                                                                 \
    void nn_rows_end__##isa(void);                                                                           \
    void nn_rows_weights_split_16__##isa(const float *w, size_t channels, size_t position, float *u);        \
    void nn_rows_input_split_32__##isa(const float *x, size_t x_block, size_t tiles, float *v,               \
                                       size_t v_stride, size_t v_part);                                      \
    void nn_rows_multiply_split_32__##isa(const nn_rows_product *p);                                         \
    void nn_rows_output_f32_16__##isa(const float *m, size_t m_stride, size_t m_row, const float *bias,      \
                                      float *out, size_t width)

NN_ROWS_DECLARE(ref);
NN_ROWS_DECLARE(amx);

/** For measuring: `steps` times the products of 32 channels, 32 tiles and 32 outputs, on registers. */
void nn_rows_peak__amx(size_t steps);
#define NN_ROWS_PEAK_FLOPS (2.0 * 32 * 32 * 32) /* of a step */

#endif
