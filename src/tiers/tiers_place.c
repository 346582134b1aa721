/* One version's file under a name in somebody's directory; the second half of tiers_export.h. */
#include "tiers_export.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base_mem.h"
#include "priv/tiers_placing.h"
#include "tiers_open.h"

#define HASH_PIECE (1u << 20) /* bytes read at a time */

static cistern_status hash_equals(int fd, uint64_t size, const char *sha256, const base_run *run, bool *out,
                                  cistern_error *err)
{
    base_sha256 *hash = NULL;
    base_digest digest;
    char hex[BASE_SHA256_HEX];
    unsigned char *piece = malloc(HASH_PIECE);
    cistern_status st = piece ? base_sha256_new(&hash, err) : base_fail_memory(err, HASH_PIECE);
    for (uint64_t at = 0; st == CISTERN_OK && at < size;) {
        size_t n = size - at < HASH_PIECE ? (size_t)(size - at) : HASH_PIECE;
        st = base_cancelled(run ? run->cancel : NULL) ? base_fail(err, CISTERN_CANCELLED, "interrupted")
                                                      : base_pread_full(fd, piece, n, at, err);
        if (st == CISTERN_OK)
            base_sha256_update(hash, piece, n);
        at += n;
    }
    if (st == CISTERN_OK) {
        base_sha256_final(hash, &digest);
        base_digest_hex(&digest, hex);
        *out = strcmp(hex, sha256) == 0;
    }
    base_sha256_free(hash);
    free(piece);
    return st;
}

/* A link is what it should be only if it is the one that we would make. */
static bool links_to(int root, const char *path, const char *blob)
{
    char target[PATH_MAX];
    ssize_t n = readlinkat(root, path, target, sizeof target - 1);
    if (n < 0)
        return false;
    target[n] = '\0';
    return strcmp(target, blob) == 0;
}

cistern_status tiers_placing_look(int root, const char *path, const catalog_file *file, const char *blob,
                                  const base_run *run, tiers_placing_state *out, cistern_error *err)
{
    struct stat there;
    int fd = -1;
    bool same = false;
    cistern_status st;
    if (fstatat(root, path, &there, AT_SYMLINK_NOFOLLOW) != 0) {
        if (errno != ENOENT)
            return base_fail_errno(err, errno, "cannot look at '%s'", path);
        *out = TIERS_PLACING_FREE;
        return CISTERN_OK;
    }
    *out = S_ISLNK(there.st_mode) && links_to(root, path, blob) ? TIERS_PLACING_SAME : TIERS_PLACING_OTHER;
    if (!S_ISREG(there.st_mode) || (uint64_t)there.st_size != file->size)
        return CISTERN_OK;
    st = base_open_beneath(root, path, O_RDONLY, &fd, err);
    if (st == CISTERN_OK)
        st = hash_equals(fd, file->size, file->sha256, run, &same, err);
    if (fd >= 0)
        close(fd);
    if (st == CISTERN_OK && same)
        *out = TIERS_PLACING_SAME;
    return st;
}

cistern_status tiers_placing_put(tiers *t, const catalog_version *v, int root, const char *path,
                                 const char *blob, const tiers_place *how, bool replace, const base_run *run,
                                 bool *out_created, cistern_error *err)
{
    base_place place = {.from_path = blob,
                        .size = v->files[0].size,
                        .root = root,
                        .path = path,
                        .how = how->how,
                        .replace = replace,
                        .cancel = run ? run->cancel : NULL};
    cistern_status st = tiers_open_files(t, v, run, &place.from_fd, err);
    if (st != CISTERN_OK)
        return st;
    st = base_place_file(&place, out_created, err);
    close(place.from_fd);
    /* The link has changed the blob's ctime: hashed now, so that the next opening need not. */
    if (st == CISTERN_OK && how->how == BASE_PLACE_HARDLINK && *out_created) {
        st = tiers_open_files(t, v, run, &place.from_fd, err);
        if (st == CISTERN_OK)
            close(place.from_fd);
    }
    return st;
}

cistern_status tiers_placing_blob(tiers *t, const catalog_version *v, char **out, cistern_error *err)
{
    if (v->file_count != 1)
        return base_fail(err, CISTERN_USAGE,
                         "%s:%s has %zu files; this layout has room for one of each version", v->name, v->tag,
                         v->file_count);
    return tiers_file_path(t, v, 0, out, err);
}

static cistern_status place_at(tiers *t, const catalog_version *v, int root, const char *name,
                               const char *blob, const tiers_place *how, const base_run *run,
                               bool *out_was_there, cistern_error *err)
{
    tiers_placing_state state = TIERS_PLACING_FREE;
    bool created = false;
    cistern_status st = tiers_placing_look(root, name, &v->files[0], blob, run, &state, err);
    if (st == CISTERN_OK && state != TIERS_PLACING_SAME && (state == TIERS_PLACING_FREE || how->force)) {
        st = tiers_placing_put(t, v, root, name, blob, how, how->force, run, &created, err);
        if (st == CISTERN_OK && !created) /* another process was first */
            st = tiers_placing_look(root, name, &v->files[0], blob, run, &state, err);
    }
    if (st == CISTERN_OK && !created && state != TIERS_PLACING_SAME)
        st = base_fail(err, CISTERN_CONFLICT,
                       "'%s' is there and has other bytes than %s:%s: --force replaces it", name, v->name,
                       v->tag);
    *out_was_there = !created;
    return st;
}

cistern_status tiers_place_version(tiers *t, const catalog_version *v, const char *directory,
                                   const char *name, const tiers_place *how, const base_run *run,
                                   char **out_path, bool *out_was_there, cistern_error *err)
{
    char *blob = NULL, *path = NULL;
    int root = -1;
    cistern_status st = tiers_placing_blob(t, v, &blob, err);
    if (st == CISTERN_OK)
        st = base_asprintf(&path, err, "%s/%s", directory, name);
    if (st == CISTERN_OK)
        st = base_mkdirs_path(directory, 0755, err);
    if (st == CISTERN_OK)
        st = base_dir_open(directory, &root, err);
    if (st == CISTERN_OK)
        st = place_at(t, v, root, name, blob, how, run, out_was_there, err);
    if (root >= 0)
        close(root);
    free(blob);
    if (st != CISTERN_OK) {
        free(path);
        return base_frame(err, st, "%s", directory);
    }
    *out_path = path;
    return st;
}
