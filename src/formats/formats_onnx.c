/* ONNX models: initializers and Constant nodes become tensors, the chain of operators tells which layer each is.
 *
 * Invariants
 *  1. What is not known is skipped where it is harmless (documentation, shapes) and refused where it would change
 *     numbers (quantised operators, sparse and segmented tensors).
 *  2. Subgraphs and functions are not looked into: a model that needs them is kept as tensors only, with a note that
 *     names the operator.
 *  3. Metadata counts only where this program wrote it: other programs mean other things by the same words.
 * Source: onnx/onnx.proto (ModelProto, GraphProto).
 */
#include <stdio.h>
#include <string.h>
#include "priv/formats_container.h"
#include "priv/formats_onnx.h"

#define TRY(call)                                                                                            \
    do {                                                                                                     \
        cistern_status try_status = (call);                                                                  \
        if (try_status)                                                                                      \
            return try_status;                                                                               \
    } while (0)
#define FAIL(o, at, ...) base_fail_at((o)->err, CISTERN_UNREADABLE, at, __VA_ARGS__)

enum { MODEL_PRODUCER = 2, MODEL_GRAPH = 7, MODEL_METADATA = 14, MODEL_FUNCTION = 25 };
enum { GRAPH_NODE = 1, GRAPH_INITIALIZER = 5, GRAPH_INPUT = 11, GRAPH_SPARSE = 15 };

static const formats_text no_name = {0};

static cistern_status read_graph(formats_onnx *o, formats_protobuf *p)
{
    formats_protobuf inner;
    formats_field f;
    bool more;

    for (;;) {
        TRY(formats_protobuf_next(p, &f, &more));
        if (!more)
            return CISTERN_OK;
        if (f.number == GRAPH_SPARSE)
            return FAIL(o, f.at, "a sparse tensor, which this version does not read");
        if (f.number != GRAPH_NODE && f.number != GRAPH_INITIALIZER && f.number != GRAPH_INPUT)
            continue;
        TRY(formats_protobuf_enter(p, &f, &inner));
        TRY(f.number == GRAPH_NODE    ? formats_onnx_node(o, &inner)
            : f.number == GRAPH_INPUT ? formats_onnx_input(o, &inner)
                                      : formats_onnx_tensor(o, &inner, no_name));
    }
}

static cistern_status read_model(formats_onnx *o)
{
    formats_protobuf p, graph;
    formats_field f;
    bool more;

    formats_protobuf_init(&p, o->file->data, 0, o->file->size, o->err);
    for (;;) {
        TRY(formats_protobuf_next(&p, &f, &more));
        if (!more)
            return CISTERN_OK;
        if (f.number == MODEL_PRODUCER)
            TRY(formats_protobuf_text(&p, &f, &o->producer));
        if (f.number == MODEL_METADATA) {
            TRY(formats_protobuf_enter(&p, &f, &graph));
            TRY(formats_onnx_metadata(o, &graph));
        }
        o->functions = o->functions || f.number == MODEL_FUNCTION;
        if (f.number != MODEL_GRAPH)
            continue;
        TRY(formats_protobuf_enter(&p, &f, &graph));
        TRY(read_graph(o, &graph));
    }
}

/* Whose conventions the weights follow: converters keep those of the framework before them. */
static model_family family_of(const formats_onnx *o)
{
    const model_index *index = o->out->index;
    bool converter = formats_text_is(o->producer, "tf2onnx") || formats_text_is(o->producer, "keras2onnx");
    bool slim = false, gluon = formats_text_is(o->producer, "mxnet");

    if (formats_text_is(o->producer, "onnx-caffe2"))
        return MODEL_FAMILY_CAFFE;
    for (size_t i = 0; i < model_index_count(index); i++) {
        const char *name = model_index_peek(index, i)->name;
        slim = slim || strstr(name, "vgg_16/") || strstr(name, "vgg_19/") || strstr(name, "vgg_a/");
        gluon = gluon || strncmp(name, "vgg0_conv", 9) == 0;
    }
    if (converter)
        return slim ? MODEL_FAMILY_TENSORFLOW : MODEL_FAMILY_KERAS;
    return gluon ? MODEL_FAMILY_MXNET : MODEL_FAMILY_ONNX;
}

static cistern_status read_all(formats_onnx *o)
{
    size_t before = model_index_count(o->out->index);

    TRY(read_model(o));
    if (model_index_count(o->out->index) == before)
        return base_fail(o->err, CISTERN_UNREADABLE, "an ONNX file that holds no tensors");
    o->out->family = family_of(o);
    if (o->functions)
        model_index_note(o->out->index, "it has functions of its own, which are not looked into");
    TRY(formats_graph_end(o->graph, o->out, o->left_out, o->err));
    formats_onnx_take_metadata(o);
    return CISTERN_OK;
}

cistern_status formats_onnx_read(const formats_file *file, uint32_t number, formats_output *out,
                                 cistern_error *err)
{
    formats_onnx o = {.file = file, .number = number, .out = out, .err = err};
    cistern_status st = formats_graph_new(&o.graph, err);

    if (!st)
        st = read_all(&o);
    formats_graph_free(o.graph);
    return st;
}
