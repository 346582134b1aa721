/* From the layers of a Keras configuration and the tensors of its file to the layers of a VGG.
 *
 * Invariants
 *  1. Every layer is one that a VGG has at that place, with a VGG's kernel, stride, border and activation, or works in
 *     training only; the first that is not is named, and no VGG is made of the model.
 *  2. What the configuration says of a layer's weights (filters, units, bias, scale, centre) is what the file holds.
 *  3. Batch norms all add the same number, because a model has one.
 * Source: keras/src/layers of Keras 3.15; Flatten with channels_first puts the channels last before it flattens.
 */
#include "priv/formats_keras.h"
#include "priv/formats_prelude.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include "base_mem.h"
#include "model_vgg.h"
#include "priv/formats_constant.h"

#define NAME_SHOWN      80
#define WEIGHTED_LAYERS (2 * MODEL_VGG_CONVS_MAX + MODEL_VGG_LINEARS) /* layers with weights */
#define KERAS_BN        1e-3                                          /* epsilon that is not said */
#define VARIANCE        1e-7 /* Normalization: keras.backend.epsilon(), the least deviation */

typedef struct build {
    formats_keras *k;
    const formats_keras_step *s; /* the step at hand */
    formats_layer *layers;
    size_t count, convs, linears;
    formats_prelude prelude;
    bool activated; /* a ReLU came after the last layer with weights */
    bool padded;    /* a border of 1 was added for the next convolution */
    bool softmax, ended;
    bool channels_first, flat, flat_first; /* flat_first: the channels were first when it was flattened */
    double epsilon;                        /* 0: no batch norm yet */
    char why[256];
} build;

static bool refuse(build *b, const char *fmt, ...) CISTERN_PRINTF(2, 3);
static bool refuse(build *b, const char *fmt, ...)
{
    va_list args;
    int used =
        snprintf(b->why, sizeof b->why, "layer '%.*s' (%.40s): ", NAME_SHOWN, b->s->name, b->s->class_name);

    va_start(args, fmt);
    (void)vsnprintf(b->why + used, sizeof b->why - (size_t)used, fmt, args);
    va_end(args);
    return false;
}

/* ---- its tensors ---- */

/* Past groups that only hold layers. */
static const char *skip_container(const char *at)
{
    static const char *const containers[] = {"layers/", "_layer_checkpoint_dependencies/"};

    for (size_t i = 0; i < 2; i++) {
        if (strncmp(at, containers[i], strlen(containers[i])) == 0)
            return at + strlen(containers[i]);
    }
    return at;
}

/* Whether a tensor "layers/functional/layers/conv2d_3/vars/0" is that of place "functional/conv2d_3" and number 0. */
static bool is_variable(const char *name, const char *place, unsigned number)
{
    char tail[24];

    (void)snprintf(tail, sizeof tail, "/vars/%u", number);
    for (name = skip_container(name); *place; place++, name++) {
        if (*name != *place)
            return false;
        if (*place == '/')
            name = skip_container(name + 1) - 1;
    }
    return strcmp(name, tail) == 0;
}

static size_t variable(const build *b, unsigned number)
{
    for (size_t i = 0; i < model_index_count(b->k->out->index); i++) {
        if (is_variable(model_index_peek(b->k->out->index, i)->name, b->s->place, number))
            return i;
    }
    return FORMATS_NO_TENSOR;
}

/* The layer of this path: the first name in the key is the outermost model's or its own, the last one its own. */
static const formats_keras_layer *named_layer(const build *b)
{
    const char *path = b->s->path, *own = strrchr(path, '/');
    size_t top = strcspn(path, "/");

    for (size_t i = 0; i < b->k->count; i++) {
        const char *key = b->k->layers[i].key, *last = strrchr(key, '/');
        if (strcspn(key, "/") == top && memcmp(key, path, top) == 0 &&
            (!own || strcmp(last ? last : key, own) == 0))
            return &b->k->layers[i];
    }
    return NULL;
}

/* What the layer's weights are, as numbers in the index. */
typedef struct weights {
    size_t kernel, bias, gamma, beta, mean, var;
} weights;

