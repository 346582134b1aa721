/* Layers one by one; see nn_features.h.
 *
 * Activations are planes f32 [C][H + 2][W + 2] with a border of zeros, two buffers in turn; behind the average pooling they
 * are vectors in the same buffers. A job is a channel, or one output of a linear layer.
 */
#include "nn_features.h"

#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base_mem.h"
#include "nn_session.h"
#include "priv/nn_fold.h"

#define STEPS_MAX                                                                                            \
    (4 * MODEL_VGG_CONVS_MAX + 1 + 7) /* convolution, norm, ReLU, pooling; average; classifier */
#define ROW 1024                      /* weights of a linear layer that are read at once */

typedef enum step_kind { CONV, NORM, RELU, POOL, AVERAGE, LINEAR, LINEAR_RELU, PASS } step_kind;

typedef struct step {
    step_kind kind;
    size_t i; /* number of the convolution or linear layer */
    char name[NN_LAYER_NAME_MAX];
} step;

/* A layer's output. */
typedef struct planes {
    float *data;
    size_t channels, height, width; /* a vector: 1 x 1 without border */
} planes;

struct nn_features {
    const nn_net *net;
    base_pool *pool;
    size_t height, width;
    step steps[STEPS_MAX];
    size_t count; /* up to the wanted one */
    size_t shape[3], rank;
    float *buffer[2];
    double *weights; /* of each thread, weights_each apart: of one output channel */
    size_t weights_each;
};

static void add_step(step *steps, size_t *count, step_kind kind, size_t i, const char *module, int number)
{
    step *s = &steps[(*count)++];
    assert(*count <= STEPS_MAX);
    s->kind = kind;
    s->i = i;
    snprintf(s->name, sizeof(s->name), "%s.%d", module, number);
}

static size_t list_steps(const nn_net *net, step steps[STEPS_MAX])
{
    size_t count = 0;
    for (size_t i = 0; i < net->conv_count; i++) {
        const model_vgg_conv *c = &net->vgg->conv[i];
        int number = c->feature;
        add_step(steps, &count, CONV, i, "features", number++);
        if (net->vgg->batch_norm) {
            add_step(steps, &count, NORM, i, "features", number++);
        }
        add_step(steps, &count, RELU, i, "features", number);
        if (c->pool_after) {
            add_step(steps, &count, POOL, i, "features", c->pool_feature);
        }
    }
    add_step(steps, &count, AVERAGE, 0, "avgpool", 0);
    snprintf(steps[count - 1].name, NN_LAYER_NAME_MAX, "avgpool");
    for (size_t i = 0; net->linear[0].weight.data && i < MODEL_VGG_LINEARS; i++) {
        add_step(steps, &count, LINEAR, i, "classifier", (int)i * 3);
        if (i + 1 < MODEL_VGG_LINEARS) {
            add_step(steps, &count, LINEAR_RELU, i, "classifier", (int)i * 3 + 1);
            add_step(steps, &count, PASS, i, "classifier", (int)i * 3 + 2);
        }
    }
    return count;
}

bool nn_features_layer_name(const nn_net *net, size_t i, char out[NN_LAYER_NAME_MAX])
{
    step steps[STEPS_MAX];
    if (i >= list_steps(net, steps)) {
        return false;
    }
    memcpy(out, steps[i].name, NN_LAYER_NAME_MAX);
    return true;
}

/* "features" and "classifier" stand for their last layer. */
static bool is_wanted(const step *steps, size_t count, size_t i, const char *layer)
{
    size_t n = strlen(layer);
    if (strcmp(steps[i].name, layer) == 0) {
        return true;
    }
    bool inside = strncmp(steps[i].name, layer, n) == 0 && steps[i].name[n] == '.';
    bool last = i + 1 == count || strncmp(steps[i + 1].name, layer, n) != 0;
    return inside && last && strchr(layer, '.') == NULL;
}

static cistern_status fail_layer(const step *steps, size_t count, const char *layer, cistern_error *err)
{
    char names[CISTERN_ERROR_TEXT_MAX - 128] = "";
    size_t used = 0;
    for (size_t i = 0; i < count && used < sizeof(names); i++) {
        int n = snprintf(names + used, sizeof(names) - used, "%s%s", i ? ", " : "", steps[i].name);
        used += n > 0 ? (size_t)n : 0;
    }
    return base_fail(err, CISTERN_USAGE, "no layer '%.64s'; there are %s", layer, names);
}

