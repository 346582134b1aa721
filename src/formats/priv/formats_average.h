/* An adaptive pooling to 7x7 that is written as two products with matrices of means. */
#ifndef FORMATS_AVERAGE_H
#define FORMATS_AVERAGE_H

#include "priv/formats_output.h"

typedef struct formats_average {
    bool rows, columns; /* which half was met */
} formats_average;

/**
 * A product of the pooled pictures (N, C, y, x) with a matrix.
 * @param right  the matrix stands at the right: it makes 7 columns, [x, 7]; else 7 rows, [7, y].
 * @return NULL, or why it is no such half. Its numbers are compared, not only its shape.
 */
const char *formats_average_take(formats_average *a, const formats_output *out, const model_tensor *matrix,
                                 bool right);
/** One half without the other. */
bool formats_average_half(const formats_average *a);

#endif
