/* Roots; see catalog_roots.h. */
#include "catalog_roots.h"
#include "catalog_pin.h"
#include "catalog_tags.h"
#include "priv/catalog_document.h"
#include "priv/catalog_manifest.h"
#include "store_clock.h"

void catalog_roots_init(catalog_roots *roots)
{
    *roots = (catalog_roots){.version_count = 0};
    base_digests_init(&roots->blobs);
    base_digests_init(&roots->versions);
}

void catalog_roots_clear(catalog_roots *roots)
{
    base_digests_clear(&roots->blobs);
    base_digests_clear(&roots->versions);
    catalog_roots_init(roots);
}

typedef struct reading {
    const store *s;
    int64_t now, keep_ns;
    catalog_roots *roots;
} reading;

static cistern_status put_hex(base_digests *set, const char *hex, const catalog_version *v,
                              cistern_error *err)
{
    base_digest digest;
    if (!base_digest_parse(hex, &digest))
        return base_fail(err, CISTERN_DAMAGED, "%s:%s: '%s' is not a digest", v->name, v->tag, hex);
    return base_digests_put(set, &digest, err);
}

static cistern_status add_version(reading *r, const catalog_model *model, const catalog_tag *tag,
                                  cistern_error *err)
{
    catalog_version v;
    bool found = false;
    catalog_version_init(&v);
    cistern_status st = catalog_version_load(r->s, model, tag->text, &v, &found, err);
    for (size_t i = 0; st == CISTERN_OK && found && i < v.file_count; i++)
        st = put_hex(&r->roots->blobs, v.files[i].sha256, &v, err);
    if (st == CISTERN_OK && found)
        st = put_hex(&r->roots->versions, v.digest, &v, err);
    r->roots->version_count += found;
    r->roots->kept_removed += found && tag->removed;
    catalog_version_clear(&v);
    return st;
}

/* Whether a version's bytes stay. A tombstone that vanished between two looks is as good as young. */
static cistern_status is_root(const reading *r, const char *name, const catalog_tag *tag, bool *out,
                              cistern_error *err)
{
    char path[STORE_PATH_MAX];
    int64_t removed_at;
    *out = true;
    if (!tag->removed)
        return CISTERN_OK;
    catalog_document_path(path, name, "/removed/%s.json", tag->text);
    if (!store_clock_of(r->s, path, &removed_at) || r->now - removed_at < r->keep_ns)
        return CISTERN_OK;
    return catalog_pin_has(r->s, name, tag->text, out, err);
}

/* A directory of versions without model.json is no model, but who knows what they refer to. */
static cistern_status read_model(const reading *r, const char *name, const catalog_tags *tags,
                                 catalog_model *out, bool *out_there, cistern_error *err)
{
    cistern_status st = catalog_model_read(r->s, name, out, err);
    *out_there = st == CISTERN_OK;
    if (st != CISTERN_NOT_FOUND)
        return st;
    if (tags->version_count > 0)
        return base_fail(err, CISTERN_DAMAGED,
                         "model '%s' has versions but no model.json: what they need cannot be told", name);
    base_error_clear(err);
    return CISTERN_OK;
}

static cistern_status add_model(void *user, const char *entry, cistern_error *err)
{
    reading *r = user;
    char name[CATALOG_NAME_MAX + 1];
    catalog_model model;
    catalog_tags tags;
    bool there = false;
    if (!catalog_name_decode(entry, name))
        return CISTERN_OK;
    catalog_tags_init(&tags);
    cistern_status st = catalog_tags_read(r->s, name, &tags, err);
    if (st == CISTERN_OK)
        st = read_model(r, name, &tags, &model, &there, err);
    for (size_t i = 0; st == CISTERN_OK && there && i < tags.version_count; i++) {
        bool root = false;
        st = is_root(r, name, &tags.versions[i], &root, err);
        if (st == CISTERN_OK && root)
            st = add_version(r, &model, &tags.versions[i], err);
    }
    catalog_tags_clear(&tags);
    return st;
}

cistern_status catalog_roots_read(const store *s, int64_t keep_removed_ns, catalog_roots *out,
                                  cistern_error *err)
{
    catalog_roots roots;
    reading r = {.s = s, .keep_ns = keep_removed_ns, .roots = &roots};
    catalog_roots_init(&roots);
    cistern_status st = store_clock_now(s, &r.now, err);
    if (st == CISTERN_OK)
        st = store_doc_each(s, "models", add_model, &r, err);
    if (st != CISTERN_OK) {
        catalog_roots_clear(&roots);
        return st;
    }
    base_digests_seal(&roots.blobs);
    base_digests_seal(&roots.versions);
    catalog_roots_clear(out);
    *out = roots;
    return CISTERN_OK;
}
