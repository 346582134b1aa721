/* One 3x3 convolution (padding 1, bias, ReLU, pooling if it follows) by the kernels of priv/nn_rows.h, over a group of images.
 *
 * The images of a group lie below each other, `period` rows each: those of the image with its border (and one more where
 * pooling asks for an even number). A superblock is some of these rows, a strip some of the tiles of each; a job takes one superblock, one strip and a
 * group of pairs of output blocks. It goes through the input channels in chunks of 64: it transforms the chunk's inputs, multiplies
 * them with the weights of each pair, adds to the pair's sums, and transforms those back at the end. All that lies in the thread's own
 * memory, small enough for its L2; jobs share nothing but inputs and packed weights. Sums of rows between images are not used.
 *
 * How large an image's transformed inputs are at most ("range") was found by who computed them: it decides how they become integers.
 * So each job finds the range of what it puts out, for the convolution that comes next.
 *
 * Products are exact, and added chunk by chunk in order. So the bits of the output do not depend on
 * threads, on the other images of the group, or on how the work was cut.
 */
#ifndef NN_CONV_ROWS_H
#define NN_CONV_ROWS_H

#include <stdatomic.h>

#include "base_pool.h"
#include "priv/nn_act.h"
#include "priv/nn_rows.h"

/** Greatest magnitudes of an image's transformed inputs, by position, as bits of floats: in the order of numbers, infinity and NaN at the end. */
typedef struct nn_rows_range {
    atomic_uint most[NN_ROWS_POSITIONS];
} nn_rows_range;

typedef struct nn_rows_plan {
    const nn_rows_kernels *kernels; /* NULL: this layer is not computed so */
    size_t inputs, outputs;         /* channels */
    size_t height, width;           /* of input and of output before pooling */
    bool pool;
    size_t columns;           /* tiles of a row */
    size_t strip;             /* of them in one job */
    size_t period;            /* rows from one image to the next */
    size_t rows;              /* of a superblock, at most */
    size_t group;             /* pairs of output blocks in one job */
    size_t v_digit, v_stride; /* bytes */
    size_t m_stride;          /* floats */
    size_t own_floats;        /* scratch of each thread */
} nn_rows_plan;

/** @param shape  its inputs, outputs, height, width and pool count. @param images  of a group, at most. */
nn_rows_plan nn_rows_plan_of(const nn_rows_kernels *kernels, const nn_rows_plan *shape, size_t images,
                             unsigned threads);

/** Where the ranges of what a step puts out are to be found, for the convolution that follows. */
typedef struct nn_rows_next {
    nn_rows_range *range; /* of the first image, zero before; NULL: nobody asks */
    const float *equal;   /* of its inputs, as in nn_rows_call */
} nn_rows_next;

/** What a run is given; everything is borrowed. */
typedef struct nn_rows_call {
    const nn_rows_plan *plan;
    const int8_t *weight;       /* u of priv/nn_rows.h, one pair after the other */
    const float *scale;         /* f32 [outputs/16][6][16] */
    const float *equal;         /* f32 [inputs], padded to whole chunks: 2^e of each */
    const float *bias;          /* f32 [outputs], padded to whole blocks */
    nn_act in, out;             /* of the first image; out is the pooled one where the plan pools */
    size_t in_image, out_image; /* floats from one image to the next */
    size_t images;
    const nn_rows_range *range; /* of each image's input */
    nn_rows_next next;
    float *own; /* plan->own_floats for each thread, own_stride floats apart, 64-byte aligned */
    size_t own_stride;
    const base_cancel *cancel; /* when set, outputs are unspecified */
} nn_rows_call;

void nn_rows_run(nn_rows_call *call, base_pool *pool);

/**
 * Make a range greater where rows [first, last) of a block of an image are. The border must be zero already.
 * @param kernels  of the convolution that these are the inputs of. @param equal  of all channels.
 */
void nn_rows_find_range(const nn_rows_kernels *kernels, const nn_act *act, size_t block, size_t first,
                        size_t last, const float *equal, nn_rows_range *range);

#endif
