/* A version's files as descriptors, paths, and proofs. */
#include "tiers_open.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include "store_blob.h"

cistern_status tiers_stored_file(const catalog_version *v, size_t i, store_file *out, cistern_error *err)
{
    memset(out, 0, sizeof *out);
    out->size = v->files[i].size;
    if (!base_digest_parse(v->files[i].sha256, &out->sha256) ||
        (v->files[i].chunks_sha256[0] && !base_digest_parse(v->files[i].chunks_sha256, &out->chunks)))
        return base_fail(err, CISTERN_DAMAGED, "%s:%s: a digest of '%s' is none", v->name, v->tag,
                         v->files[i].path);
    return CISTERN_OK;
}

/* A referred-to blob that is absent is damage of the store, not an unknown name. */
static cistern_status explain(const catalog_version *v, size_t i, cistern_status st, cistern_error *err)
{
    if (st == CISTERN_NOT_FOUND)
        st = base_fail(err, CISTERN_DAMAGED,
                       "its bytes (sha256 %.12s...) are not in the store; fetch them again with: cistern "
                       "pull ADDRESS --as %s",
                       v->files[i].sha256, v->name);
    return st == CISTERN_OK ? st : base_frame(err, st, "%s:%s: %s", v->name, v->tag, v->files[i].path);
}

cistern_status tiers_open_files(tiers *t, const catalog_version *v, const base_run *run, int *out,
                                cistern_error *err)
{
    store *s = NULL;
    store_file file;
    cistern_status st = tiers_local(t, &s, err);
    for (size_t i = 0; i < v->file_count; i++)
        out[i] = -1;
    for (size_t i = 0; st == CISTERN_OK && i < v->file_count; i++) {
        st = tiers_stored_file(v, i, &file, err);
        if (st == CISTERN_OK)
            st = explain(v, i, store_blob_open(s, &file, run, &out[i], NULL, err), err);
    }
    for (size_t i = 0; st != CISTERN_OK && i < v->file_count; i++) {
        if (out[i] >= 0)
            close(out[i]);
        out[i] = -1;
    }
    return st;
}

cistern_status tiers_is_here(tiers *t, const catalog_version *v, bool *out, cistern_error *err)
{
    store *s = NULL;
    store_file file;
    bool here = true;
    cistern_status st = tiers_local(t, &s, err);
    for (size_t i = 0; st == CISTERN_OK && here && i < v->file_count; i++) {
        st = tiers_stored_file(v, i, &file, err);
        if (st == CISTERN_OK)
            st = store_blob_has(s, &file.sha256, file.size, &here, err);
    }
    if (st == CISTERN_OK)
        *out = here;
    return st;
}

cistern_status tiers_file_path(tiers *t, const catalog_version *v, size_t i, char **out, cistern_error *err)
{
    store *s = NULL;
    store_file file;
    bool here = false;
    cistern_status st = tiers_local(t, &s, err);
    if (st == CISTERN_OK)
        st = tiers_stored_file(v, i, &file, err);
    if (st == CISTERN_OK)
        st = store_blob_has(s, &file.sha256, file.size, &here, err);
    if (st == CISTERN_OK && !here)
        st = explain(v, i, CISTERN_NOT_FOUND, err);
    return st == CISTERN_OK ? store_blob_path(s, &file.sha256, out, err) : st;
}

cistern_status tiers_verify_file(tiers *t, const catalog_version *v, size_t i, const base_run *run,
                                 cistern_error *err)
{
    store *s = NULL;
    store_file file;
    cistern_status st = tiers_local(t, &s, err);
    if (st == CISTERN_OK)
        st = tiers_stored_file(v, i, &file, err);
    return st == CISTERN_OK ? store_blob_verify(s, &file, run, NULL, err) : st;
}
