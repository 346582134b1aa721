/* Keras' configurations: see priv/formats_keras_config.h.
 *
 * Invariants
 *  1. The document is JSON of at most FORMATS_KERAS_CONFIG_MAX bytes and BASE_JSON_DEPTH levels. Names of classes are
 *     compared with a table; code in it (Lambda) is text like any other, and makes the layer an unknown one.
 *  2. In a functional model each layer's input is the layer before it in the list, which Keras writes in the order of
 *     computation; anything else is told by name.
 *  3. Models inside models: an explicit stack, FORMATS_KERAS_DEPTH_MAX deep.
 * Source: keras/src/models/functional.py and sequential.py (get_config), keras/src/saving/saving_lib.py (names of groups),
 * Keras 3.15; keras/engine/topology.py of Keras 1 and 2.
 */
#include "priv/formats_keras_config.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include "base_json.h"
#include "base_mem.h"
#include "formats_limits.h"

#define NAME_SHOWN 80  /* bytes of a name in messages */
#define PATH_BYTES 384 /* of the models around a layer */

typedef struct row {
    const char *class_name;
    formats_keras_class number;
    const char *group; /* what saving_lib calls its groups */
} row;

static const row classes[] = {
    {"Functional", FORMATS_KERAS_MODEL, "functional"},
    {"Model", FORMATS_KERAS_MODEL, "functional"},
    {"Sequential", FORMATS_KERAS_MODEL, "sequential"},
    {"InputLayer", FORMATS_KERAS_INPUT, "input_layer"},
    {"Conv2D", FORMATS_KERAS_CONV, "conv2d"},
    {"Convolution2D", FORMATS_KERAS_CONV, "conv2d"},
    {"BatchNormalization", FORMATS_KERAS_BATCH_NORM, "batch_normalization"},
    {"BatchNormalizationV1", FORMATS_KERAS_BATCH_NORM, "batch_normalization_v1"},
    {"BatchNormalizationV2", FORMATS_KERAS_BATCH_NORM, "batch_normalization_v2"},
    {"Dense", FORMATS_KERAS_DENSE, "dense"},
    {"MaxPooling2D", FORMATS_KERAS_MAX_POOL, NULL},
    {"MaxPool2D", FORMATS_KERAS_MAX_POOL, NULL},
    {"GlobalAveragePooling2D", FORMATS_KERAS_GLOBAL_POOL, NULL},
    {"GlobalMaxPooling2D", FORMATS_KERAS_GLOBAL_POOL, NULL},
    {"Activation", FORMATS_KERAS_ACTIVATION, NULL},
    {"ReLU", FORMATS_KERAS_RELU, NULL},
    {"Softmax", FORMATS_KERAS_SOFTMAX, NULL},
    {"Flatten", FORMATS_KERAS_FLATTEN, NULL},
    {"ZeroPadding2D", FORMATS_KERAS_ZERO_PADDING, NULL},
    {"Dropout", FORMATS_KERAS_NOTHING, NULL},
    {"SpatialDropout2D", FORMATS_KERAS_NOTHING, NULL},
    {"GaussianDropout", FORMATS_KERAS_NOTHING, NULL},
    {"GaussianNoise", FORMATS_KERAS_NOTHING, NULL},
    {"AlphaDropout", FORMATS_KERAS_NOTHING, NULL},
    {"ActivityRegularization", FORMATS_KERAS_NOTHING, NULL},
    {"Identity", FORMATS_KERAS_NOTHING, NULL},
    {"RandomFlip", FORMATS_KERAS_NOTHING, NULL},
    {"RandomRotation", FORMATS_KERAS_NOTHING, NULL},
    {"RandomZoom", FORMATS_KERAS_NOTHING, NULL},
    {"RandomTranslation", FORMATS_KERAS_NOTHING, NULL},
    {"RandomContrast", FORMATS_KERAS_NOTHING, NULL},
    {"RandomBrightness", FORMATS_KERAS_NOTHING, NULL},
    {"Rescaling", FORMATS_KERAS_RESCALING, NULL},
    {"Normalization", FORMATS_KERAS_NORMALIZATION, "normalization"},
    {"GetItem", FORMATS_KERAS_GET_ITEM, NULL},
    {"Stack", FORMATS_KERAS_STACK, NULL},
    {"Add", FORMATS_KERAS_ADD, NULL},
    {"SlicingOpLambda", FORMATS_KERAS_SLICE, NULL},
    {"TFOpLambda", FORMATS_KERAS_OPERATOR, NULL},
};

