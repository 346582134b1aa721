/* A session: every size decided at creation, then runs that allocate nothing; see nn_session.h. */
#include "nn_session.h"

#include <assert.h>

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

#define GROUP_MOST  8  /* images that the later convolutions take together */
#define GROUP_TILES 64 /* 4x4 tiles of an image, from which on there are too few for its weights' worth */

/* Bytes that the buffers need, found while planning. */
typedef struct needs {
    size_t alone, together; /* an activation of one image; of a group of images */
    size_t raw;             /* the first convolution's output before pooling */
    size_t shared, own;     /* floats */
    size_t planes;          /* floats of the largest pooled layer */
} needs;

static void grow(size_t *most, size_t value)
{
    *most = value > *most ? value : *most;
}

/* How a convolution but the first is computed. */
static void plan_winograd(nn_session *s, size_t i, const nn_act *act, needs *n)
{
    const nn_net_conv *conv = &s->net->conv[i];
    nn_step_conv *step = &s->conv[i];
    size_t images = i >= s->group_from ? s->group : 1;
    unsigned threads = base_pool_threads(s->pool);
    if (s->kernels->rows) {
        nn_rows_plan shape = {.inputs = conv->inputs,
                              .outputs = conv->outputs,
                              .height = act->height,
                              .width = act->width,
                              .pool = step->pool};
        step->rows = nn_rows_plan_of(s->kernels->rows, &shape, images, threads);
        grow(&n->own, step->rows.own_floats);
        return;
    }
    step->plan = nn_winograd_plan_of(conv->inputs, conv->outputs, act->height, act->width, step->pool, images,
                                     threads);
    grow(&n->shared, step->plan.shared_floats);
    grow(&n->own, step->plan.own_floats);
}

/* Decide a convolution's sizes; its output becomes *act. */
static cistern_status plan_conv(nn_session *s, size_t i, nn_act *act, needs *n, cistern_error *err)
{
    const nn_net_conv *conv = &s->net->conv[i];
    nn_step_conv *step = &s->conv[i];
    size_t bytes;
    step->in = *act;
    step->pool = conv->pool_after;
    step->pool_feature = conv->pool_feature;
    step->out = (nn_act){NULL, conv->outputs, act->height, act->width};
    if (i > 0) {
        size_t tiles = (act->height + 3) / 4 * ((act->width + 3) / 4);
        if (s->group > 1 && s->group_from == s->conv_count && tiles <= GROUP_TILES) {
            s->group_from = i;
        }
        plan_winograd(s, i, act, n);
    } else if (step->pool) {
        step->raw = step->out;
        cistern_status status = nn_act_bytes(conv->outputs, act->height, act->width, &n->raw, err);
        if (status != CISTERN_OK) {
            return status;
        }
    }
    if (step->pool) {
        step->out.height /= 2;
        step->out.width /= 2;
        grow(&n->planes, step->out.channels * step->out.height * step->out.width);
    }
    cistern_status status = nn_act_bytes(conv->outputs, step->out.height, step->out.width, &bytes, err);
    step->out_image = bytes / sizeof(float);
    grow(&n->alone, bytes);
    *act = step->out;
    return status;
}

/* The sizes of every convolution, and which of them take a group of images together. */
static cistern_status plan_sizes(nn_session *s, needs *n, cistern_error *err)
{
    nn_act act = {NULL, NN_IMAGE_CHANNELS, s->height, s->width};
    s->group = s->max_batch < GROUP_MOST ? s->max_batch : GROUP_MOST;
    s->group_from = s->conv_count;
    for (size_t i = 0; i < s->conv_count; i++) {
        cistern_status status = plan_conv(s, i, &act, n, err);
        if (status != CISTERN_OK) {
            return status;
        }
        s->conv[i].in_image = i ? s->conv[i - 1].out_image : 0;
    }
    for (size_t i = s->group_from; i < s->conv_count; i++) {
        grow(&n->together, s->conv[i].in_image * sizeof(float));
        grow(&n->together, s->conv[i].out_image * sizeof(float));
    }
    return CISTERN_OK;
}

static size_t padded_inputs(size_t inputs)
{
    return (inputs + NN_LINEAR_LANES - 1) / NN_LINEAR_LANES * NN_LINEAR_LANES;
}

/* Two activation buffers take turns as input and output; the convolutions that take groups have two of their own. */
static void place_all(nn_session *s, layout *l, const needs *n)
{
    float *alone[2] = {take(l, 1, n->alone), take(l, 1, n->alone)};
    float *together[2] = {take(l, s->group, n->together), take(l, s->group, n->together)};
    for (size_t i = 0; i < s->conv_count; i++) {
        nn_step_conv *step = &s->conv[i];
        bool for_group = s->group_from < s->conv_count && i + 1 >= s->group_from;
        step->in.data = i ? s->conv[i - 1].out.data : NULL;
        step->out.data = for_group ? together[i % 2] : alone[i % 2];
    }
    s->conv[0].raw.data = take(l, 1, n->raw);
    s->image = take(l, NN_IMAGE_CHANNELS * (s->height + 2), (s->width + 2) * sizeof(float));
    s->shared = take(l, n->shared, sizeof(float));
    s->own_stride = (n->own + 1023) / 1024 * 1024 + NN_BLOCK; /* own pages, other cache sets */
    s->own = take(l, base_pool_threads(s->pool), s->own_stride * sizeof(float));
    s->ranges = take(l, s->conv_count * s->group, sizeof(nn_rows_range));
    size_t lines = 0;
    for (size_t i = 0; i < MODEL_VGG_LINEARS; i++) {
        nn_step_linear *step = &s->linear[i];
        step->in_stride = padded_inputs(s->net->linear[i].inputs);
        step->in = take(l, s->max_batch, step->in_stride * sizeof(float));
        grow(&lines, step->in_stride / NN_LINEAR_LANES);
    }
    s->lines = take(l, lines, sizeof(uint32_t));
    s->planes = s->layer ? take(l, n->planes, sizeof(float)) : NULL;
}

