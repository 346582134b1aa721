/* Blobs; see store_blob.h.
 *
 *   open:  stat ─ record matches ─────────────────────────────> RECORD
 *            └─ no record can be kept, chunk list usable ─ first and last chunk right ─> SAMPLED
 *            └─ else: whole SHA-256, one process of this user at a time, then a record ─> HASHED
 */
#include "store_blob.h"
#include "base_disk.h"
#include "store_condemn.h"
#include "priv/store_entry.h"
#include "priv/store_hash.h"
#include "priv/store_identity.h"
#include "priv/store_ticker.h"
#include "base_mem.h"
#include <fcntl.h>
#include <inttypes.h>

#define HOLD_STEP_MS 20u /* between two tries to lock */

static cistern_status open_plain(const store *s, const base_digest *sha256, int *out_fd,
                                 base_identity *out_id, cistern_error *err)
{
    char path[STORE_NAME_MAX];
    int fd;
    store_entry_path("blobs", sha256, path);
    cistern_status status = base_open_beneath(s->root, path, O_RDONLY, &fd, err);
    if (status != CISTERN_OK)
        return status;
    status = base_identity_of(fd, out_id, err);
    if (status != CISTERN_OK) {
        close(fd);
        return status;
    }
    *out_fd = fd;
    return CISTERN_OK;
}

/* The same, and of the size that the manifest says. */
static cistern_status open_sized(const store *s, const store_file *file, int *out_fd, base_identity *out_id,
                                 cistern_error *err)
{
    char hex[BASE_SHA256_HEX];
    cistern_status status = open_plain(s, &file->sha256, out_fd, out_id, err);
    if (status != CISTERN_OK || out_id->size == file->size)
        return status;
    base_digest_hex(&file->sha256, hex);
    close(*out_fd);
    *out_fd = -1;
    return base_fail(err, CISTERN_DAMAGED,
                     "blob %s is damaged: it has %" PRIu64 " bytes, %" PRIu64 " expected", hex, out_id->size,
                     file->size);
}

cistern_status store_blob_has(const store *s, const base_digest *sha256, uint64_t size, bool *out,
                              cistern_error *err)
{
    base_identity id;
    int fd;
    cistern_status status = open_plain(s, sha256, &fd, &id, err);
    if (status == CISTERN_OK) {
        close(fd);
        *out = id.size == size;
        return CISTERN_OK;
    }
    if (status != CISTERN_NOT_FOUND && status != CISTERN_DAMAGED)
        return status;
    base_error_clear(err);
    *out = false;
    return CISTERN_OK;
}

cistern_status store_blob_stat(const store *s, const base_digest *sha256, uint64_t *out_size,
                               cistern_error *err)
{
    base_identity id;
    int fd;
    cistern_status status = open_plain(s, sha256, &fd, &id, err);
    if (status != CISTERN_OK)
        return status;
    close(fd);
    *out_size = id.size;
    return CISTERN_OK;
}

static uint64_t chunk_length(const store_file *file, uint64_t chunk)
{
    uint64_t left = file->size - chunk * STORE_CHUNK_SIZE;
    return left < STORE_CHUNK_SIZE ? left : STORE_CHUNK_SIZE;
}

/* Whether one chunk is right; another status only if it could not be read. */
static cistern_status check_chunk(int fd, const store_file *file, const store_chunks *list, uint64_t chunk,
                                  const base_run *run, bool *out, cistern_error *err)
{
    base_digest found;
    cistern_status status =
        store_hash_range(fd, chunk * STORE_CHUNK_SIZE, chunk_length(file, chunk), run, NULL, &found, err);
    if (status == CISTERN_OK)
        *out = base_digest_equal(&found, &list->digest[chunk]);
    return status;
}

