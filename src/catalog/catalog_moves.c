/* The documents of an alias's moves; see priv/catalog_moves.h. */
#include "priv/catalog_moves.h"
#include <inttypes.h>
#include "base_json.h"
#include "base_mem.h"
#include "priv/catalog_document.h"

#define LISTING_TRIES 3 /* a move made while its directory is being read may be missed */

void catalog_move_init(catalog_move *m)
{
    *m = (catalog_move){.number = 0, .who = "", .when = "", .why = ""};
}

void catalog_move_clear(catalog_move *m)
{
    json_decref(m->document);
    catalog_move_init(m);
}

void catalog_move_take(catalog_move *from, catalog_move *to)
{
    catalog_move taken = *from;
    catalog_move_init(from);
    catalog_move_clear(to);
    *to = taken;
}

static void move_path(char out[STORE_PATH_MAX], const char *name, const char *alias, uint32_t number)
{
    catalog_document_path(out, name, "/aliases/%s/%08" PRIu32 ".json", alias, number);
}

/* The number of an entry "<8 digits>.json", or 0. */
static uint32_t entry_number(const char *entry)
{
    uint32_t number = 0;
    if (strlen(entry) != 13 || strspn(entry, "0123456789") != 8 || strcmp(entry + 8, ".json") != 0)
        return 0;
    for (int i = 0; i < 8; i++)
        number = number * 10 + (uint32_t)(entry[i] - '0');
    return number;
}

/* The numbers seen in one listing. */
typedef struct numbers {
    uint32_t count, highest;
} numbers;

static cistern_status see_entry(void *user, const char *entry, cistern_error *err)
{
    (void)err;
    numbers *seen = user;
    uint32_t number = entry_number(entry);
    seen->count += number > 0;
    if (number > seen->highest)
        seen->highest = number;
    return CISTERN_OK;
}

/* A listing had fewer entries than its highest number says: name the missing one, if one is missing. */
static cistern_status find_gap(const store *s, const char *name, const char *alias, uint32_t highest,
                               cistern_error *err)
{
    char path[STORE_PATH_MAX];
    for (uint32_t number = 1; number < highest; number++) {
        bool has = false;
        move_path(path, name, alias, number);
        cistern_status st = store_doc_has(s, path, &has, err);
        if (st == CISTERN_OK && !has)
            st = base_fail(err, CISTERN_DAMAGED,
                           "%s is missing, though there are moves up to %" PRIu32
                           ": the alias cannot be trusted",
                           path, highest);
        if (st != CISTERN_OK)
            return st;
    }
    return CISTERN_OK;
}

cistern_status catalog_moves_highest(const store *s, const char *name, const char *alias, uint32_t *out,
                                     cistern_error *err)
{
    char path[STORE_PATH_MAX];
    numbers seen = {0, 0};
    catalog_document_path(path, name, "/aliases/%s", alias);
    for (int try = 0; try < LISTING_TRIES; try++) {
        seen = (numbers){0, 0};
        cistern_status st = store_doc_each(s, path, see_entry, &seen, err);
        if (st != CISTERN_OK)
            return st;
        if (seen.count == seen.highest)
            break; /* names are unique: no gap */
    }
    if (seen.count != seen.highest) {
        cistern_status st = find_gap(s, name, alias, seen.highest, err);
        if (st != CISTERN_OK)
            return st;
    }
    *out = seen.highest;
    return CISTERN_OK;
}

static cistern_status check_numbers(const catalog_move *m, uint64_t number, uint64_t back, const char *kind,
                                    const char *path, cistern_error *err)
{
    if (number != m->number)
        return base_fail(err, CISTERN_DAMAGED, "%s: 'number' is %" PRIu64 ", %" PRIu32 " expected", path,
                         number, m->number);
    if (back >= number)
        return base_fail(err, CISTERN_DAMAGED,
                         "%s: 'back' is %" PRIu64 ", a lower number than %" PRIu64 " expected", path, back,
                         number);
    if (!m->rollback && strcmp(kind, "move") != 0)
        return base_fail(err, CISTERN_DAMAGED, "%s: 'kind' is '%.80s', 'move' or 'rollback' expected", path,
                         kind);
    if (!m->parent[0] != (number == 1))
        return base_fail(err, CISTERN_DAMAGED, "%s: the first move, and no other, is without 'parent'", path);
    return CISTERN_OK;
}

