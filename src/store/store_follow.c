/* Hashing while the bytes arrive: two followers read what lies before `low` out of the page cache, one for the digest
 * of the whole, one for those of the chunks. Nothing is read from the disk again unless it was there before. */
#include "priv/store_flow_state.h"
#include "priv/store_follow.h"
#include "priv/store_object.h"
#include "base_map.h"
#include "base_mem.h"

#define FOLLOW_STEP                                                                                          \
    ((size_t)256 << 10) /* bytes: stays in the second-level cache between reading and hashing */

/* Wait for bytes after `at`. Returns low; *out_end: there will be no more. 0: stop. */
static uint64_t wait_for_bytes(store_flow *f, uint64_t at, bool *out_end)
{
    pthread_mutex_lock(&f->lock);
    while (f->low <= at && !f->finished && !base_cancelled(&f->stop))
        pthread_cond_wait(&f->moved, &f->lock);
    uint64_t low = f->low;
    *out_end = f->finished;
    pthread_mutex_unlock(&f->lock);
    return low;
}

static cistern_status end_chunk(store_follower *w, cistern_error *err)
{
    if (w->chunks == w->capacity) {
        size_t capacity = w->capacity ? 2 * w->capacity : 64;
        base_digest *grown = realloc(w->chunk, capacity * sizeof *grown);
        if (!grown)
            return base_fail_memory(err, capacity * sizeof *grown);
        w->chunk = grown;
        w->capacity = capacity;
    }
    base_sha256_final(w->hash, &w->chunk[w->chunks++]);
    base_sha256_reset(w->hash);
    return CISTERN_OK;
}

static void tell_hashed(store_flow *f, uint64_t at)
{
    pthread_mutex_lock(&f->lock);
    f->hashed = at;
    pthread_mutex_unlock(&f->lock);
}

/* Hash from `at` to `low`, never over the edge of a chunk in one step. */
static cistern_status hash_up_to(store_follower *w, char *step, uint64_t *at, uint64_t low,
                                 cistern_error *err)
{
    cistern_status status = CISTERN_OK;
    while (*at < low && status == CISTERN_OK && !base_cancelled(&w->flow->stop)) {
        uint64_t to_edge = STORE_CHUNK_SIZE - *at % STORE_CHUNK_SIZE;
        uint64_t left = low - *at < to_edge ? low - *at : to_edge;
        size_t n = left < FOLLOW_STEP ? (size_t)left : FOLLOW_STEP;
        if (*at % STORE_CHUNK_SIZE ==
            0) /* what was there before, or shares extents, may be on the disk only */
            base_map_bring(w->flow->plan->partial->fd, *at, left);
        status = base_pread_full(w->flow->plan->partial->fd, step, n, *at, err);
        if (status != CISTERN_OK)
            break;
        base_sha256_update(w->hash, step, n);
        *at += n;
        if (!w->by_chunk)
            tell_hashed(w->flow, *at);
        else if (*at % STORE_CHUNK_SIZE == 0)
            status = end_chunk(w, err);
    }
    return status;
}

static cistern_status follow(store_follower *w, char *step, cistern_error *err)
{
    store_flow *f = w->flow;
    uint64_t at = 0;
    bool end = false;
    cistern_status status = CISTERN_OK;
    while (status == CISTERN_OK && !base_cancelled(&f->stop)) {
        uint64_t low = wait_for_bytes(f, at, &end);
        status = hash_up_to(w, step, &at, low, err);
        if (end && at == low)
            break;
    }
    if (status == CISTERN_OK && w->by_chunk && at % STORE_CHUNK_SIZE != 0)
        status = end_chunk(w, err);
    if (!w->by_chunk)
        base_sha256_final(w->hash, &w->whole);
    return status;
}

static void *follower_main(void *arg)
{
    store_follower *w = arg;
    cistern_error error = CISTERN_ERROR_INIT;
    char *step = NULL;
    cistern_status status = base_calloc(1, FOLLOW_STEP, &step, &error);
    if (status == CISTERN_OK)
        status = follow(w, step, &error);
    free(step);
    if (status != CISTERN_OK)
        store_flow_state_fail(w->flow, status, &error);
    store_flow_state_leave(w->flow);
    return NULL;
}

cistern_status store_follow_start(store_follower *out, store_flow *f, bool by_chunk, cistern_error *err)
{
    *out = (store_follower){.flow = f, .by_chunk = by_chunk};
    cistern_status status = base_sha256_new(&out->hash, err);
    if (status != CISTERN_OK)
        return status;
    store_flow_state_join(f);
    status = base_thread_start(&out->thread, follower_main, out, err);
    out->started = status == CISTERN_OK;
    if (!out->started)
        store_flow_state_leave(f);
    return status;
}

void store_follow_join(store_follower *follower)
{
    if (follower->started)
        base_thread_join(&follower->thread);
    follower->started = false;
}

void store_follow_clear(store_follower *follower)
{
    base_sha256_free(follower->hash);
    free(follower->chunk);
    follower->hash = NULL;
    follower->chunk = NULL;
}
