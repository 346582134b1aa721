/* Keras 3: `layers/<class>[_<n>]/vars/<i>`, by class and position, never by the layer's own name.
 *
 * Each class counts for itself: convolutions are conv2d, conv2d_1 …, normalisations batch_normalization,
 * batch_normalization_1 …; how the two kinds follow each other is not written down. In a VGG normalisation n follows
 * convolution n, and linear layers come last. A model inside a model is a group with `layers` of its own. TensorFlow 2.13
 * called `layers` `_layer_checkpoint_dependencies`.
 *
 * Invariants
 *  1. Numbers are compared as numbers: conv2d_10 comes after conv2d_9.
 *  2. Models inside models are looked into FORMATS_KERAS_DEPTH_MAX deep.
 *  3. Where two classes (or two models) bring layers of one kind their order is not known, and no VGG is made of them.
 */
#include "priv/formats_keras.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base_mem.h"

static const char *const containers[] = {"layers", "_layer_checkpoint_dependencies"};

/* A member of a group, with its number taken apart. */
typedef struct member {
    const formats_hdf5_link *link;
    size_t stem; /* bytes before "_<n>" */
    uint64_t number;
} member;

/* A group of layers on the way down. */
typedef struct model {
    formats_hdf5_links links;
    member *members;
    size_t next;
    char path[MODEL_NAME_MAX + 1]; /* of the group, with a slash at its end */
} model;

/* ---- order ---- */

static member take_apart(const formats_hdf5_link *link)
{
    member m = {.link = link, .stem = link->len};
    size_t at = link->len;
    uint64_t scale = 1, number = 0;

    while (at > 0 && link->name[at - 1] >= '0' && link->name[at - 1] <= '9' && link->len - at < 9) {
        number += scale * (uint64_t)(link->name[--at] - '0');
        scale *= 10;
    }
    if (at > 0 && at < link->len && link->name[at - 1] == '_' && link->name[at] != '0') {
        m.stem = at - 1;
        m.number = number;
    }
    return m;
}

static int by_class_and_number(const void *a, const void *b)
{
    const member *x = a, *y = b;
    size_t n = x->stem < y->stem ? x->stem : y->stem;
    int order = n ? memcmp(x->link->name, y->link->name, n) : 0;

    if (order || x->stem != y->stem)
        return order ? order : (x->stem < y->stem ? -1 : 1);
    return x->number < y->number ? -1 : x->number > y->number;
}

static cistern_status sort_members(formats_keras *k, model *m)
{
    cistern_status st = base_calloc(m->links.count + 1, sizeof *m->members, &m->members, k->err);

    if (st)
        return st;
    for (size_t i = 0; i < m->links.count; i++)
        m->members[i] = take_apart(&m->links.link[i]);
    qsort(m->members, m->links.count, sizeof *m->members, by_class_and_number);
    return CISTERN_OK;
}

/* ---- one layer ---- */

/* What variable i of `count` is, if all have one dimension. Of three it cannot be told which is missing. */
static formats_keras_role role_of(size_t i, size_t count, bool has_kernel)
{
    if (has_kernel)
        return i == 1 && count == 2 ? FORMATS_KERAS_BIAS : FORMATS_KERAS_BY_RANK;
    if (count == 4)
        return (formats_keras_role)(FORMATS_KERAS_GAMMA + i);
    if (count == 2)
        return i == 0 ? FORMATS_KERAS_MEAN : FORMATS_KERAS_VAR;
    return FORMATS_KERAS_BY_RANK;
}

static cistern_status has_kernel(formats_keras *k, const formats_hdf5_link *first, bool *out)
{
    formats_hdf5_dataset d;
    bool is = false;
    uint64_t object;
    cistern_status st = formats_hdf5_follow(&k->h, first, &object);

    if (!st)
        st = formats_hdf5_dataset_read(&k->h, object, &d, &is);
    *out = !st && is && d.space.rank > 1;
    return st;
}

