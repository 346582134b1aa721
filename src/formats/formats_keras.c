/* Keras weights: which of its files this is, and what its layers become.
 *
 *   .h5           `layer_names` at the root: weights; in `model_weights`: a whole model
 *   .weights.h5   groups `layers/<class>_<n>/vars/<i>`
 *   .keras        a zip file around such a one
 *
 * Invariants
 *  1. A model's configuration is data: names of classes and numbers. It can hold code, which is never run.
 *  2. Kernels are used where they lie; only those of Theano, which turns them by 180 degrees, are written out.
 * Source: keras/src/legacy/saving/legacy_h5_format.py, keras/src/saving/saving_lib.py (Keras 3.15); Keras 1 and 2:
 * keras/engine/topology.py, keras/engine/saving.py (preprocess_weights_for_loading).
 */
#include "priv/formats_keras.h"

#include <stdio.h>
#include <string.h>
#include "base_mem.h"

/* ---- layers ---- */

static void clear(formats_keras *k)
{
    for (size_t i = 0; i < k->count; i++)
        free(k->layers[i].key);
    free(k->layers);
    formats_keras_config_clear(&k->config);
}

static cistern_status new_layer(formats_keras *k, const char *key, formats_keras_layer **out)
{
    if (k->count == FORMATS_KERAS_LAYERS_MAX)
        return base_fail(k->err, CISTERN_UNREADABLE, "more than %u layers with weights",
                         FORMATS_KERAS_LAYERS_MAX);
    if (k->count == k->capacity) {
        size_t capacity = k->capacity ? k->capacity * 2 : 32;
        formats_keras_layer *bigger;
        cistern_status st = base_calloc(capacity, sizeof *bigger, &bigger, k->err);
        if (st)
            return st;
        if (k->count)
            memcpy(bigger, k->layers, k->count * sizeof *bigger);
        free(k->layers);
        k->layers = bigger;
        k->capacity = capacity;
    }
    formats_keras_layer *l = &k->layers[k->count];
    *l = (formats_keras_layer){NULL,
                               FORMATS_NO_TENSOR,
                               FORMATS_NO_TENSOR,
                               FORMATS_NO_TENSOR,
                               FORMATS_NO_TENSOR,
                               FORMATS_NO_TENSOR,
                               FORMATS_NO_TENSOR,
                               0};
    cistern_status st = base_strdup(key, &l->key, k->err);
    if (!st) {
        k->count++;
        *out = l;
    }
    return st;
}

/* The last one is nearly always the one. */
static cistern_status layer_of(formats_keras *k, const char *key, formats_keras_layer **out)
{
    for (size_t i = k->count; i-- > 0;) {
        if (strcmp(k->layers[i].key, key) == 0) {
            *out = &k->layers[i];
            return CISTERN_OK;
        }
    }
    return new_layer(k, key, out);
}

static void take_role(formats_keras_layer *l, uint32_t rank, formats_keras_role role, size_t number)
{
    size_t *const slots[] = {[FORMATS_KERAS_BIAS] = &l->bias,
                             [FORMATS_KERAS_GAMMA] = &l->gamma,
                             [FORMATS_KERAS_BETA] = &l->beta,
                             [FORMATS_KERAS_MEAN] = &l->mean,
                             [FORMATS_KERAS_VAR] = &l->var};
    size_t *slot = rank > 1 ? &l->kernel : role == FORMATS_KERAS_BY_RANK ? NULL : slots[role];

    if (slot && *slot == FORMATS_NO_TENSOR)
        *slot = number;
    else
        l->others++;
}

/* ---- tensors ---- */

/* bfloat16, which h5py knows as two opaque bytes, is told by an attribute of the dataset. */
static cistern_status find_dtype(formats_keras *k, uint64_t object, formats_hdf5_dataset *d)
{
    formats_hdf5_texts texts = {0};
    bool found = false;

    if (d->type.size != 2 ||
        (d->type.class_number != FORMATS_HDF5_OPAQUE && d->type.class_number != FORMATS_HDF5_FIXED))
        return CISTERN_OK;
    cistern_status st = formats_hdf5_texts_read(&k->h, object, "dtype", &texts, &found);
    if (!st && found && texts.count == 1 && texts.text[0].len == 8 &&
        memcmp(texts.text[0].bytes, "bfloat16", 8) == 0)
        d->type.dtype = MODEL_BF16;
    formats_hdf5_texts_clear(&texts);
    return st;
}