static bool take_weights(build *b, bool bias, bool gamma, bool beta, weights *w)
{
    const formats_keras_layer *l = b->k->numbered ? NULL : named_layer(b);
    bool norm = b->s->class_number == FORMATS_KERAS_BATCH_NORM;
    unsigned n = 0;

    *w = (weights){FORMATS_NO_TENSOR, FORMATS_NO_TENSOR, FORMATS_NO_TENSOR,
                   FORMATS_NO_TENSOR, FORMATS_NO_TENSOR, FORMATS_NO_TENSOR};
    if (b->k->numbered) {
        w->kernel = norm ? FORMATS_NO_TENSOR : variable(b, n++);
        w->bias = !norm && bias ? variable(b, n++) : FORMATS_NO_TENSOR;
        w->gamma = norm && gamma ? variable(b, n++) : FORMATS_NO_TENSOR;
        w->beta = norm && beta ? variable(b, n++) : FORMATS_NO_TENSOR;
        w->mean = norm ? variable(b, n++) : FORMATS_NO_TENSOR;
        w->var = norm ? variable(b, n++) : FORMATS_NO_TENSOR;
        if (variable(b, n) != FORMATS_NO_TENSOR)
            return refuse(b, "the file has more weights of it than its configuration says");
    } else if (l) {
        *w = (weights){l->kernel, l->bias, l->gamma, l->beta, l->mean, l->var};
        if (l->others)
            return refuse(b, "the file has weights of it that such a layer has not");
    } else {
        return refuse(b, "the file has no weights of it");
    }
    if (norm ? w->mean == FORMATS_NO_TENSOR || w->var == FORMATS_NO_TENSOR : w->kernel == FORMATS_NO_TENSOR)
        return refuse(b, "the file has no weights of it");
    if (bias != (w->bias != FORMATS_NO_TENSOR) || gamma != (w->gamma != FORMATS_NO_TENSOR) ||
        beta != (w->beta != FORMATS_NO_TENSOR))
        return refuse(b, "its configuration and its weights differ in what it has (bias, gamma, beta)");
    return true;
}

/* ---- layers with weights ---- */

static formats_layer *begin_layer(build *b, formats_layer_op op)
{
    static const formats_layer nothing = FORMATS_LAYER_INIT;
    formats_layer *l = &b->layers[b->count++]; /* a step gives one at most */

    *l = nothing;
    l->op = op;
    return l;
}

/* Nothing may follow a softmax, and every layer with weights but the last needs its ReLU. */
static bool may_begin(build *b)
{
    if (b->softmax || b->ended)
        return refuse(b, "a layer behind the model's end");
    if ((b->convs || b->linears) && !b->activated)
        return refuse(b, "no ReLU before it");
    if (b->convs + b->linears == WEIGHTED_LAYERS)
        return refuse(b, "more layers with weights than a VGG has");
    b->activated = false;
    return true;
}

static bool take_activation(build *b, const char *name)
{
    bool behind = b->convs || b->linears;

    if (!name || strcmp(name, "linear") == 0)
        return true;
    if (strcmp(name, "relu") == 0 && behind && !b->softmax) {
        b->activated = true;
        return true;
    }
    if (strcmp(name, "softmax") == 0 && b->linears && !b->activated && !b->softmax) {
        b->softmax = true;
        return true;
    }
    return refuse(b, "activation '%.40s' where a VGG has none", name);
}

static bool all(const int pair[2], int value)
{
    return pair[0] == value && pair[1] == value;
}

/* Where the channels are: the same in all layers. */
static bool take_format(build *b)
{
    const char *format = formats_keras_config_word(b->s->config, "data_format"),
               *old = formats_keras_config_word(b->s->config, "dim_ordering");
    bool first = (format && strcmp(format, "channels_first") == 0) || (old && strcmp(old, "th") == 0);

    if (!format && !old)
        return true;
    if (b->convs && first != b->channels_first)
        return refuse(b, "its channels are elsewhere than those of the layers before it");
    b->channels_first = first;
    return true;
}

static const char *word_of(const json_t *config, const char *now, const char *before)
{
    const char *word = formats_keras_config_word(config, now);

    return word ? word : formats_keras_config_word(config, before);
}

