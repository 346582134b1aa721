/* Reading several files at guard pages, with a place for decoded tensors. */
#ifndef FOREIGN_READ_H
#define FOREIGN_READ_H

#include "protobuf_forge.h"
#include "weight_read.h"

#define FOREIGN_FILES_MAX 8

/* Files of one version and what was read of them. */
typedef struct foreign {
    formats_file file[FOREIGN_FILES_MAX];
    guard_page page[FOREIGN_FILES_MAX];
    size_t count;
    forge decoded; /* what was written out: file number `count` */
    model_index *index;
    cistern_error err;
} foreign;

static inline cistern_status foreign_put(void *user, const void *bytes, size_t n, cistern_error *err)
{
    (void)err;
    forge_put(user, bytes, n);
    return CISTERN_OK;
}

/** One more file; its bytes are copied and freed. */
static inline void foreign_add(foreign *v, const char *path, forge *bytes)
{
    assert_true(v->count < FOREIGN_FILES_MAX);
    v->page[v->count] = guard_page_of(bytes->data, bytes->len);
    v->file[v->count] = (formats_file){.path = path, .data = v->page[v->count].data, .size = bytes->len};
    v->count++;
    forge_free(bytes);
}

static inline cistern_status foreign_read(foreign *v)
{
    formats_sink sink = {.put = foreign_put, .user = &v->decoded};

    v->err = (cistern_error)CISTERN_ERROR_INIT;
    return formats_read(v->file, v->count, &sink, &v->index, &v->err);
}

static inline void foreign_free(foreign *v)
{
    for (size_t i = 0; i < v->count; i++)
        guard_page_free(&v->page[i]);
    forge_free(&v->decoded);
    model_index_free(v->index);
    *v = (foreign){.count = 0};
}

/** Element i (row by row) of a tensor. */
static inline double foreign_value(const foreign *v, const char *name, uint64_t i)
{
    const model_tensor *t = model_index_find(v->index, name);
    uint64_t place = 0;

    assert_non_null(t);
    for (uint32_t d = t->rank; d-- > 0;) {
        place += i % t->shape[d] * t->stride[d];
        i /= t->shape[d];
    }
    const uint8_t *bytes = t->file < v->count ? v->file[t->file].data : v->decoded.data;
    return model_dtype_get(t->dtype, bytes + t->offset + place * model_dtype_bytes(t->dtype));
}

/** Read, be refused with this in the message, and free. @param offset NO_OFFSET: none */
static inline void foreign_refused(foreign *v, uint64_t offset, const char *part, const char *file, int line)
{
    cistern_status st = foreign_read(v);

    assert_message_has(st, CISTERN_UNREADABLE, &v->err, part, file, line);
    if (offset != (v->err.has_offset ? v->err.offset : NO_OFFSET)) {
        print_error("byte %lld is at fault, %lld was expected: %s\n",
                    v->err.has_offset ? (long long)v->err.offset : -1, (long long)offset, v->err.text);
        _fail(file, line);
    }
    foreign_free(v);
}
#define assert_foreign_refused(v, offset, part) foreign_refused(v, offset, part, __FILE__, __LINE__)

#endif
