/* Winning the claim of a key; see store_wait.c. */
#ifndef STORE_WAIT_H
#define STORE_WAIT_H

#include "store_claim.h"

/** Win the claim: *out NULL and OK when another has just ended well. */
cistern_status store_wait_claim(store *s, const base_digest *key, uint64_t wait_ms, const base_run *run,
                                store_claim *out, bool *out_won, cistern_error *err) CISTERN_MUST_CHECK;

/** Give a claim back: its name goes, if it is still ours. */
void store_wait_release(store *s, const base_digest *key, store_claim *claim);

#endif
