/* Writing ONNX: see formats_write.h.
 *
 * Model = fixed fields, then the graph = [nodes, input, output], then tensors one by one (a head each, then its bytes), so
 * that the largest part is never in memory. Numbers of fields: onnx.proto3 (ONNX 1.12, IR version 8).
 */
#include "formats_write.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base_mem.h"
#include "priv/formats_emit.h"
#include "priv/formats_payload.h"

#define IR_VERSION 8
#define OPSET      13
#define PART_MAX                                                                                             \
    ((size_t)64 << 20)     /* bytes of all that is no weight: a VGG-19 with batch norm needs 40 KiB */
#define ALIGN        4096u /* bytes: where tensors begin in an external file, so that a mapping can be used */
#define REDUCTION    32u   /* five poolings by two */
#define TENSOR_FLOAT 1u    /* TensorProto.DataType */

enum { MODEL_IR = 1, MODEL_PRODUCER = 2, MODEL_PRODUCER_VERSION = 3, MODEL_GRAPH = 7, MODEL_OPSET = 8 };
enum { MODEL_METADATA = 14 };
enum { GRAPH_NODE = 1, GRAPH_NAME = 2, GRAPH_INITIALIZER = 5, GRAPH_INPUT = 11, GRAPH_OUTPUT = 12 };
enum { NODE_INPUT = 1, NODE_OUTPUT = 2, NODE_NAME = 3, NODE_TYPE = 4, NODE_ATTRIBUTE = 5 };
enum { ATTRIBUTE_NAME = 1, ATTRIBUTE_F = 2, ATTRIBUTE_I = 3, ATTRIBUTE_INTS = 8, ATTRIBUTE_TYPE = 20 };
enum { TYPE_FLOAT = 1, TYPE_INT = 2, TYPE_INTS = 7 }; /* of attributes */
enum { TENSOR_DIMS = 1, TENSOR_TYPE = 2, TENSOR_NAME = 8, TENSOR_RAW = 9, TENSOR_EXTERNAL = 13 };
enum { TENSOR_LOCATION = 14, LOCATION_EXTERNAL = 1 };
enum { PAIR_KEY = 1, PAIR_VALUE = 2 };

typedef struct onnx {
    const formats_onnx_out *o;
    cistern_error *err;
    formats_emit graph;  /* nodes, input, output */
    char at[64];         /* the value that the next node reads */
    formats_emit *heads; /* of each tensor: all but its bytes */
    uint64_t *bytes;     /* of each tensor */
    float *means[2];     /* matrices of the adaptive pooling, rows and columns; NULL: not needed */
} onnx;

/* ---- nodes ---- */

static void attribute(formats_emit *node, const char *name, uint32_t type, const uint64_t *values, size_t n,
                      float f)
{
    formats_emit a;

    formats_emit_init(&a, PART_MAX, node->err);
    formats_emit_text(&a, ATTRIBUTE_NAME, name);
    for (size_t i = 0; type == TYPE_INTS && i < n; i++)
        formats_emit_number(&a, ATTRIBUTE_INTS, values[i]);
    if (type == TYPE_INT)
        formats_emit_number(&a, ATTRIBUTE_I, values[0]);
    if (type == TYPE_FLOAT)
        formats_emit_float(&a, ATTRIBUTE_F, f);
    formats_emit_number(&a, ATTRIBUTE_TYPE, type);
    formats_emit_message(node, NODE_ATTRIBUTE, &a);
}

static void ints(formats_emit *node, const char *name, uint64_t value, size_t n)
{
    const uint64_t values[4] = {value, value, value, value};

    attribute(node, name, TYPE_INTS, values, n, 0);
}

/* A node that reads the current value; constants are "<layer>.<part>". The caller adds attributes and ends it. */
static void begin_node(onnx *x, formats_emit *node, const char *type, const char *name, const char *layer,
                       const char *const *parts)
{
    char input[96];

    formats_emit_init(node, PART_MAX, x->err);
    formats_emit_text(node, NODE_INPUT, x->at);
    for (; parts && *parts; parts++) {
        (void)snprintf(input, sizeof input, "%s.%s", layer, *parts);
        formats_emit_text(node, NODE_INPUT, input);
    }
    formats_emit_text(node, NODE_NAME, name);
    formats_emit_text(node, NODE_TYPE, type);
}

