/* From a SavedModel's variables to the tensors of its checkpoint. See the header.
 *
 *   main graph   restore_op = StatefulPartitionedCall(file, Variable_1, conv/kernel, …)  f = restore
 *   restore      RestoreV2(file, names) -> Identity -> AssignVariableOp(argument, …)     result k is called names[k]
 *   main graph   Variable_1/Assign = AssignVariableOp(Variable_1, ReadVariableOp(conv/kernel))   both are one variable
 *
 * Invariants
 *  1. A name that the index does not have leaves its variable unknown.
 *  2. One RestoreV2 is followed, as one is written; what others restore stays unknown.
 * Source: tensorflow/python/checkpoint/functional_saver.py, tensorflow/core/ops/io_ops.cc.
 */
#include "priv/formats_restore.h"

#include <string.h>
#include "base_mem.h"
#include "priv/formats_graphdef.h"

#define TRY(call)                                                                                            \
    do {                                                                                                     \
        cistern_status try_status = (call);                                                                  \
        if (try_status)                                                                                      \
            return try_status;                                                                               \
    } while (0)

enum { FUNCTION_SIGNATURE = 1, FUNCTION_RETURN = 4 };
enum { SIGNATURE_ARGUMENT = 2 };
enum { NODE_INPUT = 3 };
enum { TENSOR_TEXT = 8 };

#define PASSED 8u /* operators; writers put one */

/* ---- functions ---- */

/* Which result of which operator an input is, through a few that pass theirs on: many times many would take too long. */
static const formats_node *source(const formats_graph *g, formats_text name, uint32_t *output)
{
    for (unsigned steps = 0; steps < PASSED; steps++) {
        size_t i = formats_graph_find(g, name);
        const formats_node *n = i == SIZE_MAX ? NULL : formats_graph_get(g, i);
        if (!n || n->op != FORMATS_OP_PASS || !n->inputs)
            return n;
        *output = n->output;
        name = n->input[0];
    }
    return NULL;
}

/* The last text with this number in a message. */
static cistern_status text_in(const formats_protobuf *outer, const formats_field *field, uint32_t number,
                              formats_text *out)
{
    formats_protobuf p;

    TRY(formats_protobuf_enter(outer, field, &p));
    return formats_protobuf_last_text(&p, number, out);
}

/* The next input of a call that is no control input. */
static cistern_status next_input(formats_protobuf *node, formats_text *out, bool *out_more)
{
    formats_field f;

    for (;;) {
        TRY(formats_protobuf_next(node, &f, out_more));
        if (!*out_more)
            return CISTERN_OK;
        if (f.number != NODE_INPUT)
            continue;
        TRY(formats_protobuf_text(node, &f, out));
        if (!out->len || out->at[0] != '^')
            return CISTERN_OK;
    }
}

static cistern_status add_argument(const formats_saved *s, const formats_graph *outer, formats_text name,
                                   formats_text given, formats_graph *inner)
{
    uint32_t output;
    const formats_node *from = source(outer, formats_graphdef_name(given), &output);
    formats_node n;

    formats_node_init(&n);
    if (from) {
        n = *from;
        n.inputs = 0;
        n.outer = from->name;
    }
    n.name = name;
    return formats_graph_add(inner, &n, s->err);
}

/* Arguments of a signature and inputs of a call, one by one. *out_fits false: there are more of one than of the other. */
static cistern_status add_arguments(const formats_saved *s, const formats_graph *outer,
                                    const formats_node *call, const formats_protobuf *signature,
                                    formats_graph *inner, bool *out_fits)
{
    formats_protobuf p = *signature, node;
    formats_field f;
    formats_text given, name;
    bool more, has;

    formats_protobuf_init(&node, s->file->data, call->begin, call->end, s->err);
    for (;;) {
        TRY(formats_protobuf_next(&p, &f, &more));
        if (!more)
            break;
        if (f.number != SIGNATURE_ARGUMENT)
            continue;
        name = (formats_text){.len = 0};
        TRY(text_in(&p, &f, 1, &name));
        TRY(next_input(&node, &given, &has));
        *out_fits = *out_fits && has;
        if (has)
            TRY(add_argument(s, outer, name, given, inner));
    }
    TRY(next_input(&node, &given, &has));
    *out_fits = *out_fits && !has;
    return CISTERN_OK;
}

