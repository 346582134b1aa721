/* What a net holds; see nn_net.h. */
#ifndef NN_NET_PRIV_H
#define NN_NET_PRIV_H

#include "nn_net.h"
#include "priv/nn_read.h"

#define NN_IMAGE_CHANNELS 3

typedef struct nn_net_conv {
    nn_tensor weight, bias;           /* bias may be absent */
    nn_tensor gamma, beta, mean, var; /* batch norm: all or none */
    double epsilon;                   /* added to var */
    size_t inputs, outputs;           /* channels */
    bool pool_after;
    int pool_feature;
} nn_net_conv;

typedef struct nn_net_linear {
    nn_tensor weight; /* [outputs, inputs], or [outputs, C, 7, 7] where that is no matrix in memory */
    nn_tensor bias;   /* may be absent */
    size_t inputs, outputs;
} nn_net_linear;

struct nn_net {
    const model_vgg *vgg;
    size_t conv_count;
    nn_net_conv conv[MODEL_VGG_CONVS_MAX];
    nn_net_linear linear[MODEL_VGG_LINEARS];
};

#endif
