/* Protocol buffers, field by field. See the header for the invariants. */
#include "priv/formats_protobuf.h"

#include <string.h>
#include "formats_limits.h"

#define VARINT_BYTES_MAX 10u
#define NUMBER_MAX       ((1u << 29) - 1) /* of a field */

#define FAIL(p, at, ...) base_fail_at((p)->err, CISTERN_UNREADABLE, at, __VA_ARGS__)

void formats_protobuf_init(formats_protobuf *p, const uint8_t *bytes, uint64_t begin, uint64_t end,
                           cistern_error *err)
{
    *p = (formats_protobuf){.bytes = bytes, .pos = begin, .end = end, .err = err};
}

static cistern_status take_varint(formats_protobuf *p, uint64_t *out)
{
    uint64_t value = 0, at = p->pos;

    for (unsigned i = 0; i < VARINT_BYTES_MAX; i++) {
        if (p->pos == p->end)
            return FAIL(p, at, "a number does not end inside its message: the file is cut short or damaged");
        uint8_t byte = p->bytes[p->pos++];
        if (i == VARINT_BYTES_MAX - 1 && byte > 1)
            break;
        value |= (uint64_t)(byte & 0x7f) << (7 * i);
        if (byte < 0x80) {
            *out = value;
            return CISTERN_OK;
        }
    }
    return FAIL(p, at, "a number of more than 64 bits");
}

static cistern_status take_fixed(formats_protobuf *p, unsigned bytes, formats_field *f)
{
    f->value = 0;
    f->begin = p->pos;
    if (p->end - p->pos < bytes)
        return FAIL(p, f->at, "field %u takes %u bytes, of which %llu are left in its message", f->number,
                    bytes, (unsigned long long)(p->end - p->pos));
    for (unsigned i = 0; i < bytes; i++)
        f->value |= (uint64_t)p->bytes[p->pos + i] << (8 * i);
    p->pos += bytes;
    return CISTERN_OK;
}

static cistern_status take_bytes(formats_protobuf *p, formats_field *f)
{
    cistern_status st = take_varint(p, &f->value);

    if (st)
        return st;
    f->begin = p->pos;
    if (f->value > p->end - p->pos)
        return FAIL(p, f->at,
                    "field %u has %llu bytes, of which %llu are left in its message: the file is cut short "
                    "or damaged",
                    f->number, (unsigned long long)f->value, (unsigned long long)(p->end - p->pos));
    p->pos += f->value;
    return CISTERN_OK;
}

cistern_status formats_protobuf_next(formats_protobuf *p, formats_field *out, bool *out_more)
{
    formats_field f = {.at = p->pos};
    uint64_t tag;
    cistern_status st;

    *out_more = p->pos < p->end;
    if (!*out_more)
        return CISTERN_OK;
    if ((st = take_varint(p, &tag)))
        return st;
    if (tag >> 3 == 0 || tag >> 3 > NUMBER_MAX)
        return FAIL(p, f.at, "field number %llu, from 1 to %u allowed", (unsigned long long)(tag >> 3),
                    NUMBER_MAX);
    f.number = (uint32_t)(tag >> 3);
    f.begin = p->pos;
    switch (tag & 7) {
    case FORMATS_WIRE_VARINT:
        st = take_varint(p, &f.value);
        break;
    case FORMATS_WIRE_FIXED64:
        st = take_fixed(p, 8, &f);
        break;
    case FORMATS_WIRE_BYTES:
        st = take_bytes(p, &f);
        break;
    case FORMATS_WIRE_FIXED32:
        st = take_fixed(p, 4, &f);
        break;
    default:
        return FAIL(p, f.at, "field %u has wire type %u; 0, 1, 2 and 5 are read", f.number,
                    (unsigned)(tag & 7));
    }
    if (st)
        return st;
    f.wire = (formats_wire)(tag & 7);
    *out = f;
    return CISTERN_OK;
}

