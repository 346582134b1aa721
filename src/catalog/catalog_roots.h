/* What the documents of a store refer to: the roots of collecting.
 *
 *   live versions, removed ones whose tombstone is younger than `keep_removed`, pinned ones
 *
 * Invariants
 *  1. A document that cannot be read ends it (DAMAGED): what it refers to is not known, so nothing may be deleted.
 *  2. The age of a tombstone is that of its file, by the store's own clock; its `when` is for people.
 */
#ifndef CATALOG_ROOTS_H
#define CATALOG_ROOTS_H

#include "base_digests.h"
#include "catalog_version.h"

typedef struct catalog_roots {
    base_digests blobs;    /* sealed */
    base_digests versions; /* sealed: digests of versions, for what is derived from several files */
    size_t version_count;  /* that are roots */
    size_t kept_removed;   /* of them removed ones that are kept for a while or pinned */
} catalog_roots;

void catalog_roots_init(catalog_roots *roots);
void catalog_roots_clear(catalog_roots *roots);

/**
 * @param keep_removed_ns  how long removed versions keep their bytes. @param out initialised
 * @retval DAMAGED  a document, by path. @retval NO_MEMORY, DENIED, UNEXPECTED
 */
cistern_status catalog_roots_read(const store *s, int64_t keep_removed_ns, catalog_roots *out,
                                  cistern_error *err) CISTERN_MUST_CHECK;

#endif
