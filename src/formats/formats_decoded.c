/* Decoded tensors: the list, and the file made of it.
 *
 * Invariants
 *  1. While files are read a tensor's offset counts from the first payload; settling adds the header's length to all.
 *  2. A payload has exactly the bytes of its shape: more is refused at the byte that is too many, less when it ends.
 *  3. Memory: one entry per tensor and the header; payloads pass through in pieces.
 */
#include "priv/formats_decoded.h"

#include <stdio.h>
#include "base_mem.h"
#include "formats_limits.h"

#define ALIGN        64u /* bytes: a cache line, and any vector */
#define LENGTH_BYTES 8u  /* of a safetensors header's length */

typedef struct entry {
    char *name;
    model_dtype dtype;
    uint32_t rank;
    uint64_t shape[MODEL_RANK_MAX];
    uint64_t begin, bytes; /* from the first payload on */
    formats_decode_fn fn;
    void *what;
} entry;

struct formats_decoded {
    entry *entries;
    size_t count, capacity;
    uint64_t end; /* of the last payload */
    uint32_t file;
    bool has_file;
};

struct formats_writer {
    const formats_sink *sink;
    uint64_t left; /* of this payload */
    const char *name;
};

cistern_status formats_decoded_new(formats_decoded **out, cistern_error *err)
{
    return base_calloc(1, sizeof(formats_decoded), out, err);
}

void formats_decoded_free(formats_decoded *d)
{
    if (!d)
        return;
    for (size_t i = 0; i < d->count; i++) {
        free(d->entries[i].name);
        free(d->entries[i].what);
    }
    free(d->entries);
    free(d);
}

/* ---- the list ---- */

static cistern_status grow(formats_decoded *d, cistern_error *err)
{
    entry *bigger;
    size_t capacity = d->capacity ? d->capacity * 2 : 64;

    if (d->count < d->capacity)
        return CISTERN_OK;
    cistern_status st = base_calloc(capacity, sizeof *bigger, &bigger, err);
    if (st)
        return st;
    if (d->count)
        memcpy(bigger, d->entries, d->count * sizeof *bigger);
    free(d->entries);
    d->entries = bigger;
    d->capacity = capacity;
    return CISTERN_OK;
}

static uint64_t aligned(uint64_t n)
{
    return (n + ALIGN - 1) / ALIGN * ALIGN;
}

/* Where the next payload of these elements lies. */
static cistern_status place(const formats_decoded *d, const model_tensor *t, uint64_t *begin, uint64_t *bytes,
                            cistern_error *err)
{
    uint64_t count, end;

    *begin = aligned(d->end);
    if (!model_tensor_count(t, &count) || !base_mul_u64(count, model_dtype_bytes(t->dtype), bytes) ||
        !base_add_u64(*begin, *bytes, &end) || end > FORMATS_DECODED_MAX)
        return base_fail(err, CISTERN_UNREADABLE,
                         "tensor '%s': with it the decoded tensors take more than %llu bytes", t->name,
                         (unsigned long long)FORMATS_DECODED_MAX);
    return CISTERN_OK;
}

static cistern_status copy_bytes(const void *bytes, size_t n, void **out, cistern_error *err)
{
    cistern_status st = base_calloc(1, n + 1, out, err);

    if (!st && n)
        memcpy(*out, bytes, n);
    return st;
}

/* One more entry; the payload's place goes to *begin. */
static cistern_status add_entry(formats_decoded *d, const model_tensor *t, formats_decode_fn fn,
                                const void *what, size_t size, uint64_t *begin, cistern_error *err)
{
    entry e = {.dtype = t->dtype, .rank = t->rank, .fn = fn};
    cistern_status st;

    if ((st = place(d, t, &e.begin, &e.bytes, err)) || (st = grow(d, err)))
        return st;
    memcpy(e.shape, t->shape, sizeof e.shape);
    if (!(st = base_strdup(t->name, &e.name, err)))
        st = copy_bytes(what, size, &e.what, err);
    if (st) {
        free(e.name);
        return st;
    }
    d->entries[d->count++] = e;
    d->end = e.begin + e.bytes;
    *begin = e.begin;
    return CISTERN_OK;
}