/* 3x3 with a border of 1, by itself or by a padding before it; any other kernel without: a linear layer. */
static bool conv_fits(build *b, bool small)
{
    const json_t *c = b->s->config;
    const char *padding = word_of(c, "padding", "border_mode");
    bool same = padding && strcmp(padding, "same") == 0;
    int stride[2], before[2], dilation[2];
    double groups;

    if (!formats_keras_config_pair(c, "strides", 1, stride) ||
        !formats_keras_config_pair(c, "subsample", 1, before) ||
        !formats_keras_config_pair(c, "dilation_rate", 1, dilation) ||
        !formats_keras_config_number(c, "groups", 1, &groups) || !all(stride, 1) || !all(before, 1) ||
        !all(dilation, 1) || groups < 1 || groups > 1)
        return refuse(b, "its stride, dilation or groups are not a VGG's");
    if (small ? same == b->padded : same || b->padded)
        return refuse(b, "its border is not a VGG's");
    return true;
}

/* The number of its outputs, as the configuration says it. */
static bool outputs_fit(build *b, const char *now, const char *before, uint64_t has)
{
    double said;
    const char *key = json_object_get(b->s->config, now) ? now : before;

    if (!formats_keras_config_number(b->s->config, key, (double)has, &said) || fabs(said - (double)has) > 0)
        return refuse(b, "its configuration says %g outputs, its weights %llu", said,
                      (unsigned long long)has);
    return true;
}

/* What came before the first convolution is a way to prepare pictures. */
static bool end_prelude(build *b)
{
    formats_channels where = b->channels_first ? FORMATS_CHANNELS_FIRST : FORMATS_CHANNELS_LAST;
    const char *why;

    if (b->convs)
        return true;
    why = !formats_prelude_channels(&b->prelude, where) ? "the channels are not where it looks for them"
                                                        : formats_prelude_end(&b->prelude, b->k->out);
    return why ? refuse(b, "%s", why) : true;
}

static bool take_conv(build *b)
{
    const json_t *c = b->s->config;
    bool bias = formats_keras_config_flag(c, "use_bias", formats_keras_config_flag(c, "bias", true));
    weights w;

    if (!may_begin(b) || !take_format(b) || !end_prelude(b) || !take_weights(b, bias, false, false, &w))
        return false;
    const model_tensor *t = model_index_peek(b->k->out->index, w.kernel);
    if (t->rank != 4)
        return refuse(b, "its kernel has %u dimensions", t->rank);
    formats_axes axes = formats_keras_axes(b->k);
    const uint64_t *side = axes == FORMATS_AXES_HWIO ? t->shape : t->shape + 2;
    bool small = side[0] == 3 && side[1] == 3;
    if (!conv_fits(b, small) ||
        !outputs_fit(b, "filters", "nb_filter", t->shape[axes == FORMATS_AXES_HWIO ? 3 : 0]))
        return false;
    formats_layer *l = begin_layer(b, FORMATS_LAYER_CONV);
    l->axes = axes;
    l->weight = w.kernel;
    l->bias = w.bias;
    b->padded = false;
    b->convs += small;
    b->linears += !small;
    return take_activation(b, formats_keras_config_word(c, "activation"));
}

static bool take_dense(build *b)
{
    const json_t *c = b->s->config;
    bool bias = formats_keras_config_flag(c, "use_bias", formats_keras_config_flag(c, "bias", true));
    weights w;

    if (!b->flat)
        return refuse(b, "works on what was not flattened");
    if (!may_begin(b) || !take_weights(b, bias, false, false, &w))
        return false;
    const model_tensor *t = model_index_peek(b->k->out->index, w.kernel);
    if (t->rank != 2)
        return refuse(b, "its kernel has %u dimensions", t->rank);
    if (!outputs_fit(b, "units", "output_dim", t->shape[1]))
        return false;
    formats_layer *l = begin_layer(b, FORMATS_LAYER_LINEAR);
    l->axes = FORMATS_AXES_IN_OUT;
    l->flatten = b->flat_first ? FORMATS_FLATTEN_CHW : FORMATS_FLATTEN_HWC;
    l->weight = w.kernel;
    l->bias = w.bias;
    b->linears++;
    return take_activation(b, formats_keras_config_word(c, "activation"));
}

