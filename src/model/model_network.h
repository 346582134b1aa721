/* The tensors that make up a network, under one set of names and shapes, whatever file they came from.
 *
 * Names are torchvision's without any wrapper before them; a linear layer that is stored as a convolution has the shape of
 * the matrix that it is: its elements in the order of the picture's channels, rows and columns are the matrix's rows.
 */
#ifndef MODEL_NETWORK_H
#define MODEL_NETWORK_H

#include "model_vgg.h"

#define MODEL_NETWORK_MAX (MODEL_VGG_CONVS_MAX * 7 + MODEL_VGG_LINEARS * 2)

typedef struct model_network_tensor {
    char name[48];         /* "features.0.weight" */
    const model_tensor *t; /* borrowed from the index */
    uint32_t rank;
    uint64_t shape[4];
    bool variance; /* of a batch norm: what is computed with is this and the network's epsilon */
    bool counter;  /* num_batches_tracked: kept by training, used by nothing here */
} model_network_tensor;

typedef struct model_network {
    const model_vgg *vgg;
    bool has_head;
    double epsilon; /* of batch norms */
    size_t count;
    model_network_tensor at[MODEL_NETWORK_MAX]; /* in the order of the layers */
} model_network;

/** @param index  that of the match; PyTorch's counters are looked up in it. */
void model_network_of(const model_index *index, const model_vgg_match *match, model_network *out);
/** By name, or NULL. */
const model_network_tensor *model_network_find(const model_network *n, const char *name);
/** Whether a tensor of the index is one of it. */
bool model_network_has(const model_network *n, const model_tensor *t);

#endif