static void end_node(onnx *x, formats_emit *node, const char *output)
{
    formats_emit_text(node, NODE_OUTPUT, output);
    formats_emit_message(&x->graph, GRAPH_NODE, node);
    (void)snprintf(x->at, sizeof x->at, "%s", output);
}

static bool has_tensor(const onnx *x, const char *layer, const char *part)
{
    char name[96];

    (void)snprintf(name, sizeof name, "%s.%s", layer, part);
    for (size_t i = 0; i < x->o->count; i++) {
        if (strcmp(x->o->tensors[i].name, name) == 0)
            return true;
    }
    return false;
}

static void put_simple(onnx *x, const char *type, const char *name)
{
    formats_emit node;

    begin_node(x, &node, type, name, NULL, NULL);
    end_node(x, &node, name);
}

static void put_conv(onnx *x, const char *layer)
{
    static const char *const with[] = {"weight", "bias", NULL}, *const without[] = {"weight", NULL};
    formats_emit node;

    begin_node(x, &node, "Conv", layer, layer, has_tensor(x, layer, "bias") ? with : without);
    ints(&node, "kernel_shape", 3, 2);
    ints(&node, "strides", 1, 2);
    ints(&node, "pads", 1, 4);
    end_node(x, &node, layer);
}

static void put_norm(onnx *x, const char *layer)
{
    static const char *const parts[] = {"weight", "bias", "running_mean", "running_var", NULL};
    formats_emit node;

    begin_node(x, &node, "BatchNormalization", layer, layer, parts);
    attribute(&node, "epsilon", TYPE_FLOAT, NULL, 0, (float)x->o->epsilon);
    end_node(x, &node, layer);
}

static void put_pool(onnx *x, const char *name)
{
    formats_emit node;

    begin_node(x, &node, "MaxPool", name, NULL, NULL);
    ints(&node, "kernel_shape", 2, 2);
    ints(&node, "strides", 2, 2);
    end_node(x, &node, name);
}

static void put_linear(onnx *x, int number, const char *output)
{
    static const char *const parts[] = {"weight", "bias", NULL};
    static const uint64_t one = 1;
    char layer[32];
    formats_emit node;

    (void)snprintf(layer, sizeof layer, "classifier.%d", number);
    begin_node(x, &node, "Gemm", layer, layer, parts);
    attribute(&node, "transB", TYPE_INT, &one, 1, 0);
    end_node(x, &node, output ? output : layer);
}

static void put_features(onnx *x)
{
    const model_vgg *vgg = x->o->vgg;
    char name[32];

    for (int i = 0; i < vgg->conv_count; i++) {
        int number = vgg->conv[i].feature;
        (void)snprintf(name, sizeof name, "features.%d", number);
        put_conv(x, name);
        if (vgg->batch_norm) {
            (void)snprintf(name, sizeof name, "features.%d", ++number);
            put_norm(x, name);
        }
        (void)snprintf(name, sizeof name, "features.%d", number + 1);
        put_simple(x, "Relu", name);
        if (!vgg->conv[i].pool_after)
            continue;
        (void)snprintf(name, sizeof name, "features.%d", vgg->conv[i].pool_feature);
        put_pool(x, !x->o->has_head && i + 1 == vgg->conv_count ? "features" : name);
    }
}

/* Rows (7, y) from the left, columns (x, 7) from the right. */
static void put_means(onnx *x)
{
    static const char *const columns[] = {"columns", NULL};
    formats_emit node;

    begin_node(x, &node, "MatMul", "avgpool.0", "avgpool", columns);
    end_node(x, &node, "avgpool.0");
    formats_emit_init(&node, PART_MAX, x->err);
    formats_emit_text(&node, NODE_INPUT, "avgpool.rows");
    formats_emit_text(&node, NODE_INPUT, x->at);
    formats_emit_text(&node, NODE_NAME, "avgpool");
    formats_emit_text(&node, NODE_TYPE, "MatMul");
    end_node(x, &node, "avgpool");
}

static void put_classifier(onnx *x)
{
    if (x->means[0])
        put_means(x);
    put_simple(x, "Flatten", "flatten");
    put_linear(x, 0, NULL);
    put_simple(x, "Relu", "classifier.1");
    put_linear(x, 3, NULL);
    put_simple(x, "Relu", "classifier.4");
    put_linear(x, 6, "logits");
}

