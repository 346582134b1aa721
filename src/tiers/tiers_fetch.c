/* Fetching: look, ask the origin if that is wanted, win the claim, look again, copy.
 *
 *   look ──hit──> update? ──no──> done                 claims: store_fetch.h
 *    │              └─yes──> ask ──unchanged──> done
 *    │                        └─changed (that version is no hit any more)
 *    v
 *   begin ──another fetched it──> look
 *    │ won
 *    v
 *   look ──hit──> done
 *    v
 *   copy ──> name's digest ──> config.json ──> files are ready for the caller to import
 *
 * Local files: tiers_add.c.
 */
#include "priv/tiers_fetched.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "base_mem.h"
#include "net_retry.h"

cistern_status tiers_files_make(tiers_fetched *f, size_t n, cistern_error *err)
{
    cistern_status st;
    tiers_files_end(f, CISTERN_OK, NULL);
    st = base_calloc(n, sizeof *f->files, &f->files, err);
    for (size_t i = 0; st == CISTERN_OK && i < n; i++)
        f->files[i].fd = -1;
    f->file_count = st == CISTERN_OK ? n : 0;
    return st;
}

void tiers_files_end(tiers_fetched *f, cistern_status status, const cistern_error *why)
{
    for (size_t i = 0; i < f->file_count; i++) {
        store_fetch_end(f->files[i].claim, status, why);
        if (f->files[i].fd >= 0)
            close(f->files[i].fd);
        free(f->files[i].path);
    }
    free(f->files);
    f->files = NULL;
    f->file_count = 0;
}

void tiers_fetch_end(tiers_fetched *f, cistern_status status, const cistern_error *why)
{
    if (!f)
        return;
    tiers_files_end(f, status, why);
    model_index_free(f->index);
    model_facts_clear(&f->facts);
    catalog_version_clear(&f->version);
    origin_address_free(f->address);
    free(f);
}

/* Ask the origin of a hit whether it changed: one conditional request. */
static cistern_status ask_origin(tiers_fetched *f, const base_run *run, bool *out_unchanged,
                                 cistern_error *err)
{
    const char *origin = origin_address_normalised(f->address);
    const char *validator = "";
    net_source *source = NULL;
    net_answer answer = {0};
    catalog_origin_hint hint;
    bool found = false, dated;
    store *s = NULL;
    cistern_status st = tiers_local(f->chain, &s, err);
    catalog_origin_hint_init(&hint);
    if (st == CISTERN_OK)
        st = catalog_origin_read(s, f->name.name, origin, &hint, &found, err);
    if (st == CISTERN_OK && found && hint.file_count == 1 && strcmp(hint.version, f->version.tag) == 0)
        validator = hint.files[0].validator;
    if (st == CISTERN_OK)
        st = origin_address_source(f->address, tiers_access(f->chain), &source, err);
    dated = strncmp(validator, TIERS_LAST_MODIFIED, sizeof TIERS_LAST_MODIFIED - 1) == 0;
    if (st == CISTERN_OK)
        st = net_retry_revalidate(source, dated ? NULL : validator,
                                  dated ? validator + sizeof TIERS_LAST_MODIFIED - 1 : NULL, run, &answer,
                                  err);
    if (st == CISTERN_OK)
        *out_unchanged = answer.unchanged;
    net_source_free(source);
    catalog_origin_hint_clear(&hint);
    return st;
}

static cistern_status check_online(const tiers_fetched *f, const char *what, cistern_error *err)
{
    if (!tiers_offline(f->chain) || origin_address_kind(f->address) == ORIGIN_FILE)
        return CISTERN_OK;
    return base_fail(err, CISTERN_OFFLINE,
                     "%s %s, and no request is made offline: run it again without --offline",
                     origin_address_shown(f->address), what);
}

/* A hit, and the user wants to know whether it is still what the origin has. */
static cistern_status update_hit(tiers_fetched *f, const base_run *run, cistern_error *err)
{
    bool unchanged = false;
    cistern_status st = check_online(f, "cannot be asked whether it changed", err);
    if (st == CISTERN_OK)
        st = ask_origin(f, run, &unchanged, err);
    if (st != CISTERN_OK)
        return st;
    if (unchanged) {
        f->outcome = TIERS_UNCHANGED;
        return CISTERN_OK;
    }
    memcpy(f->seen, f->version.tag, sizeof f->seen);
    catalog_version_clear(&f->version);
    f->has_version = false;
    f->note[0] = 0;
    return CISTERN_OK;
}