static cistern_status need_file(formats_decoded *d, model_index *index, cistern_error *err)
{
    if (d->has_file)
        return CISTERN_OK;
    cistern_status st = model_index_add_file(index, FORMATS_DECODED_MAX, &d->file, err);
    d->has_file = st == CISTERN_OK;
    return st;
}

cistern_status formats_decoded_add(formats_decoded *d, model_index *index, const model_tensor *t,
                                   formats_decode_fn fn, const void *what, size_t size, cistern_error *err)
{
    model_tensor placed = *t;
    uint64_t step = 1;
    cistern_status st;

    if ((st = need_file(d, index, err)) || (st = add_entry(d, t, fn, what, size, &placed.offset, err)))
        return st;
    placed.file = d->file;
    for (uint32_t i = t->rank; i-- > 0;) {
        placed.stride[i] = step;
        step *= t->shape[i]; /* fits: the count of elements does, or one of them is 0 */
    }
    return model_index_add(index, &placed, err);
}

static cistern_status put_constant(const void *what, formats_writer *w, cistern_error *err)
{
    return formats_writer_put(w, what, sizeof(float), err);
}

cistern_status formats_decoded_constant(formats_decoded *d, model_index *index, const model_tensor *t,
                                        float value, cistern_error *err)
{
    model_tensor one = {.name = t->name, .dtype = MODEL_F32}, view = *t;
    cistern_status st;

    if ((st = need_file(d, index, err)) ||
        (st = add_entry(d, &one, put_constant, &value, sizeof value, &view.offset, err)))
        return st;
    view.file = d->file;
    view.dtype = MODEL_F32;
    memset(view.stride, 0, sizeof view.stride);
    return model_index_add(index, &view, err);
}

cistern_status formats_decoded_add_payload(formats_decoded *d, model_index *index, const formats_payload *p,
                                           formats_place *out, cistern_error *err)
{
    char name[32];
    model_tensor t = {.name = name, .dtype = MODEL_U8, .rank = 1, .shape = {p->bytes}};
    cistern_status st = need_file(d, index, err);

    (void)snprintf(name, sizeof name, "~payload%zu", d->count);
    if (!st)
        st = add_entry(d, &t, p->fn, p->what, p->size, &out->offset, err);
    if (!st)
        out->file = d->file;
    return st;
}

/* ---- the file ---- */

static cistern_status put_name(base_buf *out, const char *name, cistern_error *err)
{
    cistern_status st = CISTERN_OK;

    for (const char *p = name; *p && !st; p++) { /* without control characters: the index has seen to it */
        if (*p == '"' || *p == '\\')
            st = base_buf_put(out, "\\", 1, err);
        if (!st)
            st = base_buf_put(out, p, 1, err);
    }
    return st;
}

static cistern_status put_entry(base_buf *out, const entry *e, cistern_error *err)
{
    cistern_status st;

    if ((st = base_buf_put(out, "\"", 1, err)) || (st = put_name(out, e->name, err)) ||
        (st = base_buf_printf(out, err, "\":{\"dtype\":\"%s\",\"shape\":[", model_dtype_text(e->dtype))))
        return st;
    for (uint32_t i = 0; i < e->rank && !st; i++)
        st = base_buf_printf(out, err, "%s%llu", i ? "," : "", (unsigned long long)e->shape[i]);
    if (!st)
        st = base_buf_printf(out, err, "],\"data_offsets\":[%llu,%llu]}", (unsigned long long)e->begin,
                             (unsigned long long)(e->begin + e->bytes));
    return st;
}

static cistern_status put_gap(base_buf *out, size_t number, uint64_t begin, uint64_t end, cistern_error *err)
{
    return base_buf_printf(
        out, err, ",\"~%zu\":{\"dtype\":\"U8\",\"shape\":[%llu],\"data_offsets\":[%llu,%llu]}", number,
        (unsigned long long)(end - begin), (unsigned long long)begin, (unsigned long long)end);
}

