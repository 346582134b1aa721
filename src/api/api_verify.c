/* Reading every byte again: the files of versions, and what was made here from them.
 *
 *   a version's file   right? ──no, repair──> its damaged chunks from its origin ──> read again
 *   a derived file     right? ──no, repair──> removed, made again from the version's files ──> read again
 *
 * Opening a model reads neither: it believes the record of a blob, and of a derived file header, owner and length.
 */
#include "priv/api_types.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base_mem.h"
#include "store_derived.h"
#include "tiers_open.h"
#include "tiers_repair.h"

typedef struct verify_run {
    cistern *c;
    const base_run *run;
    cistern_verify_fn fn;
    void *user;
    bool repair;
    cistern_cancel *cancel;
    cistern_status worst; /* the first failure's */
    cistern_error first;
} verify_run;

/* What was found is told together with why it could not be mended. */
static void repair_file(verify_run *run, const catalog_version *v, size_t i, cistern_verify_result *result,
                        cistern_error *why)
{
    cistern_error failed = CISTERN_ERROR_INIT;
    tiers_repaired repaired;
    char text[CISTERN_ERROR_TEXT_MAX];
    cistern_status st = tiers_repair_file(run->c->chain, v, i, run->run, &repaired, &failed);
    if (st == CISTERN_OK)
        st = tiers_verify_file(run->c->chain, v, i, run->run, &failed);
    if (st == CISTERN_OK) {
        cistern_error_format(why, text, sizeof text);
        base_log_line(run->run->log, 1, "%s", text);
        base_error_clear(why);
        result->status = CISTERN_OK;
        result->repaired = 1;
        result->received = repaired.received;
        return;
    }
    cistern_error_format(&failed, text, sizeof text);
    if (st == CISTERN_CANCELLED) {
        result->status = st;
        *why = failed;
    } else {
        (void)base_frame(why, result->status, "%.250s", text);
    }
}

/* Tell it, remember the first failure. */
static cistern_status take_result(verify_run *run, cistern_verify_result *result, const cistern_error *why)
{
    char message[CISTERN_ERROR_TEXT_MAX];
    cistern_error_format(why, message, sizeof message);
    result->message = message;
    if (run->fn && result->status != CISTERN_CANCELLED)
        run->fn(run->user, result);
    if (result->status == CISTERN_NOT_FOUND)
        result->status = CISTERN_DAMAGED; /* something refers to it */
    if (result->status != CISTERN_OK && run->worst == CISTERN_OK) {
        run->worst = result->status;
        run->first = *why;
        run->first.status = result->status;
    }
    return result->status == CISTERN_CANCELLED ? result->status : CISTERN_OK;
}

static cistern_status verify_file(verify_run *run, const catalog_version *v, size_t i)
{
    char reference[CATALOG_REFERENCE_TEXT_MAX];
    cistern_error why = CISTERN_ERROR_INIT;
    cistern_verify_result result = {.size = sizeof result,
                                    .reference = reference,
                                    .path = v->files[i].path,
                                    .sha256 = v->files[i].sha256,
                                    .bytes = v->files[i].size};
    catalog_version_text(v, reference);
    result.status = tiers_verify_file(run->c->chain, v, i, run->run, &why);
    if (run->repair && (result.status == CISTERN_DAMAGED || result.status == CISTERN_NOT_FOUND))
        repair_file(run, v, i, &result, &why);
    return take_result(run, &result, &why);
}

/* -- derived files ------------------------------------------------------------------------------------------ */

typedef struct derived_name {
    store_derived_key key; /* texts point into kind and layout */
    char kind[STORE_DERIVED_TEXT_MAX + 1], layout[STORE_DERIVED_TEXT_MAX + 1];
} derived_name;

/* What there is, read before anything is removed or made again. */
typedef struct derived_list {
    derived_name *at;
    size_t count, capacity;
} derived_list;

static cistern_status take_derived(void *user, const store_derived_key *key, cistern_error *err)
{
    derived_list *list = user;
    if (list->count == list->capacity) {
        size_t capacity = list->capacity ? 2 * list->capacity : 8;
        derived_name *grown = NULL;
        cistern_status st = base_calloc(capacity, sizeof *grown, &grown, err);
        if (st != CISTERN_OK)
            return st;
        if (list->count)
            memcpy(grown, list->at, list->count * sizeof *grown);
        free(list->at);
        list->at = grown;
        list->capacity = capacity;
    }
    derived_name *name = &list->at[list->count++];
    name->key = *key;
    snprintf(name->kind, sizeof name->kind, "%s", key->kind);
    snprintf(name->layout, sizeof name->layout, "%s", key->layout);
    return CISTERN_OK;
}

/* Opening makes the tensor index and decoded tensors again, preparing packed weights: those of this machine's kernels.
 * Others are made by whoever needs them. */
static cistern_status make_again(verify_run *run, const char *reference, const char *kind, cistern_error *err)
{
    cistern_model *m = NULL;
    cistern_call call = {.size = sizeof call, .cancel = run->cancel};
    cistern_status st = cistern_model_open(run->c, reference, &call, &m, err);
    cistern_model_free(m);
    if (st == CISTERN_OK && strcmp(kind, "packed") == 0)
        st = cistern_prepare(run->c, reference, &call, NULL, err);
    return st;
}

