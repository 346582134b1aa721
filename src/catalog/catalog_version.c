/* Version documents, read and checked; see catalog_version.h. */
#include "catalog_version.h"
#include <inttypes.h>
#include "base_json.h"
#include "base_mem.h"
#include "catalog_tags.h"
#include "priv/catalog_document.h"
#include "priv/catalog_manifest.h"

void catalog_version_init(catalog_version *v)
{
    *v = (catalog_version){.document = NULL};
}

void catalog_version_clear(catalog_version *v)
{
    free((void *)(uintptr_t)v->files); /* const is for our users */
    json_decref(v->document);
    catalog_version_init(v);
}

void catalog_version_take(catalog_version *from, catalog_version *to)
{
    catalog_version taken = *from;
    catalog_version_init(from);
    catalog_version_clear(to);
    *to = taken;
}

int catalog_version_order(const catalog_version *a, const catalog_version *b)
{
    if (a->sequence != b->sequence)
        return a->sequence < b->sequence ? -1 : 1;
    return catalog_tag_compare(a->tag, b->tag);
}

/* One element of "files". The path is borrowed from the document. */
static cistern_status parse_file(const json_t *item, const char *path, catalog_file *out, cistern_error *err)
{
    const char *chunks;
    cistern_error why = CISTERN_ERROR_INIT;
    if (!json_is_object(item))
        return base_fail(err, CISTERN_DAMAGED, "%s: an element of 'files' is no object", path);
    cistern_status st = catalog_document_text(item, "path", path, CATALOG_PATH_MAX, &out->path, err);
    if (st == CISTERN_OK && catalog_path_check(out->path, &why) != CISTERN_OK)
        st = base_fail(err, CISTERN_DAMAGED, "%s: %s", path, why.text);
    if (st == CISTERN_OK)
        st = base_json_u64(item, "size", path, &out->size, err);
    if (st == CISTERN_OK)
        st = catalog_document_hex(item, "sha256", path, BASE_SHA256_HEX - 1, out->sha256, err);
    if (st == CISTERN_OK)
        st = catalog_document_text_or(item, "chunks_sha256", path, CATALOG_WHO_MAX, NULL, &chunks, err);
    if (st == CISTERN_OK && chunks)
        st = catalog_document_hex(item, "chunks_sha256", path, BASE_SHA256_HEX - 1, out->chunks_sha256, err);
    return st;
}

static cistern_status parse_files(catalog_version *v, const char *path, cistern_error *err)
{
    const json_t *list = json_object_get(v->document, "files");
    cistern_error why = CISTERN_ERROR_INIT;
    catalog_file *files = NULL, *sorted = NULL;
    size_t count = json_array_size(list);
    if (!json_is_array(list) || count < 1 || count > CATALOG_FILES_MAX)
        return base_fail(err, CISTERN_DAMAGED, "%s: 'files' is no list of 1 to %d files", path,
                         CATALOG_FILES_MAX);
    cistern_status st = base_calloc(count, sizeof *files, &files, err);
    for (size_t i = 0; i < count && st == CISTERN_OK; i++) {
        st = parse_file(json_array_get(list, i), path, &files[i], err);
        if (st == CISTERN_OK && !base_add_u64(v->size, files[i].size, &v->size))
            st = base_fail(err, CISTERN_DAMAGED, "%s: the sizes overflow", path);
    }
    if (st == CISTERN_OK && catalog_files_check(files, count, &why) != CISTERN_OK)
        st = base_fail(err, CISTERN_DAMAGED, "%s: %s", path, why.text);
    if (st == CISTERN_OK)
        st = catalog_files_sort(files, count, &sorted, err);
    if (st == CISTERN_OK) {
        v->files = sorted;
        v->file_count = count;
        st = catalog_version_digest(sorted, count, v->digest, err);
    }
    free(files);
    return st;
}

static cistern_status parse_fields(catalog_version *v, const catalog_model *model, const char *path,
                                   cistern_error *err)
{
    const json_t *d = v->document;
    cistern_status st = catalog_document_same(d, "name", path, v->name, err);
    if (st == CISTERN_OK)
        st = catalog_document_same(d, "version", path, v->tag, err);
    if (st == CISTERN_OK)
        st = catalog_document_hex(d, "id", path, CATALOG_ID_HEX - 1, v->id, err);
    if (st == CISTERN_OK)
        st = catalog_document_hex(d, "lineage", path, CATALOG_ID_HEX - 1, v->lineage, err);
    if (st == CISTERN_OK && strcmp(v->lineage, model->lineage) != 0)
        st = base_fail(err, CISTERN_CONFLICT,
                       "%s belongs to another model of the name '%s': its lineage is %s, here it is %s", path,
                       v->name, v->lineage, model->lineage);
    if (st == CISTERN_OK)
        st = base_json_u64(d, "sequence", path, &v->sequence, err);
    if (st == CISTERN_OK)
        st = catalog_document_text(d, "who", path, CATALOG_WHO_MAX, &v->who, err);
    if (st == CISTERN_OK)
        st = catalog_document_text(d, "when", path, CATALOG_WHO_MAX, &v->when, err);
    if (st == CISTERN_OK)
        st = catalog_document_text_or(d, "origin", path, CATALOG_TEXT_MAX, NULL, &v->origin, err);
    v->facts = json_object_get(d, "facts");
    if (st == CISTERN_OK && !json_is_object(v->facts))
        st = base_fail(err, CISTERN_DAMAGED, "%s: 'facts' is no object", path);
    return st;
}