static cistern_status read_function(const formats_saved *s, const formats_graph *outer,
                                    const formats_node *call, const formats_node *function,
                                    formats_graph *inner, formats_text *result, bool *out_fits)
{
    formats_protobuf p, signature;
    formats_field f;
    size_t results = 0;
    bool more, has = false;

    formats_protobuf_init(&p, s->file->data, function->begin, function->end, s->err);
    for (;;) {
        TRY(formats_protobuf_next(&p, &f, &more));
        if (!more)
            break;
        if (f.number == FUNCTION_SIGNATURE) {
            TRY(formats_protobuf_enter(&p, &f, &signature));
            has = true;
        } else if (f.number == FUNCTION_RETURN) {
            TRY(text_in(&p, &f, 2, result));
            results++;
        }
    }
    *result = results == 1 ? formats_graphdef_name(*result) : (formats_text){.len = 0};
    *out_fits = has;
    if (has)
        TRY(add_arguments(s, outer, call, &signature, inner, out_fits));
    formats_protobuf_init(&p, s->file->data, function->begin, function->end, s->err);
    TRY(formats_graphdef_nodes(&p, FORMATS_FUNCTIONDEF_NODE, inner, s->err));
    return formats_graph_settle(inner, s->err);
}

cistern_status formats_saved_enter(const formats_saved *s, const formats_graph *outer,
                                   const formats_node *call, formats_graph **out, formats_text *result)
{
    size_t i = formats_graph_find(s->functions, call->function);
    formats_graph *inner = NULL;
    bool fits = false;
    cistern_status st;

    *out = NULL;
    *result = (formats_text){.len = 0};
    if (i == SIZE_MAX)
        return CISTERN_OK;
    st = formats_graph_new(&inner, s->err);
    if (!st)
        st = read_function(s, outer, call, formats_graph_get(s->functions, i), inner, result, &fits);
    if (st || !fits) {
        formats_graph_free(inner);
        return st;
    }
    *out = inner;
    return CISTERN_OK;
}

/* ---- what is restored ---- */

typedef struct names {
    const formats_node *operator; /* RestoreV2; NULL: none was met */
    formats_text *name;
    size_t count;
} names;

static cistern_status count_texts(const formats_protobuf *tensor, formats_text *out, size_t *count)
{
    formats_protobuf p = *tensor;
    formats_field f;
    bool more;

    *count = 0;
    for (;;) {
        TRY(formats_protobuf_next(&p, &f, &more));
        if (!more)
            return CISTERN_OK;
        if (f.number != TENSOR_TEXT)
            continue;
        if (out)
            TRY(formats_protobuf_text(&p, &f, &out[*count]));
        ++*count;
    }
}

/* A text takes two bytes of the file at least, so that there are no more of them than it has bytes for. */
static cistern_status read_names(const formats_saved *s, const formats_graph *g, const formats_node *restore,
                                 names *n)
{
    const formats_node *constant = restore->inputs > 1 ? formats_graph_behind(g, restore->input[1]) : NULL;
    formats_protobuf tensor;
    bool has = false;

    n->operator= restore;
    if (!constant || constant->op != FORMATS_OP_CONSTANT || !constant->end)
        return CISTERN_OK;
    TRY(formats_graphdef_message(s->file, constant, &tensor, &has, s->err));
    if (!has)
        return CISTERN_OK;
    TRY(count_texts(&tensor, NULL, &n->count));
    if (n->count > MODEL_TENSORS_MAX)
        return base_fail(s->err, CISTERN_UNREADABLE, "%zu tensors to restore, at most %d are allowed",
                         n->count, MODEL_TENSORS_MAX);
    TRY(base_calloc(n->count + 1, sizeof *n->name, &n->name, s->err));
    return count_texts(&tensor, n->name, &n->count);
}

