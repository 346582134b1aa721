/* From files to facts: the import program's answer, what was declared, what binding finds. */
#include "priv/api_types.h"

#include <string.h>
#include "base_buf.h"
#include "base_file.h"
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
    if (st != CISTERN_OK)
        model_facts_clear(out);
    return st;
}

cistern_status api_complete_facts(const cistern *c, const model_index *index, model_facts *facts, int level,
                                  cistern_error *err)
{
    model_vgg_match match = {0};
    cistern_error why = CISTERN_ERROR_INIT;
    const char *wanted = facts->architecture_source <= MODEL_FACT_CONFIG ? facts->architecture : NULL;
    cistern_status st = model_vgg_match_index(index, wanted, &match, &why);
    bool head = match.has_head && facts->head != MODEL_HEAD_NONE; /* it may be known to be of no use */
    if (st == CISTERN_OK)
        return model_facts_complete(facts, match.vgg->name, head ? model_index_head(index) : MODEL_HEAD_NONE,
                                    head ? (uint32_t)match.classes : 0, model_index_family(index), err);
    if (st != CISTERN_UNREADABLE || facts->architecture_source == MODEL_FACT_FLAG) {
        if (err)
            *err = why;
        return st;
    }
    base_log_line(&c->log, level, "these weights cannot be run: %s", why.text);
    return model_facts_complete(facts, "unknown", MODEL_HEAD_UNKNOWN, 0, model_index_family(index), err);
}
