/* Figures of tensors, and how two models differ. */
#include "priv/api_values.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base_mem.h"

static bool named_as_torchvision(const char *name)
{
    return strncmp(name, "features.", 9) == 0 || strncmp(name, "classifier.", 11) == 0;
}

int cistern_model_tensor_view_of(const cistern_model *m, size_t i, size_t *out)
{
    const model_tensor *t;
    if (i >= model_index_count(m->index))
        return 0;
    t = model_index_peek(m->index, i);
    for (size_t k = 0; named_as_torchvision(t->name) && k < i; k++) { /* views come after what they show */
        if (!api_values_same_bytes(t, model_index_peek(m->index, k)))
            continue;
        *out = k;
        return 1;
    }
    return 0;
}

cistern_status cistern_model_tensor_stats(const cistern_model *m, size_t i, cistern_cancel *cancel,
                                          cistern_tensor_stats *out, cistern_error *err)
{
    model_values v;
    model_stats s;
    cistern_status st;
    if (i >= model_index_count(m->index))
        return base_fail(err, CISTERN_USAGE, "tensor %zu of %zu", i, model_index_count(m->index));
    st = api_sized_check(out, "cistern_tensor_stats", err);
    if (st != CISTERN_OK)
        return st;
    model_values_init_any(&v, model_index_peek(m->index, i),
                          api_values_data(m, model_index_peek(m->index, i)));
    st = api_values_stats(m->context, &v, cancel ? &cancel->token : NULL, &s, err);
    if (st == CISTERN_OK)
        st = cistern_model_check(m, err);
    if (st != CISTERN_OK)
        return st;
    bool any = s.count > s.nans;
    cistern_tensor_stats told = {sizeof told,
                                 s.count,
                                 s.nans,
                                 s.infinities,
                                 any ? s.minimum : (double)NAN,
                                 any ? s.maximum : (double)NAN,
                                 any ? s.sum / (double)(s.count - s.nans) : (double)NAN};
    api_sized_give(&told, sizeof told, out);
    return CISTERN_OK;
}

/* ---- differences ---- */

typedef struct side {
    const cistern_model *m;
    model_network network; /* of a VGG */
} side;

typedef struct diff {
    side left, right;
    bool by_role;
    const base_cancel *cancel;
    cistern_tensor_change_fn tensor;
    cistern_fact_change_fn fact;
    void *user;
    cistern_diff_result result;
} diff;

/* A tensor as it is compared. */
typedef struct operand {
    const side *of;
    const model_tensor *t; /* NULL: absent */
    uint32_t rank;
    uint64_t shape[MODEL_RANK_MAX];
    double add;
} operand;

static void tell_operand(const operand *o, cistern_tensor *out)
{
    if (!o->t || !cistern_model_tensor_by_name(o->of->m, o->t->name, out))
        return;
    out->rank = o->rank;
    memcpy(out->shape, o->shape, sizeof out->shape);
}

static cistern_status measure(const diff *d, const operand *a, const operand *b, cistern_tensor_change *c,
                              cistern_error *err)
{
    model_values left, right;
    model_difference found;
    cistern_status st;
    model_values_init(&left, a->t, api_values_data(a->of->m, a->t));
    model_values_init(&right, b->t, api_values_data(b->of->m, b->t));
    st = api_values_compare(a->of->m->context, &left, a->add, &right, b->add, d->cancel, &found, err);
    if (st != CISTERN_OK)
        return st;
    c->count = found.count;
    c->differing = found.differing;
    c->max_absolute = found.max_absolute;
    c->relative = found.largest > 0 ? found.max_absolute / found.largest : (double)NAN;
    c->at = found.at;
    c->change = found.differing              ? CISTERN_CHANGE_VALUES
                : a->t->dtype != b->t->dtype ? CISTERN_CHANGE_DTYPE
                                             : CISTERN_CHANGE_NONE;
    return CISTERN_OK;
}

static void count_change(cistern_diff_result *r, const cistern_tensor_change *c)
{
    if (!c->counts) {
        r->unused += c->change != CISTERN_CHANGE_NONE;
        return;
    }
    switch (c->change) {
    case CISTERN_CHANGE_NONE:
        r->equal++;
        break;
    case CISTERN_CHANGE_VALUES:
    case CISTERN_CHANGE_DTYPE:
    case CISTERN_CHANGE_SHAPE:
        r->different++;
        break;
    case CISTERN_CHANGE_LEFT:
        r->only_left++;
        break;
    case CISTERN_CHANGE_RIGHT:
        r->only_right++;
        break;
    }
}