/* -1, 3 or [3] where the channels are last; 1 where they are first. */
static bool axis_fits(const build *b)
{
    const json_t *axis = json_object_get(b->s->config, "axis");
    json_int_t value;

    if (!axis)
        return true;
    axis = json_is_array(axis) && json_array_size(axis) == 1 ? json_array_get(axis, 0) : axis;
    value = json_integer_value(axis);
    return json_is_integer(axis) &&
           (b->channels_first ? value == 1 || value == -3 : value == 3 || value == -1);
}

static bool take_norm(build *b)
{
    const json_t *c = b->s->config;
    bool scale = formats_keras_config_flag(c, "scale", true),
         center = formats_keras_config_flag(c, "center", true);
    double epsilon;
    weights w;

    if (!b->convs || b->linears || b->activated || b->layers[b->count - 1].op != FORMATS_LAYER_CONV)
        return refuse(b, "a batch norm where a VGG has none");
    if (!axis_fits(b))
        return refuse(b, "it does not normalise the channels");
    if (!formats_keras_config_number(c, "epsilon", KERAS_BN, &epsilon) || !(epsilon > 0 && epsilon <= 1))
        return refuse(b, "its epsilon is not above 0 and at most 1");
    if (b->epsilon > 0 && fabs(b->epsilon - epsilon) > 1e-9 * epsilon)
        return refuse(b,
                      "it adds %g to the variance, those before it %g: only models with one number are run",
                      epsilon, b->epsilon);
    if (!take_weights(b, false, scale, center, &w))
        return false;
    formats_layer *l = begin_layer(b, FORMATS_LAYER_BATCH_NORM);
    l->gamma = w.gamma;
    l->beta = w.beta;
    l->mean = w.mean;
    l->var = w.var;
    l->epsilon = b->epsilon = epsilon;
    return true;
}

/* ---- layers without ---- */

static bool take_pool(build *b)
{
    const json_t *c = b->s->config;
    const char *padding = word_of(c, "padding", "border_mode");
    uint32_t height = b->k->out->said.height, width = b->k->out->said.width;
    bool even = height && width && height % 32 == 0 && width % 32 == 0; /* a border changes nothing then */
    int pool[2], stride[2];

    if (!formats_keras_config_pair(c, "pool_size", 2, pool) ||
        !formats_keras_config_pair(c, "strides", pool[0], stride) || !all(pool, 2) || !all(stride, 2) ||
        (padding && strcmp(padding, "valid") != 0 && !even))
        return refuse(b, "its size, stride or border is not a VGG's");
    if (!b->activated)
        return refuse(b, "no ReLU before it");
    if (b->flat || b->linears)
        return refuse(b, "a pooling where a VGG has none");
    (void)begin_layer(b, FORMATS_LAYER_POOL);
    return take_format(b);
}

static bool take_relu(build *b)
{
    double most, slope, threshold;

    if (!formats_keras_config_number(b->s->config, "max_value", INFINITY, &most) ||
        !formats_keras_config_number(b->s->config, "negative_slope", 0, &slope) ||
        !formats_keras_config_number(b->s->config, "threshold", 0, &threshold) || isfinite(most) ||
        fabs(slope) > 0 || fabs(threshold) > 0)
        return refuse(b, "not the plain ReLU of a VGG");
    return take_activation(b, "relu");
}

static bool take_flatten(build *b)
{
    const char *format = formats_keras_config_word(b->s->config, "data_format");
    bool moves = format && strcmp(format, "channels_first") == 0; /* it puts the channels last itself */

    if (!b->convs)
        return refuse(b, "flattens the picture");
    b->flat = true;
    b->flat_first = b->channels_first && !moves;
    return true;
}

/* A border of 1 on every side: 1, [1, 1] or [[1, 1], [1, 1]]. */
static bool take_padding(build *b)
{
    const json_t *padding = json_object_get(b->s->config, "padding");
    bool one = padding != NULL;

    for (size_t i = 0; i < 4 && one; i++) {
        const json_t *side = json_is_array(padding) ? json_array_get(padding, i / 2) : padding;
        side = json_is_array(side) ? json_array_get(side, i % 2) : side;
        one = json_is_integer(side) && json_integer_value(side) == 1;
    }
    if (!one || b->padded || b->linears)
        return refuse(b, "a border that a VGG has not");
    b->padded = true;
    return take_format(b);
}

