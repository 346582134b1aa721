/* From a reference to a version; see catalog_resolve.h. */
#include "catalog_resolve.h"
#include <inttypes.h>
#include "catalog_list.h"
#include "catalog_remove.h"
#include "catalog_tags.h"
#include "priv/catalog_document.h"
#include "priv/catalog_manifest.h"

#define TAGS_TEXT_MAX 512 /* bytes of a list of tags in a message */

void catalog_resolved_init(catalog_resolved *r)
{
    *r = (catalog_resolved){.move = 0};
    catalog_version_init(&r->version);
}

void catalog_resolved_clear(catalog_resolved *r)
{
    catalog_version_clear(&r->version);
    catalog_resolved_init(r);
}

static cistern_status list_tags(const store *s, const char *name, char *out, size_t size, cistern_error *err)
{
    catalog_tags tags;
    catalog_tags_init(&tags);
    cistern_status st = catalog_tags_read(s, name, &tags, err);
    if (st == CISTERN_OK)
        catalog_tags_text(&tags, out, size);
    catalog_tags_clear(&tags);
    return st;
}

static cistern_status fail_no_tag(const store *s, const char *name, const char *tag, cistern_error *err)
{
    char text[TAGS_TEXT_MAX];
    uint32_t number;
    cistern_status st = list_tags(s, name, text, sizeof text, err);
    if (st != CISTERN_OK)
        return st;
    return base_fail(err, CISTERN_NOT_FOUND, "%s has no version %s%s; it has %s", name,
                     catalog_tag_number(tag, &number) ? "" : "or alias ", tag, text);
}

/* Fail if the version has a tombstone. @param alias through which it was reached, "" if none. */
static cistern_status check_alive(const store *s, const char *name, const char *tag, const char *alias,
                                  cistern_error *err)
{
    char text[TAGS_TEXT_MAX];
    catalog_tombstone stone;
    bool removed = false;
    catalog_tombstone_init(&stone);
    cistern_status st = catalog_tombstone_read(s, name, tag, &stone, &removed, err);
    if (st == CISTERN_OK && removed)
        st = list_tags(s, name, text, sizeof text, err);
    if (st == CISTERN_OK && removed && alias[0])
        st = base_fail(
            err, CISTERN_NOT_FOUND,
            "%s:%s is version %s, which was removed on %s by %s%s%s; %s has %s; move it with: cistern "
            "tag %s:VERSION %s",
            name, alias, tag, stone.when, stone.who, stone.why[0] ? ": " : "", stone.why, name, text, name,
            alias);
    else if (st == CISTERN_OK && removed)
        st = base_fail(err, CISTERN_NOT_FOUND, "version %s of %s was removed on %s by %s%s%s; it has %s", tag,
                       name, stone.when, stone.who, stone.why[0] ? ": " : "", stone.why, text);
    catalog_tombstone_clear(&stone);
    return st;
}

/* The version that an alias names; *out_found false: there is no such alias. */
static cistern_status through_alias(const store *s, const catalog_model *model, const char *alias,
                                    catalog_resolved *out, bool *out_found, cistern_error *err)
{
    catalog_move now;
    bool found = false;
    catalog_move_init(&now);
    cistern_status st = catalog_alias_read(s, model->name, alias, &now, err);
    *out_found = now.number > 0;
    if (st == CISTERN_OK && *out_found)
        st = check_alive(s, model->name, now.target, alias, err);
    if (st == CISTERN_OK && *out_found)
        st = catalog_version_load(s, model, now.target, &out->version, &found, err);
    if (st == CISTERN_OK && *out_found && !found) {
        char path[STORE_PATH_MAX];
        catalog_document_path(path, model->name, "/aliases/%s/%08" PRIu32 ".json", alias, now.number);
        st = base_fail(err, CISTERN_DAMAGED, "%s names version %s, which is not there", path, now.target);
    }
    if (st == CISTERN_OK && *out_found) {
        memcpy(out->alias, alias, strlen(alias) + 1);
        out->move = now.number;
    }
    catalog_move_clear(&now);
    return st;
}

