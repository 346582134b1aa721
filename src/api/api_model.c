/* Models: files mapped, tensors found by the stored index. */
#include "priv/api_types.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base_mem.h"
#include "base_scratch.h"
#include "model_declared.h"
#include "origin_address.h"
#include "tiers_config.h"
#include "tiers_index.h"
#include "tiers_open.h"
#include "tiers_tree.h"

static cistern_status model_new(cistern *c, size_t files, cistern_model **out, cistern_error *err)
{
    cistern_model *m = NULL;
    cistern_status st = base_calloc(1, sizeof *m, &m, err);
    if (st == CISTERN_OK)
        st = base_calloc(files + 1, sizeof *m->files, &m->files, err);
    if (st == CISTERN_OK)
        st = base_calloc(files + 1, sizeof(api_guard *), &m->guards, err);
    if (st != CISTERN_OK) {
        if (m)
            free(m->files);
        free(m);
        return st;
    }
    atomic_init(&m->owners, 1);
    api_packed_init(&m->packed);
    m->context = c;
    m->file_count = files;
    *out = m;
    return CISTERN_OK;
}

cistern_model *cistern_model_ref(cistern_model *m)
{
    atomic_fetch_add(&m->owners, 1);
    return m;
}

void cistern_model_free(cistern_model *m)
{
    if (!m || atomic_fetch_sub(&m->owners, 1) != 1)
        return;
    api_packed_clear(m);
    for (size_t i = 0; i < m->file_count; i++) {
        api_guard_remove(m->guards[i]);
        if (!m->decoded.data || i + 1 < m->file_count)
            base_map_clear(&m->files[i]);
    }
    base_map_clear(&m->decoded);
    for (size_t i = 0; i < m->held_count; i++)
        if (m->held[i] >= 0)
            close(m->held[i]);
    free(m->held);
    free(m->guards);
    free(m->files);
    model_index_free(m->index);
    cistern_version_free(m->version);
    free(m);
}

const cistern_version *cistern_model_version(const cistern_model *m)
{
    return m->version;
}

static cistern_status map_file(cistern_model *m, size_t i, int fd, cistern_error *err)
{
    cistern_status st = base_map_fd(fd, &m->files[i], err);
    return st == CISTERN_OK ? api_guard_add(&m->files[i], &m->guards[i], err) : st;
}

/* Decoded tensors (taken) become the model's last file. @param skip  bytes before the payload */
static cistern_status add_decoded(cistern_model *m, base_map map, size_t skip, cistern_error *err)
{
    size_t i = m->file_count++;
    m->decoded = map;
    m->files[i].data = map.data + skip;
    m->files[i].size = map.size - skip;
    return api_guard_add(&m->decoded, &m->guards[i], err);
}

/* Where decoded tensors go when a version is read again: into the store if it may be written, else into memory. */
typedef struct decoding {
    store_derived *stored; /* NULL: `fd` is owned */
    int fd;
    size_t skip; /* bytes before the payload */
} decoding;

static cistern_status begin_decoding(cistern *c, bool to_store, decoding *out, cistern_error *err)
{
    store *s = NULL;
    *out = (decoding){NULL, -1, 0};
    if (to_store && tiers_local(c->chain, &s, NULL) == CISTERN_OK &&
        store_derived_begin_stream(s, &out->stored, &out->fd, NULL) == CISTERN_OK) {
        out->skip = STORE_DERIVED_HEADER;
        return CISTERN_OK;
    }
    return base_scratch_file("cistern-tensors", &out->fd, err);
}

static void end_decoding(decoding *d)
{
    store_derived_abandon(d->stored);
    if (!d->stored && d->fd >= 0)
        close(d->fd);
    *d = (decoding){NULL, -1, 0};
}

/* Map what was decoded, if anything was. */
static cistern_status take_decoding(const decoding *d, cistern_model *m, cistern_error *err)
{
    base_map map = {0};
    cistern_status st;
    if (model_index_file_count(m->index) == m->file_count)
        return CISTERN_OK;
    st = base_map_fd(d->fd, &map, err);
    if (st == CISTERN_OK && map.size - d->skip != model_index_file_size(m->index, m->file_count)) {
        base_map_clear(&map);
        st = base_fail(err, CISTERN_UNEXPECTED, "decoded tensors changed while they were read");
    }
    return st == CISTERN_OK ? add_decoded(m, map, d->skip, err) : st;
}

/* Keep what reading gave, so that it is not done again. */
static void keep_index(cistern *c, const catalog_version *v, decoding *d, const cistern_model *m)
{
    bool decoded = m->decoded.data != NULL;
    cistern_status st = CISTERN_OK;
    if (decoded && d->stored) {
        st = tiers_index_put_decoded(v->digest, d->stored, NULL);
        d->stored = NULL;
        d->fd = -1;
    } else if (decoded) {
        st = CISTERN_DENIED;
    }
    if (st == CISTERN_OK)
        st = tiers_index_put(c->chain, v->digest, m->index, NULL);
    if (st != CISTERN_OK)
        base_log_line(&c->log, 2, "the tensor index%s could not be kept; made again at the next start",
                      decoded ? " and decoded tensors" : "");
}

