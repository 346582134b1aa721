/* saved_model.pb: the graph of a SavedModel, whose weights are in the checkpoint beside it.
 *
 *   serving_default -> its result -> call -> call … -> function whose operators are the network's
 *
 * From there on it is read as a frozen graph is: normalisation, epsilon, size and softmax are the graph's.
 *
 * Invariants
 *  1. Where the graph cannot be reached (no signature, several results, calls among its operators, a variable that is
 *     not found), layers are told by the variables' names, and a note says what then is not known.
 *  2. Where it is reached and is none of a VGG, there are no layers, as with a frozen graph.
 *  3. No recursion: at most FORMATS_CALLS_MAX functions, each a graph of its own.
 * Source: tensorflow/core/protobuf/{saved_model,meta_graph,saver}.proto, core/framework/function.proto.
 */
#include <stdio.h>
#include <string.h>
#include "base_mem.h"
#include "formats_limits.h"
#include "priv/formats_container.h"
#include "priv/formats_graphdef.h"
#include "priv/formats_restore.h"
#include "priv/formats_tensorflow.h"

#define TRY(call)                                                                                            \
    do {                                                                                                     \
        cistern_status try_status = (call);                                                                  \
        if (try_status)                                                                                      \
            return try_status;                                                                               \
    } while (0)

enum { SAVED_META = 2 };
enum { META_INFO = 1, META_GRAPH = 2, META_SAVER = 3, META_SIGNATURE = 5 };
enum { INFO_TAG = 4, SAVER_RESTORE = 3, SIGNATURE_OUTPUT = 2, INFO_NAME = 1 };
enum { GRAPH_LIBRARY = 2, LIBRARY_FUNCTION = 1, FUNCTION_SIGNATURE = 1 };

#define SERVE   "serve"
#define SERVING "serving_default"

/* One MetaGraphDef. */
typedef struct meta {
    formats_protobuf graph;
    bool has_graph, serves;
    formats_text restore, result;
    size_t results; /* of its signature */
} meta;

/* ---- the description ---- */

/* Key and message of a map's entry. */
static cistern_status read_entry(const formats_protobuf *outer, const formats_field *field, formats_text *key,
                                 formats_protobuf *value, bool *out_has)
{
    formats_protobuf p;
    formats_field f;
    bool more;

    *key = (formats_text){.len = 0};
    *out_has = false;
    TRY(formats_protobuf_enter(outer, field, &p));
    for (;;) {
        TRY(formats_protobuf_next(&p, &f, &more));
        if (!more)
            return CISTERN_OK;
        if (f.number == 1)
            TRY(formats_protobuf_text(&p, &f, key));
        if (f.number == 2) {
            TRY(formats_protobuf_enter(&p, &f, value));
            *out_has = true;
        }
    }
}

/* TensorInfo: only its name. */
static cistern_status read_result(formats_protobuf *p, formats_text *out)
{
    formats_field f;
    bool more;

    for (;;) {
        TRY(formats_protobuf_next(p, &f, &more));
        if (!more)
            return CISTERN_OK;
        if (f.number == INFO_NAME && f.wire == FORMATS_WIRE_BYTES)
            TRY(formats_protobuf_text(p, &f, out));
    }
}

static cistern_status read_signature(const formats_protobuf *outer, const formats_field *field, meta *m)
{
    formats_protobuf p, value;
    formats_field f;
    formats_text key;
    bool more, has;

    TRY(read_entry(outer, field, &key, &p, &has));
    if (!has || !formats_text_is(key, SERVING))
        return CISTERN_OK;
    for (;;) {
        TRY(formats_protobuf_next(&p, &f, &more));
        if (!more)
            return CISTERN_OK;
        if (f.number != SIGNATURE_OUTPUT)
            continue;
        TRY(read_entry(&p, &f, &key, &value, &has));
        m->results++;
        if (has)
            TRY(read_result(&value, &m->result));
    }
}

/* Texts of one field of a message: the last, and whether one of them is `wanted`. */
static cistern_status read_texts(const formats_protobuf *outer, const formats_field *field, uint32_t number,
                                 formats_text *last, bool *out_wanted, const char *wanted)
{
    formats_protobuf p;
    formats_field f;
    bool more;

    TRY(formats_protobuf_enter(outer, field, &p));
    for (;;) {
        TRY(formats_protobuf_next(&p, &f, &more));
        if (!more)
            return CISTERN_OK;
        if (f.number != number)
            continue;
        TRY(formats_protobuf_text(&p, &f, last));
        *out_wanted = *out_wanted || formats_text_is(*last, wanted);
    }
}