/* Fill all that is read from the document; number and digest are there. */
static cistern_status parse(catalog_move *m, const char *name, const char *alias, const char *path,
                            cistern_error *err)
{
    const json_t *d = m->document;
    const char *kind = "", *parent;
    uint64_t number = 0, back = 0;
    cistern_status st = catalog_document_same(d, "name", path, name, err);
    if (st == CISTERN_OK)
        st = catalog_document_same(d, "alias", path, alias, err);
    if (st == CISTERN_OK)
        st = catalog_document_hex(d, "id", path, CATALOG_ID_HEX - 1, m->id, err);
    if (st == CISTERN_OK)
        st = catalog_document_text_or(d, "parent", path, CATALOG_WHO_MAX, NULL, &parent, err);
    if (st == CISTERN_OK && parent)
        st = catalog_document_hex(d, "parent", path, BASE_SHA256_HEX - 1, m->parent, err);
    if (st == CISTERN_OK)
        st = catalog_document_tag(d, "target", path, m->target, err);
    if (st == CISTERN_OK)
        st = base_json_u64(d, "number", path, &number, err);
    if (st == CISTERN_OK)
        st = base_json_u64(d, "back", path, &back, err);
    if (st == CISTERN_OK)
        st = catalog_document_text(d, "kind", path, CATALOG_WHO_MAX, &kind, err);
    if (st == CISTERN_OK)
        st = catalog_document_u64_or_0(d, "sequence", path, &m->sequence, err);
    if (st == CISTERN_OK)
        st = catalog_document_text(d, "who", path, CATALOG_WHO_MAX, &m->who, err);
    if (st == CISTERN_OK)
        st = catalog_document_text(d, "when", path, CATALOG_WHO_MAX, &m->when, err);
    if (st == CISTERN_OK)
        st = catalog_document_text_or(d, "why", path, CATALOG_TEXT_MAX, "", &m->why, err);
    m->rollback = strcmp(kind, "rollback") == 0;
    m->back = (uint32_t)back;
    return st == CISTERN_OK ? check_numbers(m, number, back, kind, path, err) : st;
}

cistern_status catalog_moves_load(const store *s, const char *name, const char *alias, uint32_t number,
                                  const char *digest, catalog_move *out, cistern_error *err)
{
    char path[STORE_PATH_MAX];
    catalog_move m;
    bool found = false;
    catalog_move_init(&m);
    m.number = number;
    move_path(path, name, alias, number);
    cistern_status st = catalog_document_read(s, path, &m.document, m.digest, &found, err);
    if (st == CISTERN_OK && !found)
        st = base_fail(err, CISTERN_DAMAGED, "%s is missing: the alias cannot be trusted", path);
    if (st == CISTERN_OK && digest && strcmp(digest, m.digest) != 0)
        st = base_fail(err, CISTERN_DAMAGED,
                       "%s has the SHA-256 %s, but the move after it names %s: the alias cannot be trusted",
                       path, m.digest, digest);
    if (st == CISTERN_OK)
        st = parse(&m, name, alias, path, err);
    if (st == CISTERN_OK)
        catalog_move_take(&m, out);
    catalog_move_clear(&m);
    return st;
}

static cistern_status compose(const catalog_next_move *next, json_t *d, cistern_error *err)
{
    const catalog_move *after = next->after;
    cistern_status st =
        catalog_document_sign(d, next->who, next->why && next->why[0] ? next->why : NULL, err);
    if (st == CISTERN_OK)
        st = catalog_document_put(d, "format", json_integer(CATALOG_FORMAT), err);
    if (st == CISTERN_OK)
        st = catalog_document_put(d, "name", json_string(next->name), err);
    if (st == CISTERN_OK)
        st = catalog_document_put(d, "alias", json_string(next->alias), err);
    if (st == CISTERN_OK)
        st = catalog_document_put(d, "number", json_integer((json_int_t)after->number + 1), err);
    if (st == CISTERN_OK)
        st = catalog_document_put(d, "parent", after->number ? json_string(after->digest) : json_null(), err);
    if (st == CISTERN_OK)
        st = catalog_document_put(d, "target", json_string(next->target), err);
    if (st == CISTERN_OK)
        st = catalog_document_put(d, "back", json_integer((json_int_t)next->back), err);
    if (st == CISTERN_OK)
        st = catalog_document_put(d, "kind", json_string(next->rollback ? "rollback" : "move"), err);
    if (st == CISTERN_OK)
        st = catalog_document_put(d, "sequence", json_integer((json_int_t)next->sequence), err);
    return st;
}

cistern_status catalog_moves_append(store *s, const catalog_next_move *next, catalog_move *out,
                                    cistern_error *err)
{
    char path[STORE_PATH_MAX];
    catalog_move m;
    catalog_move_init(&m);
    m.number = next->after->number + 1;
    m.document = json_object();
    cistern_status st = CISTERN_OK;
    if (m.number > CATALOG_NUMBER_MAX)
        st = base_fail(err, CISTERN_CONFLICT, "the alias '%s' of '%s' has had %u moves, no more are allowed",
                       next->alias, next->name, CATALOG_NUMBER_MAX);
    else if (!m.document)
        st = base_fail_memory(err, 0);
    if (st == CISTERN_OK)
        st = compose(next, m.document, err);
    move_path(path, next->name, next->alias, m.number);
    if (st == CISTERN_OK)
        st = catalog_document_create(s, path, m.document, m.digest, err);
    if (st == CISTERN_OK)
        st = parse(&m, next->name, next->alias, path, err);
    if (st == CISTERN_OK) {
        catalog_document_path(path, next->name, "/aliases/%s/head", next->alias);
        catalog_document_head(s, path, m.number);
        catalog_move_take(&m, out);
    }
    catalog_move_clear(&m);
    return st;
}
