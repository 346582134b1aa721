/* Allocation and checked arithmetic; see base_mem.h. */
#include "base_mem.h"
#include <assert.h>
#include <stdarg.h>

bool base_add_size(size_t a, size_t b, size_t *out)
{
    size_t sum;
    if (__builtin_add_overflow(a, b, &sum))
        return false;
    *out = sum;
    return true;
}

bool base_mul_size(size_t a, size_t b, size_t *out)
{
    size_t product;
    if (__builtin_mul_overflow(a, b, &product))
        return false;
    *out = product;
    return true;
}

bool base_add_u64(uint64_t a, uint64_t b, uint64_t *out)
{
    uint64_t sum;
    if (__builtin_add_overflow(a, b, &sum))
        return false;
    *out = sum;
    return true;
}

bool base_mul_u64(uint64_t a, uint64_t b, uint64_t *out)
{
    uint64_t product;
    if (__builtin_mul_overflow(a, b, &product))
        return false;
    *out = product;
    return true;
}

cistern_status base_calloc(size_t count, size_t size, void *out, cistern_error *err)
{
    size_t bytes;
    if (!base_mul_size(count, size, &bytes))
        return base_fail(err, CISTERN_NO_MEMORY, "out of memory: %zu times %zu bytes wanted", count, size);
    void *p = calloc(bytes > 0 ? bytes : 1, 1); /* so that NULL always means failure */
    if (!p)
        return base_fail_memory(err, bytes);
    memcpy(out, &p, sizeof p);
    return CISTERN_OK;
}

cistern_status base_alloc_aligned(size_t bytes, size_t align, void *out, cistern_error *err)
{
    void *p = NULL;
    assert(align > 0 && (align & (align - 1)) == 0);
    if (align < sizeof(void *))
        align = sizeof(void *);
    if (posix_memalign(&p, align, bytes > 0 ? bytes : 1) != 0)
        return base_fail_memory(err, bytes);
    memcpy(out, &p, sizeof p);
    return CISTERN_OK;
}

cistern_status base_strdup(const char *text, char **out, cistern_error *err)
{
    char *copy = NULL;
    if (text) {
        size_t bytes = strlen(text) + 1;
        copy = malloc(bytes);
        if (!copy)
            return base_fail_memory(err, bytes);
        memcpy(copy, text, bytes);
    }
    *out = copy;
    return CISTERN_OK;
}

cistern_status base_asprintf(char **out, cistern_error *err, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    int length = vsnprintf(NULL, 0, fmt, args);
    va_end(args);
    if (length < 0)
        return base_fail(err, CISTERN_UNEXPECTED, "cannot format a text");
    size_t bytes = (size_t)length + 1;
    char *text = malloc(bytes);
    if (!text)
        return base_fail_memory(err, bytes);
    va_start(args, fmt);
    vsnprintf(text, bytes, fmt, args);
    va_end(args);
    *out = text;
    return CISTERN_OK;
}
