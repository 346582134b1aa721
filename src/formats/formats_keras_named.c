/* Keras .h5: layers by name, in the order of `layer_names`; weights by name, in the order of each layer's `weight_names`.
 *
 *   Keras 1   block1_conv1/block1_conv1_W                    (W, b, gamma, beta, running_mean, running_std)
 *   Keras 2   block1_conv1/block1_conv1/kernel:0             (kernel, bias, gamma, beta, moving_mean, moving_variance)
 *   Keras 3   block1_conv1/vgg16/block1_conv1/kernel
 *
 * A list that is too long for one attribute goes on in `<name>0`, `<name>1` …
 */
#include "priv/formats_keras.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base_mem.h"

/* The texts of an attribute, or of all its parts. */
static cistern_status read_names(formats_keras *k, uint64_t object, const char *name, formats_hdf5_texts *out,
                                 bool *found)
{
    char part[64];
    bool more = true;
    cistern_status st = formats_hdf5_texts_read(&k->h, object, name, out, found);

    if (st || *found)
        return st;
    for (unsigned i = 0; !st && more && i < FORMATS_HDF5_TEXTS_MAX; i++) {
        (void)snprintf(part, sizeof part, "%s%u", name, i);
        st = formats_hdf5_texts_read(&k->h, object, part, out, &more);
        *found = *found || (!st && more);
    }
    return st;
}

/* Whether a name has this word at its end, or before a suffix that tells which of several: "_1", ":0", "_1:0". */
static bool is_word(const char *name, const char *word)
{
    size_t len = strlen(word);
    const char *at = NULL;

    for (const char *p = name; (p = strstr(p, word)); p++)
        at = p;
    if (!at || (at > name && at[-1] != '_'))
        return false;
    return at[len] == 0 || strspn(at + len, "_:0123456789") == strlen(at + len);
}

static formats_keras_role role_of(const char *name)
{
    static const struct {
        const char *word;
        formats_keras_role role;
    } words[] = {
        {"bias", FORMATS_KERAS_BIAS},         {"b", FORMATS_KERAS_BIAS},
        {"gamma", FORMATS_KERAS_GAMMA},       {"beta", FORMATS_KERAS_BETA},
        {"moving_mean", FORMATS_KERAS_MEAN},  {"moving_variance", FORMATS_KERAS_VAR},
        {"running_mean", FORMATS_KERAS_MEAN}, {"running_std", FORMATS_KERAS_VAR}, /* which is the variance */
    };
    const char *slash = strrchr(name, '/');

    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        if (is_word(slash ? slash + 1 : name, words[i].word))
            return words[i].role;
    }
    return FORMATS_KERAS_BY_RANK;
}

/* "<layer>/<weight>": the tensor's name, and, up to its last slash, its layer's key. */
static cistern_status add_weight(formats_keras *k, uint64_t group, const formats_hdf5_text *layer,
                                 const formats_hdf5_text *weight)
{
    char name[MODEL_NAME_MAX + 1], key[MODEL_NAME_MAX + 1];
    uint64_t object;
    size_t n = layer->len + 1 + weight->len;

    if (n > MODEL_NAME_MAX || memchr(layer->bytes, 0, layer->len) || memchr(weight->bytes, 0, weight->len))
        return base_fail(
            k->err, CISTERN_UNREADABLE,
            "layer '%.*s': the name of a weight has %zu bytes (at most %d allowed), or a zero in it",
            (int)(layer->len < 80 ? layer->len : 80), (const char *)layer->bytes, n, MODEL_NAME_MAX);
    (void)snprintf(name, sizeof name, "%.*s/%.*s", (int)layer->len, (const char *)layer->bytes,
                   (int)weight->len, (const char *)weight->bytes);
    memcpy(key, name, n + 1);
    *strrchr(key, '/') = 0;
    cistern_status st = formats_hdf5_path(&k->h, group, weight->bytes, weight->len, &object);
    if (st)
        return st;
    if (object == FORMATS_HDF5_UNDEFINED)
        return FORMATS_HDF5_FAIL(&k->h, group, "layer '%.*s' names a weight '%.*s', which is not in the file",
                                 (int)layer->len, (const char *)layer->bytes, (int)weight->len,
                                 (const char *)weight->bytes);
    return formats_keras_add(k, object, name, key, role_of(name), NULL);
}

static cistern_status add_layer(formats_keras *k, const formats_hdf5_links *groups,
                                const formats_hdf5_text *layer)
{
    formats_hdf5_texts weights = {0};
    bool found = false;
    uint64_t group = FORMATS_HDF5_UNDEFINED;
    const formats_hdf5_link *link = formats_hdf5_find(groups, layer->bytes, layer->len);
    cistern_status st;

    if (!link)
        return base_fail(k->err, CISTERN_UNREADABLE, "layer '%.*s' is named, but not in the file",
                         (int)(layer->len < 80 ? layer->len : 80), (const char *)layer->bytes);
    if (!(st = formats_hdf5_follow(&k->h, link, &group)))
        st = read_names(k, group, "weight_names", &weights, &found);
    for (size_t i = 0; !st && i < weights.count; i++)
        st = add_weight(k, group, layer, &weights.text[i]);
    formats_hdf5_texts_clear(&weights);
    return st;
}

static cistern_status find_backend(formats_keras *k, uint64_t group, bool *out_named)
{
    formats_hdf5_texts backend = {0};
    cistern_status st = formats_hdf5_texts_read(&k->h, group, "backend", &backend, out_named);

    if (!st && *out_named && backend.count == 1)
        k->theano = backend.text[0].len == 6 && memcmp(backend.text[0].bytes, "theano", 6) == 0;
    formats_hdf5_texts_clear(&backend);
    return st;
}

cistern_status formats_keras_read_named(formats_keras *k, uint64_t group)
{
    formats_hdf5_texts layers = {0};
    formats_hdf5_links groups = {0};
    bool found = false, backend = false;
    cistern_status st = find_backend(k, group, &backend);

    k->maybe_theano = !st && !backend;
    if (!st)
        st = read_names(k, group, "layer_names", &layers, &found);
    if (!st)
        st = formats_hdf5_list(&k->h, group, &groups);
    for (size_t i = 0; !st && i < layers.count; i++)
        st = add_layer(k, &groups, &layers.text[i]);
    if (!st)
        st = formats_keras_finish(k, NULL);
    formats_hdf5_links_clear(&groups);
    formats_hdf5_texts_clear(&layers);
    return st;
}
