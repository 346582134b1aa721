/* Where each layer's part lies in packed weights: a pure function of net and layout, used by packer and session. */
#ifndef NN_PACK_MAP_H
#define NN_PACK_MAP_H

#include "nn_pack.h"
#include "priv/nn_net_priv.h"

#define NN_NOT_PACKED SIZE_MAX

/** Offsets in bytes, each a multiple of NN_PACK_ALIGN. */
typedef struct nn_pack_map {
    size_t conv_weight[MODEL_VGG_CONVS_MAX];
    size_t conv_bias[MODEL_VGG_CONVS_MAX];   /* f32, padded with zeros to whole blocks */
    size_t linear_weight[MODEL_VGG_LINEARS]; /* f32 rows, or NN_NOT_PACKED: streamed from the source */
    size_t linear_bias[MODEL_VGG_LINEARS];   /* f32 */
    size_t total;
} nn_pack_map;

/** @retval NO_MEMORY  more than can be addressed. */
cistern_status nn_pack_map_of(const nn_net *net, nn_layout layout, nn_pack_map *out,
                              cistern_error *err) CISTERN_MUST_CHECK;

/** Channels rounded up to whole blocks of NN_BLOCK. */
size_t nn_padded_channels(size_t channels);

/** Whether a layer's rows can be streamed from the source: F32, F16 or BF16, elements of a row side by side. */
bool nn_linear_streams(const nn_net_linear *linear);

#endif
