/* Condemning and deleting; see store_collect.h. */
#include "store_collect.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include "base_disk.h"
#include "priv/store_entry.h"
#include "priv/store_identity.h"
#include "priv/store_object.h"
#include "store_derived.h"

#define HEX (BASE_SHA256_HEX - 1)

uint64_t store_collect_clock(void)
{
    struct timespec t;
    clock_gettime(CLOCK_BOOTTIME, &t);
    return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

typedef struct listing {
    const store *s;
    const char *top; /* "blobs", "chunks" */
    const char *fan; /* its two digits */
    base_digests *out;
} listing;

static cistern_status list_name(void *user, const char *name, cistern_error *err)
{
    const listing *l = user;
    base_digest digest;
    if (!base_digest_parse(name, &digest) || strncmp(name, l->fan, 2) != 0)
        return CISTERN_OK; /* nothing of ours */
    return base_digests_put(l->out, &digest, err);
}

static cistern_status list_fan(void *user, const char *name, cistern_error *err)
{
    listing *l = user;
    char path[STORE_NAME_MAX];
    if (strlen(name) != 2)
        return CISTERN_OK;
    l->fan = name;
    snprintf(path, sizeof path, "%s/sha256/%s", l->top, name);
    return base_dir_each(l->s->root, path, list_name, l, err);
}

cistern_status store_collect_list(const store *s, base_digests *out, cistern_error *err)
{
    static const char *const tops[] = {"blobs", "chunks"};
    cistern_status status = CISTERN_OK;
    for (size_t i = 0; status == CISTERN_OK && i < 2; i++) {
        char path[STORE_NAME_MAX];
        listing l = {s, tops[i], "", out};
        snprintf(path, sizeof path, "%s/sha256", tops[i]);
        status = base_dir_each(s->root, path, list_fan, &l, err);
    }
    base_digests_seal(out);
    return status;
}

static uint64_t on_disk(const store *s, const char *path)
{
    struct stat st;
    return fstatat(s->root, path, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(st.st_mode)
               ? (uint64_t)st.st_blocks * 512
               : 0;
}

typedef struct measure {
    const store *s;
    const char *dir;
    uint64_t bytes;
} measure;

static cistern_status add_size(void *user, const char *name, cistern_error *err)
{
    measure *m = user;
    char path[STORE_NAME_MAX];
    (void)err;
    int n = snprintf(path, sizeof path, "%s/%s", m->dir, name);
    if (n > 0 && (size_t)n < sizeof path)
        m->bytes += on_disk(m->s, path);
    return CISTERN_OK;
}

void store_collect_measure(const store *s, const base_digest *blob, store_condemned *out)
{
    char path[STORE_NAME_MAX], hex[BASE_SHA256_HEX];
    measure derived = {s, path, 0};
    memset(out, 0, sizeof *out);
    out->blob = *blob;
    out->fd = -1;
    store_entry_path("blobs", blob, path);
    out->blob_bytes = on_disk(s, path);
    store_entry_path("chunks", blob, path);
    out->chunk_bytes = on_disk(s, path);
    base_digest_hex(blob, hex);
    snprintf(path, sizeof path, "derived/%s", hex);
    cistern_status ignored = base_dir_each(s->root, path, add_size, &derived, NULL);
    (void)ignored; /* only a figure */
    out->derived_bytes = derived.bytes;
}

/* Open whatever lies under the blob's name and lock it; *out_busy: a reader has it. Damage is no obstacle: it may go. */
static cistern_status lock_blob(const store *s, const base_digest *blob, int *out_fd, bool *out_busy,
                                cistern_error *err)
{
    char path[STORE_NAME_MAX];
    store_entry_path("blobs", blob, path);
    cistern_status status = base_open_beneath(s->root, path, O_RDONLY, out_fd, err);
    if (status == CISTERN_NOT_FOUND) {
        base_error_clear(err);
        *out_fd = -1;
        return CISTERN_OK;
    }
    if (status != CISTERN_OK)
        return status;
    *out_busy = !base_disk_try_lock(*out_fd);
    if (*out_busy)
        close(*out_fd);
    return CISTERN_OK;
}

cistern_status store_collect_condemn(store *s, const base_digest *blob, store_condemned *out,
                                     cistern_error *err)
{
    store_collect_measure(s, blob, out);
    cistern_status status = store_check_write(s, err);
    if (status == CISTERN_OK)
        status = lock_blob(s, blob, &out->fd, &out->busy, err);
    if (status != CISTERN_OK || out->busy)
        return status;
    status = store_condemn_put(s, blob, out->marker, err);
    if (status != CISTERN_OK && out->fd >= 0)
        close(out->fd);
    return status;
}

void store_collect_spare(store *s, store_condemned *c)
{
    store_condemn_clear(s, c->marker);
    if (c->fd >= 0)
        close(c->fd);
    c->fd = -1;
}

/* The blob by the inode that is locked: one that was put in its place meanwhile stays. */
static cistern_status unlink_all(store *s, const store_condemned *c, cistern_error *err)
{
    char path[STORE_NAME_MAX];
    store_entry_path("blobs", &c->blob, path);
    cistern_status status = CISTERN_OK;
    if (c->fd >= 0 && store_entry_names(s, path, c->fd))
        status = base_unlink_beneath(s->root, path, err);
    store_object_fault(s, "blob_deleted");
    if (status != CISTERN_OK)
        return status;
    store_identity_forget(s, &c->blob);
    store_entry_path("chunks", &c->blob, path);
    status = base_unlink_beneath(s->root, path, err);
    if (status == CISTERN_OK)
        status = store_derived_remove(s, &c->blob, err);
    store_object_fault(s, "belongings_deleted");
    return status;
}

cistern_status store_collect_delete(store *s, store_condemned *c, uint64_t roots_at, cistern_error *err)
{
    cistern_status status = CISTERN_OK;
    if (store_collect_clock() - roots_at > STORE_COLLECT_LIMIT_MS)
        status = base_fail(err, CISTERN_TIMED_OUT,
                           "more than %u s went by since it was looked whether it is needed",
                           STORE_COLLECT_LIMIT_MS / 1000);
    if (status == CISTERN_OK)
        status = unlink_all(s, c, err);
    store_collect_spare(s, c);
    store_object_fault(s, "marker_removed");
    return status;
}
