/* Collecting, pins, figures. */
#include "priv/api_types.h"

#include <string.h>
#include "catalog_tags.h"
#include "store_usage.h"
#include "tiers_gc.h"

typedef struct gc_forward {
    cistern_gc_fn fn;
    void *user;
} gc_forward;

static void forward_item(void *user, const tiers_gc_item *item)
{
    static const cistern_gc_kind kinds[] = {
        [TIERS_GC_BLOB] = CISTERN_GC_BLOB,
        [TIERS_GC_PARTIAL] = CISTERN_GC_PARTIAL,
        [TIERS_GC_DERIVED] = CISTERN_GC_DERIVED,
        [TIERS_GC_TEMPORARY] = CISTERN_GC_TEMPORARY,
    };
    const gc_forward *forward = user;
    cistern_gc_item out = {sizeof out, kinds[item->kind], item->name, item->bytes, item->busy};
    if (forward->fn)
        forward->fn(forward->user, &out);
}

static cistern_status collect(cistern *c, bool dry_run, const base_run *run, gc_forward *forward,
                              tiers_gc_totals *out, cistern_error *err)
{
    tiers_gc_options options = {.keep_removed_ns = (int64_t)c->keep_removed_s * 1000000000,
                                .partial_age_ns = (int64_t)c->keep_partial_s * 1000000000,
                                .dry_run = dry_run,
                                .fn = forward_item,
                                .user = forward};
    return tiers_gc(c->chain, &options, run, out, err);
}

static void tell_totals(const tiers_gc_totals *t, cistern_gc_result *out)
{
    cistern_gc_result result = {
        .size = sizeof result,
        .blobs = t->count[TIERS_GC_BLOB],
        .blob_bytes = t->bytes[TIERS_GC_BLOB],
        .partials = t->count[TIERS_GC_PARTIAL],
        .partial_bytes = t->bytes[TIERS_GC_PARTIAL],
        .derived = t->count[TIERS_GC_DERIVED],
        .derived_bytes = t->bytes[TIERS_GC_DERIVED],
        .temporaries = t->count[TIERS_GC_TEMPORARY],
        .temporary_bytes = t->bytes[TIERS_GC_TEMPORARY],
        .busy = t->busy,
        .busy_bytes = t->busy_bytes,
        .versions = t->versions,
        .kept_removed = t->kept_removed,
    };
    api_sized_give(&result, sizeof result, out);
}

cistern_status cistern_gc(cistern *c, int dry_run, const cistern_call *call, cistern_gc_fn fn, void *user,
                          cistern_gc_result *out, cistern_error *err)
{
    api_forward forward;
    base_run run;
    gc_forward items = {fn, user};
    tiers_gc_totals totals;
    cistern_status st = api_run_init(c, call, &forward, &run, err);
    if (st == CISTERN_OK)
        st = api_sized_check(out, "cistern_gc_result", err);
    if (st != CISTERN_OK)
        return st;
    st = collect(c, dry_run != 0, &run, &items, &totals, err);
    if (out)
        tell_totals(&totals, out); /* after a failure: what was deleted before it */
    return st;
}

cistern_status cistern_pin(cistern *c, const char *reference, const char *why, const cistern_call *call,
                           cistern_version **out, int *out_new, cistern_error *err)
{
    api_forward forward;
    base_run run;
    catalog_version v;
    bool created = false;
    catalog_version_init(&v);
    cistern_status st = api_run_init(c, call, &forward, &run, err);
    if (st == CISTERN_OK)
        st = tiers_pin(c->chain, reference, why, &run, &v, &created, err);
    if (st == CISTERN_OK && out_new)
        *out_new = created;
    if (st == CISTERN_OK && out)
        st = api_version_new(c, &v, NULL, out, err);
    catalog_version_clear(&v);
    return st;
}

cistern_status cistern_unpin(cistern *c, const char *reference, cistern_error *err)
{
    bool removed = false;
    cistern_status st = tiers_unpin(c->chain, reference, &removed, err);
    if (st == CISTERN_OK && !removed)
        st = base_fail(err, CISTERN_NOT_FOUND, "%s is not pinned", reference);
    return st;
}

typedef struct counting {
    const store *s;
    cistern_stats *out;
} counting;

static cistern_status count_model(void *user, const char *name, cistern_error *err)
{
    const counting *count = user;
    catalog_tags tags;
    catalog_tags_init(&tags);
    cistern_status st = catalog_tags_read(count->s, name, &tags, err);
    count->out->models += tags.live_count > 0;
    count->out->versions += tags.live_count;
    catalog_tags_clear(&tags);
    return st;
}

static cistern_status count_store(store *s, cistern_stats *out, cistern_error *err)
{
    store_usage usage;
    counting count = {s, out};
    cistern_status st = store_usage_count(s, &usage, err);
    if (st == CISTERN_OK)
        st = catalog_model_each(s, count_model, &count, err);
    if (st != CISTERN_OK)
        return st;
    out->blobs = usage.blobs;
    out->blob_bytes = usage.blob_bytes;
    out->chunk_bytes = usage.chunk_bytes;
    out->partials = usage.partials;
    out->partial_bytes = usage.partial_bytes;
    out->derived_bytes = usage.derived_bytes;
    out->damaged = usage.damaged;
    out->damaged_bytes = usage.damaged_bytes;
    out->free_bytes = usage.free_bytes;
    return CISTERN_OK;
}

cistern_status cistern_stats_read(cistern *c, const cistern_call *call, cistern_stats *out,
                                  cistern_error *err)
{
    api_forward forward;
    base_run run;
    gc_forward items = {NULL, NULL};
    tiers_gc_totals totals;
    store *s = NULL;
    cistern_stats stats = {.size = sizeof stats};
    cistern_status st = api_run_init(c, call, &forward, &run, err);
    if (st == CISTERN_OK)
        st = api_sized_check(out, "cistern_stats", err);
    if (st == CISTERN_OK)
        st = tiers_local_if_there(c->chain, &s, err);
    if (st == CISTERN_OK && s) {
        st = count_store(s, &stats, err);
        if (st == CISTERN_OK)
            st = collect(c, true, &run, &items, &totals, err);
        for (size_t i = 0; st == CISTERN_OK && i < TIERS_GC_KINDS; i++)
            stats.removable_bytes += totals.bytes[i];
        if (st == CISTERN_OK)
            stats.kept_removed = totals.kept_removed;
    }
    if (st == CISTERN_OK)
        api_sized_give(&stats, sizeof stats, out);
    return st;
}