/* A model whose layers are being listed. */
typedef struct frame {
    const json_t *layers;
    size_t next;
    const char *before;                                /* name of the layer before; NULL: none yet */
    size_t groups[sizeof classes / sizeof classes[0]]; /* how many of each row's class came */
    char path[PATH_BYTES], place[PATH_BYTES];          /* "" or with a slash at the end */
} frame;

static bool refuse(formats_keras_config *c, const char *name, const char *fmt, ...) CISTERN_PRINTF(3, 4);
static bool refuse(formats_keras_config *c, const char *name, const char *fmt, ...)
{
    va_list args;
    int used = snprintf(c->why, sizeof c->why, "layer '%.*s' ", NAME_SHOWN, name);

    va_start(args, fmt);
    (void)vsnprintf(c->why + used, sizeof c->why - (size_t)used, fmt, args);
    va_end(args);
    return false;
}

/* ---- members ---- */

const char *formats_keras_config_word(const json_t *config, const char *key)
{
    const json_t *value = json_object_get(config, key);

    if (json_is_object(value)) {
        const char *inner = json_string_value(json_object_get(value, "config"));
        return inner ? inner : json_string_value(json_object_get(value, "class_name"));
    }
    return json_string_value(value);
}

bool formats_keras_config_number(const json_t *config, const char *key, double otherwise, double *out)
{
    const json_t *value = json_object_get(config, key);

    *out = json_is_number(value) ? json_number_value(value) : otherwise;
    return !value || json_is_null(value) || json_is_number(value);
}

bool formats_keras_config_pair(const json_t *config, const char *key, int otherwise, int out[2])
{
    const json_t *value = json_object_get(config, key);

    out[0] = out[1] = otherwise;
    if (!value || json_is_null(value))
        return true;
    for (size_t i = 0; i < 2; i++) {
        const json_t *one = json_is_array(value) ? json_array_get(value, i) : value;
        json_int_t number = json_integer_value(one);
        if (!json_is_integer(one) || number < 0 || number > 65536)
            return false;
        out[i] = (int)number;
    }
    return !json_is_array(value) || json_array_size(value) == 2;
}

bool formats_keras_config_flag(const json_t *config, const char *key, bool otherwise)
{
    const json_t *value = json_object_get(config, key);

    return json_is_boolean(value) ? json_is_true(value) : otherwise;
}

/* ---- the chain ---- */

static const row *row_of(const char *class_name)
{
    for (size_t i = 0; i < sizeof classes / sizeof classes[0]; i++) {
        if (strcmp(classes[i].class_name, class_name) == 0)
            return &classes[i];
    }
    return NULL;
}

/* A tensor that a call was given: its layer's name, in the ways of Keras 3 and of those before; NULL: none. */
static const char *origin_of(const json_t *argument)
{
    const json_t *config = json_object_get(argument, "config");
    const char *class_name = json_string_value(json_object_get(argument, "class_name"));

    if (class_name && strcmp(class_name, "__keras_tensor__") == 0)
        return json_string_value(json_array_get(json_object_get(config, "keras_history"), 0));
    return json_is_array(argument) && json_is_integer(json_array_get(argument, 1))
               ? json_string_value(json_array_get(argument, 0))
               : NULL;
}

/* The tensors that a layer's only call was given, at most 4 of them. false: it is called more than once, or in another
 * way than Keras writes. */
