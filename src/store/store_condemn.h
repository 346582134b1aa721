/* Markers of collectors: `gc/condemned/<64 hex>.<32 hex>` says that the collector <32 hex> may delete that blob.
 *
 *   collector   lock the blob, marker, read the roots again, delete or spare, remove the marker
 *   publisher   blob is here, publish the version, no marker stands (else wait), blob is still here (else put it back)
 *
 * Invariants
 *  1. A collector's marker stands from before it reads the roots for the last time until after its last deletion; its
 *     name is its own, so that nobody can remove another's by mistake.
 *  2. Whoever sees no marker after publishing a version knows: a collector that deletes now has seen the version.
 *  3. A marker is removed by others only if its owner is proven dead, or has stood for STORE_CONDEMN_STALE_NS of the
 *     store's clock: a collector deletes nothing later than STORE_COLLECT_LIMIT_MS after it read the roots.
 * Source: tests/house/test_gc_model.py walks through all interleavings.
 */
#ifndef STORE_CONDEMN_H
#define STORE_CONDEMN_H

#include "base_sha256.h"
#include "base_thread.h"
#include "store_open.h"

#define STORE_CONDEMN_STALE_NS                                                                               \
    ((int64_t)3600 * 1000000000)      /* 1 hour: sixty times what a collector may take */
#define STORE_CONDEMN_WAIT_MS  60000u /* how long a publisher waits for a collector */
#define STORE_CONDEMN_NAME_MAX 128    /* bytes of a marker's path, with the zero */

/** Put up a marker of our own. @param out_path  for store_condemn_clear. @retval DENIED, NO_SPACE, NO_MEMORY, UNEXPECTED */
cistern_status store_condemn_put(store *s, const base_digest *blob, char out_path[STORE_CONDEMN_NAME_MAX],
                                 cistern_error *err) CISTERN_MUST_CHECK;
void store_condemn_clear(store *s, const char *path);

/**
 * Wait until no marker of this blob stands. Those of killed collectors are removed, if the store may be written.
 * @param wait_ms  0: only look. @retval CONFLICT  a collector still has it. @retval CANCELLED
 */
cistern_status store_condemn_wait(store *s, const base_digest *blob, uint64_t wait_ms, const base_run *run,
                                  cistern_error *err) CISTERN_MUST_CHECK;

/** Remove every marker that killed collectors left. @param out_count  may be NULL */
cistern_status store_condemn_sweep(store *s, size_t *out_count, cistern_error *err) CISTERN_MUST_CHECK;

#endif
