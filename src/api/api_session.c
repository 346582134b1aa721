/* Sessions: bind, decide sizes, run. */
#include "priv/api_types.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "base_mem.h"
#include "image_preprocess.h"
#include "model_vgg.h"
#include "nn_limits.h"
#include "nn_softmax.h"

static cistern_status bind_net(const cistern_model *model, nn_net **out, cistern_error *err)
{
    const model_facts *facts = &model->version->facts;
    const char *wanted = facts->architecture_source <= MODEL_FACT_CONFIG ? facts->architecture : NULL;
    model_vgg_match match;
    cistern_status st = model_vgg_match_index(model->index, wanted, &match, err);
    if (st == CISTERN_OK && (!match.has_head || facts->head == MODEL_HEAD_NONE))
        return base_fail(err, CISTERN_UNREADABLE,
                         "%s has no classifier (head: none), only features; see: cistern features",
                         cistern_version_reference(model->version));
    if (st == CISTERN_OK)
        st = nn_net_new(&match, model->files, model->file_count, out, err);
    return st == CISTERN_OK
               ? st
               : base_frame(err, st, "%s cannot be run", cistern_version_reference(model->version));
}

static cistern_status session_open(cistern_session *s, const cistern_session_options *given,
                                   cistern_error *err)
{
    nn_session_options options = NN_SESSION_OPTIONS_INIT;
    cistern_session_options o = CISTERN_SESSION_OPTIONS_INIT;
    api_packed_bytes packed = {NULL, 0, false};
    cistern_status st = api_sized_take(given, &o, sizeof o, "cistern_session_options", err);
    if (st == CISTERN_OK)
        st = bind_net(s->model, &s->net, err);
    if (st != CISTERN_OK)
        return st;
    s->preprocess = s->model->version->facts.preprocess;
    if (o.height)
        s->preprocess.height = o.height;
    if (o.width)
        s->preprocess.width = o.width;
    options.max_batch = o.max_batch ? o.max_batch : 1;
    options.height = s->preprocess.height;
    options.width = s->preprocess.width;
    options.isa = s->model->context->isa;
    st = api_pool(s->model->context, &options.pool, err);
    if (st == CISTERN_OK)
        st = api_packed_get(s->model, s->net, NULL, &packed, err);
    options.packed = packed.bytes;
    options.packed_size = packed.size;
    if (st == CISTERN_OK)
        st = nn_session_new(s->net, &options, NULL, &s->session, err);
    return st == CISTERN_OK ? cistern_model_check(s->model, err) : st;
}

cistern_status cistern_session_new(cistern_model *model, const cistern_session_options *options,
                                   cistern_session **out, cistern_error *err)
{
    cistern_session *s = NULL;
    cistern_status st = base_calloc(1, sizeof *s, &s, err);
    if (st != CISTERN_OK)
        return st;
    s->model = cistern_model_ref(model);
    st = session_open(s, options, err);
    if (st != CISTERN_OK) {
        cistern_session_free(s);
        return st;
    }
    api_warm_begin(s);
    *out = s;
    return CISTERN_OK;
}

void cistern_session_free(cistern_session *s)
{
    if (!s)
        return;
    api_warm_end(s);
    nn_session_free(s->session);
    nn_net_free(s->net);
    cistern_model_free(s->model);
    free(s);
}

cistern_status cistern_prepare(cistern *c, const char *reference, const cistern_call *call,
                               cistern_prepare_result *result, cistern_error *err)
{
    cistern_model *m = NULL;
    nn_net *net = NULL;
    api_packed_bytes packed;
    api_forward forward;
    base_run run = {.cancel = NULL};
    cistern_prepare_result told = {.size = sizeof told};
    cistern_status st = api_sized_check(result, "cistern_prepare_result", err);
    if (st == CISTERN_OK)
        st = cistern_model_open(c, reference, call, &m, err);
    if (st == CISTERN_OK)
        st = bind_net(m, &net, err);
    if (st == CISTERN_OK)
        st = api_run_init(c, call, &forward, &run, err);
    if (st == CISTERN_OK)
        st = base_check_cancel(run.cancel, err);
    if (st == CISTERN_OK)
        st = api_packed_get(m, net, run.cancel, &packed, err);
    if (st == CISTERN_OK)
        st = cistern_model_check(m, err); /* before it is kept: what was made of zeros must not be */
    if (st == CISTERN_OK)
        st = api_packed_keep_now(m, run.cancel, err);
    if (st == CISTERN_OK) {
        told.made = packed.made;
        told.bytes = packed.size;
        api_sized_give(&told, sizeof told, result);
    }
    nn_net_free(net);
    cistern_model_free(m);
    return st;
}