static cistern_status join(formats_keras *k, char *out, const char *path, const void *name, size_t len,
                           const char *end)
{
    size_t n = strlen(path), m = strlen(end);

    if (n + len + m > MODEL_NAME_MAX || memchr(name, 0, len))
        return base_fail(k->err, CISTERN_UNREADABLE, "a path of more than %d bytes below '%.80s'",
                         MODEL_NAME_MAX, path);
    memcpy(out, path, n);
    memcpy(out + n, name, len);
    memcpy(out + n + len, end, m + 1);
    return CISTERN_OK;
}

/* The variables of a layer, which are called 0, 1, 2 … */
static cistern_status add_variables(formats_keras *k, uint64_t group, const char *path)
{
    formats_hdf5_links vars = {0};
    char name[MODEL_NAME_MAX + 1], digits[24];
    bool kernel = false;
    uint64_t object;
    cistern_status st = formats_hdf5_list(&k->h, group, &vars);

    for (size_t i = 0; !st && i < vars.count; i++) {
        size_t n = (size_t)snprintf(digits, sizeof digits, "%zu", i);
        const formats_hdf5_link *link = formats_hdf5_find(&vars, digits, n);
        if (!link)
            st = FORMATS_HDF5_FAIL(&k->h, group, "'%svars' has %zu variables, but none is called %zu", path,
                                   vars.count, i);
        if (!st && i == 0)
            st = has_kernel(k, link, &kernel);
        if (!st && !(st = formats_hdf5_follow(&k->h, link, &object)) &&
            !(st = join(k, name, path, "vars/", 5, digits)))
            st = formats_keras_add(k, object, name, path, role_of(i, vars.count, kernel), NULL);
    }
    formats_hdf5_links_clear(&vars);
    return st;
}

/* ---- down into models ---- */

static void leave(model *m)
{
    formats_hdf5_links_clear(&m->links);
    free(m->members);
    *m = (model){.members = NULL};
}

/* Go into the group of layers among these members, if there is one. */
static cistern_status enter(formats_keras *k, const formats_hdf5_links *links, const char *path, model *stack,
                            size_t *depth)
{
    const formats_hdf5_link *link = NULL;
    uint64_t group;
    cistern_status st = CISTERN_OK;

    for (size_t i = 0; i < 2 && !link; i++)
        link = formats_hdf5_find(links, containers[i], strlen(containers[i]));
    if (!link)
        return CISTERN_OK;
    if (*depth == FORMATS_KERAS_DEPTH_MAX)
        return FORMATS_HDF5_FAIL(&k->h, link->at, "models inside models, more than %u deep",
                                 FORMATS_KERAS_DEPTH_MAX);
    model *m = &stack[*depth];
    *m = (model){.members = NULL};
    ++*depth; /* whatever happens next, it is to be left */
    if (!(st = formats_hdf5_follow(&k->h, link, &group)) &&
        !(st = formats_hdf5_list(&k->h, group, &m->links)) && !(st = sort_members(k, m)))
        st = join(k, m->path, path, link->name, link->len, "/");
    return st;
}

static cistern_status visit(formats_keras *k, model *m, model *stack, size_t *depth)
{
    const formats_hdf5_link *link = m->members[m->next++].link;
    formats_hdf5_links members = {0};
    char path[MODEL_NAME_MAX + 1];
    uint64_t object;
    cistern_status st;

    if (!(st = join(k, path, m->path, link->name, link->len, "/")) &&
        !(st = formats_hdf5_follow(&k->h, link, &object)))
        st = formats_hdf5_list(&k->h, object, &members);
    const formats_hdf5_link *vars = st ? NULL : formats_hdf5_find(&members, "vars", 4);
    if (vars && !(st = formats_hdf5_follow(&k->h, vars, &object)))
        st = add_variables(k, object, path);
    if (!st)
        st = enter(k, &members, path, stack, depth);
    formats_hdf5_links_clear(&members);
    return st;
}

