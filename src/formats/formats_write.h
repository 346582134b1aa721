/* Weight files from tensors: bytes to a sink, front to back; no file is opened.
 *
 * Invariants
 *  1. Nothing is put before everything was checked and every size is known.
 *  2. Little-endian, contiguous, in the order of each tensor's shape.
 */
#ifndef FORMATS_WRITE_H
#define FORMATS_WRITE_H

#include "base_thread.h"
#include "formats_read.h"
#include "model_network.h"
#include "model_values.h"

/** One tensor of the file to write. */
typedef struct formats_out {
    const char *name; /* borrowed; unique */
    uint32_t rank;
    uint64_t shape[MODEL_RANK_MAX];
    model_values values; /* as many as the shape says, in its order */
    model_dtype dtype;   /* as written: that of the values, or F32 or F64, to which they are rounded */
    double add;          /* to each value; not 0 only with F32 and F64 */
} formats_out;

/**
 * safetensors: tensors ordered by the size of their elements, largest first (so that each is aligned), without holes;
 * the header is padded with spaces to a multiple of 8; its metadata is {"format":"pt"}.
 * @param cancel  looked at between pieces; NULL allowed.
 * @retval UNREADABLE  a tensor is called __metadata__; the header is beyond what readers take (100 MB).
 * @retval CANCELLED, NO_MEMORY; what the sink gives
 */
cistern_status formats_write_safetensors(const formats_out *tensors, size_t count, const formats_sink *sink,
                                         const base_cancel *cancel, cistern_error *err) CISTERN_MUST_CHECK;

typedef struct formats_pair {
    const char *key, *value;
} formats_pair;

/** A VGG as an ONNX graph. */
typedef struct formats_onnx_out {
    const model_vgg *vgg;
    const formats_out *tensors; /* by torchvision's names; all are written as F32 */
    size_t count;
    bool has_head;          /* false: the output is that of the last pooling */
    double epsilon;         /* of batch norms */
    uint32_t height, width; /* pixels of the input, at least 32 */
    const char *producer_version;
    const formats_pair *metadata; /* for people and programs */
    size_t metadata_count;
    const char
        *external; /* name of the file that tensors go to, beside this one; NULL: they go into this one */
} formats_onnx_out;

/** Bytes of weights above which they must be in a file of their own: a protocol buffer holds less than 2 GiB. */
#define FORMATS_ONNX_INSIDE_MAX 2000000000u

/**
 * ONNX, operator set 13: input "input" f32 (batch, 3, height, width), output "logits" (batch, classes), or "features"
 * (batch, C, y, x) without a head. Dropout is left out; the adaptive pooling to 7x7 is left out where the picture has that
 * size by then, else it is two products with matrices of means, which is what it computes.
 * @param model     gets the model. @param external  gets the tensors where o->external is set; each begins at a multiple of
 *                  4096 bytes.
 * @retval USAGE  more bytes than FORMATS_ONNX_INSIDE_MAX without an external file; an input of less than 32 pixels.
 * @retval CANCELLED, NO_MEMORY; what the sinks give
 */
cistern_status formats_write_onnx(const formats_onnx_out *o, const formats_sink *model,
                                  const formats_sink *external, const base_cancel *cancel,
                                  cistern_error *err) CISTERN_MUST_CHECK;

#endif
