/* Networks for tests, made from nothing: the same generator as tools/make_vgg_goldens.py, so that weights and inputs need
 * not be stored. A net's "file" is one block of memory that ends at a guard page. */
#ifndef NN_FIXTURE_H
#define NN_FIXTURE_H

#include <math.h>

#include "cistern_test.h"
#include "guard_page.h"

#include "nn_net.h"
#include "nn_session.h"

typedef struct nn_recipe {
    char name[64];
    char kind[16];
    size_t channels[MODEL_VGG_CONVS_MAX];
    size_t hidden[2], classes;
} nn_recipe;

typedef struct nn_fixture {
    guard_page file;
    model_index *index;
    nn_net *net;
} nn_fixture;

static inline uint64_t fixture_seed(const char *name)
{
    uint64_t seed = 0xCBF29CE484222325u;
    for (; *name; name++) {
        seed = (seed ^ (uint8_t)*name) * 0x100000001B3u;
    }
    return seed;
}

static inline uint64_t fixture_bits(uint64_t seed, uint64_t i)
{
    uint64_t z = (i + 1) * 0x9E3779B97F4A7C15u + seed;
    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9u;
    z = (z ^ z >> 27) * 0x94D049BB133111EBu;
    return z ^ z >> 31;
}

static inline float fixture_normal(uint64_t seed, uint64_t i, double deviation)
{
    uint64_t z = fixture_bits(seed, i);
    int64_t sum = (int64_t)((z & 0xFFFF) + (z >> 16 & 0xFFFF) + (z >> 32 & 0xFFFF) + (z >> 48));
    return (float)((double)(sum - 131070) * (deviation / 37837.0));
}

static inline float fixture_uniform(uint64_t seed, uint64_t i, double low, double high)
{
    return (float)(low + (high - low) * ((double)(fixture_bits(seed, i) >> 32) * 0x1p-32));
}

/* How a tensor lies in the file. */
typedef struct fixture_form {
    model_dtype dtype;
    unsigned shift; /* bytes that every tensor is moved off its natural alignment */
    bool reversed;  /* axes in the opposite order in memory (a transposed view) */
    bool as_keras; /* kernels HWIO; linear layers as convolutions over (h, w, c) rows, outputs side by side */
} fixture_form;

typedef struct fixture_writer {
    const nn_recipe *recipe;
    fixture_form form;
    uint8_t *at;   /* NULL while only the size is wanted */
    uint64_t used; /* bytes */
    uint64_t size; /* of the file, once known */
    model_index *index;
} fixture_writer;

/* The nearest half; these values are normal and far from overflow. */
static inline uint16_t fixture_f16(float value)
{
    uint32_t bits;
    memcpy(&bits, &value, 4);
    if ((bits & 0x7fffffffu) < 0x38800000u) { /* below the least normal half: to zero */
        return (uint16_t)(bits >> 16 & 0x8000u);
    }
    uint32_t rounded = bits + 0xfffu + (bits >> 13 & 1);
    return (uint16_t)((rounded >> 16 & 0x8000u) | (((rounded & 0x7fffffffu) >> 13) - (112u << 10)));
}

static inline uint16_t fixture_bf16(float value)
{
    uint32_t bits;
    memcpy(&bits, &value, 4);
    return (uint16_t)((bits + 0x7fffu + (bits >> 16 & 1)) >> 16);
}

static inline void fixture_store(uint8_t *at, model_dtype dtype, float value)
{
    double wide = value;
    uint16_t half = dtype == MODEL_F16 ? fixture_f16(value) : fixture_bf16(value);
    if (dtype == MODEL_F32) {
        memcpy(at, &value, 4);
    } else if (dtype == MODEL_F64) {
        memcpy(at, &wide, 8);
    } else {
        memcpy(at, &half, 2);
    }
}

static inline float fixture_value(const char *key, uint64_t seed, uint64_t i, uint64_t fan_in, bool norm)
{
    size_t n = strlen(key);
    if (strstr(key, "running_var")) {
        return fixture_uniform(seed, i, 0.5, 2.0);
    }
    if (strstr(key, "running_mean") || (norm && n > 5 && strcmp(key + n - 5, ".bias") == 0)) {
        return fixture_normal(seed, i, 0.3);
    }
    if (norm) {
        return fixture_uniform(seed, i, 0.5, 1.5);
    }
    return fixture_normal(seed, i, strcmp(key + n - 5, ".bias") == 0 ? 0.1 : sqrt(2.0 / (double)fan_in));
}

