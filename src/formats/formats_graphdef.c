/* Frozen TensorFlow graphs: Const nodes become tensors, the chain of operators tells which layer each is.
 *
 * Invariants
 *  1. Nodes may stand in any order. Control inputs ("^name") are none, "name:1" is the node's name.
 *  2. A tensor's last element stands for all that are missing, and none for zeros, as TensorFlow has it.
 *  3. Quantised operators are refused. Functions are looked into by whoever asks for their nodes (formats_saved_model.c).
 * Source: tensorflow/core/framework/{graph,node_def,attr_value,tensor}.proto.
 */
#include <stdio.h>
#include <string.h>
#include "priv/formats_container.h"
#include "priv/formats_graph.h"
#include "priv/formats_graphdef.h"
#include "priv/formats_tensorflow.h"
#include "priv/formats_values.h"

#define TRY(call)                                                                                            \
    do {                                                                                                     \
        cistern_status try_status = (call);                                                                  \
        if (try_status)                                                                                      \
            return try_status;                                                                               \
    } while (0)
#define FAIL(r, at, ...) base_fail_at((r)->err, CISTERN_UNREADABLE, at, __VA_ARGS__)

enum { NODE_NAME = 1, NODE_OP = 2, NODE_INPUT = 3, NODE_ATTR = 5 };
enum {
    ATTR_LIST = 1,
    ATTR_S = 2,
    ATTR_I = 3,
    ATTR_F = 4,
    ATTR_B = 5,
    ATTR_SHAPE = 7,
    ATTR_TENSOR = 8,
    ATTR_FUNCTION = 10
};
enum { LIST_I = 3 };
enum { TENSOR_DTYPE = 1, TENSOR_SHAPE = 2, TENSOR_CONTENT = 4 };

#define EPSILON  1e-4 /* FusedBatchNorm's, when it says nothing */
#define LIST_MAX 64u  /* numbers in one attribute */
#define NOT_SAID 1u   /* strides and dilations that are not given */

static const struct {
    const char *type;
    formats_op op;
} operators[] = {
    {"Const", FORMATS_OP_CONSTANT},
    {"Placeholder", FORMATS_OP_INPUT},
    {"PlaceholderWithDefault", FORMATS_OP_INPUT},
    {"Identity", FORMATS_OP_PASS},
    {"ReadVariableOp", FORMATS_OP_PASS},
    {"StopGradient", FORMATS_OP_PASS},
    {"CheckNumerics", FORMATS_OP_PASS},
    {"Conv2D", FORMATS_OP_CONV},
    {"BiasAdd", FORMATS_OP_ADD},
    {"Add", FORMATS_OP_ADD},
    {"AddV2", FORMATS_OP_ADD},
    {"FusedBatchNorm", FORMATS_OP_BATCH_NORM},
    {"FusedBatchNormV2", FORMATS_OP_BATCH_NORM},
    {"FusedBatchNormV3", FORMATS_OP_BATCH_NORM},
    {"Relu", FORMATS_OP_RELU},
    {"MaxPool", FORMATS_OP_MAX_POOL},
    {"AvgPool", FORMATS_OP_AVERAGE_POOL},
    {"Reshape", FORMATS_OP_RESHAPE},
    {"Squeeze", FORMATS_OP_RESHAPE},
    {"MatMul", FORMATS_OP_MATMUL},
    {"Softmax", FORMATS_OP_SOFTMAX},
    {"Mul", FORMATS_OP_MULTIPLY},
    {"Sub", FORMATS_OP_SUBTRACT},
    {"Rsqrt", FORMATS_OP_RSQRT},
    {"RealDiv", FORMATS_OP_DIVIDE},
    {"Div", FORMATS_OP_DIVIDE},
    {"Cast", FORMATS_OP_CAST},
    {"GatherV2", FORMATS_OP_GATHER},
    {"ReverseV2", FORMATS_OP_REVERSE},
    {"StridedSlice", FORMATS_OP_STRIDED_SLICE},
};