static bool take_input(build *b)
{
    const json_t *shape = json_object_get(b->s->config, "batch_shape");
    uint64_t size[4] = {0};

    if (!shape)
        shape = json_object_get(b->s->config, "batch_input_shape");
    for (size_t i = 0; i < 4 && json_array_size(shape) == 4; i++) {
        json_int_t n = json_integer_value(json_array_get(shape, i));
        size[i] = n > 0 && n <= MODEL_SAID_SIDE_MAX ? (uint64_t)n : 0;
    }
    const uint64_t *side = size[3] == 3 ? size + 1 : size + 2;
    if (b->k->out->said.height || (size[1] != 3 && size[3] != 3) || side[0] < 32 || side[1] < 32)
        return true; /* a model inside another has its own; where no size is said any will do */
    b->k->out->said.height = (uint32_t)side[0];
    b->k->out->said.width = (uint32_t)side[1];
    return true;
}

/* ---- before the first convolution ---- */

/* One number or three of a member, or its values inside one-element lists. */
static size_t numbers_of(const json_t *value, double out[3])
{
    for (unsigned i = 0; i < 4 && json_is_array(value) && json_array_size(value) == 1; i++)
        value = json_array_get(value, 0);
    if (json_is_number(value)) {
        out[0] = json_number_value(value);
        return 1;
    }
    for (size_t i = 0; i < 3; i++) {
        if (json_array_size(value) != 3 || !json_is_number(json_array_get(value, i)))
            return 0;
        out[i] = json_number_value(json_array_get(value, i));
    }
    return 3;
}

static void spread(double values[3], size_t n)
{
    for (size_t i = n; i < 3; i++)
        values[i] = values[0];
}

static bool take_rescaling(build *b)
{
    double scale[3] = {1, 1, 1}, offset[3] = {0, 0, 0};
    size_t s = numbers_of(json_object_get(b->s->config, "scale"), scale),
           o = numbers_of(json_object_get(b->s->config, "offset"), offset);

    if (!s || (!o && json_object_get(b->s->config, "offset")))
        return refuse(b, "its scale or offset is neither a number nor one for each channel");
    spread(scale, s);
    spread(offset, o ? o : 1);
    formats_prelude_affine(&b->prelude, scale, offset, 3);
    return true;
}

/* Mean or variance that the layer learnt: in the file. */
static size_t learnt(const build *b, unsigned number, const char *what, double out[3])
{
    size_t at = b->k->numbered ? variable(b, number) : FORMATS_NO_TENSOR, len = strlen(b->s->name);
    const model_index *index = b->k->out->index;

    for (size_t i = 0; !b->k->numbered && i < model_index_count(index); i++) {
        const char *name = model_index_peek(index, i)->name, *last = strrchr(name, '/');
        if (strncmp(name, b->s->name, len) == 0 && name[len] == '/' && last &&
            strncmp(last + 1, what, strlen(what)) == 0 && strchr(":", last[1 + strlen(what)]))
            at = i;
    }
    return at == FORMATS_NO_TENSOR ? 0
                                   : formats_constant_read(b->k->out, model_index_peek(index, at), out, 3);
}

static bool take_normalization(build *b)
{
    const json_t *c = b->s->config;
    double mean[3], variance[3], factor[3], offset[3];
    size_t m = numbers_of(json_object_get(c, "mean"), mean),
           v = numbers_of(json_object_get(c, "variance"), variance);

    m = m ? m : learnt(b, 0, "mean", mean);
    v = v ? v : learnt(b, 1, "variance", variance);
    if (!(m == 1 || m == 3) || !(v == 1 || v == 3) || formats_keras_config_flag(c, "invert", false) ||
        !axis_fits(b))
        return refuse(b, "its mean and variance are not one number for each channel");
    spread(mean, m);
    spread(variance, v);
    for (size_t i = 0; i < 3; i++) {
        if (!(variance[i] >= 0))
            return refuse(b, "a variance below 0");
        factor[i] = 1 / fmax(sqrt(variance[i]), VARIANCE);
        offset[i] = -mean[i] * factor[i];
    }
    formats_prelude_affine(&b->prelude, factor, offset, 3);
    return true;
}

