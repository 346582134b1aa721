/* Members of a zip file that were compressed after PyTorch wrote it. */
#ifndef FORMATS_INFLATE_H
#define FORMATS_INFLATE_H

#include "priv/formats_decoded.h"
#include "priv/formats_zip.h"

/** A compressed payload: what formats_inflate_write needs of its member. Points into the file's bytes. */
typedef struct formats_inflate {
    const uint8_t *packed;
    uint64_t packed_size, size; /* bytes */
    uint64_t at;                /* byte of the file where it begins */
    uint32_t crc;
} formats_inflate;
formats_inflate formats_inflate_of(const formats_zip *zip, const formats_zip_member *m);

/** A formats_decode_fn over a formats_inflate; CRC-32 and size compared. */
cistern_status formats_inflate_write(const void *what, formats_writer *w,
                                     cistern_error *err) CISTERN_MUST_CHECK;
/**
 * A member's bytes, inflated into fresh memory if they are compressed, CRC-32 compared.
 * @param max        bytes that a compressed one may stand for
 * @param out_owned  free() it; NULL: the bytes are the file's.
 */
cistern_status formats_inflate_member(const formats_zip *zip, const formats_zip_member *m, uint64_t max,
                                      const uint8_t **out, uint8_t **out_owned,
                                      cistern_error *err) CISTERN_MUST_CHECK;

#endif