/* Win the claim, unless another process brings the model in meanwhile: then f is a hit. */
static cistern_status win_claim(tiers_fetched *f, store *s, const base_run *run, store_fetch **out,
                                cistern_error *err)
{
    const char *origin = origin_address_normalised(f->address);
    base_digest key;
    cistern_status st = store_fetch_key(f->has_expected ? &f->expected : NULL, origin, &key, err);
    while (st == CISTERN_OK) {
        store_fetch *claim = NULL;
        st = store_fetch_begin(s, &key, tiers_wait_ms(f->chain), run, &claim, err);
        if (st == CISTERN_OK)
            st = tiers_look(f, run, err);
        if (st == CISTERN_OK && claim && !f->has_version && f->file_count == 0) {
            *out = claim;
            return CISTERN_OK;
        }
        store_fetch_end(claim, st, err);
        if (f->has_version || f->file_count > 0)
            break;
    }
    return st;
}

/* The service that keeps the file says what its bytes are. */
static cistern_status check_told_digest(const tiers_fetched *f, const store_fetch_got *got,
                                        cistern_error *err)
{
    char told[BASE_SHA256_HEX], hex[BASE_SHA256_HEX];
    if (!got->stat.has_sha256 || base_digest_equal(&got->stat.sha256, &got->file.sha256))
        return CISTERN_OK;
    base_digest_hex(&got->stat.sha256, told);
    base_digest_hex(&got->file.sha256, hex);
    return base_fail(err, CISTERN_DAMAGED,
                     "%s: the service keeps the SHA-256 %s, what came has %s; nothing was stored",
                     origin_address_shown(f->address), told, hex);
}

/* The claim is won: bring the bytes in. */
static cistern_status copy_file(tiers_fetched *f, store_fetch *claim, const base_run *run, cistern_error *err)
{
    store_fetch_want want = STORE_FETCH_WANT_INIT;
    store_fetch_got got = {0};
    net_source *source = NULL;
    tiers_file *file;
    cistern_status st = tiers_files_make(f, 1, err);
    if (st != CISTERN_OK) {
        store_fetch_end(claim, st, err);
        return st;
    }
    file = &f->files[0];
    file->claim = claim;
    want.sha256 = f->has_expected ? &f->expected : NULL;
    want.parallel = tiers_parallel(f->chain);
    st = origin_address_source(f->address, tiers_access(f->chain), &source, err);
    if (st == CISTERN_OK)
        st = store_fetch_copy(claim, source, &want, run, &got, err);
    if (st == CISTERN_OK && net_source_published(source) && run)
        base_log_line(run->log, 1, "%s came from its mirror %s", net_source_published(source),
                      net_source_shown(source));
    net_source_free(source);
    if (st != CISTERN_OK)
        return st;
    file->file = got.file;
    file->stat = got.stat;
    f->received += got.transferred;
    f->resumed += got.resumed;
    if (origin_address_kind(f->address) != ORIGIN_FILE)
        tiers_add_received(f->chain, got.transferred);
    st = check_told_digest(f, &got, err);
    if (st == CISTERN_OK)
        st = tiers_check_promise(f, &got.file, store_fetch_fd(claim), run, err);
    if (st != CISTERN_OK)
        store_fetch_drop(claim);
    return st;
}

/* The file's name inside the version. */
static cistern_status name_file(tiers_fetched *f, cistern_error *err)
{
    const char *name = origin_address_file_name(f->address);
    if (catalog_path_check(name, NULL) != CISTERN_OK)
        name = f->files[0].stat.file_name;
    if (catalog_path_check(name, NULL) != CISTERN_OK)
        name = "weights";
    return base_strdup(name, &f->files[0].path, err);
}

bool tiers_fetch_taken_over(const tiers_fetched *f)
{
    for (size_t i = 0; i < f->file_count; i++) {
        if (f->files[i].claim && store_fetch_taken_over(f->files[i].claim))
            return true;
    }
    return false;
}

/* Win the claim and copy; after a claim that was lost meanwhile once more, which waits for whoever has it now.
 * @param out_copied  false: it was brought in by another process. */
static cistern_status win_and_copy(tiers_fetched *f, store *s, const base_run *run, bool *out_copied,
                                   cistern_error *err)
{
    for (int tries = 1;; tries++) {
        store_fetch *claim = NULL;
        cistern_status st = win_claim(f, s, run, &claim, err);
        *out_copied = claim != NULL;
        if (st != CISTERN_OK || !claim)
            return st;
        st = copy_file(f, claim, run, err);
        if (st == CISTERN_OK || st == CISTERN_CANCELLED || tries == TIERS_TAKEN_OVER_MAX ||
            !tiers_fetch_taken_over(f))
            return st;
        tiers_files_end(f, CISTERN_CANCELLED, NULL);
        base_error_clear(err);
    }
}

