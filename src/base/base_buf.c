/* A growing byte buffer with a maximum; see base_buf.h. */
#include "base_buf.h"
#include "base_mem.h"
#include <stdarg.h>

#define FIRST_CAPACITY 64 /* bytes: most texts are shorter */

void base_buf_init(base_buf *buf, size_t max)
{
    buf->data = NULL;
    buf->len = 0;
    buf->capacity = 0;
    buf->max = max < SIZE_MAX ? max : SIZE_MAX - 1; /* room for the zero */
}

void base_buf_clear(base_buf *buf)
{
    free(buf->data);
    base_buf_init(buf, buf->max);
}

/* Room for n more bytes and the zero. */
static cistern_status reserve(base_buf *buf, size_t n, cistern_error *err)
{
    if (n > buf->max - buf->len)
        return base_fail(err, CISTERN_DAMAGED, "more than %zu bytes, at most that many are allowed here",
                         buf->max);
    size_t need = buf->len + n + 1;
    if (need <= buf->capacity)
        return CISTERN_OK;
    size_t capacity = buf->capacity > 0 ? buf->capacity : FIRST_CAPACITY;
    while (capacity < need)
        capacity = capacity <= SIZE_MAX / 2 ? capacity * 2 : need;
    if (capacity > buf->max + 1)
        capacity = buf->max + 1;
    char *data = realloc(buf->data, capacity);
    if (!data)
        return base_fail_memory(err, capacity);
    buf->data = data;
    buf->capacity = capacity;
    return CISTERN_OK;
}

cistern_status base_buf_put(base_buf *buf, const void *bytes, size_t n, cistern_error *err)
{
    cistern_status status = reserve(buf, n, err);
    if (status != CISTERN_OK)
        return status;
    if (n > 0)
        memcpy(buf->data + buf->len, bytes, n);
    buf->len += n;
    buf->data[buf->len] = '\0';
    return CISTERN_OK;
}

cistern_status base_buf_printf(base_buf *buf, cistern_error *err, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    int length = vsnprintf(NULL, 0, fmt, args);
    va_end(args);
    if (length < 0)
        return base_fail(err, CISTERN_UNEXPECTED, "cannot format a text");
    cistern_status status = reserve(buf, (size_t)length, err);
    if (status != CISTERN_OK)
        return status;
    va_start(args, fmt);
    vsnprintf(buf->data + buf->len, (size_t)length + 1, fmt, args);
    va_end(args);
    buf->len += (size_t)length;
    return CISTERN_OK;
}

char *base_buf_take(base_buf *buf)
{
    char *text = buf->data ? buf->data : calloc(1, 1);
    base_buf_init(buf, buf->max);
    return text;
}
