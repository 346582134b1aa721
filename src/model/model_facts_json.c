/* Facts as the manifest's "facts" object, and from it.
 *
 * {"architecture":{"source":"family","value":"vgg16"},
 *  "batch_norm_epsilon":{"source":"file","value":"0.001"},
 *  "classes":1000,
 *  "data_format":{"source":"flag","value":"channels_first"},   only where it was declared
 *  "labels":{"set":"imagenet-1k","source":"family"}            or {"list":["zero",…],"set":"config","source":…}
 *  "preprocess":{"height":224,"interpolation":"bilinear","mean":["0.485",…],"preset":"torchvision",
 *                "resize_short":256,"source":"family","std":[…],"width":224}}
 * Members that are not known are absent. Real numbers are texts: the shortest that reads back equal.
 */
#include "model_facts.h"

#include <math.h>
#include <string.h>
#include "base_json.h"

#define WHAT       "facts"
#define PIXELS_MAX 65536u /* of one side; a picture of 65536 x 65536 is beyond every decoder's limit */

static json_t *floats_to_json(const float v[3])
{
    json_t *array = json_array();
    for (int i = 0; i < 3; i++) {
        char text[32];
        base_float_text(v[i], text);
        json_array_append_new(array, json_string(text));
    }
    return array;
}

static json_t *preprocess_to_json(const model_facts *facts)
{
    const model_preprocess *p = &facts->preprocess;
    json_t *object = json_pack(
        "{s:i,s:i,s:s,s:s,s:s,s:s,s:s,s:o,s:o,s:s,s:s}", "height", (int)p->height, "width", (int)p->width,
        "resize", model_resize_text(p->resize), "interpolation", model_interpolation_text(p->interpolation),
        "sampling", model_sampling_text(p->sampling), "colour", model_colour_text(p->colour), "scale",
        model_scale_text(p->scale), "mean", floats_to_json(p->mean), "std", floats_to_json(p->std), "preset",
        facts->preset, "source", model_fact_source_text(facts->preprocess_source));
    if (!object)
        return NULL;
    if (p->resize == MODEL_RESIZE_SHORT) {
        json_object_set_new(object, "resize_short", json_integer(p->resize_short));
    } else {
        json_object_set_new(object, "resize_height", json_integer(p->resize_height));
        json_object_set_new(object, "resize_width", json_integer(p->resize_width));
    }
    return object;
}

static json_t *labels_to_json(const model_facts *facts)
{
    json_t *labels = json_pack("{s:s,s:s}", "set", facts->label_set, "source",
                               model_fact_source_text(facts->labels_source));
    json_t *list;
    if (strcmp(facts->label_set, "imagenet-1k") == 0 ||
        strcmp(facts->label_set, "imagenet-1k-background") == 0) /* built in: the name says all */
        return labels;
    list = json_array();
    for (uint32_t i = 0; i < facts->classes; i++)
        json_array_append_new(list, json_string(facts->labels[i]));
    json_object_set_new(labels, "list", list);
    return labels;
}

static json_t *epsilon_to_json(const model_facts *facts)
{
    char text[32];
    base_double_text(facts->epsilon, text);
    return json_pack("{s:s,s:s}", "value", text, "source", model_fact_source_text(facts->epsilon_source));
}

cistern_status model_facts_to_json(const model_facts *facts, json_t **out, cistern_error *err)
{
    json_t *object = json_object();
    int bad = object ? 0 : 1;
    if (facts->architecture[0])
        bad |= json_object_set_new(object, "architecture",
                                   json_pack("{s:s,s:s}", "value", facts->architecture, "source",
                                             model_fact_source_text(facts->architecture_source)));
    if (facts->preprocess_source != MODEL_FACT_NONE)
        bad |= json_object_set_new(object, "preprocess", preprocess_to_json(facts));
    if (facts->head != MODEL_HEAD_UNKNOWN)
        bad |= json_object_set_new(object, "head", json_string(model_head_text(facts->head)));
    if (facts->classes)
        bad |= json_object_set_new(object, "classes", json_integer(facts->classes));
    if (facts->labels)
        bad |= json_object_set_new(object, "labels", labels_to_json(facts));
    if (facts->epsilon > 0)
        bad |= json_object_set_new(object, "batch_norm_epsilon", epsilon_to_json(facts));
    if (facts->data_format != MODEL_DATA_FORMAT_UNKNOWN)
        bad |= json_object_set_new(object, "data_format",
                                   json_pack("{s:s,s:s}", "value", model_data_format_text(facts->data_format),
                                             "source", model_fact_source_text(MODEL_FACT_FLAG)));
    if (bad) {
        json_decref(object);
        return base_fail_memory(err, 0);
    }
    *out = object;
    return CISTERN_OK;
}

