#include "nn_session.h"

#include "base_mem.h"
#include "base_pages.h"
#include "priv/nn_pack_map.h"
#include "priv/nn_session_priv.h"

/* Scratch memory is laid out twice: first with base NULL, to learn its size, then for real. */
typedef struct layout {
    uint8_t *base;
    size_t size;
    bool fits;
} layout;

static void *take(layout *l, size_t rows, size_t row_bytes)
{
    size_t at = l->size, bytes, end;
    if (!base_mul_size(rows, row_bytes, &bytes) || !base_add_size(at, bytes, &end) ||
        !base_add_size(end, NN_PACK_ALIGN - 1, &end)) {
        l->fits = false;
        return NULL;
    }
    l->size = end / NN_PACK_ALIGN * NN_PACK_ALIGN;
    return l->base ? l->base + at : NULL;
}

static cistern_status check_range(const char *what, size_t value, size_t least, size_t most, const char *why,
                                  cistern_error *err)
{
    if (value < least || value > most) {
        return base_fail(err, CISTERN_USAGE, "%s %zu: allowed are %zu to %zu%s", what, value, least, most,
                         why);
    }
    return CISTERN_OK;
}

static cistern_status check_options(const nn_session_options *o, cistern_error *err)
{
    const char *why = " (five poolings halve the image)";
    cistern_status status = check_range("input height", o->height, NN_SIDE_MIN, NN_SIDE_MAX, why, err);
    if (status == CISTERN_OK) {
        status = check_range("input width", o->width, NN_SIDE_MIN, NN_SIDE_MAX, why, err);
    }
    if (status == CISTERN_OK) {
        status = check_range("largest batch", o->max_batch, 1, NN_BATCH_MAX, "", err);
    }
    return status;
}

/* The sizes of every convolution; returns the bytes of the largest activation. */
static cistern_status plan_sizes(nn_session *s, size_t *out_bytes, size_t *out_planes, cistern_error *err)
{
    size_t height = s->height, width = s->width, channels = NN_IMAGE_CHANNELS, most = 0, planes = 0;
    for (size_t i = 0; i < s->conv_count; i++) {
        const nn_net_conv *conv = &s->net->conv[i];
        nn_step_conv *step = &s->conv[i];
        size_t in_bytes, out_size;
        cistern_status status = nn_act_bytes(channels, height, width, &in_bytes, err);
        if (status == CISTERN_OK) {
            status = nn_act_bytes(conv->outputs, height, width, &out_size, err);
        }
        if (status != CISTERN_OK) {
            return status;
        }
        most = in_bytes > most ? in_bytes : most;
        most = out_size > most ? out_size : most;
        step->in = (nn_act){NULL, channels, height, width};
        channels = conv->outputs;
        step->out = (nn_act){NULL, channels, height, width};
        step->pool_feature = conv->pool_feature;
        if (conv->pool_after) {
            height /= 2;
            width /= 2;
            step->pooled = (nn_act){NULL, channels, height, width};
            planes = channels * height * width > planes ? channels * height * width : planes;
        }
    }
    *out_bytes = most;
    *out_planes = planes;
    return CISTERN_OK;
}

static size_t padded_inputs(size_t inputs)
{
    return (inputs + NN_LINEAR_LANES - 1) / NN_LINEAR_LANES * NN_LINEAR_LANES;
}

/* Two activation buffers take turns as input and output. */
static void place_all(nn_session *s, layout *l, size_t act_bytes, size_t planes)
{
    float *act[2] = {take(l, 1, act_bytes), take(l, 1, act_bytes)};
    int from = 0;
    for (size_t i = 0; i < s->conv_count; i++) {
        nn_step_conv *step = &s->conv[i];
        step->in.data = act[from];
        step->out.data = act[1 - from];
        from = 1 - from;
        if (step->pooled.height) {
            step->pooled.data = act[1 - from];
            from = 1 - from;
        }
    }
    for (size_t i = 0; i < MODEL_VGG_LINEARS; i++) {
        nn_step_linear *step = &s->linear[i];
        step->in_stride = padded_inputs(s->net->linear[i].inputs);
        step->in = take(l, s->max_batch, step->in_stride * sizeof(float));
    }
    s->planes = s->layer ? take(l, planes, sizeof(float)) : NULL;
}

