/* Published weights: the rows, and finding among them; see model_published.h. */
#include "model_published.h"

#include <stdio.h>
#include <string.h>

#define TORCH_BASE "https://download.pytorch.org/models/"
#define KERAS_BASE "https://storage.googleapis.com/tensorflow/keras-applications/"
#define TIMM_BASE  "https://huggingface.co/timm/"

/* Room that a file has for everything but its numbers, where its size is not known: names, shapes, a pickle. */
#define OVERHEAD_MAX (1u << 20)

#define BSD "BSD-3-Clause"
#define CC  "CC-BY-4.0"

#define TORCH(its_model, its_file, its_prefix, its_sha256, its_size, its_params, its_top1, its_top5)         \
    {                                                                                                        \
        "torchvision", its_model, "IMAGENET1K_V1", true, NULL, its_model, TORCH_BASE its_file, its_sha256,   \
            its_prefix, NULL, its_size, its_params, true, "torchvision", its_top1, its_top5, BSD             \
    }
#define KERAS(its_model, its_weights, is_default, its_name, its_file, its_md5, its_size, its_params, head,   \
              its_top1, its_top5)                                                                            \
    {                                                                                                        \
        "keras", its_model, its_weights, is_default, its_name, its_model,                                    \
            KERAS_BASE its_model "/" its_model "_weights_tf_dim_ordering_tf_kernels" its_file, NULL, NULL,   \
            its_md5, its_size, its_params, head, "keras", its_top1, its_top5, CC                             \
    }
#define TIMM(its_model, its_file, is_default, its_sha256, its_params, its_top1, its_top5)                    \
    {                                                                                                        \
        "hf", "timm/" its_model ".tv_in1k", its_file, is_default, its_model, its_model,                      \
            TIMM_BASE its_model ".tv_in1k/resolve/main/" its_file, its_sha256, NULL, NULL, 0, its_params,    \
            true, "torchvision", its_top1, its_top5, BSD                                                     \
    }
#define TIMM_SAFE(its_model, its_sha256, its_params, its_top1, its_top5)                                     \
    TIMM(its_model, "model.safetensors", true, its_sha256, its_params, its_top1, its_top5)
#define TIMM_BIN(its_model, its_sha256, its_params, its_top1, its_top5)                                      \
    TIMM(its_model, "pytorch_model.bin", false, its_sha256, its_params, its_top1, its_top5)

static const model_published rows[] = {
    TORCH("vgg11", "vgg11-8a719046.pth", "8a719046", NULL, 0, 132863336, 69020, 88628),
    TORCH("vgg11_bn", "vgg11_bn-6002323d.pth", "6002323d", NULL, 0, 132868840, 70370, 89810),
    TORCH("vgg13", "vgg13-19584684.pth", "19584684", NULL, 0, 133047848, 69928, 89246),
    TORCH("vgg13_bn", "vgg13_bn-abd245e5.pth", "abd245e5", NULL, 0, 133053736, 71586, 90374),
    TORCH("vgg16", "vgg16-397923af.pth", "397923af",
          "397923af8e79cdbb6a7127f12361acd7a2f83e06b05044ddf496e83de57a5bf0", 553433881, 138357544, 71592,
          90382),
    TORCH("vgg16_bn", "vgg16_bn-6c64b313.pth", "6c64b313",
          "6c64b3138f2f4fcb3bcc4cafde11619c4f440eb1631787e93a682fd88305888a", 553507836, 138365992, 73360,
          91516),
    TORCH("vgg19", "vgg19-dcbb9e9d.pth", "dcbb9e9d",
          "dcbb9e9dad569fff7a846263a77324fc34978fea2bfb039c012d710e1776ae44", 574673361, 143667240, 72376,
          90876),
    TORCH("vgg19_bn", "vgg19_bn-c79401a0.pth", "c79401a0",
          "c79401a0cf3cb42714e4182f5868c7a6f4f4534f5df9e956e2bb2098de41cbb6", 574769405, 143678248, 74218,
          91842),
    /* Its classifier is there and holds NaN only. Ported from the ssd.pytorch project; its own mean and deviation. */
    {"torchvision", "vgg16", "IMAGENET1K_FEATURES", false, NULL, "vgg16",
     TORCH_BASE "vgg16_features-amdegroot-88682ab5.pth", NULL, "88682ab5", NULL, 0, 138357544, false,
     "torchvision-features", 0, 0, BSD},

    KERAS("vgg16", "imagenet", true, "vgg16", ".h5", "64373286793e3c8b2b4e3219cbf3544b", 553467096, 138357544,
          true, 71300, 90100),
    KERAS("vgg16", "notop", false, "vgg16_notop", "_notop.h5", "6d6bbae143d832006294945121d1f1fc", 58889256,
          14714688, false, 0, 0),
    KERAS("vgg19", "imagenet", true, "vgg19", ".h5", "cbe5617147190e668d6c5d5026f83318", 574710816, 143667240,
          true, 71300, 90000),
    KERAS("vgg19", "notop", false, "vgg19_notop", "_notop.h5", "253f8cb515780f3b799900260a226db6", 80134624,
          20024384, false, 0, 0),

    /* timm's conversions of torchvision's weights: the same numbers, so the same accuracy */
    TIMM_SAFE("vgg11", "682c023808812148d4e60c76d80ad83dbeaf5d50eb1a952a0b836895003151e5", 132863336, 69020,
              88628),
    TIMM_SAFE("vgg13_bn", "7dae235e35772693cd527e7ac9ef8f6594707a14a8d26aabdb83c0baa6847861", 133053736,
              71586, 90374),
    TIMM_SAFE("vgg16", "57b026918159a6bf9faf8405c3a551903768e7138989d9c6224a14227203fad8", 138357544, 71592,
              90382),
    TIMM_SAFE("vgg16_bn", "88bbedbc8e780413736db38ac4efd41b06fc0e93fd5b8879b584bba63a950129", 138365992,
              73360, 91516),
    TIMM_BIN("vgg16_bn", "ae1deb24e2f04fe6c2f169946ab5689109608fabe94e43bbd24149a52125c5fa", 138365992, 73360,
             91516),
    TIMM_SAFE("vgg19", "11aea017b543ff59233749d8f1cf544cda749378f5790d2fedab841fb86b7669", 143667240, 72376,
              90876),
    TIMM_SAFE("vgg19_bn", "f8249087e63bae61c6166bb23d7c26efe1b2a43fd9fb5cd60ac6ce00535ba312", 143678248,
              74218, 91842),
    TIMM_BIN("vgg19_bn", "b96cda455b9c58e33f080a55f6cde6f45888b0c06dcde02067eb9c150ee36ccd", 143678248, 74218,
             91842),
};
#define ROW_COUNT (sizeof rows / sizeof rows[0])

