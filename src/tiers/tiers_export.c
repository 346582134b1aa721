/* Writing numbered versions into a directory with metadata.json; see tiers_export.h.
 *
 *     for each version: its entry's file has these bytes? ──yes──> nothing to do
 *                         │ no (an entry with other bytes needs --force)
 *                         v
 *                       the file's own name ──taken by other bytes──> NAME-v<number> ──taken──> conflict
 *     metadata.json at the end, if an entry changed
 */
#include "tiers_export.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "base_json.h"
#include "base_mem.h"
#include "catalog_list.h"
#include "priv/tiers_placing.h"
#include "tiers_directory.h"

typedef struct export
{
    tiers *chain;
    const char *directory;
    const tiers_place *how;
    const base_run *run;
    tiers_placed_fn fn;
    void *user;
    int root;
    json_t *entries; /* of metadata.json: what was there, and what is added */
    bool changed;
    cistern_status worst; /* the first failure's */
    cistern_error first;
}
export;

static cistern_status read_entries(export *x, cistern_error *err)
{
    base_buf text;
    base_buf_init(&text, BASE_JSON_MAX);
    cistern_status st = base_read_beneath(x->root, TIERS_DIRECTORY_METADATA, &text, err);
    if (st == CISTERN_OK)
        st = base_json_parse(text.data ? text.data : "", text.len, BASE_JSON_REALS, TIERS_DIRECTORY_METADATA,
                             &x->entries, err);
    base_buf_clear(&text);
    if (st != CISTERN_NOT_FOUND)
        return st;
    base_error_clear(err);
    x->entries = json_object();
    return x->entries ? CISTERN_OK : base_fail_memory(err, 0);
}

/* "sub/vgg16.pth" -> "sub/vgg16-v3.pth" */
static cistern_status numbered_name(const char *path, const char *tag, char **out, cistern_error *err)
{
    const char *slash = strrchr(path, '/'), *dot = strrchr(path, '.');
    size_t stem = dot && (!slash || dot > slash + 1) && dot != path ? (size_t)(dot - path) : strlen(path);
    return base_asprintf(out, err, "%.*s-v%s%s", (int)stem, path, tag, path + stem);
}

/* Under one name: *out_done when the version's bytes have it now. */
static cistern_status try_name(export *x, const catalog_version *v, const char *blob, const char *name,
                               bool replace, bool *out_was_there, bool *out_done, cistern_error *err)
{
    tiers_placing_state state = TIERS_PLACING_OTHER;
    bool created = false;
    cistern_status st = CISTERN_OK;
    if (strcmp(name, TIERS_DIRECTORY_METADATA) != 0)
        st = tiers_placing_look(x->root, name, &v->files[0], blob, x->run, &state, err);
    if (st == CISTERN_OK && (state == TIERS_PLACING_FREE || (state == TIERS_PLACING_OTHER && replace)))
        st = tiers_placing_put(x->chain, v, x->root, name, blob, x->how, replace, x->run, &created, err);
    *out_was_there = state == TIERS_PLACING_SAME;
    *out_done = created || state == TIERS_PLACING_SAME;
    return st;
}

/* Whether metadata.json has these bytes for this number already. @retval CONFLICT  other ones, and no force. */
static cistern_status look_at_entry(export *x, const catalog_version *v, const char *blob, bool *out_same,
                                    cistern_error *err)
{
    const char *file = json_string_value(json_object_get(x->entries, v->tag));
    tiers_placing_state state = TIERS_PLACING_OTHER;
    cistern_status st = CISTERN_OK;
    *out_same = false;
    if (!json_object_get(x->entries, v->tag))
        return CISTERN_OK;
    if (file && catalog_path_check(file, NULL) == CISTERN_OK)
        st = tiers_placing_look(x->root, file, &v->files[0], blob, x->run, &state, err);
    *out_same = state == TIERS_PLACING_SAME;
    if (st == CISTERN_OK && state == TIERS_PLACING_OTHER && !x->how->force)
        st = base_fail(err, CISTERN_CONFLICT,
                       TIERS_DIRECTORY_METADATA
                       " names other bytes for version %s ('%s'): --force replaces the entry",
                       v->tag, file ? file : "?");
    return st;
}