/* Where the elements of each dtype are when they are not in tensor_content. */
static const struct {
    model_dtype dtype;
    uint32_t field, width;
} fields[] = {
    {MODEL_F32, 5, 4}, {MODEL_F64, 6, 8},  {MODEL_I32, 7, 0},   {MODEL_I16, 7, 0},   {MODEL_I8, 7, 0},
    {MODEL_U8, 7, 0},  {MODEL_I64, 10, 0}, {MODEL_BOOL, 11, 0}, {MODEL_BF16, 13, 0}, {MODEL_F16, 13, 0},
};

typedef struct reader {
    const formats_file *file;
    uint32_t number;
    formats_output *out;
    formats_graph *graph;
    bool in_place;      /* constants stay where they are: no tensors are added */
    const char *prefix; /* of tensors' names */
    uint64_t left_out;
    cistern_error *err;
} reader;

typedef struct attribute {
    formats_text key, s, function;
    uint64_t i, list[LIST_MAX];
    size_t list_count;
    double f;
    bool has_tensor;
    formats_protobuf tensor;
    model_tensor shape; /* only that */
} attribute;

typedef struct reading {
    formats_node node;
    uint64_t stride[4], size[4], dilation[4]; /* in the order of data_format */
    bool channels_first;
    bool has_tensor;
    formats_protobuf tensor;
    uint64_t at;
} reading;

/* ---- attributes ---- */

static cistern_status read_list(formats_protobuf *p, attribute *a)
{
    formats_field f;
    bool more;

    for (;;) {
        TRY(formats_protobuf_next(p, &f, &more));
        if (!more)
            return CISTERN_OK;
        if (f.number == LIST_I)
            TRY(formats_protobuf_numbers(p, &f, a->list, LIST_MAX, &a->list_count));
    }
}

/* A shape of unknown rank, which attributes may have; and what is no message. */
static bool is_unknown_shape(const formats_protobuf *p, const formats_field *field)
{
    formats_protobuf outer = *p, inner;
    formats_field f;
    bool more = true;

    outer.err = NULL;
    if (field->wire != FORMATS_WIRE_BYTES || formats_protobuf_enter(&outer, field, &inner))
        return true;
    while (!formats_protobuf_next(&inner, &f, &more) && more) {
        if (f.number == 3 && f.value)
            return true;
    }
    return false;
}

static cistern_status read_value(formats_protobuf *p, attribute *a)
{
    formats_protobuf inner;
    formats_field f;
    bool more;

    for (;;) {
        TRY(formats_protobuf_next(p, &f, &more));
        if (!more)
            return CISTERN_OK;
        if (f.number == ATTR_S)
            TRY(formats_protobuf_text(p, &f, &a->s));
        else if (f.number == ATTR_I || f.number == ATTR_B)
            TRY(formats_protobuf_number(p, &f, &a->i));
        else if (f.number == ATTR_F)
            TRY(formats_protobuf_float(p, &f, &a->f));
        else if (f.number == ATTR_LIST) {
            TRY(formats_protobuf_enter(p, &f, &inner));
            TRY(read_list(&inner, a));
        } else if (f.number == ATTR_SHAPE && !is_unknown_shape(p, &f)) {
            TRY(formats_protobuf_enter(p, &f, &inner));
            TRY(formats_tensorflow_shape(&inner, &a->shape));
        } else if (f.number == ATTR_TENSOR) {
            TRY(formats_protobuf_enter(p, &f, &a->tensor));
            a->has_tensor = true;
        } else if (f.number == ATTR_FUNCTION) {
            TRY(formats_protobuf_enter(p, &f, &inner));
            TRY(formats_protobuf_last_text(&inner, 1, &a->function));
        }
    }
}

/* One entry of the map: key and value. Keys that begin with '_' are the runtime's own, and may have long lists. */
static cistern_status read_attribute(formats_protobuf *p, attribute *a)
{
    formats_protobuf inner;
    formats_field f;
    bool more;

    *a = (attribute){0};
    for (;;) {
        TRY(formats_protobuf_next(p, &f, &more));
        if (!more)
            return CISTERN_OK;
        if (f.number == 1)
            TRY(formats_protobuf_text(p, &f, &a->key));
        if (f.number == 2 && !(a->key.len && a->key.at[0] == '_')) {
            TRY(formats_protobuf_enter(p, &f, &inner));
            TRY(read_value(&inner, a));
        }
    }
}

