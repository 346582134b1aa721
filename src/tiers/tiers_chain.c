/* The chain: options kept, the local store opened once, under a lock, by whoever needs it first. */
#include "tiers_chain.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <pthread.h>
#include "base_mem.h"

struct tiers {
    char *store_path, *state_path, *cache_path;
    bool offline;
    uint64_t wait_ms;
    unsigned parallel;
    origin_access access;
    pthread_mutex_t lock; /* guards the two below */
    store *local;         /* NULL until opened; then never changes */
    store *cache;         /* the same */
    _Atomic uint64_t received;
};

cistern_status tiers_new(const tiers_options *options, tiers **out, cistern_error *err)
{
    tiers *t = NULL;
    cistern_status st;
    if (!options->store_path || !options->store_path[0])
        return base_fail(err, CISTERN_USAGE,
                         "no directory for the store is known: set --store DIR, CISTERN_STORE, or HOME");
    st = base_calloc(1, sizeof *t, &t, err);
    if (st != CISTERN_OK)
        return st;
    pthread_mutex_init(&t->lock, NULL);
    t->offline = options->offline;
    t->wait_ms = options->wait_ms;
    t->parallel = options->parallel;
    st = base_strdup(options->store_path, &t->store_path, err);
    if (st == CISTERN_OK)
        st = base_strdup(options->state_path, &t->state_path, err);
    if (st == CISTERN_OK)
        st = base_strdup(options->cache_path, &t->cache_path, err);
    if (st == CISTERN_OK)
        st = net_client_new(&options->net, &t->access.client, err);
    if (st == CISTERN_OK)
        st = cloud_context_new(&options->cloud, &t->access.cloud, err);
    if (st != CISTERN_OK) {
        tiers_free(t);
        return st;
    }
    *out = t;
    return CISTERN_OK;
}

void tiers_free(tiers *t)
{
    if (!t)
        return;
    store_free(t->local);
    store_free(t->cache);
    cloud_context_free(t->access.cloud);
    net_client_free(t->access.client);
    pthread_mutex_destroy(&t->lock);
    free(t->store_path);
    free(t->state_path);
    free(t->cache_path);
    free(t);
}

const char *tiers_store_path(const tiers *t)
{
    return t->store_path;
}

const char *tiers_state_path(const tiers *t)
{
    return t->state_path;
}

bool tiers_offline(const tiers *t)
{
    return t->offline;
}

const origin_access *tiers_access(const tiers *t)
{
    return &t->access;
}

uint64_t tiers_wait_ms(const tiers *t)
{
    return t->wait_ms;
}

unsigned tiers_parallel(const tiers *t)
{
    return t->parallel;
}

void tiers_traffic(const tiers *t, uint64_t *requests, uint64_t *bytes)
{
    *requests = net_client_requests(t->access.client);
    *bytes = atomic_load(&t->received);
}

void tiers_add_received(tiers *t, uint64_t bytes)
{
    atomic_fetch_add(&t->received, bytes);
}

/* Under the lock: open the store, or make it. */
static cistern_status open_local(tiers *t, bool make, cistern_error *err)
{
    store_options options = STORE_OPTIONS_INIT;
    cistern_status st = CISTERN_OK;
    options.state_dir = t->state_path;
    if (!t->local && make)
        st = store_init(t->store_path, STORE_HOME, STORE_SHARING_USER, &options, &t->local, NULL, err);
    else if (!t->local)
        st = store_open(t->store_path, &options, &t->local, err);
    return st;
}

cistern_status tiers_local(tiers *t, store **out, cistern_error *err)
{
    cistern_status st;
    pthread_mutex_lock(&t->lock);
    st = open_local(t, false, err);
    if (st == CISTERN_OK)
        *out = t->local;
    pthread_mutex_unlock(&t->lock);
    return st;
}

cistern_status tiers_local_if_there(tiers *t, store **out, cistern_error *err)
{
    cistern_status st = tiers_local(t, out, err);
    if (st != CISTERN_NOT_FOUND)
        return st;
    base_error_clear(err);
    *out = NULL;
    return CISTERN_OK;
}

cistern_status tiers_local_for_writing(tiers *t, store **out, cistern_error *err)
{
    cistern_status st;
    pthread_mutex_lock(&t->lock);
    st = open_local(t, true, err);
    if (st == CISTERN_OK)
        st = store_check_write(t->local, err);
    if (st == CISTERN_OK)
        *out = t->local;
    pthread_mutex_unlock(&t->lock);
    return st;
}

/* Under the lock. Of role home because nothing below it has a copy; nothing in it has a name either. */
static cistern_status open_cache(tiers *t, bool make, cistern_error *err)
{
    store_options options = STORE_OPTIONS_INIT;
    if (t->cache)
        return make ? store_check_write(t->cache, err) : CISTERN_OK;
    if (!t->cache_path)
        return base_fail(err, CISTERN_NOT_FOUND, "no directory for a cache is known");
    return make ? store_init(t->cache_path, STORE_HOME, STORE_SHARING_USER, &options, &t->cache, NULL, err)
                : store_open(t->cache_path, &options, &t->cache, err);
}

cistern_status tiers_own_cache(tiers *t, bool make, store **out, cistern_error *err)
{
    cistern_status st;
    pthread_mutex_lock(&t->lock);
    st = open_cache(t, make, err);
    if (st == CISTERN_OK)
        *out = t->cache;
    pthread_mutex_unlock(&t->lock);
    return st;
}

cistern_status tiers_resolve(tiers *t, const char *reference, catalog_resolved *out, cistern_error *err)
{
    catalog_reference ref;
    store *s = NULL;
    cistern_status st = catalog_reference_parse(reference, &ref, err);
    if (st == CISTERN_OK)
        st = tiers_local_if_there(t, &s, err);
    if (st == CISTERN_OK && !s)
        st = base_fail(err, CISTERN_NOT_FOUND,
                       "no model '%s' here: there is no store at %s yet; fetch the model with: cistern pull "
                       "ADDRESS --as %s",
                       ref.name, t->store_path, ref.name);
    return st == CISTERN_OK ? catalog_resolve(s, &ref, out, err) : st;
}
