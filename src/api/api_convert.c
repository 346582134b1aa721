/* A model as another kind of file. */
#include "priv/api_values.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base_mem.h"
#include "base_write.h"
#include "formats_write.h"

#define TORCH_EPSILON  1e-5 /* of torch.nn.BatchNorm2d, which a file of weights does not carry */
#define PROGRESS_EVERY 100u /* ms */
#define METADATA_MAX   8
#define METADATA_TEXT  160

typedef struct convert {
    const cistern_model *m;
    const base_run *run;
    model_network network;
    formats_out *tensors;
    size_t count;
    base_write *file, *external;
    uint64_t done, total, told_ms;
    cistern_convert_result result;
} convert;

static void tell_progress(convert *c, bool last)
{
    uint64_t now = base_monotonic_ms();
    base_progress p = {.what = "write", .done = c->done, .total = c->total, .last = last};
    if (!c->run->progress || (!last && now - c->told_ms < PROGRESS_EVERY))
        return;
    c->told_ms = now;
    c->run->progress(c->run->progress_user, &p);
}

static cistern_status put_into(convert *c, base_write *file, const void *bytes, size_t n, cistern_error *err)
{
    cistern_status st = base_write_put(file, bytes, n, err);
    c->done += n;
    tell_progress(c, false);
    return st;
}

static cistern_status put_file(void *user, const void *bytes, size_t n, cistern_error *err)
{
    convert *c = user;
    return put_into(c, c->file, bytes, n, err);
}

static cistern_status put_external(void *user, const void *bytes, size_t n, cistern_error *err)
{
    convert *c = user;
    return put_into(c, c->external, bytes, n, err);
}

/* ---- which tensors ---- */

static void take_tensor(convert *c, const char *name, const model_tensor *t, uint32_t rank,
                        const uint64_t *shape)
{
    formats_out *o = &c->tensors[c->count++];
    *o = (formats_out){.name = name, .rank = rank, .dtype = t->dtype};
    memcpy(o->shape, shape, rank * sizeof shape[0]);
    model_values_init(&o->values, t, api_values_data(c->m, t));
    c->total += o->values.count * model_dtype_bytes(t->dtype);
}

/* @param counters  with PyTorch's num_batches_tracked */
static cistern_status take_network(convert *c, bool counters, cistern_error *err)
{
    cistern_status st = base_calloc(c->network.count, sizeof *c->tensors, &c->tensors, err);
    for (size_t i = 0; st == CISTERN_OK && i < c->network.count; i++) {
        const model_network_tensor *n = &c->network.at[i];
        if (!n->counter || counters)
            take_tensor(c, n->name, n->t, n->rank, n->shape);
    }
    return st;
}

static cistern_status take_all(convert *c, cistern_error *err)
{
    size_t count = model_index_count(c->m->index);
    cistern_status st = base_calloc(count + 1, sizeof *c->tensors, &c->tensors, err);
    for (size_t i = 0; st == CISTERN_OK && i < count; i++) {
        const model_tensor *t = model_index_peek(c->m->index, i);
        take_tensor(c, t->name, t, t->rank, t->shape);
    }
    return st;
}

/* Variances as a reader with PyTorch's epsilon must have them. */
static void shift_variances(convert *c)
{
    for (size_t i = 0; i < c->count; i++) {
        const model_network_tensor *n = model_network_find(&c->network, c->tensors[i].name);
        if (!n || !n->variance || api_values_same_epsilon(c->network.epsilon, TORCH_EPSILON))
            continue;
        c->tensors[i].add = c->network.epsilon - TORCH_EPSILON;
        if (c->tensors[i].dtype != MODEL_F64)
            c->tensors[i].dtype = MODEL_F32;
        c->result.shifted = 1;
    }
}

/* ---- the kinds ---- */

static cistern_status write_safetensors(convert *c, cistern_error *err)
{
    const formats_sink sink = {put_file, c};
    bool vgg = api_values_network(c->m, &c->network, NULL) == CISTERN_OK;
    cistern_status st = vgg ? take_network(c, true, err) : take_all(c, err);
    if (st != CISTERN_OK)
        return st;
    c->result.renamed = vgg;
    if (vgg)
        shift_variances(c);
    return formats_write_safetensors(c->tensors, c->count, &sink, c->run->cancel, err);
}

/* How a picture is prepared, and what the outputs mean. */
typedef struct metadata {
    formats_pair pairs[METADATA_MAX];
    size_t count;
    char mean[METADATA_TEXT], std[METADATA_TEXT], resize[METADATA_TEXT], interpolation[METADATA_TEXT];
} metadata;

static void add_pair(metadata *m, const char *key, const char *value)
{
    if (value && value[0])
        m->pairs[m->count++] = (formats_pair){key, value};
}

static void make_metadata(const cistern_model *model, metadata *m)
{
    cistern_facts f = {.size = sizeof f};
    cistern_version_facts(model->version, &f);
    m->count = 0;
    (void)snprintf(m->mean, sizeof m->mean, "%.9g %.9g %.9g", (double)f.mean[0], (double)f.mean[1],
                   (double)f.mean[2]);
    (void)snprintf(m->std, sizeof m->std, "%.9g %.9g %.9g", (double)f.std[0], (double)f.std[1],
                   (double)f.std[2]);
    if (strcmp(f.resize, "short") == 0)
        (void)snprintf(m->resize, sizeof m->resize, "short %u", (unsigned)f.resize_short);
    else
        (void)snprintf(m->resize, sizeof m->resize, "%.20s %u %u", f.resize, (unsigned)f.resize_height,
                       (unsigned)f.resize_width);
    (void)snprintf(m->interpolation, sizeof m->interpolation, "%.20s %.20s", f.interpolation, f.sampling);
    add_pair(m, "preprocessing", f.preset);
    add_pair(m, "colour", f.colour);
    add_pair(m, "scale", f.scale);
    add_pair(m, "mean", m->mean);
    add_pair(m, "std", m->std);
    add_pair(m, "resize", m->resize);
    add_pair(m, "interpolation", m->interpolation);
    add_pair(m, "labels", f.label_set);
}

