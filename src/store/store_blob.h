/* Blobs: immutable bytes named by their SHA-256.
 *
 * Invariants
 *  1. A blob gets its name only after its SHA-256 was checked, and is never rewritten, only unlinked or set
 * aside.
 *  2. Opening believes an identity record (inode, size, mtime, ctime, birth time: taken after the bytes were
 * hashed and once the ctime was older than the clock's grain). No match means "hash once", not "damaged".
 *  3. Reading calls change nothing in the store; records lie in the user's state directory.
 * What it does not do: repair. Bit rot below the file system is found by store_blob_verify only.
 */
#ifndef STORE_BLOB_H
#define STORE_BLOB_H

#include "base_thread.h"
#include "store_chunks.h"

/** Why an opened blob is believed to be what its name says. */
typedef enum store_trust {
    STORE_TRUST_RECORD = 1,  /* it is the inode that was hashed earlier, unchanged */
    STORE_TRUST_HASHED = 2,  /* its whole SHA-256 was computed just now */
    STORE_TRUST_SAMPLED = 3, /* no record can be kept here: size, first and last chunk agree */
} store_trust;

/**
 * Whether a regular file of this size lies under the blob's name (nothing is read).
 * @param size  bytes. A file of another size, or a link, FIFO or directory, counts as absent: it is damaged.
 */
cistern_status store_blob_has(const store *s, const base_digest *sha256, uint64_t size, bool *out,
                              cistern_error *err) CISTERN_MUST_CHECK;

/** Its size in bytes. @retval NOT_FOUND. @retval DAMAGED not a regular file. */
cistern_status store_blob_stat(const store *s, const base_digest *sha256, uint64_t *out_size,
                               cistern_error *err) CISTERN_MUST_CHECK;

/**
 * Open for reading, sure of the bytes.
 * @param file       as the manifest has it.
 * @param run        cancel and progress ("hash") for the case that it must be hashed; may be NULL.
 * @param out_fd     close it when done; stays readable when the blob is unlinked.
 * @param out_trust  may be NULL.
 * @retval NOT_FOUND  not here. @retval DAMAGED  another size, other bytes (the chunk is named), not a regular
 * file.
 * @retval DENIED, CANCELLED, NO_MEMORY, UNEXPECTED
 */
cistern_status store_blob_open(const store *s, const store_file *file, const base_run *run, int *out_fd,
                               store_trust *out_trust, cistern_error *err) CISTERN_MUST_CHECK;

/**
 * Hold an opened blob against collectors: shared lock on its descriptor, until that is closed. store_blob_open has tried
 * to already; this waits for a collector that is looking whether the blob is needed.
 * @param out_held  false: the name has gone, or names another file, so that what is open is nobody's blob any more.
 * @retval CONFLICT  a collector did not let go for STORE_CONDEMN_WAIT_MS. @retval CANCELLED
 */
cistern_status store_blob_hold(const store *s, const base_digest *sha256, int fd, const base_run *run,
                               bool *out_held, cistern_error *err) CISTERN_MUST_CHECK;

/** The same without opening and without ever hashing: whether store_blob_open would believe a record. */
cistern_status store_blob_recorded(const store *s, const store_file *file, bool *out,
                                   cistern_error *err) CISTERN_MUST_CHECK;

/** Its path below store_path; owned by the caller (free). It need not exist. */
cistern_status store_blob_path(const store *s, const base_digest *sha256, char **out,
                               cistern_error *err) CISTERN_MUST_CHECK;

/** What store_blob_verify found. */
typedef struct store_damage {
    bool missing;        /* there is no such blob */
    bool chunk_known;    /* a valid chunk list named the first damaged chunk */
    uint64_t chunk;      /* its number, from 0 */
    uint64_t offset;     /* its first byte */
    uint64_t length;     /* bytes */
    uint64_t chunks_bad; /* how many chunks are damaged */
} store_damage;

/**
 * Read and hash every byte, whatever any record says; a good blob's record is renewed, a bad one's removed.
 * @param out_damage  may be NULL; filled when the status is DAMAGED or NOT_FOUND.
 * @retval NOT_FOUND, DAMAGED (the error names the chunk and its bytes), DENIED, CANCELLED, NO_MEMORY,
 * UNEXPECTED
 */
cistern_status store_blob_verify(const store *s, const store_file *file, const base_run *run,
                                 store_damage *out_damage, cistern_error *err) CISTERN_MUST_CHECK;

#endif
