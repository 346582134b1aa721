/* The tensor index: name, dtype, shape, strides and place of every tensor of a version; made once, at import.
 *
 * Invariants
 *  1. Names are unique, 1 to MODEL_NAME_MAX bytes of UTF-8 without control characters.
 *  2. Every tensor lies inside its file: checked against the files' sizes when one is added and when bytes are decoded.
 *  3. At most MODEL_TENSORS_MAX tensors and MODEL_FILES_MAX files.
 *  4. Two tensors may share bytes. Beside a foreign framework's tensors under their own names, readers put views of the
 *     same bytes under torchvision's names and axes (features.N.weight as [out, in, y, x]); only these are bound.
 * Immutable once built; any thread may then read it.
 */
#ifndef MODEL_INDEX_H
#define MODEL_INDEX_H

#include "base_buf.h"
#include "model_tensor.h"

#define MODEL_TENSORS_MAX     65536
#define MODEL_FILES_MAX       4096
#define MODEL_INDEX_BYTES_MAX (64u << 20) /* of the encoded form */

/** The framework whose conventions (axis order, flattening, colour …) a file follows. */
#define MODEL_FAMILY_MAP(X)                                                                                  \
    X(UNKNOWN, 0, "unknown")                                                                                 \
    X(TORCH, 1, "torch")                                                                                     \
    X(KERAS, 2, "keras")                                                                                     \
    X(TENSORFLOW, 3, "tensorflow")                                                                           \
    X(ONNX, 4, "onnx")                                                                                       \
    X(CAFFE, 5, "caffe")                                                                                     \
    X(MXNET, 6, "mxnet")

typedef enum model_family {
#define MODEL_FAMILY_ENUM(name, value, text) MODEL_FAMILY_##name = value,
    MODEL_FAMILY_MAP(MODEL_FAMILY_ENUM)
#undef MODEL_FAMILY_ENUM
} model_family;
const char *model_family_text(model_family family);
/** What its batch norm adds to the variance where nothing else is said. */
double model_family_epsilon(model_family family);

/** What the network's last layer gave where it came from. It is never applied again: logits are computed here. */
#define MODEL_HEAD_MAP(X)                                                                                    \
    X(UNKNOWN, 0, "unknown") /* a file of weights alone does not tell */                                     \
    X(NONE, 1, "none")       /* no classifier: features only */                                              \
    X(LOGITS, 2, "logits")                                                                                   \
    X(PROBABILITIES, 3, "probabilities") /* a softmax follows */

typedef enum model_head {
#define MODEL_HEAD_ENUM(name, value, text) MODEL_HEAD_##name = value,
    MODEL_HEAD_MAP(MODEL_HEAD_ENUM)
#undef MODEL_HEAD_ENUM
} model_head;
const char *model_head_text(model_head head);
model_head model_head_parse(const char *text); /* NULL or anything else: MODEL_HEAD_UNKNOWN */

typedef struct model_index model_index;
struct model_said; /* model_said.h */

/** An empty index over files of these sizes (bytes). */
cistern_status model_index_new(const uint64_t *file_sizes, size_t file_count, model_index **out,
                               cistern_error *err) CISTERN_MUST_CHECK;
void model_index_free(model_index *index);

/** One more file, of this size, for tensors that are decoded: after those of the version. @retval UNREADABLE  too many */
cistern_status model_index_add_file(model_index *index, uint64_t size, uint32_t *out_number,
                                    cistern_error *err) CISTERN_MUST_CHECK;
/** Its size is known now, and all its tensors lie `shift` bytes further on. @retval UNREADABLE  one does not fit any more */
cistern_status model_index_settle_file(model_index *index, uint32_t file, uint64_t shift, uint64_t size,
                                       cistern_error *err) CISTERN_MUST_CHECK;

/** Add a copy of t (its name too). @retval UNREADABLE invariants 1 to 3, with the tensor's name. */
cistern_status model_index_add(model_index *index, const model_tensor *t,
                               cistern_error *err) CISTERN_MUST_CHECK;
/** The container and family, for people: "PyTorch zip", "PyTorch legacy stream", "safetensors". Copied. */
cistern_status model_index_set_kind(model_index *index, const char *kind, model_family family,
                                    cistern_error *err) CISTERN_MUST_CHECK;
/** What batch norm adds to the variance, when the file says so. @retval UNREADABLE  not above 0 and at most 1. */
cistern_status model_index_set_epsilon(model_index *index, double epsilon,
                                       cistern_error *err) CISTERN_MUST_CHECK;
/** What the file's graph ends in, when it has one. */
void model_index_set_head(model_index *index, model_head head);
/** What the file says of its input and its classes. Copied. @retval UNREADABLE  numbers that no picture can be prepared with */
cistern_status model_index_set_said(model_index *index, const struct model_said *said,
                                    cistern_error *err) CISTERN_MUST_CHECK;
/** Keep a remark for the user about the file ("3 trailing bytes ignored"); at most 16, longer ones cut. */
void model_index_note(model_index *index, const char *note);

size_t model_index_count(const model_index *index);
/** The i-th in the file's order; borrowed. Asserts i < count. */
const model_tensor *model_index_peek(const model_index *index, size_t i);
/** By exact name, or NULL; borrowed. */
const model_tensor *model_index_find(const model_index *index, const char *name);
const char *model_index_kind(const model_index *index); /* "" until set */
model_family model_index_family(const model_index *index);
double model_index_epsilon(const model_index *index); /* the family's unless set */
bool model_index_says_epsilon(const model_index *index);
model_head model_index_head(const model_index *index);
const struct model_said *model_index_said(const model_index *index); /* borrowed; never NULL */
size_t model_index_note_count(const model_index *index);
const char *model_index_note_peek(const model_index *index, size_t i);
size_t model_index_file_count(const model_index *index);
uint64_t model_index_file_size(const model_index *index, size_t file);

/** Give a tensor other strides (and shape, of as many elements) over the same bytes. Asserts i < count.
 * @retval UNREADABLE  it would not lie in its file. */
cistern_status model_index_reshape(model_index *index, size_t i, uint32_t rank, const uint64_t *shape,
                                   const uint64_t *stride, cistern_error *err) CISTERN_MUST_CHECK;

/** The stored form (docs/store-format.md, "tensor index"). */
cistern_status model_index_encode(const model_index *index, base_buf *out,
                                  cistern_error *err) CISTERN_MUST_CHECK;
/** Rebuild from bytes of any source; every extent is checked against file_sizes. @retval DAMAGED */
cistern_status model_index_decode(const void *bytes, size_t n, const uint64_t *file_sizes, size_t file_count,
                                  model_index **out, cistern_error *err) CISTERN_MUST_CHECK;

#endif
