/* ONNX's NodeProto: operators and what of their attributes a VGG needs.
 *
 * Invariants
 *  1. Operators of quantised models are refused: their integers are not the weights.
 *  2. An attribute of the wrong kind is refused; one that is not known is skipped.
 * Source: onnx/onnx.proto (NodeProto, AttributeProto) and docs/Operators.md of the ONNX project.
 */
#include "priv/formats_onnx.h"

#include <string.h>

#define TRY(call)                                                                                            \
    do {                                                                                                     \
        cistern_status try_status = (call);                                                                  \
        if (try_status)                                                                                      \
            return try_status;                                                                               \
    } while (0)
#define FAIL(o, at, ...) base_fail_at((o)->err, CISTERN_UNREADABLE, at, __VA_ARGS__)

enum { NODE_INPUT = 1, NODE_OUTPUT = 2, NODE_OP_TYPE = 4, NODE_ATTRIBUTE = 5, NODE_DOMAIN = 7 };
enum {
    ATTRIBUTE_NAME = 1,
    ATTRIBUTE_F = 2,
    ATTRIBUTE_I = 3,
    ATTRIBUTE_S = 4,
    ATTRIBUTE_T = 5,
    ATTRIBUTE_INTS = 8
};

#define EPSILON    1e-5 /* BatchNormalization's, when it says nothing */
#define INTS_MAX   64u  /* numbers in one attribute of a node that is looked at */
#define NAME_SHOWN 64   /* bytes of a name in messages */

static const struct {
    const char *type;
    formats_op op;
} operators[] = {
    {"Constant", FORMATS_OP_CONSTANT},
    {"Identity", FORMATS_OP_PASS},
    {"Dropout", FORMATS_OP_PASS},
    {"Conv", FORMATS_OP_CONV},
    {"Add", FORMATS_OP_ADD},
    {"BatchNormalization", FORMATS_OP_BATCH_NORM},
    {"Relu", FORMATS_OP_RELU},
    {"MaxPool", FORMATS_OP_MAX_POOL},
    {"AveragePool", FORMATS_OP_AVERAGE_POOL},
    {"Transpose", FORMATS_OP_TRANSPOSE},
    {"Reshape", FORMATS_OP_RESHAPE},
    {"Flatten", FORMATS_OP_RESHAPE},
    {"Squeeze", FORMATS_OP_RESHAPE},
    {"Gemm", FORMATS_OP_MATMUL},
    {"MatMul", FORMATS_OP_MATMUL},
    {"Softmax", FORMATS_OP_SOFTMAX},
    {"Mul", FORMATS_OP_MULTIPLY},
    {"Sub", FORMATS_OP_SUBTRACT},
    {"Div", FORMATS_OP_DIVIDE},
    {"Cast", FORMATS_OP_CAST},
    {"Gather", FORMATS_OP_GATHER},
    {"GatherND", FORMATS_OP_GATHER_ND},
    {"Slice", FORMATS_OP_SLICE},
};

static const char *const quantised[] = {
    "QuantizeLinear", "DequantizeLinear", "DynamicQuantizeLinear", "ConvInteger",
    "MatMulInteger",  "QLinearConv",      "QLinearMatMul",         "QLinearAdd",
    "QGemm",          "MatMulNBits",
};

/* One attribute. */
typedef struct attribute {
    formats_text name, s;
    double f;
    uint64_t i;
    uint64_t ints[INTS_MAX];
    size_t int_count;
    bool has_tensor;
    formats_protobuf tensor;
} attribute;

typedef struct reading {
    formats_node node;
    formats_text domain;
    uint32_t outputs;
    bool has_value;
    formats_protobuf value; /* of a Constant */
    bool same_lower, known_padding;
    uint64_t at;
} reading;

static cistern_status read_attribute(formats_protobuf *p, attribute *a)
{
    formats_field f;
    bool more;

    *a = (attribute){0};
    for (;;) {
        TRY(formats_protobuf_next(p, &f, &more));
        if (!more)
            return CISTERN_OK;
        if (f.number == ATTRIBUTE_NAME)
            TRY(formats_protobuf_text(p, &f, &a->name));
        else if (f.number == ATTRIBUTE_F)
            TRY(formats_protobuf_float(p, &f, &a->f));
        else if (f.number == ATTRIBUTE_I)
            TRY(formats_protobuf_number(p, &f, &a->i));
        else if (f.number == ATTRIBUTE_S)
            TRY(formats_protobuf_text(p, &f, &a->s));
        else if (f.number == ATTRIBUTE_INTS)
            TRY(formats_protobuf_numbers(p, &f, a->ints, INTS_MAX, &a->int_count));
        else if (f.number == ATTRIBUTE_T)
            TRY(formats_protobuf_enter(p, &f, &a->tensor));
        a->has_tensor = a->has_tensor || f.number == ATTRIBUTE_T;
    }
}

/* The numbers of an attribute; what does not fit becomes a number that no VGG has. */
static void take_ints(const attribute *a, uint32_t *out, size_t n)
{
    for (size_t i = 0; i < n; i++)
        out[i] = a->int_count == n && a->ints[i] < UINT32_MAX ? (uint32_t)a->ints[i] : UINT32_MAX;
}

