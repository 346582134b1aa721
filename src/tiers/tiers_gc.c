/* Collecting; see tiers_gc.h. */
#include "tiers_gc.h"

#include <string.h>
#include "catalog_pin.h"
#include "catalog_roots.h"
#include "store_clock.h"
#include "store_collect.h"
#include "store_sweep.h"
#include "tiers_open.h"
#include "tiers_settle.h"

#define BATCH 64 /* blobs that are condemned at a time: descriptors that are open */
#define DERIVED_AGE_NS                                                                                       \
    ((int64_t)3600 * 1000000000) /* derived files of a version that may be about to be published */

typedef struct collector {
    store *s;
    const tiers_gc_options *options;
    const base_run *run;
    tiers_gc_totals *totals;
    cistern_status worst; /* the first failure to delete something */
    cistern_error first;
} collector;

static void tell(collector *c, const tiers_gc_item *item)
{
    if (item->busy) {
        c->totals->busy++;
        c->totals->busy_bytes += item->bytes;
    } else {
        c->totals->count[item->kind]++;
        c->totals->bytes[item->kind] += item->bytes;
    }
    if (c->options->fn)
        c->options->fn(c->options->user, item);
}

static void tell_blob(collector *c, const store_condemned *blob)
{
    char hex[BASE_SHA256_HEX];
    base_digest_hex(&blob->blob, hex);
    tell(c, &(tiers_gc_item){.kind = TIERS_GC_BLOB,
                             .name = hex,
                             .bytes = blob->blob_bytes + blob->chunk_bytes + blob->derived_bytes,
                             .busy = blob->busy});
}

/* One that cannot be deleted does not keep the others. */
static void note_failure(collector *c, cistern_status st, const cistern_error *why)
{
    char text[CISTERN_ERROR_TEXT_MAX];
    cistern_error_format(why, text, sizeof text);
    base_log_line(c->run ? c->run->log : NULL, 0, "%s", text);
    if (c->worst == CISTERN_OK) {
        c->worst = st;
        c->first = *why;
    }
}

static void finish_one(collector *c, store_condemned *blob, const catalog_roots *roots, uint64_t roots_at)
{
    cistern_error why = CISTERN_ERROR_INIT;
    if (!roots || base_digests_has(&roots->blobs, &blob->blob)) {
        store_collect_spare(c->s, blob);
        return;
    }
    cistern_status st = store_collect_delete(c->s, blob, roots_at, &why);
    if (st == CISTERN_OK)
        tell_blob(c, blob);
    else
        note_failure(c, st, &why);
}

/* Condemn, read the roots again, delete. */
static cistern_status collect_batch(collector *c, const base_digest *digests, size_t count,
                                    cistern_error *err)
{
    store_condemned blobs[BATCH];
    catalog_roots roots;
    size_t condemned = 0;
    cistern_status st = base_check_cancel(c->run ? c->run->cancel : NULL, err);
    catalog_roots_init(&roots);
    for (size_t i = 0; st == CISTERN_OK && i < count; i++) {
        st = store_collect_condemn(c->s, &digests[i], &blobs[condemned], err);
        if (st == CISTERN_OK && blobs[condemned].busy)
            tell_blob(c, &blobs[condemned]);
        else if (st == CISTERN_OK)
            condemned++;
    }
    uint64_t at = store_collect_clock();
    if (st == CISTERN_OK)
        st = catalog_roots_read(c->s, c->options->keep_removed_ns, &roots, err);
    for (size_t i = 0; i < condemned; i++)
        finish_one(c, &blobs[i], st == CISTERN_OK ? &roots : NULL, at);
    catalog_roots_clear(&roots);
    return st;
}

/* Candidates: what was no root at the first look. */
static cistern_status find_candidates(collector *c, base_digests *out, cistern_error *err)
{
    catalog_roots roots;
    base_digests all;
    catalog_roots_init(&roots);
    base_digests_init(&all);
    cistern_status st = store_collect_list(c->s, &all, err);
    if (st == CISTERN_OK)
        st = catalog_roots_read(c->s, c->options->keep_removed_ns, &roots, err);
    for (size_t i = 0; st == CISTERN_OK && i < all.count; i++)
        if (!base_digests_has(&roots.blobs, &all.item[i]))
            st = base_digests_put(out, &all.item[i], err);
    base_digests_seal(out);
    c->totals->versions = roots.version_count;
    c->totals->kept_removed = roots.kept_removed;
    catalog_roots_clear(&roots);
    base_digests_clear(&all);
    return st;
}

static cistern_status collect_blobs(collector *c, cistern_error *err)
{
    base_digests candidates;
    base_digests_init(&candidates);
    cistern_status st = find_candidates(c, &candidates, err);
    if (st == CISTERN_OK && c->options->dry_run) {
        for (size_t i = 0; i < candidates.count; i++) {
            store_condemned blob;
            store_collect_measure(c->s, &candidates.item[i], &blob);
            tell_blob(c, &blob);
        }
    }
    for (size_t i = 0; st == CISTERN_OK && !c->options->dry_run && i < candidates.count; i += BATCH) {
        size_t left = candidates.count - i;
        st = collect_batch(c, candidates.item + i, left < BATCH ? left : BATCH, err);
    }
    base_digests_clear(&candidates);
    return st;
}

static void tell_waste(void *user, store_waste kind, const char *name, uint64_t bytes, int64_t age_ns)
{
    static const tiers_gc_kind kinds[] = {
        [STORE_WASTE_PARTIAL] = TIERS_GC_PARTIAL,
        [STORE_WASTE_DERIVED] = TIERS_GC_DERIVED,
        [STORE_WASTE_TEMPORARY] = TIERS_GC_TEMPORARY,
    };
    (void)age_ns;
    tell(user, &(tiers_gc_item){.kind = kinds[kind], .name = name, .bytes = bytes});
}

