/* The elements of a tensor that is written. */
#ifndef FORMATS_PAYLOAD_H
#define FORMATS_PAYLOAD_H

#include "formats_write.h"

/** Bytes of its elements as dtype; false on overflow. */
bool formats_payload_bytes(const formats_out *t, model_dtype dtype, uint64_t *out);
/** Put them. @param dtype  that of the values, F32 or F64. @retval CANCELLED; what the sink gives */
cistern_status formats_payload_put(const formats_out *t, model_dtype dtype, const formats_sink *sink,
                                   const base_cancel *cancel, cistern_error *err) CISTERN_MUST_CHECK;

#endif
