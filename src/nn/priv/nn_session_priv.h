/* What a session holds; see nn_session.h. Made by nn_session.c, used by nn_run.c. */
#ifndef NN_SESSION_PRIV_H
#define NN_SESSION_PRIV_H

#include "nn_session.h"
#include "priv/nn_act.h"
#include "priv/nn_conv_rows.h"
#include "priv/nn_conv_winograd.h"
#include "priv/nn_linear.h"
#include "priv/nn_net_priv.h"

/** The kernels of one instruction set. */
typedef struct nn_kernels {
    nn_conv3x3_fn conv3x3;
    nn_winograd_kernels winograd;
    const nn_rows_kernels *rows; /* NULL: none */
    nn_linear_fn linear_f32, linear_f16, linear_bf16;
    nn_linear_lines_fn linear_lines_f32; /* NULL: there is none */
} nn_kernels;

const nn_kernels *nn_kernels_of(nn_isa isa);

/** One convolution, with every size decided. Its input is the output of the one before; the first one's lies in planes. */
typedef struct nn_step_conv {
    const float *weight,
        *bias; /* of a layer that is computed along rows: fixed instead of weight, and these */
    const int8_t *fixed;
    const float *scale, *equal;
    nn_act in, out;             /* of the first image of a group; out is after pooling where one follows */
    nn_act raw;                 /* the first convolution's output before pooling, where one follows */
    size_t in_image, out_image; /* floats from one image of a group to the next; 0 where there is one only */
    bool pool;
    int pool_feature;
    nn_rows_plan rows; /* of all but the first, if its kernels are not NULL; else the next */
    nn_winograd_plan plan;
    uint64_t ns; /* of the last run */
} nn_step_conv;

typedef struct nn_step_linear {
    nn_linear_fn kernel;
    nn_linear_lines_fn lines_kernel; /* NULL: every weight is always read */
    bool finite;                     /* all weights are known to be: an earlier run saw their sums */
    size_t lines;                    /* of inputs whose weights the last run read */
    const uint8_t *weight;
    size_t weight_stride;    /* bytes from one row to the next */
    size_t weight_row_bytes; /* bytes of a row */
    const float *bias;
    size_t inputs, outputs;
    float *in; /* (max_batch, in_stride); elements behind the inputs are zero */
    size_t in_stride;
    bool relu;
    uint64_t ns; /* of the last run */
} nn_step_linear;

struct nn_session {
    const nn_net *net;
    base_pool *pool;
    nn_isa isa;
    const nn_kernels *kernels;
    size_t max_batch, height, width;
    nn_layer_fn layer;
    void *layer_user;
    size_t group;      /* images that the later convolutions take together */
    size_t group_from; /* the first such convolution; conv_count where there is none */
    size_t conv_count;
    nn_step_conv conv[MODEL_VGG_CONVS_MAX];
    nn_step_linear linear[MODEL_VGG_LINEARS];
    const uint8_t *packed;
    void *own_packed; /* NULL where the caller gave packed weights */
    size_t packed_size;
    uint8_t *scratch;
    size_t scratch_size;
    float *image;  /* the input, f32 [3][height + 2][width + 2], with its border of zeros */
    float *shared; /* of the convolution that runs */
    float *own;    /* of each thread, own_stride floats apart */
    size_t own_stride;
    nn_rows_range *
        ranges; /* [conv_count][group]: of each convolution's inputs, for those that are computed along rows */
    uint32_t *lines;   /* of the linear layer that runs: those that are not zero */
    uint64_t other_ns; /* of the last run: loading and average pooling */
    float *planes;     /* one layer as the hook wants it; NULL without a hook */
};

#endif