/* Keras 3's x[..., i]: the last argument. */
static json_int_t picked(const formats_keras_step *s)
{
    const json_t *call = json_array_get(json_object_get(s->layer, "inbound_nodes"), 0);
    const json_t *where = json_array_get(json_object_get(call, "args"), 1);
    const char *class_name = json_string_value(json_object_get(json_array_get(where, 0), "class_name"));
    const json_t *i = json_array_get(where, 1);

    return json_array_size(where) == 2 && class_name && strcmp(class_name, "__ellipsis__") == 0 &&
                   json_is_integer(i)
               ? json_integer_value(i)
               : -1;
}

/* Three channels, each picked, last or first of them first: all in their order, or all turned round. */
static bool take_stack(build *b)
{
    const formats_keras_step *s = b->s;
    bool three = (size_t)(s - b->k->config.step) >= 3, straight = three, turned = three;
    double axis;

    for (json_int_t i = 0; three && i < 3; i++) {
        const formats_keras_step *one = s - 3 + i;
        json_int_t at = one->class_number == FORMATS_KERAS_GET_ITEM ? picked(one) : -1;
        straight = straight && at == i;
        turned = turned && at == 2 - i;
    }
    if (!formats_keras_config_number(s->config, "axis", 0, &axis) || !(axis < -0.5 && axis > -1.5) ||
        !(straight || turned) || !formats_prelude_channels(&b->prelude, FORMATS_CHANNELS_LAST))
        return refuse(b, "takes something else of the picture than its channels in the opposite order");
    if (turned)
        formats_prelude_turn(&b->prelude);
    return true;
}

static bool take_summand(build *b, const json_t *value)
{
    static const double ones[3] = {1, 1, 1};
    double c[3];
    size_t n = numbers_of(value, c);

    if (!n)
        return refuse(b, "adds something else to the picture than a number for each channel");
    spread(c, n);
    formats_prelude_affine(&b->prelude, ones, c, 3);
    return true;
}

/* Keras 3: Add(x, constant). */
static bool take_add(build *b)
{
    const json_t *call = json_array_get(json_object_get(b->s->layer, "inbound_nodes"), 0);
    const json_t *constant = json_array_get(json_object_get(call, "args"), 1);

    return take_summand(b, json_object_get(json_object_get(constant, "config"), "value"));
}

/* Keras 2: what an operator was given besides its input. */
static const json_t *arguments_of(const formats_keras_step *s)
{
    const json_t *call = json_array_get(json_object_get(s->layer, "inbound_nodes"), 0);

    return json_is_string(json_array_get(call, 0)) ? json_array_get(call, 3)
                                                   : json_array_get(json_array_get(call, 0), 3);
}

static bool take_operator(build *b)
{
    const char *function = formats_keras_config_word(b->s->config, "function");

    if (function && strcmp(function, "nn.bias_add") == 0)
        return take_summand(b, json_object_get(arguments_of(b->s), "bias"));
    return refuse(b, "function '%.60s', which is not known", function ? function : "?");
}

/* x[..., ::-1] */
static bool take_slice(build *b)
{
    const json_t *spec = json_object_get(arguments_of(b->s), "slice_spec"), *last = json_array_get(spec, 1);
    const char *rest = formats_keras_config_word(json_array_get(spec, 0), "class_name");

    if (json_array_size(spec) != 2 || !rest || strcmp(rest, "__ellipsis__") != 0 ||
        !json_is_null(json_object_get(last, "start")) || !json_is_null(json_object_get(last, "stop")) ||
        json_integer_value(json_object_get(last, "step")) != -1 ||
        !formats_prelude_channels(&b->prelude, FORMATS_CHANNELS_LAST))
        return refuse(b, "takes something else of the picture than its channels in the opposite order");
    formats_prelude_turn(&b->prelude);
    return true;
}

/* ---- all of them ---- */