static void take_list(const attribute *a, uint64_t *out)
{
    for (size_t i = 0; i < 4; i++)
        out[i] = a->list_count == 4 ? a->list[i] : 0;
}

static void take_padding(const attribute *a, formats_node *n)
{
    if (formats_text_is(a->s, "SAME"))
        n->padding = FORMATS_PADDING_SAME;
    else if (formats_text_is(a->s, "VALID"))
        n->padding = FORMATS_PADDING_VALID;
    else
        n->pad[0] = UINT32_MAX; /* explicit: no VGG of TensorFlow's needs it */
}

/* Of a placeholder; a size that is not known is -1. */
static void take_size(const attribute *a, formats_node *n)
{
    for (size_t i = 0; i < 4; i++)
        n->size[i] = a->shape.shape[i] <= UINT32_MAX ? a->shape.shape[i] : 0;
}

static void take_mask(const attribute *a, formats_node *n)
{
    static const char *const masks[5] = {"begin_mask", "end_mask", "ellipsis_mask", "new_axis_mask",
                                         "shrink_axis_mask"};

    for (size_t i = 0; i < 5; i++) {
        if (formats_text_is(a->key, masks[i]))
            n->mask[i] = (uint32_t)a->i;
    }
}

static void take_attribute(reading *r, const attribute *a)
{
    formats_node *n = &r->node;

    if (formats_text_is(a->key, "value") && a->has_tensor) {
        r->tensor = a->tensor;
        r->has_tensor = true;
    } else if (formats_text_is(a->key, "strides"))
        take_list(a, r->stride);
    else if (formats_text_is(a->key, "ksize"))
        take_list(a, r->size);
    else if (formats_text_is(a->key, "dilations"))
        take_list(a, r->dilation);
    else if (formats_text_is(a->key, "padding"))
        take_padding(a, n);
    else if (formats_text_is(a->key, "data_format"))
        r->channels_first = formats_text_is(a->s, "NCHW");
    else if (formats_text_is(a->key, "epsilon"))
        n->epsilon = a->f;
    else if (formats_text_is(a->key, "shape") && a->shape.rank == 4)
        take_size(a, n);
    else if (formats_text_is(a->key, "f") && a->function.len)
        n->function = a->function;
    else if (formats_text_is(a->key, "transpose_a"))
        n->transposed[0] = a->i != 0;
    else if (formats_text_is(a->key, "transpose_b"))
        n->transposed[1] = a->i != 0;
    else
        take_mask(a, n);
}

/* The two numbers for y and x of four in data_format's order; what does not fit becomes 0, which no VGG has. */
static void take_spatial(const reading *r, const uint64_t *four, uint32_t *out)
{
    size_t y = r->channels_first ? 2 : 1, c = r->channels_first ? 1 : 3;

    for (size_t i = 0; i < 2; i++)
        out[i] = four[0] == 1 && four[c] == 1 && four[y + i] < UINT32_MAX ? (uint32_t)four[y + i] : 0;
}

/* ---- tensors ---- */

static cistern_status read_tensor(const formats_protobuf *message, model_tensor *t, uint64_t *type)
{
    formats_protobuf p = *message, shape;
    formats_field f;
    bool more;

    for (;;) {
        TRY(formats_protobuf_next(&p, &f, &more));
        if (!more)
            return CISTERN_OK;
        if (f.number == TENSOR_DTYPE)
            TRY(formats_protobuf_number(&p, &f, type));
        if (f.number == TENSOR_SHAPE) {
            TRY(formats_protobuf_enter(&p, &f, &shape));
            TRY(formats_tensorflow_shape(&shape, t));
        }
    }
}