/* Length, JSON, and spaces up to a multiple of the alignment. */
static cistern_status make_header(const formats_decoded *d, base_buf *out, cistern_error *err)
{
    uint64_t length = 0, end = 0;
    cistern_status st = base_buf_put(out, &length, LENGTH_BYTES, err);

    if (!st)
        st = base_buf_put(out, "{", 1, err);
    for (size_t i = 0; i < d->count && !st; i++) {
        const entry *e = &d->entries[i];
        if (e->begin > end)
            st = put_gap(out, i, end, e->begin, err);
        if (!st && i)
            st = base_buf_put(out, ",", 1, err);
        if (!st)
            st = put_entry(out, e, err);
        end = e->begin + e->bytes;
    }
    if (!st)
        st = base_buf_put(out, "}", 1, err);
    while (!st && out->len % ALIGN)
        st = base_buf_put(out, " ", 1, err);
    if (st)
        return st;
    length = out->len - LENGTH_BYTES;
    memcpy(out->data, &length, LENGTH_BYTES);
    return CISTERN_OK;
}

cistern_status formats_writer_put(formats_writer *w, const void *bytes, size_t n, cistern_error *err)
{
    if (n > w->left)
        return base_fail(err, CISTERN_UNREADABLE, "tensor '%s' unpacks to more bytes than its shape takes",
                         w->name);
    w->left -= n;
    return n ? w->sink->put(w->sink->user, bytes, n, err) : CISTERN_OK;
}

static cistern_status write_payload(const entry *e, uint64_t at, const formats_sink *sink, cistern_error *err)
{
    static const uint8_t zeros[ALIGN];
    formats_writer w = {.sink = sink, .left = e->bytes, .name = e->name};
    cistern_status st =
        e->begin > at ? sink->put(sink->user, zeros, (size_t)(e->begin - at), err) : CISTERN_OK;

    if (!st)
        st = e->fn(e->what, &w, err);
    if (!st && w.left)
        return base_fail(err, CISTERN_UNREADABLE, "tensor '%s' lacks %llu of its %llu bytes", e->name,
                         (unsigned long long)w.left, (unsigned long long)e->bytes);
    return st ? base_frame(err, st, "tensor '%s'", e->name) : st;
}

static cistern_status write_all(const formats_decoded *d, const base_buf *header, const formats_sink *sink,
                                cistern_error *err)
{
    uint64_t at = 0;
    cistern_status st = sink->put(sink->user, header->data, header->len, err);

    for (size_t i = 0; i < d->count && !st; i++) {
        st = write_payload(&d->entries[i], at, sink, err);
        at = d->entries[i].begin + d->entries[i].bytes;
    }
    return st;
}

cistern_status formats_decoded_write(formats_decoded *d, model_index *index, const formats_sink *sink,
                                     cistern_error *err)
{
    base_buf header;
    cistern_status st;

    if (!d->count)
        return CISTERN_OK;
    if (!sink)
        return base_fail(err, CISTERN_UNREADABLE,
                         "tensor '%s' does not lie plain in the file, and there is no place to unpack it to",
                         d->entries[0].name);
    base_buf_init(&header, FORMATS_DECODED_HEADER_MAX);
    st = make_header(d, &header, err);
    if (st == CISTERN_DAMAGED) /* what a full buffer says; names of quotes alone take twice their bytes */
        st = base_fail(err, CISTERN_UNREADABLE,
                       "names and shapes of the decoded tensors take more than %u bytes",
                       FORMATS_DECODED_HEADER_MAX);
    if (!st && !(st = model_index_settle_file(index, d->file, header.len, header.len + d->end, err)))
        st = write_all(d, &header, sink, err);
    base_buf_clear(&header);
    return st;
}

/* ---- looking at one ---- */

typedef struct memory {
    uint8_t *at;
    size_t used, size;
} memory;

static cistern_status put_memory(void *user, const void *bytes, size_t n, cistern_error *err)
{
    memory *m = user;

    if (n > m->size - m->used)
        return base_fail(err, CISTERN_UNREADABLE, "more bytes than its shape has");
    memcpy(m->at + m->used, bytes, n);
    m->used += n;
    return CISTERN_OK;
}

bool formats_decoded_peek(const formats_decoded *d, uint64_t offset, void *out, size_t n)
{
    memory m = {.at = out, .size = n};
    const formats_sink sink = {put_memory, &m};

    for (size_t i = 0; i < d->count; i++) {
        const entry *e = &d->entries[i];
        formats_writer w = {.sink = &sink, .left = e->bytes, .name = e->name};
        if (e->begin == offset && e->bytes == n)
            return e->fn(e->what, &w, NULL) == CISTERN_OK && m.used == n;
    }
    return false;
}
