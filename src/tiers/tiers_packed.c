/* Packed weights as a derived file, keyed by the version's digest, the packer's version and the layout: in the local store, or,
 * where that may not be written, in the user's own cache. */
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

static cistern_status open_in(const store *s, const store_derived_key *key, size_t size,
                              store_derived_map *out, cistern_error *err)
{
    store_derived_map map;
    cistern_status st = store_derived_open(s, key, false, &map, err);
    if (st != CISTERN_OK)
        return st;
    if (map.size != size) {
        store_derived_unmap(&map);
        return base_fail(err, CISTERN_NOT_FOUND, "packed weights of %zu bytes, %zu expected", map.size, size);
    }
    *out = map;
    return CISTERN_OK;
}

cistern_status tiers_packed_open(tiers *t, const tiers_packed_key *key, size_t size, store_derived_map *out,
                                 cistern_error *err)
{
    store_derived_key derived;
    store *s = NULL;
    cistern_status st = packed_key(key, &derived, err);
    if (st == CISTERN_OK)
        st = tiers_local(t, &s, err);
    if (st != CISTERN_OK || open_in(s, &derived, size, out, NULL) == CISTERN_OK)
        return st;
    st = tiers_own_cache(t, false, &s, err);
    return st == CISTERN_OK ? open_in(s, &derived, size, out, err) : st;
}

cistern_status tiers_packed_put(tiers *t, const tiers_packed_key *key, const void *bytes, size_t n,
                                const base_cancel *cancel, cistern_error *err)
{
    store_derived_key derived;
    store *s = NULL;
    cistern_status st = packed_key(key, &derived, err);
    if (st == CISTERN_OK)
        st = tiers_local_for_writing(t, &s, err);
    if (st == CISTERN_OK)
        st = store_derived_put(s, &derived, bytes, n, cancel, err);
    if (st != CISTERN_DENIED)
        return st;
    st = tiers_own_cache(t, true, &s, NULL);
    if (st != CISTERN_OK) /* what keeps it out of the store is what can be mended */
        return CISTERN_DENIED;
    base_error_clear(err);
    return store_derived_put(s, &derived, bytes, n, cancel, err);
}