static cistern_status read_again(cistern *c, const catalog_version *v, const int *fds, const base_run *run,
                                 cistern_model *m, cistern_error *err)
{
    decoding d = {NULL, -1, 0};
    ingest_file *files = NULL;
    cistern_status st = base_calloc(v->file_count, sizeof *files, &files, err);
    for (size_t i = 0; st == CISTERN_OK && i < v->file_count; i++) {
        files[i].fd = fds[i];
        files[i].path = v->files[i].path;
    }
    if (st == CISTERN_OK)
        st = begin_decoding(c, true, &d, err);
    if (st == CISTERN_OK)
        st = api_import(c, files, v->file_count, d.fd, run, &m->index, err);
    if (st == CISTERN_OK)
        st = take_decoding(&d, m, err);
    if (st == CISTERN_OK)
        keep_index(c, v, &d, m);
    end_decoding(&d);
    free(files);
    return st;
}

/* The index of a version that is here: stored, or read again from its files and kept if the store may be written. */
static cistern_status find_index(cistern *c, const catalog_version *v, const int *fds, const base_run *run,
                                 cistern_model *m, cistern_error *err)
{
    store_derived_map decoded = {0};
    cistern_status st = tiers_index_get(c->chain, v, &m->index, &decoded, err);
    if (st == CISTERN_OK && decoded.whole.data)
        st = add_decoded(m, decoded.whole, decoded.whole.size - decoded.size, err);
    if (st != CISTERN_NOT_FOUND)
        return st;
    base_error_clear(err);
    return read_again(c, v, fds, run, m, err);
}

/* Fill a model from a resolved version (taken). */
static cistern_status model_load(cistern *c, catalog_version *v, const base_run *run, cistern_model *m,
                                 cistern_error *err)
{
    size_t count = v->file_count;
    cistern_status st = base_calloc(count, sizeof *m->held, &m->held, err);
    if (st != CISTERN_OK)
        return st;
    m->held_count = count;
    st = tiers_open_files(c->chain, v, run, m->held, err); /* on failure all are -1 */
    if (st != CISTERN_OK)
        return st;
    st = find_index(c, v, m->held, run, m, err);
    for (size_t i = 0; st == CISTERN_OK && i < count; i++)
        st = map_file(m, i, m->held[i], err);
    if (st == CISTERN_OK)
        st = api_version_new(c, v, m->index, &m->version, err);
    return st == CISTERN_OK ? model_declared_apply(&m->version->facts, m->index, err) : st;
}

cistern_status cistern_model_open(cistern *c, const char *reference, const cistern_call *call,
                                  cistern_model **out, cistern_error *err)
{
    api_forward forward;
    base_run run;
    catalog_resolved r;
    cistern_model *m = NULL;
    cistern_status st = api_run_init(c, call, &forward, &run, err);
    catalog_resolved_init(&r);
    if (st == CISTERN_OK)
        st = tiers_resolve(c->chain, reference, &r, err);
    if (st == CISTERN_OK)
        st = model_new(c, r.version.file_count, &m, err);
    if (st == CISTERN_OK)
        st = model_load(c, &r.version, &run, m, err);
    catalog_resolved_clear(&r);
    if (st != CISTERN_OK) {
        cistern_model_free(m);
        return st;
    }
    *out = m;
    return CISTERN_OK;
}

static cistern_status open_user_file(const char *path, int *out_fd, cistern_error *err)
{
    const char *slash = strrchr(path, '/');
    struct stat info;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0 && errno == ENOENT)
        return base_fail(err, CISTERN_NOT_FOUND,
                         "%s: no such file; fetch it with: cistern pull https://HOST/%s --as NAME", path,
                         slash ? slash + 1 : path);
    if (fd < 0)
        return base_fail_errno(err, errno, "%s", path);
    if (fstat(fd, &info) != 0 || !S_ISREG(info.st_mode)) {
        close(fd);
        return base_fail(err, CISTERN_UNREADABLE, "%s: not a regular file", path);
    }
    *out_fd = fd;
    return CISTERN_OK;
}

/* Facts of a file that is in no store: flags, the config beside it, what binding finds. */
static cistern_status file_facts(cistern *c, const char *path, const cistern_pull_options *declared,
                                 const base_run *run, cistern_model *m, cistern_error *err)
{
    origin_address *address = NULL;
    model_facts facts;
    cistern_status st = api_declared_facts(declared, &facts, err);
    if (st != CISTERN_OK)
        return st;
    st = origin_address_of_path(path, &address, err);
    if (st == CISTERN_OK)
        st = tiers_config_read(c->chain, declared->config, address, run, &facts, err);
    origin_address_free(address);
    if (st == CISTERN_OK)
        st = api_complete_facts(c, m->index, &facts, 2, err);
    if (st != CISTERN_OK) {
        model_facts_clear(&facts);
        return st;
    }
    m->version->facts = facts;
    st = api_version_tell(m->version, m->index, err);
    return st == CISTERN_OK ? model_declared_apply(&m->version->facts, m->index, err) : st;
}

