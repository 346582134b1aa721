/* Packed weights of a version: a derived file of the local store, or of the user's own cache where that may not be written; made by
 * nn, mapped by whoever runs the model. */
#ifndef TIERS_PACKED_H
#define TIERS_PACKED_H

#include "store_derived.h"
#include "tiers_chain.h"

/** Which packed weights. Texts borrowed. */
typedef struct tiers_packed_key {
    const char *digest; /* of the version */
    const char *layout; /* nn's name of the arrangement */
    unsigned version;   /* of what nn's packer writes */
} tiers_packed_key;

/**
 * Map them.
 * @param size  bytes that they must have: another size is as good as none.
 * @param out   store_derived_unmap
 * @retval NOT_FOUND  none that can be used: pack them.
 */
cistern_status tiers_packed_open(tiers *t, const tiers_packed_key *key, size_t size, store_derived_map *out,
                                 cistern_error *err) CISTERN_MUST_CHECK;
/** Keep them for the next process. @retval DENIED neither the store nor the user's cache may be written; CANCELLED, NO_SPACE … */
cistern_status tiers_packed_put(tiers *t, const tiers_packed_key *key, const void *bytes, size_t n,
                                const base_cancel *cancel, cistern_error *err) CISTERN_MUST_CHECK;

#endif
