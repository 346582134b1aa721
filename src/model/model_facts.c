/* Facts: defaults, merging by rank of source, and the manifest's form.
 *
 * Invariants
 *  1. A fact is replaced only by a source of the same or a better rank (model_fact_source).
 *  2. labels, when there are any, number exactly `classes` once facts are complete.
 */
#include "model_facts.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base_json.h"
#include "base_mem.h"
#include "model_said.h"
#include "model_vgg.h"

#define LABELS_IMAGENET   1000
#define LABELS_BACKGROUND 1001 /* TensorFlow's slim and what is converted from it: class 0 is "background" */

const char *model_fact_source_text(model_fact_source s)
{
    switch (s) {
    case MODEL_FACT_FLAG:
        return "flag";
    case MODEL_FACT_CONFIG:
        return "config.json";
    case MODEL_FACT_PUBLISHED:
        return "published table";
    case MODEL_FACT_FILE:
        return "file";
    case MODEL_FACT_FAMILY:
        return "family";
    case MODEL_FACT_NONE:
        return "none";
    }
    return "none";
}

model_fact_source model_fact_source_parse(const char *text)
{
    for (int s = MODEL_FACT_FLAG; text && s < MODEL_FACT_NONE; s++) {
        if (strcmp(text, model_fact_source_text((model_fact_source)s)) == 0)
            return (model_fact_source)s;
    }
    return MODEL_FACT_NONE;
}

void model_facts_init(model_facts *facts)
{
    memset(facts, 0, sizeof *facts);
    facts->architecture_source = facts->preprocess_source = facts->labels_source = facts->epsilon_source =
        MODEL_FACT_NONE;
}

static void labels_clear(model_facts *facts, uint32_t count)
{
    for (uint32_t i = 0; facts->labels && i < count; i++)
        free(facts->labels[i]);
    free(facts->labels);
    facts->labels = NULL;
}

void model_facts_clear(model_facts *facts)
{
    labels_clear(facts, facts->classes);
    model_facts_init(facts);
}

/* Take `count` labels over a fresh array of copies; `list` may be const data. */
static cistern_status labels_take(model_facts *facts, const char *const *list, uint32_t count,
                                  const char *set, model_fact_source source, cistern_error *err)
{
    char **copies = NULL;
    cistern_status st = base_calloc(count, sizeof *copies, &copies, err);
    uint32_t made = 0;
    while (st == CISTERN_OK && made < count) {
        st = base_strdup(list[made], &copies[made], err);
        made += st == CISTERN_OK;
    }
    if (st != CISTERN_OK) {
        for (uint32_t i = 0; i < made; i++)
            free(copies[i]);
        free(copies);
        return st;
    }
    labels_clear(facts, facts->classes);
    facts->labels = copies;
    facts->classes = count;
    facts->labels_source = source;
    memset(facts->label_set, 0, sizeof facts->label_set);
    memcpy(facts->label_set, set, strnlen(set, sizeof facts->label_set - 1));
    return CISTERN_OK;
}

cistern_status model_facts_copy(const model_facts *from, model_facts *out, cistern_error *err)
{
    model_facts copy = *from;
    cistern_status st = CISTERN_OK;
    copy.labels = NULL;
    if (from->labels)
        st = labels_take(&copy, (const char *const *)from->labels, from->classes, from->label_set,
                         from->labels_source, err);
    if (st == CISTERN_OK)
        *out = copy;
    return st;
}

cistern_status model_facts_set_architecture(model_facts *facts, const char *name, model_fact_source source,
                                            cistern_error *err)
{
    if (!model_vgg_find(name) && strcmp(name, "unknown") != 0)
        return base_fail(err, CISTERN_USAGE,
                         "architecture '%s' is not known: vgg11, vgg13, vgg16, vgg19, each also with "
                         "_bn",
                         name);
    if (source > facts->architecture_source)
        return CISTERN_OK;
    memset(facts->architecture, 0, sizeof facts->architecture);
    memcpy(facts->architecture, name, strlen(name));
    facts->architecture_source = source;
    return CISTERN_OK;
}