static cistern_status find_layer(nn_features *f, const char *layer, cistern_error *err)
{
    size_t count = list_steps(f->net, f->steps);
    for (size_t i = 0; i < count; i++) {
        if (is_wanted(f->steps, count, i, layer)) {
            f->count = i + 1;
            return CISTERN_OK;
        }
    }
    return fail_layer(f->steps, count, layer, err);
}

/* The shape after a step. */
static void advance(const nn_net *net, const step *s, planes *p)
{
    switch (s->kind) {
    case CONV:
        p->channels = net->conv[s->i].outputs;
        break;
    case POOL:
        p->height /= 2;
        p->width /= 2;
        break;
    case AVERAGE:
        p->height = p->width = MODEL_VGG_POOLED_SIDE;
        break;
    case LINEAR:
        *p = (planes){p->data, net->linear[s->i].outputs, 1, 1};
        break;
    case NORM:
    case RELU:
    case LINEAR_RELU:
    case PASS:
        break;
    }
}

static bool is_vector(step_kind kind)
{
    return kind == LINEAR || kind == LINEAR_RELU || kind == PASS;
}

static bool floats_of(const planes *p, size_t *out)
{
    size_t rows, all;
    return base_mul_size(p->channels, p->height + 2, &rows) && base_mul_size(rows, p->width + 2, &all) &&
           base_mul_size(all, sizeof(float), out);
}

/* Sizes of the buffers: what any layer up to the wanted one needs. */
static cistern_status allocate(nn_features *f, cistern_error *err)
{
    planes p = {NULL, NN_IMAGE_CHANNELS, f->height, f->width};
    size_t most = 0, bytes, threads = base_pool_threads(f->pool);
    f->weights_each = ROW;
    for (size_t i = 0; i <= f->count; i++) {
        if (!floats_of(&p, &bytes)) {
            return base_fail_memory(err, SIZE_MAX);
        }
        most = bytes > most ? bytes : most;
        if (i < f->count && f->steps[i].kind == CONV && p.channels * 9 > f->weights_each) {
            f->weights_each = p.channels * 9;
        }
        if (i < f->count) {
            advance(f->net, &f->steps[i], &p);
        }
    }
    bool vector = is_vector(f->steps[f->count - 1].kind);
    f->rank = vector ? 1 : 3;
    memcpy(f->shape, (size_t[]){p.channels, p.height, p.width}, sizeof(f->shape));
    cistern_status status = base_calloc(1, most, &f->buffer[0], err);
    if (status == CISTERN_OK) {
        status = base_calloc(1, most, &f->buffer[1], err);
    }
    if (status == CISTERN_OK) {
        status = base_calloc(threads, f->weights_each * sizeof(double), &f->weights, err);
    }
    return status;
}

cistern_status nn_features_new(const nn_net *net, const nn_features_options *options, nn_features **out,
                               cistern_error *err)
{
    nn_features *f;
    size_t least = options->height < options->width ? options->height : options->width;
    size_t most = options->height < options->width ? options->width : options->height;
    if (least < NN_SIDE_MIN || most > NN_SIDE_MAX) {
        return base_fail(err, CISTERN_USAGE, "input of %zu x %zu pixels: allowed are %d to %d",
                         options->height, options->width, NN_SIDE_MIN, NN_SIDE_MAX);
    }
    cistern_status status = base_calloc(1, sizeof(*f), &f, err);
    if (status != CISTERN_OK) {
        return status;
    }
    f->net = net;
    f->pool = options->pool;
    f->height = options->height;
    f->width = options->width;
    status = find_layer(f, options->layer, err);
    if (status == CISTERN_OK) {
        status = allocate(f, err);
    }
    if (status != CISTERN_OK) {
        nn_features_free(f);
        return status;
    }
    *out = f;
    return CISTERN_OK;
}

void nn_features_free(nn_features *f)
{
    if (!f) {
        return;
    }
    free(f->buffer[0]);
    free(f->buffer[1]);
    free(f->weights);
    free(f);
}

void nn_features_use_pool(nn_features *f, base_pool *pool)
{
    assert(base_pool_threads(pool) == base_pool_threads(f->pool)); /* scratch memory is by thread */
    f->pool = pool;
}

size_t nn_features_shape(const nn_features *f, size_t out[3])
{
    memcpy(out, f->shape, sizeof(f->shape));
    return f->rank;
}

