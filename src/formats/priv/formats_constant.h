/* The numbers in a small tensor, while files are read: in place, or decoded at once. */
#ifndef FORMATS_CONSTANT_H
#define FORMATS_CONSTANT_H

#include "priv/formats_output.h"

#define FORMATS_CONSTANT_MAX 4096u /* elements; the means of an adaptive pooling of 18,000 pixels */

/**
 * All elements, row by row, as doubles.
 * @param out  room for `max`, at most FORMATS_CONSTANT_MAX.
 * @return how many; 0: more than max, none, or they cannot be had.
 */
size_t formats_constant_read(const formats_output *o, const model_tensor *t, double *out, size_t max);

#endif
