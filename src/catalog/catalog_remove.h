/* models/<name>/removed/<tag>.json: tombstones.
 *
 * Invariants
 *  1. A tombstone is made by create-if-absent and never changed. A version with one is dead; its document
 * stays, so that history can still say what it was. Its tag is never used again, neither for a version nor
 * for an alias.
 *  2. Removing frees no space: blobs are collected later (tiers_gc.h).
 */
#ifndef CATALOG_REMOVE_H
#define CATALOG_REMOVE_H

#include "catalog_alias.h"

typedef struct catalog_tombstone {
    char tag[CATALOG_TAG_MAX + 1];
    char id[CATALOG_ID_HEX];
    uint64_t sequence;            /* versions and tombstones there were, plus one; 0: not recorded */
    const char *who, *when, *why; /* for people; why may be "" */
    json_t *document;             /* owns the text above */
} catalog_tombstone;

void catalog_tombstone_init(catalog_tombstone *t);
void catalog_tombstone_clear(catalog_tombstone *t);

/** @param out initialised; filled if found. @retval DAMAGED  the document, by path. */
cistern_status catalog_tombstone_read(const store *s, const char *name, const char *tag,
                                      catalog_tombstone *out, bool *out_found,
                                      cistern_error *err) CISTERN_MUST_CHECK;

/** How to remove. */
typedef struct catalog_removal {
    const char *name;
    const char *tag; /* a version's tag, never an alias; NULL: every live version */
    bool force;      /* also what an alias points to */
    const char *who; /* NULL: base_who() */
    const char *why; /* NULL: "" */
} catalog_removal;

/**
 * Remove one version or all.
 * @param out_count   versions removed by this call.
 * @retval NOT_FOUND  no such model or version, or it was removed before (says when). @retval CONFLICT  an
 * alias points to it (named) and `force` is not set, or `tag` is an alias; then nothing was removed.
 */
cistern_status catalog_remove(store *s, const catalog_removal *r, size_t *out_count,
                              cistern_error *err) CISTERN_MUST_CHECK;

#endif
