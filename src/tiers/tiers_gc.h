/* Collecting: what no version refers to goes, beside pulls and other collectors.
 *
 *   markers of killed collectors go ─> roots ─> candidates: blobs and chunk lists that are no roots
 *   for each batch: condemn (store_collect.h) ─> roots again ─> spare or delete
 *   then: unfinished fetches, derived files of what is gone, temporaries (store_sweep.h)
 *
 * Invariants
 *  1. Nothing that a live, kept or pinned version refers to is deleted, whatever is killed whenever (store_condemn.h).
 *  2. If one document cannot be read nothing is deleted at all (catalog_roots.h).
 */
#ifndef TIERS_GC_H
#define TIERS_GC_H

#include "base_thread.h"
#include "tiers_chain.h"

typedef enum tiers_gc_kind {
    TIERS_GC_BLOB = 1, /* with its chunk list and derived files */
    TIERS_GC_PARTIAL,
    TIERS_GC_DERIVED,
    TIERS_GC_TEMPORARY,
} tiers_gc_kind;
#define TIERS_GC_KINDS 5 /* with 0, which is none */

typedef struct tiers_gc_item {
    tiers_gc_kind kind;
    const char *name; /* digest, key or path; borrowed for the call-back */
    uint64_t bytes;   /* on disk */
    bool busy;        /* somebody uses it: it stays */
} tiers_gc_item;
typedef void (*tiers_gc_fn)(void *user, const tiers_gc_item *item);

typedef struct tiers_gc_options {
    int64_t keep_removed_ns; /* how long removed versions keep their bytes */
    int64_t partial_age_ns;  /* how long unfinished fetches and temporaries stay */
    bool dry_run;
    tiers_gc_fn fn; /* NULL allowed */
    void *user;
} tiers_gc_options;

typedef struct tiers_gc_totals {
    uint64_t count[TIERS_GC_KINDS], bytes[TIERS_GC_KINDS]; /* removed, or removable in a dry run */
    uint64_t busy, busy_bytes;
    uint64_t versions, kept_removed; /* that keep their bytes; of them removed ones */
} tiers_gc_totals;

/** An absent store has nothing to collect. @retval DAMAGED  a document. @retval DENIED, CANCELLED, NO_MEMORY … */
cistern_status tiers_gc(tiers *t, const tiers_gc_options *options, const base_run *run, tiers_gc_totals *out,
                        cistern_error *err) CISTERN_MUST_CHECK;

/** Keep a version's bytes whatever happens to it. @param out_created  false: it was pinned. @retval NOT_FOUND … */
cistern_status tiers_pin(tiers *t, const char *reference, const char *why, const base_run *run,
                         catalog_version *out, bool *out_created, cistern_error *err) CISTERN_MUST_CHECK;
/** The reverse, also of a removed version (NAME:TAG). @param out_removed  false: it was not pinned. */
cistern_status tiers_unpin(tiers *t, const char *reference, bool *out_removed,
                           cistern_error *err) CISTERN_MUST_CHECK;

#endif
