/* Where each layer's part lies in packed weights: a pure function of net and layout, used by packer and session. */
#ifndef NN_PACK_MAP_H
#define NN_PACK_MAP_H

#include "nn_pack.h"
#include "priv/nn_net_priv.h"

#define NN_NOT_PACKED SIZE_MAX

/** Offsets in bytes, each a multiple of NN_PACK_ALIGN. */
typedef struct nn_pack_map {
    size_t conv_weight[MODEL_VGG_CONVS_MAX];
    size_t conv_bias[MODEL_VGG_CONVS_MAX]; /* f32, padded with zeros to whole blocks */
    size_t conv_scale
        [MODEL_VGG_CONVS_MAX]; /* f32 [blocks of 16 outputs][6][16], what a unit of 65536 of the weights is
                                               worth; NN_NOT_PACKED: these are no integers */
    size_t conv_equal
        [MODEL_VGG_CONVS_MAX]; /* f32 [inputs, padded to 64], 2^e of each input channel, by which weights were
                                               divided (1 for those that do not exist); or NN_NOT_PACKED */
    size_t linear_weight[MODEL_VGG_LINEARS]; /* f32 rows, or NN_NOT_PACKED: streamed from the source */
    size_t linear_bias[MODEL_VGG_LINEARS];   /* f32 */
    size_t total;
} nn_pack_map;

/** @retval NO_MEMORY  more than can be addressed. */
cistern_status nn_pack_map_of(const nn_net *net, nn_layout layout, nn_pack_map *out,
                              cistern_error *err) CISTERN_MUST_CHECK;

/** Channels rounded up to whole blocks of NN_BLOCK. */
size_t nn_padded_channels(size_t channels);

/** Whether the weights of convolution i are integers in a layout, as priv/nn_rows.h wants them. */
bool nn_conv_is_fixed(nn_layout layout, size_t i);

/** Bytes from one pair of output blocks to the next where they are integers. */
size_t nn_pack_pair_bytes(const nn_net_conv *conv);

/** Whether a layer's rows can be streamed from the source: F32, F16 or BF16, elements of a row side by side. */
bool nn_linear_streams(const nn_net_linear *linear);

#endif
