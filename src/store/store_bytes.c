/* Numbers in records; see priv/store_bytes.h. */
#include "priv/store_bytes.h"
#include <zlib.h>

void store_bytes_put_u32(uint8_t *at, uint32_t value)
{
    for (int i = 0; i < 4; i++)
        at[i] = (uint8_t)(value >> (8 * i));
}

void store_bytes_put_u64(uint8_t *at, uint64_t value)
{
    for (int i = 0; i < 8; i++)
        at[i] = (uint8_t)(value >> (8 * i));
}

uint32_t store_bytes_u32(const uint8_t *at)
{
    uint32_t value = 0;
    for (int i = 3; i >= 0; i--)
        value = value << 8 | at[i];
    return value;
}

uint64_t store_bytes_u64(const uint8_t *at)
{
    return (uint64_t)store_bytes_u32(at + 4) << 32 | store_bytes_u32(at);
}

uint32_t store_bytes_crc(const void *bytes, size_t n)
{
    return (uint32_t)crc32_z(0, bytes, n);
}
