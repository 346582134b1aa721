/* What the import program answers: an index or an error, in a frame.
 *
 *   8 bytes "CISTANS1"; u32 kind (1 index, 2 error); u32 0; u64 bytes that follow.
 *   index: the stored form of model_index.
 *   error: u32 status; u32 whether there is an offset; u64 offset; u32 length of the text, the text;
 *          u32 frames; each: u32 length, the text. Little endian, nothing behind.
 */
#ifndef INGEST_ANSWER_H
#define INGEST_ANSWER_H

#include "model_index.h"

#define INGEST_ANSWER_HEADER 24u /* bytes */
#define INGEST_ANSWER_MAX    ((size_t)MODEL_INDEX_BYTES_MAX + INGEST_ANSWER_HEADER)

/* Descriptors of the import program: the answer's socket, what takes decoded tensors (not open for writing: nothing
 * does), then the files in order. Its arguments are the files' paths. */
#define INGEST_ANSWER_FD  3
#define INGEST_DECODED_FD 4
#define INGEST_FILES_FD   5

/* Memory and processor time of the import program; a VGG takes 1 MiB and 10 ms. */
#define INGEST_DATA_MAX    ((size_t)128 << 20) /* bytes of anonymous memory */
#define INGEST_CPU_SECONDS 60u
#define INGEST_DECODED_MAX (((uint64_t)4 << 30) + (64u << 20)) /* bytes: FORMATS_DECODED_MAX and a header */

cistern_status ingest_answer_put_index(const model_index *index, base_buf *out,
                                       cistern_error *err) CISTERN_MUST_CHECK;
cistern_status ingest_answer_put_error(const cistern_error *what, base_buf *out,
                                       cistern_error *err) CISTERN_MUST_CHECK;

/**
 * Take an answer apart; its sender is not trusted.
 * @retval (the status of the error in it)  with its text, frames and offset.
 * @retval UNREADABLE                       not a valid answer about files of these sizes.
 */
cistern_status ingest_answer_read(const void *bytes, size_t n, const uint64_t *file_sizes, size_t file_count,
                                  model_index **out, cistern_error *err) CISTERN_MUST_CHECK;

#endif
