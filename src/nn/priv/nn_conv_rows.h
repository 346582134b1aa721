/* One 3x3 convolution (padding 1, bias, ReLU, pooling if it follows) by the kernels of priv/nn_rows.h, over a group of images.
 *
 * The images of a group lie below each other, `period` rows each: those of the image with its border (and one more where
 * pooling asks for an even number). A superblock is some of these rows, a job takes one superblock and a group of pairs of
 * output blocks. It goes through the input channels in chunks: it transforms the chunk's inputs, and for each pair its
 * weights, multiplies, adds to the pair's sums, and transforms those back at the end. All that lies in the thread's own memory,
 * small enough for its L2; jobs share nothing but inputs and packed weights. Sums of rows between images are not used.
 *
 * Products are added over input channels in order, chunk by chunk of fixed size. So the bits of the output do not depend on
 * threads, on the other images of the group, or on how the work was cut.
 */
#ifndef NN_CONV_ROWS_H
#define NN_CONV_ROWS_H

#include "base_pool.h"
#include "priv/nn_act.h"
#include "priv/nn_rows.h"

#define NN_ROWS_WIDTH_MOST 448 /* pixels: three rows of more would not leave room for anything else */

typedef struct nn_rows_plan {
    const nn_rows_kernels *kernels; /* NULL: this layer is not computed so */
    size_t inputs, outputs;         /* channels */
    size_t height, width;           /* of input and of output before pooling */
    bool pool;
    size_t columns;                              /* tiles of a row */
    size_t period;                               /* rows from one image to the next */
    size_t rows;                                 /* of a superblock, at most */
    size_t group;                                /* pairs of output blocks in one job */
    size_t chunk;                                /* input channels at once, a multiple of 32 */
    size_t u_stride, v_part, v_stride, m_stride; /* floats */
    size_t own_floats;                           /* scratch of each thread */
} nn_rows_plan;

/** @param shape  its inputs, outputs, height, width and pool count. @param images  of a group, at most. */
nn_rows_plan nn_rows_plan_of(const nn_rows_kernels *kernels, const nn_rows_plan *shape, size_t images,
                             unsigned threads);

/** What a run is given; everything is borrowed. */
typedef struct nn_rows_call {
    const nn_rows_plan *plan;
    const float *weight;        /* f32 [outputs/16][inputs][3][3][16] */
    const float *bias;          /* f32 [outputs], padded to whole blocks */
    nn_act in, out;             /* of the first image; out is the pooled one where the plan pools */
    size_t in_image, out_image; /* floats from one image to the next */
    size_t images;
    float *own; /* plan->own_floats for each thread, own_stride floats apart, 64-byte aligned */
    size_t own_stride;
    const base_cancel *cancel; /* when set, outputs are unspecified */
} nn_rows_call;

void nn_rows_run(nn_rows_call *call, base_pool *pool);

#endif
