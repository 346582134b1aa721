/* Where each layer lies in the packed weights; see priv/nn_pack_map.h. */
#include "priv/nn_pack_map.h"

#include "base_mem.h"
#include "priv/nn_conv3x3.h"

size_t nn_padded_channels(size_t channels)
{
    return (channels + NN_BLOCK - 1) / NN_BLOCK * NN_BLOCK;
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

static bool place_conv(const nn_net_conv *conv, size_t *total, size_t *out_weight, size_t *out_bias)
{
    size_t outputs = nn_padded_channels(conv->outputs);
    return place(total, outputs, conv->inputs * 9, out_weight) && place(total, outputs, 1, out_bias);
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
    (void)layout; /* one so far */
    for (size_t i = 0; i < net->conv_count; i++) {
        fits = fits && place_conv(&net->conv[i], &map.total, &map.conv_weight[i], &map.conv_bias[i]);
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