static bool take_before(build *b)
{
    if (b->convs)
        return refuse(b, "a layer that a VGG has not");
    switch (b->s->class_number) {
    case FORMATS_KERAS_RESCALING:
        return take_rescaling(b);
    case FORMATS_KERAS_NORMALIZATION:
        return take_normalization(b);
    case FORMATS_KERAS_GET_ITEM: /* its stack looks at it */
        return b->s + 1 < b->k->config.step + b->k->config.count &&
                       (b->s[1].class_number == FORMATS_KERAS_GET_ITEM ||
                        b->s[1].class_number == FORMATS_KERAS_STACK)
                   ? true
                   : refuse(b, "takes a part of the picture");
    case FORMATS_KERAS_STACK:
        return take_stack(b);
    case FORMATS_KERAS_ADD:
        return take_add(b);
    case FORMATS_KERAS_SLICE:
        return take_slice(b);
    case FORMATS_KERAS_OPERATOR:
        return take_operator(b);
    case FORMATS_KERAS_UNKNOWN:
    case FORMATS_KERAS_MODEL:
    case FORMATS_KERAS_INPUT:
    case FORMATS_KERAS_CONV:
    case FORMATS_KERAS_BATCH_NORM:
    case FORMATS_KERAS_DENSE:
    case FORMATS_KERAS_MAX_POOL:
    case FORMATS_KERAS_GLOBAL_POOL:
    case FORMATS_KERAS_ACTIVATION:
    case FORMATS_KERAS_RELU:
    case FORMATS_KERAS_SOFTMAX:
    case FORMATS_KERAS_FLATTEN:
    case FORMATS_KERAS_ZERO_PADDING:
    case FORMATS_KERAS_NOTHING:
        break;
    }
    return refuse(b, "a layer that a VGG has not");
}

static bool take(build *b)
{
    switch (b->s->class_number) {
    case FORMATS_KERAS_INPUT:
        return take_input(b);
    case FORMATS_KERAS_CONV:
        return take_conv(b);
    case FORMATS_KERAS_BATCH_NORM:
        return take_norm(b);
    case FORMATS_KERAS_DENSE:
        return take_dense(b);
    case FORMATS_KERAS_MAX_POOL:
        return take_pool(b);
    case FORMATS_KERAS_GLOBAL_POOL: /* features only: what it gives is not asked for here */
        b->ended = true;
        return true;
    case FORMATS_KERAS_ACTIVATION:
        return take_activation(b, formats_keras_config_word(b->s->config, "activation"));
    case FORMATS_KERAS_RELU:
        return take_relu(b);
    case FORMATS_KERAS_SOFTMAX:
        return take_activation(b, "softmax");
    case FORMATS_KERAS_FLATTEN:
        return take_flatten(b);
    case FORMATS_KERAS_ZERO_PADDING:
        return take_padding(b);
    case FORMATS_KERAS_NOTHING:
        return true;
    case FORMATS_KERAS_UNKNOWN:
    case FORMATS_KERAS_MODEL:
    case FORMATS_KERAS_RESCALING:
    case FORMATS_KERAS_NORMALIZATION:
    case FORMATS_KERAS_GET_ITEM:
    case FORMATS_KERAS_STACK:
    case FORMATS_KERAS_ADD:
    case FORMATS_KERAS_SLICE:
    case FORMATS_KERAS_OPERATOR:
        break;
    }
    return take_before(b);
}

/* Every layer with weights in the file was one of the configuration's. */
static bool take_all(build *b)
{
    const formats_keras_config *c = &b->k->config;

    for (size_t i = 0; i < c->count; i++) {
        b->s = &c->step[i];
        if (!take(b))
            return false;
    }
    if (b->linears && b->activated)
        return refuse(b, "a ReLU behind the last linear layer");
    if (b->padded)
        return refuse(b, "a border that no convolution uses");
    return true;
}

cistern_status formats_keras_model_emit(formats_keras *k)
{
    build b = {.k = k, .prelude = FORMATS_PRELUDE_INIT};
    model_said before = k->out->said;
    char note[sizeof b.why + 64];
    cistern_status st = base_calloc(k->config.count + 1, sizeof *b.layers, &b.layers, k->err);

    if (st)
        return st;
    if (!k->config.why[0] && take_all(&b)) {
        st = formats_layers_emit(k->out, b.layers, b.count, k->err);
        if (b.linears)
            model_index_set_head(k->out->index, b.softmax ? MODEL_HEAD_PROBABILITIES : MODEL_HEAD_LOGITS);
    } else {
        k->out->said = before;
        (void)snprintf(note, sizeof note, "not laid out as a VGG: %s",
                       k->config.why[0] ? k->config.why : b.why);
        model_index_note(k->out->index, note);
    }
    free(b.layers);
    return st;
}