/* ---- input and output ---- */

static void put_dimension(formats_emit *shape, const char *name, uint64_t value)
{
    formats_emit dimension;

    formats_emit_init(&dimension, PART_MAX, shape->err);
    if (name)
        formats_emit_text(&dimension, 2, name);
    else
        formats_emit_number(&dimension, 1, value);
    formats_emit_message(shape, 1, &dimension);
}

/* ValueInfoProto: the first axis is the batch. */
static void put_value(onnx *x, uint32_t field, const char *name, const uint64_t *shape, size_t rank)
{
    formats_emit value, type, tensor, dimensions;

    formats_emit_init(&value, PART_MAX, x->err);
    formats_emit_init(&type, PART_MAX, x->err);
    formats_emit_init(&tensor, PART_MAX, x->err);
    formats_emit_init(&dimensions, PART_MAX, x->err);
    put_dimension(&dimensions, "batch", 0);
    for (size_t i = 0; i < rank; i++)
        put_dimension(&dimensions, NULL, shape[i]);
    formats_emit_number(&tensor, 1, TENSOR_FLOAT);
    formats_emit_message(&tensor, 2, &dimensions);
    formats_emit_message(&type, 1, &tensor);
    formats_emit_text(&value, 1, name);
    formats_emit_message(&value, 2, &type);
    formats_emit_message(&x->graph, field, &value);
}

static const formats_out *find(const onnx *x, const char *name)
{
    for (size_t i = 0; i < x->o->count; i++) {
        if (strcmp(x->o->tensors[i].name, name) == 0)
            return &x->o->tensors[i];
    }
    return NULL;
}

static void put_ends(onnx *x)
{
    const uint64_t input[3] = {3, x->o->height, x->o->width};
    const model_vgg *vgg = x->o->vgg;
    char last[48];
    const formats_out *t;

    put_value(x, GRAPH_INPUT, "input", input, 3);
    (void)snprintf(last, sizeof last, "features.%d.weight", vgg->conv[vgg->conv_count - 1].feature);
    t = find(x, x->o->has_head ? "classifier.6.weight" : last);
    const uint64_t output[3] = {t ? t->shape[0] : 0, x->o->height / REDUCTION, x->o->width / REDUCTION};
    put_value(x, GRAPH_OUTPUT, x->o->has_head ? "logits" : "features", output, x->o->has_head ? 1 : 3);
}

/* ---- tensors ---- */

static void put_pair(formats_emit *m, uint32_t field, const char *key, const char *value)
{
    formats_emit pair;

    formats_emit_init(&pair, PART_MAX, m->err);
    formats_emit_text(&pair, PAIR_KEY, key);
    formats_emit_text(&pair, PAIR_VALUE, value);
    formats_emit_message(m, field, &pair);
}

static void put_external(formats_emit *head, const char *file, uint64_t offset, uint64_t bytes)
{
    char text[24];

    put_pair(head, TENSOR_EXTERNAL, "location", file);
    (void)snprintf(text, sizeof text, "%" PRIu64, offset);
    put_pair(head, TENSOR_EXTERNAL, "offset", text);
    (void)snprintf(text, sizeof text, "%" PRIu64, bytes);
    put_pair(head, TENSOR_EXTERNAL, "length", text);
    formats_emit_number(head, TENSOR_LOCATION, LOCATION_EXTERNAL);
}

static void begin_tensor(formats_emit *head, const char *name, const uint64_t *shape, uint32_t rank)
{
    for (uint32_t d = 0; d < rank; d++)
        formats_emit_number(head, TENSOR_DIMS, shape[d]);
    formats_emit_number(head, TENSOR_TYPE, TENSOR_FLOAT);
    formats_emit_text(head, TENSOR_NAME, name);
}

static uint64_t aligned(uint64_t n)
{
    return (n + ALIGN - 1) / ALIGN * ALIGN;
}

