/* Batch norm folded into the convolution before it, in 64-bit floating point. */
#ifndef NN_FOLD_H
#define NN_FOLD_H

#include "priv/nn_net_priv.h"

#define NN_FOLD_INPUTS 16 /* input channels that are read at once */

/** What one output channel becomes: its weights times `scale`, plus `bias`. */
typedef struct nn_fold {
    double scale, bias;
} nn_fold;

/** For an output that does not exist (the end of a padded block): zeros. */
nn_fold nn_fold_of(const nn_net_conv *conv, size_t output);

/** The folded weights of one output and `inputs` (at most NN_FOLD_INPUTS) input channels from `input` on. */
void nn_fold_taps(const nn_net_conv *conv, const nn_fold *fold, size_t output, size_t input, size_t inputs,
                  double *out);

#endif
