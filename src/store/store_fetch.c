/* The life of a fetch; see store_fetch.h. The work is in store_wait.c, store_copy.c and store_publish.c. */
#include "store_fetch.h"
#include "priv/store_copy.h"
#include "priv/store_entry.h"
#include "priv/store_fetch_object.h"
#include "priv/store_flow_state.h"
#include "priv/store_identity.h"
#include "priv/store_object.h"
#include "priv/store_publish.h"
#include "priv/store_wait.h"
#include "base_mem.h"

#define BEAT_MS 1000u /* a twentieth of the take-over time */

cistern_status store_fetch_key(const base_digest *expected, const char *origin, base_digest *out,
                               cistern_error *err)
{
    char hex[BASE_SHA256_HEX];
    if (!expected)
        return base_sha256_of(origin, strlen(origin), out, err);
    base_digest_hex(expected, hex);
    return base_sha256_of(hex, BASE_SHA256_HEX - 1, out, err);
}

static void *beat_main(void *arg)
{
    store_fetch *fetch = arg;
    store_claim_beat beat = {0};
    pthread_mutex_lock(&fetch->lock);
    while (!fetch->ending) {
        beat.counter++;
        beat.done = atomic_load(&fetch->done);
        beat.total = atomic_load(&fetch->total);
        store_claim_write_beat(&fetch->claim, &beat);
        struct timespec deadline = store_flow_state_deadline(BEAT_MS);
        pthread_cond_timedwait(&fetch->wake, &fetch->lock, &deadline);
    }
    pthread_mutex_unlock(&fetch->lock);
    return NULL;
}

static cistern_status new_fetch(store *s, const base_digest *key, store_fetch **out, cistern_error *err)
{
    pthread_condattr_t attributes;
    store_partial none = STORE_PARTIAL_NONE;
    store_fetch *fetch = NULL;
    cistern_status status = base_calloc(1, sizeof *fetch, &fetch, err);
    if (status != CISTERN_OK)
        return status;
    fetch->s = s;
    fetch->key = *key;
    fetch->claim.fd = -1;
    fetch->existing_fd = -1;
    fetch->partial = none;
    pthread_mutex_init(&fetch->lock, NULL);
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&fetch->wake, &attributes);
    pthread_condattr_destroy(&attributes);
    *out = fetch;
    return CISTERN_OK;
}

static void free_fetch(store_fetch *fetch)
{
    if (fetch->existing_fd >= 0)
        close(fetch->existing_fd);
    store_chunks_clear(&fetch->chunks);
    pthread_cond_destroy(&fetch->wake);
    pthread_mutex_destroy(&fetch->lock);
    free(fetch);
}

cistern_status store_fetch_begin(store *s, const base_digest *key, uint64_t wait_ms, const base_run *run,
                                 store_fetch **out, cistern_error *err)
{
    store_fetch *fetch = NULL;
    bool won = false;
    cistern_status status = store_check_write(s, err);
    if (status == CISTERN_OK)
        status = store_entry_cache_dir(s, "partial", err);
    if (status == CISTERN_OK)
        status = new_fetch(s, key, &fetch, err);
    if (status != CISTERN_OK)
        return status;
    status = store_wait_claim(s, key, wait_ms, run, &fetch->claim, &won, err);
    if (status == CISTERN_OK && won) {
        status = base_thread_start(&fetch->beat, beat_main, fetch, err);
        fetch->beating = status == CISTERN_OK;
        if (status != CISTERN_OK)
            store_wait_release(s, key, &fetch->claim);
    }
    if (status != CISTERN_OK || !won) {
        free_fetch(fetch);
        fetch = NULL;
    }
    if (status == CISTERN_OK)
        *out = fetch;
    return status;
}

cistern_status store_fetch_copy(store_fetch *fetch, net_source *source, const store_fetch_want *want,
                                const base_run *run, store_fetch_got *out, cistern_error *err)
{
    store_fetch_got got;
    memset(&got, 0, sizeof got);
    cistern_status status = store_copy_run(fetch, source, want, run, &got, err);
    if (status == CISTERN_OK)
        *out = got;
    return status;
}