static bool is_floating(model_dtype dtype)
{
    return dtype == MODEL_F32 || dtype == MODEL_F16 || dtype == MODEL_BF16 || dtype == MODEL_F64;
}

/* Whether the kernel's axes are [out, in, y, x]: Theano's order. Of 3x3x3x3 nothing can be told. */
static bool is_oihw(const uint64_t *shape)
{
    return shape[2] == 3 && shape[3] == 3 && (shape[0] != 3 || shape[1] != 3);
}

static formats_hdf5_turn turn_of(const formats_keras *k, const formats_hdf5_dataset *d)
{
    if (d->space.rank != 4 || d->elements == 0 || !(k->theano || k->maybe_theano))
        return FORMATS_HDF5_TURN_NONE;
    if (is_oihw(d->space.shape))
        return FORMATS_HDF5_TURN_LAST;
    return k->theano ? FORMATS_HDF5_TURN_FIRST : FORMATS_HDF5_TURN_NONE;
}

static cistern_status add_tensor(formats_keras *k, const formats_hdf5_dataset *d, const char *name)
{
    model_tensor t = {.name = name, .dtype = d->type.dtype, .file = k->number, .rank = d->space.rank};
    uint64_t step = 1;

    for (uint32_t i = t.rank; i-- > 0;) {
        t.shape[i] = d->space.shape[i];
        t.stride[i] = step;
        step *= t.shape[i]; /* counted before */
    }
    if (!formats_hdf5_dataset_plain(d))
        return formats_decoded_add(k->out->decoded, k->out->index, &t, formats_hdf5_decode, d, sizeof *d,
                                   k->err);
    t.offset = d->elements ? k->h.origin + d->address : 0;
    return model_index_add(k->out->index, &t, k->err);
}

cistern_status formats_keras_add(formats_keras *k, uint64_t object, const char *name, const char *key,
                                 formats_keras_role role, bool *out_added)
{
    formats_hdf5_dataset d;
    formats_keras_layer *layer;
    bool is = false;
    size_t number = model_index_count(k->out->index);
    cistern_status st = formats_hdf5_dataset_read(&k->h, object, &d, &is);

    if (!st && !is)
        return FORMATS_HDF5_FAIL(&k->h, object, "'%s' is not a dataset", name);
    if (!st)
        st = find_dtype(k, object, &d);
    if (st)
        return base_frame(k->err, st, "'%s'", name);
    if (out_added)
        *out_added = is_floating(d.type.dtype);
    if (!is_floating(d.type.dtype))
        return CISTERN_OK;
    d.turn = turn_of(k, &d);
    k->turned = k->turned || d.turn != FORMATS_HDF5_TURN_NONE;
    if (!(st = add_tensor(k, &d, name)) && !(st = layer_of(k, key, &layer)))
        take_role(layer, d.space.rank, role, number);
    return st;
}

/* ---- the model ---- */

/* All convolutions have their axes in the same order. */
formats_axes formats_keras_axes(const formats_keras *k)
{
    for (size_t i = 0; i < k->count; i++) {
        size_t kernel = k->layers[i].kernel;
        const model_tensor *t = kernel == FORMATS_NO_TENSOR ? NULL : model_index_peek(k->out->index, kernel);
        if (t && t->rank == 4 && is_oihw(t->shape))
            return FORMATS_AXES_OIHW;
    }
    return FORMATS_AXES_HWIO;
}