static cistern_status floats_from_json(const json_t *object, const char *key, float out[3],
                                       cistern_error *err)
{
    const json_t *array = json_object_get(object, key);
    if (json_array_size(array) != 3)
        return base_fail(err, CISTERN_DAMAGED, WHAT ": '%s' is not a list of three numbers", key);
    for (size_t i = 0; i < 3; i++) {
        const char *text = json_string_value(json_array_get(array, i));
        double value;
        if (!text || !base_double_parse(text, &value) || !isfinite(value))
            return base_fail(err, CISTERN_DAMAGED, WHAT ": '%s' holds what is no number", key);
        out[i] = (float)value;
    }
    return CISTERN_OK;
}

static cistern_status pixels_from_json(const json_t *object, const char *key, uint32_t least, uint32_t *out,
                                       cistern_error *err)
{
    uint64_t value;
    cistern_status st = base_json_u64(object, key, WHAT, &value, err);
    if (st == CISTERN_OK && (value < least || value > PIXELS_MAX))
        return base_fail(err, CISTERN_DAMAGED, WHAT ": '%s' is %llu, from %u to %u allowed", key,
                         (unsigned long long)value, least, PIXELS_MAX);
    if (st == CISTERN_OK)
        *out = (uint32_t)value;
    return st;
}

/* Written by a newer release: the fact is known, but not from where. */
static model_fact_source source_of(const json_t *object)
{
    model_fact_source source = model_fact_source_parse(base_json_peek_string(object, "source"));
    return source == MODEL_FACT_NONE ? MODEL_FACT_FAMILY : source;
}

/* A short text of a document into a fixed field. */
static cistern_status text_from_json(const json_t *object, const char *key, char *out, size_t size,
                                     cistern_error *err)
{
    const char *text;
    cistern_status st = base_json_string(object, key, WHAT, &text, err);
    if (st != CISTERN_OK)
        return st;
    if (strlen(text) >= size)
        return base_fail(err, CISTERN_DAMAGED, WHAT ": '%s' is longer than %zu bytes", key, size - 1);
    memset(out, 0, size);
    memcpy(out, text, strlen(text));
    return CISTERN_OK;
}

