/* Facts from a config.json in timm's schema (huggingface/pytorch-image-models: pretrained_cfg).
 *
 * What is not said there has timm's defaults: crop_pct 0.875, bicubic, ImageNet mean and deviation, crop_mode center: the
 * short side is resized to floor(input / crop_pct), then the centre is cut. With crop_mode squash both sides are.
 */
#include "model_facts.h"

#include <math.h>
#include <string.h>
#include "base_json.h"
#include "model_vgg.h"

#define WHAT              "config.json"
#define CONFIG_CROP_PCT   0.875 /* timm.data.constants.DEFAULT_CROP_PCT */
#define CONFIG_SIDE_LEAST 32u   /* pixels: five poolings by two */
#define CONFIG_SIDE_MOST  4096u

/* A member of pretrained_cfg, or of the object itself. */
static const json_t *config_get(const json_t *object, const char *key)
{
    const json_t *inner = json_object_get(json_object_get(object, "pretrained_cfg"), key);
    return inner ? inner : json_object_get(object, key);
}

static cistern_status config_floats(const json_t *object, const char *key, float out[3], cistern_error *err)
{
    const json_t *array = config_get(object, key);
    if (!array)
        return CISTERN_OK;
    for (size_t i = 0; i < 3; i++) {
        const json_t *value = json_array_get(array, i);
        if (json_array_size(array) != 3 || !json_is_number(value) || !isfinite(json_number_value(value)))
            return base_fail(err, CISTERN_USAGE, WHAT ": '%s' is not a list of three numbers", key);
        out[i] = (float)json_number_value(value);
        if (strcmp(key, "std") == 0 && !(out[i] > 0))
            return base_fail(err, CISTERN_USAGE, WHAT ": 'std' has a number that is not above zero");
    }
    return CISTERN_OK;
}

static cistern_status config_size(const json_t *object, model_preprocess *p, cistern_error *err)
{
    const json_t *array = config_get(object, "input_size");
    json_int_t size[3] = {3, 224, 224};
    for (size_t i = 0; array && i < 3; i++) {
        const json_t *value = json_array_get(array, i);
        if (json_array_size(array) != 3 || !json_is_integer(value))
            return base_fail(err, CISTERN_USAGE, WHAT ": 'input_size' is not [3, height, width]");
        size[i] = json_integer_value(value);
    }
    bool fits = size[0] == 3 && (size[1] == size[2] || p->resize == MODEL_RESIZE_SQUASH);
    for (int i = 1; i < 3; i++)
        fits = fits && size[i] >= CONFIG_SIDE_LEAST && size[i] <= CONFIG_SIDE_MOST;
    if (!fits)
        return base_fail(err, CISTERN_USAGE,
                         WHAT ": 'input_size' is [%lld, %lld, %lld]; [3, n, n] with n from %u to %u "
                              "is read, and with crop_mode 'squash' also [3, height, width]",
                         (long long)size[0], (long long)size[1], (long long)size[2], CONFIG_SIDE_LEAST,
                         CONFIG_SIDE_MOST);
    p->height = (uint32_t)size[1];
    p->width = (uint32_t)size[2];
    return CISTERN_OK;
}

static cistern_status config_crop(const json_t *object, model_preprocess *p, cistern_error *err)
{
    const json_t *value = config_get(object, "crop_pct");
    double crop = value ? json_number_value(value) : CONFIG_CROP_PCT;
    if (value && !json_is_number(value))
        return base_fail(err, CISTERN_USAGE, WHAT ": 'crop_pct' is not a number");
    if (!(crop >= 0.1 && crop <= 1.0))
        return base_fail(err, CISTERN_USAGE, WHAT ": 'crop_pct' is %g, from 0.1 to 1 allowed", crop);
    if (p->resize == MODEL_RESIZE_SHORT) {
        p->resize_short = (uint32_t)floor((double)p->height / crop);
    } else {
        p->resize_height = (uint32_t)floor((double)p->height / crop);
        p->resize_width = (uint32_t)floor((double)p->width / crop);
    }
    return CISTERN_OK;
}

/* timm's third mode, "border", pads the picture with its mean colour before the crop. */
static cistern_status config_mode(const json_t *object, model_preprocess *p, cistern_error *err)
{
    const json_t *value = config_get(object, "crop_mode");
    const char *mode = value ? json_string_value(value) : "center";
    if (!mode || (strcmp(mode, "center") != 0 && strcmp(mode, "squash") != 0))
        return base_fail(err, CISTERN_USAGE, WHAT ": 'crop_mode' is '%s'; center and squash are read",
                         mode ? mode : "?");
    p->resize = strcmp(mode, "squash") == 0 ? MODEL_RESIZE_SQUASH : MODEL_RESIZE_SHORT;
    return CISTERN_OK;
}

