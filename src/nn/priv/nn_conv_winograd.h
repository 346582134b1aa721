/* One 3x3 convolution (padding 1, bias, ReLU, pooling if it follows) by Winograd's algorithm, over a group of images.
 *
 * Tiles are numbered through all images of the group, and cut into superblocks. A job takes one superblock and a group of
 * pairs of output blocks; it goes through the input channels in chunks: it transforms the chunk's inputs, multiplies them
 * with each pair's weights, adds the products to the pair's sums, and at the end transforms the sums back. All that lies in
 * the thread's own memory, small enough for its L2; jobs share nothing but inputs and weights. Weights are either prepared,
 * that is transformed once for the layer by all threads, before (where many superblocks use them), or transformed by each job
 * as it comes to them, a row of positions at a time.
 * Products are added over input channels in order, chunk by chunk of fixed size. So the bits of the output do not depend on
 * threads, on the other images of the group, or on how the work was cut.
 */
#ifndef NN_CONV_WINOGRAD_H
#define NN_CONV_WINOGRAD_H

#include <stdbool.h>

#include "base_pool.h"
#include "priv/nn_act.h"
#include "priv/nn_winograd.h"

typedef struct nn_winograd_plan {
    size_t inputs, outputs; /* channels */
    size_t height, width;   /* of input and of output before pooling */
    bool pool;
    bool prepared;                       /* weights are transformed once, into shared memory */
    size_t rows, columns;                /* of tiles in one image */
    size_t block;                        /* tiles of a superblock, at most */
    size_t group;                        /* pairs of output blocks in one job */
    size_t chunk;                        /* input channels at once, a multiple of 16 */
    size_t u_stride, v_stride, m_stride; /* floats between positions */
    size_t shared_floats;                /* scratch of the layer */
    size_t own_floats;                   /* scratch of each thread */
} nn_winograd_plan;

/** @param images  of a group, at most. @param threads  that will run it. */
nn_winograd_plan nn_winograd_plan_of(size_t inputs, size_t outputs, size_t height, size_t width, bool pool,
                                     size_t images, unsigned threads);

/** What a run is given; everything is borrowed. */
typedef struct nn_winograd_call {
    const nn_winograd_plan *plan;
    const nn_winograd_kernels *kernels;
    const float *weight;        /* f32 [outputs/16][inputs][3][3][16] */
    const float *bias;          /* f32 [outputs], padded to whole blocks */
    nn_act in, out;             /* of the first image; out is the pooled one where the plan pools */
    size_t in_image, out_image; /* floats from one image to the next */
    size_t images;
    float *shared; /* plan->shared_floats, 64-byte aligned */
    float *own;    /* plan->own_floats for each thread, own_stride floats apart */
    size_t own_stride;
    const base_cancel *cancel; /* when set, outputs are unspecified */
} nn_winograd_call;

void nn_winograd_run(nn_winograd_call *call, base_pool *pool);

#endif
