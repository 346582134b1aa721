/* A strict reader of zip directories. Members are found, never unpacked. */
#ifndef FORMATS_ZIP_H
#define FORMATS_ZIP_H

#include <stdbool.h>
#include <stddef.h>
#include "base_error.h"

typedef struct formats_zip_member {
    const uint8_t *name; /* name_len bytes, borrowed from the file */
    uint32_t name_len;
    uint16_t method; /* 0 stored, 8 deflated */
    uint16_t flags;
    uint32_t crc;
    uint64_t header; /* byte of the file where its local header begins */
    uint64_t data;   /* and its payload */
    uint64_t packed; /* bytes of the payload */
    uint64_t size;   /* bytes that it stands for; equals `packed` when stored */
} formats_zip_member;

typedef struct formats_zip {
    const uint8_t *bytes; /* the whole file, borrowed */
    uint64_t size;
    formats_zip_member *member; /* sorted by name */
    size_t count;
} formats_zip;

/**
 * Read and check the whole directory: one and only one meaning, or UNREADABLE.
 * @param out  formats_zip_clear() when done.
 */
cistern_status formats_zip_open(const uint8_t *bytes, uint64_t size, formats_zip *out,
                                cistern_error *err) CISTERN_MUST_CHECK;
void formats_zip_clear(formats_zip *zip);

/** By exact name, or NULL. */
const formats_zip_member *formats_zip_find(const formats_zip *zip, const uint8_t *name, size_t n);
/** The payload of a stored member, its CRC-32 compared. Asserts that it is stored. @retval UNREADABLE  another CRC. */
cistern_status formats_zip_payload(const formats_zip *zip, const formats_zip_member *m, const uint8_t **out,
                                   cistern_error *err) CISTERN_MUST_CHECK;
#endif
