/* Where each layer lies in the packed weights; see priv/nn_pack_map.h. */
#include "priv/nn_pack_map.h"

#include "base_mem.h"
#include "priv/nn_conv3x3.h"
#include "priv/nn_rows.h"

size_t nn_padded_channels(size_t channels)
{
    return (channels + NN_BLOCK - 1) / NN_BLOCK * NN_BLOCK;
}

bool nn_conv_is_fixed(nn_layout layout, size_t i)
{
    return layout == NN_LAYOUT_ROWS24 && i > 0; /* the first has too few channels: it is computed directly */
}

size_t nn_pack_pair_bytes(const nn_net_conv *conv)
{
    return nn_rows_chunks(conv->inputs) * NN_ROWS_U_CHUNK;
}

bool nn_linear_streams(const nn_net_linear *linear)
{
    const model_tensor *t = &linear->weight.at;
    return (t->dtype == MODEL_F32 || t->dtype == MODEL_F16 || t->dtype == MODEL_BF16) && t->rank == 2 &&
           (t->stride[1] == 1 || t->shape[1] == 1);
}

/* Give the next `floats` floats of the buffer to *out. */
static bool place(size_t *total, size_t rows, size_t columns, size_t *out)
{
    size_t bytes, end;
    if (!base_mul_size(rows, columns, &bytes) || !base_mul_size(bytes, sizeof(float), &bytes) ||
        !base_add_size(*total, bytes, &end) || !base_add_size(end, NN_PACK_ALIGN - 1, &end)) {
        return false;
    }
    *out = *total;
    *total = end / NN_PACK_ALIGN * NN_PACK_ALIGN;
    return true;
}

static bool place_fixed(const nn_net_conv *conv, size_t i, nn_pack_map *map)
{
    size_t pairs = (conv->outputs + NN_ROWS_PAIR - 1) / NN_ROWS_PAIR;
    size_t blocks = nn_padded_channels(conv->outputs) / NN_BLOCK;
    return place(&map->total, pairs, nn_pack_pair_bytes(conv) / sizeof(float), &map->conv_weight[i]) &&
           place(&map->total, blocks, NN_ROWS_POSITIONS * NN_BLOCK, &map->conv_scale[i]) &&
           place(&map->total, nn_rows_chunks(conv->inputs), NN_ROWS_CHANNELS, &map->conv_equal[i]);
}

static bool place_conv(const nn_net_conv *conv, nn_layout layout, size_t i, nn_pack_map *map)
{
    size_t outputs = nn_padded_channels(conv->outputs);
    map->conv_scale[i] = map->conv_equal[i] = NN_NOT_PACKED;
    return (nn_conv_is_fixed(layout, i)
                ? place_fixed(conv, i, map)
                : place(&map->total, outputs, conv->inputs * 9, &map->conv_weight[i])) &&
           place(&map->total, outputs, 1, &map->conv_bias[i]);
}

static bool place_linear(const nn_net_linear *linear, size_t *total, size_t *out_weight, size_t *out_bias)
{
    *out_weight = NN_NOT_PACKED;
    return (nn_linear_streams(linear) || place(total, linear->outputs, linear->inputs, out_weight)) &&
           place(total, linear->outputs, 1, out_bias);
}

cistern_status nn_pack_map_of(const nn_net *net, nn_layout layout, nn_pack_map *out, cistern_error *err)
{
    nn_pack_map map = {.total = 0};
    bool fits = true;
    for (size_t i = 0; i < net->conv_count; i++) {
        fits = fits && place_conv(&net->conv[i], layout, i, &map);
    }
    for (size_t i = 0; i < MODEL_VGG_LINEARS; i++) {
        fits = fits && place_linear(&net->linear[i], &map.total, &map.linear_weight[i], &map.linear_bias[i]);
    }
    if (!fits) {
        return base_fail_memory(err, SIZE_MAX);
    }
    *out = map;
    return CISTERN_OK;
}