static cistern_status read_meta(const formats_protobuf *outer, const formats_field *field, meta *m)
{
    formats_protobuf p;
    formats_field f;
    formats_text tag;
    bool more, ignored = false;

    TRY(formats_protobuf_enter(outer, field, &p));
    for (;;) {
        TRY(formats_protobuf_next(&p, &f, &more));
        if (!more)
            return CISTERN_OK;
        if (f.number == META_INFO)
            TRY(read_texts(&p, &f, INFO_TAG, &tag, &m->serves, SERVE));
        else if (f.number == META_GRAPH) {
            TRY(formats_protobuf_enter(&p, &f, &m->graph));
            m->has_graph = true;
        } else if (f.number == META_SAVER)
            TRY(read_texts(&p, &f, SAVER_RESTORE, &m->restore, &ignored, ""));
        else if (f.number == META_SIGNATURE)
            TRY(read_signature(&p, &f, m));
    }
}

/* The graph that serves; the first where none says so. */
static cistern_status find_meta(const formats_file *file, meta *out, cistern_error *err)
{
    formats_protobuf p;
    formats_field f;
    bool more, first = true;

    formats_protobuf_init(&p, file->data, 0, file->size, err);
    for (;;) {
        meta m = {.results = 0};
        TRY(formats_protobuf_next(&p, &f, &more));
        if (!more)
            return CISTERN_OK;
        if (f.number != SAVED_META)
            continue;
        TRY(read_meta(&p, &f, &m));
        if (first || (m.serves && !out->serves))
            *out = m;
        first = false;
    }
}

/* A function's name: that of its signature. */
static cistern_status add_function(const formats_saved *s, const formats_protobuf *outer,
                                   const formats_field *field)
{
    formats_protobuf p;
    formats_field f;
    formats_node n;
    bool more, ignored = false;

    formats_node_init(&n);
    TRY(formats_protobuf_enter(outer, field, &p));
    n.begin = p.pos;
    n.end = p.end;
    for (;;) {
        TRY(formats_protobuf_next(&p, &f, &more));
        if (!more)
            return formats_graph_add(s->functions, &n, s->err);
        if (f.number == FUNCTION_SIGNATURE)
            TRY(read_texts(&p, &f, 1, &n.name, &ignored, ""));
    }
}

static cistern_status read_library(const formats_saved *s, const formats_protobuf *graph)
{
    formats_protobuf p = *graph, library;
    formats_field f;
    bool more, inside;

    for (;;) {
        TRY(formats_protobuf_next(&p, &f, &more));
        if (!more)
            return CISTERN_OK;
        if (f.number != GRAPH_LIBRARY)
            continue;
        TRY(formats_protobuf_enter(&p, &f, &library));
        for (;;) {
            TRY(formats_protobuf_next(&library, &f, &inside));
            if (!inside)
                break;
            if (f.number == LIBRARY_FUNCTION)
                TRY(add_function(s, &library, &f));
        }
    }
}

/* ---- to the function with the network's operators ---- */

typedef struct descent {
    const formats_saved *saved;
    formats_graph *graph; /* where it is by now; owned unless it is the main graph */
    formats_text result;  /* in it */
    const char *why;      /* it goes no further; NULL: it is there */
} descent;

static void leave(descent *d)
{
    if (d->graph != d->saved->main)
        formats_graph_free(d->graph);
    d->graph = NULL;
}

static cistern_status descend(descent *d)
{
    for (unsigned depth = 0;; depth++) {
        const formats_node *n = formats_graph_behind(d->graph, d->result);
        formats_graph *inner;
        if (!n || !n->function.len) {
            d->why = n ? NULL : "its result is none of its operators'";
            return CISTERN_OK;
        }
        if (depth == FORMATS_CALLS_MAX) {
            d->why = "functions that call functions, too deep";
            return CISTERN_OK;
        }
        TRY(formats_saved_enter(d->saved, d->graph, n, &inner, &d->result));
        if (!inner || !d->result.len) {
            formats_graph_free(inner);
            d->why = "it calls a function that is not there, or has several results";
            return CISTERN_OK;
        }
        leave(d);
        d->graph = inner;
    }
}

/* What keeps a graph from being followed that a frozen one has not: functions and variables that were not found. */
static const char *obstacle(const descent *d)
{
    bool main = d->graph == d->saved->main;

    for (size_t i = 0; i < formats_graph_count(d->graph); i++) {
        const formats_node *n = formats_graph_get(d->graph, i);
        bool variable = formats_text_is(n->type, "VarHandleOp") || formats_text_is(n->type, "VariableV2");
        if (n->function.len && !main)
            return "a function is called among its operators";
        if (variable && n->op == FORMATS_OP_OTHER && !main)
            return "a variable of it is not found in the checkpoint";
    }
    return NULL;
}

