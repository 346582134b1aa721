/* Repair; see store_repair.h. */
#include "store_repair.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "base_disk.h"
#include "base_mem.h"
#include "priv/store_entry.h"
#include "priv/store_fetch_object.h"
#include "priv/store_hash.h"
#include "priv/store_object.h"
#include "priv/store_ticker.h"

/* Copy one chunk if it is right; *out_kept says so. */
static cistern_status seed_chunk(store_fetch *fetch, const store_file *file, int from,
                                 const store_chunks *list, size_t i, const base_run *run, bool *out_kept,
                                 cistern_error *err)
{
    uint64_t at = i * STORE_CHUNK_SIZE, left = file->size - at;
    uint64_t n = left < STORE_CHUNK_SIZE ? left : STORE_CHUNK_SIZE;
    base_digest found;
    *out_kept = false;
    cistern_status st = store_hash_range(from, at, n, run, NULL, &found, err);
    if (st != CISTERN_OK || !base_digest_equal(&found, &list->digest[i]))
        return st;
    st = base_disk_copy_range(from, fetch->partial.fd, at, n, err);
    *out_kept = st == CISTERN_OK;
    return st;
}

/* Synced, then said: a journal's record comes after what it is about. */
static cistern_status note_chunk(store_fetch *fetch, uint64_t size, size_t i, cistern_error *err)
{
    uint64_t at = i * STORE_CHUNK_SIZE, left = size - at;
    return store_journal_put(&fetch->partial.journal, 's', at,
                             left < STORE_CHUNK_SIZE ? left : STORE_CHUNK_SIZE, err);
}

static cistern_status seed_chunks(store_fetch *fetch, const store_file *file, int from, uint64_t size_there,
                                  const store_chunks *list, const base_run *run, cistern_error *err)
{
    bool *kept = NULL;
    store_ticker ticker;
    cistern_status st = base_calloc(list->count + 1, sizeof *kept, &kept, err);
    store_ticker_init(&ticker, run, "hash", file->size);
    for (size_t i = 0; st == CISTERN_OK && i < list->count; i++) {
        uint64_t end = (i + 1) * STORE_CHUNK_SIZE;
        if ((end < file->size ? end : file->size) > size_there)
            break; /* it is shorter than it was */
        st = seed_chunk(fetch, file, from, list, i, run, &kept[i], err);
        store_ticker_step(&ticker, end < file->size ? end : file->size);
    }
    store_ticker_end(&ticker, file->size);
    if (st == CISTERN_OK && fdatasync(fetch->partial.fd) != 0)
        st = base_fail_errno(err, errno, "cannot sync what is kept of a damaged blob");
    for (size_t i = 0; st == CISTERN_OK && i < list->count; i++)
        if (kept[i])
            st = note_chunk(fetch, file->size, i, err);
    free(kept);
    return st;
}

/* Make a partial of what is good here. Anything that stands in the way means: nothing is kept. */
static cistern_status seed(store_fetch *fetch, const store_file *file, const base_run *run,
                           cistern_error *err)
{
    store_partial_want want = {.key = fetch->key, .size = file->size, .digest_known = true};
    char path[STORE_NAME_MAX];
    store_chunks list;
    base_identity id;
    int from = -1;
    store_entry_path("blobs", &file->sha256, path);
    if (store_chunks_read(fetch->s, file, &list, NULL) != CISTERN_OK)
        return CISTERN_OK;
    cistern_status st = base_open_beneath(fetch->s->root, path, O_RDONLY, &from, NULL);
    bool here = st == CISTERN_OK && base_identity_of(from, &id, NULL) == CISTERN_OK;
    st = CISTERN_OK;
    if (here)
        st = store_partial_create(fetch->s, fetch->claim.number, &want, &fetch->partial, err);
    if (here && st == CISTERN_OK)
        st = seed_chunks(fetch, file, from, id.size, &list, run, err);
    fetch->keep = st == CISTERN_OK && fetch->partial.journal.next > 0;
    if (from >= 0)
        close(from);
    store_chunks_clear(&list);
    return st;
}

/* The right to this digest; *out NULL: another process has just brought it in. */
static cistern_status begin(store *s, const store_file *file, uint64_t wait_ms, const base_run *run,
                            store_fetch **out, cistern_error *err)
{
    base_digest key;
    *out = NULL;
    cistern_status st = store_fetch_key(&file->sha256, NULL, &key, err);
    return st == CISTERN_OK ? store_fetch_begin(s, &key, wait_ms, run, out, err) : st;
}

cistern_status store_repair_run(store *s, const store_file *file, net_source *source, uint64_t wait_ms,
                                unsigned parallel, const base_run *run, store_fetch_got *out,
                                cistern_error *err)
{
    store_fetch_want want = STORE_FETCH_WANT_INIT;
    store_fetch_got got;
    store_fetch *fetch = NULL;
    memset(&got, 0, sizeof got);
    want.sha256 = &file->sha256;
    want.length_known = true;
    want.length = file->size;
    want.parallel = parallel;
    want.piece = STORE_CHUNK_SIZE;
    cistern_status st = begin(s, file, wait_ms, run, &fetch, err);
    if (st != CISTERN_OK || !fetch)
        return st;
    st = seed(fetch, file, run, err);
    store_fetch_end(fetch, CISTERN_CANCELLED, NULL); /* what is kept is there for whoever fetches next: us */
    fetch = NULL;
    if (st == CISTERN_OK)
        st = begin(s, file, wait_ms, run, &fetch, err);
    if (st != CISTERN_OK || !fetch)
        return st;
    st = store_fetch_copy(fetch, source, &want, run, &got, err);
    if (st == CISTERN_OK)
        st = store_fetch_publish(fetch, run, err);
    store_fetch_end(fetch, st, err);
    if (st == CISTERN_OK && out)
        *out = got;
    return st;
}
