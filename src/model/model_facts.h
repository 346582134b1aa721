/* Facts: what the weights alone cannot tell. Each remembers where it came from. */
#ifndef MODEL_FACTS_H
#define MODEL_FACTS_H

#include <jansson.h>
#include "base_buf.h"
#include "model_index.h"
#include "model_preprocess.h"

#define MODEL_LABELS_MAX      65536
#define MODEL_LABEL_BYTES_MAX 256

/** Where a fact came from; a lower number wins. */
typedef enum model_fact_source {
    MODEL_FACT_FLAG = 1,      /* --arch, --preprocess, --labels */
    MODEL_FACT_CONFIG = 2,    /* config.json */
    MODEL_FACT_PUBLISHED = 3, /* the table of published files, by digest */
    MODEL_FACT_FILE = 4,      /* the weight file itself: its graph, its configuration */
    MODEL_FACT_FAMILY = 5,    /* the framework's conventions */
    MODEL_FACT_NONE = 6,      /* not known */
} model_fact_source;
const char *model_fact_source_text(model_fact_source s);
model_fact_source model_fact_source_parse(const char *text); /* NULL or anything else: MODEL_FACT_NONE */

/** In which order a picture's elements were numbered for the first linear layer, where a file of weights does not tell. */
typedef enum model_data_format {
    MODEL_DATA_FORMAT_UNKNOWN = 0, /* as its reader takes it */
    MODEL_CHANNELS_LAST = 1,       /* "channels_last" */
    MODEL_CHANNELS_FIRST = 2,      /* "channels_first" */
} model_data_format;
const char *model_data_format_text(model_data_format f);     /* "" for UNKNOWN */
model_data_format model_data_format_parse(const char *text); /* anything else: MODEL_DATA_FORMAT_UNKNOWN */

typedef struct model_facts {
    char architecture[32]; /* "vgg11" … "vgg19_bn", "unknown", or "" (not known yet) */
    model_fact_source architecture_source;
    model_preprocess preprocess;
    char preset[MODEL_PRESET_MAX]; /* "torchvision", "config", … */
    model_fact_source preprocess_source;
    model_head head;    /* follows from the weights; MODEL_HEAD_NONE: features only, no classes */
    uint32_t classes;   /* 0: not known, or no head */
    char **labels;      /* `classes` strings, or NULL */
    char label_set[32]; /* "imagenet-1k", "config", "file" or "" */
    model_fact_source labels_source;
    double
        epsilon; /* that batch norm adds to the variance; 0: no batch norm, or a manifest of before it was kept */
    model_fact_source epsilon_source;
    model_data_format data_format; /* only declared by flag */
} model_facts;

void model_facts_init(model_facts *facts); /* nothing known */
void model_facts_clear(model_facts *facts);
cistern_status model_facts_copy(const model_facts *from, model_facts *out,
                                cistern_error *err) CISTERN_MUST_CHECK;

/**
 * Read a config.json in timm's schema (architecture, num_classes, label_names; input_size, mean, std, interpolation,
 * crop_pct inside pretrained_cfg or flat). Only what is known less surely is set.
 * @param out_used  false: no such config (not an object with architecture, pretrained_cfg or mean); facts untouched.
 * @retval USAGE  it is such a config, but a field is wrong (named).
 */
cistern_status model_facts_from_config(model_facts *facts, const void *bytes, size_t n, bool *out_used,
                                       cistern_error *err) CISTERN_MUST_CHECK;
/** --arch */
cistern_status model_facts_set_architecture(model_facts *facts, const char *name, model_fact_source source,
                                            cistern_error *err) CISTERN_MUST_CHECK;
/** --preprocess NAME, one of model_preset_name(). @retval USAGE  the message lists them. */
cistern_status model_facts_set_preset(model_facts *facts, const char *name, model_fact_source source,
                                      cistern_error *err) CISTERN_MUST_CHECK;
/** --bn-epsilon. @retval USAGE  not above 0 and at most 1. */
cistern_status model_facts_set_epsilon(model_facts *facts, double epsilon, model_fact_source source,
                                       cistern_error *err) CISTERN_MUST_CHECK;
/** --data-format. @retval USAGE  another word than channels_last and channels_first. */
cistern_status model_facts_set_data_format(model_facts *facts, const char *name,
                                           cistern_error *err) CISTERN_MUST_CHECK;
/** --labels: one label per line, or a JSON array of strings. */
cistern_status model_facts_set_labels(model_facts *facts, const void *bytes, size_t n,
                                      model_fact_source source, cistern_error *err) CISTERN_MUST_CHECK;
/** A built-in set by name: "imagenet-1k", "imagenet-1k-background" (1001: "background" before them). */
cistern_status model_facts_set_label_set(model_facts *facts, const char *name, model_fact_source source,
                                         cistern_error *err) CISTERN_MUST_CHECK;
/** Labels that came with a config (`list`: an array of strings). @retval USAGE */
cistern_status model_facts_set_label_list(model_facts *facts, const json_t *list, const char *set,
                                          model_fact_source source, cistern_error *err) CISTERN_MUST_CHECK;
/** Take over from another set every fact that is known there more surely than here. */
cistern_status model_facts_merge(model_facts *facts, const model_facts *from,
                                 cistern_error *err) CISTERN_MUST_CHECK;
/** Whether `facts` says everything that was declared (by flag or config) in `declared`. */
bool model_facts_hold(const model_facts *facts, const model_facts *declared);
/**
 * Take what the index's file says itself (size, normalisation, labels), where it is not known more surely.
 * @param classes  of the model; labels for another number are passed over.
 */
cistern_status model_facts_take_said(model_facts *facts, const model_index *index, uint32_t classes,
                                     cistern_error *err) CISTERN_MUST_CHECK;
/** Fill what is still unknown from the family's conventions and what binding found (architecture, head, classes). */
cistern_status model_facts_complete(model_facts *facts, const char *architecture, model_head head,
                                    uint32_t classes, model_family family,
                                    cistern_error *err) CISTERN_MUST_CHECK;

/** The manifest's "facts" object, canonical types only; owned by the caller. */
cistern_status model_facts_to_json(const model_facts *facts, json_t **out,
                                   cistern_error *err) CISTERN_MUST_CHECK;
cistern_status model_facts_from_json(model_facts *facts, const json_t *object,
                                     cistern_error *err) CISTERN_MUST_CHECK;
/** Whether two sets say the same (sources aside): then the same bytes are the same version. */
bool model_facts_equal(const model_facts *a, const model_facts *b);

/** ImageNet-1k names in torchvision's order. */
extern const char *const model_labels_imagenet1k[1000];

#endif
