/* A growing byte buffer with a maximum given at birth. The bytes are always followed by a zero. */
#ifndef BASE_BUF_H
#define BASE_BUF_H

#include "base_error.h"

typedef struct base_buf {
    char *data; /* NULL until something was put */
    size_t len; /* bytes, without the terminating zero */
    size_t capacity;
    size_t max; /* bytes that it may ever hold */
} base_buf;

void base_buf_init(base_buf *buf, size_t max);
void base_buf_clear(base_buf *buf); /* frees; reusable with the same maximum */
/* Append. @retval DAMAGED  it would hold more than its maximum; nothing was appended then. @retval NO_MEMORY. */
cistern_status base_buf_put(base_buf *buf, const void *bytes, size_t n,
                            cistern_error *err) CISTERN_MUST_CHECK;
cistern_status base_buf_printf(base_buf *buf, cistern_error *err, const char *fmt, ...) CISTERN_MUST_CHECK
    CISTERN_PRINTF(3, 4);
/** The bytes as a zero-terminated string that the caller now owns; the buffer is empty afterwards. NULL: out of memory. */
char *base_buf_take(base_buf *buf);

#endif