static void repair_derived(verify_run *run, store *s, const derived_name *name, cistern_verify_result *result,
                           store_derived_report *report, cistern_error *why)
{
    cistern_error failed = CISTERN_ERROR_INIT;
    char text[CISTERN_ERROR_TEXT_MAX];
    cistern_status st = store_derived_drop(s, &name->key, &failed);
    if (st == CISTERN_OK)
        st = make_again(run, result->reference, name->kind, &failed);
    if (st == CISTERN_OK)
        st = store_derived_verify(s, &name->key, run->run, report, &failed);
    if (st == CISTERN_NOT_FOUND) /* of another release or machine: it is gone, which is all that it takes */
        st = CISTERN_OK;
    cistern_error_format(st == CISTERN_OK ? why : &failed, text, sizeof text);
    if (st == CISTERN_OK) {
        base_log_line(run->run->log, 1, "%s", text);
        base_error_clear(why);
        result->status = CISTERN_OK;
        result->repaired = 1;
    } else if (st == CISTERN_CANCELLED) {
        result->status = st;
        *why = failed;
    } else {
        (void)base_frame(why, result->status, "cannot make it again: %.220s", text);
    }
}

static cistern_status verify_derived(verify_run *run, store *s, const catalog_version *v,
                                     const derived_name *name)
{
    char reference[CATALOG_REFERENCE_TEXT_MAX], path[STORE_DERIVED_PATH_MAX], hex[BASE_SHA256_HEX];
    cistern_error why = CISTERN_ERROR_INIT;
    store_derived_report report;
    cistern_verify_result result = {
        .size = sizeof result, .reference = reference, .path = path, .sha256 = hex, .derived = 1};
    catalog_version_text(v, reference);
    store_derived_path(&name->key, path);
    result.status = store_derived_verify(s, &name->key, run->run, &report, &why);
    if (result.status == CISTERN_NOT_FOUND) /* removed or replaced by another process meanwhile */
        return CISTERN_OK;
    if (run->repair && result.status == CISTERN_DAMAGED)
        repair_derived(run, s, name, &result, &report, &why);
    base_digest_hex(&report.sha256, hex);
    result.bytes = report.size;
    return take_result(run, &result, &why);
}

static cistern_status verify_all_derived(verify_run *run, const catalog_version *v, cistern_error *err)
{
    derived_list list = {0};
    base_digest source;
    store *s = NULL;
    cistern_status st = tiers_local(run->c->chain, &s, err);
    if (st == CISTERN_OK && !base_digest_parse(v->digest, &source))
        st = base_fail(err, CISTERN_UNEXPECTED, "'%s' is not a digest", v->digest);
    if (st == CISTERN_OK)
        st = store_derived_each(s, &source, take_derived, &list, err);
    for (size_t i = 0; st == CISTERN_OK && i < list.count; i++) {
        list.at[i].key.kind = list.at[i].kind;
        list.at[i].key.layout = list.at[i].layout;
        st = verify_derived(run, s, v, &list.at[i]);
    }
    free(list.at);
    return st;
}

/* ------------------------------------------------------------------------------------------------------------ */

static cistern_status verify_version(verify_run *run, const catalog_version *v, cistern_error *err)
{
    cistern_status st = CISTERN_OK;
    for (size_t i = 0; st == CISTERN_OK && i < v->file_count; i++)
        st = verify_file(run, v, i);
    return st == CISTERN_OK ? verify_all_derived(run, v, err) : st;
}

static cistern_status verify_model(void *user, const char *name, cistern_error *err)
{
    verify_run *run = user;
    catalog_listing listing;
    store *s = NULL;
    cistern_status st = tiers_local(run->c->chain, &s, err);
    catalog_listing_init(&listing);
    if (st == CISTERN_OK)
        st = catalog_list(s, name, &listing, err);
    for (size_t i = 0; st == CISTERN_OK && i < listing.version_count; i++) {
        if (!listing.versions[i].removed)
            st = verify_version(run, &listing.versions[i].version, err);
    }
    catalog_listing_clear(&listing);
    return st;
}

static cistern_status verify_all(cistern *c, const char *reference, const cistern_call *call,
                                 cistern_verify_fn fn, void *user, bool repair, cistern_error *err)
{
    api_forward forward;
    base_run run;
    verify_run verify = {.c = c, .run = &run, .fn = fn, .user = user, .repair = repair};
    catalog_resolved r;
    store *s = NULL;
    cistern_status st = api_run_init(c, call, &forward, &run, err);
    if (st != CISTERN_OK)
        return st;
    verify.cancel = forward.call.cancel;
    catalog_resolved_init(&r);
    if (reference) {
        st = tiers_resolve(c->chain, reference, &r, err);
        if (st == CISTERN_OK)
            st = verify_version(&verify, &r.version, err);
    } else {
        st = tiers_local_if_there(c->chain, &s, err);
        if (st == CISTERN_OK && s)
            st = catalog_model_each(s, verify_model, &verify, err);
    }
    catalog_resolved_clear(&r);
    if (verify.worst != CISTERN_OK && (st == CISTERN_OK || st == CISTERN_CANCELLED)) {
        if (err)
            *err = verify.first;
        return verify.worst;
    }
    return st;
}

cistern_status cistern_verify(cistern *c, const char *reference, const cistern_call *call,
                              cistern_verify_fn fn, void *user, cistern_error *err)
{
    return verify_all(c, reference, call, fn, user, false, err);
}

cistern_status cistern_repair(cistern *c, const char *reference, const cistern_call *call,
                              cistern_verify_fn fn, void *user, cistern_error *err)
{
    return verify_all(c, reference, call, fn, user, true, err);
}
