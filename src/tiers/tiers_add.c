/* Adding local files: copied or shared into partials of their own, nothing published yet. */
#include "priv/tiers_fetched.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "base_host.h"
#include "base_md5.h"
#include "base_mem.h"
#include "store_condemn.h"

static cistern_status fail_promise(const tiers_fetched *f, const char *whose, const char *kind,
                                   const char *promised, const char *is, cistern_error *err)
{
    return base_fail(
        err, CISTERN_DAMAGED,
        "%s: %s %s that begins with %s, but it is %s; nothing was stored; if that is no promise: "
        "--ignore-name-digest",
        f->request.path_count ? f->request.paths[0] : origin_address_shown(f->address), whose, kind, promised,
        is);
}

static cistern_status check_md5(tiers_fetched *f, const model_published *row, const store_file *file, int fd,
                                const base_run *run, cistern_error *err)
{
    char hex[BASE_MD5_HEX];
    cistern_status st = base_md5_of_file(fd, file->size, run, hex, err);
    if (st == CISTERN_OK && strcmp(hex, row->md5) != 0)
        st = fail_promise(f, "the table of published files has", "an MD5", row->md5, hex, err);
    if (st == CISTERN_OK)
        f->published = row;
    return st;
}

cistern_status tiers_check_promise(tiers_fetched *f, const store_file *file, int fd, const base_run *run,
                                   cistern_error *err)
{
    const model_published *row = f->address ? origin_address_published(f->address) : NULL;
    /* An address without digits in it, such as that of a hub's branch, may come to name another file. */
    bool known = row && row->sha256 && row->prefix;
    const char *promised = known               ? row->sha256
                           : f->request.prefix ? f->request.prefix
                           : f->address        ? origin_address_prefix(f->address)
                                               : NULL;
    char hex[BASE_SHA256_HEX];
    if (f->request.ignore_name_digest || f->has_expected)
        return CISTERN_OK;
    if (row && !promised && row->md5)
        return check_md5(f, row, file, fd, run, err);
    base_digest_hex(&file->sha256, hex);
    if (!promised || strncmp(hex, promised, strlen(promised)) == 0)
        return CISTERN_OK;
    return fail_promise(f, known ? "the table of published files has" : "its name promises", "a SHA-256",
                        promised, hex, err);
}

static cistern_status open_path(const tiers_fetched *f, size_t i, int *out, cistern_error *err)
{
    const char *path = f->request.paths[i];
    int fd = f->request.fds ? fcntl(f->request.fds[i], F_DUPFD_CLOEXEC, 3)
                            : open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0)
        return base_fail_errno(err, errno, "%s", path);
    *out = fd;
    return CISTERN_OK;
}

/* Each under a claim of its own that nobody else can want. */
static cistern_status add_file(tiers_fetched *f, store *s, size_t i, const base_run *run, cistern_error *err)
{
    store_fetch_want want = STORE_FETCH_WANT_INIT;
    store_fetch_got got = {0};
    tiers_file *file = &f->files[i];
    const char *path = f->request.paths[i], *slash = strrchr(path, '/');
    char nonce[33];
    base_digest key;
    int fd = -1;
    cistern_status st = open_path(f, i, &fd, err);
    if (st != CISTERN_OK)
        return st;
    want.sha256 = f->has_expected ? &f->expected : NULL;
    st = base_random_hex(16, nonce, err);
    if (st == CISTERN_OK)
        st = store_fetch_key(NULL, nonce, &key, err);
    if (st == CISTERN_OK)
        st = base_strdup(f->request.names ? f->request.names[i] : slash ? slash + 1 : path, &file->path, err);
    if (st == CISTERN_OK)
        st = store_fetch_begin(s, &key, STORE_CONDEMN_WAIT_MS, run, &file->claim, err);
    if (st == CISTERN_OK)
        st = store_fetch_add(file->claim, fd, path, &want, run, &got, err);
    file->file = got.file;
    if (st == CISTERN_OK)
        st = tiers_check_promise(f, &got.file, fd, run, err);
    close(fd);
    return st;
}

static int compare_files(const void *a, const void *b)
{
    return strcmp(((const tiers_file *)a)->path, ((const tiers_file *)b)->path);
}

/* Everything that can be found out before a store is made for nothing. */
static cistern_status check_paths(tiers_fetched *f, const base_run *run, cistern_error *err)
{
    store *s = NULL;
    origin_address *first = NULL;
    cistern_status st = origin_address_of_path(f->request.paths[0], &first, err);
    if (st == CISTERN_OK)
        st = tiers_config_read(f->chain, f->request.config, first, run, &f->facts, err);
    origin_address_free(first);
    if (st == CISTERN_OK)
        st = tiers_local_if_there(f->chain, &s, err);
    if (st == CISTERN_OK && s)
        st = catalog_publish_check(s, f->name.name, f->name.tag[0] ? f->name.tag : NULL, err);
    for (size_t i = 0; st == CISTERN_OK && !f->request.fds && i < f->request.path_count; i++) {
        if (access(f->request.paths[i], R_OK) != 0)
            st = base_fail_errno(err, errno, "%s", f->request.paths[i]);
    }
    return st;
}

cistern_status tiers_add_paths(tiers_fetched *f, const base_run *run, cistern_error *err)
{
    store *s = NULL;
    cistern_status st = check_paths(f, run, err);
    if (st == CISTERN_OK && f->address)
        st = tiers_look(f, run, err);
    if (st != CISTERN_OK || f->has_version || f->file_count > 0)
        return st;
    st = tiers_local_for_writing(f->chain, &s, err);
    if (st == CISTERN_OK)
        st = catalog_publish_check_home(s, f->name.name, err);
    if (st == CISTERN_OK)
        st = tiers_files_make(f, f->request.path_count, err);
    for (size_t i = 0; st == CISTERN_OK && i < f->file_count; i++)
        st = add_file(f, s, i, run, err);
    if (st == CISTERN_OK)
        qsort(f->files, f->file_count, sizeof *f->files,
              compare_files); /* the order of a manifest and of its index */
    f->outcome = TIERS_FETCHED;
    return st;
}