static uint64_t bytes_as_f32(const convert *c)
{
    uint64_t all = 0;
    for (size_t i = 0; i < c->count; i++)
        all += c->tensors[i].values.count * sizeof(float);
    return all;
}

static cistern_status open_external(convert *c, const char *path, bool force, char **out_name,
                                    cistern_error *err)
{
    const char *slash = strrchr(path, '/');
    char *full = NULL;
    cistern_status st = base_asprintf(&full, err, "%s.data", path);
    if (st == CISTERN_OK)
        st = base_asprintf(out_name, err, "%s.data", slash ? slash + 1 : path);
    if (st == CISTERN_OK)
        st = base_write_begin(full, force, &c->external, err);
    c->result.external = st == CISTERN_OK;
    free(full);
    return st;
}

static cistern_status write_graph(convert *c, const cistern_convert_options *o, const char *external,
                                  cistern_error *err)
{
    const formats_sink model = {put_file, c}, beside = {put_external, c};
    const model_preprocess *p = &c->m->version->facts.preprocess;
    metadata m;
    make_metadata(c->m, &m);
    formats_onnx_out graph = {.vgg = c->network.vgg,
                              .tensors = c->tensors,
                              .count = c->count,
                              .has_head = c->network.has_head,
                              .epsilon = c->network.epsilon,
                              .height = o->height ? o->height : p->height,
                              .width = o->width ? o->width : p->width,
                              .producer_version = CISTERN_VERSION_TEXT,
                              .metadata = m.pairs,
                              .metadata_count = m.count,
                              .external = external};
    c->result.renamed = 1;
    return formats_write_onnx(&graph, &model, &beside, c->run->cancel, err);
}

static cistern_status write_onnx(convert *c, const char *path, const cistern_convert_options *o,
                                 cistern_error *err)
{
    char *name = NULL;
    cistern_status st = api_values_network(c->m, &c->network, err);
    if (st == CISTERN_OK)
        st = take_network(c, false, err);
    if (st == CISTERN_OK && (o->external || bytes_as_f32(c) > FORMATS_ONNX_INSIDE_MAX))
        st = open_external(c, path, o->force != 0, &name, err);
    if (st == CISTERN_OK)
        st = write_graph(c, o, name, err);
    free(name);
    return st;
}

/* The weights first: a model without them would be read as damaged. */
static cistern_status finish(convert *c, cistern_error *err)
{
    base_write *file = c->file, *external = c->external;
    cistern_status st = cistern_model_check(c->m, err); /* zeros instead of weights are not to be kept */
    if (st != CISTERN_OK)
        return st;
    c->result.size = sizeof c->result;
    c->result.tensors = c->count;
    c->result.bytes = base_write_size(file) + (external ? base_write_size(external) : 0);
    if (external)
        st = base_write_flush(external, c->run->cancel, err);
    if (st == CISTERN_OK)
        st = base_write_flush(file, c->run->cancel, err);
    if (st != CISTERN_OK)
        return st;
    c->external = NULL;
    st = external ? base_write_end(external, err) : CISTERN_OK;
    if (st != CISTERN_OK)
        return st;
    c->file = NULL;
    return base_write_end(file, err);
}

static cistern_status convert_to(convert *c, cistern_kind kind, const char *path,
                                 const cistern_convert_options *o, cistern_error *err)
{
    cistern_status st = base_write_begin(path, o->force != 0, &c->file, err);
    if (st != CISTERN_OK)
        return st;
    switch (kind) {
    case CISTERN_KIND_SAFETENSORS:
        st = write_safetensors(c, err);
        break;
    case CISTERN_KIND_ONNX:
        st = write_onnx(c, path, o, err);
        break;
    }
    return st == CISTERN_OK ? finish(c, err) : st;
}

cistern_status cistern_convert(const cistern_model *model, cistern_kind kind, const char *path,
                               const cistern_convert_options *options, const cistern_call *call,
                               cistern_convert_result *result, cistern_error *err)
{
    cistern_convert_options taken = CISTERN_CONVERT_OPTIONS_INIT;
    api_forward forward;
    base_run run;
    convert *c = NULL;
    cistern_status st;
    if (kind != CISTERN_KIND_SAFETENSORS && kind != CISTERN_KIND_ONNX)
        return base_fail(err, CISTERN_USAGE, "%d is no kind of file to convert to", (int)kind);
    st = api_run_init(model->context, call, &forward, &run, err);
    if (st == CISTERN_OK)
        st = api_sized_take(options, &taken, sizeof taken, "cistern_convert_options", err);
    if (st == CISTERN_OK)
        st = api_sized_check(result, "cistern_convert_result", err);
    if (st == CISTERN_OK)
        st = base_calloc(1, sizeof *c, &c, err);
    if (st != CISTERN_OK)
        return st;
    c->m = model;
    c->run = &run;
    st = convert_to(c, kind, path, &taken, err);
    if (st == CISTERN_OK)
        tell_progress(c, true);
    if (st == CISTERN_OK && result)
        api_sized_give(&c->result, sizeof c->result, result);
    base_write_abandon(c->file);
    base_write_abandon(c->external);
    free(c->tensors);
    free(c);
    return st == CISTERN_OK
               ? st
               : base_frame(err, st, "cannot convert %s", cistern_version_reference(model->version));
}
