/* Hints about origins, and finding the version that an origin already gave; see catalog_origin.h. */
#include "catalog_origin.h"
#include "base_json.h"
#include "base_mem.h"
#include "catalog_list.h"
#include "priv/catalog_document.h"
#include "priv/catalog_manifest.h"

void catalog_origin_hint_init(catalog_origin_hint *h)
{
    *h = (catalog_origin_hint){.files = NULL};
}

void catalog_origin_hint_clear(catalog_origin_hint *h)
{
    free(h->files);
    catalog_origin_hint_init(h);
}

static cistern_status hint_path(const char *name, const char *origin, char out[STORE_PATH_MAX],
                                cistern_error *err)
{
    base_digest digest;
    char hex[BASE_SHA256_HEX];
    cistern_status st = catalog_name_check(name, err);
    if (st == CISTERN_OK && strlen(origin) > CATALOG_TEXT_MAX)
        st = base_fail(err, CISTERN_USAGE, "the address has %zu bytes, at most %d are allowed",
                       strlen(origin), CATALOG_TEXT_MAX);
    if (st == CISTERN_OK)
        st = base_sha256_of(origin, strlen(origin), &digest, err);
    if (st != CISTERN_OK)
        return st;
    base_digest_hex(&digest, hex);
    catalog_document_path(out, name, "/origins/%s.json", hex);
    return CISTERN_OK;
}

static cistern_status parse_file(const json_t *item, const char *path, catalog_origin_file *out,
                                 cistern_error *err)
{
    const char *text, *validator;
    cistern_status st = catalog_document_text(item, "path", path, CATALOG_PATH_MAX, &text, err);
    if (st == CISTERN_OK)
        st = catalog_path_check(text, err);
    if (st == CISTERN_OK)
        st = catalog_document_text_or(item, "validator", path, CATALOG_VALIDATOR_MAX, "", &validator, err);
    if (st == CISTERN_OK)
        st = base_json_u64(item, "size", path, &out->size, err);
    if (st != CISTERN_OK)
        return st;
    memcpy(out->path, text, strlen(text) + 1);
    memcpy(out->validator, validator, strlen(validator) + 1);
    return CISTERN_OK;
}

static cistern_status parse(const json_t *d, const char *path, const char *origin, catalog_origin_hint *out,
                            cistern_error *err)
{
    const json_t *list = json_object_get(d, "files");
    size_t count = json_array_size(list);
    catalog_origin_hint h;
    catalog_origin_hint_init(&h);
    cistern_status st = catalog_document_same(d, "origin", path, origin, err);
    if (st == CISTERN_OK)
        st = catalog_document_tag(d, "version", path, h.version, err);
    if (st == CISTERN_OK && (count < 1 || count > CATALOG_FILES_MAX))
        st = base_fail(err, CISTERN_DAMAGED, "%s: 'files' is no list of 1 to %d files", path,
                       CATALOG_FILES_MAX);
    if (st == CISTERN_OK)
        st = base_calloc(count, sizeof *h.files, &h.files, err);
    for (size_t i = 0; i < count && st == CISTERN_OK; i++)
        st = parse_file(json_array_get(list, i), path, &h.files[i], err);
    if (st == CISTERN_OK) {
        h.file_count = count;
        catalog_origin_hint_clear(out);
        *out = h;
        return st;
    }
    catalog_origin_hint_clear(&h);
    return st;
}

/* Whether a failed reading of a hint means no more than "there is no hint". */
static bool is_no_hint(cistern_status st)
{
    return st == CISTERN_DAMAGED || st == CISTERN_USAGE || st == CISTERN_NOT_FOUND;
}

cistern_status catalog_origin_read(const store *s, const char *name, const char *origin,
                                   catalog_origin_hint *out, bool *out_found, cistern_error *err)
{
    char path[STORE_PATH_MAX];
    json_t *document = NULL;
    bool found = false;
    cistern_status st = hint_path(name, origin, path, err);
    if (st != CISTERN_OK)
        return st;
    st = catalog_document_read(s, path, &document, NULL, &found, err);
    if (st == CISTERN_OK && found)
        st = parse(document, path, origin, out, err);
    if (is_no_hint(st)) {
        base_error_clear(err);
        found = false;
        st = CISTERN_OK;
    }
    if (st == CISTERN_OK)
        *out_found = found;
    json_decref(document);
    return st;
}

static cistern_status put_files(json_t *d, const catalog_origin_file *files, size_t count, cistern_error *err)
{
    json_t *list = json_array();
    cistern_status st = catalog_document_put(d, "files", list, err); /* d owns it now */
    for (size_t i = 0; i < count && st == CISTERN_OK; i++) {
        json_t *item = json_object();
        if (json_array_append_new(list, item) != 0)
            return base_fail_memory(err, 0);
        st = catalog_document_put_text(item, "path", files[i].path, CATALOG_PATH_MAX, err);
        if (st == CISTERN_OK && files[i].validator[0])
            st = catalog_document_put_text(item, "validator", files[i].validator, CATALOG_VALIDATOR_MAX, err);
        if (st == CISTERN_OK)
            st = catalog_document_put(item, "size", json_integer((json_int_t)files[i].size), err);
    }
    return st;
}