static cistern_status make_heads(onnx *x, cistern_error *err)
{
    uint64_t all = 0;
    cistern_status st = CISTERN_OK;

    for (size_t i = 0; i < x->o->count; i++) {
        const formats_out *t = &x->o->tensors[i];
        uint64_t bytes;
        formats_emit *head = &x->heads[i];
        if (!formats_payload_bytes(t, MODEL_F32, &bytes) || bytes > INT64_MAX - ALIGN - all)
            return base_fail(err, CISTERN_UNREADABLE, "tensor '%s': more bytes than a file can have",
                             t->name);
        begin_tensor(head, t->name, t->shape, t->rank);
        if (x->o->external)
            put_external(head, x->o->external, all, bytes);
        else
            formats_emit_length(head, TENSOR_RAW, bytes);
        x->bytes[i] = bytes;
        all = x->o->external ? aligned(all + bytes) : all + bytes;
        st = st == CISTERN_OK ? head->status : st;
    }
    if (st == CISTERN_OK && !x->o->external && all > FORMATS_ONNX_INSIDE_MAX)
        return base_fail(err, CISTERN_USAGE,
                         "%" PRIu64 " bytes of weights, %u fit into one ONNX file: the others need a file "
                         "beside it",
                         all, FORMATS_ONNX_INSIDE_MAX);
    return st;
}

/* Bytes that tensor i adds to the graph: its field, its head and, unless they lie outside, its bytes. */
static uint64_t tensor_bytes(const onnx *x, size_t i)
{
    return x->heads[i].bytes.len + (x->o->external ? 0 : x->bytes[i]);
}

/* Means over what torch.nn.AdaptiveAvgPool2d takes for each of 7 outputs: from floor(i n / 7) to ceil((i + 1) n / 7). */
static cistern_status make_means(uint32_t n, bool rows, float **out, cistern_error *err)
{
    const uint32_t side = MODEL_VGG_POOLED_SIDE;
    float *m = NULL;
    cistern_status st = base_calloc((size_t)n * side, sizeof *m, &m, err);

    if (st != CISTERN_OK)
        return st;
    for (uint32_t i = 0; i < side; i++) {
        uint32_t begin = (uint32_t)((uint64_t)i * n / side),
                 end = (uint32_t)(((uint64_t)(i + 1) * n + side - 1) / side);
        for (uint32_t k = begin; k < end; k++)
            m[rows ? (size_t)i * n + k : (size_t)k * side + i] = 1.0f / (float)(end - begin);
    }
    *out = m;
    return CISTERN_OK;
}

static void put_matrix(onnx *x, const char *name, const float *values, uint64_t rows, uint64_t columns)
{
    formats_emit tensor;
    const uint64_t shape[2] = {rows, columns};

    formats_emit_init(&tensor, PART_MAX, x->err);
    begin_tensor(&tensor, name, shape, 2);
    formats_emit_length(&tensor, TENSOR_RAW, rows * columns * sizeof(float));
    if (tensor.status == CISTERN_OK)
        tensor.status = base_buf_put(&tensor.bytes, values, (size_t)(rows * columns) * sizeof(float), x->err);
    formats_emit_message(&x->graph, GRAPH_INITIALIZER, &tensor);
}

/* Matrices, if the picture is not 7x7 when it is flattened. */
static cistern_status put_matrices(onnx *x, cistern_error *err)
{
    const uint32_t side = MODEL_VGG_POOLED_SIDE;
    uint32_t rows = x->o->height / REDUCTION, columns = x->o->width / REDUCTION;

    if (!x->o->has_head || (rows == side && columns == side))
        return CISTERN_OK;
    cistern_status st = make_means(rows, true, &x->means[0], err);
    if (st == CISTERN_OK)
        st = make_means(columns, false, &x->means[1], err);
    if (st != CISTERN_OK)
        return st;
    put_matrix(x, "avgpool.rows", x->means[0], side, rows);
    put_matrix(x, "avgpool.columns", x->means[1], columns, side);
    return x->graph.status;
}

/* ---- the file ---- */

