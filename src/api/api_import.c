/* From files to facts: the import program's answer, what was declared, what binding finds. */
#include "priv/api_types.h"

#include <string.h>
#include "base_buf.h"
#include "base_file.h"
#include "base_json.h"
#include "model_vgg.h"

#define LABELS_FILE_MAX (16u << 20) /* bytes: MODEL_LABELS_MAX labels of MODEL_LABEL_BYTES_MAX */

cistern_status api_import(const cistern *c, const ingest_file *files, size_t count, int decoded,
                          const base_run *run, model_index **out, cistern_error *err)
{
    ingest_options options = INGEST_OPTIONS_INIT;
    cistern_status st;
    options.program = c->import_program;
    options.decoded = decoded;
    st = ingest_read(&options, files, count, run, out, err);
    for (size_t i = 0; st == CISTERN_OK && i < model_index_note_count(*out); i++)
        base_log_line(&c->log, 1, "%s", model_index_note_peek(*out, i));
    return st;
}

static cistern_status declared_labels(const char *path, model_facts *facts, cistern_error *err)
{
    base_buf text;
    cistern_status st;
    base_buf_init(&text, LABELS_FILE_MAX);
    st = base_read_path(path, &text, err);
    if (st == CISTERN_OK)
        st = model_facts_set_labels(facts, text.data ? text.data : "", text.len, MODEL_FACT_FLAG, err);
    base_buf_clear(&text);
    return st == CISTERN_OK ? st : base_frame(err, st, "labels %s", path);
}

/* What weights do not tell and no config.json does either. */
static cistern_status declared_numbers(const cistern_pull_options *o, model_facts *facts, cistern_error *err)
{
    double epsilon;
    cistern_status st = CISTERN_OK;
    if (o->bn_epsilon && !base_double_parse(o->bn_epsilon, &epsilon))
        return base_fail(err, CISTERN_USAGE, "batch norm's epsilon '%s' is no number, such as 0.001",
                         o->bn_epsilon);
    if (o->bn_epsilon)
        st = model_facts_set_epsilon(facts, epsilon, MODEL_FACT_FLAG, err);
    if (st == CISTERN_OK && o->data_format)
        st = model_facts_set_data_format(facts, o->data_format, err);
    return st;
}

cistern_status api_declared_facts(const cistern_pull_options *options, model_facts *out, cistern_error *err)
{
    cistern_status st = CISTERN_OK;
    model_facts_init(out);
    if (options->architecture)
        st = model_facts_set_architecture(out, options->architecture, MODEL_FACT_FLAG, err);
    if (st == CISTERN_OK && options->preprocess)
        st = model_facts_set_preset(out, options->preprocess, MODEL_FACT_FLAG, err);
    if (st == CISTERN_OK && options->labels)
        st = declared_labels(options->labels, out, err);
    if (st == CISTERN_OK && options)
        st = declared_numbers(options, out, err);
    if (st != CISTERN_OK)
        model_facts_clear(out);
    return st;
}

/* That what was declared has something to say, and what is added to variances. */
static cistern_status check_declared(const model_index *index, const model_vgg_match *match,
                                     model_facts *facts, cistern_error *err)
{
    if (!match->vgg->batch_norm && facts->epsilon_source == MODEL_FACT_FLAG)
        return base_fail(err, CISTERN_USAGE, "batch norm's epsilon is given, but a %s has no batch norm",
                         match->vgg->name);
    if (!match->has_head && facts->data_format != MODEL_DATA_FORMAT_UNKNOWN)
        return base_fail(
            err, CISTERN_USAGE,
            "the data format is given, but these weights have no classifier that it would matter to");
    if (!match->vgg->batch_norm)
        return CISTERN_OK;
    return model_facts_set_epsilon(
        facts, match->epsilon, model_index_says_epsilon(index) ? MODEL_FACT_FILE : MODEL_FACT_FAMILY, err);
}

cistern_status api_complete_facts(const cistern *c, const model_index *index, model_facts *facts, int level,
                                  cistern_error *err)
{
    model_vgg_match match = {0};
    cistern_error why = CISTERN_ERROR_INIT;
    const char *wanted = facts->architecture_source <= MODEL_FACT_CONFIG ? facts->architecture : NULL;
    cistern_status st = model_vgg_match_index(index, wanted, &match, &why);
    bool head = match.has_head && facts->head != MODEL_HEAD_NONE; /* it may be known to be of no use */
    if (st == CISTERN_OK) {
        st = check_declared(index, &match, facts, err);
        if (st == CISTERN_OK)
            st = model_facts_take_said(facts, index, head ? (uint32_t)match.classes : 0, err);
        if (st != CISTERN_OK)
            return st;
        return model_facts_complete(facts, match.vgg->name, head ? model_index_head(index) : MODEL_HEAD_NONE,
                                    head ? (uint32_t)match.classes : 0, model_index_family(index), err);
    }
    if (st != CISTERN_UNREADABLE || facts->architecture_source == MODEL_FACT_FLAG) {
        if (err)
            *err = why;
        return st;
    }
    base_log_line(&c->log, level, "these weights cannot be run: %s", why.text);
    return model_facts_complete(facts, "unknown", MODEL_HEAD_UNKNOWN, 0, model_index_family(index), err);
}