static cistern_status by_tag(const store *s, const catalog_model *model, const char *tag,
                             catalog_resolved *out, cistern_error *err)
{
    bool found = false;
    cistern_status st = check_alive(s, model->name, tag, "", err);
    if (st == CISTERN_OK)
        st = catalog_version_load(s, model, tag, &out->version, &found, err);
    if (st == CISTERN_OK && !found)
        st = through_alias(s, model, tag, out, &found, err);
    if (st == CISTERN_OK && !found)
        st = fail_no_tag(s, model->name, tag, err);
    return st;
}

static bool digest_fits(const char *digest, const char *wanted)
{
    return strncmp(digest, wanted, strlen(wanted)) == 0;
}

/* No live version fits: say what is known. @param damaged the first that could not be read, or NULL. */
static cistern_status fail_no_digest(const store *s, const catalog_listing *l, const char *wanted,
                                     const catalog_listed *damaged, cistern_error *err)
{
    for (size_t i = 0; i < l->version_count; i++) {
        const catalog_listed *item = &l->versions[i];
        if (item->removed && !item->fault && digest_fits(item->version.digest, wanted))
            return check_alive(s, l->model.name, item->version.tag, "", err);
    }
    if (damaged)
        return base_fail(err, CISTERN_DAMAGED, "no version of %s has the digest sha256:%s, but %s",
                         l->model.name, wanted, damaged->fault->text);
    char text[TAGS_TEXT_MAX];
    cistern_status st = list_tags(s, l->model.name, text, sizeof text, err);
    if (st != CISTERN_OK)
        return st;
    return base_fail(err, CISTERN_NOT_FOUND, "no version of %s has the digest sha256:%s; it has %s",
                     l->model.name, wanted, text);
}

static cistern_status by_digest(const store *s, const char *name, const char *wanted, catalog_resolved *out,
                                cistern_error *err)
{
    catalog_listing l;
    catalog_listed *hit = NULL, *damaged = NULL;
    catalog_listing_init(&l);
    cistern_status st = catalog_list(s, name, &l, err);
    for (size_t i = 0; i < l.version_count && st == CISTERN_OK; i++) { /* oldest first: the newest stays */
        catalog_listed *item = &l.versions[i];
        if (item->fault && !damaged)
            damaged = item;
        if (item->fault || item->removed || !digest_fits(item->version.digest, wanted))
            continue;
        if (hit && strcmp(hit->version.digest, item->version.digest) != 0)
            st = base_fail(err, CISTERN_USAGE,
                           "sha256:%s fits version %s (%s) and version %s (%s) of %s: give more digits",
                           wanted, hit->version.tag, hit->version.digest, item->version.tag,
                           item->version.digest, name);
        hit = item;
    }
    if (st == CISTERN_OK && hit)
        catalog_version_take(&hit->version, &out->version);
    else if (st == CISTERN_OK)
        st = fail_no_digest(s, &l, wanted, damaged, err);
    catalog_listing_clear(&l);
    return st;
}

cistern_status catalog_resolve(const store *s, const catalog_reference *ref, catalog_resolved *out,
                               cistern_error *err)
{
    catalog_resolved r;
    catalog_model model;
    const char *tag = ref->tag[0] ? ref->tag : CATALOG_LATEST;
    catalog_resolved_init(&r);
    cistern_status st = catalog_tag_check(tag, err);
    if (st == CISTERN_OK)
        st = catalog_model_read(s, ref->name, &model, err);
    if (st == CISTERN_OK && !ref->tag[0] && ref->digest[0])
        st = by_digest(s, ref->name, ref->digest, &r, err);
    else if (st == CISTERN_OK)
        st = by_tag(s, &model, tag, &r, err);
    if (st == CISTERN_OK && !digest_fits(r.version.digest, ref->digest))
        st = base_fail(err, CISTERN_DAMAGED, "%s:%s has the digest sha256:%s, not sha256:%s", ref->name, tag,
                       r.version.digest, ref->digest);
    if (st == CISTERN_OK) {
        catalog_resolved_clear(out);
        *out = r;
        catalog_resolved_init(&r);
    }
    catalog_resolved_clear(&r);
    return st;
}
