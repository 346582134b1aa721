/* The answer's bytes.
 *
 * Invariants
 *  1. Reading trusts nothing: lengths are compared with what is left, texts are escaped again by base_fail, statuses are
 *     those that a reader can have, and the index is decoded against sizes that the caller measured itself.
 */
#include "priv/ingest_answer.h"

#include <string.h>
#include "base_cursor.h"

#define ANSWER_MAGIC "CISTANS1"
#define KIND_INDEX   1u
#define KIND_ERROR   2u

/* ---- writing ---- */

static cistern_status put_le(base_buf *out, uint64_t value, unsigned bytes, cistern_error *err)
{
    uint8_t b[8];

    for (unsigned i = 0; i < bytes; i++)
        b[i] = (uint8_t)(value >> (8 * i));
    return base_buf_put(out, b, bytes, err);
}

static cistern_status put_text(base_buf *out, const char *text, size_t max, cistern_error *err)
{
    size_t n = strnlen(text, max);
    cistern_status st = put_le(out, n, 4, err);

    return st ? st : base_buf_put(out, text, n, err);
}

static cistern_status put_header(base_buf *out, uint32_t kind, uint64_t n, cistern_error *err)
{
    cistern_status st;

    if ((st = base_buf_put(out, ANSWER_MAGIC, 8, err)) || (st = put_le(out, kind, 4, err)) ||
        (st = put_le(out, 0, 4, err)))
        return st;
    return put_le(out, n, 8, err);
}

cistern_status ingest_answer_put_index(const model_index *index, base_buf *out, cistern_error *err)
{
    cistern_status st = put_header(out, KIND_INDEX, 0, err);

    if (!st)
        st = model_index_encode(index, out, err);
    if (st)
        return st;
    uint64_t n = out->len - INGEST_ANSWER_HEADER;
    for (unsigned i = 0; i < 8; i++)
        out->data[16 + i] = (char)(n >> (8 * i));
    return CISTERN_OK;
}

cistern_status ingest_answer_put_error(const cistern_error *what, base_buf *out, cistern_error *err)
{
    uint64_t n = 4 + 4 + 8 + 4 + strnlen(what->text, sizeof what->text) + 4;
    cistern_status st;

    for (unsigned i = 0; i < what->frame_count; i++)
        n += 4 + strnlen(what->frame[i], sizeof what->frame[i]);
    if ((st = put_header(out, KIND_ERROR, n, err)) || (st = put_le(out, (uint64_t)what->status, 4, err)) ||
        (st = put_le(out, what->has_offset ? 1 : 0, 4, err)) || (st = put_le(out, what->offset, 8, err)) ||
        (st = put_text(out, what->text, sizeof what->text, err)) ||
        (st = put_le(out, what->frame_count, 4, err)))
        return st;
    for (unsigned i = 0; i < what->frame_count && !st; i++)
        st = put_text(out, what->frame[i], sizeof what->frame[i], err);
    return st;
}

/* ---- reading ---- */

static cistern_status invalid(cistern_error *err, const char *why)
{
    return base_fail(err, CISTERN_UNREADABLE, "the reader gave no valid answer about this file (%s)", why);
}

/* Statuses that reading files can end with; all else is a lie. */
static bool status_is_possible(uint32_t status)
{
    return status == CISTERN_UNEXPECTED || status == CISTERN_USAGE || status == CISTERN_NO_MEMORY ||
           status == CISTERN_DAMAGED || status == CISTERN_UNREADABLE || status == CISTERN_DENIED ||
           status == CISTERN_NO_SPACE;
}

static bool take_text(base_cursor *c, size_t max, char *out)
{
    uint32_t n;
    const uint8_t *bytes;

    if (!base_cursor_u32(c, &n) || n >= max || !base_cursor_take(c, n, &bytes))
        return false;
    memcpy(out, bytes, n);
    out[n] = 0;
    return true;
}

static bool take_error(base_cursor *c, cistern_error *out)
{
    uint32_t status, has_offset;

    if (!base_cursor_u32(c, &status) || !base_cursor_u32(c, &has_offset) ||
        !base_cursor_u64(c, &out->offset) || !status_is_possible(status) || has_offset > 1 ||
        !take_text(c, sizeof out->text, out->text) || !base_cursor_u32(c, &out->frame_count) ||
        out->frame_count > CISTERN_ERROR_FRAMES)
        return false;
    out->status = (cistern_status)status;
    out->has_offset = (int)has_offset;
    for (unsigned i = 0; i < out->frame_count; i++) {
        if (!take_text(c, sizeof out->frame[i], out->frame[i]))
            return false;
    }
    return base_cursor_left(c) == 0;
}

static cistern_status read_error(base_cursor *c, cistern_error *err)
{
    cistern_error what = CISTERN_ERROR_INIT;

    if (!take_error(c, &what))
        return invalid(err, "a malformed error");
    if (what.status == CISTERN_NO_MEMORY)
        return base_fail(err, CISTERN_UNREADABLE, "reading this file takes more than %zu MiB of memory",
                         INGEST_DATA_MAX >> 20);
    cistern_status st = base_fail(err, what.status, "%s", what.text);
    if (err && what.has_offset) { /* the text tells it already */
        err->has_offset = 1;
        err->offset = what.offset;
    }
    for (unsigned i = 0; i < what.frame_count; i++)
        st = base_frame(err, st, "%s", what.frame[i]);
    return st;
}

static cistern_status read_index(base_cursor *c, const uint64_t *file_sizes, size_t file_count,
                                 model_index **out, cistern_error *err)
{
    cistern_error why = CISTERN_ERROR_INIT;
    const uint8_t *bytes;
    size_t n = base_cursor_left(c);

    if (!base_cursor_take(c, n, &bytes))
        return invalid(err, "cut short");
    cistern_status st = model_index_decode(bytes, n, file_sizes, file_count, out, &why);
    if (st == CISTERN_NO_MEMORY)
        return base_fail_memory(err, n);
    return st ? invalid(err, why.text) : CISTERN_OK;
}

cistern_status ingest_answer_read(const void *bytes, size_t n, const uint64_t *file_sizes, size_t file_count,
                                  model_index **out, cistern_error *err)
{
    base_cursor c;
    const uint8_t *magic;
    uint32_t kind, zero;
    uint64_t length;

    base_cursor_init(&c, bytes, n);
    if (!base_cursor_take(&c, 8, &magic))
        return invalid(err, n ? "cut short" : "none at all");
    if (memcmp(magic, ANSWER_MAGIC, 8) != 0)
        return invalid(err, "it begins wrongly");
    if (!base_cursor_u32(&c, &kind) || !base_cursor_u32(&c, &zero) || !base_cursor_u64(&c, &length) ||
        length != base_cursor_left(&c) || zero != 0)
        return invalid(err, "its length is wrong");
    if (kind == KIND_INDEX)
        return read_index(&c, file_sizes, file_count, out, err);
    return kind == KIND_ERROR ? read_error(&c, err) : invalid(err, "an unknown kind");
}
