/* The inside of a fetch, shared by store_fetch.c (life, publishing), store_wait.c (claims) and store_copy.c (bytes). */
#ifndef STORE_FETCH_PRIVATE_H
#define STORE_FETCH_PRIVATE_H

#include <stdatomic.h>
#include "store_fetch.h"
#include "store_partial.h"

struct store_fetch {
    store *s;
    base_digest key;
    store_claim claim;
    /* The heartbeat: a thread that advances the claim's counter each second. */
    base_thread beat;
    bool beating;
    pthread_mutex_t lock; /* protects `ending` */
    pthread_cond_t wake;
    bool ending;
    atomic_ullong done, total; /* bytes, for those who wait */

    store_partial partial;
    bool keep;  /* what was fetched is worth keeping after a failure */
    bool ready; /* everything below is set */
    store_file file;
    store_chunks chunks;
    bool published;
};

/** Win the claim: *out NULL and OK when another has just ended well. */
cistern_status store_wait_claim(store *s, const base_digest *key, uint64_t wait_ms, const base_run *run,
                                store_claim *out, bool *out_won, cistern_error *err) CISTERN_MUST_CHECK;

/** Give a claim back: its name goes, if it is still ours. */
void store_wait_release(store *s, const base_digest *key, store_claim *claim);

/** Fill fetch->partial from the source; digests into *out. */
cistern_status store_copy_run(store_fetch *fetch, net_source *source, const store_fetch_want *want,
                              const base_run *run, store_fetch_got *out,
                              cistern_error *err) CISTERN_MUST_CHECK;
/** The same from a local file. */
cistern_status store_copy_local(store_fetch *fetch, int fd, const char *name, const store_fetch_want *want,
                                const base_run *run, store_fetch_got *out,
                                cistern_error *err) CISTERN_MUST_CHECK;

/** Publish the complete partial. */
cistern_status store_publish_run(store_fetch *fetch, const base_run *run,
                                 cistern_error *err) CISTERN_MUST_CHECK;

#endif
