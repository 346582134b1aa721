/* Elements of tensors in protocol buffers.
 *
 *   raw bytes                                  in place
 *   one packed field of the dtype's own width  in place
 *   one such element for many                  in place, all strides 0
 *   else (varints, one by one, in pieces)      decoded: the message is walked again when the decoded file is written
 *
 * Invariants
 *  1. Raw bytes, or elements: both is refused, and so is anything but exactly as many as the shape has. Where the format
 *     says so, a last element stands for those that are missing, and none for zeros.
 *  2. What is decoded was counted before; the writer is handed exactly the shape's bytes.
 */
#include "priv/formats_values.h"

#include <string.h>
#include "base_mem.h"
#include "formats_limits.h"

#define TRY(call)                                                                                            \
    do {                                                                                                     \
        cistern_status try_status = (call);                                                                  \
        if (try_status)                                                                                      \
            return try_status;                                                                               \
    } while (0)

#define PIECE 4096u /* bytes handed to the writer at once */

/* What the message was found to hold. */
typedef struct found {
    bool raw;
    uint64_t raw_begin, raw_size, raw_at;
    uint64_t elements, first; /* of the repeated field; byte of the file where the first one is */
    uint64_t pieces;          /* fields that they are in */
    uint64_t at;              /* byte of the file where the first of these is */
} found;

typedef struct source {
    formats_values v;
    model_dtype dtype;
    uint64_t count; /* elements of the shape */
} source;

bool formats_values_strides(model_tensor *t, uint64_t *out_bytes)
{
    uint64_t step = 1;

    for (uint32_t i = t->rank; i-- > 0;) {
        t->stride[i] = step;
        if (!base_mul_u64(step, t->shape[i], &step))
            return false;
    }
    return base_mul_u64(step, model_dtype_bytes(t->dtype), out_bytes);
}

/* ---- counting ---- */

static cistern_status count_packed(const formats_values *v, const formats_field *f, uint64_t *out)
{
    uint64_t n = 0;

    if (v->width) {
        if (f->value % v->width)
            return base_fail_at(v->message.err, CISTERN_UNREADABLE, f->at,
                                "field %u has %llu bytes, which is no multiple of %u", f->number,
                                (unsigned long long)f->value, v->width);
        *out = f->value / v->width;
        return CISTERN_OK;
    }
    for (uint64_t i = 0; i < f->value; i++)
        n += v->message.bytes[f->begin + i] < 0x80;
    *out = n;
    return CISTERN_OK;
}

static cistern_status count_field(const formats_values *v, const formats_field *f, found *out)
{
    uint64_t n = 1;
    formats_wire alone = v->width == 4   ? FORMATS_WIRE_FIXED32
                         : v->width == 8 ? FORMATS_WIRE_FIXED64
                                         : FORMATS_WIRE_VARINT;

    if (f->wire == FORMATS_WIRE_BYTES)
        TRY(count_packed(v, f, &n));
    else if (f->wire != alone)
        return base_fail_at(v->message.err, CISTERN_UNREADABLE, f->at,
                            "field %u has wire type %d where numbers belong", f->number, (int)f->wire);
    if (!n)
        return CISTERN_OK;
    if (!out->pieces) {
        out->first = f->begin;
        out->at = f->at;
    }
    out->elements += n;
    out->pieces++;
    return CISTERN_OK;
}

static cistern_status find_values(const formats_values *v, found *out)
{
    formats_protobuf p = v->message;
    formats_field f;
    bool more;

    *out = (found){.at = p.pos};
    for (;;) {
        TRY(formats_protobuf_next(&p, &f, &more));
        if (!more)
            return CISTERN_OK;
        if (f.number == v->field) {
            TRY(count_field(v, &f, out));
        } else if (f.number == v->raw && f.wire == FORMATS_WIRE_BYTES) {
            out->raw = f.value > 0;
            out->raw_begin = f.begin;
            out->raw_size = f.value;
            out->raw_at = f.at;
        }
    }
}

/* ---- decoding ---- */

/* Elements on their way to the writer. */
typedef struct stream {
    formats_writer *w;
    cistern_error *err;
    size_t bytes; /* of one element */
    uint64_t left;
    uint64_t last; /* the element before, in its low bytes */
    uint8_t piece[PIECE];
    size_t used;
} stream;

static cistern_status flush(stream *s)
{
    size_t n = s->used;

    s->used = 0;
    return n ? formats_writer_put(s->w, s->piece, n, s->err) : CISTERN_OK;
}

static cistern_status put(stream *s, uint64_t element)
{
    if (s->used + s->bytes > PIECE)
        TRY(flush(s));
    for (size_t i = 0; i < s->bytes; i++)
        s->piece[s->used++] = (uint8_t)(element >> (8 * i));
    s->last = element;
    s->left--;
    return CISTERN_OK;
}

