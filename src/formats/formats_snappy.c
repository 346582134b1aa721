/* Snappy's blocks.
 *
 *   varint length; then elements: a tag, whose low two bits say what follows
 *     0  literal: length - 1 in the upper six bits, or (60 to 63) in the next 1 to 4 bytes; the bytes
 *     1  copy: length 4 to 11, distance of 11 bits     2  copy: length 1 to 64, distance of 16 bits
 *     3  the same, distance of 32 bits
 * Every element is checked against what is left of both buffers before a byte is moved.
 * Source: google/snappy, format_description.txt.
 */
#include "priv/formats_snappy.h"

#include <string.h>

typedef struct unpack {
    const uint8_t *in;
    size_t in_left;
    uint8_t *out;
    size_t done, size;
} unpack;

static bool take_length(unpack *u, uint64_t *out)
{
    uint64_t value = 0;

    for (unsigned shift = 0; shift < 35 && u->in_left; shift += 7) {
        uint8_t byte = *u->in++;
        u->in_left--;
        value |= (uint64_t)(byte & 0x7f) << shift;
        if (byte < 0x80) {
            *out = value;
            return value <= UINT32_MAX;
        }
    }
    return false;
}

/* A little-endian number of `bytes`. */
static bool take_number(unpack *u, unsigned bytes, uint32_t *out)
{
    if (u->in_left < bytes)
        return false;
    *out = 0;
    for (unsigned i = 0; i < bytes; i++)
        *out |= (uint32_t)u->in[i] << (8 * i);
    u->in += bytes;
    u->in_left -= bytes;
    return true;
}

static bool take_literal(unpack *u, uint32_t length)
{
    uint32_t more = length;
    uint64_t n;

    if (length >= 60 && !take_number(u, length - 59, &more))
        return false;
    n = (uint64_t)more + 1;
    if (n > u->in_left || n > u->size - u->done)
        return false;
    memcpy(u->out + u->done, u->in, (size_t)n);
    u->in += n;
    u->in_left -= (size_t)n;
    u->done += (size_t)n;
    return true;
}

/* The bytes may overlap what they make: a run. */
static bool take_copy(unpack *u, uint32_t length, uint32_t distance)
{
    if (distance == 0 || distance > u->done || length > u->size - u->done)
        return false;
    for (uint32_t i = 0; i < length; i++, u->done++)
        u->out[u->done] = u->out[u->done - distance];
    return true;
}

static bool take_element(unpack *u)
{
    uint32_t tag = *u->in++, low, length = tag >> 2;

    u->in_left--;
    switch (tag & 3) {
    case 0:
        return take_literal(u, length);
    case 1:
        return take_number(u, 1, &low) && take_copy(u, 4 + (length & 7), (tag >> 5) << 8 | low);
    case 2:
        return take_number(u, 2, &low) && take_copy(u, length + 1, low);
    default:
        return take_number(u, 4, &low) && take_copy(u, length + 1, low);
    }
}

bool formats_snappy_size(const uint8_t *packed, size_t n, uint64_t *out)
{
    unpack u = {.in = packed, .in_left = n};

    return take_length(&u, out);
}

bool formats_snappy_unpack(const uint8_t *packed, size_t n, uint8_t *out, size_t size)
{
    unpack u = {.in = packed, .in_left = n, .out = out, .size = size};
    uint64_t said;

    if (!take_length(&u, &said) || said != size)
        return false;
    while (u.in_left) {
        if (!take_element(&u))
            return false;
    }
    return u.done == size;
}