/* Place it under a name that is free; the name is owned by the caller. */
static cistern_status place(export *x, const catalog_version *v, const char *blob, char **out_name,
                            bool *out_was_there, cistern_error *err)
{
    char *name = NULL;
    bool done = false;
    cistern_status st = base_strdup(v->files[0].path, &name, err);
    if (st == CISTERN_OK)
        st = try_name(x, v, blob, name, false, out_was_there, &done, err);
    if (st == CISTERN_OK && !done) {
        free(name);
        name = NULL;
        st = numbered_name(v->files[0].path, v->tag, &name, err);
        if (st == CISTERN_OK)
            st = try_name(x, v, blob, name, x->how->force, out_was_there, &done, err);
    }
    if (st == CISTERN_OK && !done)
        st = base_fail(err, CISTERN_CONFLICT, "'%s' is there and has other bytes: --force replaces it", name);
    if (st != CISTERN_OK) {
        free(name);
        return st;
    }
    *out_name = name;
    return st;
}

static cistern_status export_version(export *x, const catalog_version *v, char **out_name,
                                     bool *out_was_there, cistern_error *err)
{
    uint32_t number;
    char *blob = NULL;
    bool same = false;
    cistern_status st = CISTERN_OK;
    if (!catalog_tag_number(v->tag, &number))
        st = base_fail(err, CISTERN_USAGE,
                       "the version has a name, and " TIERS_DIRECTORY_METADATA " has numbers only");
    if (st == CISTERN_OK)
        st = tiers_placing_blob(x->chain, v, &blob, err);
    if (st == CISTERN_OK)
        st = look_at_entry(x, v, blob, &same, err);
    if (st == CISTERN_OK && same) {
        *out_was_there = true;
        st = base_strdup(json_string_value(json_object_get(x->entries, v->tag)), out_name, err);
    } else if (st == CISTERN_OK) {
        st = place(x, v, blob, out_name, out_was_there, err);
        if (st == CISTERN_OK && json_object_set_new(x->entries, v->tag, json_string(*out_name)) != 0)
            st = base_fail_memory(err, 0);
        x->changed = x->changed || st == CISTERN_OK;
    }
    free(blob);
    return st == CISTERN_OK ? st : base_frame(err, st, "%s:%s", v->name, v->tag);
}

/* One version, told; only what ends everything is returned. */
static cistern_status export_and_tell(export *x, const catalog_version *v)
{
    cistern_error why = CISTERN_ERROR_INIT;
    char *name = NULL, *path = NULL;
    bool was_there = false;
    cistern_status st = export_version(x, v, &name, &was_there, &why);
    if (st == CISTERN_OK)
        st = base_asprintf(&path, &why, "%s/%s", x->directory, name);
    if (x->fn && st != CISTERN_CANCELLED)
        x->fn(x->user, v, path ? path : "", was_there, st, &why);
    if (st != CISTERN_OK && x->worst == CISTERN_OK) {
        x->worst = st;
        x->first = why;
    }
    free(name);
    free(path);
    return st == CISTERN_CANCELLED || st == CISTERN_NO_SPACE || st == CISTERN_NO_MEMORY ? st : CISTERN_OK;
}

static int compare_listed(const void *a, const void *b)
{
    uint32_t x = 0, y = 0;
    (void)catalog_tag_number((*(const catalog_version *const *)a)->tag, &x);
    (void)catalog_tag_number((*(const catalog_version *const *)b)->tag, &y);
    return (x > y) - (x < y);
}

/* Every live numbered version of a name. */
static cistern_status export_all(export *x, const char *name, cistern_error *err)
{
    catalog_listing listing;
    const catalog_version **chosen = NULL;
    size_t count = 0;
    uint32_t number;
    store *s = NULL;
    cistern_status st = tiers_local(x->chain, &s, err);
    catalog_listing_init(&listing);
    if (st == CISTERN_OK)
        st = catalog_list(s, name, &listing, err);
    if (st == CISTERN_OK)
        st = base_calloc(listing.version_count + 1, sizeof *chosen, &chosen, err);
    for (size_t i = 0; st == CISTERN_OK && i < listing.version_count; i++) {
        const catalog_listed *listed = &listing.versions[i];
        if (listed->removed || listed->fault)
            continue;
        if (catalog_tag_number(listed->version.tag, &number))
            chosen[count++] = &listed->version;
        else if (x->run)
            base_log_line(x->run->log, 1, "%s:%s is left out: " TIERS_DIRECTORY_METADATA " has numbers only",
                          name, listed->version.tag);
    }
    if (st == CISTERN_OK)
        qsort(chosen, count, sizeof *chosen, compare_listed);
    for (size_t i = 0; st == CISTERN_OK && i < count; i++)
        if (export_and_tell(x, chosen[i]) != CISTERN_OK)
            break;
    free(chosen);
    catalog_listing_clear(&listing);
    return st;
}

typedef struct key {
    uint32_t number; /* 0: it is none */
    const char *text;
} key;

