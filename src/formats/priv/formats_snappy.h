/* Snappy, unpacked: LevelDB's tables may have their blocks in it. */
#ifndef FORMATS_SNAPPY_H
#define FORMATS_SNAPPY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** The length that a packed block says it unpacks to. false: it does not begin with one. */
bool formats_snappy_size(const uint8_t *packed, size_t n, uint64_t *out);
/** Unpack into exactly `size` bytes. false: the block is damaged, or has another size. */
bool formats_snappy_unpack(const uint8_t *packed, size_t n, uint8_t *out, size_t size);

#endif
