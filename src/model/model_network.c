/* A network's tensors by their names: see model_network.h. */
#include "model_network.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

/* The new one, or NULL: a convolution without a bias. */
static model_network_tensor *put(model_network *n, const model_tensor *t, const char *group, int number,
                                 const char *what)
{
    if (!t)
        return NULL;
    assert(n->count < MODEL_NETWORK_MAX);
    model_network_tensor *out = &n->at[n->count++];
    *out = (model_network_tensor){.t = t, .rank = t->rank};
    (void)snprintf(out->name, sizeof out->name, "%s.%d.%s", group, number, what);
    memcpy(out->shape, t->shape, sizeof out->shape);
    return out;
}

static void put_counter(model_network *n, const model_index *index, const model_vgg_match *m, int number)
{
    char name[MODEL_NAME_MAX + 64];
    const model_tensor *t;

    (void)snprintf(name, sizeof name, "%.*sfeatures.%d.num_batches_tracked", (int)m->prefix_len, m->prefix,
                   number);
    t = model_index_find(index, name);
    model_network_tensor *counter = t && t->rank == 0 && t->dtype == MODEL_I64
                                        ? put(n, t, "features", number, "num_batches_tracked")
                                        : NULL;
    if (counter)
        counter->counter = true;
}

static void put_conv(model_network *n, const model_index *index, const model_vgg_match *m, int i)
{
    int number = m->vgg->conv[i].feature;

    put(n, m->conv_weight[i], "features", number, "weight");
    put(n, m->conv_bias[i], "features", number, "bias");
    if (!m->vgg->batch_norm)
        return;
    put(n, m->bn_weight[i], "features", number + 1, "weight");
    put(n, m->bn_bias[i], "features", number + 1, "bias");
    put(n, m->bn_mean[i], "features", number + 1, "running_mean");
    model_network_tensor *variance = put(n, m->bn_var[i], "features", number + 1, "running_var");
    if (variance)
        variance->variance = true;
    put_counter(n, index, m, number + 1);
}

static void put_linear(model_network *n, const model_vgg_match *m, int i)
{
    static const int numbers[MODEL_VGG_LINEARS] = {0, 3, 6};
    model_network_tensor *w = put(n, m->linear_weight[i], "classifier", numbers[i], "weight");

    if (w && w->rank == 4) {
        w->shape[1] *= w->shape[2] * w->shape[3];
        w->rank = 2;
    }
    put(n, m->linear_bias[i], "classifier", numbers[i], "bias");
}

void model_network_of(const model_index *index, const model_vgg_match *match, model_network *out)
{
    memset(out, 0, sizeof *out);
    out->vgg = match->vgg;
    out->has_head = match->has_head;
    out->epsilon = match->epsilon;
    for (int i = 0; i < match->vgg->conv_count; i++)
        put_conv(out, index, match, i);
    for (int i = 0; match->has_head && i < MODEL_VGG_LINEARS; i++)
        put_linear(out, match, i);
}

const model_network_tensor *model_network_find(const model_network *n, const char *name)
{
    for (size_t i = 0; i < n->count; i++) {
        if (strcmp(n->at[i].name, name) == 0)
            return &n->at[i];
    }
    return NULL;
}

bool model_network_has(const model_network *n, const model_tensor *t)
{
    for (size_t i = 0; i < n->count; i++) {
        if (n->at[i].t == t)
            return true;
    }
    return false;
}
