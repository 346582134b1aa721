/* Binding tensors to the layers of a VGG: names, shapes, places in the files; see nn_net.h. */
#include "nn_net.h"

#include <assert.h>
#include <inttypes.h>

#include "base_mem.h"
#include "priv/nn_net_priv.h"

/* What binding needs besides the net. */
typedef struct binder {
    const base_map *files;
    size_t file_count;
    cistern_error *err;
} binder;

/* Whether every element lies inside a file of the caller's. */
static bool lies_inside(const model_tensor *t, const base_map *files, size_t file_count)
{
    uint64_t extent, end;
    return t->file < file_count && model_tensor_extent(t, &extent) && base_add_u64(t->offset, extent, &end) &&
           end <= files[t->file].size;
}

static cistern_status bind(const binder *b, const model_tensor *t, const uint64_t *shape, uint32_t rank,
                           nn_tensor *out)
{
    bool same = t->rank == rank;
    for (uint32_t i = 0; same && i < rank; i++) {
        same = t->shape[i] == shape[i];
    }
    if (!same) {
        char found[128], wanted[128];
        model_tensor want = {.rank = rank};
        memcpy(want.shape, shape, rank * sizeof(shape[0]));
        model_tensor_shape_text(t, found, sizeof(found));
        model_tensor_shape_text(&want, wanted, sizeof(wanted));
        return base_fail(b->err, CISTERN_UNREADABLE, "tensor '%s': shape %s, its layer needs %s", t->name,
                         found, wanted);
    }
    if (!nn_dtype_is_floating(t->dtype)) {
        return base_fail(b->err, CISTERN_UNREADABLE, "tensor '%s': dtype %s, allowed are F32, F64, F16, BF16",
                         t->name, model_dtype_text(t->dtype));
    }
    if (!lies_inside(t, b->files, b->file_count)) {
        return base_fail(b->err, CISTERN_UNREADABLE,
                         "tensor '%s': does not lie inside its file (number %" PRIu32 ", offset %" PRIu64 ")",
                         t->name, t->file, t->offset);
    }
    out->at = *t;
    out->at.name = NULL;
    out->data = b->files[t->file].data + t->offset;
    return CISTERN_OK;
}

static cistern_status bind_vector(const binder *b, const model_tensor *t, uint64_t n, nn_tensor *out)
{
    return t ? bind(b, t, &n, 1, out) : CISTERN_OK;
}

static cistern_status check_outputs(const binder *b, const char *name, uint64_t outputs, uint64_t max)
{
    if (outputs == 0 || outputs > max) {
        return base_fail(b->err, CISTERN_UNREADABLE,
                         "tensor '%s': %" PRIu64 " outputs, allowed are 1 to %" PRIu64, name, outputs, max);
    }
    return CISTERN_OK;
}

static cistern_status bind_conv(const binder *b, const model_vgg_match *m, int i, uint64_t inputs,
                                nn_net_conv *out)
{
    uint64_t outputs = m->channels[i];
    const model_vgg_conv *layer = &m->vgg->conv[i];
    const uint64_t shape[4] = {outputs, inputs, 3, 3};
    cistern_status status = check_outputs(b, m->conv_weight[i]->name, outputs, NN_CHANNELS_MAX);
    if (status == CISTERN_OK) {
        status = bind(b, m->conv_weight[i], shape, 4, &out->weight);
    }
    if (status == CISTERN_OK) {
        status = bind_vector(b, m->conv_bias[i], outputs, &out->bias);
    }
    const model_tensor *norm[4] = {m->bn_weight[i], m->bn_bias[i], m->bn_mean[i], m->bn_var[i]};
    nn_tensor *norm_out[4] = {&out->gamma, &out->beta, &out->mean, &out->var};
    for (int k = 0; status == CISTERN_OK && m->vgg->batch_norm && k < 4; k++) {
        assert(norm[k]);
        status = bind_vector(b, norm[k], outputs, norm_out[k]);
    }
    out->epsilon = m->epsilon;
    out->inputs = (size_t)inputs;
    out->outputs = (size_t)outputs;
    out->pool_after = layer->pool_after;
    out->pool_feature = layer->pool_feature;
    return status;
}

/* A linear layer that is stored as a convolution, over the elements of the pooled picture in the order c, y, x. Where
 * those lie at equal distances it becomes the matrix that it is; else it stays as it is, and is packed. */
