/* Chunk lists: the SHA-256 of each 4 MiB of a blob, so that damage can be named and mended by the chunk.
 *
 * Invariants
 *  1. A list counts only if the SHA-256 of its bytes is the one that the caller got from a manifest, and its
 * header agrees with the blob's size. Otherwise it is as good as absent, never a reason to distrust the blob.
 *  2. One blob has one list: the chunk size is fixed, so equal bytes give equal lists.
 * Bytes: docs/store-format.md, "Chunk lists".
 */
#ifndef STORE_CHUNKS_H
#define STORE_CHUNKS_H

#include "base_sha256.h"
#include "store_open.h"

#define STORE_CHUNK_SIZE ((uint64_t)4 << 20) /* bytes; the last chunk of a blob may be shorter */

/** What names a stored file's bytes in a manifest. */
typedef struct store_file {
    base_digest sha256; /* of the bytes */
    base_digest chunks; /* of the chunk list */
    uint64_t size;      /* bytes */
} store_file;

typedef struct store_chunks {
    uint64_t blob_size;  /* bytes */
    size_t count;        /* ceil(blob_size / STORE_CHUNK_SIZE) */
    base_digest *digest; /* count; NULL if count is 0 */
} store_chunks;

/** Make a list for a blob of so many bytes, all digests zero. @retval NO_MEMORY; DAMAGED larger than 1 TiB.
 */
cistern_status store_chunks_init(store_chunks *list, uint64_t blob_size,
                                 cistern_error *err) CISTERN_MUST_CHECK;
void store_chunks_clear(store_chunks *list);

/** The stored bytes, appended to out, and their digest. */
cistern_status store_chunks_encode(const store_chunks *list, base_buf *out, base_digest *out_digest,
                                   cistern_error *err) CISTERN_MUST_CHECK;
/** Read hostile bytes. @param blob_size  what the header must say. @retval DAMAGED, NO_MEMORY */
cistern_status store_chunks_decode(const void *bytes, size_t n, uint64_t blob_size, store_chunks *out,
                                   cistern_error *err) CISTERN_MUST_CHECK;

/**
 * Publish the list of a blob; a wrong one under its name (torn, damaged) is replaced.
 * @retval DENIED, NO_SPACE, UNEXPECTED, NO_MEMORY
 */
cistern_status store_chunks_publish(store *s, const base_digest *blob, const store_chunks *list,
                                    cistern_error *err) CISTERN_MUST_CHECK;
/** Read the list of a file. @retval NOT_FOUND  absent, or not the one that file->chunks names. */
cistern_status store_chunks_read(const store *s, const store_file *file, store_chunks *out,
                                 cistern_error *err) CISTERN_MUST_CHECK;

#endif
