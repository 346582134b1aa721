/* Views of a foreign framework's tensors under torchvision's names and axes.
 *
 * Invariants
 *  1. Views point to the bytes that the originals have; only strides, shapes and names differ. What is absent and neutral
 *     (a bias of zeros, a gamma of ones) is one element of the decoded file, seen with strides of 0.
 *  2. Either all views are added or none: everything is decided before the first.
 * It does not: look at shapes beyond what it permutes; model_vgg.c judges whether they fit together.
 */
#include "priv/formats_layers.h"

#include <assert.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include "base_mem.h"
#include "model_vgg.h"

#define VIEWS_MAX (MODEL_VGG_CONVS_MAX * 6 + MODEL_VGG_LINEARS * 2)

/* One view, or a constant. */
typedef struct view {
    model_tensor t; /* name: in `name` */
    char name[64];
    bool constant;
    float value;
} view;

typedef struct plan {
    const model_index *index;
    const formats_layer *conv[MODEL_VGG_CONVS_MAX], *norm[MODEL_VGG_CONVS_MAX];
    const formats_layer *linear[MODEL_VGG_LINEARS];
    bool pooled[MODEL_VGG_CONVS_MAX]; /* a pooling follows convolution i */
    size_t convs, norms, linears, pools;
    double epsilon;
    const model_vgg *vgg;
    uint64_t channels; /* of the last convolution */
    view *views;       /* VIEWS_MAX of them */
    size_t count;
    char why[256]; /* there are no views */
} plan;

static bool refuse(plan *p, const char *fmt, ...) CISTERN_PRINTF(2, 3);
static bool refuse(plan *p, const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    (void)vsnprintf(p->why, sizeof p->why, fmt, args);
    va_end(args);
    return false;
}

static const model_tensor *tensor(const plan *p, size_t number)
{
    return number == FORMATS_NO_TENSOR ? NULL : model_index_peek(p->index, number);
}

/* ---- which layers ---- */

/* A convolution in shape, a linear layer of the classifier by its kernel: timm and slim store them so. */
static bool is_linear_conv(const plan *p, const formats_layer *l)
{
    const model_tensor *w = tensor(p, l->weight);
    const uint64_t *side = l->axes == FORMATS_AXES_HWIO ? w->shape : w->shape + 2;

    return w->rank == 4 && (side[0] != 3 || side[1] != 3);
}

static bool take_conv(plan *p, const formats_layer *l)
{
    const model_tensor *w = tensor(p, l->weight);

    if (!w || w->rank != 4)
        return refuse(p, "a convolution's weight has not 4 dimensions");
    if (p->convs == MODEL_VGG_CONVS_MAX)
        return refuse(p, "more than %d convolutions", MODEL_VGG_CONVS_MAX);
    p->channels = w->shape[l->axes == FORMATS_AXES_HWIO ? 3 : 0];
    p->conv[p->convs++] = l;
    return true;
}

static bool take_norm(plan *p, const formats_layer *l)
{
    const model_tensor *mean = tensor(p, l->mean), *var = tensor(p, l->var);

    if (!p->convs || p->norm[p->convs - 1])
        return refuse(p, "a batch norm that does not follow a convolution");
    if (!mean || !var || mean->rank != 1 || var->rank != 1)
        return refuse(p, "a batch norm without mean and variance of one dimension");
    if (l->epsilon > 0) {
        if (p->epsilon > 0 && fabs(p->epsilon - l->epsilon) > 1e-9 * p->epsilon)
            return refuse(p, "its batch norms add different numbers to the variance (%g and %g)", p->epsilon,
                          l->epsilon);
        p->epsilon = l->epsilon;
    }
    p->norm[p->convs - 1] = l;
    p->norms++;
    return true;
}

static bool take_linear(plan *p, const formats_layer *l)
{
    const model_tensor *w = tensor(p, l->weight);

    if (!w || (w->rank != 2 && w->rank != 4))
        return refuse(p, "a linear layer's weight has neither 2 nor 4 dimensions");
    if (p->linears == MODEL_VGG_LINEARS)
        return refuse(p, "more than %d linear layers", MODEL_VGG_LINEARS);
    p->linear[p->linears++] = l;
    return true;
}

