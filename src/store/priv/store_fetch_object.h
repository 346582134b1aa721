/* The fetch object, shared by store_fetch.c (life, publishing), store_wait.c (claims) and store_copy.c (bytes). */
#ifndef STORE_FETCH_OBJECT_H
#define STORE_FETCH_OBJECT_H

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
    int existing_fd; /* the blob that was there already, held against collectors; -1: none */
};

#endif