/* One layer's tensors as that layer. False: it is none of those that a VGG has. */
static bool describe(const formats_keras *k, const formats_keras_layer *from, formats_axes axes,
                     formats_layer *out)
{
    formats_layer l = FORMATS_LAYER_INIT;
    const model_tensor *t =
        from->kernel == FORMATS_NO_TENSOR ? NULL : model_index_peek(k->out->index, from->kernel);

    if (t && (t->rank == 4 || t->rank == 2)) {
        l.op = t->rank == 4 ? FORMATS_LAYER_CONV : FORMATS_LAYER_LINEAR;
        l.axes = t->rank == 4 ? axes : FORMATS_AXES_IN_OUT;
        l.flatten = axes == FORMATS_AXES_OIHW ? FORMATS_FLATTEN_CHW : FORMATS_FLATTEN_HWC;
        l.weight = from->kernel;
        l.bias = from->bias;
    } else if (!t && from->mean != FORMATS_NO_TENSOR && from->var != FORMATS_NO_TENSOR) {
        l.op = FORMATS_LAYER_BATCH_NORM;
        l.gamma = from->gamma;
        l.beta = from->beta;
        l.mean = from->mean;
        l.var = from->var;
    } else {
        return false;
    }
    *out = l;
    return from->others == 0;
}

/* What nobody says must not be silent: another epsilon gives other predictions of the same shape. */
static void note_epsilon(const formats_keras *k)
{
    char note[160];
    bool norm = false;

    for (size_t i = 0; i < k->count && !norm; i++)
        norm = k->layers[i].var != FORMATS_NO_TENSOR;
    (void)snprintf(
        note, sizeof note,
        "batch norm is taken to add %g to the variance, as Keras does unless told otherwise: a file of "
        "weights does not say it (--bn-epsilon does)",
        model_family_epsilon(MODEL_FAMILY_KERAS));
    if (norm)
        model_index_note(k->out->index, note);
}

static void note_turned(const formats_keras *k)
{
    if (k->turned)
        model_index_note(k->out->index, k->theano
                                            ? "Theano wrote its kernels: they were turned by 180 degrees"
                                            : "its kernels have Theano's order of axes and no backend is "
                                              "named: they were turned by 180 degrees");
}

cistern_status formats_keras_finish(formats_keras *k, const char *note)
{
    formats_layer *layers = NULL;
    formats_axes axes = formats_keras_axes(k);
    char odd[256] = "";

    if (model_index_count(k->out->index) == 0)
        return base_fail(k->err, CISTERN_UNREADABLE, "holds no weights");
    note_turned(k);
    if (k->has_config)
        return formats_keras_model_emit(k);
    cistern_status st = base_calloc(k->count + 1, sizeof *layers, &layers, k->err);
    for (size_t i = 0; !st && !odd[0] && i < k->count; i++) {
        if (!describe(k, &k->layers[i], axes, &layers[i]))
            (void)snprintf(odd, sizeof odd, "not laid out as a VGG: layer '%.150s' is none that a VGG has",
                           k->layers[i].key);
    }
    if (!st && (note || odd[0]))
        model_index_note(k->out->index, note ? note : odd);
    else if (!st)
        st = formats_layers_emit(k->out, layers, k->count, k->err);
    if (!st)
        note_epsilon(k);
    free(layers);
    return st;
}

/* ---- the file ---- */

/* What a .keras has beside the weights. */
typedef struct outer_zip {
    const uint8_t *config; /* NULL: none */
    size_t config_size;
} outer_zip;

static cistern_status has_texts(formats_keras *k, uint64_t object, const char *name, bool *out)
{
    formats_hdf5_texts texts = {0};
    cistern_status st = formats_hdf5_texts_read(&k->h, object, name, &texts, out);

    formats_hdf5_texts_clear(&texts);
    return st;
}

static bool has_group(const formats_hdf5_links *links, const char *name)
{
    return formats_hdf5_find(links, name, strlen(name)) != NULL;
}

static cistern_status read_layout(formats_keras *k, const formats_hdf5_links *root, const char *kind)
{
    bool named = false;
    uint64_t group = k->h.root;
    const formats_hdf5_link *model = formats_hdf5_find(root, "model_weights", strlen("model_weights"));
    cistern_status st = CISTERN_OK;

    if (!kind && model)
        st = formats_hdf5_follow(&k->h, model, &group);
    if (!st && !kind)
        st = has_texts(k, group, "layer_names", &named);
    if (!st && !kind && !named)
        st = has_texts(k, group, "layer_names0", &named);
    if (st)
        return st;
    if (named) {
        k->out->kind = model ? "Keras HDF5 model" : "Keras HDF5 weights";
        return formats_keras_read_named(k, group);
    }
    if (has_group(root, "layers") || has_group(root, "_layer_checkpoint_dependencies")) {
        k->out->kind = kind ? kind : "Keras .weights.h5";
        return formats_keras_read_numbered(k, root);
    }
    return base_fail(k->err, CISTERN_UNREADABLE,
                     "an HDF5 file, but not one of Keras 1, 2 or 3 (no layer_names, no layers group)");
}

