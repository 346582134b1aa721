/* Packing one convolution as 24-bit fixed point (priv/nn_rows.h). */
#ifndef NN_PACK_FIXED_H
#define NN_PACK_FIXED_H

#include "priv/nn_net_priv.h"
#include "priv/nn_rows.h"

/** Floats of scratch that the functions below need. */
size_t nn_pack_fixed_scratch(const nn_net_conv *conv);

/**
 * How inputs and weights share a channel's size: inputs will be multiplied with 2^e, weights are divided by it, so that
 * all channels' weights become about as great as those of the layer's median channel. Sizes are root mean squares of the
 * weights of 32 outputs, spread over the layer: any e is correct, it only decides precision. e is -20 to 20; 0 of a channel
 * that has nothing but zeros there, or what is not finite.
 * @param scratch  64-byte aligned.
 * @param equal    f32 [inputs, rounded up to 64], 2^e; 1 where there is no channel.
 */
void nn_pack_fixed_equal(const nn_net_conv *conv, float *scratch, float *equal);

/**
 * Pack one pair of output blocks; the second half is zero where it does not exist.
 * @param weights  the kernel.
 * @param equal    of the layer.
 * @param u        the pair's weights, 64-byte aligned; every byte is written.
 * @param scale    f32 [blocks][6][16], of the whole layer; that of the pair's blocks is written.
 */
void nn_pack_fixed_pair(const nn_net_conv *conv, nn_rows_weights_fn weights, size_t pair, const float *equal,
                        float *scratch, int8_t *u, float *scale);

#endif