/* -- running ---------------------------------------------------------------------------------------------- */

typedef struct work {
    nn_features *f;
    const step *s;
    planes in, out;
    const base_cancel *cancel;
} work;

static float *plane_of(const planes *p, size_t channel)
{
    return p->data + channel * (p->height + 2) * (p->width + 2);
}

static void close_border(const planes *p, float *plane)
{
    size_t row = p->width + 2;
    memset(plane, 0, row * sizeof(float));
    memset(plane + (p->height + 1) * row, 0, row * sizeof(float));
    for (size_t y = 1; y <= p->height; y++) {
        plane[y * row] = plane[y * row + row - 1] = 0;
    }
}

/* Add one input channel's part to a row: nine taps at once, so that a sum is loaded and stored once for them. */
static void add_taps(float *restrict out, const float *restrict a, const float *restrict b,
                     const float *restrict c, size_t width, const float w[9])
{
    for (size_t x = 0; x < width; x++) {
        out[x] += w[0] * a[x] + w[1] * a[x + 1] + w[2] * a[x + 2] + w[3] * b[x] + w[4] * b[x + 1] +
                  w[5] * b[x + 2] + w[6] * c[x] + w[7] * c[x + 1] + w[8] * c[x + 2];
    }
}

static void conv_job(void *user, size_t channel, unsigned thread)
{
    const work *w = user;
    const nn_net_conv *conv = &w->f->net->conv[w->s->i];
    double *weights = w->f->weights + thread * w->f->weights_each;
    float *plane = plane_of(&w->out, channel), bias = 0;
    size_t row = w->out.width + 2;
    nn_net_conv alone = {.bias = conv->bias, .outputs = conv->outputs};
    if (base_cancelled(w->cancel)) {
        return;
    }
    nn_read_inner(&conv->weight, channel, 0, conv->inputs * 9, weights);
    bias = (float)nn_fold_of(&alone, channel).bias;
    for (size_t y = 1; y <= w->out.height; y++) {
        for (size_t x = 1; x <= w->out.width; x++) {
            plane[y * row + x] = bias;
        }
    }
    for (size_t i = 0; i < conv->inputs; i++) {
        const float *in = plane_of(&w->in, i);
        float taps[9];
        for (size_t k = 0; k < 9; k++) {
            taps[k] = (float)weights[i * 9 + k];
        }
        for (size_t y = 1; y <= w->out.height; y++) {
            add_taps(plane + y * row + 1, in + (y - 1) * row, in + y * row, in + (y + 1) * row, w->out.width,
                     taps);
        }
    }
    close_border(&w->out, plane);
}

/* In place; the border stays zero. */
static void norm_job(void *user, size_t channel, unsigned thread)
{
    const work *w = user;
    nn_net_conv norm = w->f->net->conv[w->s->i];
    float *plane = plane_of(&w->in, channel);
    size_t row = w->in.width + 2;
    (void)thread;
    norm.bias.data = NULL; /* it belongs to the convolution */
    nn_fold fold = nn_fold_of(&norm, channel);
    for (size_t y = 1; y <= w->in.height; y++) {
        for (size_t x = 1; x <= w->in.width; x++) {
            plane[y * row + x] = (float)(plane[y * row + x] * fold.scale + fold.bias);
        }
    }
}

static void relu(float *x, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        x[i] = x[i] < 0 ? 0 : x[i]; /* NaN stays NaN */
    }
}

static void relu_job(void *user, size_t channel, unsigned thread)
{
    const work *w = user;
    (void)thread;
    relu(plane_of(&w->in, channel), (w->in.height + 2) * (w->in.width + 2));
}

static float greatest(float a, float b)
{
    return a > b || isnan(a) ? a : b;
}

static void pool_job(void *user, size_t channel, unsigned thread)
{
    const work *w = user;
    const float *in = plane_of(&w->in, channel);
    float *plane = plane_of(&w->out, channel);
    size_t row = w->in.width + 2;
    (void)thread;
    for (size_t y = 0; y < w->out.height; y++) {
        for (size_t x = 0; x < w->out.width; x++) {
            const float *at = in + (2 * y + 1) * row + 2 * x + 1;
            plane[(y + 1) * (w->out.width + 2) + x + 1] =
                greatest(greatest(at[0], at[1]), greatest(at[row], at[row + 1]));
        }
    }
    close_border(&w->out, plane);
}