static bool origins_of(const json_t *layer, const char *out[4], size_t *count)
{
    const json_t *nodes = json_object_get(layer, "inbound_nodes"), *node = json_array_get(nodes, 0);
    const json_t *arguments = json_is_object(node) ? json_object_get(node, "args") : node;
    const char *alone = origin_of(arguments);

    *count = 0;
    if (json_array_size(nodes) > 1)
        return false;
    if (alone) {
        out[(*count)++] = alone;
        return true;
    }
    for (size_t i = 0; i < json_array_size(arguments); i++) {
        const json_t *argument = json_array_get(arguments, i);
        size_t inside = json_is_array(argument) && !origin_of(argument) ? json_array_size(argument) : 1;
        for (size_t k = 0; k < inside; k++) {
            const char *origin =
                origin_of(inside == 1 && origin_of(argument) ? argument : json_array_get(argument, k));
            if (origin && *count == 4)
                return false;
            if (origin)
                out[(*count)++] = origin;
        }
    }
    return true;
}

/* The three channels in front of a stack of Keras 3 each come from the layer before them, and the stack from all three. */
static bool follows(formats_keras_config *c, const frame *f, const formats_keras_step *s)
{
    const char *origin[4];
    size_t count;
    bool stack = s->class_number == FORMATS_KERAS_STACK;

    if (!origins_of(s->layer, origin, &count))
        return refuse(c, s->name, "(%.60s) is used more than once, or works on many", s->class_name);
    for (size_t i = 0; i < count; i++) {
        const formats_keras_step *from = stack && c->count >= 3 ? &c->step[c->count - 3 + i % 3] : NULL;
        const char *before = from ? from->name : f->before;
        if (!before || strcmp(origin[i], before) != 0)
            return refuse(c, s->name,
                          "(%.60s) follows '%.*s', not the layer before it in the list: this is no chain",
                          s->class_name, NAME_SHOWN, origin[i]);
    }
    if (count > 1 && !(stack && count == 3))
        return refuse(c, s->name, "(%.60s) joins %zu branches", s->class_name, count);
    return true;
}

/* ---- steps ---- */

static cistern_status join(const char *prefix, const char *name, size_t number, char **out,
                           cistern_error *err)
{
    return number ? base_asprintf(out, err, "%s%.*s_%zu", prefix, 256, name, number)
                  : base_asprintf(out, err, "%s%.*s", prefix, 256, name);
}

static cistern_status add_step(formats_keras_config *c, const formats_keras_step *s, const frame *f,
                               const char *group, size_t number, cistern_error *err)
{
    formats_keras_step *bigger;
    cistern_status st;

    if (c->count == FORMATS_KERAS_LAYERS_MAX)
        return base_fail(err, CISTERN_UNREADABLE, "more than %u layers in its configuration",
                         FORMATS_KERAS_LAYERS_MAX);
    if (c->count == c->capacity) {
        size_t capacity = c->capacity ? 2 * c->capacity : 64;
        if ((st = base_calloc(capacity, sizeof *bigger, &bigger, err)))
            return st;
        if (c->count)
            memcpy(bigger, c->step, c->count * sizeof *bigger);
        free(c->step);
        c->step = bigger;
        c->capacity = capacity;
    }
    formats_keras_step *to = &c->step[c->count];
    *to = *s;
    if ((st = join(f->path, s->name, 0, &to->path, err)))
        return st;
    if ((st = join(f->place, group ? group : "-", number, &to->place, err))) {
        free(to->path);
        return st;
    }
    c->count++;
    return CISTERN_OK;
}

/* Layers of a model's configuration: {"layers": […]}, or the list itself (Sequential of Keras 1). */
static const json_t *layers_of(const json_t *config)
{
    const json_t *layers = json_is_array(config) ? config : json_object_get(config, "layers");

    return json_is_array(layers) ? layers : NULL;
}

/* "<name>/" or "<name>_<number>/" behind what is there. */
static bool append(char path[PATH_BYTES], const char *name, size_t number)
{
    size_t used = strlen(path), room = PATH_BYTES - used;
    int n = number ? snprintf(path + used, room, "%s_%zu/", name, number)
                   : snprintf(path + used, room, "%s/", name);

    return n >= 0 && (size_t)n < room;
}

