/* Care of the store, names of versions. */
#include "priv/api_types.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "catalog_remove.h"
#include "tiers_open.h"

cistern_status cistern_init(cistern *c, cistern_error *err)
{
    store *s = NULL;
    return tiers_local_for_writing(c->chain, &s, err);
}

/* Which file of a version is meant. */
static cistern_status find_file(const catalog_version *v, const char *file, size_t *out, cistern_error *err)
{
    char names[512] = "";
    for (size_t i = 0; i < v->file_count; i++) {
        size_t used = strlen(names);
        if (file ? strcmp(v->files[i].path, file) == 0 : v->file_count == 1) {
            *out = i;
            return CISTERN_OK;
        }
        snprintf(names + used, sizeof names - used, "%s%s", i ? ", " : "", v->files[i].path);
    }
    if (file)
        return base_fail(err, CISTERN_NOT_FOUND, "%s:%s has no file '%s'; it has %s", v->name, v->tag, file,
                         names);
    return base_fail(err, CISTERN_USAGE, "%s:%s has %zu files, say which: %s", v->name, v->tag, v->file_count,
                     names);
}

cistern_status cistern_path(cistern *c, const char *reference, const char *file, char *out, size_t size,
                            cistern_error *err)
{
    catalog_resolved r;
    char *path = NULL;
    size_t i = 0;
    cistern_status st;
    catalog_resolved_init(&r);
    st = tiers_resolve(c->chain, reference, &r, err);
    if (st == CISTERN_OK)
        st = find_file(&r.version, file, &i, err);
    if (st == CISTERN_OK)
        st = tiers_file_path(c->chain, &r.version, i, &path, err);
    if (st == CISTERN_OK && strlen(path) >= size)
        st =
            base_fail(err, CISTERN_USAGE, "the path needs %zu bytes, %zu were given", strlen(path) + 1, size);
    if (st == CISTERN_OK)
        memcpy(out, path, strlen(path) + 1);
    free(path);
    catalog_resolved_clear(&r);
    return st;
}

/* The version that an alias names now, as the public type. */
static cistern_status version_at(cistern *c, store *s, const char *name, const catalog_move *move,
                                 cistern_version **out, cistern_error *err)
{
    catalog_version v;
    bool found = false;
    cistern_status st;
    catalog_version_init(&v);
    st = catalog_version_read(s, name, move->target, &v, &found, err);
    if (st == CISTERN_OK && !found)
        st = base_fail(err, CISTERN_DAMAGED, "%s: version %s, to which the alias points, has no document",
                       name, move->target);
    if (st == CISTERN_OK)
        st = api_version_new(c, &v, NULL, out, err);
    catalog_version_clear(&v);
    return st;
}

cistern_status cistern_tag(cistern *c, const char *reference, const char *alias, const char *expect,
                           const char *why, cistern_version **out, cistern_error *err)
{
    catalog_resolved r;
    catalog_move move;
    catalog_alias_change change = {0};
    store *s = NULL;
    bool moved = false;
    cistern_status st;
    catalog_resolved_init(&r);
    catalog_move_init(&move);
    st = tiers_resolve(c->chain, reference, &r, err);
    if (st == CISTERN_OK)
        st = tiers_local_for_writing(c->chain, &s, err);
    change.name = r.version.name;
    change.alias = alias;
    change.target = r.version.tag;
    change.expect = expect;
    change.why = why;
    if (st == CISTERN_OK)
        st = catalog_alias_move(s, &change, &move, &moved, err);
    if (st == CISTERN_OK && out)
        st = version_at(c, s, r.version.name, &move, out, err);
    catalog_move_clear(&move);
    catalog_resolved_clear(&r);
    return st;
}

cistern_status cistern_rollback(cistern *c, const char *name, const char *alias, const char *why,
                                cistern_version **out, cistern_error *err)
{
    catalog_move move;
    store *s = NULL;
    cistern_status st = catalog_name_check(name, err);
    if (st == CISTERN_OK)
        st = api_store_of(c, name, &s, err);
    if (st == CISTERN_OK)
        st = tiers_local_for_writing(c->chain, &s, err);
    catalog_move_init(&move);
    if (st == CISTERN_OK)
        st = catalog_alias_rollback(s, name, alias ? alias : CATALOG_LATEST, NULL, why, &move, err);
    if (st == CISTERN_OK && out)
        st = version_at(c, s, name, &move, out, err);
    catalog_move_clear(&move);
    return st;
}

/* What a removal is about: NAME with `all`, else a tag or a digest that must be given. */
static cistern_status find_removal(cistern *c, const char *reference, int all, catalog_resolved *r,
                                   catalog_removal *out, cistern_error *err)
{
    catalog_reference ref;
    cistern_status st = catalog_reference_parse(reference, &ref, err);
    if (st != CISTERN_OK)
        return st;
    if (all && (ref.tag[0] || ref.digest[0]))
        return base_fail(err, CISTERN_USAGE, "'%s' names one version, but every one is to be removed",
                         reference);
    if (!all && !ref.tag[0] && !ref.digest[0])
        return base_fail(err, CISTERN_USAGE,
                         "'%s' does not say which version: %s:VERSION, or --all for every one", reference,
                         ref.name);
    if (all) {
        memcpy(r->version.name, ref.name, sizeof ref.name);
    } else {
        st = tiers_resolve(c->chain, reference, r, err);
        if (st == CISTERN_OK && r->alias[0])
            st = base_fail(err, CISTERN_CONFLICT,
                           "'%s' is an alias, of version %s: name the version to remove it", reference,
                           r->version.tag);
    }
    out->name = r->version.name;
    out->tag = all ? NULL : r->version.tag;
    return st;
}

cistern_status cistern_remove(cistern *c, const char *reference, int all, int force, const char *why,
                              size_t *out_count, cistern_error *err)
{
    catalog_resolved r;
    catalog_removal removal = {0};
    store *s = NULL;
    size_t count = 0;
    cistern_status st;
    catalog_resolved_init(&r);
    st = find_removal(c, reference, all, &r, &removal, err);
    if (st == CISTERN_OK)
        st = tiers_local(c->chain, &s, err);
    if (st == CISTERN_OK)
        st = tiers_local_for_writing(c->chain, &s, err);
    removal.force = force != 0;
    removal.why = why;
    if (st == CISTERN_OK)
        st = catalog_remove(s, &removal, &count, err);
    if (st == CISTERN_OK && out_count)
        *out_count = count;
    catalog_resolved_clear(&r);
    return st;
}
