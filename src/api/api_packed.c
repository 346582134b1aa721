/* Packed weights of a model. See priv/api_packed.h. */
#include "priv/api_types.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include "base_pages.h"
#include "model_declared.h"
#include "tiers_packed.h"

void api_packed_init(api_packed *p)
{
    memset(p, 0, sizeof *p);
    pthread_mutex_init(&p->lock, NULL);
}

/* A thread of another process (before fork) cannot be waited for, and what it wrote is no concern of this one. */
static void wait_for_keeper(api_packed *p)
{
    if (p->keeping && p->process == getpid())
        base_thread_join(&p->keeper);
    p->keeping = false;
    cistern_cancel_free(p->keeper_cancel);
    p->keeper_cancel = NULL;
}

void api_packed_clear(cistern_model *m)
{
    api_packed *p = &m->packed;
    wait_for_keeper(p);
    api_guard_remove(atomic_load(&p->guard));
    if (p->map.whole.data)
        store_derived_unmap(&p->map);
    base_pages_free(p->memory, p->size);
    pthread_mutex_destroy(&p->lock);
}

static bool stored(const cistern_model *m)
{
    return m->version->path == NULL;
}

/* Facts that were declared make other packed weights of the same bytes: they are part of the key. */
static tiers_packed_key key_of(cistern_model *m)
{
    const model_facts *f = &m->version->facts;
    const char *layout = nn_layout_text(nn_layout_for(m->context->isa));
    uint64_t epsilon = 0;
    if (!model_declared_any(f))
        return (tiers_packed_key){m->version->v.digest, layout, NN_PACK_VERSION};
    if (f->epsilon_source == MODEL_FACT_FLAG)
        memcpy(&epsilon, &f->epsilon, sizeof epsilon);
    (void)snprintf(m->packed.layout, sizeof m->packed.layout, "%s.%016" PRIx64 ".%d", layout, epsilon,
                   (int)f->data_format);
    return (tiers_packed_key){m->version->v.digest, m->packed.layout, NN_PACK_VERSION};
}

static cistern_status find(cistern_model *m, size_t size, cistern_error *err)
{
    api_packed *p = &m->packed;
    tiers_packed_key key = key_of(m);
    api_guard *guard = NULL;
    cistern_status st = tiers_packed_open(m->context->chain, &key, size, &p->map, err);
    if (st != CISTERN_OK)
        return st;
    st = api_guard_add(&p->map.whole, &guard, err);
    if (st != CISTERN_OK) {
        store_derived_unmap(&p->map);
        memset(&p->map, 0, sizeof p->map);
        return st;
    }
    atomic_store(&p->guard, guard);
    p->bytes = p->map.data;
    p->size = size;
    p->kept = true;
    return CISTERN_OK;
}

static cistern_status make(cistern_model *m, const nn_net *net, size_t size, const base_cancel *cancel,
                           cistern_error *err)
{
    api_packed *p = &m->packed;
    base_pool *pool = NULL;
    void *memory = NULL;
    cistern_status st = api_pool(m->context, &pool, err);
    if (st == CISTERN_OK)
        st = base_pages_new(size, &memory, err);
    if (st == CISTERN_OK)
        st = nn_pack(net, nn_layout_for(m->context->isa), pool, memory, size, cancel, err);
    if (st != CISTERN_OK) {
        base_pages_free(memory, size);
        return st;
    }
    p->memory = memory;
    p->bytes = memory;
    p->size = size;
    p->kept = !stored(m);
    return CISTERN_OK;
}

static cistern_status get_locked(cistern_model *m, const nn_net *net, const base_cancel *cancel, bool *made,
                                 cistern_error *err)
{
    size_t size = 0;
    cistern_status st = nn_pack_size(net, nn_layout_for(m->context->isa), &size, err);
    *made = false;
    if (st != CISTERN_OK || m->packed.bytes)
        return st;
    if (stored(m) && find(m, size, NULL) == CISTERN_OK)
        return CISTERN_OK;
    st = make(m, net, size, cancel, err);
    *made = st == CISTERN_OK;
    return st;
}

cistern_status api_packed_get(cistern_model *m, const nn_net *net, const base_cancel *cancel,
                              api_packed_bytes *out, cistern_error *err)
{
    bool made;
    cistern_status st;
    pthread_mutex_lock(&m->packed.lock);
    st = get_locked(m, net, cancel, &made, err);
    if (st == CISTERN_OK)
        *out = (api_packed_bytes){m->packed.bytes, m->packed.size, made};
    pthread_mutex_unlock(&m->packed.lock);
    return st;
}

static cistern_status put(cistern_model *m, const base_cancel *cancel, cistern_error *err)
{
    tiers_packed_key key = key_of(m);
    return tiers_packed_put(m->context->chain, &key, m->packed.bytes, m->packed.size, cancel, err);
}

static void *keep(void *user)
{
    cistern_model *m = user;
    cistern_cancel *cancel = m->packed.keeper_cancel;
    cistern_error err = CISTERN_ERROR_INIT;
    cistern_status st = put(m, cancel ? &cancel->token : NULL, &err);
    if (st == CISTERN_CANCELLED)
        atomic_store(&m->packed.given_up, true);
    else if (st != CISTERN_OK)
        base_log_line(&m->context->log, 2,
                      "packed weights could not be kept (%s); they are made again at the next start",
                      err.text);
    return NULL;
}

void api_packed_keep(cistern_model *m, cistern_cancel *cancel)
{
    api_packed *p = &m->packed;
    pthread_mutex_lock(&p->lock);
    if (atomic_exchange(&p->given_up, false)) {
        wait_for_keeper(p); /* which has nothing left to do */
        p->kept = false;
    }
    if (p->bytes && !p->kept) {
        p->kept = true;
        p->process = getpid();
        p->keeper_cancel = api_cancel_ref(cancel);
        p->keeping = base_thread_start(&p->keeper, keep, m, NULL) == CISTERN_OK;
    }
    pthread_mutex_unlock(&p->lock);
}

cistern_status api_packed_keep_now(cistern_model *m, const base_cancel *cancel, cistern_error *err)
{
    cistern_status st = CISTERN_OK;
    pthread_mutex_lock(&m->packed.lock);
    if (m->packed.bytes && !m->packed.kept)
        st = put(m, cancel, err);
    if (st == CISTERN_OK)
        m->packed.kept = true;
    pthread_mutex_unlock(&m->packed.lock);
    return st;
}
