/* Pins; see catalog_pin.h. */
#include "catalog_pin.h"
#include "priv/catalog_document.h"

static cistern_status pin_path(const char *name, const char *tag, char out[STORE_PATH_MAX],
                               cistern_error *err)
{
    cistern_status st = catalog_name_check(name, err);
    if (st == CISTERN_OK)
        st = catalog_tag_check(tag, err);
    if (st == CISTERN_OK)
        catalog_document_path(out, name, "/pins/%s.json", tag);
    return st;
}

cistern_status catalog_pin_put(store *s, const char *name, const char *tag, const char *why,
                               bool *out_created, cistern_error *err)
{
    char path[STORE_PATH_MAX], digest[BASE_SHA256_HEX];
    catalog_model model;
    json_t *d = NULL;
    cistern_status st = pin_path(name, tag, path, err);
    if (st == CISTERN_OK)
        st = catalog_model_read(s, name, &model, err);
    if (st != CISTERN_OK)
        return st;
    d = json_pack("{s:i, s:s, s:s, s:s}", "format", CATALOG_FORMAT, "name", name, "lineage", model.lineage,
                  "version", tag);
    if (!d)
        return base_fail_memory(err, 0);
    st = catalog_document_sign(d, NULL, why && why[0] ? why : NULL, err);
    if (st == CISTERN_OK)
        st = catalog_document_create(s, path, d, digest, err);
    *out_created = st == CISTERN_OK;
    if (st == CISTERN_CONFLICT) { /* pinned already, by whomever */
        base_error_clear(err);
        st = CISTERN_OK;
    }
    json_decref(d);
    return st;
}

cistern_status catalog_pin_has(const store *s, const char *name, const char *tag, bool *out,
                               cistern_error *err)
{
    char path[STORE_PATH_MAX];
    cistern_error why = CISTERN_ERROR_INIT;
    cistern_status st = pin_path(name, tag, path, err);
    if (st != CISTERN_OK)
        return st;
    st = store_doc_has(s, path, out, &why);
    if (st == CISTERN_DAMAGED) { /* something lies there: rather keep too much */
        *out = true;
        st = CISTERN_OK;
    } else if (st != CISTERN_OK && err) {
        *err = why;
    }
    return st;
}

cistern_status catalog_pin_remove(store *s, const char *name, const char *tag, bool *out_removed,
                                  cistern_error *err)
{
    char path[STORE_PATH_MAX];
    bool has = false;
    cistern_status st = pin_path(name, tag, path, err);
    if (st == CISTERN_OK)
        st = catalog_pin_has(s, name, tag, &has, err);
    if (st == CISTERN_OK && has)
        st = store_doc_remove_hint(s, path, err);
    if (st == CISTERN_OK)
        *out_removed = has;
    return st;
}
