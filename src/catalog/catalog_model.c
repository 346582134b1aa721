/* model.json and the list of models; see catalog_model.h. */
#include "catalog_model.h"
#include "base_host.h"
#include "base_json.h"
#include "base_mem.h"
#include "priv/catalog_document.h"

#define SIMILAR_MAX 3 /* names offered in place of one that is not there */

/* The nearest names found so far, nearest first. */
typedef struct similar {
    const char *wanted;
    size_t count;
    size_t distance[SIMILAR_MAX];
    char name[SIMILAR_MAX][CATALOG_NAME_MAX + 1];
} similar;

/* Levenshtein's distance of two names (each at most CATALOG_NAME_MAX bytes). */
static size_t edit_distance(const char *a, const char *b)
{
    size_t row[CATALOG_NAME_MAX + 1];
    size_t n = strlen(b);
    for (size_t j = 0; j <= n; j++)
        row[j] = j;
    for (size_t i = 0; a[i]; i++) {
        size_t diagonal = row[0];
        row[0] = i + 1;
        for (size_t j = 0; j < n; j++) {
            size_t change = diagonal + (a[i] != b[j]);
            size_t step = (row[j] < row[j + 1] ? row[j] : row[j + 1]) + 1;
            diagonal = row[j + 1];
            row[j + 1] = change < step ? change : step;
        }
    }
    return row[n];
}

/* How far a name is from the wanted one; SIZE_MAX: not similar. */
static size_t dissimilarity(const char *wanted, const char *name)
{
    if (strstr(name, wanted) || strstr(wanted, name))
        return 1;
    size_t distance = edit_distance(wanted, name);
    return distance <= strlen(wanted) / 3 + 1 ? distance : SIZE_MAX;
}

static cistern_status collect_similar(void *user, const char *name, cistern_error *err)
{
    (void)err;
    similar *found = user;
    size_t distance = dissimilarity(found->wanted, name), at = found->count;
    while (at > 0 && distance < found->distance[at - 1])
        at--;
    if (distance == SIZE_MAX || at == SIMILAR_MAX)
        return CISTERN_OK;
    if (found->count < SIMILAR_MAX)
        found->count++;
    for (size_t i = found->count - 1; i > at; i--) {
        found->distance[i] = found->distance[i - 1];
        memcpy(found->name[i], found->name[i - 1], sizeof found->name[i]);
    }
    found->distance[at] = distance;
    memcpy(found->name[at], name, strlen(name) + 1);
    return CISTERN_OK;
}

static cistern_status fail_unknown(const store *s, const char *name, cistern_error *err)
{
    similar found = {.wanted = name};
    char text[SIMILAR_MAX * (CATALOG_NAME_MAX + 2) + 1] = "";
    size_t n = 0;
    if (catalog_model_each(s, collect_similar, &found, NULL) != CISTERN_OK)
        found.count = 0; /* the message does without */
    for (size_t i = 0; i < found.count; i++)
        n += (size_t)snprintf(text + n, sizeof text - n, "%s%s", i > 0 ? ", " : "", found.name[i]);
    if (found.count > 0)
        return base_fail(
            err, CISTERN_NOT_FOUND,
            "there is no model '%s' here; similar: %s; fetch it with: cistern pull ADDRESS --as %s", name,
            text, name);
    return base_fail(err, CISTERN_NOT_FOUND,
                     "there is no model '%s' here; fetch it with: cistern pull ADDRESS --as %s", name, name);
}

static cistern_status load(const store *s, const char *name, catalog_model *out, bool *out_found,
                           cistern_error *err)
{
    char path[STORE_PATH_MAX];
    json_t *document = NULL;
    catalog_model model = {{0}, {0}, {0}};
    catalog_document_path(path, name, "/model.json");
    cistern_status st = catalog_document_read(s, path, &document, NULL, out_found, err);
    if (st != CISTERN_OK || !*out_found)
        return st;
    st = catalog_document_same(document, "name", path, name, err);
    if (st == CISTERN_OK)
        st = catalog_document_hex(document, "lineage", path, CATALOG_ID_HEX - 1, model.lineage, err);
    if (st == CISTERN_OK)
        st = catalog_document_hex(document, "home", path, CATALOG_ID_HEX - 1, model.home, err);
    if (st == CISTERN_OK) {
        memcpy(model.name, name, strlen(name) + 1);
        *out = model;
    }
    json_decref(document);
    return st;
}

cistern_status catalog_model_read(const store *s, const char *name, catalog_model *out, cistern_error *err)
{
    bool found = false;
    cistern_status st = catalog_name_check(name, err);
    if (st == CISTERN_OK)
        st = load(s, name, out, &found, err);
    if (st == CISTERN_OK && !found)
        st = fail_unknown(s, name, err);
    return st;
}

cistern_status catalog_model_check_home(const store *s, const catalog_model *model, cistern_error *err)
{
    if (strcmp(model->home, store_id(s)) == 0)
        return CISTERN_OK;
    return base_fail(
        err, CISTERN_NETWORK,
        "the versions of '%s' are numbered in its home, the store %s; this is the store %s at %s",
        model->name, model->home, store_id(s), store_path(s));
}

static cistern_status create(store *s, const char *name, cistern_error *err)
{
    char path[STORE_PATH_MAX], digest[BASE_SHA256_HEX], lineage[CATALOG_ID_HEX];
    json_t *document = NULL;
    cistern_status st = base_random_hex((CATALOG_ID_HEX - 1) / 2, lineage, err);
    if (st != CISTERN_OK)
        return st;
    document = json_pack("{s:i, s:s, s:s, s:s}", "format", CATALOG_FORMAT, "name", name, "lineage", lineage,
                         "home", store_id(s));
    if (!document)
        return base_fail_memory(err, 0);
    catalog_document_path(path, name, "/model.json");
    st = catalog_document_create(s, path, document, digest, err);
    json_decref(document);
    if (st == CISTERN_CONFLICT) { /* another made it first: it is read like any other */
        base_error_clear(err);
        st = CISTERN_OK;
    }
    return st;
}

cistern_status catalog_model_ensure(store *s, const char *name, catalog_model *out, cistern_error *err)
{
    bool found = false;
    catalog_model model;
    cistern_status st = catalog_name_check(name, err);
    if (st == CISTERN_OK)
        st = store_check_write(s, err);
    if (st == CISTERN_OK)
        st = load(s, name, &model, &found, err);
    if (st == CISTERN_OK && !found)
        st = create(s, name, err);
    if (st == CISTERN_OK && !found)
        st = catalog_model_read(s, name, &model, err);
    if (st == CISTERN_OK)
        st = catalog_model_check_home(s, &model, err);
    if (st == CISTERN_OK)
        *out = model;
    return st;
}

/* For the callback of the directory's entries. */
typedef struct each {
    const store *s;
    catalog_model_fn fn;
    void *user;
} each;

static cistern_status each_entry(void *user, const char *entry, cistern_error *err)
{
    const each *e = user;
    char name[CATALOG_NAME_MAX + 1], path[STORE_PATH_MAX];
    bool has = false;
    if (!catalog_name_decode(entry, name))
        return CISTERN_OK;
    catalog_document_path(path, name, "/model.json");
    cistern_status st = store_doc_has(e->s, path, &has, err);
    return st == CISTERN_OK && has ? e->fn(e->user, name, err) : st;
}

cistern_status catalog_model_each(const store *s, catalog_model_fn fn, void *user, cistern_error *err)
{
    each e = {s, fn, user};
    return store_doc_each(s, "models", each_entry, &e, err);
}