uint32_t cistern_session_classes(const cistern_session *s)
{
    return (uint32_t)nn_net_classes(s->net);
}

uint32_t cistern_session_height(const cistern_session *s)
{
    return s->preprocess.height;
}

uint32_t cistern_session_width(const cistern_session *s)
{
    return s->preprocess.width;
}

cistern_status cistern_session_run(cistern_session *s, const float *x, uint32_t n, float *out,
                                   cistern_cancel *cancel, cistern_error *err)
{
    base_pool *pool = NULL;
    cistern_status st = cistern_model_check(s->model, err);
    if (st == CISTERN_OK)
        st = api_pool(s->model->context, &pool, err);
    if (st != CISTERN_OK)
        return st;
    nn_session_use_pool(s->session, pool);
    st = nn_session_run(s->session, x, n, out, cancel ? &cancel->token : NULL, err);
    if (st == CISTERN_OK)
        st = cistern_model_check(s->model, err);
    if (st == CISTERN_OK)
        api_packed_keep(s->model, cancel);
    return st;
}

size_t cistern_session_layer_count(const cistern_session *s)
{
    return nn_session_step_count(s->session);
}

int cistern_session_layer(const cistern_session *s, size_t i, cistern_layer_report *out)
{
    nn_step_report r;
    if (i >= nn_session_step_count(s->session) || !api_sized_usable(out))
        return 0;
    nn_session_report(s->session, i, &r);
    cistern_layer_report told = {.size = sizeof told,
                                 .algorithm = r.algorithm,
                                 .seconds = r.seconds,
                                 .definition_flops = r.definition_flops,
                                 .flops = r.flops,
                                 .weight_bytes = r.weight_bytes};
    memcpy(told.name, r.name, sizeof told.name);
    api_sized_give(&told, sizeof told, out);
    return 1;
}

cistern_status cistern_measure_limits(cistern *c, cistern_cancel *cancel, cistern_limits *out,
                                      cistern_error *err)
{
    base_pool *pool = NULL;
    nn_limits limits;
    cistern_status st = api_sized_check(out, "cistern_limits", err);
    if (st == CISTERN_OK)
        st = api_pool(c, &pool, err);
    if (st == CISTERN_OK)
        st = nn_limits_measure(pool, c->isa, cancel ? &cancel->token : NULL, &limits, err);
    if (st != CISTERN_OK)
        return st;
    cistern_limits told = {sizeof told, limits.flops, limits.memory};
    api_sized_give(&told, sizeof told, out);
    return st;
}

cistern_status cistern_session_preprocess(const cistern_session *s, const cistern_image *picture, float *out,
                                          cistern_error *err)
{
    return image_preprocess(&picture->picture, &s->preprocess, out, err);
}

void cistern_softmax(const float *logits, uint32_t n, uint32_t classes, float *out)
{
    nn_softmax(logits, n, classes, out);
}

/* Whether a ranks before b: larger first, NaN last, equal ones by lower class. */
static bool before(const float *logits, uint32_t a, uint32_t b)
{
    if (isnan(logits[a]) || isnan(logits[b]))
        return !isnan(logits[a]) || (isnan(logits[b]) && a < b);
    return logits[a] > logits[b] || (logits[a] == logits[b] && a < b);
}

uint32_t cistern_top(const float *logits, uint32_t classes, uint32_t k, cistern_prediction *out)
{
    double sum = 0, most = -INFINITY;
    uint32_t count = 0;
    for (uint32_t i = 0; i < classes; i++) {
        uint32_t at = count < k ? count : k;
        most = logits[i] > most ? (double)logits[i] : most;
        while (at > 0 && before(logits, i, out[at - 1].class_index))
            at--;
        if (at == k)
            continue;
        count += count < k;
        for (uint32_t j = count - 1; j > at; j--)
            out[j] = out[j - 1];
        out[at].class_index = i;
    }
    for (uint32_t i = 0; i < classes; i++)
        sum += exp((double)logits[i] - most);
    for (uint32_t i = 0; i < count; i++) {
        out[i].logit = logits[out[i].class_index];
        out[i].probability = (float)(exp((double)out[i].logit - most) / sum);
    }
    return count;
}
