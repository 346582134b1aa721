/* Tables of sorted keys, as LevelDB and TensorFlow write them. */
#ifndef FORMATS_SSTABLE_H
#define FORMATS_SSTABLE_H

#include "priv/formats_output.h"
#include "priv/formats_protobuf.h"

/** A row: its key, and its value: bytes begin to end of the file, or of a block that was unpacked. Borrowed for the call. */
typedef cistern_status (*formats_sstable_fn)(void *user, formats_text key, const uint8_t *bytes,
                                             uint64_t begin, uint64_t end, cistern_error *err);

/** Whether the file ends as such tables do. */
bool formats_sstable_is(const formats_file *file);
/**
 * Hand every row to fn, in the order of the keys, until it fails.
 * @retval UNREADABLE  damaged (a checksum says so), keys out of order, blocks that overlap, packed in another way than
 *                     snappy's; or fn's.
 */
cistern_status formats_sstable_each(const formats_file *file, formats_sstable_fn fn, void *user,
                                    cistern_error *err) CISTERN_MUST_CHECK;

/** CRC-32C (Castagnoli), as in RFC 3720. */
uint32_t formats_crc32c(const uint8_t *bytes, size_t n);

#endif
