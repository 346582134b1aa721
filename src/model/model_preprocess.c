/* Names of the ways to prepare a picture, and the table of presets. */
#include "model_preprocess.h"

#include <assert.h>
#include <string.h>

static const char *const interpolation_texts[] = {"nearest", "bilinear", "bicubic",
                                                  "lanczos", "box",      "hamming"};
static const char *const resize_texts[] = {"short", "squash"};
static const char *const sampling_texts[] = {"pillow", "legacy"};
static const char *const colour_texts[] = {"rgb", "bgr"};
static const char *const scale_texts[] = {"1", "255"};

#define COUNT(texts) (sizeof(texts) / sizeof(texts)[0])

static const char *text_of(const char *const *texts, size_t count, unsigned value)
{
    return value < count ? texts[value] : "?";
}

static bool value_of(const char *const *texts, size_t count, const char *text, unsigned *out)
{
    for (unsigned i = 0; i < count; i++) {
        if (strcmp(texts[i], text) == 0) {
            *out = i;
            return true;
        }
    }
    return false;
}

const char *model_interpolation_text(model_interpolation i)
{
    return text_of(interpolation_texts, COUNT(interpolation_texts), (unsigned)i);
}

bool model_interpolation_parse(const char *text, model_interpolation *out)
{
    unsigned value;
    bool found = value_of(interpolation_texts, COUNT(interpolation_texts), text, &value);
    if (found)
        *out = (model_interpolation)value;
    return found;
}

const char *model_resize_text(model_resize r)
{
    return text_of(resize_texts, COUNT(resize_texts), (unsigned)r);
}

bool model_resize_parse(const char *text, model_resize *out)
{
    unsigned value;
    bool found = value_of(resize_texts, COUNT(resize_texts), text, &value);
    if (found)
        *out = (model_resize)value;
    return found;
}

const char *model_sampling_text(model_sampling s)
{
    return text_of(sampling_texts, COUNT(sampling_texts), (unsigned)s);
}

bool model_sampling_parse(const char *text, model_sampling *out)
{
    unsigned value;
    bool found = value_of(sampling_texts, COUNT(sampling_texts), text, &value);
    if (found)
        *out = (model_sampling)value;
    return found;
}

const char *model_colour_text(model_colour c)
{
    return text_of(colour_texts, COUNT(colour_texts), (unsigned)c);
}

bool model_colour_parse(const char *text, model_colour *out)
{
    unsigned value;
    bool found = value_of(colour_texts, COUNT(colour_texts), text, &value);
    if (found)
        *out = (model_colour)value;
    return found;
}

const char *model_scale_text(model_scale s)
{
    return text_of(scale_texts, COUNT(scale_texts), (unsigned)s);
}

bool model_scale_parse(const char *text, model_scale *out)
{
    unsigned value;
    bool found = value_of(scale_texts, COUNT(scale_texts), text, &value);
    if (found)
        *out = (model_scale)value;
    return found;
}

bool model_preprocess_equal(const model_preprocess *p, const model_preprocess *q)
{
    bool same = p->height == q->height && p->width == q->width && p->resize == q->resize &&
                p->resize_short == q->resize_short && p->resize_height == q->resize_height &&
                p->resize_width == q->resize_width && p->interpolation == q->interpolation &&
                p->sampling == q->sampling && p->colour == q->colour && p->scale == q->scale;
    for (int c = 0; c < 3; c++)
        same = same && p->mean[c] == q->mean[c] && p->std[c] == q->std[c];
    return same;
}

typedef struct preset {
    const char *name;
    model_preprocess how;
} preset;

/* torchvision.transforms of ImageNet classification: Resize(256), CenterCrop(224), ImageNet's mean and deviation. timm's
 * eval transform with the pretrained_cfg of its VGGs is the same: floor(224 / 0.875) = 256, bilinear. */
#define IMAGENET_RGB                                                                                         \
    .height = 224, .width = 224, .resize_short = 256, .interpolation = MODEL_BILINEAR,                       \
    .mean = {0.485f, 0.456f, 0.406f}, .std = {0.229f, 0.224f, 0.225f}

/* keras.utils.load_img(target_size=(224, 224)), whose interpolation is nearest unless told otherwise, then
 * keras.applications.vgg16.preprocess_input, mode "caffe". */
#define KERAS(its_interpolation)                                                                             \
    .height = 224, .width = 224, .resize = MODEL_RESIZE_SQUASH, .interpolation = (its_interpolation),        \
    CAFFE_BGR
#define CAFFE_BGR                                                                                            \
    .mean = {103.939f, 116.779f, 123.68f}, .std = {1, 1, 1}, .colour = MODEL_BGR, .scale = MODEL_SCALE_255

static const preset presets[] = {
    {"torchvision", {IMAGENET_RGB}},
    {"timm", {IMAGENET_RGB}},
    {"keras", {KERAS(MODEL_NEAREST)}},
    {"keras-bilinear", {KERAS(MODEL_BILINEAR)}},
    {"keras-bicubic", {KERAS(MODEL_BICUBIC)}},
    {"keras-lanczos", {KERAS(MODEL_LANCZOS)}},
    {"keras-box", {KERAS(MODEL_BOX)}},
    {"keras-hamming", {KERAS(MODEL_HAMMING)}},
    /* tensorflow/models, research/slim/preprocessing/vgg_preprocessing.py, preprocess_for_eval */
    {"tf-slim",
     {.height = 224,
      .width = 224,
      .resize_short = 256,
      .interpolation = MODEL_BILINEAR,
      .mean = {123.68f, 116.78f, 103.94f},
      .std = {1, 1, 1},
      .sampling = MODEL_SAMPLING_LEGACY,
      .scale = MODEL_SCALE_255}},
    /* The authors' description of their Caffe models: short side 256, centre 224, B, G, R less their means. */
    {"caffe", {.height = 224, .width = 224, .resize_short = 256, .interpolation = MODEL_BILINEAR, CAFFE_BGR}},
};

size_t model_preset_count(void)
{
    return COUNT(presets);
}

const char *model_preset_name(size_t i)
{
    assert(i < COUNT(presets));
    return presets[i].name;
}

bool model_preset_find(const char *name, model_preprocess *out)
{
    for (size_t i = 0; i < COUNT(presets); i++) {
        if (strcmp(presets[i].name, name) == 0) {
            *out = presets[i].how;
            return true;
        }
    }
    return false;
}

const char *model_preset_of_family(model_family family)
{
    switch (family) {
    case MODEL_FAMILY_KERAS:
        return "keras";
    case MODEL_FAMILY_TENSORFLOW:
        return "tf-slim";
    case MODEL_FAMILY_CAFFE:
        return "caffe";
    case MODEL_FAMILY_TORCH:
    case MODEL_FAMILY_ONNX: /* of PyTorch and MXNet; a reader that knows better says another family */
    case MODEL_FAMILY_MXNET:
    case MODEL_FAMILY_UNKNOWN:
        break;
    }
    return "torchvision";
}
