/* Syncing while the bytes arrive, so that a power cut costs little and the last sync is short. */
#include "priv/store_flow_state.h"
#include "priv/store_object.h"
#include "priv/store_syncer.h"
#include "base_flush.h"
#include "base_mem.h"
#include <errno.h>

#define SYNC_MS 2000u /* between two syncs of a slow transfer: so much is lost at a power cut */

/* What is written but not known to be synced, as ranges; lock held. */
static cistern_status unsynced(store_flow *f, store_ranges *out, cistern_error *err)
{
    cistern_status status = CISTERN_OK;
    for (size_t i = 0; i < f->next && status == CISTERN_OK; i++) {
        store_piece *p = &f->piece[i];
        status = store_ranges_add(out, p->synced, p->pos, err);
        p->synced = p->pos;
    }
    return status;
}

static cistern_status put_records(store_flow *f, const store_ranges *ranges, cistern_error *err)
{
    cistern_status status = CISTERN_OK;
    if (f->plan->kind != STORE_FLOW_RANGES)
        return CISTERN_OK;
    pthread_mutex_lock(&f->lock);
    store_journal *journal = &f->plan->partial->journal;
    for (size_t i = 0; i < ranges->count && status == CISTERN_OK; i++)
        status = store_journal_put(journal, 's', ranges->item[i].first,
                                   ranges->item[i].end - ranges->item[i].first, err);
    pthread_mutex_unlock(&f->lock);
    if (status == CISTERN_OK && ranges->count > 0 && fdatasync(journal->fd) != 0)
        status = base_fail_errno(err, errno, "cannot sync a journal");
    return status;
}

/* A sync waits for all that was written, also since it began, and hears no cancel: so most is brought to the disk before it, in
 * steps; and where no records are kept, as of a local file that is copied at the speed of memory, only the last one is made. */
static cistern_status sync_once(store_flow *f, cistern_error *err)
{
    store_ranges ranges = {0};
    pthread_mutex_lock(&f->lock);
    bool sync = f->finished || f->plan->kind == STORE_FLOW_RANGES;
    uint64_t written = f->written;
    cistern_status status = unsynced(f, &ranges, err);
    pthread_mutex_unlock(&f->lock);
    for (size_t i = 0; status == CISTERN_OK && i < ranges.count; i++)
        status = base_flush(f->plan->partial->fd, ranges.item[i].first,
                            ranges.item[i].end - ranges.item[i].first, &f->stop, err);
    if (status == CISTERN_OK && sync && fdatasync(f->plan->partial->fd) != 0)
        status = base_fail_errno(err, errno, "cannot sync what was fetched");
    if (status == CISTERN_OK)
        status = put_records(f, &ranges, err);
    store_ranges_clear(&ranges);
    pthread_mutex_lock(&f->lock);
    f->synced = written;
    pthread_mutex_unlock(&f->lock);
    return status;
}

/* Wait until there is a reason to sync; true: this is the last time. */
static bool wait_for_reason(store_flow *f)
{
    struct timespec deadline = store_flow_state_deadline(SYNC_MS);
    int waited = 0;
    pthread_mutex_lock(&f->lock);
    while (!f->finished && !base_cancelled(&f->stop) && f->written - f->synced < STORE_SYNC_BYTES &&
           waited == 0)
        waited = pthread_cond_timedwait(&f->due, &f->lock, &deadline);
    bool last = f->finished || base_cancelled(&f->stop);
    pthread_mutex_unlock(&f->lock);
    return last;
}

static void *syncer_main(void *arg)
{
    store_syncer *y = arg;
    store_flow *f = y->flow;
    cistern_error error = CISTERN_ERROR_INIT;
    cistern_status status = CISTERN_OK;
    for (bool last = false; !last && status == CISTERN_OK;) {
        last = wait_for_reason(f);
        pthread_mutex_lock(&f->lock);
        bool needed =
            f->finished || (f->written > f->synced && !last); /* a cancel does not wait for the disk */
        pthread_mutex_unlock(&f->lock);
        if (needed)
            status = sync_once(f, &error);
    }
    if (status != CISTERN_OK && status != CISTERN_CANCELLED) /* that comes from the flow itself */
        store_flow_state_fail(f, status, &error);
    store_flow_state_leave(f);
    return NULL;
}

cistern_status store_syncer_start(store_syncer *out, store_flow *f, cistern_error *err)
{
    *out = (store_syncer){.flow = f};
    store_flow_state_join(f);
    cistern_status status = base_thread_start(&out->thread, syncer_main, out, err);
    out->started = status == CISTERN_OK;
    if (!out->started)
        store_flow_state_leave(f);
    return status;
}

void store_syncer_join(store_syncer *syncer)
{
    if (syncer->started)
        base_thread_join(&syncer->thread);
    syncer->started = false;
}
