/* A tensor's elements as numbers, whatever its dtype, strides and alignment; and what can be said of many of them.
 *
 * Invariants
 *  1. Elements come in the row-major order of the shape, or, after model_values_init_any, in the order that is read fastest.
 *  2. Ranges may be worked on by several threads, each with a result of its own; results of ranges that are merged in the
 *     order of the ranges do not depend on the number of threads.
 *  3. 64-bit integers are compared and summed as doubles: beyond 2^53 they are rounded.
 * Whoever gives the data has proven that every element lies in it (the tensor index does).
 */
#ifndef MODEL_VALUES_H
#define MODEL_VALUES_H

#include "model_tensor.h"

/** A way through the elements; a copy of what it needs of the tensor. */
typedef struct model_values {
    const uint8_t *data; /* element (0, 0, …), borrowed */
    model_dtype dtype;
    uint32_t rank; /* after axes that follow each other in memory became one */
    uint64_t shape[MODEL_RANK_MAX], stride[MODEL_RANK_MAX];
    uint64_t count; /* elements */
} model_values;

/** @param data  element (0, 0, …); any alignment; NULL only without elements. */
void model_values_init(model_values *v, const model_tensor *t, const uint8_t *data);
/** The same elements, each once, in the order of memory. */
void model_values_init_any(model_values *v, const model_tensor *t, const uint8_t *data);
/** The bytes of all elements where they lie in order and without gaps, else NULL. */
const uint8_t *model_values_plain(const model_values *v);

/** n elements from number `from` on, as they are stored, one behind the other. @param out  n elements. */
void model_values_gather(const model_values *v, uint64_t from, size_t n, void *out);
/** The same as numbers. */
void model_values_read(const model_values *v, uint64_t from, size_t n, double *out);

/** What numbers are like. `minimum` and `maximum` are over what is not NaN (+inf and -inf where there is nothing). */
typedef struct model_stats {
    uint64_t count, nans, infinities;
    double minimum, maximum;
    double sum; /* of what is not NaN */
} model_stats;
#define MODEL_STATS_INIT                                                                                     \
    {                                                                                                        \
        0, 0, 0, (double)INFINITY, -(double)INFINITY, 0                                                      \
    }
void model_values_stats(const model_values *v, uint64_t from, uint64_t n, model_stats *add);
void model_stats_merge(model_stats *into, const model_stats *from);

/** How two tensors with the same number of elements differ. Two NaN are equal; one is not. */
typedef struct model_difference {
    uint64_t count, differing;
    uint64_t one_nan;    /* of them: NaN on one side only */
    double largest;      /* magnitude of what is compared with (the first) */
    double max_absolute; /* of the differences that are numbers */
    uint64_t at;         /* element with that difference */
} model_difference;
#define MODEL_DIFFERENCE_INIT                                                                                \
    {                                                                                                        \
        0, 0, 0, 0, 0, 0                                                                                     \
    }
/** @param add_a, add_b  added to each element before it is compared. */
void model_values_compare(const model_values *a, double add_a, const model_values *b, double add_b,
                          uint64_t from, uint64_t n, model_difference *add);
void model_difference_merge(model_difference *into, const model_difference *from);

#endif