cistern_status catalog_origin_write(store *s, const char *name, const char *origin, const char *version,
                                    const catalog_origin_file *files, size_t file_count, cistern_error *err)
{
    char path[STORE_PATH_MAX];
    json_t *d = NULL;
    base_buf bytes;
    bool found = false;
    base_buf_init(&bytes, STORE_DOC_MAX);
    cistern_status st = hint_path(name, origin, path, err);
    if (st == CISTERN_OK)
        st = catalog_tag_check(version, err);
    if (st == CISTERN_OK && catalog_document_read(s, path, &d, NULL, &found, NULL) != CISTERN_OK)
        found = false; /* a hint that cannot be read is written anew */
    if (st == CISTERN_OK && !found && !(d = json_object()))
        st = base_fail_memory(err, 0);
    if (st == CISTERN_OK)
        st = catalog_document_put(d, "format", json_integer(CATALOG_FORMAT), err);
    if (st == CISTERN_OK)
        st = catalog_document_put_text(d, "origin", origin, CATALOG_TEXT_MAX, err);
    if (st == CISTERN_OK)
        st = catalog_document_put(d, "version", json_string(version), err);
    if (st == CISTERN_OK)
        st = put_files(d, files, file_count, err);
    if (st == CISTERN_OK)
        st = base_json_write(d, &bytes, err);
    if (st == CISTERN_OK)
        st = store_doc_hint(s, path, bytes.data, bytes.len, err);
    json_decref(d);
    base_buf_clear(&bytes);
    return st;
}

/* What a live version must be to be the one that is looked for. */
typedef struct wanted {
    const char *origin;        /* its manifest's, or NULL */
    const char *hinted;        /* its tag, or NULL */
    const catalog_file *files; /* its files, sorted, or NULL */
    size_t file_count;
} wanted;

static bool is_wanted(const wanted *w, const catalog_version *v)
{
    if (w->files)
        return catalog_files_equal(v->files, v->file_count, w->files, w->file_count);
    return (v->origin && strcmp(v->origin, w->origin) == 0) || (w->hinted && strcmp(v->tag, w->hinted) == 0);
}

/* The newest live version that is wanted. Those that cannot be read are not. */
static cistern_status find(const store *s, const char *name, const wanted *w, catalog_version *out,
                           bool *out_found, cistern_error *err)
{
    catalog_listing l;
    bool found = false;
    catalog_listing_init(&l);
    cistern_status st = catalog_list(s, name, &l, err);
    if (st == CISTERN_NOT_FOUND) {
        base_error_clear(err);
        st = CISTERN_OK;
    }
    for (size_t i = l.version_count; i > 0 && !found; i--) {
        catalog_listed *item = &l.versions[i - 1];
        if (item->removed || item->fault || !is_wanted(w, &item->version))
            continue;
        catalog_version_take(&item->version, out);
        found = true;
    }
    if (st == CISTERN_OK)
        *out_found = found;
    catalog_listing_clear(&l);
    return st;
}

cistern_status catalog_origin_find(const store *s, const char *name, const char *origin, catalog_version *out,
                                   bool *out_found, cistern_error *err)
{
    catalog_origin_hint hint;
    bool hinted = false;
    catalog_origin_hint_init(&hint);
    cistern_status st = catalog_origin_read(s, name, origin, &hint, &hinted, err);
    if (st == CISTERN_OK) {
        wanted w = {.origin = origin, .hinted = hinted ? hint.version : NULL};
        st = find(s, name, &w, out, out_found, err);
    }
    catalog_origin_hint_clear(&hint);
    return st;
}

cistern_status catalog_origin_matches(const store *s, const catalog_version *v, const char *origin, bool *out,
                                      cistern_error *err)
{
    catalog_origin_hint hint;
    bool hinted = false;
    if (v->origin && strcmp(v->origin, origin) == 0) {
        *out = true;
        return CISTERN_OK;
    }
    catalog_origin_hint_init(&hint);
    cistern_status st = catalog_origin_read(s, v->name, origin, &hint, &hinted, err);
    if (st == CISTERN_OK)
        *out = hinted && strcmp(hint.version, v->tag) == 0;
    catalog_origin_hint_clear(&hint);
    return st;
}

cistern_status catalog_version_find_files(const store *s, const char *name, const catalog_file *files,
                                          size_t count, catalog_version *out, bool *out_found,
                                          cistern_error *err)
{
    catalog_file *sorted = NULL;
    cistern_status st = catalog_files_check(files, count, err);
    if (st == CISTERN_OK)
        st = catalog_files_sort(files, count, &sorted, err);
    if (st == CISTERN_OK) {
        wanted w = {.files = sorted, .file_count = count};
        st = find(s, name, &w, out, out_found, err);
    }
    free(sorted);
    return st;
}
