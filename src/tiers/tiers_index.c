/* The tensor index as a derived file, keyed by the version's digest. */
#include "tiers_index.h"

#include <stdlib.h>
#include "base_mem.h"
#include "store_derived.h"

#define INDEX_KIND    "tensor_index"
#define INDEX_VERSION 2

static cistern_status index_key(const char *digest, store_derived_key *out, cistern_error *err)
{
    out->kind = INDEX_KIND;
    out->version = INDEX_VERSION;
    out->layout = "any";
    if (!base_digest_parse(digest, &out->source))
        return base_fail(err, CISTERN_UNEXPECTED, "'%s' is not a digest", digest);
    return CISTERN_OK;
}

cistern_status tiers_index_get(tiers *t, const catalog_version *v, model_index **out, cistern_error *err)
{
    store_derived_key key;
    store *s = NULL;
    uint64_t *sizes = NULL;
    base_buf buf;
    cistern_status st = index_key(v->digest, &key, err);
    base_buf_init(&buf, MODEL_INDEX_BYTES_MAX);
    if (st == CISTERN_OK)
        st = tiers_local(t, &s, err);
    if (st == CISTERN_OK)
        st = base_calloc(v->file_count, sizeof *sizes, &sizes, err);
    for (size_t i = 0; st == CISTERN_OK && i < v->file_count; i++)
        sizes[i] = v->files[i].size;
    if (st == CISTERN_OK)
        st = store_derived_get(s, &key, &buf, err);
    if (st == CISTERN_OK)
        st = model_index_decode(buf.data, buf.len, sizes, v->file_count, out, err);
    if (st == CISTERN_DAMAGED) /* made by another hand or release: as good as none */
        st = CISTERN_NOT_FOUND;
    free(sizes);
    base_buf_clear(&buf);
    return st;
}

cistern_status tiers_index_put(tiers *t, const char *digest, const model_index *index, cistern_error *err)
{
    store_derived_key key;
    store *s = NULL;
    base_buf buf;
    cistern_status st = index_key(digest, &key, err);
    base_buf_init(&buf, MODEL_INDEX_BYTES_MAX);
    if (st == CISTERN_OK)
        st = tiers_local_for_writing(t, &s, err);
    if (st == CISTERN_OK)
        st = model_index_encode(index, &buf, err);
    if (st == CISTERN_OK)
        st = store_derived_put(s, &key, buf.data, buf.len, err);
    base_buf_clear(&buf);
    return st;
}
