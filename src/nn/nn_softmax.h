/* Probabilities from logits. */
#ifndef NN_SOFTMAX_H
#define NN_SOFTMAX_H

#include <stddef.h>

/**
 * Softmax of each row, computed in 64-bit floating point.
 * @param logits   f32 (rows, classes), finite.
 * @param out      f32 (rows, classes); may be `logits`.
 * Threads: any, on distinct out. Allocates: no. Source: torch.nn.functional.softmax(dim=1).
 */
void nn_softmax(const float *logits, size_t rows, size_t classes, float *out);

#endif
