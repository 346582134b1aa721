/* Weights of a convolution as the kernels read them, batch norm folded in: 16 outputs side by side. */
#ifndef NN_PACK_RAW_H
#define NN_PACK_RAW_H

#include "priv/nn_conv3x3.h"
#include "priv/nn_net_priv.h"

/**
 * The weights of any 16 outputs, rounded once to 32 bits; those that do not exist are zero. 32-bit weights in rows, without
 * batch norm, are copied.
 * @param outputs  which; at or above conv->outputs: does not exist.
 * @param out      f32 [inputs][3][3][16], 16-byte aligned.
 */
void nn_pack_raw_weights(const nn_net_conv *conv, const size_t outputs[NN_BLOCK], float *out);

/** The same of 16 outputs that follow each other. */
void nn_pack_raw_block(const nn_net_conv *conv, size_t block, float *out);

/** Their biases. @param out  f32 [16]. */
void nn_pack_raw_bias(const nn_net_conv *conv, size_t block, float *out);

#endif
