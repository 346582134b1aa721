/* Pull and add: tiers fetches, the import program reads, tiers commits. */
#include "priv/api_types.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "base_mem.h"
#include "origin_address.h"
#include "tiers_tree.h"
#include "priv/api_argument.h"
#include "priv/api_bring.h"

/* @param out_decoded  NULL: nothing had to be decoded. */
static cistern_status import_fetched(cistern *c, tiers_fetched *f, const base_run *run, model_index **out,
                                     store_derived **out_decoded, cistern_error *err)
{
    store *s = NULL;
    store_derived *decoded = NULL;
    int fd = -1;
    size_t count = tiers_fetch_count(f);
    ingest_file *files = NULL;
    cistern_status st = base_calloc(count, sizeof *files, &files, err);
    for (size_t i = 0; st == CISTERN_OK && i < count; i++) {
        files[i].fd = tiers_fetch_fd(f, i);
        files[i].path = tiers_fetch_path(f, i);
    }
    if (st == CISTERN_OK)
        st = tiers_local_for_writing(c->chain, &s, err);
    if (st == CISTERN_OK)
        st = store_derived_begin_stream(s, &decoded, &fd, err);
    if (st == CISTERN_OK)
        st = api_import(c, files, count, fd, run, out, err);
    if (st == CISTERN_OK && model_index_file_count(*out) > count) {
        *out_decoded = decoded;
        decoded = NULL;
    }
    store_derived_abandon(decoded);
    free(files);
    return st;
}

/* Everything between fetch and end. */
static cistern_status import_and_commit(cistern *c, tiers_fetched *f, const base_run *run,
                                        model_index **out_index, cistern_error *err)
{
    const model_index *index = tiers_fetch_index(f);
    store_derived *decoded = NULL;
    cistern_status st = CISTERN_OK;
    if (!index) {
        st = import_fetched(c, f, run, out_index, &decoded, err);
        index = *out_index;
    }
    if (st == CISTERN_OK)
        st = api_complete_facts(c, index, tiers_fetch_facts(f), 0, err);
    if (st == CISTERN_OK)
        return tiers_commit(f, index, decoded, run, err);
    store_derived_abandon(decoded);
    return st;
}

static void tell_result(const tiers_fetched *f, uint64_t requests, const cistern_version *v,
                        cistern_pull_result *out)
{
    cistern_pull_result result = {.size = sizeof result};
    static const cistern_pull_outcome outcomes[] = {
        [TIERS_HIT] = CISTERN_PULL_HIT,         [TIERS_UNCHANGED] = CISTERN_PULL_UNCHANGED,
        [TIERS_FETCHED] = CISTERN_PULL_FETCHED, [TIERS_RECORDED] = CISTERN_PULL_RECORDED,
        [TIERS_SAME] = CISTERN_PULL_SAME,
    };
    result.outcome = outcomes[tiers_fetch_outcome(f)];
    result.requests = requests;
    result.bytes_received = tiers_fetch_received(f);
    result.bytes_resumed = tiers_fetch_resumed(f);
    result.note = v->note;
    api_sized_give(&result, sizeof result, out);
}

/* Fetch, import, commit; once more after a process that took the fetch over, which then brings it in or has done so. */
static cistern_status fetch_and_commit(cistern *c, const tiers_request *request, const base_run *run,
                                       tiers_fetched **out, model_index **out_index, cistern_error *err)
{
    for (int tries = 1;; tries++) {
        cistern_status st = tiers_fetch(c->chain, request, run, out, err);
        if (st == CISTERN_OK && !tiers_fetch_version(*out))
            st = import_and_commit(c, *out, run, out_index, err);
        if (st == CISTERN_OK || st == CISTERN_CANCELLED || tries == TIERS_TAKEN_OVER_MAX || !*out ||
            !tiers_fetch_taken_over(*out))
            return st;
        tiers_fetch_end(*out, CISTERN_CANCELLED, NULL);
        *out = NULL;
        model_index_free(*out_index);
        *out_index = NULL;
        base_error_clear(err);
    }
}

cistern_status api_bring(cistern *c, const tiers_request *request, const cistern_call *call,
                         cistern_pull_result *result, cistern_version **out, cistern_error *err)
{
    api_forward forward;
    base_run run;
    tiers_fetched *f = NULL;
    model_index *index = NULL;
    catalog_version version;
    uint64_t before, after, bytes;
    cistern_error local = CISTERN_ERROR_INIT;
    cistern_status st;
    if (!err)
        err = &local; /* those who wait want the text */
    st = api_run_init(c, call, &forward, &run, err);
    if (st == CISTERN_OK)
        st = api_sized_check(result, "cistern_pull_result", err);
    if (st != CISTERN_OK)
        return st;
    tiers_traffic(c->chain, &before, &bytes);
    st = fetch_and_commit(c, request, &run, &f, &index, err);
    catalog_version_init(&version);
    if (st == CISTERN_OK) {
        tiers_fetch_take_version(f, &version);
        st = api_version_new(c, &version, index, out, err);
    }
    tiers_traffic(c->chain, &after, &bytes);
    if (st == CISTERN_OK) {
        snprintf((*out)->note, sizeof(*out)->note, "%s", tiers_fetch_note(f));
        if (result)
            tell_result(f, after - before, *out, result);
    }
    tiers_fetch_end(f, st, err);
    catalog_version_clear(&version);
    model_index_free(index);
    return st;
}