static cistern_status config_preprocess(model_facts *facts, const json_t *object, cistern_error *err)
{
    model_preprocess p = {
        .interpolation = MODEL_BICUBIC, .mean = {0.485f, 0.456f, 0.406f}, .std = {0.229f, 0.224f, 0.225f}};
    const json_t *interpolation = config_get(object, "interpolation");
    cistern_status st = config_mode(object, &p, err);
    if (st == CISTERN_OK)
        st = config_size(object, &p, err);
    if (st == CISTERN_OK)
        st = config_crop(object, &p, err);
    if (st == CISTERN_OK)
        st = config_floats(object, "mean", p.mean, err);
    if (st == CISTERN_OK)
        st = config_floats(object, "std", p.std, err);
    if (st == CISTERN_OK && interpolation &&
        (!json_is_string(interpolation) ||
         !model_interpolation_parse(json_string_value(interpolation), &p.interpolation)))
        st = base_fail(err, CISTERN_USAGE,
                       WHAT ": 'interpolation' is not nearest, bilinear, bicubic, lanczos, box or hamming");
    if (st != CISTERN_OK)
        return st;
    facts->preprocess = p;
    memset(facts->preset, 0, sizeof facts->preset);
    memcpy(facts->preset, "config", 6);
    facts->preprocess_source = MODEL_FACT_CONFIG;
    return CISTERN_OK;
}

/* "vgg16.tv_in1k" is architecture "vgg16" with timm's tag; other networks are none of ours to name. */
static cistern_status config_architecture(model_facts *facts, const json_t *object, cistern_error *err)
{
    const json_t *value = json_object_get(object, "architecture");
    char name[32];
    size_t n;
    if (!value)
        return CISTERN_OK;
    if (!json_is_string(value))
        return base_fail(err, CISTERN_USAGE, WHAT ": 'architecture' is not a text");
    n = strcspn(json_string_value(value), ".");
    if (n >= sizeof name)
        return CISTERN_OK;
    memcpy(name, json_string_value(value), n);
    name[n] = 0;
    return model_vgg_find(name) ? model_facts_set_architecture(facts, name, MODEL_FACT_CONFIG, err)
                                : CISTERN_OK;
}

static cistern_status config_labels(model_facts *facts, const json_t *object, cistern_error *err)
{
    const json_t *names = config_get(object, "label_names");
    const json_t *count = config_get(object, "num_classes");
    cistern_status st = CISTERN_OK;
    if (count && (!json_is_integer(count) || json_integer_value(count) < 1 ||
                  json_integer_value(count) > MODEL_LABELS_MAX))
        return base_fail(err, CISTERN_USAGE, WHAT ": 'num_classes' is not a number from 1 to %d",
                         MODEL_LABELS_MAX);
    if (names && count && json_array_size(names) != (size_t)json_integer_value(count))
        return base_fail(err, CISTERN_USAGE, WHAT ": %zu label_names for %lld classes",
                         json_array_size(names), (long long)json_integer_value(count));
    if (names)
        st = model_facts_set_label_list(facts, names, "config", MODEL_FACT_CONFIG, err);
    return st == CISTERN_OK ? st : base_frame(err, st, WHAT);
}

cistern_status model_facts_from_config(model_facts *facts, const void *bytes, size_t n, bool *out_used,
                                       cistern_error *err)
{
    json_t *object = NULL;
    cistern_status st;
    bool used = base_json_parse(bytes, n, BASE_JSON_REALS, WHAT, &object, NULL) == CISTERN_OK &&
                (json_object_get(object, "architecture") || json_object_get(object, "pretrained_cfg") ||
                 json_object_get(object, "mean"));
    if (!used) {
        json_decref(object);
        *out_used = false;
        return CISTERN_OK;
    }
    st = config_architecture(facts, object, err);
    if (st == CISTERN_OK && facts->preprocess_source >= MODEL_FACT_CONFIG)
        st = config_preprocess(facts, object, err);
    if (st == CISTERN_OK)
        st = config_labels(facts, object, err);
    json_decref(object);
    if (st == CISTERN_OK)
        *out_used = true;
    return st;
}
