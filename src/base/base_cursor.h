/* Reading hostile bytes: a window that can only be walked by bounded steps. Little endian. */
#ifndef BASE_CURSOR_H
#define BASE_CURSOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct base_cursor {
    const uint8_t *base;
    size_t len;
    size_t pos; /* 0 <= pos <= len */
} base_cursor;

void base_cursor_init(base_cursor *c, const void *bytes, size_t len);
size_t base_cursor_left(const base_cursor *c);
/* Each: false when too few bytes are left; then nothing moved and *out is untouched. */
bool base_cursor_seek(base_cursor *c, uint64_t pos);
bool base_cursor_skip(base_cursor *c, uint64_t n);
bool base_cursor_take(base_cursor *c, uint64_t n, const uint8_t **out); /* borrowed from the window */
bool base_cursor_u8(base_cursor *c, uint8_t *out);
bool base_cursor_u16(base_cursor *c, uint16_t *out);
bool base_cursor_u32(base_cursor *c, uint32_t *out);
bool base_cursor_u64(base_cursor *c, uint64_t *out);
bool base_cursor_f64_be(base_cursor *c, double *out);

#endif