/* Which model and version `as` means. */
static cistern_status take_as(const char *as, api_wanted *out, cistern_error *err)
{
    cistern_status st = catalog_reference_parse(as, &out->name, err);
    if (st == CISTERN_OK && out->name.digest[0])
        st = base_fail(err, CISTERN_USAGE, "'%s': NAME or NAME:VERSION is expected, without a digest", as);
    if (st == CISTERN_OK && strcmp(out->name.tag, CATALOG_LATEST) == 0)
        st = base_fail(err, CISTERN_CONFLICT,
                       "'%s': " CATALOG_LATEST " is an alias that every new version moves; leave it out", as);
    if (st != CISTERN_OK)
        return st;
    out->request.name = out->name.name;
    out->request.tag = out->name.tag[0] ? out->name.tag : NULL;
    return st;
}

cistern_status api_wanted_init(const cistern_pull_options *options, api_wanted *out, cistern_error *err)
{
    static const cistern_pull_options defaults = CISTERN_PULL_OPTIONS_INIT;
    const cistern_pull_options *o = &out->options;
    memset(out, 0, sizeof *out);
    out->options = defaults;
    cistern_status st =
        api_sized_take(options, &out->options, sizeof out->options, "cistern_pull_options", err);
    if (st == CISTERN_OK)
        st = api_declared_facts(o, &out->declared, err);
    if (st != CISTERN_OK)
        return st;
    out->request.declared = &out->declared;
    if (o->as)
        st = take_as(o->as, out, err);
    if (st == CISTERN_OK && o->sha256) {
        if (!base_digest_parse(o->sha256, &out->digest))
            return base_fail(err, CISTERN_USAGE, "'%s' is not a SHA-256: 64 lower-case hexadecimal digits",
                             o->sha256);
        out->request.sha256 = &out->digest;
    }
    if (st == CISTERN_OK)
        st = catalog_note_check(o->why, err); /* before anything is transferred */
    if (st != CISTERN_OK)
        return st;
    out->request.update = o->update != 0;
    out->request.ignore_name_digest = o->ignore_name_digest != 0;
    out->request.config = o->config;
    out->request.why = o->why;
    return CISTERN_OK;
}

void api_wanted_clear(api_wanted *wanted)
{
    if (wanted->request.declared)
        model_facts_clear(&wanted->declared);
}

/* Files and directories of the user's become one version. */
static cistern_status bring_paths(cistern *c, const char *const *paths, size_t count, tiers_request *request,
                                  const cistern_call *call, cistern_pull_result *result,
                                  cistern_version **out, cistern_error *err)
{
    tiers_tree tree;
    cistern_status st = CISTERN_OK;
    tiers_tree_init(&tree);
    request->paths = paths;
    request->path_count = count;
    if (tiers_tree_needed(paths, count)) {
        st = tiers_tree_expand(paths, count, &tree, err);
        request->paths = (const char *const *)tree.paths;
        request->names = (const char *const *)tree.names;
        request->fds = tree.fds;
        request->path_count = tree.count;
    }
    if (st == CISTERN_OK)
        st = api_bring(c, request, call, result, out, err);
    tiers_tree_clear(&tree);
    return st;
}

static cistern_status pull_directory(cistern *c, const char *path, api_wanted *wanted,
                                     const cistern_call *call, cistern_pull_result *result,
                                     cistern_version **out, cistern_error *err)
{
    if (!wanted->options.as)
        return base_fail(err, CISTERN_USAGE, "'%s' is a directory, which needs a name: --as NAME", path);
    if (wanted->options.update)
        return base_fail(err, CISTERN_USAGE, "'%s' is a directory, which cannot be asked whether it changed",
                         path);
    return bring_paths(c, &path, 1, &wanted->request, call, result, out, err);
}

cistern_status cistern_pull(cistern *c, const char *origin, const cistern_pull_options *options,
                            const cistern_call *call, cistern_pull_result *result, cistern_version **out,
                            cistern_error *err)
{
    api_wanted wanted;
    bool is_path = false, directory;
    cistern_status st = api_wanted_init(options, &wanted, err);
    if (st == CISTERN_OK)
        st = api_argument_is_path(c, origin, &is_path, err);
    directory = st == CISTERN_OK && is_path && tiers_tree_needed(&origin, 1);
    if (st == CISTERN_OK && !is_path && !origin_address_is(origin)) {
        wanted.request.reference = origin;
        if (wanted.request.name)
            st = base_fail(err, CISTERN_USAGE,
                           "'%s' is a reference, which has its name already: leave --as out", origin);
    } else if (!directory) {
        wanted.request.origin = origin;
    }
    if (st == CISTERN_OK)
        st = directory ? pull_directory(c, origin, &wanted, call, result, out, err)
                       : api_bring(c, &wanted.request, call, result, out, err);
    api_wanted_clear(&wanted);
    return st;
}

cistern_status cistern_add(cistern *c, const char *const *paths, size_t count,
                           const cistern_pull_options *options, const cistern_call *call,
                           cistern_pull_result *result, cistern_version **out, cistern_error *err)
{
    api_wanted wanted;
    cistern_status st;
    if (count == 0)
        return base_fail(err, CISTERN_USAGE, "no file is given");
    st = api_wanted_init(options, &wanted, err);
    if (st == CISTERN_OK && !wanted.options.as)
        st = base_fail(err, CISTERN_USAGE, "a name is needed: --as NAME");
    if (st == CISTERN_OK)
        st = bring_paths(c, paths, count, &wanted.request, call, result, out, err);
    api_wanted_clear(&wanted);
    return st;
}