/* A file, or what is in a directory. */
static cistern_status open_user_files(const char *path, tiers_tree *out, cistern_error *err)
{
    int fd = -1;
    if (!tiers_tree_needed(&path, 1)) {
        cistern_status st = open_user_file(path, &fd, err);
        if (st != CISTERN_OK)
            return st;
        close(fd);
    }
    return tiers_tree_expand(&path, 1, out, err);
}

static cistern_status describe_file(cistern_model *m, const char *path, cistern_error *err)
{
    cistern_status st = base_calloc(1, sizeof *m->version, &m->version, err);
    if (st != CISTERN_OK)
        return st;
    catalog_version_init(&m->version->v);
    model_facts_init(&m->version->facts);
    m->version->here = true;
    return base_strdup(path, &m->version->path, err);
}

/* The index, and what had to be decoded for it. */
static cistern_status import_files(cistern *c, const ingest_file *files, size_t count, const base_run *run,
                                   cistern_model *m, cistern_error *err)
{
    decoding d = {NULL, -1, 0};
    cistern_status st = begin_decoding(c, false, &d, err);
    if (st == CISTERN_OK)
        st = api_import(c, files, count, d.fd, run, &m->index, err);
    if (st == CISTERN_OK)
        st = take_decoding(&d, m, err);
    end_decoding(&d);
    return st;
}

static cistern_status load_files(cistern *c, const char *path, const tiers_tree *t,
                                 const cistern_pull_options *declared, const base_run *run, cistern_model *m,
                                 cistern_error *err)
{
    ingest_file *files = NULL;
    cistern_status st = describe_file(m, path, err);
    if (st == CISTERN_OK)
        st = base_calloc(t->count, sizeof *files, &files, err);
    for (size_t i = 0; st == CISTERN_OK && i < t->count; i++) {
        files[i].fd = t->fds[i];
        files[i].path = t->count == 1 ? t->paths[i] : t->names[i];
    }
    if (st == CISTERN_OK)
        st = import_files(c, files, t->count, run, m, err);
    free(files);
    for (size_t i = 0; st == CISTERN_OK && i < t->count; i++) {
        st = map_file(m, i, t->fds[i], err);
        if (st == CISTERN_OK && m->files[i].size != model_index_file_size(m->index, i))
            st = base_fail(err, CISTERN_CONFLICT, "%s: it changed while it was read", t->paths[i]);
    }
    return st == CISTERN_OK ? file_facts(c, t->paths[0], declared, run, m, err) : st;
}

cistern_status cistern_model_open_file(cistern *c, const char *path, const cistern_pull_options *declared,
                                       const cistern_call *call, cistern_model **out, cistern_error *err)
{
    api_forward forward;
    base_run run;
    cistern_model *m = NULL;
    tiers_tree tree;
    cistern_pull_options facts = CISTERN_PULL_OPTIONS_INIT;
    cistern_status st = api_run_init(c, call, &forward, &run, err);
    tiers_tree_init(&tree);
    if (st == CISTERN_OK)
        st = api_sized_take(declared, &facts, sizeof facts, "cistern_pull_options", err);
    if (st == CISTERN_OK)
        st = open_user_files(path, &tree, err);
    if (st == CISTERN_OK)
        st = model_new(c, tree.count, &m, err);
    if (st == CISTERN_OK)
        st = load_files(c, path, &tree, &facts, &run, m, err);
    tiers_tree_clear(&tree);
    if (st != CISTERN_OK) {
        cistern_model_free(m);
        return st;
    }
    *out = m;
    return CISTERN_OK;
}

size_t cistern_model_tensor_count(const cistern_model *m)
{
    return model_index_count(m->index);
}

static int tell_tensor(const cistern_model *m, const model_tensor *t, cistern_tensor *out)
{
    uint64_t count = 0;
    cistern_tensor told = {.size = sizeof told};
    if (!t || !api_sized_usable(out))
        return 0;
    told.name = t->name;
    told.dtype = model_dtype_text(t->dtype);
    told.rank = t->rank;
    memcpy(told.shape, t->shape, sizeof told.shape);
    memcpy(told.stride, t->stride, sizeof told.stride);
    told.data = model_tensor_count(t, &count) && count > 0 ? m->files[t->file].data + t->offset : NULL;
    if (m->decoded.data && t->file + 1 == m->file_count)
        told.file = "(decoded)";
    else
        told.file = m->version->path ? m->version->path : m->version->v.files[t->file].path;
    told.offset = t->offset;
    api_sized_give(&told, sizeof told, out);
    return 1;
}

int cistern_model_tensor(const cistern_model *m, size_t i, cistern_tensor *out)
{
    return i < model_index_count(m->index) ? tell_tensor(m, model_index_peek(m->index, i), out) : 0;
}

int cistern_model_tensor_by_name(const cistern_model *m, const char *name, cistern_tensor *out)
{
    return tell_tensor(m, model_index_find(m->index, name), out);
}
