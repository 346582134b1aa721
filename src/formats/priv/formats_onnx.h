/* ONNX: tensors and nodes of a graph. */
#ifndef FORMATS_ONNX_H
#define FORMATS_ONNX_H

#include "priv/formats_graph.h"

#define FORMATS_ONNX_METADATA 8

/** What reading an ONNX file carries along. */
typedef struct formats_onnx {
    const formats_file *file;
    uint32_t number;
    formats_output *out;
    formats_graph *graph;
    formats_text producer; /* the program that wrote it */
    uint64_t left_out;     /* tensors of a type that the index has not */
    bool functions;
    formats_text
        metadata[FORMATS_ONNX_METADATA]; /* values, by formats_onnx_metadata's table; len 0: not said */
    cistern_error *err;
} formats_onnx;

/**
 * A TensorProto: into the index, and as a constant into the graph.
 * @param name  the constant's; len 0: the tensor's own.
 */
cistern_status formats_onnx_tensor(formats_onnx *o, const formats_protobuf *message,
                                   formats_text name) CISTERN_MUST_CHECK;
/** A NodeProto: into the graph; of a Constant, its tensor. @retval UNREADABLE  also for operators of quantised models */
cistern_status formats_onnx_node(formats_onnx *o, const formats_protobuf *message) CISTERN_MUST_CHECK;
/** A ValueInfoProto of the graph's inputs: of a picture, its size. */
cistern_status formats_onnx_input(formats_onnx *o, const formats_protobuf *message) CISTERN_MUST_CHECK;
/** A StringStringEntryProto of the model's. */
cistern_status formats_onnx_metadata(formats_onnx *o, const formats_protobuf *message) CISTERN_MUST_CHECK;
/** What metadata of our own writing says, into o->out->said. Values that are not those words are passed over. */
void formats_onnx_take_metadata(formats_onnx *o);

#endif