static cistern_status add_tensor(reader *r, const formats_protobuf *message, formats_node *n)
{
    char name[MODEL_NAME_MAX + 1];
    model_tensor t = {.name = name};
    formats_values v = {.message = *message, .raw = TENSOR_CONTENT, .repeats = true, .file = r->number};
    uint64_t type = 0;
    size_t row = 0;

    size_t prefix = strlen(r->prefix), len = n->name.len;

    if (len == 0 || len > MODEL_NAME_MAX - prefix || memchr(n->name.at, 0, len))
        return FAIL(r, message->pos, "a node's name has %zu bytes, or a zero among them; 1 to %zu allowed",
                    len, MODEL_NAME_MAX - prefix);
    memcpy(name, r->prefix, prefix);
    memcpy(name + prefix, n->name.at, len);
    name[prefix + len] = 0;
    TRY(read_tensor(message, &t, &type));
    if (!formats_tensorflow_dtype(type, &t.dtype)) {
        r->left_out++;
        return CISTERN_OK;
    }
    while (fields[row].dtype != t.dtype) /* every dtype that the index has from here is there */
        row++;
    v.field = fields[row].field;
    v.width = fields[row].width;
    return formats_values_add(&v, &t, r->out, &n->tensor);
}

/* ---- nodes ---- */

formats_text formats_graphdef_name(formats_text text)
{
    const char *colon = text.len ? memchr(text.at, ':', text.len) : NULL;

    if (colon)
        text.len = (size_t)(colon - text.at);
    return text;
}

/* "name:1", or in a function "name:values:1". */
static uint32_t output_of(formats_text text)
{
    uint64_t number = 0;
    size_t at = text.len;

    while (at && text.at[at - 1] >= '0' && text.at[at - 1] <= '9')
        at--;
    if (!at || text.at[at - 1] != ':' || text.len - at > 9)
        return 0;
    for (; at < text.len; at++)
        number = 10 * number + (uint64_t)(text.at[at] - '0');
    return (uint32_t)number;
}

static void take_input(formats_node *n, formats_text text)
{
    if ((text.len && text.at[0] == '^') || n->inputs == FORMATS_GRAPH_INPUTS)
        return;
    if (n->inputs == 0)
        n->output = output_of(text);
    n->input[n->inputs++] = formats_graphdef_name(text);
}

static cistern_status read_field(formats_protobuf *p, const formats_field *f, reading *r)
{
    formats_protobuf inner;
    formats_text text;
    attribute a;

    switch (f->number) {
    case NODE_NAME:
        return formats_protobuf_text(p, f, &r->node.name);
    case NODE_OP:
        return formats_protobuf_text(p, f, &r->node.type);
    case NODE_INPUT:
        TRY(formats_protobuf_text(p, f, &text));
        take_input(&r->node, text);
        return CISTERN_OK;
    case NODE_ATTR:
        TRY(formats_protobuf_enter(p, f, &inner));
        TRY(read_attribute(&inner, &a));
        take_attribute(r, &a);
        return CISTERN_OK;
    default:
        return CISTERN_OK;
    }
}

static cistern_status finish_node(reader *g, reading *r)
{
    formats_node *n = &r->node;

    if (n->type.len >= 9 && memcmp(n->type.at, "Quantized", 9) == 0)
        return FAIL(
            g, r->at,
            "a quantised TensorFlow graph (operator %.*s): its integers are not read; get the model in "
            "floating point",
            (int)(n->type.len < 64 ? n->type.len : 64), n->type.at);
    for (size_t i = 0; i < sizeof operators / sizeof operators[0]; i++) {
        if (formats_text_is(n->type, operators[i].type))
            n->op = operators[i].op;
    }
    n->channels_last = !r->channels_first;
    if (formats_text_is(n->type, "BiasAdd"))
        n->channels_last = true; /* it knows where the channels are */
    take_spatial(r, r->stride, n->stride);
    take_spatial(r, r->size, n->kernel);
    take_spatial(r, r->dilation, n->dilation);
    if (n->op == FORMATS_OP_CONSTANT && r->has_tensor && !g->in_place)
        TRY(add_tensor(g, &r->tensor, n));
    return formats_graph_add(g->graph, n, g->err);
}