static bool enter(formats_keras_config *c, frame *stack, size_t *depth, const formats_keras_step *model,
                  const char *group, size_t number)
{
    const frame *outer = &stack[*depth - 1];
    const json_t *layers = layers_of(json_object_get(model->layer, "config"));

    if (!layers)
        return refuse(c, model->name, "(%.60s) lists no layers", model->class_name);
    if (*depth == FORMATS_KERAS_DEPTH_MAX)
        return refuse(c, model->name, "is a model inside models, more than %u deep", FORMATS_KERAS_DEPTH_MAX);
    frame *f = &stack[*depth];
    *f = (frame){.layers = layers};
    memcpy(f->path, outer->path, sizeof f->path);
    memcpy(f->place, outer->place, sizeof f->place);
    if (!append(f->path, model->name, 0) || !append(f->place, group, number))
        return refuse(c, model->name, "has too long a name");
    ++*depth;
    return true;
}

/* One more layer of the innermost model. false: no chain; *st set where that is a failure. */
static bool take_layer(formats_keras_config *c, frame *stack, size_t *depth, cistern_status *st,
                       cistern_error *err)
{
    frame *f = &stack[*depth - 1];
    formats_keras_step s = {.layer = json_array_get(f->layers, f->next++)};
    const json_t *name;

    s.class_name = json_string_value(json_object_get(s.layer, "class_name"));
    s.config = json_object_get(s.layer, "config");
    name = json_object_get(s.layer, "name") ? json_object_get(s.layer, "name")
                                            : json_object_get(s.config, "name");
    s.name = json_string_value(name);
    if (!s.class_name || !s.config)
        return refuse(c, s.name ? s.name : "?", "has no class or no configuration");
    const row *r = row_of(s.class_name);
    s.name = s.name ? s.name : s.class_name; /* Sequential inside, of Keras 1 */
    s.class_number = r ? r->number : FORMATS_KERAS_UNKNOWN;
    if (!json_is_object(s.config) && s.class_number != FORMATS_KERAS_MODEL)
        return refuse(c, s.name, "has no configuration");
    if (!follows(c, f, &s))
        return false;
    size_t number = r ? f->groups[r - classes]++ * (c->stride ? c->stride : 1) : 0;
    if (s.class_number != FORMATS_KERAS_GET_ITEM) /* the other channels come from where this one does */
        f->before = s.name;
    if (s.class_number == FORMATS_KERAS_MODEL)
        return enter(c, stack, depth, &s, r->group, number);
    *st = add_step(c, &s, f, r ? r->group : NULL, number, err);
    return *st == CISTERN_OK;
}

static cistern_status list_steps(formats_keras_config *c, const json_t *layers, cistern_error *err)
{
    frame *stack;
    size_t depth = 1;
    cistern_status st = base_calloc(FORMATS_KERAS_DEPTH_MAX, sizeof *stack, &stack, err);

    if (st)
        return st;
    stack[0].layers = layers;
    while (depth) {
        if (stack[depth - 1].next == json_array_size(stack[depth - 1].layers))
            depth--;
        else if (!take_layer(c, stack, &depth, &st, err))
            break;
    }
    free(stack);
    return st;
}

cistern_status formats_keras_config_read(const void *bytes, size_t n, formats_keras_config *out,
                                         bool *out_lists, cistern_error *err)
{
    const json_t *layers = NULL;
    const char *class_name;
    cistern_status st = CISTERN_DAMAGED;

    *out_lists = false;
    if (n <= FORMATS_KERAS_CONFIG_MAX)
        st = base_json_parse(bytes, n, BASE_JSON_REALS, "its configuration", &out->document, NULL);
    if (st == CISTERN_NO_MEMORY)
        return base_fail_memory(err, n);
    if (st)
        return CISTERN_OK;
    class_name = json_string_value(json_object_get(out->document, "class_name"));
    const row *r = class_name ? row_of(class_name) : NULL;
    if (r && r->number == FORMATS_KERAS_MODEL)
        layers = layers_of(json_object_get(out->document, "config"));
    *out_lists = layers != NULL;
    return layers ? list_steps(out, layers, err) : CISTERN_OK;
}

void formats_keras_config_clear(formats_keras_config *c)
{
    for (size_t i = 0; i < c->count; i++) {
        free(c->step[i].path);
        free(c->step[i].place);
    }
    free(c->step);
    json_decref(c->document);
    *c = (formats_keras_config){.document = NULL};
}