static cistern_status bring_in(tiers_fetched *f, const base_run *run, cistern_error *err)
{
    store *s = NULL;
    bool copied = false;
    cistern_status st = check_online(f, "is not here", err);
    if (st == CISTERN_OK)
        st = tiers_local_for_writing(f->chain, &s, err);
    if (st == CISTERN_OK)
        st = catalog_publish_check_home(s, f->name.name, err);
    if (st == CISTERN_OK)
        st = win_and_copy(f, s, run, &copied, err);
    if (st != CISTERN_OK || !copied)
        return st;
    if (st == CISTERN_OK)
        st = name_file(f, err);
    if (st == CISTERN_OK && !f->request.config)
        st = tiers_config_read(f->chain, NULL, f->address, run, &f->facts, err);
    f->outcome = TIERS_FETCHED;
    return st;
}

/* A config that the user named declares facts before anything is looked up; one behind a URL is not asked for again when
 * the model is here, because a hit makes no request. */
static cistern_status read_named_config(tiers_fetched *f, const base_run *run, cistern_error *err)
{
    const char *spec = f->request.config;
    bool remote = spec && (strncmp(spec, "http://", 7) == 0 || strncmp(spec, "https://", 8) == 0 ||
                           strncmp(spec, "s3://", 5) == 0);
    cistern_status st = CISTERN_OK;
    if (!spec)
        return CISTERN_OK;
    if (remote && !f->request.update)
        st = tiers_look(f, run, err);
    if (st != CISTERN_OK || f->has_version)
        return st;
    tiers_files_end(f, CISTERN_OK, NULL);
    return tiers_config_read(f->chain, spec, NULL, run, &f->facts, err);
}

static cistern_status fetch_origin(tiers_fetched *f, const base_run *run, cistern_error *err)
{
    cistern_status st = read_named_config(f, run, err);
    if (st == CISTERN_OK && !f->has_version)
        st = tiers_look(f, run, err);
    if (st == CISTERN_OK && f->has_version && f->request.update)
        st = update_hit(f, run, err);
    if (st == CISTERN_OK && !f->has_version && f->file_count == 0)
        st = bring_in(f, run, err);
    return st;
}

/* pull REF: here it is (or, with other facts, its bytes); with update its recorded origin is asked. */
static cistern_status fetch_resolved(tiers_fetched *f, catalog_version *v, const base_run *run,
                                     cistern_error *err)
{
    store *s = NULL;
    bool here = false;
    cistern_status st = CISTERN_OK;
    memcpy(f->name.name, v->name, sizeof f->name.name);
    if (!v->origin && f->request.update)
        return base_fail(err, CISTERN_USAGE, "%s:%s was added from local files: it has no origin to ask",
                         v->name, v->tag);
    if (f->has_expected && !tiers_expected_digest(f, v))
        return base_fail(err, CISTERN_DAMAGED, "%s:%s has the digest %s, which is not the expected one",
                         v->name, v->tag, v->digest);
    if (v->origin)
        st = origin_address_parse(v->origin, &f->address, err);
    if (st == CISTERN_OK && f->request.update)
        return fetch_origin(f, run, err);
    if (st == CISTERN_OK)
        st = tiers_local(f->chain, &s, err);
    if (st == CISTERN_OK && f->request.config)
        st = tiers_config_read(f->chain, f->request.config, NULL, run, &f->facts, err);
    if (st == CISTERN_OK)
        st = tiers_look_version(f, s, v, run, &here, err);
    if (st == CISTERN_OK && !here)
        st = base_fail(err, CISTERN_DAMAGED,
                       "bytes of %s:%s are not in the store; fetch them again with: cistern pull %s --as %s",
                       v->name, v->tag, v->origin ? v->origin : "ADDRESS", v->name);
    return st;
}

static cistern_status fetch_reference(tiers_fetched *f, const base_run *run, cistern_error *err)
{
    catalog_resolved r;
    cistern_status st;
    catalog_resolved_init(&r);
    st = tiers_resolve(f->chain, f->request.reference, &r, err);
    if (st == CISTERN_OK)
        st = fetch_resolved(f, &r.version, run, err);
    catalog_resolved_clear(&r);
    return st;
}