static cistern_status compare(diff *d, const char *name, bool counts, const operand *a, const operand *b,
                              cistern_error *err)
{
    cistern_tensor left = {.size = sizeof left}, right = {.size = sizeof right};
    cistern_tensor_change c = {.size = sizeof c, .name = name, .counts = counts, .relative = (double)NAN};
    cistern_status st = CISTERN_OK;
    tell_operand(a, &left);
    tell_operand(b, &right);
    c.left = a->t ? &left : NULL;
    c.right = b->t ? &right : NULL;
    if (!a->t || !b->t)
        c.change = a->t ? CISTERN_CHANGE_LEFT : CISTERN_CHANGE_RIGHT;
    else if (a->rank != b->rank || memcmp(a->shape, b->shape, a->rank * sizeof a->shape[0]) != 0)
        c.change = CISTERN_CHANGE_SHAPE;
    else
        st = measure(d, a, b, &c, err);
    if (st != CISTERN_OK)
        return st;
    count_change(&d->result, &c);
    if (d->tensor)
        d->tensor(d->user, &c);
    return CISTERN_OK;
}

/* ---- by role ---- */

static operand of_network(const side *s, const model_network_tensor *n)
{
    operand o = {.of = s};
    if (!n)
        return o;
    o.t = n->t;
    o.rank = n->rank;
    memcpy(o.shape, n->shape, sizeof n->shape);
    return o;
}

static cistern_status compare_role(diff *d, const model_network_tensor *a, const model_network_tensor *b,
                                   cistern_error *err)
{
    const model_network_tensor *any = a ? a : b;
    operand left = of_network(&d->left, a), right = of_network(&d->right, b);
    if (any->variance && a && b &&
        !api_values_same_epsilon(d->left.network.epsilon, d->right.network.epsilon)) {
        left.add = d->left.network.epsilon; /* what is computed with */
        right.add = d->right.network.epsilon;
    }
    return compare(d, any->name, !any->counter, &left, &right, err);
}

static cistern_status compare_roles(diff *d, cistern_error *err)
{
    const model_network *a = &d->left.network, *b = &d->right.network;
    cistern_status st = CISTERN_OK;
    for (size_t i = 0; st == CISTERN_OK && i < a->count; i++)
        st = compare_role(d, &a->at[i], model_network_find(b, a->at[i].name), err);
    for (size_t i = 0; st == CISTERN_OK && i < b->count; i++) {
        if (!model_network_find(a, b->at[i].name))
            st = compare_role(d, NULL, &b->at[i], err);
    }
    return st;
}

/* ---- by name ---- */

static operand of_tensor(const side *s, const model_tensor *t)
{
    operand o = {.of = s, .t = t};
    if (!t)
        return o;
    o.rank = t->rank;
    memcpy(o.shape, t->shape, sizeof o.shape);
    return o;
}

/* Whether a tensor is compared by its name: it, or a view of it, is not in the network. */
static bool is_other(const diff *d, const side *s, const model_tensor *t)
{
    for (size_t i = 0; d->by_role && i < s->network.count; i++) {
        if (s->network.at[i].t == t || api_values_same_bytes(s->network.at[i].t, t))
            return false;
    }
    return true;
}

static cistern_status compare_others(diff *d, cistern_error *err)
{
    const model_index *a = d->left.m->index, *b = d->right.m->index;
    cistern_status st = CISTERN_OK;
    for (size_t i = 0; st == CISTERN_OK && i < model_index_count(a); i++) {
        const model_tensor *t = model_index_peek(a, i), *other = model_index_find(b, t->name);
        operand left = of_tensor(&d->left, t), right = of_tensor(&d->right, other);
        if (other && !is_other(d, &d->right, other))
            right.t = NULL;
        if (is_other(d, &d->left, t))
            st = compare(d, t->name, !d->by_role, &left, &right, err);
    }
    for (size_t i = 0; st == CISTERN_OK && i < model_index_count(b); i++) {
        const model_tensor *t = model_index_peek(b, i), *other = model_index_find(a, t->name);
        operand left = {.of = &d->left}, right = of_tensor(&d->right, t);
        if (is_other(d, &d->right, t) && (!other || !is_other(d, &d->left, other)))
            st = compare(d, t->name, !d->by_role, &left, &right, err);
    }
    return st;
}

