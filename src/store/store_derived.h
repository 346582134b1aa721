/* Derived files: what can be made again from blobs (tensor index, packed weights). Safe to delete at any
 * time.
 *
 * Invariants
 *  1. A derived file appears whole under its name or not at all.
 *  2. It is used only if owned by this user, root or the store's owner, not writable by others, its header
 * names the source, kind and version asked for, its length is the file's, and (where checked) its checksum is
 * right. Anything else is NOT_FOUND: the caller makes it anew, which replaces it.
 *  3. Nothing here is the only copy of anything.
 * The payload is as hostile as any file: whoever decodes it checks bounds.
 */
#ifndef STORE_DERIVED_H
#define STORE_DERIVED_H

#include "base_map.h"
#include "base_sha256.h"
#include "base_thread.h"
#include "store_open.h"

#define STORE_DERIVED_HEADER   4096 /* bytes before the payload, which so begins at a page */
#define STORE_DERIVED_TEXT_MAX 48u  /* bytes of kind and of layout */
#define STORE_DERIVED_PATH_MAX 256  /* bytes of a path, with the zero */

/** Which derived file. Texts: 1 to 48 of [a-z0-9_.], borrowed. */
typedef struct store_derived_key {
    base_digest source; /* what it was made from: a blob or a version */
    const char *kind;   /* "tensor_index", "packed" … */
    unsigned version;   /* of the kind's encoding; another version is another file */
    const char *layout; /* "any", "avx2" …: which variant */
} store_derived_key;

/** Store bytes; disk space is reserved first. An unusable file of that name is replaced, a usable one stays.
 * @param cancel  looked at with every block of 2 MiB, until the file has its name; NULL allowed.
 * @retval CANCELLED  nothing is left of it. @retval DENIED, NO_SPACE, UNEXPECTED, NO_MEMORY */
cistern_status store_derived_put(store *s, const store_derived_key *key, const void *bytes, size_t n,
                                 const base_cancel *cancel, cistern_error *err) CISTERN_MUST_CHECK;
/** Read the whole payload, checksum checked; appended to buf. @retval NOT_FOUND  absent or not usable (or >
 * buf->max). */
cistern_status store_derived_get(const store *s, const store_derived_key *key, base_buf *buf,
                                 cistern_error *err) CISTERN_MUST_CHECK;

/** A mapped derived file: `data` is page-aligned, read-only, shared by all processes that map it. */
typedef struct store_derived_map {
    const uint8_t *data; /* payload; NULL if size is 0 */
    size_t size;         /* bytes of it */
    base_map whole;      /* header and payload */
} store_derived_map;

/**
 * Map one.
 * @param check  hash the whole payload (else header, owner, mode and length only, for gigabytes of packed
 * weights).
 * @retval NOT_FOUND  absent or not usable. @retval NO_MEMORY, UNEXPECTED
 */
cistern_status store_derived_open(const store *s, const store_derived_key *key, bool check,
                                  store_derived_map *out, cistern_error *err) CISTERN_MUST_CHECK;
void store_derived_unmap(store_derived_map *map);

/** One that is being made. */
typedef struct store_derived store_derived;
/** Throw it away. NULL allowed. */
void store_derived_abandon(store_derived *d);

/**
 * Begin one whose size and key are not known yet.
 * @param out_fd  borrowed until publish or abandon: write the payload from its offset on (by any process that shares it).
 * @retval DENIED, NO_SPACE, UNEXPECTED, NO_MEMORY
 */
cistern_status store_derived_begin_stream(store *s, store_derived **out, int *out_fd,
                                          cistern_error *err) CISTERN_MUST_CHECK;
/** What was written is the payload of this key: checksum, header, sync, name; an unusable file of that name is replaced, a usable
 * one stays. Frees d in any case. */
cistern_status store_derived_publish_stream(store_derived *d, const store_derived_key *key,
                                            cistern_error *err) CISTERN_MUST_CHECK;

/** Remove every derived file of a source; absent ones are success. */
cistern_status store_derived_remove(store *s, const base_digest *source,
                                    cistern_error *err) CISTERN_MUST_CHECK;

/** One at a time, sorted by name. Texts of the key are borrowed for the call. */
typedef cistern_status (*store_derived_fn)(void *user, const store_derived_key *key, cistern_error *err);
/** Every derived file of a source that has such a name, whatever is in it; stops at the first status that is not OK. */
cistern_status store_derived_each(const store *s, const base_digest *source, store_derived_fn fn, void *user,
                                  cistern_error *err) CISTERN_MUST_CHECK;
/** "derived/<64 hex>/<kind>-<version>-<layout>", beneath the root. */
void store_derived_path(const store_derived_key *key, char out[STORE_DERIVED_PATH_MAX]);

typedef struct store_derived_report {
    uint64_t size;      /* of the payload */
    base_digest sha256; /* of the payload, when it was made */
} store_derived_report;
/**
 * Read and hash every byte, which opening does not.
 * @param run  cancel, progress "hash"; may be NULL.
 * @param out  zeros where the header tells nothing.
 * @retval NOT_FOUND  absent. @retval DAMAGED  there, and not what was made: the text says why.
 * @retval CANCELLED, NO_MEMORY, UNEXPECTED
 */
cistern_status store_derived_verify(const store *s, const store_derived_key *key, const base_run *run,
                                    store_derived_report *out, cistern_error *err) CISTERN_MUST_CHECK;
/** Remove one; an absent one is success. Who has it mapped keeps it. */
cistern_status store_derived_drop(store *s, const store_derived_key *key,
                                  cistern_error *err) CISTERN_MUST_CHECK;

#endif