/* Into (C, 7, 7) without borders: a vector. */
static void average_job(void *user, size_t channel, unsigned thread)
{
    const work *w = user;
    const float *in = plane_of(&w->in, channel);
    const size_t side = MODEL_VGG_POOLED_SIDE, row = w->in.width + 2;
    float *out = w->out.data + channel * side * side;
    (void)thread;
    for (size_t i = 0; i < side * side; i++) {
        size_t top = i / side * w->in.height / side,
               bottom = ((i / side + 1) * w->in.height + side - 1) / side;
        size_t left = i % side * w->in.width / side, right = ((i % side + 1) * w->in.width + side - 1) / side;
        double sum = 0;
        for (size_t y = top; y < bottom; y++) {
            for (size_t x = left; x < right; x++) {
                sum += in[(y + 1) * row + x + 1];
            }
        }
        out[i] = (float)(sum / (double)((bottom - top) * (right - left)));
    }
}

static void linear_job(void *user, size_t output, unsigned thread)
{
    const work *w = user;
    const nn_net_linear *l = &w->f->net->linear[w->s->i];
    double *weights = w->f->weights + thread * w->f->weights_each;
    nn_net_conv alone = {.bias = l->bias, .outputs = l->outputs};
    double sum = nn_fold_of(&alone, output).bias;
    if (base_cancelled(w->cancel)) {
        return;
    }
    for (size_t at = 0; at < l->inputs; at += ROW) {
        size_t n = l->inputs - at < ROW ? l->inputs - at : ROW;
        nn_read_inner(&l->weight, output, at, n, weights);
        for (size_t i = 0; i < n; i++) {
            sum += weights[i] * w->in.data[at + i];
        }
    }
    w->out.data[output] = (float)sum;
}

/* One step; *p becomes its output. */
static void run_step(nn_features *f, const step *s, planes *p, const base_cancel *cancel)
{
    static const base_pool_fn jobs[] = {
        [CONV] = conv_job, [NORM] = norm_job,       [RELU] = relu_job,
        [POOL] = pool_job, [AVERAGE] = average_job, [LINEAR] = linear_job,
    };
    planes out = *p;
    work w = {f, s, *p, *p, cancel};
    advance(f->net, s, &out);
    if (s->kind == LINEAR_RELU) {
        relu(p->data, p->channels);
    } else if (s->kind == NORM || s->kind == RELU) {
        base_pool_run(f->pool, jobs[s->kind], &w, p->channels);
    } else if (s->kind != PASS) {
        out.data = p->data == f->buffer[0] ? f->buffer[1] : f->buffer[0];
        w.out = out;
        base_pool_run(f->pool, jobs[s->kind], &w, out.channels);
        *p = out;
    }
}

static void load(nn_features *f, const float *x, planes *out)
{
    *out = (planes){f->buffer[0], NN_IMAGE_CHANNELS, f->height, f->width};
    for (size_t c = 0; c < NN_IMAGE_CHANNELS; c++) {
        float *plane = plane_of(out, c);
        for (size_t y = 0; y < f->height; y++) {
            memcpy(plane + (y + 1) * (f->width + 2) + 1, x + (c * f->height + y) * f->width,
                   f->width * sizeof(float));
        }
        close_border(out, plane);
    }
}

static void store(const nn_features *f, const planes *p, float *out)
{
    step_kind kind = f->steps[f->count - 1].kind;
    if (is_vector(kind) || kind == AVERAGE) {
        memcpy(out, p->data, f->shape[0] * f->shape[1] * f->shape[2] * sizeof(float));
        return;
    }
    for (size_t c = 0; c < p->channels; c++) {
        for (size_t y = 0; y < p->height; y++) {
            memcpy(out + (c * p->height + y) * p->width, plane_of(p, c) + (y + 1) * (p->width + 2) + 1,
                   p->width * sizeof(float));
        }
    }
}

cistern_status nn_features_run(nn_features *f, const float *x, float *out, const base_cancel *cancel,
                               cistern_error *err)
{
    planes p;
    load(f, x, &p);
    for (size_t i = 0; i < f->count; i++) {
        run_step(f, &f->steps[i], &p, cancel);
        cistern_status status = base_check_cancel(cancel, err);
        if (status != CISTERN_OK) {
            return status;
        }
    }
    store(f, &p, out);
    return CISTERN_OK;
}
