/* TensorFlow's nodes, for those who look into a SavedModel's functions. */
#ifndef FORMATS_GRAPHDEF_H
#define FORMATS_GRAPHDEF_H

#include "priv/formats_graph.h"

#define FORMATS_GRAPHDEF_NODE    1u /* the field of a GraphDef that holds its nodes */
#define FORMATS_FUNCTIONDEF_NODE 3u /* of a FunctionDef */
#define FORMATS_GRAPH_PREFIX                                                                                 \
    "graph/" /* of the names of a SavedModel's constants: variables may be called the same */

/** A node's name out of that of one of its results ("name:0", "name:value:0"). */
formats_text formats_graphdef_name(formats_text text);
/**
 * Add every node of a GraphDef or FunctionDef; their tensors stay where they are.
 * @retval UNREADABLE  malformed, quantised, or as formats_graph_add. @retval NO_MEMORY
 */
cistern_status formats_graphdef_nodes(const formats_protobuf *message, uint32_t field, formats_graph *graph,
                                      cistern_error *err) CISTERN_MUST_CHECK;
/** The TensorProto of a constant. @param out_has  false: it has none, and *tensor is untouched. @retval UNREADABLE  malformed */
cistern_status formats_graphdef_message(const formats_file *file, const formats_node *node,
                                        formats_protobuf *tensor, bool *out_has,
                                        cistern_error *err) CISTERN_MUST_CHECK;
/**
 * Add a constant's tensor to the index, named FORMATS_GRAPH_PREFIX and the node's name, and set node->tensor; types that the index has
 * not are left out.
 * @retval UNREADABLE  as for a frozen graph. @retval NO_MEMORY
 */
cistern_status formats_graphdef_constant(const formats_file *file, uint32_t number, formats_output *out,
                                         formats_node *node, cistern_error *err) CISTERN_MUST_CHECK;

#endif
