/* The tensor index and decoded tensors as derived files, keyed by the version's digest.
 *
 * Invariants
 *  1. An index that refers to decoded tensors counts only together with a file of them that has the size it was made for.
 */
#include "tiers_index.h"

#include <stdlib.h>
#include "base_mem.h"

#define INDEX_KIND    "tensor_index"
#define INDEX_VERSION 3

#define DECODED_KIND    "tensors"
#define DECODED_VERSION 1

static cistern_status make_key(const char *digest, const char *kind, unsigned version, store_derived_key *out,
                               cistern_error *err)
{
    out->kind = kind;
    out->version = version;
    out->layout = "any";
    if (!base_digest_parse(digest, &out->source))
        return base_fail(err, CISTERN_UNEXPECTED, "'%s' is not a digest", digest);
    return CISTERN_OK;
}

/* Sizes of the version's files, and of decoded tensors where they are. */
static cistern_status file_sizes(const catalog_version *v, const store_derived_map *decoded, uint64_t **out,
                                 cistern_error *err)
{
    uint64_t *sizes = NULL;
    cistern_status st = base_calloc(v->file_count + 1, sizeof *sizes, &sizes, err);
    if (st != CISTERN_OK)
        return st;
    for (size_t i = 0; i < v->file_count; i++)
        sizes[i] = v->files[i].size;
    sizes[v->file_count] = decoded->size;
    *out = sizes;
    return CISTERN_OK;
}

static cistern_status open_decoded(const store *s, const char *digest, store_derived_map *out,
                                   cistern_error *err)
{
    store_derived_key key;
    cistern_status st = make_key(digest, DECODED_KIND, DECODED_VERSION, &key, err);
    if (st == CISTERN_OK)
        st = store_derived_open(s, &key, false, out, err);
    if (st == CISTERN_NOT_FOUND) { /* most versions have none */
        base_error_clear(err);
        st = CISTERN_OK;
    }
    return st;
}

static cistern_status decode_index(const base_buf *buf, const catalog_version *v, store_derived_map *decoded,
                                   model_index **out, cistern_error *err)
{
    uint64_t *sizes = NULL;
    cistern_status st = file_sizes(v, decoded, &sizes, err);
    if (st != CISTERN_OK)
        return st;
    st = model_index_decode(buf->data, buf->len, sizes, v->file_count, out, err);
    if (st == CISTERN_OK) {
        store_derived_unmap(decoded); /* of no use to this index */
    } else if (st == CISTERN_DAMAGED && decoded->whole.data) {
        base_error_clear(err);
        st = model_index_decode(buf->data, buf->len, sizes, v->file_count + 1, out, err);
    }
    free(sizes);
    return st;
}

cistern_status tiers_index_get(tiers *t, const catalog_version *v, model_index **out,
                               store_derived_map *out_decoded, cistern_error *err)
{
    store_derived_key key;
    store_derived_map decoded = {0};
    store *s = NULL;
    base_buf buf;
    cistern_status st = make_key(v->digest, INDEX_KIND, INDEX_VERSION, &key, err);
    base_buf_init(&buf, MODEL_INDEX_BYTES_MAX);
    if (st == CISTERN_OK)
        st = tiers_local(t, &s, err);
    if (st == CISTERN_OK)
        st = store_derived_get(s, &key, &buf, err);
    if (st == CISTERN_OK)
        st = open_decoded(s, v->digest, &decoded, err);
    if (st == CISTERN_OK)
        st = decode_index(&buf, v, &decoded, out, err);
    if (st == CISTERN_DAMAGED) /* made by another hand or release: as good as none */
        st = CISTERN_NOT_FOUND;
    if (st == CISTERN_OK && out_decoded)
        *out_decoded = decoded;
    else
        store_derived_unmap(&decoded);
    base_buf_clear(&buf);
    return st;
}

cistern_status tiers_index_put_decoded(const char *digest, store_derived *decoded, cistern_error *err)
{
    store_derived_key key;
    cistern_status st = make_key(digest, DECODED_KIND, DECODED_VERSION, &key, err);
    if (st != CISTERN_OK) {
        store_derived_abandon(decoded);
        return st;
    }
    return store_derived_publish_stream(decoded, &key, err);
}

cistern_status tiers_index_put(tiers *t, const char *digest, const model_index *index, cistern_error *err)
{
    store_derived_key key;
    store *s = NULL;
    base_buf buf;
    cistern_status st = make_key(digest, INDEX_KIND, INDEX_VERSION, &key, err);
    base_buf_init(&buf, MODEL_INDEX_BYTES_MAX);
    if (st == CISTERN_OK)
        st = tiers_local_for_writing(t, &s, err);
    if (st == CISTERN_OK)
        st = model_index_encode(index, &buf, err);
    if (st == CISTERN_OK)
        st = store_derived_put(s, &key, buf.data, buf.len, NULL, err);
    base_buf_clear(&buf);
    return st;
}