cistern_status store_fetch_add(store_fetch *fetch, int fd, const char *name, const store_fetch_want *want,
                               const base_run *run, store_fetch_got *out, cistern_error *err)
{
    store_fetch_got got;
    memset(&got, 0, sizeof got);
    cistern_status status = store_copy_local(fetch, fd, name, want, run, &got, err);
    if (status == CISTERN_OK)
        *out = got;
    return status;
}

int store_fetch_fd(const store_fetch *fetch)
{
    return fetch->ready ? fetch->partial.fd : -1;
}

cistern_status store_fetch_publish(store_fetch *fetch, const base_run *run, cistern_error *err)
{
    if (!fetch->ready)
        return base_fail(err, CISTERN_UNEXPECTED, "there is nothing to publish");
    return fetch->published ? CISTERN_OK : store_publish_run(fetch, run, err);
}

cistern_status store_fetch_settle(store_fetch *fetch, cistern_error *err)
{
    return store_publish_settle(fetch, err);
}

bool store_fetch_taken_over(const store_fetch *fetch)
{
    char path[STORE_NAME_MAX];
    store_claim_path(&fetch->key, fetch->claim.number, "claim", path);
    return !store_entry_names(fetch->s, path, fetch->claim.fd);
}

void store_fetch_drop(store_fetch *fetch)
{
    store_partial_drop(fetch->s, &fetch->key, &fetch->partial);
    fetch->ready = false;
}

/* The record is of the state after the last unlink; its ctime is seldom younger than the clock's grain by now. */
static void record_published(store_fetch *fetch)
{
    base_identity id;
    if (fetch->published && base_identity_of(fetch->partial.fd, &id, NULL) == CISTERN_OK && id.nlink == 1)
        store_identity_record(fetch->s, &fetch->file.sha256, fetch->partial.fd, &id);
}

/* Whether those who wait are told, or the next of them tries itself: with its own credentials, under the name that it
 * wants, with its own rights. */
static bool is_lasting(cistern_status status)
{
    switch (status) {
    case CISTERN_USAGE:
    case CISTERN_OFFLINE:
    case CISTERN_REFUSED:
    case CISTERN_CONFLICT:
    case CISTERN_DENIED:
    case CISTERN_CANCELLED:
    case CISTERN_NO_MEMORY:
    case CISTERN_TIMED_OUT:
    case CISTERN_UNEXPECTED:
        return false;
    case CISTERN_OK:
    case CISTERN_NOT_FOUND:
    case CISTERN_NETWORK:
    case CISTERN_NO_SPACE:
    case CISTERN_DAMAGED:
    case CISTERN_UNREADABLE:
        return true;
    }
    return false;
}

static void stop_beat(store_fetch *fetch)
{
    pthread_mutex_lock(&fetch->lock);
    fetch->ending = true;
    pthread_cond_signal(&fetch->wake);
    pthread_mutex_unlock(&fetch->lock);
    if (fetch->beating)
        base_thread_join(&fetch->beat);
}

void store_fetch_end(store_fetch *fetch, cistern_status status, const cistern_error *why)
{
    char text[CISTERN_ERROR_TEXT_MAX] = "";
    if (!fetch)
        return;
    record_published(fetch);
    if (fetch->published || !fetch->keep)
        store_partial_drop(fetch->s, &fetch->key, &fetch->partial);
    else
        store_partial_leave(&fetch->partial);
    if (status == CISTERN_OK)
        store_partial_sweep(fetch->s, &fetch->key, fetch->claim.number);
    else if (why)
        cistern_error_format(why, text, sizeof text);
    store_object_fault(fetch->s, "before_outcome");
    store_claim_write_outcome(&fetch->claim, is_lasting(status) ? status : CISTERN_CANCELLED, text);
    stop_beat(fetch);
    store_object_fault(fetch->s, "outcome_written");
    store_wait_release(fetch->s, &fetch->key, &fetch->claim);
    free_fetch(fetch);
}
