/* The chain of stores that a program works with, and the client that reaches origins.
 *
 * There is one tier so far, the local store; further ones are looked through in order. The object is made from options
 * and opens nothing: the store is opened by the first call that needs it, the network by the first request.
 *
 * Invariants
 *  1. Reading calls never make a store. Writing ones make it in a directory that is absent or empty.
 *  2. Once opened, a store stays open until tiers_free. Threads: any.
 */
#ifndef TIERS_CHAIN_H
#define TIERS_CHAIN_H

#include "catalog_resolve.h"
#include "cloud_context.h"
#include "net_client.h"
#include "origin_address.h"
#include "store_fetch.h"
#include "store_open.h"

typedef struct tiers tiers;

/** Text is copied. Start from TIERS_OPTIONS_INIT. */
typedef struct tiers_options {
    size_t size;
    const char *store_path; /* directory of the local store */
    const char *state_path; /* where identity records are kept; NULL: nowhere */
    const char *cache_path; /* where derived files go if the store may not be written; NULL: nowhere */
    bool offline;           /* make no request */
    uint64_t wait_ms;       /* for another process's fetch; STORE_WAIT_FOREVER */
    unsigned parallel;      /* ranged requests at once; 0: the store's default */
    net_options net;        /* borrowed texts are copied by the client */
    cloud_options cloud;    /* likewise by the context */
} tiers_options;

#define TIERS_OPTIONS_INIT                                                                                   \
    {                                                                                                        \
        sizeof(tiers_options), NULL, NULL, NULL, false, STORE_WAIT_FOREVER, 0, NET_OPTIONS_INIT,             \
            CLOUD_OPTIONS_INIT                                                                               \
    }

/** @param options  borrowed for the call. @retval NO_MEMORY; USAGE without a store's path */
cistern_status tiers_new(const tiers_options *options, tiers **out, cistern_error *err) CISTERN_MUST_CHECK;
void tiers_free(tiers *t); /* NULL allowed; every fetch has ended */

const char *tiers_store_path(const tiers *t); /* as given; borrowed */
const char *tiers_state_path(const tiers *t); /* NULL: none; borrowed */
bool tiers_offline(const tiers *t);
/** By what origins are reached; borrowed while the chain lives. */
const origin_access *tiers_access(const tiers *t);
uint64_t tiers_wait_ms(const tiers *t);
unsigned tiers_parallel(const tiers *t);

/** Requests made, and bytes of bodies received, since tiers_new. */
void tiers_traffic(const tiers *t, uint64_t *requests, uint64_t *bytes);
/** Count bytes that came from an origin. */
void tiers_add_received(tiers *t, uint64_t bytes);

/**
 * The local store for reading; borrowed.
 * @retval NOT_FOUND  there is none yet. @retval DAMAGED, DENIED, USAGE  as store_open.
 */
cistern_status tiers_local(tiers *t, store **out, cistern_error *err) CISTERN_MUST_CHECK;
/** The same, NULL where there is none yet: for calls to which an absent store is an empty one. */
cistern_status tiers_local_if_there(tiers *t, store **out, cistern_error *err) CISTERN_MUST_CHECK;
/** The local store for writing, made if it is absent; borrowed. @retval as store_init, DENIED */
cistern_status tiers_local_for_writing(tiers *t, store **out, cistern_error *err) CISTERN_MUST_CHECK;

/**
 * The user's own cache: a store that holds nothing but derived files, for a local store that may not be written; borrowed.
 * @param make  make it if it is absent.
 * @retval NOT_FOUND  there is none (or no place for one). @retval as store_open, store_init
 */
cistern_status tiers_own_cache(tiers *t, bool make, store **out, cistern_error *err) CISTERN_MUST_CHECK;

/** Find what a reference means, without a request. @param out initialised. @retval as catalog_resolve */
cistern_status tiers_resolve(tiers *t, const char *reference, catalog_resolved *out,
                             cistern_error *err) CISTERN_MUST_CHECK;

#endif
