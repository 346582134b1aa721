/* Tensors that do not lie whole and plain in a file: listed while files are read, written out at the end.
 *
 *   reader: formats_decoded_add(…) for each     the tensor is in the index at once, in a file that follows those of the
 *                                               version
 *   formats_read: formats_decoded_write(…)      header and payloads, in the order of adding, to the caller's sink
 *
 * The file that comes out is a safetensors file; every payload begins at a multiple of 64 bytes. A tensor named "~N" fills
 * the gap before the next.
 */
#ifndef FORMATS_DECODED_H
#define FORMATS_DECODED_H

#include "formats_read.h"

typedef struct formats_decoded formats_decoded;

/** Where payloads go while they are written. */
typedef struct formats_writer formats_writer;
/** Append bytes. @retval  as the sink's; UNREADABLE when they are more than was announced */
cistern_status formats_writer_put(formats_writer *w, const void *bytes, size_t n,
                                  cistern_error *err) CISTERN_MUST_CHECK;

/**
 * Writes one payload: exactly the bytes of the shape, row by row.
 * @param what  as given to formats_decoded_add; `size` of it were copied.
 */
typedef cistern_status (*formats_decode_fn)(const void *what, formats_writer *w, cistern_error *err);

cistern_status formats_decoded_new(formats_decoded **out, cistern_error *err) CISTERN_MUST_CHECK;
void formats_decoded_free(formats_decoded *d);

/**
 * Add a tensor to the index whose bytes `fn` will write. Offset, file and strides of t are set here.
 * @param what  copied (`size` bytes, no pointers but into the files' bytes).
 * @retval UNREADABLE  all decoded tensors together are larger than FORMATS_DECODED_MAX, or as model_index_add
 */
cistern_status formats_decoded_add(formats_decoded *d, model_index *index, const model_tensor *t,
                                   formats_decode_fn fn, const void *what, size_t size,
                                   cistern_error *err) CISTERN_MUST_CHECK;
/** A view that is `value` everywhere (one element in the decoded file, all strides 0); name and shape from t. */
cistern_status formats_decoded_constant(formats_decoded *d, model_index *index, const model_tensor *t,
                                        float value, cistern_error *err) CISTERN_MUST_CHECK;

/** Bytes in which several tensors lie. */
typedef struct formats_payload {
    uint64_t bytes;
    formats_decode_fn fn;
    const void *what; /* copied: `size` bytes */
    size_t size;
} formats_payload;
/** Where it will be, as a model_tensor says it. */
typedef struct formats_place {
    uint32_t file;
    uint64_t offset;
} formats_place;
/**
 * Add bytes that are no tensor of their own; the reader adds tensors that lie in them to the index by itself.
 * @retval UNREADABLE, NO_MEMORY  as formats_decoded_add
 */
cistern_status formats_decoded_add_payload(formats_decoded *d, model_index *index, const formats_payload *p,
                                           formats_place *out, cistern_error *err) CISTERN_MUST_CHECK;

/** The bytes of the payload that begins at `offset` (as the index has it while files are read), if it has n. */
bool formats_decoded_peek(const formats_decoded *d, uint64_t offset, void *out, size_t n);

/** Settle the tensors' places in the index, and write the whole file. Without tensors: nothing, and no such file. */
cistern_status formats_decoded_write(formats_decoded *d, model_index *index, const formats_sink *sink,
                                     cistern_error *err) CISTERN_MUST_CHECK;

#endif
