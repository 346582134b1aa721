/* Writing protocol buffers: see priv/formats_emit.h. */
#include "priv/formats_emit.h"

#include <string.h>

enum { VARINT = 0, BYTES = 2, FIXED32 = 5 };

void formats_emit_init(formats_emit *m, size_t max, cistern_error *err)
{
    base_buf_init(&m->bytes, max);
    m->status = CISTERN_OK;
    m->err = err;
}

void formats_emit_clear(formats_emit *m)
{
    base_buf_clear(&m->bytes);
}

static void put(formats_emit *m, const void *bytes, size_t n)
{
    if (m->status == CISTERN_OK)
        m->status = base_buf_put(&m->bytes, bytes, n, m->err);
}

static size_t encode(uint64_t value, uint8_t out[10])
{
    size_t n = 0;

    while (value >= 0x80) {
        out[n++] = (uint8_t)(value | 0x80);
        value >>= 7;
    }
    out[n++] = (uint8_t)value;
    return n;
}

static void put_varint(formats_emit *m, uint64_t value)
{
    uint8_t bytes[10];

    put(m, bytes, encode(value, bytes));
}

void formats_emit_number(formats_emit *m, uint32_t field, uint64_t value)
{
    put_varint(m, (uint64_t)field << 3 | VARINT);
    put_varint(m, value);
}

void formats_emit_float(formats_emit *m, uint32_t field, float value)
{
    put_varint(m, (uint64_t)field << 3 | FIXED32);
    put(m, &value, sizeof value); /* this machine is little-endian, as the file is */
}

void formats_emit_length(formats_emit *m, uint32_t field, uint64_t size)
{
    put_varint(m, (uint64_t)field << 3 | BYTES);
    put_varint(m, size);
}

size_t formats_emit_length_bytes(uint32_t field, uint64_t size)
{
    uint8_t bytes[10];

    return encode((uint64_t)field << 3 | BYTES, bytes) + encode(size, bytes);
}

void formats_emit_text(formats_emit *m, uint32_t field, const char *text)
{
    formats_emit_length(m, field, strlen(text));
    put(m, text, strlen(text));
}

void formats_emit_message(formats_emit *m, uint32_t field, formats_emit *inside)
{
    if (m->status == CISTERN_OK)
        m->status = inside->status;
    formats_emit_length(m, field, inside->bytes.len);
    put(m, inside->bytes.data, inside->bytes.len);
    formats_emit_clear(inside);
}
