/* The VGG family as data: which layers each architecture has, and what torchvision calls them. */
#ifndef MODEL_VGG_H
#define MODEL_VGG_H

#include "model_facts.h"

#define MODEL_VGG_CONVS_MAX   16
#define MODEL_VGG_POOLS       5
#define MODEL_VGG_LINEARS     3
#define MODEL_VGG_POOLED_SIDE 7 /* AdaptiveAvgPool2d((7, 7)) */

typedef struct model_vgg_conv {
    int feature;      /* number N in "features.N.weight" */
    bool pool_after;  /* a 2x2 maximum pooling with stride 2 follows */
    int pool_feature; /* its number N, or -1 */
} model_vgg_conv;

typedef struct model_vgg {
    const char *name; /* "vgg16_bn" */
    bool batch_norm;  /* batch norm N+1 follows convolution N */
    int conv_count;
    model_vgg_conv conv[MODEL_VGG_CONVS_MAX];
} model_vgg;

/** The eight, from vgg11 to vgg19_bn. */
size_t model_vgg_count(void);
const model_vgg *model_vgg_peek(size_t i);
const model_vgg *model_vgg_find(const char *name); /* NULL: no such architecture */

/** What was found in the tensors. All tensors borrowed from the index. */
typedef struct model_vgg_match {
    const model_vgg *vgg;
    const char
        *prefix; /* wrapper before "features." ("module.", "model." …), borrowed from a tensor's name */
    size_t prefix_len;
    const model_tensor *conv_weight[MODEL_VGG_CONVS_MAX],
        *conv_bias[MODEL_VGG_CONVS_MAX]; /* bias NULL: none */
    const model_tensor *bn_weight[MODEL_VGG_CONVS_MAX], *bn_bias[MODEL_VGG_CONVS_MAX];
    const model_tensor *bn_mean[MODEL_VGG_CONVS_MAX], *bn_var[MODEL_VGG_CONVS_MAX];
    bool has_head; /* false: the file has no classifier; its tensors are NULL, its sizes 0 */
    const model_tensor
        *linear_weight[MODEL_VGG_LINEARS]; /* [out, in], or as a convolution: [out, C, 7, 7] for
                                                             the first, [out, in, 1, 1] for the others */
    const model_tensor *linear_bias[MODEL_VGG_LINEARS];
    uint64_t channels[MODEL_VGG_CONVS_MAX]; /* outputs of each convolution */
    uint64_t hidden[2];                     /* outputs of the first two linear layers */
    uint64_t classes;
    double epsilon; /* that batch norm adds to the variance */
} model_vgg_match;

/**
 * Find the VGG in an index and check every shape. Names are torchvision's (or, of the classifier, timm's); of a foreign
 * framework's file its reader's views under these names are what is found.
 * @param architecture  the one that is asked for, or NULL or "": the one that fits.
 * @retval UNREADABLE   none fits; the message names the nearest VGG, the first missing or misshapen tensor with both
 *                      shapes, and how many more there are.
 */
cistern_status model_vgg_match_index(const model_index *index, const char *architecture, model_vgg_match *out,
                                     cistern_error *err) CISTERN_MUST_CHECK;

#endif
