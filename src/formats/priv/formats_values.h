/* A tensor whose elements are a repeated field of a message, or its raw bytes: used in place where they lie together,
 * else listed for decoding. */
#ifndef FORMATS_VALUES_H
#define FORMATS_VALUES_H

#include "priv/formats_output.h"
#include "priv/formats_protobuf.h"

/** Where a tensor's elements may be in its message. */
typedef struct formats_values {
    formats_protobuf message; /* at its first byte */
    uint32_t raw;             /* number of the field with raw bytes */
    uint32_t field;           /* number of the repeated field that belongs to the dtype */
    uint32_t width;           /* bytes of each of its elements; 0: varints */
    bool repeats;             /* the last element may stand for all that follow (TensorFlow) */
    uint32_t file;            /* number of the file */
} formats_values;

/**
 * Add the tensor (name, dtype, rank, shape are set; the rest is filled here) to the index.
 * @param out_number  in the index.
 * @retval UNREADABLE  the elements are not as many as the shape has, are there twice, or repeat one too often.
 */
cistern_status formats_values_add(const formats_values *v, model_tensor *t, formats_output *out,
                                  size_t *out_number) CISTERN_MUST_CHECK;

/** Row-by-row strides and the bytes they cover; false: that overflows. */
bool formats_values_strides(model_tensor *t, uint64_t *out_bytes);

#endif
