/* Activations of one image: blocked by 16 channels, bordered by one pixel of zeros.
 *
 * [channels/16][height+2][width+2][16]; channels of the last block that do not exist are zero or not read.
 */
#ifndef NN_ACT_H
#define NN_ACT_H

#include "base_error.h"
#include "priv/nn_conv3x3.h"

typedef struct nn_act {
    float *data;
    size_t channels, height, width;
} nn_act;

static inline size_t nn_act_blocks(const nn_act *a)
{
    return (a->channels + NN_BLOCK - 1) / NN_BLOCK;
}

/** Floats from one row to the next. */
static inline size_t nn_act_row(const nn_act *a)
{
    return (a->width + 2) * NN_BLOCK;
}

/** Floats from one block of channels to the next. */
static inline size_t nn_act_plane(const nn_act *a)
{
    return (a->height + 2) * nn_act_row(a);
}

/** The 16 channels of pixel (0, y) of a block. */
static inline float *nn_act_at(const nn_act *a, size_t block, size_t y)
{
    return a->data + block * nn_act_plane(a) + (y + 1) * nn_act_row(a) + NN_BLOCK;
}

/** Bytes of all blocks with their borders. @retval NO_MEMORY  more than can be addressed. */
cistern_status nn_act_bytes(size_t channels, size_t height, size_t width, size_t *out,
                            cistern_error *err) CISTERN_MUST_CHECK;

/** Zero the border next to rows [first, last) of a block; the rows above the first and below the last row too. */
void nn_act_close(const nn_act *a, size_t block, size_t first, size_t last);

/** As f32 (channels, height, width), for people who look at layers. */
void nn_act_to_planes(const nn_act *a, float *out);

/** Rows [first, last) of a block: the greatest of 2x2 pixels, stride 2. Source: torch.nn.MaxPool2d(2, 2). */
void nn_act_max_pool(const nn_act *x, const nn_act *out, size_t block, size_t first, size_t last);

/**
 * Averages over side x side windows that cover the image, as f32 (channels, side, side); one block of channels.
 * Source: torch.nn.AdaptiveAvgPool2d: window i reaches from floor(i * H / side) to ceil((i + 1) * H / side).
 */
void nn_act_average_pool(const nn_act *x, size_t side, size_t block, float *out);

#endif