static cistern_status put_start(onnx *x, const formats_sink *sink, cistern_error *err)
{
    formats_emit m, opset;
    uint64_t graph = x->graph.bytes.len;
    cistern_status st;

    for (size_t i = 0; i < x->o->count; i++)
        graph += formats_emit_length_bytes(GRAPH_INITIALIZER, tensor_bytes(x, i)) + tensor_bytes(x, i);
    formats_emit_init(&m, PART_MAX, err);
    formats_emit_init(&opset, PART_MAX, err);
    formats_emit_number(&m, MODEL_IR, IR_VERSION);
    formats_emit_text(&m, MODEL_PRODUCER, "cistern");
    formats_emit_text(&m, MODEL_PRODUCER_VERSION, x->o->producer_version);
    formats_emit_text(&opset, 1, "");
    formats_emit_number(&opset, 2, OPSET);
    formats_emit_message(&m, MODEL_OPSET, &opset);
    for (size_t i = 0; i < x->o->metadata_count; i++)
        put_pair(&m, MODEL_METADATA, x->o->metadata[i].key, x->o->metadata[i].value);
    formats_emit_length(&m, MODEL_GRAPH, graph);
    st = m.status;
    if (st == CISTERN_OK)
        st = sink->put(sink->user, m.bytes.data, m.bytes.len, err);
    if (st == CISTERN_OK)
        st = sink->put(sink->user, x->graph.bytes.data, x->graph.bytes.len, err);
    formats_emit_clear(&m);
    return st;
}

static cistern_status put_padding(uint64_t n, const formats_sink *sink, cistern_error *err)
{
    static const uint8_t zeros[ALIGN];

    return n ? sink->put(sink->user, zeros, (size_t)n, err) : CISTERN_OK;
}

static cistern_status put_tensor(onnx *x, size_t i, const formats_sink *model, const formats_sink *external,
                                 const base_cancel *cancel, cistern_error *err)
{
    const formats_out *t = &x->o->tensors[i];
    formats_emit field;
    cistern_status st;

    formats_emit_init(&field, PART_MAX, err);
    formats_emit_length(&field, GRAPH_INITIALIZER, tensor_bytes(x, i));
    st = field.status;
    if (st == CISTERN_OK)
        st = model->put(model->user, field.bytes.data, field.bytes.len, err);
    if (st == CISTERN_OK)
        st = model->put(model->user, x->heads[i].bytes.data, x->heads[i].bytes.len, err);
    if (st == CISTERN_OK)
        st = formats_payload_put(t, MODEL_F32, x->o->external ? external : model, cancel, err);
    if (st == CISTERN_OK && x->o->external)
        st = put_padding(aligned(x->bytes[i]) - x->bytes[i], external, err);
    formats_emit_clear(&field);
    return st;
}

static cistern_status make_graph(onnx *x, cistern_error *err)
{
    cistern_status st = base_calloc(x->o->count + 1, sizeof *x->heads, &x->heads, err);

    if (st == CISTERN_OK)
        st = base_calloc(x->o->count + 1, sizeof *x->bytes, &x->bytes, err);
    for (size_t i = 0; st == CISTERN_OK && i < x->o->count; i++)
        formats_emit_init(&x->heads[i], PART_MAX, err);
    if (st == CISTERN_OK)
        st = put_matrices(x, err);
    if (st != CISTERN_OK)
        return st;
    (void)snprintf(x->at, sizeof x->at, "input");
    formats_emit_text(&x->graph, GRAPH_NAME, x->o->vgg->name);
    put_features(x);
    if (x->o->has_head)
        put_classifier(x);
    put_ends(x);
    return x->graph.status == CISTERN_OK ? make_heads(x, err) : x->graph.status;
}

cistern_status formats_write_onnx(const formats_onnx_out *o, const formats_sink *model,
                                  const formats_sink *external, const base_cancel *cancel, cistern_error *err)
{
    onnx x = {.o = o, .err = err};
    cistern_status st;

    if (o->height < REDUCTION || o->width < REDUCTION)
        return base_fail(err, CISTERN_USAGE, "an input of %ux%u pixels, at least 32x32 are needed", o->height,
                         o->width);
    formats_emit_init(&x.graph, PART_MAX, err);
    st = make_graph(&x, err);
    if (st == CISTERN_OK)
        st = put_start(&x, model, err);
    for (size_t i = 0; st == CISTERN_OK && i < o->count; i++)
        st = put_tensor(&x, i, model, external, cancel, err);
    for (size_t i = 0; x.heads && i < o->count; i++)
        formats_emit_clear(&x.heads[i]);
    formats_emit_clear(&x.graph);
    free(x.heads);
    free(x.bytes);
    free(x.means[0]);
    free(x.means[1]);
    return st;
}
