/* One layer's output. */
#include "priv/api_types.h"

#include <stdlib.h>
#include "base_mem.h"
#include "image_preprocess.h"
#include "model_vgg.h"
#include "nn_features.h"

struct cistern_features {
    cistern_model *model;
    nn_net *net;
    nn_features *layers;
    model_preprocess preprocess;
    size_t count; /* floats of one image's output */
};

static cistern_status bind_net(cistern_features *f, cistern_error *err)
{
    const model_facts *facts = &f->model->version->facts;
    const char *wanted = facts->architecture_source <= MODEL_FACT_CONFIG ? facts->architecture : NULL;
    model_vgg_match match;
    cistern_status st = model_vgg_match_index(f->model->index, wanted, &match, err);
    if (st == CISTERN_OK)
        st = nn_net_new_features(&match, f->model->files, f->model->file_count, &f->net, err);
    return st == CISTERN_OK
               ? st
               : base_frame(err, st, "%s cannot be run", cistern_version_reference(f->model->version));
}

static cistern_status open_layer(cistern_features *f, const char *layer,
                                 const cistern_features_options *given, cistern_error *err)
{
    cistern_features_options o = CISTERN_FEATURES_OPTIONS_INIT;
    nn_features_options options = {.layer = layer};
    size_t shape[3];
    cistern_status st = api_sized_take(given, &o, sizeof o, "cistern_features_options", err);
    if (st == CISTERN_OK)
        st = bind_net(f, err);
    if (st != CISTERN_OK)
        return st;
    f->preprocess = f->model->version->facts.preprocess;
    if (o.height)
        f->preprocess.height = o.height;
    if (o.width)
        f->preprocess.width = o.width;
    options.height = f->preprocess.height;
    options.width = f->preprocess.width;
    st = api_pool(f->model->context, &options.pool, err);
    if (st == CISTERN_OK)
        st = nn_features_new(f->net, &options, &f->layers, err);
    if (st != CISTERN_OK)
        return st;
    (void)nn_features_shape(f->layers, shape);
    f->count = shape[0] * shape[1] * shape[2];
    return CISTERN_OK;
}

cistern_status cistern_features_new(cistern_model *model, const char *layer,
                                    const cistern_features_options *options, cistern_features **out,
                                    cistern_error *err)
{
    cistern_features *f = NULL;
    cistern_status st = base_calloc(1, sizeof *f, &f, err);
    if (st != CISTERN_OK)
        return st;
    f->model = cistern_model_ref(model);
    st = open_layer(f, layer, options, err);
    if (st != CISTERN_OK) {
        cistern_features_free(f);
        return st;
    }
    *out = f;
    return CISTERN_OK;
}

void cistern_features_free(cistern_features *f)
{
    if (!f)
        return;
    nn_features_free(f->layers);
    nn_net_free(f->net);
    cistern_model_free(f->model);
    free(f);
}

uint32_t cistern_features_shape(const cistern_features *f, uint64_t out[3])
{
    size_t shape[3];
    uint32_t rank = (uint32_t)nn_features_shape(f->layers, shape);
    for (size_t i = 0; i < 3; i++)
        out[i] = shape[i];
    return rank;
}

uint32_t cistern_features_height(const cistern_features *f)
{
    return f->preprocess.height;
}

uint32_t cistern_features_width(const cistern_features *f)
{
    return f->preprocess.width;
}

cistern_status cistern_features_preprocess(const cistern_features *f, const cistern_image *picture,
                                           float *out, cistern_error *err)
{
    return image_preprocess(&picture->picture, &f->preprocess, out, err);
}

cistern_status cistern_features_run(cistern_features *f, const float *x, uint32_t n, float *out,
                                    cistern_cancel *cancel, cistern_error *err)
{
    size_t pixels = (size_t)3 * f->preprocess.height * f->preprocess.width;
    base_pool *pool = NULL;
    cistern_status st = cistern_model_check(f->model, err);
    if (st == CISTERN_OK)
        st = api_pool(f->model->context, &pool, err);
    if (st != CISTERN_OK)
        return st;
    nn_features_use_pool(f->layers, pool);
    for (uint32_t i = 0; st == CISTERN_OK && i < n; i++)
        st = nn_features_run(f->layers, x + i * pixels, out + i * f->count, cancel ? &cancel->token : NULL,
                             err);
    return st == CISTERN_OK ? cistern_model_check(f->model, err) : st;
}