static void flatten(model_tensor *t)
{
    uint64_t inputs = 1, step = 1;
    bool even = true;
    for (uint32_t d = t->rank; d-- > 1;) {
        if (t->shape[d] == 1) {
            continue;
        }
        step = inputs == 1 ? t->stride[d] : step;
        even = even && t->stride[d] == step * inputs;
        inputs *= t->shape[d];
    }
    if (even) {
        t->rank = 2;
        t->shape[1] = inputs;
        t->stride[1] = step;
    }
}

static cistern_status bind_rows(const binder *b, const model_tensor *t, uint64_t inputs, uint64_t outputs,
                                bool first, nn_tensor *out)
{
    const uint64_t side = first ? MODEL_VGG_POOLED_SIDE : 1;
    const uint64_t as_rows[2] = {outputs, inputs};
    const uint64_t as_conv[4] = {outputs, inputs / (side * side), side, side};
    cistern_status status = t->rank == 4 ? bind(b, t, as_conv, 4, out) : bind(b, t, as_rows, 2, out);
    if (status == CISTERN_OK && t->rank == 4) {
        flatten(&out->at);
    }
    return status;
}

static cistern_status bind_linear(const binder *b, const model_vgg_match *m, int i, uint64_t inputs,
                                  uint64_t outputs, nn_net_linear *out)
{
    uint64_t max = i + 1 < MODEL_VGG_LINEARS ? NN_HIDDEN_MAX : NN_CLASSES_MAX;
    cistern_status status = check_outputs(b, m->linear_weight[i]->name, outputs, max);
    if (status == CISTERN_OK) {
        status = bind_rows(b, m->linear_weight[i], inputs, outputs, i == 0, &out->weight);
    }
    if (status == CISTERN_OK) {
        status = bind_vector(b, m->linear_bias[i], outputs, &out->bias);
    }
    out->inputs = (size_t)inputs;
    out->outputs = (size_t)outputs;
    return status;
}

static cistern_status bind_convs(const binder *b, const model_vgg_match *match, nn_net *net,
                                 uint64_t *out_channels)
{
    cistern_status status = CISTERN_OK;
    *out_channels = NN_IMAGE_CHANNELS;
    for (int i = 0; status == CISTERN_OK && i < match->vgg->conv_count; i++) {
        status = bind_conv(b, match, i, *out_channels, &net->conv[i]);
        *out_channels = match->channels[i];
    }
    return status;
}

static cistern_status bind_head(const binder *b, const model_vgg_match *match, nn_net *net, uint64_t channels)
{
    const uint64_t outputs[MODEL_VGG_LINEARS] = {match->hidden[0], match->hidden[1], match->classes};
    uint64_t inputs = channels * MODEL_VGG_POOLED_SIDE * MODEL_VGG_POOLED_SIDE;
    cistern_status status = CISTERN_OK;
    for (int i = 0; status == CISTERN_OK && i < MODEL_VGG_LINEARS; i++) {
        status = bind_linear(b, match, i, inputs, outputs[i], &net->linear[i]);
        inputs = outputs[i];
    }
    return status;
}

cistern_status nn_net_new_features(const model_vgg_match *match, const base_map *files, size_t file_count,
                                   nn_net **out, cistern_error *err)
{
    const binder b = {files, file_count, err};
    nn_net *net;
    uint64_t channels = 0;
    cistern_status status = base_calloc(1, sizeof(*net), &net, err);
    if (status != CISTERN_OK) {
        return status;
    }
    net->vgg = match->vgg;
    net->conv_count = (size_t)match->vgg->conv_count;
    status = bind_convs(&b, match, net, &channels);
    if (status == CISTERN_OK && match->has_head) {
        status = bind_head(&b, match, net, channels);
    }
    if (status != CISTERN_OK) {
        nn_net_free(net);
        return status;
    }
    *out = net;
    return CISTERN_OK;
}

cistern_status nn_net_new(const model_vgg_match *match, const base_map *files, size_t file_count,
                          nn_net **out, cistern_error *err)
{
    if (!match->has_head) {
        return base_fail(err, CISTERN_UNREADABLE, "no classifier is in it, only features (head: none)");
    }
    return nn_net_new_features(match, files, file_count, out, err);
}

void nn_net_free(nn_net *net)
{
    free(net);
}

const model_vgg *nn_net_vgg(const nn_net *net)
{
    return net->vgg;
}

size_t nn_net_classes(const nn_net *net)
{
    return net->linear[MODEL_VGG_LINEARS - 1].outputs;
}