static bool take_layer(plan *p, const formats_layer *l)
{
    switch (l->op) {
    case FORMATS_LAYER_CONV:
        return tensor(p, l->weight) && is_linear_conv(p, l) ? take_linear(p, l)
               : p->linears                                 ? refuse(p, "a convolution after a linear layer")
                                                            : take_conv(p, l);
    case FORMATS_LAYER_BATCH_NORM:
        return p->linears ? refuse(p, "a batch norm after a linear layer") : take_norm(p, l);
    case FORMATS_LAYER_POOL:
        if (p->convs && !p->linears) {
            p->pooled[p->convs - 1] = true;
            p->pools++;
        }
        return true;
    case FORMATS_LAYER_LINEAR:
        return take_linear(p, l);
    }
    return refuse(p, "a layer of an unknown kind");
}

/* A pooling in front of the classifier that changes nothing at VGG's own size may be added to the five. */
static bool pools_fit(const plan *p, const model_vgg *vgg)
{
    for (size_t i = 0; p->pools && i < p->convs; i++) {
        if (p->pooled[i] != vgg->conv[i].pool_after)
            return false;
    }
    return true;
}

static bool find_vgg(plan *p)
{
    if (p->norms && p->norms != p->convs)
        return refuse(p, "%zu batch norms for %zu convolutions", p->norms, p->convs);
    if (p->linears && p->linears != MODEL_VGG_LINEARS)
        return refuse(p, "%zu linear layers, a VGG has %d or none", p->linears, MODEL_VGG_LINEARS);
    for (size_t i = 0; i < model_vgg_count() && !p->vgg; i++) {
        const model_vgg *vgg = model_vgg_peek(i);
        if ((size_t)vgg->conv_count == p->convs && vgg->batch_norm == (p->norms > 0) && pools_fit(p, vgg))
            p->vgg = vgg;
    }
    return p->vgg ? true
                  : refuse(p, "%zu convolutions%s in this order, VGGs have 8, 10, 13 or 16", p->convs,
                           p->pools ? " and poolings" : "");
}

/* ---- views ---- */

static view *new_view(plan *p, const char *group, int number, const char *what)
{
    assert(p->count < VIEWS_MAX);
    view *v = &p->views[p->count++];
    (void)snprintf(v->name, sizeof v->name, "%s.%d.%s", group, number, what);
    return v;
}

static void add_vector(plan *p, const char *group, int number, const char *what, size_t source)
{
    new_view(p, group, number, what)->t = *tensor(p, source);
}

/* The tensor, or where it is absent `value` for each of n elements. */
static void add_vector_or(plan *p, const char *group, int number, const char *what, size_t source, uint64_t n,
                          float value)
{
    view *v;

    if (source != FORMATS_NO_TENSOR) {
        add_vector(p, group, number, what, source);
        return;
    }
    v = new_view(p, group, number, what);
    v->t = (model_tensor){.dtype = MODEL_F32, .rank = 1, .shape = {n}};
    v->constant = true;
    v->value = value;
}

/* [y, x, in, out] as [out, in, y, x]. */
static model_tensor as_oihw(const model_tensor *t, formats_axes axes)
{
    static const unsigned from_hwio[4] = {3, 2, 0, 1};
    model_tensor v = *t;

    for (unsigned i = 0; axes == FORMATS_AXES_HWIO && i < 4; i++) {
        v.shape[i] = t->shape[from_hwio[i]];
        v.stride[i] = t->stride[from_hwio[i]];
    }
    return v;
}

static void add_conv(plan *p, size_t i)
{
    int number = p->vgg->conv[i].feature;
    const formats_layer *l = p->conv[i], *n = p->norm[i];
    model_tensor w = as_oihw(tensor(p, l->weight), l->axes);

    new_view(p, "features", number, "weight")->t = w;
    add_vector_or(p, "features", number, "bias", l->bias, w.shape[0], 0);
    if (!n)
        return;
    add_vector_or(p, "features", number + 1, "weight", n->gamma, w.shape[0], 1);
    add_vector_or(p, "features", number + 1, "bias", n->beta, w.shape[0], 0);
    add_vector(p, "features", number + 1, "running_mean", n->mean);
    add_vector(p, "features", number + 1, "running_var", n->var);
}

