/* From a foreign framework's layers to the names and axes that are bound: views, no copies.
 *
 * A reader adds its tensors to the index under their own names, tells here which of them make up which layer, in the
 * model's order, and gets torchvision's names beside them, pointing at the same bytes:
 *
 *   features.N.{weight,bias}       weight as [out, in, y, x]
 *   features.N+1.{weight,bias,running_mean,running_var}
 *   classifier.{0,3,6}.{weight,bias}  weight as [out, in]; [out, C, y, x] where flattening put the channels last
 *
 * Which VGG it is follows from the number of convolutions, whether batch norms follow them, and the poolings if the
 * reader knows them. A model that is none gets a note and no views: its tensors can be looked at, not run.
 */
#ifndef FORMATS_LAYERS_H
#define FORMATS_LAYERS_H

#include "priv/formats_output.h"

#define FORMATS_NO_TENSOR SIZE_MAX

typedef enum formats_layer_op {
    FORMATS_LAYER_CONV =
        1, /* weight, bias; one whose kernel is not 3x3 is a linear layer of the classifier */
    FORMATS_LAYER_BATCH_NORM, /* gamma, beta, mean, var: of the convolution before it */
    FORMATS_LAYER_POOL,       /* nothing; told by readers that know all of them, or by none */
    FORMATS_LAYER_LINEAR,     /* weight, bias */
} formats_layer_op;

/** The order in which a weight's axes are named in its shape. */
typedef enum formats_axes {
    FORMATS_AXES_OIHW = 1, /* convolution; PyTorch, ONNX, Caffe, Theano */
    FORMATS_AXES_HWIO,     /* convolution; TensorFlow, Keras */
    FORMATS_AXES_OUT_IN,   /* linear; PyTorch, Caffe */
    FORMATS_AXES_IN_OUT,   /* linear; TensorFlow, Keras */
} formats_axes;

/** In which order the elements of the pooled picture were numbered for the first linear layer. */
typedef enum formats_flatten {
    FORMATS_FLATTEN_CHW = 0,
    FORMATS_FLATTEN_HWC, /* TensorFlow, Keras */
} formats_flatten;

/** One layer. Tensors are numbers in the index (model_index_peek); FORMATS_NO_TENSOR: it has none. */
typedef struct formats_layer {
    formats_layer_op op;
    formats_axes axes;       /* of `weight` */
    formats_flatten flatten; /* looked at in the first linear layer, when its weight has two axes */
    size_t weight, bias;
    size_t gamma, beta, mean, var; /* of a batch norm; gamma and beta may be absent */
    double epsilon;                /* of a batch norm; 0: the file does not say */
} formats_layer;

/** Nothing but FORMATS_NO_TENSOR. */
#define FORMATS_LAYER_INIT                                                                                   \
    {                                                                                                        \
        .weight = FORMATS_NO_TENSOR, .bias = FORMATS_NO_TENSOR, .gamma = FORMATS_NO_TENSOR,                  \
        .beta = FORMATS_NO_TENSOR, .mean = FORMATS_NO_TENSOR, .var = FORMATS_NO_TENSOR                       \
    }

/**
 * Add the views of `count` layers to out->index, or a note that says why there are none. An absent bias becomes zeros, an
 * absent gamma ones (of the decoded file). A tensor that has the name and place of its view already stays as it is.
 * Asserts that tensors' numbers are below model_index_count().
 * @retval UNREADABLE  no room for them in the index, or an epsilon out of range. @retval NO_MEMORY
 */
cistern_status formats_layers_emit(formats_output *out, const formats_layer *layers, size_t count,
                                   cistern_error *err) CISTERN_MUST_CHECK;

#endif
