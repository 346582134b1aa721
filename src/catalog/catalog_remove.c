/* Tombstones and removing; see catalog_remove.h. */
#include "catalog_remove.h"
#include <inttypes.h>
#include "base_json.h"
#include "catalog_tags.h"
#include "priv/catalog_document.h"
#include "priv/catalog_manifest.h"

void catalog_tombstone_init(catalog_tombstone *t)
{
    *t = (catalog_tombstone){.who = "", .when = "", .why = ""};
}

void catalog_tombstone_clear(catalog_tombstone *t)
{
    json_decref(t->document);
    catalog_tombstone_init(t);
}

static cistern_status parse(catalog_tombstone *t, const char *name, const char *tag, const char *path,
                            cistern_error *err)
{
    const json_t *d = t->document;
    cistern_status st = catalog_document_same(d, "name", path, name, err);
    if (st == CISTERN_OK)
        st = catalog_document_same(d, "version", path, tag, err);
    if (st == CISTERN_OK)
        st = catalog_document_hex(d, "id", path, CATALOG_ID_HEX - 1, t->id, err);
    if (st == CISTERN_OK)
        st = catalog_document_u64_or_0(d, "sequence", path, &t->sequence, err);
    if (st == CISTERN_OK)
        st = catalog_document_text(d, "who", path, CATALOG_WHO_MAX, &t->who, err);
    if (st == CISTERN_OK)
        st = catalog_document_text(d, "when", path, CATALOG_WHO_MAX, &t->when, err);
    if (st == CISTERN_OK)
        st = catalog_document_text_or(d, "why", path, CATALOG_TEXT_MAX, "", &t->why, err);
    memcpy(t->tag, tag, strlen(tag) + 1);
    return st;
}

cistern_status catalog_tombstone_read(const store *s, const char *name, const char *tag,
                                      catalog_tombstone *out, bool *out_found, cistern_error *err)
{
    char path[STORE_PATH_MAX];
    catalog_tombstone t;
    bool found = false;
    catalog_tombstone_init(&t);
    cistern_status st = catalog_name_check(name, err);
    if (st == CISTERN_OK)
        st = catalog_tag_check(tag, err);
    catalog_document_path(path, name, "/removed/%s.json", tag);
    if (st == CISTERN_OK)
        st = catalog_document_read(s, path, &t.document, NULL, &found, err);
    if (st == CISTERN_OK && found)
        st = parse(&t, name, tag, path, err);
    if (st == CISTERN_OK)
        *out_found = found;
    if (st == CISTERN_OK && found) {
        catalog_tombstone_clear(out);
        *out = t;
        catalog_tombstone_init(&t);
    }
    catalog_tombstone_clear(&t);
    return st;
}

/* For the callback of the aliases: is one of them at a version that is to go? */
typedef struct guard {
    const char *name, *tag; /* tag NULL: any version */
} guard;

static cistern_status refuse_pointed(void *user, const char *alias, const catalog_move *move,
                                     cistern_error *err)
{
    const guard *g = user;
    if (g->tag && strcmp(g->tag, move->target) != 0)
        return CISTERN_OK;
    return base_fail(err, CISTERN_CONFLICT,
                     "the alias %s points to version %s of %s: move it first, or remove with --force", alias,
                     move->target, g->name);
}

static cistern_status fail_not_live(const store *s, const catalog_tags *tags, const char *name,
                                    const char *tag, cistern_error *err)
{
    char text[512];
    catalog_tombstone stone;
    bool removed = false;
    cistern_status st;
    catalog_tags_text(tags, text, sizeof text);
    if (catalog_tags_has_alias(tags, tag) && !catalog_tags_has_removed(tags, tag))
        return base_fail(err, CISTERN_CONFLICT, "'%s' is an alias of '%s', not a version; it has %s", tag,
                         name, text);
    catalog_tombstone_init(&stone);
    st = catalog_tombstone_read(s, name, tag, &stone, &removed, err);
    if (st == CISTERN_OK && removed)
        st = base_fail(err, CISTERN_NOT_FOUND, "version %s of '%s' was removed before, on %s by %s", tag,
                       name, stone.when, stone.who);
    else if (st == CISTERN_OK)
        st = base_fail(err, CISTERN_NOT_FOUND, "%s has no version %s; it has %s", name, tag, text);
    catalog_tombstone_clear(&stone);
    return st;
}

/* Everything that can be refused, before anything is done. */
static cistern_status check(const store *s, const catalog_removal *r, const catalog_tags *tags,
                            cistern_error *err)
{
    guard g = {r->name, r->tag};
    cistern_status st = r->tag ? catalog_tag_check(r->tag, err) : CISTERN_OK;
    if (st == CISTERN_OK && r->tag && !catalog_tags_has_live(tags, r->tag))
        st = fail_not_live(s, tags, r->name, r->tag, err);
    if (st == CISTERN_OK && !r->tag && tags->live_count == 0)
        st = base_fail(err, CISTERN_NOT_FOUND, "%s has no versions", r->name);
    if (st == CISTERN_OK && !r->force)
        st = catalog_alias_each(s, r->name, refuse_pointed, &g, err);
    return st;
}

static cistern_status bury(store *s, const catalog_removal *r, const catalog_model *model, const char *tag,
                           uint64_t sequence, bool *out_created, cistern_error *err)
{
    char path[STORE_PATH_MAX], digest[BASE_SHA256_HEX];
    json_t *d = json_pack("{s:i, s:s, s:s, s:s, s:I}", "format", CATALOG_FORMAT, "name", r->name, "lineage",
                          model->lineage, "version", tag, "sequence", (json_int_t)sequence);
    if (!d)
        return base_fail_memory(err, 0);
    cistern_status st = catalog_document_sign(d, r->who, r->why && r->why[0] ? r->why : NULL, err);
    catalog_document_path(path, r->name, "/removed/%s.json", tag);
    if (st == CISTERN_OK)
        st = catalog_document_create(s, path, d, digest, err);
    *out_created = st == CISTERN_OK;
    if (st == CISTERN_CONFLICT) { /* somebody else removed it at the same moment */
        base_error_clear(err);
        st = CISTERN_OK;
    }
    json_decref(d);
    return st;
}

cistern_status catalog_remove(store *s, const catalog_removal *r, size_t *out_count, cistern_error *err)
{
    catalog_model model;
    catalog_tags tags;
    size_t count = 0, buried = 0;
    catalog_tags_init(&tags);
    cistern_status st = catalog_model_read(s, r->name, &model, err);
    if (st == CISTERN_OK)
        st = catalog_model_check_home(s, &model, err);
    if (st == CISTERN_OK)
        st = store_check_write(s, err);
    if (st == CISTERN_OK)
        st = catalog_tags_read(s, r->name, &tags, err);
    if (st == CISTERN_OK)
        st = check(s, r, &tags, err);
    for (size_t i = 0; i < tags.version_count && st == CISTERN_OK; i++) {
        const catalog_tag *tag = &tags.versions[i];
        bool created = false;
        if (tag->removed || (r->tag && strcmp(r->tag, tag->text) != 0))
            continue;
        st = bury(s, r, &model, tag->text, tags.documents + ++buried, &created, err);
        count += created;
    }
    if (st == CISTERN_OK)
        *out_count = count;
    catalog_tags_clear(&tags);
    return st;
}
