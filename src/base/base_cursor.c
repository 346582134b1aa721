/* Reading hostile bytes by bounded steps; see base_cursor.h. Assumes a little-endian host (asserted below).
 */
#include "base_cursor.h"
#include <string.h>

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ && sizeof(void *) == 8,
               "cistern supports 64-bit little-endian hosts only");

void base_cursor_init(base_cursor *c, const void *bytes, size_t len)
{
    c->base = bytes;
    c->len = len;
    c->pos = 0;
}

size_t base_cursor_left(const base_cursor *c)
{
    return c->len - c->pos;
}

bool base_cursor_seek(base_cursor *c, uint64_t pos)
{
    if (pos > c->len)
        return false;
    c->pos = (size_t)pos;
    return true;
}

bool base_cursor_skip(base_cursor *c, uint64_t n)
{
    if (n > base_cursor_left(c))
        return false;
    c->pos += (size_t)n;
    return true;
}

bool base_cursor_take(base_cursor *c, uint64_t n, const uint8_t **out)
{
    if (n > base_cursor_left(c))
        return false;
    *out = c->base ? c->base + c->pos : NULL;
    c->pos += (size_t)n;
    return true;
}

static bool read_bytes(base_cursor *c, void *out, size_t n)
{
    const uint8_t *from;
    if (!base_cursor_take(c, n, &from))
        return false;
    memcpy(out, from, n);
    return true;
}

bool base_cursor_u8(base_cursor *c, uint8_t *out)
{
    return read_bytes(c, out, sizeof *out);
}

bool base_cursor_u16(base_cursor *c, uint16_t *out)
{
    return read_bytes(c, out, sizeof *out);
}

bool base_cursor_u32(base_cursor *c, uint32_t *out)
{
    return read_bytes(c, out, sizeof *out);
}

bool base_cursor_u64(base_cursor *c, uint64_t *out)
{
    return read_bytes(c, out, sizeof *out);
}

bool base_cursor_f64_be(base_cursor *c, double *out)
{
    uint64_t bits;
    if (!read_bytes(c, &bits, sizeof bits))
        return false;
    bits = __builtin_bswap64(bits);
    memcpy(out, &bits, sizeof bits);
    return true;
}
