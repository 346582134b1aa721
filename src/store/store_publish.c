/* Publishing a complete partial: chunk list, then the blob by a link, then the partial's names go.
 *
 *   chunk list synced ─> data gets its mode, synced ─> link to blobs/…, synced ─> journal and data unlinked
 *                                                        │ EEXIST: ours ─> fine
 *                                                        │ another's: right ─> ours is dropped
 *                                                        └ another's: damaged ─> set aside, link again
 *
 * A damaged file is moved to damaged/<hex>.<inode>; should the name have meanwhile been given to a good one, that is
 * linked back.
 */
#include "base_disk.h"
#include "priv/store_entry.h"
#include "priv/store_fetch_object.h"
#include "priv/store_object.h"
#include "priv/store_publish.h"
#include "priv/store_ticker.h"
#include "store_blob.h"
#include <errno.h>
#include <fcntl.h>

#define LINK_TRIES 3

/* Move away what lies under the blob's name, if it is still the damaged inode. */
static cistern_status set_aside(store *s, const base_digest *blob, ino_t damaged, cistern_error *err)
{
    char path[STORE_NAME_MAX], aside[STORE_NAME_MAX], hex[BASE_SHA256_HEX];
    struct stat moved;
    cistern_status status = base_mkdirs(s->root, "damaged", &s->modes, err);
    if (status != CISTERN_OK)
        return status;
    base_digest_hex(blob, hex);
    store_entry_path("blobs", blob, path);
    snprintf(aside, sizeof aside, "damaged/%s.%llu", hex, (unsigned long long)damaged);
    if (renameat(s->root, path, s->root, aside) != 0)
        return errno == ENOENT ? CISTERN_OK : base_fail_errno(err, errno, "cannot set '%s' aside", path);
    if (fstatat(s->root, aside, &moved, AT_SYMLINK_NOFOLLOW) == 0 && moved.st_ino != damaged &&
        linkat(s->root, aside, s->root, path, 0) == 0)
        unlinkat(s->root, aside, 0);
    status = base_sync_parent(s->root, path, err);
    return status == CISTERN_OK ? base_sync_parent(s->root, aside, err) : status;
}

/* It is right: hold it, so that no collector takes it before a version refers to it. */
static cistern_status keep_existing(store_fetch *fetch, const char *path, int fd, const base_run *run,
                                    bool *out_held, cistern_error *err)
{
    cistern_status status = store_blob_hold(fetch->s, &fetch->file.sha256, fd, run, out_held, err);
    if (status == CISTERN_OK && *out_held && fsync(fd) != 0)
        status = base_fail_errno(err, errno, "cannot sync '%s'", path);
    if (status == CISTERN_OK && *out_held)
        fetch->existing_fd = fd;
    else
        close(fd);
    return status;
}

/* The name is taken: by our own inode, a right one, or a damaged one. *out_right false: set aside, link again. */
static cistern_status check_existing(store_fetch *fetch, const char *path, const base_run *run,
                                     bool *out_right, cistern_error *err)
{
    cistern_error why = CISTERN_ERROR_INIT;
    struct stat there;
    int fd;
    *out_right = true;
    if (store_entry_names(fetch->s, path, fetch->partial.fd))
        return CISTERN_OK;
    if (fstatat(fetch->s->root, path, &there, AT_SYMLINK_NOFOLLOW) != 0) {
        *out_right = false;
        return errno == ENOENT ? CISTERN_OK : base_fail_errno(err, errno, "cannot look at '%s'", path);
    }
    cistern_status status = store_blob_open(fetch->s, &fetch->file, run, &fd, NULL, &why);
    if (status == CISTERN_OK)
        return keep_existing(fetch, path, fd, run, out_right, err);
    *out_right = false;
    if (status == CISTERN_DAMAGED) {
        base_log_line(store_ticker_log(run), 0, "%s; it is set aside and replaced", why.text);
        return set_aside(fetch->s, &fetch->file.sha256, there.st_ino, err);
    }
    if (status == CISTERN_NOT_FOUND)
        return CISTERN_OK;
    if (err)
        *err = why;
    return status;
}

static cistern_status link_blob(store_fetch *fetch, const base_run *run, cistern_error *err)
{
    char data[STORE_NAME_MAX], path[STORE_NAME_MAX];
    store *s = fetch->s;
    store_claim_path(&fetch->key, fetch->partial.number, "data", data);
    store_entry_path("blobs", &fetch->file.sha256, path);
    for (int tries = 0; tries < LINK_TRIES; tries++) {
        bool created = false, right = false;
        cistern_status status = CISTERN_NOT_FOUND;
        if (store_entry_names(s, data, fetch->partial.fd))
            status = base_publish_link(s->root, data, path, &s->modes, &created, err);
        if (status ==
            CISTERN_NOT_FOUND) { /* our partial's name went: only the same blob of another can help */
            bool here = false;
            status = store_blob_has(s, &fetch->file.sha256, fetch->file.size, &here, err);
            if (status == CISTERN_OK && !here)
                return base_fail(err, CISTERN_CONFLICT, "another process took this fetch over; try again");
        }
        if (status != CISTERN_OK || created)
            return status;
        status = check_existing(fetch, path, run, &right, err);
        if (status != CISTERN_OK || right)
            return status;
    }
    return base_fail(err, CISTERN_DAMAGED, "'%s' is damaged and comes back; run: cistern verify", path);
}

/* Unlink our two names; from then on the inode, if it is the blob, has one. */
static void unlink_partial(store_fetch *fetch)
{
    char path[STORE_NAME_MAX];
    store *s = fetch->s;
    if (fetch->partial.journal.fd >= 0) {
        store_claim_path(&fetch->key, fetch->partial.number, "journal", path);
        store_entry_unlink(s, path, fetch->partial.journal.fd);
        store_journal_close(&fetch->partial.journal);
    }
    store_object_fault(s, "journal_unlinked");
    store_claim_path(&fetch->key, fetch->partial.number, "data", path);
    store_entry_unlink(s, path, fetch->partial.fd);
}

cistern_status store_publish_run(store_fetch *fetch, const base_run *run, cistern_error *err)
{
    store *s = fetch->s;
    store_object_fault(s, "before_chunks");
    cistern_status status = store_chunks_publish(s, &fetch->file.sha256, &fetch->chunks, err);
    if (status != CISTERN_OK)
        return status;
    store_object_fault(s, "chunks_published");
    (void)base_disk_try_share(fetch->partial.fd); /* before it has its name: nobody else can have locked it */
    if (fchmod(fetch->partial.fd, s->modes.file) != 0)
        return base_fail_errno(err, errno, "cannot set the mode of a blob");
    if (fsync(fetch->partial.fd) != 0)
        return base_fail_errno(err, errno, "cannot sync a blob");
    store_object_fault(s, "before_link");
    status = link_blob(fetch, run, err);
    if (status != CISTERN_OK)
        return status;
    store_object_fault(s, "blob_linked");
    unlink_partial(fetch);
    store_object_fault(s, "partial_unlinked");
    fetch->published = true;
    return CISTERN_OK;
}

cistern_status store_publish_settle(store_fetch *fetch, cistern_error *err)
{
    char path[STORE_NAME_MAX];
    struct stat there;
    store_entry_path("chunks", &fetch->file.sha256, path);
    if (fstatat(fetch->s->root, path, &there, AT_SYMLINK_NOFOLLOW) == 0)
        return CISTERN_OK;
    return store_chunks_publish(fetch->s, &fetch->file.sha256, &fetch->chunks, err);
}
