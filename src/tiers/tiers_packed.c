/* Packed weights as a derived file, keyed by the version's digest, the packer's version and the layout. */
#include "tiers_packed.h"

#include "base_file.h"

#define PACKED_KIND "packed"

static cistern_status packed_key(const tiers_packed_key *key, store_derived_key *out, cistern_error *err)
{
    out->kind = PACKED_KIND;
    out->version = key->version;
    out->layout = key->layout;
    if (!base_digest_parse(key->digest, &out->source))
        return base_fail(err, CISTERN_UNEXPECTED, "'%s' is not a digest", key->digest);
    return CISTERN_OK;
}

cistern_status tiers_packed_open(tiers *t, const tiers_packed_key *key, size_t size, store_derived_map *out,
                                 cistern_error *err)
{
    store_derived_key derived;
    store_derived_map map;
    store *s = NULL;
    cistern_status st = packed_key(key, &derived, err);
    if (st == CISTERN_OK)
        st = tiers_local(t, &s, err);
    if (st == CISTERN_OK)
        st = store_derived_open(s, &derived, false, &map, err);
    if (st != CISTERN_OK)
        return st;
    if (map.size != size) {
        store_derived_unmap(&map);
        return base_fail(err, CISTERN_NOT_FOUND, "packed weights of %zu bytes, %zu expected", map.size, size);
    }
    *out = map;
    return CISTERN_OK;
}

cistern_status tiers_packed_put(tiers *t, const tiers_packed_key *key, const void *bytes, size_t n,
                                cistern_error *err)
{
    store_derived_key derived;
    store *s = NULL;
    cistern_status st = packed_key(key, &derived, err);
    if (st == CISTERN_OK)
        st = tiers_local_for_writing(t, &s, err);
    return st == CISTERN_OK ? store_derived_put(s, &derived, bytes, n, err) : st;
}