/* Find the damaged chunks of a blob that is known to be wrong. */
static cistern_status find_damage(const store *s, const store_file *file, int fd, const base_run *run,
                                  store_damage *damage, cistern_error *err)
{
    store_chunks list;
    if (store_chunks_read(s, file, &list, NULL) != CISTERN_OK)
        return CISTERN_OK;
    cistern_status status = CISTERN_OK;
    for (uint64_t chunk = 0; chunk < list.count && status == CISTERN_OK; chunk++) {
        bool right;
        status = check_chunk(fd, file, &list, chunk, run, &right, err);
        if (status != CISTERN_OK || right)
            continue;
        if (damage->chunks_bad++ > 0)
            continue;
        damage->chunk_known = true;
        damage->chunk = chunk;
        damage->offset = chunk * STORE_CHUNK_SIZE;
        damage->length = chunk_length(file, chunk);
    }
    store_chunks_clear(&list);
    return status;
}

static cistern_status fail_damaged(const store_file *file, const base_digest *found,
                                   const store_damage *damage, cistern_error *err)
{
    char hex[BASE_SHA256_HEX], other[BASE_SHA256_HEX];
    base_digest_hex(&file->sha256, hex);
    base_digest_hex(found, other);
    if (!damage->chunk_known)
        return base_fail(err, CISTERN_DAMAGED, "blob %s is damaged: its bytes have SHA-256 %s", hex, other);
    return base_fail(err, CISTERN_DAMAGED,
                     "blob %s is damaged: chunk %" PRIu64 " (bytes %" PRIu64 " to %" PRIu64
                     ") is wrong, %" PRIu64 " of %" PRIu64 " chunks in all",
                     hex, damage->chunk, damage->offset, damage->offset + damage->length - 1,
                     damage->chunks_bad,
                     file->size / STORE_CHUNK_SIZE + (file->size % STORE_CHUNK_SIZE != 0));
}

/* Hash all of an open blob; on the right digest take a record, else say what is wrong. */
static cistern_status hash_open(const store *s, const store_file *file, int fd, const base_run *run,
                                store_damage *damage, cistern_error *err)
{
    base_digest found;
    base_identity before;
    store_ticker ticker;
    cistern_status status = base_identity_of(fd, &before, err);
    if (status != CISTERN_OK)
        return status;
    store_ticker_init(&ticker, run, "hash", file->size);
    status = store_hash_range(fd, 0, file->size, run, &ticker, &found, err);
    if (status != CISTERN_OK)
        return status;
    store_ticker_end(&ticker, file->size);
    if (base_digest_equal(&found, &file->sha256)) {
        store_identity_record(s, &file->sha256, fd, &before);
        return CISTERN_OK;
    }
    store_identity_forget(s, &file->sha256);
    status = find_damage(s, file, fd, run, damage, err);
    return status == CISTERN_OK ? fail_damaged(file, &found, damage, err) : status;
}

/* No record can be kept: first and last chunk. NOT_FOUND: there is no usable chunk list to compare with. */
static cistern_status sample_open(const store *s, const store_file *file, int fd, const base_run *run,
                                  cistern_error *err)
{
    store_chunks list;
    bool right = true;
    uint64_t at = 0;
    cistern_status status = store_chunks_read(s, file, &list, err);
    if (status != CISTERN_OK)
        return status;
    if (list.count > 0)
        status = check_chunk(fd, file, &list, at, run, &right, err);
    if (status == CISTERN_OK && right && list.count > 1) {
        at = list.count - 1;
        status = check_chunk(fd, file, &list, at, run, &right, err);
    }
    if (status == CISTERN_OK && !right) {
        store_damage damage = {
            .chunk_known = true, .chunk = at, .offset = at * STORE_CHUNK_SIZE, .chunks_bad = 1};
        damage.length = chunk_length(file, at);
        status = fail_damaged(file, &file->sha256, &damage, err);
    }
    store_chunks_clear(&list);
    return status;
}