static cistern_status read_node(reader *g, const formats_protobuf *message)
{
    formats_protobuf p = *message;
    reading r = {.stride = {NOT_SAID, NOT_SAID, NOT_SAID, NOT_SAID},
                 .dilation = {NOT_SAID, NOT_SAID, NOT_SAID, NOT_SAID},
                 .at = p.pos};
    formats_field f;
    bool more;

    formats_node_init(&r.node);
    r.node.epsilon = EPSILON;
    r.node.axes = FORMATS_AXES_HWIO;
    r.node.begin = p.pos;
    r.node.end = p.end;
    for (;;) {
        TRY(formats_protobuf_next(&p, &f, &more));
        if (!more)
            return finish_node(g, &r);
        TRY(read_field(&p, &f, &r));
    }
}

cistern_status formats_graphdef_message(const formats_file *file, const formats_node *node,
                                        formats_protobuf *tensor, bool *out_has, cistern_error *err)
{
    formats_protobuf p;
    reading r = {.at = node->begin};
    formats_field f;
    bool more = true;

    formats_node_init(&r.node);
    formats_protobuf_init(&p, file->data, node->begin, node->end, err);
    for (;;) {
        TRY(formats_protobuf_next(&p, &f, &more));
        if (!more)
            break;
        TRY(read_field(&p, &f, &r));
    }
    *out_has = r.has_tensor;
    if (r.has_tensor)
        *tensor = r.tensor;
    return CISTERN_OK;
}

cistern_status formats_graphdef_constant(const formats_file *file, uint32_t number, formats_output *out,
                                         formats_node *node, cistern_error *err)
{
    reader g = {.file = file, .number = number, .out = out, .prefix = FORMATS_GRAPH_PREFIX, .err = err};
    formats_protobuf tensor;
    bool has = false;

    TRY(formats_graphdef_message(file, node, &tensor, &has, err));
    return has ? add_tensor(&g, &tensor, node) : CISTERN_OK;
}

/* ---- the whole ---- */

static cistern_status read_nodes(reader *g, const formats_protobuf *message, uint32_t field)
{
    formats_protobuf p = *message, node;
    formats_field f;
    bool more;

    for (;;) {
        TRY(formats_protobuf_next(&p, &f, &more));
        if (!more)
            return CISTERN_OK;
        if (f.number != field)
            continue;
        TRY(formats_protobuf_enter(&p, &f, &node));
        TRY(read_node(g, &node));
    }
}

cistern_status formats_graphdef_nodes(const formats_protobuf *message, uint32_t field, formats_graph *graph,
                                      cistern_error *err)
{
    reader g = {.graph = graph, .in_place = true, .err = err};

    return read_nodes(&g, message, field);
}

static cistern_status read_graph(reader *g)
{
    formats_protobuf p;

    formats_protobuf_init(&p, g->file->data, 0, g->file->size, g->err);
    return read_nodes(g, &p, FORMATS_GRAPHDEF_NODE);
}

/* slim's scopes, else what Keras makes of a model. */
static model_family family_of(const model_index *index)
{
    bool keras = false;

    for (size_t i = 0; i < model_index_count(index); i++) {
        const char *name = model_index_peek(index, i)->name;
        if (strstr(name, "vgg_16/") || strstr(name, "vgg_19/") || strstr(name, "vgg_a/"))
            return MODEL_FAMILY_TENSORFLOW;
        keras = keras || strstr(name, "block1_conv") || strstr(name, "ReadVariableOp");
    }
    return keras ? MODEL_FAMILY_KERAS : MODEL_FAMILY_TENSORFLOW;
}

static cistern_status read_all(reader *g)
{
    size_t before = model_index_count(g->out->index);

    TRY(read_graph(g));
    if (model_index_count(g->out->index) == before)
        return base_fail(
            g->err, CISTERN_UNREADABLE,
            "a TensorFlow graph that holds no tensors: its variables are elsewhere; freeze it, or give "
            "the SavedModel's directory");
    g->out->family = family_of(g->out->index);
    return formats_graph_end(g->graph, g->out, g->left_out, g->err);
}

cistern_status formats_tensorflow_read(const formats_file *file, uint32_t number, formats_output *out,
                                       cistern_error *err)
{
    reader g = {.file = file, .number = number, .out = out, .prefix = "", .err = err};
    cistern_status st = formats_graph_new(&g.graph, err);

    if (!st)
        st = read_all(&g);
    formats_graph_free(g.graph);
    return st;
}
