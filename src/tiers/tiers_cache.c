/* Reading and feeding other tools' caches; see tiers_cache.h. */
#include "tiers_cache.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "base_mem.h"
#include "catalog_list.h"
#include "origin_address.h"

static const tiers_cache caches[] = {
    {"torch", "torchvision", "hub/checkpoints", true},
    {"keras", "keras", "models", false},
};

const tiers_cache *tiers_cache_find(const char *tool)
{
    for (size_t i = 0; i < sizeof caches / sizeof caches[0]; i++)
        if (strcmp(caches[i].tool, tool) == 0)
            return &caches[i];
    return NULL;
}

/* --- what is there ---------------------------------------------------------------------------------------------- */

void tiers_cache_files_clear(tiers_cache_files *files)
{
    for (size_t i = 0; i < files->count; i++) {
        free(files->items[i].path);
        free(files->items[i].name);
    }
    free(files->items);
    free(files->directory);
    memset(files, 0, sizeof *files);
}

typedef struct listing {
    const tiers_cache *cache;
    tiers_cache_files *files;
    bool all;
} listing;

static cistern_status list_file(void *user, const char *file, cistern_error *err)
{
    listing *l = user;
    tiers_cache_file *item = &l->files->items[l->files->count];
    origin_address *address = NULL;
    const model_published *row = model_published_by_file(l->cache->publisher, file);
    bool wanted = row || (l->cache->digits && (l->all || strncmp(file, "vgg", 3) == 0));
    if (l->files->count == TIERS_CACHE_MAX)
        return base_fail(err, CISTERN_USAGE, "more than %d files", TIERS_CACHE_MAX);
    cistern_status st = base_asprintf(&item->path, err, "%s/%s", l->files->directory, file);
    if (st == CISTERN_OK)
        st = origin_address_of_path(item->path, &address, err);
    const char *prefix = st == CISTERN_OK ? origin_address_prefix(address) : NULL;
    if (st == CISTERN_OK && wanted && (prefix || !l->cache->digits) &&
        origin_address_default_name(address, &item->name, NULL) == CISTERN_OK) {
        snprintf(item->prefix, sizeof item->prefix, "%s", prefix ? prefix : "");
        item->row = row;
        l->files->count++;
    } else {
        l->files->others++;
        free(item->path);
        memset(item, 0, sizeof *item);
    }
    origin_address_free(address);
    return st;
}

cistern_status tiers_cache_list(const tiers_cache *cache, const char *home, bool all, tiers_cache_files *out,
                                cistern_error *err)
{
    tiers_cache_files files = {0};
    listing l = {cache, &files, all};
    int root = -1;
    cistern_status st = base_asprintf(&files.directory, err, "%s/%s", home, cache->directory);
    if (st == CISTERN_OK)
        st = base_calloc(TIERS_CACHE_MAX + 1, sizeof *files.items, &files.items, err);
    if (st == CISTERN_OK)
        st = base_dir_open(files.directory, &root, err);
    if (st == CISTERN_OK)
        st = base_dir_each(root, ".", list_file, &l, err);
    if (root >= 0)
        close(root);
    if (st != CISTERN_OK) {
        tiers_cache_files_clear(&files);
        return st;
    }
    *out = files;
    return st;
}

/* --- feeding it --------------------------------------------------------------------------------------------------- */

typedef struct linking {
    tiers *chain;
    const tiers_cache *cache;
    char *directory;
    const tiers_place *how;
    const base_run *run;
    tiers_placed_fn fn;
    void *user;
    cistern_status worst; /* the first failure's */
    cistern_error first;
    const store *s;
    catalog_version *newest; /* of each row of the table */
    int *rank;               /* 0: none yet; see row_of */
} linking;

/* The tool's file that a version is. *out_rank: 2 by its bytes, 1 by where it came from. */
static const model_published *row_of(const linking *l, const catalog_version *v, int *out_rank)
{
    const model_published *row =
        v->file_count == 1 ? model_published_by_digest(v->files[0].sha256, v->files[0].size) : NULL;
    *out_rank = 2;
    if (row && strcmp(row->publisher, l->cache->publisher) == 0)
        return row;
    *out_rank = 1;
    row = v->file_count == 1 && v->origin ? model_published_by_url(v->origin) : NULL;
    return row && strcmp(row->publisher, l->cache->publisher) == 0 ? row : NULL;
}