static cistern_status allocate_scratch(nn_session *s, cistern_error *err)
{
    size_t act_bytes, planes;
    cistern_status status = plan_sizes(s, &act_bytes, &planes, err);
    if (status != CISTERN_OK) {
        return status;
    }
    layout measure = {NULL, 0, true};
    place_all(s, &measure, act_bytes, planes);
    if (!measure.fits) {
        return base_fail_memory(err, SIZE_MAX);
    }
    status = base_pages_new(measure.size, &s->scratch, err);
    if (status != CISTERN_OK) {
        return base_frame(err, status, "scratch memory for %zu x %zu pixels", s->height, s->width);
    }
    s->scratch_size = measure.size;
    layout real = {s->scratch, 0, true};
    place_all(s, &real, act_bytes, planes);
    return CISTERN_OK;
}

static cistern_status bind_packed(nn_session *s, const nn_session_options *o, const base_cancel *cancel,
                                  cistern_error *err)
{
    nn_layout its = nn_layout_for(s->isa);
    cistern_status status = nn_pack_size(s->net, its, &s->packed_size, err);
    if (status != CISTERN_OK) {
        return status;
    }
    if (o->packed) {
        if (o->packed_size != s->packed_size) {
            return base_fail(err, CISTERN_DAMAGED, "packed weights are %zu bytes, this network needs %zu",
                             o->packed_size, s->packed_size);
        }
        s->packed = o->packed;
        return CISTERN_OK;
    }
    status = base_pages_new(s->packed_size, &s->own_packed, err);
    if (status != CISTERN_OK) {
        return status;
    }
    s->packed = s->own_packed;
    return nn_pack(s->net, its, s->pool, s->own_packed, s->packed_size, cancel, err);
}

static nn_linear_fn linear_kernel(const nn_kernels *k, model_dtype dtype)
{
    return dtype == MODEL_F16 ? k->linear_f16 : dtype == MODEL_BF16 ? k->linear_bf16 : k->linear_f32;
}

static cistern_status bind_steps(nn_session *s, cistern_error *err)
{
    nn_pack_map map;
    cistern_status status = nn_pack_map_of(s->net, nn_layout_for(s->isa), &map, err);
    if (status != CISTERN_OK) {
        return status;
    }
    for (size_t i = 0; i < s->conv_count; i++) {
        s->conv[i].weight = (const float *)(s->packed + map.conv_weight[i]);
        s->conv[i].bias = (const float *)(s->packed + map.conv_bias[i]);
    }
    for (size_t i = 0; i < MODEL_VGG_LINEARS; i++) {
        const nn_net_linear *linear = &s->net->linear[i];
        nn_step_linear *step = &s->linear[i];
        const model_tensor *t = &linear->weight.at;
        bool packed = map.linear_weight[i] != NN_NOT_PACKED;
        step->inputs = linear->inputs;
        step->outputs = linear->outputs;
        step->weight = packed ? s->packed + map.linear_weight[i] : linear->weight.data;
        step->weight_stride =
            packed ? linear->inputs * sizeof(float) : t->stride[0] * model_dtype_bytes(t->dtype);
        step->kernel = linear_kernel(s->kernels, packed ? MODEL_F32 : t->dtype);
        step->bias = (const float *)(s->packed + map.linear_bias[i]);
        step->relu = i + 1 < MODEL_VGG_LINEARS;
    }
    return CISTERN_OK;
}

cistern_status nn_session_new(const nn_net *net, const nn_session_options *options, const base_cancel *cancel,
                              nn_session **out, cistern_error *err)
{
    nn_isa isa;
    nn_session *s;
    cistern_status status = check_options(options, err);
    if (status == CISTERN_OK) {
        status = nn_isa_resolve(options->isa, &isa, err);
    }
    if (status == CISTERN_OK) {
        status = base_calloc(1, sizeof(*s), &s, err);
    }
    if (status != CISTERN_OK) {
        return status;
    }
    s->net = net;
    s->pool = options->pool;
    s->isa = isa;
    s->kernels = nn_kernels_of(isa);
    s->max_batch = options->max_batch;
    s->height = options->height;
    s->width = options->width;
    s->layer = options->layer;
    s->layer_user = options->layer_user;
    s->conv_count = net->conv_count;
    status = allocate_scratch(s, err);
    if (status == CISTERN_OK) {
        status = bind_packed(s, options, cancel, err);
    }
    if (status == CISTERN_OK) {
        status = bind_steps(s, err);
    }
    if (status != CISTERN_OK) {
        nn_session_free(s);
        return status;
    }
    *out = s;
    return CISTERN_OK;
}

void nn_session_free(nn_session *session)
{
    if (!session) {
        return;
    }
    base_pages_free(session->own_packed, session->packed_size);
    base_pages_free(session->scratch, session->scratch_size);
    free(session);
}

nn_isa nn_session_isa(const nn_session *session)
{
    return session->isa;
}

size_t nn_session_bytes(const nn_session *session)
{
    return sizeof(*session) + session->scratch_size + (session->own_packed ? session->packed_size : 0);
}
