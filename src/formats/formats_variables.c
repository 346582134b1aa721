/* Layers from variables' names, where no graph tells them.
 *
 *   vgg_16/conv1/conv1_1/weights, /biases              slim
 *   block1_conv1/kernel, /bias                         TensorFlow 1
 *   layer_with_weights-0/kernel/.ATTRIBUTES/…          Keras 2: the number is the layer's place
 *   _layers/1/_kernel/.ATTRIBUTES/…                    Keras 3, saved
 *   variables/0/.ATTRIBUTES/…                          Keras, exported: the number is the variable's place
 * Whatever has another role (an optimizer's m and v, moving averages, _all_variables, whose numbers are in no order) is
 * none of the model's layers.
 *
 * Invariants
 *  1. Layers are taken in the natural order of their names, so that conv2d_10 follows conv2d_9; batch norms, which may be
 *     named apart from convolutions, belong to them one by one.
 *  2. Axes are TensorFlow's: kernels [y, x, in, out], matrices [in, out], pictures with their channels last.
 */
#include "priv/formats_tensorflow.h"

#include <string.h>
#include "base_mem.h"

#define ATTRIBUTE "/.ATTRIBUTES/VARIABLE_VALUE"
#define EXPORTED  "variables" /* the layer's name, when the role is a number */

typedef enum role {
    ROLE_NONE = 0,
    ROLE_WEIGHT,
    ROLE_BIAS,
    ROLE_GAMMA,
    ROLE_BETA,
    ROLE_MEAN,
    ROLE_VAR,
    ROLE_PLACE
} role;

typedef struct variable {
    formats_text layer; /* sorted by; of an exported variable its place */
    role role;
    size_t tensor;
} variable;

typedef struct sorted {
    const model_index *index;
    variable *v;
    size_t count;
    formats_layer *layers; /* convolutions, norms, linears: each in its own third */
    size_t room;           /* of each third */
    size_t convs, norms, linears;
} sorted;

/* ---- names ---- */

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* A run of digits without the zeros before it. */
static formats_text take_digits(formats_text *t)
{
    formats_text run;

    while (t->len > 1 && t->at[0] == '0' && is_digit(t->at[1])) {
        t->at++;
        t->len--;
    }
    run = (formats_text){t->at, 0};
    while (t->len && is_digit(t->at[0])) {
        run.len++;
        t->at++;
        t->len--;
    }
    return run;
}

/* Numbers inside names by their value, all else by bytes. */
static int natural_order(formats_text a, formats_text b)
{
    while (a.len && b.len) {
        if (is_digit(a.at[0]) && is_digit(b.at[0])) {
            formats_text x = take_digits(&a), y = take_digits(&b);
            int c = x.len != y.len ? (x.len > y.len) - (x.len < y.len) : formats_text_compare(x, y);
            if (c)
                return c;
            continue;
        }
        if (a.at[0] != b.at[0])
            return (uint8_t)a.at[0] < (uint8_t)b.at[0] ? -1 : 1;
        a.at++;
        a.len--;
        b.at++;
        b.len--;
    }
    return (a.len > 0) - (b.len > 0);
}

static role role_of(formats_text name)
{
    static const struct {
        const char *name;
        role role;
    } roles[] = {
        {"kernel", ROLE_WEIGHT},    {"_kernel", ROLE_WEIGHT},      {"weights", ROLE_WEIGHT},
        {"weight", ROLE_WEIGHT},    {"filter", ROLE_WEIGHT},       {"bias", ROLE_BIAS},
        {"biases", ROLE_BIAS},      {"gamma", ROLE_GAMMA},         {"beta", ROLE_BETA},
        {"moving_mean", ROLE_MEAN}, {"moving_variance", ROLE_VAR},
    };

    for (size_t i = 0; i < sizeof roles / sizeof roles[0]; i++) {
        if (formats_text_is(name, roles[i].name))
            return roles[i].role;
    }
    return ROLE_NONE;
}

static bool all_digits(formats_text t)
{
    for (size_t i = 0; i < t.len; i++) {
        if (!is_digit(t.at[i]))
            return false;
    }
    return t.len > 0;
}

/* "<layer>/<role>"; false: no layer's variable. */
static bool parse_name(const char *name, variable *out)
{
    size_t len = strlen(name), suffix = sizeof ATTRIBUTE - 1;

    if (len > suffix && strcmp(name + len - suffix, ATTRIBUTE) == 0)
        len -= suffix;
    size_t slash = len;
    while (slash && name[slash - 1] != '/')
        slash--;
    if (slash < 2)
        return false;
    formats_text last = {name + slash, len - slash};
    out->layer = (formats_text){name, slash - 1};
    out->role = role_of(last);
    if (out->role == ROLE_NONE && formats_text_is(out->layer, EXPORTED) && all_digits(last)) {
        out->role = ROLE_PLACE;
        out->layer = last;
    }
    return out->role != ROLE_NONE;
}

static int by_layer(const void *a, const void *b)
{
    const variable *x = a, *y = b;
    int c = natural_order(x->layer, y->layer);

    if (!c)
        c = formats_text_compare(x->layer, y->layer);
    if (!c)
        c = (x->role > y->role) - (x->role < y->role);
    return c ? c : (x->tensor > y->tensor) - (x->tensor < y->tensor);
}

/* ---- layers ---- */

