/* Reading weights out of mapped files: any floating dtype, any alignment, any strides. */
#ifndef NN_READ_H
#define NN_READ_H

#include "model_tensor.h"

/** A tensor and the byte of its element (0, 0, …); every element was proven to lie inside the mapping. */
typedef struct nn_tensor {
    model_tensor at;     /* its name is not kept: NULL */
    const uint8_t *data; /* any alignment; NULL: there is no such tensor */
} nn_tensor;

/** Whether nn_read_row understands it: F32, F64, F16, BF16. */
bool nn_dtype_is_floating(model_dtype dtype);

float nn_f32_from_f16(uint16_t bits);
float nn_f32_from_bf16(uint16_t bits);

/** n elements, `stride` elements apart, beginning at `first` (any alignment), as doubles. */
void nn_read_row(model_dtype dtype, const uint8_t *first, uint64_t stride, size_t n, double *out);

/** The byte of element `i` of row `row`: what lies under the first axis, in the order of the others. Rank 2 to 4. */
const uint8_t *nn_inner_place(const nn_tensor *t, size_t row, size_t i);

/** Elements `from` to `from` + n of row `row`: what lies under the first axis, in the order of the others. Rank 2 to 4. */
void nn_read_inner(const nn_tensor *t, size_t row, size_t from, size_t n, double *out);

/** All elements of a vector (rank 1). */
void nn_read_vector(const nn_tensor *t, double *out);

#endif
