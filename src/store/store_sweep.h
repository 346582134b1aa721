/* Sweeping what processes left: unfinished fetches, derived files of what is gone, temporaries.
 *
 * Each is told (or, unless `dry_run`, removed and told) once it has not been written for `age_ns` of the store's clock.
 * Invariants
 *  1. A fetch that goes on is never touched: its owner writes its claim each second, so that it is young; and its right to
 *     the directory is won (store_fetch.h) before anything is deleted.
 *  2. Nothing here is the only copy of anything that was published.
 */
#ifndef STORE_SWEEP_H
#define STORE_SWEEP_H

#include "base_digests.h"
#include "base_thread.h"
#include "store_open.h"

#define STORE_SWEEP_AGE_LEAST_NS ((int64_t)60 * 1000000000) /* of a claim that nobody is proven dead for */

typedef enum store_waste {
    STORE_WASTE_PARTIAL = 1, /* an unfinished fetch */
    STORE_WASTE_DERIVED,     /* derived files of what is not in the store any more */
    STORE_WASTE_TEMPORARY,   /* a file whose maker was killed */
} store_waste;

/** @param name  the key, the source's digest, the path. @param bytes  on disk. @param age_ns  since it was last written. */
typedef void (*store_waste_fn)(void *user, store_waste kind, const char *name, uint64_t bytes,
                               int64_t age_ns);

typedef struct store_sweep {
    int64_t now;              /* store_clock_now */
    int64_t partial_age_ns;   /* of fetches and temporaries */
    int64_t derived_age_ns;   /* of derived files */
    const base_digests *keep; /* sealed: blobs and versions whose derived files stay */
    bool dry_run;
    store_waste_fn fn; /* may be NULL */
    void *user;
} store_sweep;

/** @retval CANCELLED, DENIED, UNEXPECTED, NO_MEMORY. What cannot be removed is left out, with a warning in the log. */
cistern_status store_sweep_run(store *s, const store_sweep *sweep, const base_run *run,
                               cistern_error *err) CISTERN_MUST_CHECK;

#endif