static cistern_status wrong_wire(const formats_protobuf *p, const formats_field *f, const char *wanted)
{
    return FAIL(p, f->at, "field %u has wire type %d, which is not that of %s", f->number, (int)f->wire,
                wanted);
}

cistern_status formats_protobuf_enter(const formats_protobuf *p, const formats_field *field,
                                      formats_protobuf *out)
{
    if (field->wire != FORMATS_WIRE_BYTES)
        return wrong_wire(p, field, "a message");
    if (p->depth == FORMATS_PROTOBUF_DEPTH_MAX)
        return FAIL(p, field->at, "messages inside messages more than %u deep", FORMATS_PROTOBUF_DEPTH_MAX);
    *out = (formats_protobuf){.bytes = p->bytes,
                              .pos = field->begin,
                              .end = field->begin + field->value,
                              .depth = p->depth + 1,
                              .err = p->err};
    return CISTERN_OK;
}

cistern_status formats_protobuf_text(const formats_protobuf *p, const formats_field *field, formats_text *out)
{
    if (field->wire != FORMATS_WIRE_BYTES)
        return wrong_wire(p, field, "text");
    *out = (formats_text){(const char *)p->bytes + field->begin, (size_t)field->value};
    return CISTERN_OK;
}

cistern_status formats_protobuf_last_text(formats_protobuf *p, uint32_t number, formats_text *out)
{
    formats_field f;
    bool more;

    for (;;) {
        cistern_status st = formats_protobuf_next(p, &f, &more);
        if (st != CISTERN_OK || !more)
            return st;
        if (f.number == number)
            st = formats_protobuf_text(p, &f, out);
        if (st != CISTERN_OK)
            return st;
    }
}

cistern_status formats_protobuf_number(const formats_protobuf *p, const formats_field *field, uint64_t *out)
{
    if (field->wire != FORMATS_WIRE_VARINT)
        return wrong_wire(p, field, "a number");
    *out = field->value;
    return CISTERN_OK;
}

cistern_status formats_protobuf_float(const formats_protobuf *p, const formats_field *field, double *out)
{
    uint32_t bits = (uint32_t)field->value;
    float value;

    if (field->wire != FORMATS_WIRE_FIXED32)
        return wrong_wire(p, field, "a float");
    memcpy(&value, &bits, sizeof value);
    *out = value;
    return CISTERN_OK;
}

static cistern_status append(const formats_protobuf *p, const formats_field *field, uint64_t value,
                             uint64_t *out, size_t max, size_t *count)
{
    if (*count == max)
        return FAIL(p, field->at, "field %u has more than %zu numbers", field->number, max);
    out[(*count)++] = value;
    return CISTERN_OK;
}

cistern_status formats_protobuf_numbers(const formats_protobuf *p, const formats_field *field, uint64_t *out,
                                        size_t max, size_t *count)
{
    formats_protobuf packed;
    cistern_status st = CISTERN_OK;

    if (field->wire == FORMATS_WIRE_VARINT)
        return append(p, field, field->value, out, max, count);
    if (field->wire != FORMATS_WIRE_BYTES)
        return wrong_wire(p, field, "numbers");
    formats_protobuf_init(&packed, p->bytes, field->begin, field->begin + field->value, p->err);
    while (!st && packed.pos < packed.end) {
        uint64_t value;
        st = take_varint(&packed, &value);
        if (!st)
            st = append(p, field, value, out, max, count);
    }
    return st;
}

bool formats_text_is(formats_text text, const char *what)
{
    return text.len == strlen(what) && (text.len == 0 || memcmp(text.at, what, text.len) == 0);
}

int formats_text_compare(formats_text a, formats_text b)
{
    size_t n = a.len < b.len ? a.len : b.len;
    int c = n ? memcmp(a.at, b.at, n) : 0;

    return c ? c : (a.len > b.len) - (a.len < b.len);
}