size_t model_published_count(void)
{
    return ROW_COUNT;
}

const model_published *model_published_peek(size_t i)
{
    return i < ROW_COUNT ? &rows[i] : NULL;
}

/* "vgg16" means its default, "vgg16.DEFAULT" too, "vgg16.X" the weights X. */
static bool is_meant(const model_published *row, const char *text)
{
    size_t n = strlen(row->model);
    if (strncmp(text, row->model, n) != 0)
        return false;
    if (text[n] == '\0')
        return row->is_default;
    if (text[n] != '.')
        return false;
    return strcmp(text + n + 1, row->weights) == 0 ||
           (row->is_default && strcmp(text + n + 1, "DEFAULT") == 0);
}

const model_published *model_published_find(const char *publisher, const char *text)
{
    for (size_t i = 0; i < ROW_COUNT; i++)
        if (strcmp(rows[i].publisher, publisher) == 0 && is_meant(&rows[i], text))
            return &rows[i];
    return NULL;
}

void model_published_list(const char *publisher, char *out, size_t size)
{
    size_t used = 0;
    out[0] = '\0';
    for (size_t i = 0; i < ROW_COUNT && used < size; i++) {
        const model_published *row = &rows[i];
        if (strcmp(row->publisher, publisher) != 0)
            continue;
        snprintf(out + used, size - used, "%s%s%s%s", used ? ", " : "", row->model,
                 row->is_default ? "" : ".", row->is_default ? "" : row->weights);
        used += strlen(out + used);
    }
}

const model_published *model_published_by_url(const char *url)
{
    for (size_t i = 0; i < ROW_COUNT; i++)
        if (strcmp(rows[i].url, url) == 0)
            return &rows[i];
    return NULL;
}

/* Eight digits alone are 32 bits of evidence; a size that fits f32 weights of this architecture is more. */
static bool size_fits(const model_published *row, uint64_t size)
{
    uint64_t numbers = 4 * row->params;
    return row->size ? size == row->size : size >= numbers && size - numbers <= OVERHEAD_MAX;
}

const model_published *model_published_by_digest(const char *sha256, uint64_t size)
{
    for (size_t i = 0; i < ROW_COUNT; i++) {
        const model_published *row = &rows[i];
        if (row->sha256 ? strcmp(row->sha256, sha256) == 0
                        : row->prefix && strncmp(row->prefix, sha256, MODEL_PUBLISHED_PREFIX_HEX) == 0 &&
                              size_fits(row, size))
            return row;
    }
    return NULL;
}

const char *model_published_file(const model_published *row)
{
    return strrchr(row->url, '/') + 1;
}

const model_published *model_published_by_file(const char *publisher, const char *file_name)
{
    for (size_t i = 0; i < ROW_COUNT; i++)
        if (strcmp(rows[i].publisher, publisher) == 0 &&
            strcmp(model_published_file(&rows[i]), file_name) == 0)
            return &rows[i];
    return NULL;
}

/* torchvision's transforms of IMAGENET1K_FEATURES: the usual geometry; bytes less a mean, in R, G, B. */
static cistern_status set_features_preprocess(model_facts *facts, cistern_error *err)
{
    static const float mean[3] = {0.48235f, 0.45882f, 0.40784f};
    cistern_status st = model_facts_set_preset(facts, "torchvision", MODEL_FACT_PUBLISHED, err);
    for (int c = 0; st == CISTERN_OK && c < 3; c++) {
        facts->preprocess.mean[c] = mean[c];
        facts->preprocess.std[c] = (float)(1.0 / 255.0);
    }
    if (st == CISTERN_OK)
        snprintf(facts->preset, sizeof facts->preset, "torchvision-features");
    return st;
}

cistern_status model_published_facts(const model_published *row, model_facts *out, cistern_error *err)
{
    cistern_status st;
    model_facts_init(out);
    st = model_facts_set_architecture(out, row->architecture, MODEL_FACT_PUBLISHED, err);
    if (st == CISTERN_OK && strcmp(row->preset, "torchvision-features") == 0)
        st = set_features_preprocess(out, err);
    else if (st == CISTERN_OK)
        st = model_facts_set_preset(out, row->preset, MODEL_FACT_PUBLISHED, err);
    if (st == CISTERN_OK && row->head)
        st = model_facts_set_label_set(out, "imagenet-1k", MODEL_FACT_PUBLISHED, err);
    if (st == CISTERN_OK && !row->head)
        out->head = MODEL_HEAD_NONE;
    if (st != CISTERN_OK)
        model_facts_clear(out);
    return st;
}
