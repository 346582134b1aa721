/* Looking for a model in the local store, without a request.
 *
 *      version of that name and origin (or of that digest, under any name), all blobs here
 *        ├─ the tag that is asked for, and all declared facts hold ──> a hit
 *        └─ otherwise ──> its bytes are used for the version that is wanted
 */
#include "priv/tiers_fetched.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "base_mem.h"
#include "catalog_list.h"
#include "store_blob.h"
#include "store_condemn.h"
#include "tiers_index.h"
#include "tiers_open.h"

/* Whether a blob is here and what it was: a damaged one counts as absent. Costs one look at its record, usually. */
static cistern_status is_whole(store *s, const store_file *file, const base_run *run, bool *out,
                               cistern_error *err)
{
    cistern_error why = CISTERN_ERROR_INIT;
    int fd = -1;
    cistern_status st = store_blob_open(s, file, run, &fd, NULL, &why);
    *out = st == CISTERN_OK;
    if (st == CISTERN_OK)
        close(fd);
    if (st == CISTERN_DAMAGED && run)
        base_log_line(run->log, 0, "%s; it counts as absent", why.text);
    if (st == CISTERN_OK || st == CISTERN_DAMAGED || st == CISTERN_NOT_FOUND)
        return CISTERN_OK;
    if (err)
        *err = why;
    return st;
}

/* Where nothing may be written no collector runs either. */
static cistern_status blobs_here(store *s, const catalog_version *v, const base_run *run, bool *out,
                                 cistern_error *err)
{
    bool here = true, settle = store_check_write(s, NULL) == CISTERN_OK;
    for (size_t i = 0; here && i < v->file_count; i++) {
        store_file file;
        cistern_status st = tiers_stored_file(v, i, &file, err);
        if (st == CISTERN_OK && settle)
            st = store_condemn_wait(s, &file.sha256, STORE_CONDEMN_WAIT_MS, run, err);
        if (st == CISTERN_OK)
            st = is_whole(s, &file, run, &here, err);
        if (st != CISTERN_OK)
            return st;
    }
    *out = here;
    return CISTERN_OK;
}

/* Whether a version is what an expected digest asks for. */
bool tiers_expected_digest(const tiers_fetched *f, const catalog_version *v)
{
    char hex[BASE_SHA256_HEX];
    if (!f->has_expected)
        return true;
    base_digest_hex(&f->expected, hex);
    return v->file_count == 1 && strcmp(v->files[0].sha256, hex) == 0;
}

typedef struct digest_search {
    const store *s;
    const tiers_fetched *f;
    catalog_version *out;
    bool found;
} digest_search;

static cistern_status search_model(void *user, const char *name, cistern_error *err)
{
    digest_search *search = user;
    catalog_listing listing;
    cistern_status st;
    if (search->found)
        return CISTERN_OK;
    catalog_listing_init(&listing);
    st = catalog_list(search->s, name, &listing, err);
    for (size_t i = 0; st == CISTERN_OK && !search->found && i < listing.version_count; i++) {
        if (!listing.versions[i].removed && tiers_expected_digest(search->f, &listing.versions[i].version)) {
            catalog_version_take(&listing.versions[i].version, search->out);
            search->found = true;
        }
    }
    catalog_listing_clear(&listing);
    return st;
}

/* The candidate: by explicit tag, else by origin, else by expected digest under any name. */
static cistern_status find_candidate(tiers_fetched *f, const store *s, catalog_version *v, bool *out,
                                     cistern_error *err)
{
    const char *origin = origin_address_normalised(f->address);
    digest_search search = {s, f, v, false};
    bool found = false;
    cistern_status st = CISTERN_OK;
    if (f->name.tag[0])
        st = catalog_version_read(s, f->name.name, f->name.tag, v, &found, err);
    if (st == CISTERN_OK && found)
        st = catalog_origin_matches(s, v, origin, &found, err);
    if (st == CISTERN_OK && !found)
        st = catalog_origin_find(s, f->name.name, origin, v, &found, err);
    if (st == CISTERN_OK && found && !tiers_expected_digest(f, v))
        found = false;
    if (st == CISTERN_OK && !found && f->has_expected) {
        st = catalog_model_each(s, search_model, &search, err);
        found = search.found;
    }
    *out = st == CISTERN_OK && found && strcmp(v->tag, f->seen) != 0;
    return st;
}

static bool is_hit(const tiers_fetched *f, const catalog_version *v, const model_facts *facts)
{
    return strcmp(v->name, f->name.name) == 0 && (f->name.tag[0] == 0 || strcmp(v->tag, f->name.tag) == 0) &&
           model_facts_hold(facts, &f->facts);
}

