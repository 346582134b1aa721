/* What a tensor in a weight file is: pure data, no bytes of weights. */
#ifndef MODEL_TENSOR_H
#define MODEL_TENSOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MODEL_RANK_MAX 8   /* dimensions; readers refuse more */
#define MODEL_NAME_MAX 512 /* bytes of a tensor's name, without the zero */

/* name, value in stored indexes (never reused), bytes per element, text as in safetensors */
#define MODEL_DTYPE_MAP(X)                                                                                   \
    X(F32, 1, 4, "F32")                                                                                      \
    X(F64, 2, 8, "F64")                                                                                      \
    X(F16, 3, 2, "F16")                                                                                      \
    X(BF16, 4, 2, "BF16")                                                                                    \
    X(I64, 5, 8, "I64")                                                                                      \
    X(I32, 6, 4, "I32")                                                                                      \
    X(I16, 7, 2, "I16")                                                                                      \
    X(I8, 8, 1, "I8")                                                                                        \
    X(U8, 9, 1, "U8")                                                                                        \
    X(BOOL, 10, 1, "BOOL")

typedef enum model_dtype {
#define MODEL_DTYPE_ENUM(name, value, bytes, text) MODEL_##name = value,
    MODEL_DTYPE_MAP(MODEL_DTYPE_ENUM)
#undef MODEL_DTYPE_ENUM
} model_dtype;

/** Bytes of one element; 0 for a value that is no dtype. */
size_t model_dtype_bytes(model_dtype dtype);
/** "F32" …; "?" for a value that is no dtype. */
const char *model_dtype_text(model_dtype dtype);
bool model_dtype_parse(const char *text, model_dtype *out);
/** One element at `p` (any alignment) as a double; integers are converted. */
double model_dtype_get(model_dtype dtype, const void *p);

/** A tensor's place: element (i0, i1, …) is at byte offset + sum(i_k * stride[k]) * bytes-per-element of file `file`. */
typedef struct model_tensor {
    const char *name; /* UTF-8 without control characters, at most MODEL_NAME_MAX; borrowed from the index */
    model_dtype dtype;
    uint32_t file; /* number of the version's file that holds it */
    uint32_t rank; /* 0 (a scalar) to MODEL_RANK_MAX */
    uint64_t shape[MODEL_RANK_MAX];
    uint64_t stride[MODEL_RANK_MAX]; /* elements; 0 where broadcast (a view may be) */
    uint64_t offset; /* bytes from the start of the file to element (0, 0, …); any alignment */
} model_tensor;

/** Number of elements; false on overflow. */
bool model_tensor_count(const model_tensor *t, uint64_t *out);
/** Bytes from `offset` to the end of the last element (0 without elements); false on overflow. */
bool model_tensor_extent(const model_tensor *t, uint64_t *out);
/** Whether the elements lie row by row without gaps. */
bool model_tensor_plain(const model_tensor *t);
/** "[64, 3, 3, 3]" */
void model_tensor_shape_text(const model_tensor *t, char *out, size_t size);

#endif