/* Hash once, and let others of this user wait for the record instead of doing the same. */
static cistern_status hash_once(const store *s, const store_file *file, int fd, const base_run *run,
                                store_trust *trust, cistern_error *err)
{
    store_damage damage = {0};
    base_identity now;
    int lock;
    cistern_status status = store_identity_lock(s, &file->sha256, run, &lock, err);
    if (status != CISTERN_OK)
        return status;
    status = base_identity_of(fd, &now, err);
    if (status == CISTERN_OK && !s->verify_always && store_identity_known(s, &file->sha256, &now))
        *trust = STORE_TRUST_RECORD;
    else if (status == CISTERN_OK)
        status = hash_open(s, file, fd, run, &damage, err);
    store_identity_unlock(s, &file->sha256, lock);
    return status;
}

cistern_status store_blob_open(const store *s, const store_file *file, const base_run *run, int *out_fd,
                               store_trust *out_trust, cistern_error *err)
{
    base_identity id;
    store_trust trust = STORE_TRUST_RECORD;
    int fd = -1;
    cistern_status status = open_sized(s, file, &fd, &id, err);
    if (status != CISTERN_OK)
        return status;
    (void)base_disk_try_share(fd); /* a collector that has it is about to unlink it: it stays readable */
    if (s->verify_always || !store_identity_known(s, &file->sha256, &id)) {
        status = CISTERN_NOT_FOUND;
        trust = STORE_TRUST_SAMPLED;
        if (!s->verify_always && !store_identity_possible(s))
            status = sample_open(s, file, fd, run, err);
        if (status == CISTERN_NOT_FOUND) {
            base_error_clear(err);
            trust = STORE_TRUST_HASHED;
            status = hash_once(s, file, fd, run, &trust, err);
        }
    }
    if (status != CISTERN_OK) {
        close(fd);
        return status;
    }
    if (out_trust)
        *out_trust = trust;
    *out_fd = fd;
    return CISTERN_OK;
}

cistern_status store_blob_hold(const store *s, const base_digest *sha256, int fd, const base_run *run,
                               bool *out_held, cistern_error *err)
{
    char path[STORE_NAME_MAX], hex[BASE_SHA256_HEX];
    uint64_t begun = base_monotonic_ms();
    store_entry_path("blobs", sha256, path);
    base_digest_hex(sha256, hex);
    while (!base_disk_try_share(fd)) {
        cistern_status status = base_check_cancel(store_ticker_cancel(run), err);
        if (status == CISTERN_OK && base_monotonic_ms() - begun > STORE_CONDEMN_WAIT_MS)
            status = base_fail(err, CISTERN_CONFLICT,
                               "a collector (gc) has the bytes %.12s...; try again when it has ended", hex);
        if (status != CISTERN_OK)
            return status;
        base_sleep_ms(HOLD_STEP_MS);
    }
    *out_held = store_entry_names(s, path, fd);
    return CISTERN_OK;
}

cistern_status store_blob_recorded(const store *s, const store_file *file, bool *out, cistern_error *err)
{
    base_identity id;
    int fd = -1;
    cistern_status status = open_sized(s, file, &fd, &id, err);
    if (status != CISTERN_OK)
        return status;
    close(fd);
    *out = !s->verify_always && store_identity_known(s, &file->sha256, &id);
    return CISTERN_OK;
}

cistern_status store_blob_path(const store *s, const base_digest *sha256, char **out, cistern_error *err)
{
    char path[STORE_NAME_MAX];
    store_entry_path("blobs", sha256, path);
    return base_asprintf(out, err, "%s/%s", s->path, path);
}

cistern_status store_blob_verify(const store *s, const store_file *file, const base_run *run,
                                 store_damage *out_damage, cistern_error *err)
{
    store_damage damage = {0};
    base_identity id;
    int fd = -1;
    cistern_status status = open_sized(s, file, &fd, &id, err);
    if (status == CISTERN_OK)
        status = hash_open(s, file, fd, run, &damage, err);
    damage.missing = status == CISTERN_NOT_FOUND;
    if (status == CISTERN_DAMAGED)
        store_identity_forget(s, &file->sha256);
    if (fd >= 0)
        close(fd);
    if (out_damage && (status == CISTERN_DAMAGED || status == CISTERN_NOT_FOUND))
        *out_damage = damage;
    return status;
}
