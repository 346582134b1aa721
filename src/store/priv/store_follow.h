/* Hashing behind `low`; see store_follow.c. */
#ifndef STORE_FOLLOW_H
#define STORE_FOLLOW_H

#include "store_flow_state.h"

typedef struct store_follower {
    store_flow *flow;
    base_thread thread;
    bool started;
    base_sha256 *hash;
    base_digest whole; /* of the one that hashes everything */
    bool by_chunk;
    base_digest *chunk; /* of the one that hashes chunks; grows */
    size_t chunks, capacity;
} store_follower;
cistern_status store_follow_start(store_follower *out, store_flow *f, bool by_chunk,
                                  cistern_error *err) CISTERN_MUST_CHECK;
void store_follow_join(store_follower *follower); /* NULL-like if never started */
void store_follow_clear(store_follower *follower);

#endif
