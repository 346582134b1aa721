/* Facts that a user declared and that change what is computed, applied to the tensors of an index in memory. */
#ifndef MODEL_DECLARED_H
#define MODEL_DECLARED_H

#include "model_facts.h"

/**
 * Batch norm's epsilon, and the order in which the first linear layer's inputs are numbered. The stored index stays as
 * the file says; this is done at each opening.
 * @retval USAGE       a data format for weights that are no VGG with a classifier.
 * @retval UNREADABLE  the first linear layer's inputs are no square picture of the last convolution's channels.
 */
cistern_status model_declared_apply(const model_facts *facts, model_index *index,
                                    cistern_error *err) CISTERN_MUST_CHECK;
/** Whether anything was declared that model_declared_apply changes; then packed weights are others too. */
bool model_declared_any(const model_facts *facts);

#endif