static inline void fixture_put(fixture_writer *w, const char *key, const uint64_t *shape, uint32_t rank,
                               bool norm)
{
    size_t bytes = model_dtype_bytes(w->form.dtype);
    model_tensor t = {.name = key, .dtype = w->form.dtype, .rank = rank, .offset = w->used + w->form.shift};
    uint64_t count = 1, step = 1;
    char full[160];
    static const uint32_t keras[4] = {0, 1, 3, 2}; /* from the innermost: output, input, x, y */
    memcpy(t.shape, shape, rank * sizeof(shape[0]));
    for (uint32_t d = 0; d < rank; d++) {
        uint32_t axis = w->form.reversed ? d : rank - 1 - d;
        axis = w->form.as_keras && rank == 4 ? keras[d] : axis;
        t.stride[axis] = step;
        step *= shape[axis];
        count *= shape[d];
    }
    w->used = t.offset + count * bytes;
    if (!w->at) {
        return;
    }
    assert_ok(model_index_add(w->index, &t, NULL), NULL);
    snprintf(full, sizeof(full), "%s/%s", w->recipe->name, key);
    uint64_t seed = fixture_seed(full), fan_in = count / shape[0], place[MODEL_RANK_MAX] = {0};
    for (uint64_t i = 0; i < count; i++) {
        uint64_t at = 0;
        for (uint32_t d = 0; d < rank; d++) {
            at += place[d] * t.stride[d];
        }
        fixture_store(w->at + t.offset + at * bytes, t.dtype, fixture_value(key, seed, i, fan_in, norm));
        for (uint32_t d = rank; d-- > 0 && ++place[d] == shape[d];) {
            place[d] = 0;
        }
    }
}

static inline void fixture_put_all(fixture_writer *w, const model_vgg *vgg)
{
    static const char *const norms[4] = {"weight", "bias", "running_mean", "running_var"};
    static const int numbers[MODEL_VGG_LINEARS] = {0, 3, 6};
    uint64_t inputs = 3;
    char key[64];
    for (int i = 0; i < vgg->conv_count; i++) {
        uint64_t shape[4] = {w->recipe->channels[i], inputs, 3, 3};
        snprintf(key, sizeof(key), "features.%d.weight", vgg->conv[i].feature);
        fixture_put(w, key, shape, 4, false);
        snprintf(key, sizeof(key), "features.%d.bias", vgg->conv[i].feature);
        fixture_put(w, key, shape, 1, false);
        for (int k = 0; vgg->batch_norm && k < 4; k++) {
            snprintf(key, sizeof(key), "features.%d.%s", vgg->conv[i].feature + 1, norms[k]);
            fixture_put(w, key, shape, 1, true);
        }
        inputs = shape[0];
    }
    for (int i = 0; i < MODEL_VGG_LINEARS; i++) {
        uint64_t side = i == 0 ? MODEL_VGG_POOLED_SIDE : 1;
        uint64_t shape[4] = {i < 2 ? w->recipe->hidden[i] : w->recipe->classes, inputs, side, side};
        snprintf(key, sizeof(key), "classifier.%d.weight", numbers[i]);
        shape[1] *= w->form.as_keras ? 1 : side * side;
        fixture_put(w, key, shape, w->form.as_keras ? 4 : 2, false);
        snprintf(key, sizeof(key), "classifier.%d.bias", numbers[i]);
        fixture_put(w, key, shape, 1, false);
        inputs = shape[0];
    }
}

/** A net whose tensors lie in the file as `form` says. */
static inline nn_fixture nn_fixture_new(const nn_recipe *recipe, fixture_form form)
{
    nn_fixture f;
    cistern_error err = CISTERN_ERROR_INIT;
    const model_vgg *vgg = model_vgg_find(recipe->kind);
    model_vgg_match match;
    assert_non_null(vgg);
    fixture_writer w = {.recipe = recipe, .form = form};
    fixture_put_all(&w, vgg);
    uint64_t size = w.used;
    f.file = guard_page_make(size);
    assert_ok(model_index_new(&size, 1, &f.index, &err), &err);
    w = (fixture_writer){.recipe = recipe, .form = form, .at = f.file.data, .index = f.index};
    fixture_put_all(&w, vgg);
    assert_ok(model_vgg_match_index(f.index, recipe->kind, &match, &err), &err);
    base_map map = {f.file.data, size};
    assert_ok(nn_net_new(&match, &map, 1, &f.net, &err), &err);
    return f;
}

static inline void nn_fixture_free(nn_fixture *f)
{
    nn_net_free(f->net);
    model_index_free(f->index);
    guard_page_free(&f->file);
}

/** The input that the golden tool calls "image.<number>", at the end of a guard page. */
static inline guard_page nn_fixture_image(const char *net, size_t number, size_t height, size_t width)
{
    char key[96];
    size_t count = 3 * height * width;
    guard_page g = guard_page_make(count * sizeof(float));
    snprintf(key, sizeof(key), "%s/image.%zu", net, number);
    uint64_t seed = fixture_seed(key);
    for (size_t i = 0; i < count; i++) {
        ((float *)(void *)g.data)[i] = fixture_normal(seed, i, 1.0);
    }
    return g;
}

/** A small net for tests that do not need a golden. */
static inline nn_recipe nn_recipe_small(const char *kind)
{
    nn_recipe r = {.hidden = {21, 34}, .classes = 10};
    snprintf(r.name, sizeof(r.name), "plain-%s", kind);
    snprintf(r.kind, sizeof(r.kind), "%s", kind);
    for (size_t i = 0; i < MODEL_VGG_CONVS_MAX; i++) {
        r.channels[i] = 9 + 2 * i;
    }
    return r;
}

#endif