static cistern_status walk(formats_keras *k, const formats_hdf5_links *root, model *stack)
{
    size_t depth = 0;
    cistern_status st = enter(k, root, "", stack, &depth);

    while (!st && depth) {
        model *top = &stack[depth - 1];
        if (top->next == top->links.count) {
            leave(top);
            depth--;
        } else {
            st = visit(k, top, stack, &depth);
        }
    }
    while (depth)
        leave(&stack[--depth]);
    return st;
}

/* ---- the model's order ---- */

typedef enum kind {
    KIND_CONV,
    KIND_NORM,
    KIND_LINEAR,
    KIND_OTHER,
} kind;

static kind kind_of(const formats_keras *k, const formats_keras_layer *l)
{
    if (l->kernel == FORMATS_NO_TENSOR)
        return l->mean != FORMATS_NO_TENSOR ? KIND_NORM : KIND_OTHER;
    uint32_t rank = model_index_peek(k->out->index, l->kernel)->rank;
    return rank == 4 ? KIND_CONV : rank == 2 ? KIND_LINEAR : KIND_OTHER;
}

/* "layers/conv2d_12/" without its number: layers that share this are in a known order. */
static size_t series(const char *key)
{
    size_t n = strlen(key);

    if (n && key[n - 1] == '/')
        n--;
    size_t end = n;
    while (end && key[end - 1] >= '0' && key[end - 1] <= '9')
        end--;
    return end && end < n && key[end - 1] == '_' ? end - 1 : n;
}

static bool one_series(const formats_keras *k, kind wanted)
{
    const char *first = NULL;

    for (size_t i = 0; i < k->count; i++) {
        const char *key = k->layers[i].key;
        if (kind_of(k, &k->layers[i]) != wanted)
            continue;
        first = first ? first : key;
        if (series(key) != series(first) || memcmp(key, first, series(first)) != 0)
            return false;
    }
    return true;
}

static size_t count_kind(const formats_keras *k, kind wanted)
{
    size_t n = 0;

    for (size_t i = 0; i < k->count; i++)
        n += kind_of(k, &k->layers[i]) == wanted;
    return n;
}

static const formats_keras_layer *nth(const formats_keras *k, kind wanted, size_t n)
{
    for (size_t i = 0; i < k->count; i++) {
        if (kind_of(k, &k->layers[i]) == wanted && n-- == 0)
            return &k->layers[i];
    }
    return NULL;
}

/* Convolution n, normalisation n, …; then linear layers; then what is neither. */
static cistern_status interleave(formats_keras *k)
{
    formats_keras_layer *order;
    size_t n = 0, convs = count_kind(k, KIND_CONV), norms = count_kind(k, KIND_NORM);
    cistern_status st = base_calloc(k->count + 1, sizeof *order, &order, k->err);

    if (st)
        return st;
    for (size_t i = 0; i < convs || i < norms; i++) {
        if (i < convs)
            order[n++] = *nth(k, KIND_CONV, i);
        if (i < norms)
            order[n++] = *nth(k, KIND_NORM, i);
    }
    for (size_t i = 0; i < k->count; i++) {
        kind what = kind_of(k, &k->layers[i]);
        if (what == KIND_LINEAR || what == KIND_OTHER)
            order[n++] = k->layers[i];
    }
    memcpy(k->layers, order, k->count * sizeof *order);
    free(order);
    return CISTERN_OK;
}

cistern_status formats_keras_read_numbered(formats_keras *k, const formats_hdf5_links *root)
{
    model *stack = NULL;
    cistern_status st = base_calloc(FORMATS_KERAS_DEPTH_MAX, sizeof *stack, &stack, k->err);

    if (!st)
        st = walk(k, root, stack);
    free(stack);
    if (st)
        return st;
    k->numbered = true;
    if (k->has_config)
        return formats_keras_finish(k, NULL);
    if (!one_series(k, KIND_CONV) || !one_series(k, KIND_NORM) || !one_series(k, KIND_LINEAR))
        return formats_keras_finish(k, "not laid out as a VGG: layers of one kind are of several classes or "
                                       "models, whose order the file does not tell");
    st = k->count ? interleave(k) : CISTERN_OK;
    return st ? st : formats_keras_finish(k, NULL);
}
