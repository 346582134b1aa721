/* Protocol buffers, written: fields appended to a buffer. Source: protobuf.dev, "Encoding". */
#ifndef FORMATS_EMIT_H
#define FORMATS_EMIT_H

#include "base_buf.h"

/** A message that is being put together. The first failure stays; all later calls do nothing. */
typedef struct formats_emit {
    base_buf bytes;
    cistern_status status;
    cistern_error *err;
} formats_emit;

void formats_emit_init(formats_emit *m, size_t max, cistern_error *err);
void formats_emit_clear(formats_emit *m);

void formats_emit_number(formats_emit *m, uint32_t field, uint64_t value);
void formats_emit_float(formats_emit *m, uint32_t field, float value);
void formats_emit_text(formats_emit *m, uint32_t field, const char *text);
/** A message inside; it is cleared, its failure taken over. */
void formats_emit_message(formats_emit *m, uint32_t field, formats_emit *inside);
/** Only the beginning of a field of `size` bytes, which the caller puts elsewhere. */
void formats_emit_length(formats_emit *m, uint32_t field, uint64_t size);
/** Bytes that formats_emit_length() takes. */
size_t formats_emit_length_bytes(uint32_t field, uint64_t size);

#endif