static void take_perm(const attribute *a, formats_node *n)
{
    n->perms = (uint32_t)a->int_count;
    for (size_t i = 0; i < a->int_count && i < 4; i++)
        n->perm[i] = a->ints[i] < 4 ? (uint32_t)a->ints[i] : 4;
}

static void take_padding(const attribute *a, formats_node *n)
{
    if (formats_text_is(a->s, "VALID"))
        n->padding = FORMATS_PADDING_VALID;
    else if (formats_text_is(a->s, "SAME_UPPER") || formats_text_is(a->s, "SAME_LOWER"))
        n->padding = FORMATS_PADDING_SAME;
}

static void take_attribute(reading *r, const attribute *a)
{
    formats_node *n = &r->node;

    if (formats_text_is(a->name, "kernel_shape"))
        take_ints(a, n->kernel, 2);
    else if (formats_text_is(a->name, "strides"))
        take_ints(a, n->stride, 2);
    else if (formats_text_is(a->name, "dilations"))
        take_ints(a, n->dilation, 2);
    else if (formats_text_is(a->name, "pads"))
        take_ints(a, n->pad, 4);
    else if (formats_text_is(a->name, "auto_pad"))
        take_padding(a, n);
    else if (formats_text_is(a->name, "group"))
        n->groups = a->i < UINT32_MAX ? (uint32_t)a->i : UINT32_MAX;
    else if (formats_text_is(a->name, "epsilon"))
        n->epsilon = a->f;
    else if (formats_text_is(a->name, "perm"))
        take_perm(a, n);
    else if (formats_text_is(a->name, "axis") || formats_text_is(a->name, "batch_dims"))
        n->axis = (int64_t)a->i >= -4 && (int64_t)a->i < 4 ? (int32_t)(int64_t)a->i : INT32_MAX;
    else if (formats_text_is(a->name, "transA"))
        n->transposed[0] = a->i != 0;
    else if (formats_text_is(a->name, "transB"))
        n->transposed[1] = a->i != 0;
    else if (formats_text_is(a->name, "alpha") || formats_text_is(a->name, "beta"))
        n->scaled = n->scaled || a->f < 1 || a->f > 1;
    else if (formats_text_is(a->name, "value") && a->has_tensor) {
        r->value = a->tensor;
        r->has_value = true;
    }
}

static cistern_status read_field(formats_protobuf *p, const formats_field *f, reading *r)
{
    formats_node *n = &r->node;
    formats_protobuf inner;
    attribute a;
    formats_text text;

    switch (f->number) {
    case NODE_INPUT:
        TRY(formats_protobuf_text(p, f, &text));
        if (n->inputs < FORMATS_GRAPH_INPUTS)
            n->input[n->inputs++] = text;
        return CISTERN_OK;
    case NODE_OUTPUT:
        return r->outputs++ ? CISTERN_OK : formats_protobuf_text(p, f, &n->name);
    case NODE_OP_TYPE:
        return formats_protobuf_text(p, f, &n->type);
    case NODE_DOMAIN:
        return formats_protobuf_text(p, f, &r->domain);
    case NODE_ATTRIBUTE:
        TRY(formats_protobuf_enter(p, f, &inner));
        TRY(read_attribute(&inner, &a));
        take_attribute(r, &a);
        return CISTERN_OK;
    default:
        return CISTERN_OK;
    }
}

static cistern_status refuse_quantised(const formats_onnx *o, const reading *r)
{
    for (size_t i = 0; i < sizeof quantised / sizeof quantised[0]; i++) {
        if (formats_text_is(r->node.type, quantised[i]))
            return FAIL(o, r->at,
                        "a quantised ONNX model (operator %s): its integers are not read; get the model in "
                        "floating point",
                        quantised[i]);
    }
    return CISTERN_OK;
}

/* What the operator is here; one of another domain is none of ONNX's own. */
static void tell_op(reading *r)
{
    bool own = r->domain.len == 0 || formats_text_is(r->domain, "ai.onnx");

    for (size_t i = 0; own && i < sizeof operators / sizeof operators[0]; i++) {
        if (formats_text_is(r->node.type, operators[i].type))
            r->node.op = operators[i].op;
    }
}

cistern_status formats_onnx_node(formats_onnx *o, const formats_protobuf *message)
{
    formats_protobuf p = *message;
    reading r = {.at = p.pos};
    formats_field f;
    bool more;

    formats_node_init(&r.node);
    r.node.epsilon = EPSILON;
    r.node.axes = FORMATS_AXES_OIHW;
    for (;;) {
        TRY(formats_protobuf_next(&p, &f, &more));
        if (!more)
            break;
        TRY(read_field(&p, &f, &r));
    }
    TRY(refuse_quantised(o, &r));
    tell_op(&r);
    if (r.node.op == FORMATS_OP_CONSTANT && r.has_value)
        return formats_onnx_tensor(o, &r.value, r.node.name);
    return formats_graph_add(o->graph, &r.node, o->err);
}
