/* The output of any one layer, computed plainly and stopped there.
 *
 * Layers have torchvision's names: "features.N" for convolutions, batch norms, ReLUs and poolings, "avgpool",
 * "classifier.0" to "classifier.6" (dropout passes its input on), and "features" and "classifier" for the last of theirs.
 * An output is what a forward hook of PyTorch sees when it is called: that of a convolution is not yet what the ReLU after
 * it, which works in place, makes of it.
 *
 * Unlike a session nothing is fused, folded or transformed: each layer by its definition, in 32-bit floating point. Sums
 * have a fixed order: results depend neither on threads nor on the other images. Invariant: running allocates nothing.
 */
#ifndef NN_FEATURES_H
#define NN_FEATURES_H

#include "base_pool.h"
#include "nn_net.h"

#define NN_LAYER_NAME_MAX 24 /* bytes of a layer's name, with the zero */

/** The i-th layer's name in the order of computing; false past the end. Without a head the classifier is left out. */
bool nn_features_layer_name(const nn_net *net, size_t i, char out[NN_LAYER_NAME_MAX]);

typedef struct nn_features nn_features;

typedef struct nn_features_options {
    size_t height, width; /* pixels, NN_SIDE_MIN to NN_SIDE_MAX */
    const char *layer;    /* whose output is wanted */
    base_pool *pool;      /* borrowed; NULL: the caller's thread alone */
} nn_features_options;

/**
 * @param net  of nn_net_new_features, borrowed.
 * @retval USAGE  no such layer: those that there are are listed; a size out of range. @retval NO_MEMORY
 */
cistern_status nn_features_new(const nn_net *net, const nn_features_options *options, nn_features **out,
                               cistern_error *err) CISTERN_MUST_CHECK;
void nn_features_free(nn_features *f); /* NULL allowed */
/** Run on another pool from now on, of as many threads: as nn_session_use_pool. */
void nn_features_use_pool(nn_features *f, base_pool *pool);

/** Shape of one image's output. @param out  (C, H, W), or of a layer of the classifier (K). Returns the rank: 3 or 1. */
size_t nn_features_shape(const nn_features *f, size_t out[3]);

/**
 * @param x    f32 (3, H, W), contiguous, preprocessed; borrowed for the call.
 * @param out  f32 of nn_features_shape, contiguous.
 * @retval CANCELLED
 */
cistern_status nn_features_run(nn_features *f, const float *x, float *out, const base_cancel *cancel,
                               cistern_error *err) CISTERN_MUST_CHECK;

#endif
