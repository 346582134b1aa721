/* The state of a flow: pieces, `low`, the first failure, who still runs; see priv/store_flow_state.h. */
#include "priv/store_flow_state.h"
#include "base_mem.h"
#include <time.h>

#define TELL_BYTES   ((uint64_t)1 << 20) /* low moves so far before followers are woken */
/* Written between two `w` records of a piece: so much is lost at a kill. */
#define RECORD_BYTES ((uint64_t)256 << 10)
#define PIECES_MAX   ((size_t)1 << 20)

struct timespec store_flow_state_deadline(unsigned ms)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    t.tv_sec += ms / 1000;
    t.tv_nsec += (long)(ms % 1000) * 1000000;
    if (t.tv_nsec >= 1000000000) {
        t.tv_sec++;
        t.tv_nsec -= 1000000000;
    }
    return t;
}

void store_flow_state_wake(store_flow *f)
{
    pthread_cond_broadcast(&f->moved);
    pthread_cond_broadcast(&f->due);
    pthread_cond_broadcast(&f->attention);
}

void store_flow_state_fail(store_flow *f, cistern_status status, const cistern_error *why)
{
    pthread_mutex_lock(&f->lock);
    if (f->status == CISTERN_OK && !base_cancelled(&f->stop)) {
        f->status = status;
        f->error = *why;
    }
    atomic_store(&f->stop.set, 1);
    store_flow_state_wake(f);
    pthread_mutex_unlock(&f->lock);
}

void store_flow_state_join(store_flow *f)
{
    pthread_mutex_lock(&f->lock);
    f->following++;
    pthread_mutex_unlock(&f->lock);
}

void store_flow_state_leave(store_flow *f)
{
    pthread_mutex_lock(&f->lock);
    f->following--;
    pthread_cond_broadcast(&f->attention);
    pthread_mutex_unlock(&f->lock);
}

/* -- pieces ------------------------------------------------------------------------------------------------- */

static cistern_status add_piece(store_flow *f, size_t *capacity, uint64_t first, uint64_t end,
                                cistern_error *err)
{
    if (f->count == *capacity) {
        size_t grown = *capacity ? 2 * *capacity : 32;
        store_piece *more = grown > PIECES_MAX ? NULL : realloc(f->piece, grown * sizeof *more);
        if (!more)
            return base_fail_memory(err, grown * sizeof *more);
        f->piece = more;
        *capacity = grown;
    }
    f->piece[f->count++] =
        (store_piece){.first = first, .end = end, .pos = first, .journaled = first, .synced = first};
    return CISTERN_OK;
}

/* Cut one gap at multiples of the piece size. */
static cistern_status cut_gap(store_flow *f, size_t *capacity, uint64_t first, uint64_t end,
                              cistern_error *err)
{
    cistern_status status = CISTERN_OK;
    while (first < end && status == CISTERN_OK) {
        uint64_t next = first - first % f->plan->piece + f->plan->piece;
        if (next > end)
            next = end;
        status = add_piece(f, capacity, first, next, err);
        first = next;
    }
    return status;
}

/* What is missing, in order. */
cistern_status store_flow_state_cut(store_flow *f, cistern_error *err)
{
    const store_partial *p = f->plan->partial;
    size_t capacity = 0;
    uint64_t at = 0;
    cistern_status status = CISTERN_OK;
    if (f->plan->kind == STORE_FLOW_HASH)
        return CISTERN_OK;
    if (f->plan->kind == STORE_FLOW_WHOLE)
        return add_piece(f, &capacity, 0, p->size, err);
    for (size_t i = 0; i < p->present.count && status == CISTERN_OK; i++) {
        const store_range *r = &p->present.item[i];
        status = cut_gap(f, &capacity, at, r->first < p->size ? r->first : p->size, err);
        at = r->end > at ? r->end : at;
    }
    if (status == CISTERN_OK)
        status = cut_gap(f, &capacity, at, p->size, err);
    return status;
}

/* Everything before the first gap; lock held. */
void store_flow_state_raise(store_flow *f)
{
    while (f->head < f->count && f->piece[f->head].pos == f->piece[f->head].end)
        f->head++;
    if (f->head < f->count)
        f->low = f->piece[f->head].pos;
    else if (f->plan->kind != STORE_FLOW_WHOLE)
        f->low = f->plan->partial->size;
    else
        f->low = f->piece[0].pos;
    if (f->low - f->told >= TELL_BYTES) {
        f->told = f->low;
        pthread_cond_broadcast(&f->moved);
    }
    if (f->written - f->synced >= STORE_SYNC_BYTES)
        pthread_cond_signal(&f->due);
}

/* n bytes of a piece are written: say so, and journal it now and then. */
cistern_status store_flow_state_advance(store_flow *f, store_piece *p, size_t n, cistern_error *err)
{
    cistern_status status = CISTERN_OK;
    pthread_mutex_lock(&f->lock);
    p->pos += n;
    f->written += n;
    bool due = p->pos - p->journaled >= RECORD_BYTES || p->pos == p->end;
    if (f->plan->kind == STORE_FLOW_RANGES && due) {
        status = store_journal_put(&f->plan->partial->journal, 'w', p->journaled, p->pos - p->journaled, err);
        p->journaled = p->pos;
    }
    store_flow_state_raise(f);
    pthread_mutex_unlock(&f->lock);
    store_object_fault(f->plan->s, "bytes_written");
    return status;
}

store_piece *store_flow_state_take(store_flow *f)
{
    pthread_mutex_lock(&f->lock);
    store_piece *p = f->next < f->count && !base_cancelled(&f->stop) ? &f->piece[f->next++] : NULL;
    pthread_mutex_unlock(&f->lock);
    return p;
}

/* What was written since the last record of each piece; lock held. */
void store_flow_state_journal(store_flow *f)
{
    for (size_t i = 0; i < f->next; i++) {
        store_piece *p = &f->piece[i];
        if (p->pos > p->journaled && f->plan->kind == STORE_FLOW_RANGES &&
            store_journal_put(&f->plan->partial->journal, 'w', p->journaled, p->pos - p->journaled, NULL) ==
                CISTERN_OK)
            p->journaled = p->pos;
    }
}