static cistern_status unknown_preset(const char *name, cistern_error *err)
{
    char known[512] = "";
    size_t used = 0;
    for (size_t i = 0; i < model_preset_count() && used < sizeof known; i++) {
        snprintf(known + used, sizeof known - used, "%s%s", i ? ", " : "", model_preset_name(i));
        used += strlen(known + used);
    }
    return base_fail(err, CISTERN_USAGE, "preprocessing '%s' is not known: %s", name, known);
}

cistern_status model_facts_set_preset(model_facts *facts, const char *name, model_fact_source source,
                                      cistern_error *err)
{
    model_preprocess how;
    if (!model_preset_find(name, &how))
        return unknown_preset(name, err);
    if (source > facts->preprocess_source)
        return CISTERN_OK;
    facts->preprocess = how;
    memset(facts->preset, 0, sizeof facts->preset);
    memcpy(facts->preset, name, strlen(name));
    facts->preprocess_source = source;
    return CISTERN_OK;
}

const char *model_data_format_text(model_data_format f)
{
    return f == MODEL_CHANNELS_LAST ? "channels_last" : f == MODEL_CHANNELS_FIRST ? "channels_first" : "";
}

model_data_format model_data_format_parse(const char *text)
{
    for (int f = MODEL_CHANNELS_LAST; text && f <= MODEL_CHANNELS_FIRST; f++) {
        if (strcmp(text, model_data_format_text((model_data_format)f)) == 0)
            return (model_data_format)f;
    }
    return MODEL_DATA_FORMAT_UNKNOWN;
}

cistern_status model_facts_set_epsilon(model_facts *facts, double epsilon, model_fact_source source,
                                       cistern_error *err)
{
    if (!(epsilon > 0 && epsilon <= 1))
        return base_fail(err, CISTERN_USAGE, "batch norm's epsilon is %g; above 0 to 1 allowed", epsilon);
    if (source > facts->epsilon_source)
        return CISTERN_OK;
    facts->epsilon = epsilon;
    facts->epsilon_source = source;
    return CISTERN_OK;
}

cistern_status model_facts_set_data_format(model_facts *facts, const char *name, cistern_error *err)
{
    model_data_format f = model_data_format_parse(name);
    if (f == MODEL_DATA_FORMAT_UNKNOWN)
        return base_fail(err, CISTERN_USAGE, "data format '%s' is not known: channels_last, channels_first",
                         name);
    facts->data_format = f;
    return CISTERN_OK;
}

cistern_status model_facts_set_label_list(model_facts *facts, const json_t *array, const char *set,
                                          model_fact_source source, cistern_error *err)
{
    size_t count = json_array_size(array);
    const char **list = NULL;
    cistern_status st;
    if (source > facts->labels_source)
        return CISTERN_OK;
    if (count == 0 || count > MODEL_LABELS_MAX)
        return base_fail(err, CISTERN_USAGE, "%zu labels, from 1 to %d allowed", count, MODEL_LABELS_MAX);
    st = base_calloc(count, sizeof *list, &list, err);
    for (size_t i = 0; st == CISTERN_OK && i < count; i++) {
        list[i] = json_string_value(json_array_get(array, i));
        if (!list[i] || strlen(list[i]) > MODEL_LABEL_BYTES_MAX)
            st = base_fail(err, CISTERN_USAGE, "label %zu is not a text of at most %d bytes", i,
                           MODEL_LABEL_BYTES_MAX);
    }
    if (st == CISTERN_OK)
        st = labels_take(facts, list, (uint32_t)count, set, source, err);
    free(list);
    return st;
}

/* One label per line; blank lines at the end do not count. Makes a JSON array so that there is one check of limits. */
static cistern_status labels_from_lines(const char *text, size_t n, json_t **out, cistern_error *err)
{
    json_t *array = json_array();
    while (n > 0 && (text[n - 1] == '\n' || text[n - 1] == '\r'))
        n--;
    for (size_t start = 0; array && start <= n && n > 0;) {
        const char *newline = memchr(text + start, '\n', n - start);
        size_t end = newline ? (size_t)(newline - text) : n;
        size_t len = end - start;
        if (len > 0 && text[start + len - 1] == '\r')
            len--;
        if (json_array_append_new(array, json_stringn(text + start, len)) != 0) {
            json_decref(array);
            return base_fail(err, CISTERN_USAGE, "line %zu of the labels is not UTF-8 text",
                             json_array_size(array) + 1);
        }
        start = end + 1;
    }
    if (!array)
        return base_fail_memory(err, n);
    *out = array;
    return CISTERN_OK;
}