static formats_layer *new_layer(sorted *s, formats_layer_op op)
{
    static const formats_layer nothing = FORMATS_LAYER_INIT;
    formats_layer *l = op == FORMATS_LAYER_CONV         ? &s->layers[s->convs++]
                       : op == FORMATS_LAYER_BATCH_NORM ? &s->layers[s->room + s->norms++]
                                                        : &s->layers[2 * s->room + s->linears++];
    *l = nothing;
    l->op = op;
    l->flatten = FORMATS_FLATTEN_HWC;
    return l;
}

/* A layer of this weight, or NULL: a rank that none has. */
static formats_layer *weight_layer(sorted *s, size_t tensor)
{
    const model_tensor *t = model_index_peek(s->index, tensor);
    formats_layer *l = NULL;

    if (t->rank == 4) {
        l = new_layer(s, t->shape[0] == 3 && t->shape[1] == 3 ? FORMATS_LAYER_CONV : FORMATS_LAYER_LINEAR);
        l->axes = FORMATS_AXES_HWIO;
    } else if (t->rank == 2) {
        l = new_layer(s, FORMATS_LAYER_LINEAR);
        l->axes = FORMATS_AXES_IN_OUT;
    }
    if (l)
        l->weight = tensor;
    return l;
}

/* One of the variables of one layer, which is a norm or has a weight. */
static void fill(sorted *s, formats_layer **weighted, formats_layer **norm, const variable *v)
{
    if (v->role == ROLE_WEIGHT) {
        *weighted = *weighted ? *weighted : weight_layer(s, v->tensor);
        return;
    }
    if (v->role == ROLE_BIAS) { /* sorted behind the weight */
        if (*weighted && (*weighted)->bias == FORMATS_NO_TENSOR)
            (*weighted)->bias = v->tensor;
        return;
    }
    if (!*norm)
        *norm = new_layer(s, FORMATS_LAYER_BATCH_NORM);
    size_t *places[] = {[ROLE_GAMMA] = &(*norm)->gamma,
                        [ROLE_BETA] = &(*norm)->beta,
                        [ROLE_MEAN] = &(*norm)->mean,
                        [ROLE_VAR] = &(*norm)->var};
    *places[v->role] = v->tensor;
}

static void named_layers(sorted *s)
{
    formats_layer *weighted = NULL, *norm = NULL;

    for (size_t i = 0; i < s->count; i++) {
        if (s->v[i].role == ROLE_PLACE)
            continue;
        if (i && formats_text_compare(s->v[i - 1].layer, s->v[i].layer) != 0)
            weighted = norm = NULL;
        fill(s, &weighted, &norm, &s->v[i]);
    }
}

/* How many vectors follow the weight at i. */
static size_t vectors_behind(const sorted *s, size_t i)
{
    size_t n = 0;

    while (i + 1 + n < s->count && model_index_peek(s->index, s->v[i + 1 + n].tensor)->rank == 1)
        n++;
    return n;
}

/* Exported variables: each weight with what follows it: a bias, a batch norm's four, or both. */
static void placed_layers(sorted *s)
{
    for (size_t i = 0; i < s->count; i++) {
        formats_layer *l = s->v[i].role == ROLE_PLACE ? weight_layer(s, s->v[i].tensor) : NULL;
        if (!l)
            continue;
        size_t n = vectors_behind(s, i), at = i + 1;
        if (n == 1 || n == 5)
            l->bias = s->v[at++].tensor;
        if (n == 4 || n == 5) {
            l = new_layer(s, FORMATS_LAYER_BATCH_NORM);
            l->gamma = s->v[at].tensor;
            l->beta = s->v[at + 1].tensor;
            l->mean = s->v[at + 2].tensor;
            l->var = s->v[at + 3].tensor;
        }
    }
}

/* Convolutions each with its norm, then the linear layers. */
static cistern_status emit(const sorted *s, formats_output *out, cistern_error *err)
{
    formats_layer *all = NULL;
    size_t n = 0, norms = 0;
    cistern_status st = base_calloc(s->convs + s->norms + s->linears + 1, sizeof *all, &all, err);

    if (st)
        return st;
    for (size_t i = 0; i < s->convs; i++) {
        all[n++] = s->layers[i];
        if (norms < s->norms)
            all[n++] = s->layers[s->room + norms++];
    }
    while (norms < s->norms)
        all[n++] = s->layers[s->room + norms++];
    for (size_t i = 0; i < s->linears; i++)
        all[n++] = s->layers[2 * s->room + i];
    st = formats_layers_emit(out, all, n, err);
    free(all);
    return st;
}

cistern_status formats_variables_emit(formats_output *out, size_t first, cistern_error *err)
{
    sorted s = {.index = out->index, .room = model_index_count(out->index) - first};
    bool placed = false;
    cistern_status st = base_calloc(s.room + 1, sizeof *s.v, &s.v, err);

    if (!st)
        st = base_calloc(3 * s.room + 1, sizeof *s.layers, &s.layers, err);
    for (size_t i = 0; !st && i < s.room; i++) {
        variable *v = &s.v[s.count];
        v->tensor = first + i;
        if (parse_name(model_index_peek(out->index, v->tensor)->name, v)) {
            placed = placed || v->role == ROLE_PLACE;
            s.count++;
        }
    }
    if (!st) {
        if (s.count)
            qsort(s.v, s.count, sizeof *s.v, by_layer);
        if (placed)
            placed_layers(&s);
        else
            named_layers(&s);
        st = emit(&s, out, err);
    }
    free(s.v);
    free(s.layers);
    return st;
}
