/* Reading bytes that end at a guard page, and what must come of it. */
#ifndef WEIGHT_READ_H
#define WEIGHT_READ_H

#include "cistern_test.h"
#include "guard_page.h"
#include "formats_read.h"
#include "weight_forge.h"

#define NO_OFFSET UINT64_MAX

/** formats_read() of one file "w" at a guard page. */
static inline cistern_status weight_read(const void *bytes, size_t n, model_index **out, cistern_error *err)
{
    guard_page g = guard_page_of(bytes, n);
    formats_file file = {.path = "w", .data = g.data, .size = n};
    cistern_status st = formats_read(&file, 1, NULL, out, err);

    guard_page_free(&g);
    return st;
}

static inline void weight_refused(const forge *f, uint64_t offset, const char *part, const char *file,
                                  int line)
{
    cistern_error err = CISTERN_ERROR_INIT;
    model_index *index = NULL;
    cistern_status st = weight_read(f->data, f->len, &index, &err);

    assert_message_has(st, CISTERN_UNREADABLE, &err, part, file, line);
    if (offset != (err.has_offset ? err.offset : NO_OFFSET)) {
        print_error("byte %lld is at fault, %lld was expected: %s\n",
                    err.has_offset ? (long long)err.offset : -1, (long long)offset, err.text);
        _fail(file, line);
    }
    assert_null(index);
}

/** The bytes are UNREADABLE, `part` is in the message and `offset` in the error (NO_OFFSET: none). */
#define assert_refused(f, offset, part) weight_refused(f, offset, part, __FILE__, __LINE__)

static inline void weight_accepted(const forge *f, size_t tensors, const char *file, int line)
{
    cistern_error err = CISTERN_ERROR_INIT;
    model_index *index = NULL;

    assert_status_is(weight_read(f->data, f->len, &index, &err), CISTERN_OK, &err, file, line);
    _assert_int_equal(model_index_count(index), tensors, file, line);
    model_index_free(index);
}

/** The bytes are read and hold so many tensors. */
#define assert_accepted(f, tensors) weight_accepted(f, tensors, __FILE__, __LINE__)

#endif