cistern_status model_facts_set_labels(model_facts *facts, const void *bytes, size_t n,
                                      model_fact_source source, cistern_error *err)
{
    json_t *array = NULL;
    json_error_t where;
    cistern_status st = CISTERN_OK;
    const char *text = bytes;
    if (source > facts->labels_source)
        return CISTERN_OK;
    if (n > 0 && text[0] == '[') {
        array = json_loadb(text, n, JSON_REJECT_DUPLICATES, &where);
        if (!array)
            st = base_fail(err, CISTERN_USAGE, "labels are not a JSON array of strings: line %d: %s",
                           where.line, where.text);
    } else {
        st = labels_from_lines(text, n, &array, err);
    }
    if (st == CISTERN_OK)
        st = model_facts_set_label_list(facts, array, "file", source, err);
    json_decref(array);
    return st;
}

cistern_status model_facts_set_label_set(model_facts *facts, const char *name, model_fact_source source,
                                         cistern_error *err)
{
    bool background = strcmp(name, "imagenet-1k-background") == 0;
    const char *shifted[LABELS_BACKGROUND] = {"background"};
    if (!background && strcmp(name, "imagenet-1k") != 0)
        return base_fail(err, CISTERN_USAGE,
                         "label set '%s' is not known: imagenet-1k, imagenet-1k-background", name);
    if (source > facts->labels_source)
        return CISTERN_OK;
    memcpy(&shifted[1], model_labels_imagenet1k, sizeof model_labels_imagenet1k);
    return background ? labels_take(facts, shifted, LABELS_BACKGROUND, name, source, err)
                      : labels_take(facts, model_labels_imagenet1k, LABELS_IMAGENET, name, source, err);
}

/* ImageNet's names, where the number of classes says that they are meant. */
static cistern_status complete_labels(model_facts *facts, uint32_t classes, model_family family,
                                      cistern_error *err)
{
    if (classes == LABELS_IMAGENET)
        return model_facts_set_label_set(facts, "imagenet-1k", MODEL_FACT_FAMILY, err);
    if (classes == LABELS_BACKGROUND &&
        (family == MODEL_FAMILY_TENSORFLOW || family == MODEL_FAMILY_KERAS || family == MODEL_FAMILY_ONNX))
        return model_facts_set_label_set(facts, "imagenet-1k-background", MODEL_FACT_FAMILY, err);
    facts->classes = classes;
    return CISTERN_OK;
}

cistern_status model_facts_take_said(model_facts *facts, const model_index *index, uint32_t classes,
                                     cistern_error *err)
{
    const model_said *said = model_index_said(index);
    bool background = strcmp(said->label_set, "imagenet-1k-background") == 0;
    bool fits = background ? classes == LABELS_BACKGROUND
                           : classes == LABELS_IMAGENET && strcmp(said->label_set, "imagenet-1k") == 0;
    if (fits && facts->labels_source > MODEL_FACT_FILE) {
        cistern_status st = model_facts_set_label_set(facts, said->label_set, MODEL_FACT_FILE, err);
        if (st != CISTERN_OK)
            return st;
    }
    if (facts->preprocess_source <= MODEL_FACT_FILE || !(said->normalised || said->resized || said->height))
        return CISTERN_OK;
    model_preprocess how = {0};
    const char *family = model_preset_of_family(model_index_family(index));
    const char *from = said->preset[0] && model_preset_find(said->preset, &how) ? said->preset : family;
    if (!model_preset_find(from, &how))
        return base_fail(err, CISTERN_UNEXPECTED, "no preset '%s'", from);
    model_preprocess preset = how;
    model_said_apply(said, &how);
    if (from == family && model_preprocess_equal(&how, &preset)) /* nothing that the family would not say */
        return CISTERN_OK;
    preset.height = how.height; /* the same on another size is still known by its name */
    preset.width = how.width;
    if (!said->resized)
        preset.resize_short = how.resize_short;
    bool named = model_preprocess_equal(&how, &preset);
    facts->preprocess = how;
    memset(facts->preset, 0, sizeof facts->preset);
    memcpy(facts->preset, named ? from : "file", strlen(named ? from : "file"));
    facts->preprocess_source = MODEL_FACT_FILE;
    return CISTERN_OK;
}