void tiers_note_latest(tiers_fetched *f, const char *latest)
{
    if (latest[0] && strcmp(latest, f->version.tag) != 0)
        snprintf(f->note, sizeof f->note, "%s:%s points to version %s", f->version.name, CATALOG_LATEST,
                 latest);
}

static cistern_status take_hit(tiers_fetched *f, store *s, catalog_version *v, cistern_error *err)
{
    catalog_move move;
    cistern_status st = CISTERN_OK;
    bool moved = false;
    if (store_check_write(s, NULL) == CISTERN_OK)
        (void)!catalog_publish_settle(s, v, &moved,
                                      NULL); /* what a killed publisher left; a hit is one without it too */
    catalog_version_take(v, &f->version);
    f->has_version = true;
    f->outcome = TIERS_HIT;
    catalog_move_init(&move);
    st = catalog_alias_read(s, f->version.name, CATALOG_LATEST, &move, err);
    if (st == CISTERN_OK)
        tiers_note_latest(f, move.number ? move.target : "");
    catalog_move_clear(&move);
    return st;
}

/* Use the version's blobs as the files of the one that is wanted. */
static cistern_status take_bytes(tiers_fetched *f, store *s, const catalog_version *v,
                                 const model_facts *facts, const base_run *run, bool *out_held,
                                 cistern_error *err)
{
    *out_held = true;
    cistern_status st = tiers_files_make(f, v->file_count, err);
    for (size_t i = 0; st == CISTERN_OK && i < v->file_count; i++) {
        tiers_file *file = &f->files[i];
        file->file.size = v->files[i].size;
        if (!base_digest_parse(v->files[i].sha256, &file->file.sha256))
            return base_fail(err, CISTERN_DAMAGED, "'%s' is not a digest", v->files[i].sha256);
        if (v->files[i].chunks_sha256[0] && !base_digest_parse(v->files[i].chunks_sha256, &file->file.chunks))
            return base_fail(err, CISTERN_DAMAGED, "'%s' is not a digest", v->files[i].chunks_sha256);
        st = base_strdup(v->files[i].path, &file->path, err);
        if (st == CISTERN_OK)
            st = store_blob_open(s, &file->file, run, &file->fd, NULL, err);
        if (st == CISTERN_OK)
            st = store_blob_hold(s, &file->file.sha256, file->fd, run, out_held, err);
        if (st == CISTERN_OK && !*out_held) { /* collected while we looked: it is not here */
            tiers_files_end(f, CISTERN_OK, NULL);
            return CISTERN_OK;
        }
    }
    if (st == CISTERN_OK)
        st = model_facts_merge(&f->facts, facts, err);
    if (st == CISTERN_OK && tiers_index_get(f->chain, v, &f->index, NULL, NULL) != CISTERN_OK)
        f->index = NULL; /* the caller reads the files again */
    f->outcome = TIERS_RECORDED;
    return st;
}

cistern_status tiers_look_version(tiers_fetched *f, store *s, catalog_version *v, const base_run *run,
                                  bool *out_here, cistern_error *err)
{
    model_facts facts;
    bool here = false;
    cistern_status st = blobs_here(s, v, run, &here, err);
    model_facts_init(&facts);
    if (st == CISTERN_OK && here)
        st = catalog_version_facts(v, &facts, err);
    if (st == CISTERN_OK && here)
        st = is_hit(f, v, &facts) ? take_hit(f, s, v, err) : take_bytes(f, s, v, &facts, run, &here, err);
    model_facts_clear(&facts);
    *out_here = here;
    return st;
}

static cistern_status look_in(tiers_fetched *f, store *s, const base_run *run, cistern_error *err)
{
    catalog_version v;
    bool found = false;
    cistern_status st;
    catalog_version_init(&v);
    st = find_candidate(f, s, &v, &found, err);
    if (st == CISTERN_OK && found)
        st = tiers_look_version(f, s, &v, run, &found, err);
    catalog_version_clear(&v);
    return st;
}

cistern_status tiers_look(tiers_fetched *f, const base_run *run, cistern_error *err)
{
    store *s = NULL;
    cistern_status st = tiers_local_if_there(f->chain, &s, err);
    if (st != CISTERN_OK || !s)
        return st;
    st = catalog_publish_check(s, f->name.name, f->name.tag[0] ? f->name.tag : NULL, err);
    return st == CISTERN_OK ? look_in(f, s, run, err) : st;
}
