/* Committing: chunk list, blob, index, version, move of latest, hint; each synced before the next (by store and catalog). */
#include "priv/tiers_fetched.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base_mem.h"
#include "tiers_index.h"
#include "tiers_settle.h"

static cistern_status manifest_files(const tiers_fetched *f, catalog_file **out, cistern_error *err)
{
    static const base_digest none;
    catalog_file *files = NULL;
    cistern_status st = base_calloc(f->file_count, sizeof *files, &files, err);
    if (st != CISTERN_OK)
        return st;
    for (size_t i = 0; i < f->file_count; i++) {
        files[i].path = f->files[i].path;
        files[i].size = f->files[i].file.size;
        base_digest_hex(&f->files[i].file.sha256, files[i].sha256);
        if (!base_digest_equal(&f->files[i].file.chunks, &none))
            base_digest_hex(&f->files[i].file.chunks, files[i].chunks_sha256);
    }
    *out = files;
    return CISTERN_OK;
}

/* What the origin said of the file, for the next --update. */
static cistern_status write_hint(const tiers_fetched *f, store *s, cistern_error *err)
{
    catalog_origin_file seen = {0};
    const net_stat *stat = &f->files[0].stat;
    if (!f->address || f->file_count != 1 || !f->files[0].claim)
        return CISTERN_OK;
    snprintf(seen.path, sizeof seen.path, "%s", f->files[0].path);
    if (stat->etag[0])
        snprintf(seen.validator, sizeof seen.validator, "%s", stat->etag);
    else if (stat->last_modified[0])
        snprintf(seen.validator, sizeof seen.validator, TIERS_LAST_MODIFIED "%s", stat->last_modified);
    seen.size = f->files[0].file.size;
    return catalog_origin_write(s, f->version.name, origin_address_normalised(f->address), f->version.tag,
                                &seen, 1, err);
}

static cistern_status publish_version(tiers_fetched *f, store *s, const catalog_file *files,
                                      cistern_error *err)
{
    catalog_publication p = {0};
    catalog_published done = {0};
    cistern_status st;
    p.name = f->name.name;
    p.tag = f->name.tag[0] ? f->name.tag : NULL;
    p.files = files;
    p.file_count = f->file_count;
    p.facts = &f->facts;
    p.origin = f->address ? origin_address_normalised(f->address) : NULL;
    p.why = f->request.why;
    st = catalog_publish(s, &p, &done, err);
    if (st != CISTERN_OK)
        return st;
    catalog_version_take(&done.version, &f->version);
    f->has_version = true;
    if (!done.created)
        f->outcome = TIERS_SAME;
    tiers_note_latest(f, done.latest);
    return CISTERN_OK;
}

/* Bytes that a version refers to now must be there to stay, whatever collectors do beside us. */
static cistern_status settle(const tiers_fetched *f, store *s, const base_run *run, cistern_error *err)
{
    cistern_status st = CISTERN_OK;
    for (size_t i = 0; st == CISTERN_OK && i < f->file_count; i++) {
        st = tiers_settle_blob(s, &f->files[i].file, tiers_fetch_fd(f, i), f->files[i].path, run, err);
        if (st == CISTERN_OK && f->files[i].claim)
            st = store_fetch_settle(f->files[i].claim, err);
    }
    return st;
}

cistern_status tiers_commit(tiers_fetched *f, const model_index *index, store_derived *decoded,
                            const base_run *run, cistern_error *err)
{
    char digest[BASE_SHA256_HEX];
    catalog_file *files = NULL;
    store *s = NULL;
    cistern_status st = tiers_local_for_writing(f->chain, &s, err);
    if (st == CISTERN_OK)
        st = manifest_files(f, &files, err);
    if (st == CISTERN_OK)
        st = catalog_version_digest(files, f->file_count, digest, err);
    for (size_t i = 0; st == CISTERN_OK && i < f->file_count; i++) {
        if (f->files[i].claim)
            st = store_fetch_publish(f->files[i].claim, run, err);
    }
    if (st == CISTERN_OK && decoded) {
        st = tiers_index_put_decoded(digest, decoded, err);
        decoded = NULL;
    }
    if (st == CISTERN_OK && index != f->index)
        st = tiers_index_put(f->chain, digest, index, err);
    if (st == CISTERN_OK)
        st = publish_version(f, s, files, err);
    if (st == CISTERN_OK)
        st = settle(f, s, run, err);
    if (st == CISTERN_OK)
        st = write_hint(f, s, err);
    store_derived_abandon(decoded);
    free(files);
    return st;
}
