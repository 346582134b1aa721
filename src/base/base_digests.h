/* A set of digests: put in any order, sealed once, then asked. */
#ifndef BASE_DIGESTS_H
#define BASE_DIGESTS_H

#include <stddef.h>
#include "base_sha256.h"

typedef struct base_digests {
    base_digest *item; /* after sealing: ascending, none twice */
    size_t count, capacity;
} base_digests;

void base_digests_init(base_digests *set);
void base_digests_clear(base_digests *set); /* frees; usable again */

/** @retval NO_MEMORY */
cistern_status base_digests_put(base_digests *set, const base_digest *digest,
                                cistern_error *err) CISTERN_MUST_CHECK;
/** Sort, and drop what is there twice. After it base_digests_has may be asked, until the next put. */
void base_digests_seal(base_digests *set);
bool base_digests_has(const base_digests *set, const base_digest *digest);

#endif