/* Constants that the result depends on become tensors; others, as initial values, are left alone. Each node is met once. */
static cistern_status add_constants(const descent *d, uint8_t *met, size_t *open)
{
    const formats_saved *s = d->saved;
    size_t count = 0, first = formats_graph_find(d->graph, d->result);

    if (first != SIZE_MAX) {
        met[first] = 1;
        open[count++] = first;
    }
    while (count) {
        formats_node *n = formats_graph_get(d->graph, open[--count]);
        if (n->op == FORMATS_OP_CONSTANT && n->tensor == FORMATS_NO_TENSOR && n->end)
            TRY(formats_graphdef_constant(s->file, s->number, s->out, n, s->err));
        for (uint32_t i = 0; i < n->inputs; i++) {
            size_t input = formats_graph_find(d->graph, n->input[i]);
            if (input == SIZE_MAX || met[input])
                continue;
            met[input] = 1;
            open[count++] = input;
        }
    }
    return CISTERN_OK;
}

static cistern_status take_graph(descent *d)
{
    const formats_saved *s = d->saved;
    size_t n = formats_graph_count(d->graph), *open = NULL;
    uint8_t *met = NULL;
    cistern_status st;

    if (!(st = base_calloc(n + 1, 1, &met, s->err)) &&
        !(st = base_calloc(n + 1, sizeof *open, &open, s->err)))
        st = add_constants(d, met, open);
    free(open);
    free(met);
    formats_graph_end_at(d->graph, d->result);
    if (!st)
        st = formats_graph_layers(d->graph, s->out, s->err);
    if (!st && !model_index_find(s->out->index, "features.0.weight"))
        model_index_note(s->out->index, "to go by its variables' names instead, give its checkpoint alone "
                                        "(the directory variables), with --preprocess");
    return st;
}

/* By names, as a checkpoint that lies alone. */
static cistern_status take_names(formats_output *out, const char *why, cistern_error *err)
{
    char note[240];

    (void)snprintf(
        note, sizeof note,
        "its graph is not followed (%s): what it does to pictures is not known, nor batch norm's epsilon; "
        "say --preprocess, --bn-epsilon",
        why);
    model_index_note(out->index, note);
    return formats_variables_emit(out, out->first_variable, err);
}

static cistern_status read_graphs(const formats_saved *s, const meta *m)
{
    descent d = {.saved = s, .graph = s->main, .result = formats_graphdef_name(m->result)};
    cistern_status st;

    TRY(formats_graphdef_nodes(&m->graph, FORMATS_GRAPHDEF_NODE, s->main, s->err));
    TRY(read_library(s, &m->graph));
    TRY(formats_graph_settle(s->main, s->err));
    TRY(formats_graph_settle(s->functions, s->err));
    TRY(formats_restore(s, m->restore));
    st = descend(&d);
    if (!st) {
        const char *why = d.why ? d.why : obstacle(&d);
        st = why ? take_names(s->out, why, s->err) : take_graph(&d);
    }
    leave(&d);
    return st;
}

static cistern_status read_description(formats_saved *s)
{
    meta m = {.results = 0};
    cistern_status st = find_meta(s->file, &m, s->err);

    if (st)
        return st;
    if (!m.has_graph || m.results != 1)
        return take_names(s->out,
                          m.results > 1 ? "its signature " SERVING " has several results"
                                        : "it has no signature " SERVING,
                          s->err);
    if (!(st = formats_graph_new(&s->main, s->err)) && !(st = formats_graph_new(&s->functions, s->err)))
        st = read_graphs(s, &m);
    formats_graph_free(s->main);
    formats_graph_free(s->functions);
    return st;
}

cistern_status formats_saved_model_read(const formats_file *file, uint32_t number, formats_output *out,
                                        cistern_error *err)
{
    formats_saved s = {.file = file, .number = number, .out = out, .err = err};

    if (out->waiting) {
        out->waiting = false;
        return read_description(&s);
    }
    for (size_t i = 0; i < out->file_count; i++) {
        if (!formats_bundle_is(&out->files[i]))
            continue;
        model_index_note(out->index,
                         "its graph is not looked at: there are several SavedModels or checkpoints");
        return CISTERN_OK;
    }
    return base_fail(
        err, CISTERN_UNREADABLE,
        "a TensorFlow SavedModel's description, without its variables (variables/variables.index and "
        ".data-…): give the whole directory (cistern add DIR --as NAME)");
}