/* What a configuration's bytes say. One that lists no layers is passed over, with a word. */
static cistern_status take_config(formats_keras *k, const void *bytes, size_t n)
{
    cistern_status st = formats_keras_config_read(bytes, n, &k->config, &k->has_config, k->err);

    if (!st && !k->has_config)
        model_index_note(k->out->index,
                         "its configuration lists no layers in Keras' way; it is taken as weights alone");
    return st;
}

/* A whole model has its configuration at the root. */
static cistern_status find_config(formats_keras *k)
{
    formats_hdf5_texts texts = {0};
    bool found = false;
    cistern_status st = formats_hdf5_texts_read(&k->h, k->h.root, "model_config", &texts, &found);

    if (!st && found && texts.count == 1)
        st = take_config(k, texts.text[0].bytes, texts.text[0].len);
    formats_hdf5_texts_clear(&texts);
    return st;
}

/* @param config  of the model, beside the window; NULL: what the window itself has */
static cistern_status read_window(const formats_file *file, uint64_t origin, uint64_t size,
                                  const outer_zip *outer, uint32_t number, formats_output *out,
                                  cistern_error *err)
{
    formats_keras k = {.number = number, .out = out, .err = err};
    formats_hdf5_links root = {0};
    cistern_status st = formats_hdf5_open(file->data + origin, size, origin, &k.h, err);

    if (!st)
        st = formats_hdf5_list(&k.h, k.h.root, &root);
    if (!st && has_group(&root, "_layer_checkpoint_dependencies"))
        k.config.stride = 2; /* TensorFlow 2.13 counts each layer with weights twice */
    if (!st && outer && outer->config)
        st = take_config(&k, outer->config, outer->config_size);
    else if (!st && !outer)
        st = find_config(&k);
    if (!st)
        st = read_layout(&k, &root, outer ? out->kind : NULL);
    formats_hdf5_links_clear(&root);
    clear(&k);
    return st;
}

cistern_status formats_keras_read(const formats_file *file, uint32_t number, formats_output *out,
                                  cistern_error *err)
{
    return read_window(file, 0, file->size, NULL, number, out, err);
}

/* config.json beside the weights; NULL: there is none that is stored. */
static const uint8_t *config_of(const formats_zip *zip, size_t *size, cistern_status *st, cistern_error *err)
{
    const formats_zip_member *m =
        formats_zip_find(zip, (const uint8_t *)FORMATS_KERAS_CONFIG, strlen(FORMATS_KERAS_CONFIG));
    const uint8_t *bytes = NULL;

    *st = CISTERN_OK;
    if (!m || m->method != 0)
        return NULL;
    *size = (size_t)m->size;
    *st = formats_zip_payload(zip, m, &bytes, err);
    return bytes;
}

cistern_status formats_keras_read_member(const formats_file *file, const formats_zip *zip,
                                         const formats_zip_member *m, uint32_t number, formats_output *out,
                                         cistern_error *err)
{
    outer_zip outer = {NULL, 0};
    cistern_status st;

    out->kind = "Keras .keras";
    out->family = MODEL_FAMILY_KERAS;
    if (m->method != 0) {
        st = base_fail_at(err, CISTERN_UNREADABLE, m->header,
                          "it is compressed, which Keras itself never does to it; load the file with "
                          "keras.saving.load_model and save it again");
    } else {
        outer.config = config_of(zip, &outer.config_size, &st, err);
        if (st)
            return base_frame(err, st, "zip member '" FORMATS_KERAS_CONFIG "'");
        st = read_window(file, m->data, m->size, &outer, number, out, err);
    }
    return st ? base_frame(err, st, "zip member '" FORMATS_KERAS_MEMBER "'") : st;
}