/* Digests whose derived files stay: of what versions refer to, and of every blob that is here (a busy one, a new one). */
static cistern_status keep_derived(collector *c, base_digests *out, cistern_error *err)
{
    catalog_roots roots;
    catalog_roots_init(&roots);
    cistern_status st = store_collect_list(c->s, out, err);
    if (st == CISTERN_OK)
        st = catalog_roots_read(c->s, c->options->keep_removed_ns, &roots, err);
    for (size_t i = 0; st == CISTERN_OK && i < roots.versions.count; i++)
        st = base_digests_put(out, &roots.versions.item[i], err);
    base_digests_seal(out);
    catalog_roots_clear(&roots);
    return st;
}

static cistern_status sweep(collector *c, cistern_error *err)
{
    base_digests keep;
    int64_t age = c->options->partial_age_ns;
    store_sweep work = {.partial_age_ns = age,
                        .derived_age_ns = age < DERIVED_AGE_NS ? age : DERIVED_AGE_NS,
                        .keep = &keep,
                        .dry_run = c->options->dry_run,
                        .fn = tell_waste,
                        .user = c};
    base_digests_init(&keep);
    cistern_status st = keep_derived(c, &keep, err);
    if (st == CISTERN_OK)
        st = store_clock_now(c->s, &work.now, err);
    if (st == CISTERN_OK)
        st = store_sweep_run(c->s, &work, c->run, err);
    base_digests_clear(&keep);
    return st;
}

cistern_status tiers_gc(tiers *t, const tiers_gc_options *options, const base_run *run, tiers_gc_totals *out,
                        cistern_error *err)
{
    collector c = {.options = options, .run = run, .totals = out, .first = CISTERN_ERROR_INIT};
    memset(out, 0, sizeof *out);
    cistern_status st = tiers_local_if_there(t, &c.s, err);
    if (st != CISTERN_OK || !c.s)
        return st;
    if (!options->dry_run)
        st = store_check_write(c.s, err);
    if (st == CISTERN_OK && !options->dry_run)
        st = store_condemn_sweep(c.s, NULL, err);
    if (st == CISTERN_OK)
        st = collect_blobs(&c, err);
    if (st == CISTERN_OK)
        st = sweep(&c, err);
    if (st == CISTERN_OK && c.worst != CISTERN_OK) {
        st = c.worst;
        if (err)
            *err = c.first;
    }
    return st;
}

/* A pin is of use only if the bytes were there after it was put up. */
static cistern_status settle_pin(store *s, const catalog_version *v, const base_run *run, cistern_error *err)
{
    cistern_status st = CISTERN_OK;
    for (size_t i = 0; st == CISTERN_OK && i < v->file_count; i++) {
        store_file file;
        st = tiers_stored_file(v, i, &file, err);
        if (st == CISTERN_OK)
            st = tiers_settle_blob(s, &file, -1, v->files[i].path, run, err);
    }
    return st;
}

cistern_status tiers_pin(tiers *t, const char *reference, const char *why, const base_run *run,
                         catalog_version *out, bool *out_created, cistern_error *err)
{
    catalog_resolved r;
    store *s = NULL;
    bool created = false, ignored;
    catalog_resolved_init(&r);
    cistern_status st = catalog_note_check(why, err);
    if (st == CISTERN_OK)
        st = tiers_resolve(t, reference, &r, err);
    if (st == CISTERN_OK)
        st = tiers_local_for_writing(t, &s, err);
    if (st == CISTERN_OK)
        st = catalog_pin_put(s, r.version.name, r.version.tag, why, &created, err);
    if (st == CISTERN_OK) {
        st = settle_pin(s, &r.version, run, err);
        if (st != CISTERN_OK && created)
            (void)!catalog_pin_remove(s, r.version.name, r.version.tag, &ignored, NULL);
    }
    if (st == CISTERN_OK) {
        *out_created = created;
        catalog_version_take(&r.version, out);
    }
    catalog_resolved_clear(&r);
    return st;
}

/* A removed version cannot be resolved any more, but its pin still has its name. */
static cistern_status find_pinned(tiers *t, const char *reference, catalog_reference *out, cistern_error *err)
{
    catalog_resolved r;
    cistern_error why = CISTERN_ERROR_INIT;
    catalog_resolved_init(&r);
    cistern_status st = catalog_reference_parse(reference, out, err);
    if (st != CISTERN_OK)
        return st;
    st = tiers_resolve(t, reference, &r, &why);
    if (st == CISTERN_OK) {
        memcpy(out->tag, r.version.tag, sizeof out->tag);
    } else if (st == CISTERN_NOT_FOUND && out->tag[0] && !out->digest[0]) {
        st = CISTERN_OK;
    } else if (err) {
        *err = why;
    }
    catalog_resolved_clear(&r);
    return st;
}

cistern_status tiers_unpin(tiers *t, const char *reference, bool *out_removed, cistern_error *err)
{
    catalog_reference ref;
    store *s = NULL;
    cistern_status st = find_pinned(t, reference, &ref, err);
    if (st == CISTERN_OK)
        st = tiers_local(t, &s, err);
    if (st == CISTERN_OK)
        st = store_check_write(s, err);
    return st == CISTERN_OK ? catalog_pin_remove(s, ref.name, ref.tag, out_removed, err) : st;
}
