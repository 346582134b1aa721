/* Small helpers of the store room; see priv/store_private.h. */
#include "priv/store_private.h"
#include "base_mem.h"
#include <errno.h>
#include <fcntl.h>

#define TICK_MS   100u       /* between two calls of a progress function */
#define HASH_STEP (1u << 20) /* bytes read at once: still in the second-level cache when hashed */

/* The tag's first line is prescribed by bford.info/cachedir. */
static const char cachedir_tag[] = "Signature: 8a477f597d28d172789f06886806bc55\n"
                                   "# What lies here can be made or fetched again; backups may skip it.\n";

void store_fault(const store *s, const char *point)
{
    if (s->fault)
        s->fault(s->fault_user, point);
}

void store_digest_path(const char *top, const base_digest *d, char out[STORE_NAME_MAX])
{
    char hex[BASE_SHA256_HEX];
    base_digest_hex(d, hex);
    snprintf(out, STORE_NAME_MAX, "%s/sha256/%.2s/%s", top, hex, hex);
}

cistern_status store_cache_dir(store *s, const char *top, cistern_error *err)
{
    char path[STORE_NAME_MAX];
    struct stat st;
    bool created;
    snprintf(path, sizeof path, "%s/CACHEDIR.TAG", top);
    if (fstatat(s->root, path, &st, AT_SYMLINK_NOFOLLOW) == 0)
        return CISTERN_OK;
    return base_publish_bytes(s->root, path, cachedir_tag, sizeof cachedir_tag - 1, &s->modes, &created, err);
}

cistern_status store_sync_file(const store *s, const char *path, cistern_error *err)
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

bool store_names_inode(const store *s, const char *path, int fd)
{
    struct stat named, open_file;
    return fstatat(s->root, path, &named, AT_SYMLINK_NOFOLLOW) == 0 && fstat(fd, &open_file) == 0 &&
           named.st_dev == open_file.st_dev && named.st_ino == open_file.st_ino;
}

bool store_unlink_own(const store *s, const char *path, int fd)
{
    return store_names_inode(s, path, fd) && base_unlink_beneath(s->root, path, NULL) == CISTERN_OK;
}

const base_cancel *store_cancel_of(const base_run *run)
{
    return run ? run->cancel : NULL;
}

const base_log *store_log_of(const base_run *run)
{
    return run ? run->log : NULL;
}

void store_ticker_init(store_ticker *t, const base_run *run, const char *what, uint64_t total)
{
    *t = (store_ticker){.run = run, .p = {.what = what, .total = total}};
}

void store_ticker_step(store_ticker *t, uint64_t done)
{
    if (!t->run || !t->run->progress)
        return;
    uint64_t now = base_monotonic_ms();
    if (t->last_ms != 0 && now - t->last_ms < TICK_MS)
        return;
    t->last_ms = now;
    t->p.done = done;
    t->run->progress(t->run->progress_user, &t->p);
}

void store_ticker_end(store_ticker *t, uint64_t done)
{
    if (!t->run || !t->run->progress)
        return;
    t->p.done = done;
    t->p.last = true;
    t->run->progress(t->run->progress_user, &t->p);
}

cistern_status store_hash_range(int fd, uint64_t offset, uint64_t n, const base_run *run,
                                store_ticker *ticker, base_digest *out, cistern_error *err)
{
    base_sha256 *hash = NULL;
    char *step = NULL;
    cistern_status status = base_sha256_new(&hash, err);
    if (status == CISTERN_OK)
        status = base_calloc(1, HASH_STEP, &step, err);
    for (uint64_t done = 0; status == CISTERN_OK && done < n;) {
        size_t part = n - done < HASH_STEP ? (size_t)(n - done) : HASH_STEP;
        status = base_check_cancel(store_cancel_of(run), err);
        if (status == CISTERN_OK)
            status = base_pread_full(fd, step, part, offset + done, err);
        if (status != CISTERN_OK)
            break;
        base_sha256_update(hash, step, part);
        done += part;
        if (ticker)
            store_ticker_step(ticker, done);
    }
    if (status == CISTERN_OK)
        base_sha256_final(hash, out);
    free(step);
    base_sha256_free(hash);
    return status;
}