cistern_status catalog_version_parse(json_t *document, const catalog_model *model, const char *tag,
                                     const char *path, catalog_version *out, cistern_error *err)
{
    catalog_version v;
    catalog_version_init(&v);
    v.document = document;
    memcpy(v.name, model->name, sizeof v.name);
    memcpy(v.tag, tag, strlen(tag) + 1);
    cistern_status st = parse_fields(&v, model, path, err);
    if (st == CISTERN_OK)
        st = parse_files(&v, path, err);
    if (st == CISTERN_OK)
        catalog_version_take(&v, out);
    catalog_version_clear(&v);
    return st;
}

cistern_status catalog_version_load(const store *s, const catalog_model *model, const char *tag,
                                    catalog_version *out, bool *out_found, cistern_error *err)
{
    char path[STORE_PATH_MAX];
    json_t *document = NULL;
    bool found = false;
    catalog_document_path(path, model->name, "/versions/%s.json", tag);
    cistern_status st = catalog_document_read(s, path, &document, NULL, &found, err);
    if (st == CISTERN_OK && found)
        st = catalog_version_parse(document, model, tag, path, out, err);
    if (st == CISTERN_OK)
        *out_found = found;
    return st;
}

cistern_status catalog_version_read(const store *s, const char *name, const char *tag, catalog_version *out,
                                    bool *out_found, cistern_error *err)
{
    catalog_model model;
    cistern_status st = catalog_tag_check(tag, err);
    if (st == CISTERN_OK)
        st = catalog_model_read(s, name, &model, err);
    if (st == CISTERN_OK)
        return catalog_version_load(s, &model, tag, out, out_found, err);
    if (st == CISTERN_NOT_FOUND) {
        base_error_clear(err);
        *out_found = false;
        st = CISTERN_OK;
    }
    return st;
}

cistern_status catalog_version_facts(const catalog_version *v, model_facts *out, cistern_error *err)
{
    cistern_status st = model_facts_from_json(out, v->facts, err);
    if (st == CISTERN_DAMAGED || st == CISTERN_USAGE) {
        char path[STORE_PATH_MAX];
        catalog_document_path(path, v->name, "/versions/%s.json", v->tag);
        if (err)
            err->status = CISTERN_DAMAGED;
        return base_frame(err, CISTERN_DAMAGED, "%s", path);
    }
    return st;
}

/* A copy of what is declared in a "facts" object, without the words that only say where it came from. */
static json_t *declared_in(const json_t *facts)
{
    json_t *declared = json_object();
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)(uintptr_t)facts, key, value) /* read only */
    {
        const char *source = base_json_peek_string(value, "source");
        if (!source || (strcmp(source, model_fact_source_text(MODEL_FACT_FLAG)) != 0 &&
                        strcmp(source, model_fact_source_text(MODEL_FACT_CONFIG)) != 0))
            continue;
        json_t *copy = json_copy(value);
        json_object_del(copy, "source");
        json_object_del(copy, "preset"); /* the name of a set of values: the values stand beside it */
        if (json_object_get(copy, "list"))
            json_object_del(copy, "set");
        if (json_object_set_new(declared, key, copy) != 0) {
            json_decref(declared);
            return NULL;
        }
    }
    return declared;
}

cistern_status catalog_facts_same_declared(const json_t *a, const json_t *b, bool *out, cistern_error *err)
{
    json_t *x = declared_in(a), *y = declared_in(b);
    cistern_status st = x && y ? CISTERN_OK : base_fail_memory(err, 0);
    if (st == CISTERN_OK)
        *out = json_equal(x, y) != 0;
    json_decref(x);
    json_decref(y);
    return st;
}

cistern_status catalog_version_same_declared(const catalog_version *v, const model_facts *facts, bool *out,
                                             cistern_error *err)
{
    json_t *object = NULL;
    cistern_status st = model_facts_to_json(facts, &object, err);
    if (st == CISTERN_OK)
        st = catalog_facts_same_declared(v->facts, object, out, err);
    json_decref(object);
    return st;
}

void catalog_version_text(const catalog_version *v, char out[CATALOG_REFERENCE_TEXT_MAX])
{
    snprintf(out, CATALOG_REFERENCE_TEXT_MAX, "%s:%s@sha256:%s", v->name, v->tag, v->digest);
}
