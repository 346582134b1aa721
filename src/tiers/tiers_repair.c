/* Repairing; see tiers_repair.h. */
#include "tiers_repair.h"

#include <string.h>
#include "origin_address.h"
#include "store_repair.h"
#include "tiers_open.h"

static cistern_status find_origin(tiers *t, const catalog_version *v, origin_address **out,
                                  cistern_error *err)
{
    if (!v->origin || v->file_count != 1)
        return base_fail(err, CISTERN_NOT_FOUND,
                         "%s:%s has no recorded origin to repair it from: add its files again", v->name,
                         v->tag);
    cistern_status st = origin_address_parse(v->origin, out, err);
    if (st == CISTERN_OK && tiers_offline(t) && origin_address_kind(*out) != ORIGIN_FILE)
        st = base_fail(err, CISTERN_OFFLINE,
                       "%s cannot be asked for the damaged part offline: run it again without --offline",
                       origin_address_shown(*out));
    return st;
}

cistern_status tiers_repair_file(tiers *t, const catalog_version *v, size_t i, const base_run *run,
                                 tiers_repaired *out, cistern_error *err)
{
    origin_address *address = NULL;
    net_source *source = NULL;
    store_fetch_got got;
    store_file file;
    store *s = NULL;
    memset(&got, 0, sizeof got);
    cistern_status st = tiers_local_for_writing(t, &s, err);
    if (st == CISTERN_OK)
        st = tiers_stored_file(v, i, &file, err);
    if (st == CISTERN_OK)
        st = find_origin(t, v, &address, err);
    if (st == CISTERN_OK)
        st = origin_address_source(address, tiers_access(t), &source, err);
    if (st == CISTERN_OK)
        st = store_repair_run(s, &file, source, tiers_wait_ms(t), tiers_parallel(t), run, &got, err);
    if (st == CISTERN_OK && origin_address_kind(address) != ORIGIN_FILE)
        tiers_add_received(t, got.transferred);
    net_source_free(source);
    origin_address_free(address);
    if (st != CISTERN_OK)
        return base_frame(err, st, "cannot repair %s:%s", v->name, v->tag);
    *out = (tiers_repaired){got.transferred, got.resumed};
    return CISTERN_OK;
}