static cistern_status take_name(tiers_fetched *f, const tiers_request *r, cistern_error *err)
{
    char *name = NULL;
    cistern_status st = CISTERN_OK;
    if (r->name)
        st = catalog_name_check(r->name, err);
    else if (f->address)
        st = origin_address_default_name(f->address, &name, err);
    else
        st = base_fail(err, CISTERN_USAGE, "a name is needed: --as NAME");
    if (st == CISTERN_OK && r->tag)
        st = catalog_tag_check(r->tag, err);
    if (st == CISTERN_OK) {
        snprintf(f->name.name, sizeof f->name.name, "%s", r->name ? r->name : name);
        snprintf(f->name.tag, sizeof f->name.tag, "%s", r->tag ? r->tag : "");
    }
    free(name);
    return st;
}

static cistern_status fetch_new(tiers *t, const tiers_request *r, tiers_fetched **out, cistern_error *err)
{
    tiers_fetched *f = NULL;
    cistern_status st = base_calloc(1, sizeof *f, &f, err);
    if (st != CISTERN_OK)
        return st;
    f->chain = t;
    f->request = *r;
    catalog_version_init(&f->version);
    model_facts_init(&f->facts);
    f->has_expected = r->sha256 != NULL;
    if (r->sha256)
        f->expected = *r->sha256;
    st = model_facts_copy(r->declared, &f->facts, err);
    if (st == CISTERN_OK && r->origin)
        st = origin_address_parse(r->origin, &f->address, err);
    if (st == CISTERN_OK && !r->reference)
        st = take_name(f, r, err);
    if (st != CISTERN_OK) {
        tiers_fetch_end(f, st, err);
        return st;
    }
    *out = f;
    return CISTERN_OK;
}

/* What the table of published files knows of the bytes, if it knows them. */
static cistern_status merge_published(tiers_fetched *f, cistern_error *err)
{
    const model_published *row = NULL;
    model_facts known;
    char hex[BASE_SHA256_HEX];
    cistern_status st;
    if (f->has_version || f->file_count != 1)
        return CISTERN_OK;
    base_digest_hex(&f->files[0].file.sha256, hex);
    row = f->published ? f->published : model_published_by_digest(hex, f->files[0].file.size);
    if (!row)
        return CISTERN_OK;
    st = model_published_facts(row, &known, err);
    if (st == CISTERN_OK)
        st = model_facts_merge(&f->facts, &known, err);
    model_facts_clear(&known);
    return st;
}

cistern_status tiers_fetch(tiers *t, const tiers_request *request, const base_run *run, tiers_fetched **out,
                           cistern_error *err)
{
    tiers_fetched *f = NULL;
    cistern_status st = fetch_new(t, request, &f, err);
    if (st != CISTERN_OK)
        return st;
    if (request->reference)
        st = fetch_reference(f, run, err);
    else if (request->path_count > 0)
        st = tiers_add_paths(f, run, err);
    else
        st = fetch_origin(f, run, err);
    if (st == CISTERN_OK)
        st = merge_published(f, err);
    if (st != CISTERN_OK) {
        tiers_fetch_end(f, st, err);
        return st;
    }
    *out = f;
    return CISTERN_OK;
}

const catalog_version *tiers_fetch_version(const tiers_fetched *f)
{
    return f->has_version ? &f->version : NULL;
}

void tiers_fetch_take_version(tiers_fetched *f, catalog_version *out)
{
    assert(f->has_version);
    catalog_version_take(&f->version, out);
    f->has_version = false;
}

tiers_outcome tiers_fetch_outcome(const tiers_fetched *f)
{
    return f->outcome;
}

uint64_t tiers_fetch_received(const tiers_fetched *f)
{
    return f->received;
}

uint64_t tiers_fetch_resumed(const tiers_fetched *f)
{
    return f->resumed;
}

const char *tiers_fetch_note(const tiers_fetched *f)
{
    return f->note;
}

size_t tiers_fetch_count(const tiers_fetched *f)
{
    return f->file_count;
}

int tiers_fetch_fd(const tiers_fetched *f, size_t i)
{
    return f->files[i].fd >= 0 ? f->files[i].fd : store_fetch_fd(f->files[i].claim);
}

const char *tiers_fetch_path(const tiers_fetched *f, size_t i)
{
    return f->files[i].path;
}

model_facts *tiers_fetch_facts(tiers_fetched *f)
{
    return &f->facts;
}

const model_index *tiers_fetch_index(const tiers_fetched *f)
{
    return f->index;
}