static cistern_status allocate_scratch(nn_session *s, cistern_error *err)
{
    needs n = {0};
    cistern_status status = plan_sizes(s, &n, err);
    if (status != CISTERN_OK) {
        return status;
    }
    layout measure = {NULL, 0, true};
    place_all(s, &measure, &n);
    if (!measure.fits) {
        return base_fail_memory(err, SIZE_MAX);
    }
    status = base_pages_new(measure.size, &s->scratch, err);
    if (status != CISTERN_OK) {
        return base_frame(err, status, "scratch memory for %zu x %zu pixels", s->height, s->width);
    }
    s->scratch_size = measure.size;
    layout real = {s->scratch, 0, true};
    place_all(s, &real, &n);
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
        if ((uintptr_t)o->packed % NN_PACK_ALIGN != 0) {
            return base_fail(err, CISTERN_USAGE, "packed weights at an address that is no multiple of %d",
                             NN_PACK_ALIGN);
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
        nn_step_conv *step = &s->conv[i];
        step->bias = (const float *)(s->packed + map.conv_bias[i]);
        if (step->rows.kernels) {
            step->fixed = (const int8_t *)(s->packed + map.conv_weight[i]);
            step->scale = (const float *)(s->packed + map.conv_scale[i]);
            step->equal = (const float *)(s->packed + map.conv_equal[i]);
        } else {
            step->weight = (const float *)(s->packed + map.conv_weight[i]);
        }
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
        step->weight_row_bytes = linear->inputs * (packed ? sizeof(float) : model_dtype_bytes(t->dtype));
        step->kernel = linear_kernel(s->kernels, packed ? MODEL_F32 : t->dtype);
        step->lines_kernel = step->kernel == s->kernels->linear_f32 ? s->kernels->linear_lines_f32 : NULL;
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

void nn_session_use_pool(nn_session *session, base_pool *pool)
{
    assert(base_pool_threads(pool) == base_pool_threads(session->pool)); /* scratch memory is by thread */
    session->pool = pool;
}

nn_isa nn_session_isa(const nn_session *session)
{
    return session->isa;
}

size_t nn_session_bytes(const nn_session *session)
{
    return sizeof(*session) + session->scratch_size + (session->own_packed ? session->packed_size : 0);
}

size_t nn_session_step_count(const nn_session *session)
{
    return session->conv_count + MODEL_VGG_LINEARS + 1;
}

static nn_step_report report_conv(const nn_session *s, size_t i)
{
    const nn_step_conv *step = &s->conv[i];
    nn_step_report r = {.seconds = (double)step->ns * 1e-9};
    const nn_act *in = &step->in;
    double pixels = (double)in->height * (double)in->width,
           pairs = (double)in->channels * (double)step->out.channels;
    snprintf(r.name, sizeof(r.name), "features.%d", s->net->vgg->conv[i].feature);
    r.definition_flops = 2 * 9 * pairs * pixels;
    r.algorithm = i == 0                ? "direct"
                  : step->rows.kernels  ? "winograd, rows"
                  : step->plan.prepared ? "winograd"
                                        : "winograd, raw";
    r.flops = i == 0               ? r.definition_flops
              : step->rows.kernels ? 2 * 18 * pairs * (double)(in->height * step->rows.columns)
                                   : 2 * 36 * pairs * (double)(step->plan.rows * step->plan.columns);
    r.weight_bytes = step->rows.kernels ? NN_ROWS_POSITIONS * 3 * NN_ROWS_DIGITS * pairs : 4 * 9 * pairs;
    return r;
}

static nn_step_report report_linear(const nn_session *s, size_t i)
{
    static const int numbers[MODEL_VGG_LINEARS] = {0, 3, 6};
    const nn_step_linear *step = &s->linear[i];
    size_t all = step->in_stride / NN_LINEAR_LANES;
    nn_step_report r = {.seconds = (double)step->ns * 1e-9,
                        .algorithm = step->lines < all ? "sparse stream" : "stream"};
    snprintf(r.name, sizeof(r.name), "classifier.%d", numbers[i]);
    r.flops = r.definition_flops = 2 * (double)step->inputs * (double)step->outputs;
    r.weight_bytes =
        (double)step->weight_row_bytes * (double)step->outputs * (double)step->lines / (double)all;
    return r;
}

void nn_session_report(const nn_session *session, size_t i, nn_step_report *out)
{
    assert(i < nn_session_step_count(session));
    if (i < session->conv_count) {
        *out = report_conv(session, i);
    } else if (i < session->conv_count + MODEL_VGG_LINEARS) {
        *out = report_linear(session, i - session->conv_count);
    } else {
        *out = (nn_step_report){
            .name = "other", .algorithm = "copy, average", .seconds = (double)session->other_ns * 1e-9};
    }
}