/* [in, out] as [out, in]. */
static model_tensor as_rows(const model_tensor *t, formats_axes axes)
{
    model_tensor v = *t;

    if (axes == FORMATS_AXES_IN_OUT) {
        v.shape[0] = t->shape[1];
        v.shape[1] = t->shape[0];
        v.stride[0] = t->stride[1];
        v.stride[1] = t->stride[0];
    }
    return v;
}

/* [out, y * x * C] as [out, C, y, x]. The picture is square: VGG's own is 7x7, others are refused when bound. */
static bool split_inputs(plan *p, model_tensor *v)
{
    uint64_t side = 1, inputs = v->shape[1], c = p->channels, step = v->stride[1];

    while (c && side * side < inputs / c && side < 4096)
        side++;
    if (!c || inputs % c || side * side != inputs / c)
        return refuse(
            p, "its first linear layer has %llu inputs, which no square picture of %llu channels gives",
            (unsigned long long)inputs, (unsigned long long)c);
    v->rank = 4;
    v->shape[1] = c;
    v->shape[2] = v->shape[3] = side;
    v->stride[1] = step;
    v->stride[2] = step * c * side;
    v->stride[3] = step * c;
    return true;
}

static bool add_linear(plan *p, size_t i)
{
    static const int numbers[MODEL_VGG_LINEARS] = {0, 3, 6};
    const formats_layer *l = p->linear[i];
    const model_tensor *t = tensor(p, l->weight);
    model_tensor w = t->rank == 4 ? as_oihw(t, l->axes) : as_rows(t, l->axes);

    if (i == 0 && t->rank == 2 && l->flatten == FORMATS_FLATTEN_HWC && !split_inputs(p, &w))
        return false;
    new_view(p, "classifier", numbers[i], "weight")->t = w;
    add_vector_or(p, "classifier", numbers[i], "bias", l->bias, w.shape[0], 0);
    return true;
}

/* ---- into the index ---- */

static bool same_place(const model_tensor *a, const model_tensor *b)
{
    return a->dtype == b->dtype && a->file == b->file && a->offset == b->offset && a->rank == b->rank &&
           memcmp(a->shape, b->shape, a->rank * sizeof a->shape[0]) == 0 &&
           memcmp(a->stride, b->stride, a->rank * sizeof a->stride[0]) == 0;
}

/* Views whose names are free; those that are there already, at their own place, are dropped. */
static bool settle_names(plan *p)
{
    size_t kept = 0;

    for (size_t i = 0; i < p->count; i++) {
        view *v = &p->views[i];
        const model_tensor *there = model_index_find(p->index, v->name);
        if (there && (v->constant || !same_place(there, &v->t)))
            return refuse(p, "its own tensor '%s' is another than the one that is meant by that name",
                          v->name);
        if (!there)
            p->views[kept++] = *v;
    }
    p->count = kept;
    return true;
}

static bool make_plan(plan *p, const formats_layer *layers, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (!take_layer(p, &layers[i]))
            return false;
    }
    if (!find_vgg(p))
        return false;
    for (size_t i = 0; i < p->convs; i++)
        add_conv(p, i);
    for (size_t i = 0; i < p->linears; i++) {
        if (!add_linear(p, i))
            return false;
    }
    return settle_names(p);
}

static cistern_status add_views(formats_output *out, const plan *p, cistern_error *err)
{
    cistern_status st = CISTERN_OK;

    for (size_t i = 0; i < p->count && !st; i++) {
        view *v = &p->views[i];
        v->t.name = v->name;
        st = v->constant ? formats_decoded_constant(out->decoded, out->index, &v->t, v->value, err)
                         : model_index_add(out->index, &v->t, err);
    }
    if (!st && p->epsilon > 0)
        st = model_index_set_epsilon(out->index, p->epsilon, err);
    return st;
}

cistern_status formats_layers_emit(formats_output *out, const formats_layer *layers, size_t count,
                                   cistern_error *err)
{
    plan p = {.index = out->index};
    char note[sizeof p.why + 64];
    cistern_status st = base_calloc(VIEWS_MAX, sizeof *p.views, &p.views, err);

    if (st)
        return st;
    if (make_plan(&p, layers, count)) {
        st = add_views(out, &p, err);
    } else {
        (void)snprintf(note, sizeof note, "not laid out as a VGG: %s", p.why);
        model_index_note(out->index, note);
    }
    free(p.views);
    return st;
}