static int compare_keys(const void *a, const void *b)
{
    const key *x = a, *y = b;
    return x->number == y->number ? strcmp(x->text, y->text) : x->number < y->number ? -1 : 1;
}

/* The entries in the order of their numbers, for people; what is no number stays, and comes first. */
static cistern_status write_entries(export *x, cistern_error *err)
{
    static const base_modes modes = {0644, 0644, 0755};
    const char *text;
    json_t *value, *ordered = json_object();
    key *keys = NULL;
    char *bytes = NULL;
    size_t count = 0;
    cistern_status st = ordered ? base_calloc(json_object_size(x->entries) + 1, sizeof *keys, &keys, err)
                                : base_fail_memory(err, 0);
    if (st == CISTERN_OK) {
        json_object_foreach(x->entries, text, value)
        {
            (void)catalog_tag_number(text, &keys[count].number);
            keys[count++].text = text;
        }
        qsort(keys, count, sizeof *keys, compare_keys);
    }
    for (size_t i = 0; st == CISTERN_OK && i < count; i++)
        if (json_object_set(ordered, keys[i].text, json_object_get(x->entries, keys[i].text)) != 0)
            st = base_fail_memory(err, 0);
    if (st == CISTERN_OK && (bytes = json_dumps(ordered, JSON_INDENT(2))) == NULL)
        st = base_fail_memory(err, 0);
    if (st == CISTERN_OK) {
        size_t n = strlen(bytes);
        bytes[n] = '\n'; /* in place of the zero: the length is given */
        st = base_replace_bytes(x->root, TIERS_DIRECTORY_METADATA, bytes, n + 1, &modes, err);
    }
    free(bytes);
    free(keys);
    json_decref(ordered);
    return st;
}

static cistern_status export_reference(export *x, const char *reference, cistern_error *err)
{
    catalog_reference ref;
    catalog_resolved r;
    cistern_status st = catalog_reference_parse(reference, &ref, err);
    if (st == CISTERN_OK && !ref.tag[0] && !ref.digest[0])
        return export_all(x, ref.name, err);
    catalog_resolved_init(&r);
    if (st == CISTERN_OK)
        st = tiers_resolve(x->chain, reference, &r, err);
    if (st == CISTERN_OK)
        (void)!export_and_tell(x, &r.version);
    catalog_resolved_clear(&r);
    return st;
}

static cistern_status check_listing(const store *s, const char *name, cistern_error *err)
{
    catalog_listing listing;
    uint32_t number;
    size_t numbered = 0;
    catalog_listing_init(&listing);
    cistern_status st = catalog_list(s, name, &listing, err);
    for (size_t i = 0; i < listing.version_count; i++)
        numbered +=
            !listing.versions[i].removed && catalog_tag_number(listing.versions[i].version.tag, &number);
    catalog_listing_clear(&listing);
    if (st == CISTERN_OK && numbered == 0)
        st = base_fail(err, CISTERN_NOT_FOUND, "%s has no numbered version", name);
    return st;
}

/* What is not there is told before a directory is made for nothing. */
static cistern_status check_reference(tiers *t, const char *reference, cistern_error *err)
{
    catalog_resolved r;
    catalog_reference ref;
    store *s = NULL;
    cistern_status st = catalog_reference_parse(reference, &ref, err);
    if (st != CISTERN_OK)
        return st;
    if (!ref.tag[0] && !ref.digest[0]) {
        st = tiers_local(t, &s, err);
        return st == CISTERN_OK ? check_listing(s, ref.name, err) : st;
    }
    catalog_resolved_init(&r);
    st = tiers_resolve(t, reference, &r, err);
    catalog_resolved_clear(&r);
    return st;
}

cistern_status tiers_export(tiers *t, const char *reference, const char *directory, const tiers_place *how,
                            const base_run *run, tiers_placed_fn fn, void *user, cistern_error *err)
{
    export x = {
        .chain = t, .directory = directory, .how = how, .run = run, .fn = fn, .user = user, .root = -1};
    cistern_status st = check_reference(t, reference, err);
    if (st == CISTERN_OK)
        st = base_mkdirs_path(directory, 0755, err);
    if (st == CISTERN_OK)
        st = base_dir_open(directory, &x.root, err);
    if (st == CISTERN_OK)
        st = read_entries(&x, err);
    if (st == CISTERN_OK)
        st = export_reference(&x, reference, err);
    if (st == CISTERN_OK && x.changed)
        st = write_entries(&x, err);
    json_decref(x.entries);
    if (x.root >= 0)
        close(x.root);
    if (st == CISTERN_OK && x.worst != CISTERN_OK) {
        if (err)
            *err = x.first;
        return x.worst;
    }
    return st;
}