/* ---- facts ---- */

static void fact(diff *d, const char *name, const char *left, const char *right, bool counts)
{
    cistern_fact_change c = {sizeof c, name, left ? left : "", right ? right : "", counts};
    if (strcmp(c.left, c.right) == 0)
        return;
    d->result.facts++;
    if (counts)
        d->result.same = 0;
    if (d->fact)
        d->fact(d->user, &c);
}

/* "224x224, short side to 256, bilinear, pillow" */
static void input_text(const cistern_facts *f, char *out, size_t size)
{
    (void)snprintf(out, size, "%ux%u, %s %u %ux%u, %s, %s", f->input_height, f->input_width, f->resize,
                   f->resize_short, f->resize_height, f->resize_width, f->interpolation, f->sampling);
}

static void normalised_text(const cistern_facts *f, char *out, size_t size)
{
    (void)snprintf(out, size, "%s to %s, mean %g %g %g, std %g %g %g", f->colour, f->scale,
                   (double)f->mean[0], (double)f->mean[1], (double)f->mean[2], (double)f->std[0],
                   (double)f->std[1], (double)f->std[2]);
}

static void compare_facts(diff *d)
{
    cistern_facts a = {.size = sizeof a}, b = {.size = sizeof b};
    char left[160], right[160];
    cistern_version_facts(d->left.m->version, &a);
    cistern_version_facts(d->right.m->version, &b);
    fact(d, "kind", a.kind, b.kind, false);
    fact(d, "architecture", a.architecture, b.architecture, true);
    if (d->by_role && d->left.network.vgg->batch_norm && d->right.network.vgg->batch_norm) {
        (void)snprintf(left, sizeof left, "%g", d->left.network.epsilon);
        (void)snprintf(right, sizeof right, "%g", d->right.network.epsilon);
        fact(d, "batch norm epsilon", left, right, false); /* counted with the variances */
    }
    fact(d, "preprocessing", a.preset, b.preset, false);
    input_text(&a, left, sizeof left);
    input_text(&b, right, sizeof right);
    fact(d, "input", left, right, false);
    normalised_text(&a, left, sizeof left);
    normalised_text(&b, right, sizeof right);
    fact(d, "normalised", left, right, false);
    fact(d, "labels", a.label_set, b.label_set, false);
    fact(d, "head", a.head, b.head, false);
}

static cistern_status compare_all(diff *d, cistern_error *err)
{
    cistern_status st = CISTERN_OK;
    d->by_role = api_values_network(d->left.m, &d->left.network, NULL) == CISTERN_OK &&
                 api_values_network(d->right.m, &d->right.network, NULL) == CISTERN_OK;
    d->result.size = sizeof d->result;
    d->result.same = 1;
    d->result.by_role = d->by_role;
    if (d->by_role)
        st = compare_roles(d, err);
    if (st == CISTERN_OK)
        st = compare_others(d, err);
    if (st == CISTERN_OK)
        st = cistern_model_check(d->left.m, err);
    if (st == CISTERN_OK)
        st = cistern_model_check(d->right.m, err);
    if (st != CISTERN_OK)
        return st;
    compare_facts(d);
    if (d->result.different || d->result.only_left || d->result.only_right)
        d->result.same = 0;
    return CISTERN_OK;
}

cistern_status cistern_diff(const cistern_model *left, const cistern_model *right, const cistern_call *call,
                            cistern_tensor_change_fn tensor, cistern_fact_change_fn fact_fn, void *user,
                            cistern_diff_result *out, cistern_error *err)
{
    diff *d = NULL;
    api_forward forward;
    base_run run;
    cistern_status st = api_run_init(left->context, call, &forward, &run, err);
    if (st == CISTERN_OK)
        st = api_sized_check(out, "cistern_diff_result", err);
    if (st == CISTERN_OK)
        st = base_calloc(1, sizeof *d, &d, err);
    if (st != CISTERN_OK)
        return st;
    d->left.m = left;
    d->right.m = right;
    d->cancel = run.cancel;
    d->tensor = tensor;
    d->fact = fact_fn;
    d->user = user;
    st = compare_all(d, err);
    if (st == CISTERN_OK && out)
        api_sized_give(&d->result, sizeof d->result, out);
    free(d);
    return st;
}
