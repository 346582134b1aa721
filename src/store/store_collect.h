/* Deleting what nothing refers to, blob by blob. What is referred to the caller knows (tiers_gc.h); here is what lies in a
 * store, and the careful end of a blob with its chunk list and derived files:
 *
 *   condemn ──a reader has it──> busy
 *      │ locked, marker up: now the caller reads the roots (again)
 *      ├─ referred to ──> spare   marker down, lock off
 *      └─ not         ──> delete  blob, chunk list, derived files, marker, lock
 *
 * Invariants
 *  1. A blob that somebody holds (store_blob_open, a fetch that publishes) is not condemned.
 *  2. Nothing is deleted later than STORE_COLLECT_LIMIT_MS after the caller read the roots.
 */
#ifndef STORE_COLLECT_H
#define STORE_COLLECT_H

#include "base_digests.h"
#include "store_condemn.h"

#define STORE_COLLECT_LIMIT_MS 60000u

/** One that is condemned. */
typedef struct store_condemned {
    base_digest blob;
    bool busy;                           /* a reader holds it: nothing was done */
    uint64_t blob_bytes, chunk_bytes;    /* on disk */
    uint64_t derived_bytes;              /* likewise */
    int fd;                              /* the lock; -1: there is no blob, only what belongs to it */
    char marker[STORE_CONDEMN_NAME_MAX]; /* its path */
} store_condemned;

/** Every digest that has a blob or a chunk list; sealed. @param out initialised */
cistern_status store_collect_list(const store *s, base_digests *out, cistern_error *err) CISTERN_MUST_CHECK;

/** What a blob, its chunk list and its derived files take on disk; out->fd is -1, nothing is locked. */
void store_collect_measure(const store *s, const base_digest *blob, store_condemned *out);

/** @param out  ended by store_collect_spare or store_collect_delete, unless it is busy. */
cistern_status store_collect_condemn(store *s, const base_digest *blob, store_condemned *out,
                                     cistern_error *err) CISTERN_MUST_CHECK;
void store_collect_spare(store *s, store_condemned *c);
/**
 * @param roots_at  store_collect_clock() from before the roots were read.
 * @retval TIMED_OUT  too late: it was spared. @retval DENIED, UNEXPECTED  likewise.
 */
cistern_status store_collect_delete(store *s, store_condemned *c, uint64_t roots_at,
                                    cistern_error *err) CISTERN_MUST_CHECK;

/** Milliseconds of a clock that does not stand still while the machine sleeps. */
uint64_t store_collect_clock(void);

#endif
