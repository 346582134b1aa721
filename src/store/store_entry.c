/* Entries; see priv/store_entry.h. */
#include "priv/store_entry.h"
#include <errno.h>
#include <fcntl.h>

/* The tag's first line is prescribed by bford.info/cachedir. */
static const char cachedir_tag[] = "Signature: 8a477f597d28d172789f06886806bc55\n"
                                   "# What lies here can be made or fetched again; backups may skip it.\n";

void store_entry_path(const char *top, const base_digest *d, char out[STORE_NAME_MAX])
{
    char hex[BASE_SHA256_HEX];
    base_digest_hex(d, hex);
    snprintf(out, STORE_NAME_MAX, "%s/sha256/%.2s/%s", top, hex, hex);
}

cistern_status store_entry_cache_dir(store *s, const char *top, cistern_error *err)
{
    char path[STORE_NAME_MAX];
    struct stat st;
    bool created;
    snprintf(path, sizeof path, "%s/CACHEDIR.TAG", top);
    if (fstatat(s->root, path, &st, AT_SYMLINK_NOFOLLOW) == 0)
        return CISTERN_OK;
    return base_publish_bytes(s->root, path, cachedir_tag, sizeof cachedir_tag - 1, &s->modes, &created, err);
}

cistern_status store_entry_sync(const store *s, const char *path, cistern_error *err)
{
    int fd;
    cistern_status status = base_open_beneath(s->root, path, O_RDONLY, &fd, err);
    if (status != CISTERN_OK)
        return status;
    if (fsync(fd) != 0)
        status = base_fail_errno(err, errno, "cannot sync '%s'", path);
    close(fd);
    return status;
}

bool store_entry_names(const store *s, const char *path, int fd)
{
    struct stat named, open_file;
    return fstatat(s->root, path, &named, AT_SYMLINK_NOFOLLOW) == 0 && fstat(fd, &open_file) == 0 &&
           named.st_dev == open_file.st_dev && named.st_ino == open_file.st_ino;
}

bool store_entry_unlink(const store *s, const char *path, int fd)
{
    return store_entry_names(s, path, fd) && base_unlink_beneath(s->root, path, NULL) == CISTERN_OK;
}