static void link_version(linking *l, const catalog_version *v)
{
    cistern_error why = CISTERN_ERROR_INIT;
    int rank;
    const model_published *row = row_of(l, v, &rank);
    const char *path = v->file_count ? v->files[0].path : "";
    const char *slash = strrchr(path, '/');
    const char *name = row ? model_published_file(row) : slash ? slash + 1 : path;
    char *placed = NULL;
    bool was_there = false;
    cistern_status st =
        tiers_place_version(l->chain, v, l->directory, name, l->how, l->run, &placed, &was_there, &why);
    if (l->fn && st != CISTERN_CANCELLED)
        l->fn(l->user, v, placed ? placed : "", was_there, st, &why);
    if (st != CISTERN_OK && l->worst == CISTERN_OK) {
        l->worst = st;
        l->first = why;
    }
    free(placed);
}

/* Versions come oldest first; of several models with one file the first keeps it, unless another's bytes are surer. */
static void offer(linking *l, catalog_version *v)
{
    int rank;
    const model_published *row = row_of(l, v, &rank);
    size_t i = 0;
    while (row && model_published_peek(i) != row)
        i++;
    if (!row || rank < l->rank[i] || (rank == l->rank[i] && strcmp(l->newest[i].name, v->name) != 0))
        return;
    catalog_version_take(v, &l->newest[i]);
    l->rank[i] = rank;
}

static cistern_status offer_model(void *user, const char *name, cistern_error *err)
{
    linking *l = user;
    catalog_listing versions;
    catalog_listing_init(&versions);
    cistern_status st = catalog_list(l->s, name, &versions, err);
    for (size_t i = 0; st == CISTERN_OK && i < versions.version_count; i++)
        if (!versions.versions[i].removed && !versions.versions[i].fault)
            offer(l, &versions.versions[i].version);
    catalog_listing_clear(&versions);
    return st;
}

static cistern_status link_published(linking *l, cistern_error *err)
{
    store *s = NULL;
    size_t rows = model_published_count(), found = 0;
    cistern_status st = base_calloc(rows, sizeof *l->newest, &l->newest, err);
    if (st == CISTERN_OK)
        st = base_calloc(rows, sizeof *l->rank, &l->rank, err);
    for (size_t i = 0; l->newest && i < rows; i++)
        catalog_version_init(&l->newest[i]);
    if (st == CISTERN_OK)
        st = tiers_local(l->chain, &s, err);
    l->s = s;
    if (st == CISTERN_OK)
        st = catalog_model_each(s, offer_model, l, err);
    for (size_t i = 0; st == CISTERN_OK && i < rows; i++) {
        if (l->rank[i] == 0)
            continue;
        found++;
        link_version(l, &l->newest[i]);
    }
    if (st == CISTERN_OK && found == 0)
        st = base_fail(err, CISTERN_NOT_FOUND,
                       "nothing here is a file that %s asks for: cistern pull %s:vgg16, or name a version",
                       l->cache->publisher, l->cache->publisher);
    for (size_t i = 0; l->newest && i < rows; i++)
        catalog_version_clear(&l->newest[i]);
    free(l->newest);
    free(l->rank);
    return st;
}

static cistern_status link_reference(linking *l, const char *reference, cistern_error *err)
{
    catalog_resolved r;
    catalog_resolved_init(&r);
    cistern_status st = tiers_resolve(l->chain, reference, &r, err);
    if (st == CISTERN_OK)
        link_version(l, &r.version);
    catalog_resolved_clear(&r);
    return st;
}

cistern_status tiers_cache_link(tiers *t, const tiers_cache *cache, const char *home,
                                const char *const *references, size_t count, const tiers_place *how,
                                const base_run *run, tiers_placed_fn fn, void *user, cistern_error *err)
{
    linking l = {.chain = t, .cache = cache, .how = how, .run = run, .fn = fn, .user = user};
    cistern_status st = base_asprintf(&l.directory, err, "%s/%s", home, cache->directory);
    if (st == CISTERN_OK && count == 0)
        st = link_published(&l, err);
    for (size_t i = 0; st == CISTERN_OK && i < count; i++) {
        cistern_error why = CISTERN_ERROR_INIT;
        cistern_status one = link_reference(&l, references[i], &why);
        if (one == CISTERN_OK)
            continue;
        if (fn)
            fn(user, NULL, "", false, one, &why);
        if (l.worst == CISTERN_OK) {
            l.worst = one;
            l.first = why;
        }
    }
    free(l.directory);
    if (st == CISTERN_OK && l.worst != CISTERN_OK) {
        if (err)
            *err = l.first;
        return l.worst;
    }
    return st;
}