/* One of a list of words. Manifests of before there was a choice lack the member: then the first. */
#define WORD_FROM_JSON(name)                                                                                 \
    static cistern_status name##_from_json(const json_t *object, model_##name *out, cistern_error *err)      \
    {                                                                                                        \
        const char *text;                                                                                    \
        cistern_status st;                                                                                   \
        if (!json_object_get(object, #name))                                                                 \
            return CISTERN_OK;                                                                               \
        st = base_json_string(object, #name, WHAT, &text, err);                                              \
        if (st == CISTERN_OK && !model_##name##_parse(text, out))                                            \
            st = base_fail(err, CISTERN_DAMAGED, WHAT ": " #name " '%s' is not known", text);                \
        return st;                                                                                           \
    }
WORD_FROM_JSON(resize)
WORD_FROM_JSON(sampling)
WORD_FROM_JSON(colour)
WORD_FROM_JSON(scale)

static cistern_status words_from_json(const json_t *object, model_preprocess *p, cistern_error *err)
{
    const char *interpolation;
    cistern_status st = base_json_string(object, "interpolation", WHAT, &interpolation, err);
    if (st == CISTERN_OK && !model_interpolation_parse(interpolation, &p->interpolation))
        st = base_fail(err, CISTERN_DAMAGED, WHAT ": interpolation '%s' is not known", interpolation);
    if (st == CISTERN_OK)
        st = resize_from_json(object, &p->resize, err);
    if (st == CISTERN_OK)
        st = sampling_from_json(object, &p->sampling, err);
    if (st == CISTERN_OK)
        st = colour_from_json(object, &p->colour, err);
    if (st == CISTERN_OK)
        st = scale_from_json(object, &p->scale, err);
    if (st == CISTERN_OK && p->sampling == MODEL_SAMPLING_LEGACY && p->interpolation != MODEL_BILINEAR)
        st = base_fail(err, CISTERN_DAMAGED, WHAT ": legacy sampling with interpolation '%s'",
                       model_interpolation_text(p->interpolation));
    return st;
}

static cistern_status sizes_from_json(const json_t *object, model_preprocess *p, cistern_error *err)
{
    cistern_status st = pixels_from_json(object, "height", 1, &p->height, err);
    if (st == CISTERN_OK)
        st = pixels_from_json(object, "width", 1, &p->width, err);
    if (st == CISTERN_OK && p->resize == MODEL_RESIZE_SHORT)
        return pixels_from_json(object, "resize_short", 0, &p->resize_short, err);
    if (st == CISTERN_OK)
        st = pixels_from_json(object, "resize_height", 0, &p->resize_height, err);
    if (st == CISTERN_OK)
        st = pixels_from_json(object, "resize_width", 0, &p->resize_width, err);
    return st;
}

static cistern_status preprocess_from_json(model_facts *facts, const json_t *object, cistern_error *err)
{
    model_preprocess p = {0};
    cistern_status st = words_from_json(object, &p, err);
    if (st == CISTERN_OK)
        st = sizes_from_json(object, &p, err);
    if (st == CISTERN_OK)
        st = floats_from_json(object, "mean", p.mean, err);
    if (st == CISTERN_OK)
        st = floats_from_json(object, "std", p.std, err);
    if (st == CISTERN_OK)
        st = text_from_json(object, "preset", facts->preset, sizeof facts->preset, err);
    if (st != CISTERN_OK)
        return st;
    facts->preprocess = p;
    facts->preprocess_source = source_of(object);
    return CISTERN_OK;
}

static cistern_status labels_from_json(model_facts *facts, const json_t *object, cistern_error *err)
{
    const json_t *list = json_object_get(object, "list");
    char set[sizeof facts->label_set];
    uint32_t classes = facts->classes;
    cistern_status st = text_from_json(object, "set", set, sizeof set, err);
    if (st == CISTERN_OK && list)
        st = model_facts_set_label_list(facts, list, set, source_of(object), err);
    else if (st == CISTERN_OK)
        st = model_facts_set_label_set(facts, set, source_of(object), err);
    if (st == CISTERN_OK && facts->classes != classes)
        st = base_fail(err, CISTERN_DAMAGED, WHAT ": %u labels for %u classes", facts->classes, classes);
    return st;
}

static cistern_status epsilon_from_json(model_facts *facts, const json_t *object, cistern_error *err)
{
    const char *text = base_json_peek_string(object, "value");
    double value;
    if (!text || !base_double_parse(text, &value) || !(value > 0 && value <= 1))
        return base_fail(err, CISTERN_DAMAGED, WHAT ": batch_norm_epsilon is no number above 0 to 1");
    facts->epsilon = value;
    facts->epsilon_source = source_of(object);
    return CISTERN_OK;
}

cistern_status model_facts_from_json(model_facts *out, const json_t *object, cistern_error *err)
{
    model_facts facts;
    const json_t *part;
    uint64_t classes = 0;
    cistern_status st = CISTERN_OK;
    model_facts_init(&facts);
    if (json_object_get(object, "classes"))
        st = base_json_u64(object, "classes", WHAT, &classes, err);
    if (st == CISTERN_OK && classes > MODEL_LABELS_MAX)
        st = base_fail(err, CISTERN_DAMAGED, WHAT ": %llu classes, at most %d", (unsigned long long)classes,
                       MODEL_LABELS_MAX);
    if (st == CISTERN_OK)
        facts.classes = (uint32_t)classes;
    facts.head = model_head_parse(base_json_peek_string(object, "head"));
    if (st == CISTERN_OK && (part = json_object_get(object, "labels")) != NULL)
        st = labels_from_json(&facts, part, err);
    if (st == CISTERN_OK && (part = json_object_get(object, "preprocess")) != NULL)
        st = preprocess_from_json(&facts, part, err);
    if (st == CISTERN_OK && (part = json_object_get(object, "architecture")) != NULL) {
        st = text_from_json(part, "value", facts.architecture, sizeof facts.architecture, err);
        facts.architecture_source = source_of(part);
    }
    if (st == CISTERN_OK && (part = json_object_get(object, "batch_norm_epsilon")) != NULL)
        st = epsilon_from_json(&facts, part, err);
    facts.data_format =
        model_data_format_parse(base_json_peek_string(json_object_get(object, "data_format"), "value"));
    if (st != CISTERN_OK) {
        model_facts_clear(&facts);
        return st;
    }
    *out = facts;
    return CISTERN_OK;
}
