/* TensorFlow's messages that graphs and checkpoints share. */
#ifndef FORMATS_TENSORFLOW_H
#define FORMATS_TENSORFLOW_H

#include "priv/formats_layers.h"
#include "priv/formats_protobuf.h"

/** The dtype of one of TensorFlow's DataType numbers; false: the index has none (text, resources, quantised …). */
bool formats_tensorflow_dtype(uint64_t type, model_dtype *out);
/** A TensorShapeProto: dimensions are appended to t. @retval UNREADABLE  more than MODEL_RANK_MAX; a rank that is not known. */
cistern_status formats_tensorflow_shape(const formats_protobuf *message, model_tensor *t) CISTERN_MUST_CHECK;
/**
 * Layers told by variables' names alone, as checkpoints have them: tensors number `first` on, each named
 * <layer>/<role>, the layers in the natural order of their names (conv2d_2 before conv2d_10).
 * @retval as formats_layers_emit
 */
cistern_status formats_variables_emit(formats_output *out, size_t first,
                                      cistern_error *err) CISTERN_MUST_CHECK;

#endif