cistern_status model_facts_complete(model_facts *facts, const char *architecture, model_head head,
                                    uint32_t classes, model_family family, cistern_error *err)
{
    cistern_status st = model_facts_set_architecture(facts, architecture, MODEL_FACT_FAMILY, err);
    if (facts->head == MODEL_HEAD_UNKNOWN)
        facts->head = head;
    if (st == CISTERN_OK && facts->preprocess_source == MODEL_FACT_NONE)
        st = model_facts_set_preset(facts, model_preset_of_family(family), MODEL_FACT_FAMILY, err);
    if (st != CISTERN_OK)
        return st;
    if (facts->labels && classes != 0 && facts->classes != classes)
        return base_fail(err, CISTERN_USAGE, "%u labels (%s) for a model of %u classes", facts->classes,
                         model_fact_source_text(facts->labels_source), classes);
    return facts->labels ? CISTERN_OK : complete_labels(facts, classes, family, err);
}

cistern_status model_facts_merge(model_facts *facts, const model_facts *from, cistern_error *err)
{
    if (from->architecture_source < facts->architecture_source) {
        memcpy(facts->architecture, from->architecture, sizeof facts->architecture);
        facts->architecture_source = from->architecture_source;
    }
    if (from->preprocess_source < facts->preprocess_source) {
        facts->preprocess = from->preprocess;
        memcpy(facts->preset, from->preset, sizeof facts->preset);
        facts->preprocess_source = from->preprocess_source;
    }
    if (facts->head == MODEL_HEAD_UNKNOWN)
        facts->head = from->head;
    if (from->epsilon_source < facts->epsilon_source) {
        facts->epsilon = from->epsilon;
        facts->epsilon_source = from->epsilon_source;
    }
    if (facts->data_format == MODEL_DATA_FORMAT_UNKNOWN)
        facts->data_format = from->data_format;
    if (from->labels && from->labels_source < facts->labels_source)
        return labels_take(facts, (const char *const *)from->labels, from->classes, from->label_set,
                           from->labels_source, err);
    if (!facts->labels && facts->classes == 0)
        facts->classes = from->classes;
    return CISTERN_OK;
}

static bool labels_equal(const model_facts *a, const model_facts *b)
{
    if (a->classes != b->classes || !a->labels != !b->labels)
        return false;
    for (uint32_t i = 0; a->labels && i < a->classes; i++) {
        if (strcmp(a->labels[i], b->labels[i]) != 0)
            return false;
    }
    return true;
}

/* Manifests of before this was kept have none: they say what the file or its family does. */
static bool epsilon_equal(const model_facts *a, const model_facts *b)
{
    if (a->epsilon > 0 && b->epsilon > 0)
        return !(a->epsilon < b->epsilon) && !(a->epsilon > b->epsilon);
    return a->epsilon_source != MODEL_FACT_FLAG && b->epsilon_source != MODEL_FACT_FLAG;
}

bool model_facts_equal(const model_facts *a, const model_facts *b)
{
    return strcmp(a->architecture, b->architecture) == 0 &&
           model_preprocess_equal(&a->preprocess, &b->preprocess) && epsilon_equal(a, b) &&
           a->data_format == b->data_format && labels_equal(a, b);
}

bool model_facts_hold(const model_facts *facts, const model_facts *declared)
{
    if (declared->architecture_source <= MODEL_FACT_CONFIG &&
        strcmp(facts->architecture, declared->architecture) != 0)
        return false;
    if (declared->preprocess_source <= MODEL_FACT_CONFIG &&
        !model_preprocess_equal(&facts->preprocess, &declared->preprocess))
        return false;
    if (declared->epsilon_source == MODEL_FACT_FLAG && !epsilon_equal(facts, declared))
        return false;
    if (declared->data_format != MODEL_DATA_FORMAT_UNKNOWN && facts->data_format != declared->data_format)
        return false;
    return declared->labels_source > MODEL_FACT_CONFIG || labels_equal(facts, declared);
}
