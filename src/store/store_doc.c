/* Documents and hints; see store_doc.h. */
#include "store_doc.h"
#include "priv/store_entry.h"
#include "priv/store_object.h"
#include "base_mem.h"
#include <errno.h>
#include <fcntl.h>

static cistern_status check_path(const char *path, cistern_error *err)
{
    size_t length = strlen(path);
    if (length == 0 || length >= STORE_PATH_MAX)
        return base_fail(err, CISTERN_USAGE, "a path of %zu bytes in a store, 1 to %d allowed", length,
                         STORE_PATH_MAX - 1);
    for (const char *part = path;; part += strcspn(part, "/") + 1) {
        size_t n = strcspn(part, "/");
        bool dots = (n == 1 && part[0] == '.') || (n == 2 && part[0] == '.' && part[1] == '.');
        if (n == 0 || n > 255 || dots || strncmp(part, ".tmp-", 5) == 0)
            return base_fail(err, CISTERN_USAGE, "'%s' is not a path in a store", path);
        if (part[n] == '\0')
            return CISTERN_OK;
    }
}

/* What is there already: make sure that it is on disk, and whether it is the same. */
static cistern_status compare_existing(const store *s, const char *path, const void *bytes, size_t n,
                                       bool *same, cistern_error *err)
{
    base_buf found;
    base_buf_init(&found, STORE_DOC_MAX);
    cistern_status status = store_entry_sync(s, path, err);
    if (status == CISTERN_OK)
        status = base_sync_parent(s->root, path, err);
    if (status == CISTERN_OK)
        status = base_read_beneath(s->root, path, &found, err);
    if (status == CISTERN_OK)
        *same = found.len == n && (n == 0 || memcmp(found.data, bytes, n) == 0);
    base_buf_clear(&found);
    return status;
}

cistern_status store_doc_create(store *s, const char *path, const void *bytes, size_t n, bool *out_created,
                                cistern_error *err)
{
    bool created = false, same = true;
    cistern_status status = check_path(path, err);
    if (status == CISTERN_OK)
        status = store_check_write(s, err);
    if (status == CISTERN_OK && n > STORE_DOC_MAX)
        status = base_fail(err, CISTERN_USAGE, "'%s': a document of %zu bytes, at most %u allowed", path, n,
                           STORE_DOC_MAX);
    if (status == CISTERN_OK)
        status = base_publish_bytes(s->root, path, bytes, n, &s->modes, &created, err);
    if (status == CISTERN_OK && !created)
        status = compare_existing(s, path, bytes, n, &same, err);
    if (status != CISTERN_OK)
        return status;
    if (!same)
        return base_fail(err, CISTERN_CONFLICT, "'%s' is there already with other content", path);
    store_object_fault(s, "document_created");
    if (out_created)
        *out_created = created;
    return CISTERN_OK;
}

cistern_status store_doc_read(const store *s, const char *path, base_buf *buf, cistern_error *err)
{
    cistern_status status = check_path(path, err);
    return status == CISTERN_OK ? base_read_beneath(s->root, path, buf, err) : status;
}

cistern_status store_doc_has(const store *s, const char *path, bool *out, cistern_error *err)
{
    cistern_error why = CISTERN_ERROR_INIT;
    int fd = -1;
    cistern_status status = check_path(path, err);
    if (status != CISTERN_OK)
        return status;
    status = base_open_beneath(s->root, path, O_RDONLY, &fd, &why);
    if (fd >= 0)
        close(fd);
    bool directory = status == CISTERN_DAMAGED && why.os_errno == EISDIR;
    if (status == CISTERN_OK || status == CISTERN_NOT_FOUND || directory) {
        *out = status != CISTERN_NOT_FOUND;
        return CISTERN_OK;
    }
    if (err)
        *err = why;
    return status;
}

cistern_status store_doc_each(const store *s, const char *dir, base_dir_fn fn, void *user, cistern_error *err)
{
    cistern_status status = check_path(dir, err);
    return status == CISTERN_OK ? base_dir_each(s->root, dir, fn, user, err) : status;
}

cistern_status store_doc_hint(store *s, const char *path, const void *bytes, size_t n, cistern_error *err)
{
    cistern_status status = check_path(path, err);
    if (status == CISTERN_OK)
        status = store_check_write(s, err);
    if (status == CISTERN_OK)
        status = base_replace_bytes(s->root, path, bytes, n, &s->modes, err);
    if (status == CISTERN_OK)
        store_object_fault(s, "hint_written");
    return status;
}

cistern_status store_doc_remove_hint(store *s, const char *path, cistern_error *err)
{
    cistern_status status = check_path(path, err);
    if (status == CISTERN_OK)
        status = store_check_write(s, err);
    if (status == CISTERN_OK)
        status = base_unlink_beneath(s->root, path, err);
    return status == CISTERN_OK ? base_sync_parent(s->root, path, err) : status;
}
