/* Little-endian numbers in fixed records, and their check sums (CRC-32 of zlib: against torn writes, not against
 * an enemy). */
#ifndef STORE_BYTES_H
#define STORE_BYTES_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

void store_bytes_put_u32(uint8_t *at, uint32_t value);
void store_bytes_put_u64(uint8_t *at, uint64_t value);
uint32_t store_bytes_u32(const uint8_t *at);
uint64_t store_bytes_u64(const uint8_t *at);
uint32_t store_bytes_crc(const void *bytes, size_t n);

#endif