/* A packed field's elements. */
static cistern_status put_packed(stream *s, const formats_values *v, const formats_field *f)
{
    const uint8_t *p = v->message.bytes + f->begin, *end = p + f->value;

    while (p < end && s->left) {
        uint64_t element = 0;
        unsigned shift = 0;
        if (v->width) {
            memcpy(&element, p, v->width);
            p += v->width;
        } else {
            for (; p < end && *p >= 0x80; p++, shift += 7)
                element |= shift < 64 ? (uint64_t)(*p & 0x7f) << shift : 0;
            if (p < end)
                element |= shift < 64 ? (uint64_t)*p++ << shift : 0;
        }
        TRY(put(s, element));
    }
    return CISTERN_OK;
}

static cistern_status write_values(const void *what, formats_writer *w, cistern_error *err)
{
    const source *from = what;
    const formats_values *v = &from->v;
    formats_protobuf p = v->message;
    stream s = {.w = w, .err = err, .bytes = model_dtype_bytes(from->dtype), .left = from->count};
    formats_field f;
    bool more = true;

    p.err = err;
    while (s.left) {
        TRY(formats_protobuf_next(&p, &f, &more));
        if (!more)
            break;
        if (f.number == v->field && f.wire == FORMATS_WIRE_BYTES)
            TRY(put_packed(&s, v, &f));
        else if (f.number == v->field)
            TRY(put(&s, f.value));
    }
    while (s.left)
        TRY(put(&s, s.last));
    return flush(&s);
}

/* ---- adding ---- */

static cistern_status check_count(const formats_values *v, const model_tensor *t, const found *f,
                                  uint64_t count)
{
    bool enough = f->elements == count || (v->repeats && f->elements < count);

    if (!enough)
        return base_fail_at(v->message.err, CISTERN_UNREADABLE, f->at,
                            "tensor '%s' has %llu elements, its shape %llu", t->name,
                            (unsigned long long)f->elements, (unsigned long long)count);
    if (count > f->elements && count > FORMATS_REPEAT_MAX)
        return base_fail_at(v->message.err, CISTERN_UNREADABLE, f->at,
                            "tensor '%s' is %llu elements said by %llu, at most %u allowed", t->name,
                            (unsigned long long)count, (unsigned long long)f->elements, FORMATS_REPEAT_MAX);
    return CISTERN_OK;
}

static cistern_status add_elements(const formats_values *v, model_tensor *t, const found *f, uint64_t count,
                                   formats_output *out)
{
    source from = {.v = *v, .dtype = t->dtype, .count = count};
    bool own_width = v->width == model_dtype_bytes(t->dtype);

    TRY(check_count(v, t, f, count));
    if (f->elements == 0 && t->dtype == MODEL_F32)
        return formats_decoded_constant(out->decoded, out->index, t, 0.0f, v->message.err);
    if (f->elements == 0 || !own_width || (f->elements > 1 && (f->pieces > 1 || f->elements < count))) {
        from.v.message.err = NULL;
        return formats_decoded_add(out->decoded, out->index, t, write_values, &from, sizeof from,
                                   v->message.err);
    }
    t->offset = f->first;
    for (uint32_t i = 0; f->elements < count && i < t->rank; i++)
        t->stride[i] = 0;
    return model_index_add(out->index, t, v->message.err);
}

cistern_status formats_values_add(const formats_values *v, model_tensor *t, formats_output *out,
                                  size_t *out_number)
{
    size_t number = model_index_count(out->index);
    uint64_t bytes, count;
    found f;

    if (!formats_values_strides(t, &bytes) || !model_tensor_count(t, &count))
        return base_fail_at(v->message.err, CISTERN_UNREADABLE, v->message.pos,
                            "tensor '%s' has a shape whose size overflows", t->name);
    TRY(find_values(v, &f));
    t->file = v->file;
    if (f.raw && f.elements)
        return base_fail_at(v->message.err, CISTERN_UNREADABLE, f.raw_at,
                            "tensor '%s' has raw bytes and elements as well", t->name);
    if (f.raw && f.raw_size != bytes)
        return base_fail_at(v->message.err, CISTERN_UNREADABLE, f.raw_at,
                            "tensor '%s' has %llu raw bytes, but its shape takes %llu", t->name,
                            (unsigned long long)f.raw_size, (unsigned long long)bytes);
    if (f.raw || count == 0) {
        t->offset = f.raw ? f.raw_begin : 0;
        TRY(model_index_add(out->index, t, v->message.err));
    } else {
        TRY(add_elements(v, t, &f, count, out));
    }
    *out_number = number;
    return CISTERN_OK;
}