/* The variable gets the tensor of this name, if there is one. */
static void set_tensor(const formats_saved *s, formats_text variable, formats_text key)
{
    const model_index *index = s->out->index;
    size_t i = formats_graph_find(s->main, variable);
    char name[MODEL_NAME_MAX + 1];

    if (i == SIZE_MAX || !key.len || key.len > MODEL_NAME_MAX || memchr(key.at, 0, key.len))
        return;
    memcpy(name, key.at, key.len);
    name[key.len] = 0;
    const model_tensor *t = model_index_find(index, name);
    formats_node *n = formats_graph_get(s->main, i);
    if (!t || n->op != FORMATS_OP_OTHER)
        return;
    n->op = FORMATS_OP_CONSTANT;
    n->tensor = (size_t)(t - model_index_peek(index, 0));
}

static cistern_status take_assignment(const formats_saved *s, const formats_graph *g, const formats_node *n,
                                      names *all)
{
    uint32_t output = 0;
    const formats_node *from = source(g, n->input[1], &output);
    size_t argument = formats_graph_find(g, n->input[0]);

    if (!from || argument == SIZE_MAX || !formats_text_is(from->type, "RestoreV2"))
        return CISTERN_OK;
    if (!all->operator)
        TRY(read_names(s, g, from, all));
    if (all->operator== from && output<all->count)
        set_tensor(s, formats_graph_get(g, argument)->outer, all->name[output]);
    return CISTERN_OK;
}

static bool is_assignment(const formats_node *n)
{
    return formats_text_is(n->type, "AssignVariableOp") && n->inputs >= 2;
}

static cistern_status take_function(const formats_saved *s, const formats_graph *g)
{
    names all = {.count = 0};
    cistern_status st = CISTERN_OK;

    for (size_t i = 0; i < formats_graph_count(g) && !st; i++) {
        const formats_node *n = formats_graph_get(g, i);
        if (is_assignment(n))
            st = take_assignment(s, g, n, &all);
    }
    free(all.name);
    return st;
}

/* ---- copies ---- */

static void share(formats_node *a, const formats_node *b)
{
    if (a->op != FORMATS_OP_OTHER || b->op != FORMATS_OP_CONSTANT || b->tensor == FORMATS_NO_TENSOR)
        return;
    a->op = FORMATS_OP_CONSTANT;
    a->tensor = b->tensor;
}

static bool is_variable(const formats_node *n)
{
    return formats_text_is(n->type, "VarHandleOp") || formats_text_is(n->type, "VariableV2");
}

static void take_copies(formats_graph *g)
{
    uint32_t output;

    for (size_t i = 0; i < formats_graph_count(g); i++) {
        const formats_node *n = formats_graph_get(g, i);
        size_t to = is_assignment(n) ? formats_graph_find(g, n->input[0]) : SIZE_MAX;
        const formats_node *from = to == SIZE_MAX ? NULL : source(g, n->input[1], &output);
        size_t back = from ? formats_graph_find(g, from->name) : SIZE_MAX;
        if (back == SIZE_MAX || !is_variable(from) || !is_variable(formats_graph_get(g, to)))
            continue;
        share(formats_graph_get(g, to), formats_graph_get(g, back));
        share(formats_graph_get(g, back), formats_graph_get(g, to));
    }
}

cistern_status formats_restore(const formats_saved *s, formats_text restore)
{
    size_t call = formats_graph_find(s->main, formats_graphdef_name(restore));
    formats_graph *g = NULL;
    formats_text result;
    cistern_status st = CISTERN_OK;

    if (call != SIZE_MAX && formats_graph_get(s->main, call)->function.len) {
        st = formats_saved_enter(s, s->main, formats_graph_get(s->main, call), &g, &result);
        if (!st && g)
            st = take_function(s, g);
        formats_graph_free(g);
        take_copies(s->main);
        return st;
    }
    for (size_t i = 0; i < formats_graph_count(s->main); i++) {
        const formats_node *n = formats_graph_get(s->main, i);
        if (is_variable(n))
            set_tensor(s, n->name, n->name);
    }
    return CISTERN_OK;
}
