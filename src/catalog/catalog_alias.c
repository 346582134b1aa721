/* Aliases: reading, moving, going back; see catalog_alias.h. The documents are in catalog_moves.c.
 *
 *   read the highest move --check--> append number + 1 --CONFLICT--> read again (a move), or give up (a rollback)
 */
#include "catalog_alias.h"
#include <inttypes.h>
#include "catalog_tags.h"
#include "priv/catalog_document.h"
#include "priv/catalog_manifest.h"
#include "priv/catalog_moves.h"

#define TAGS_TEXT_MAX 512 /* bytes of a list of tags in a message */

cistern_status catalog_alias_read(const store *s, const char *name, const char *alias, catalog_move *out,
                                  cistern_error *err)
{
    catalog_move top, below;
    uint32_t highest = 0;
    catalog_move_init(&top);
    catalog_move_init(&below);
    cistern_status st = catalog_name_check(name, err);
    if (st == CISTERN_OK)
        st = catalog_tag_check(alias, err);
    if (st == CISTERN_OK)
        st = catalog_moves_highest(s, name, alias, &highest, err);
    if (st == CISTERN_OK && highest > 0)
        st = catalog_moves_load(s, name, alias, highest, NULL, &top, err);
    if (st == CISTERN_OK && highest > 1)
        st = catalog_moves_load(s, name, alias, highest - 1, top.parent, &below, err);
    if (st == CISTERN_OK)
        catalog_move_take(&top, out);
    catalog_move_clear(&top);
    catalog_move_clear(&below);
    return st;
}

static cistern_status check_alias(const catalog_tags *tags, const char *name, const char *alias,
                                  cistern_error *err)
{
    uint32_t number;
    cistern_status st = catalog_tag_check(alias, err);
    if (st != CISTERN_OK)
        return st;
    if (catalog_tag_number(alias, &number))
        return base_fail(err, CISTERN_USAGE, "'%s' cannot be an alias: digits only are a version number",
                         alias);
    if (catalog_tags_has_removed(tags, alias))
        return base_fail(err, CISTERN_CONFLICT,
                         "'%s' cannot be an alias of '%s': a version of that name was removed, and a tag is "
                         "never used again",
                         alias, name);
    if (catalog_tags_has_live(tags, alias))
        return base_fail(err, CISTERN_CONFLICT, "'%s' cannot be an alias of '%s': it is a version", alias,
                         name);
    return CISTERN_OK;
}

static cistern_status check_target(const catalog_tags *tags, const char *name, const char *target,
                                   cistern_error *err)
{
    char text[TAGS_TEXT_MAX];
    cistern_status st = catalog_tag_check(target, err);
    if (st != CISTERN_OK || catalog_tags_has_live(tags, target))
        return st;
    if (catalog_tags_has_removed(tags, target))
        return base_fail(err, CISTERN_NOT_FOUND, "version %s of '%s' was removed", target, name);
    if (catalog_tags_has_alias(tags, target))
        return base_fail(err, CISTERN_CONFLICT,
                         "'%s' is an alias of '%s', and aliases name versions, never aliases", target, name);
    catalog_tags_text(tags, text, sizeof text);
    return base_fail(err, CISTERN_NOT_FOUND, "%s has no version %s; it has %s", name, target, text);
}

/* The compare in compare-and-swap. */
static cistern_status check_expect(const catalog_alias_change *c, const catalog_move *now, cistern_error *err)
{
    const char *held = now->number > 0 ? now->target : "";
    if (!c->expect || strcmp(held, c->expect) == 0)
        return CISTERN_OK;
    if (now->number == 0)
        return base_fail(err, CISTERN_CONFLICT, "%s:%s does not exist yet, version %s was expected", c->name,
                         c->alias, c->expect);
    return base_fail(err, CISTERN_CONFLICT, "%s:%s is version %s (move %" PRIu32 ", by %s), %s was expected",
                     c->name, c->alias, now->target, now->number, now->who,
                     c->expect[0] ? c->expect : "none");
}

/* One round of reading and adding. CONFLICT with *out_again set: another writer was first. */
static cistern_status move_once(store *s, const catalog_alias_change *c, uint64_t sequence, catalog_move *out,
                                bool *out_moved, bool *out_again, cistern_error *err)
{
    catalog_move now;
    catalog_move_init(&now);
    *out_again = false;
    cistern_status st = catalog_alias_read(s, c->name, c->alias, &now, err);
    if (st == CISTERN_OK)
        st = check_expect(c, &now, err);
    if (st == CISTERN_OK && now.number > 0 && strcmp(now.target, c->target) == 0) {
        *out_moved = false;
        catalog_move_take(&now, out);
    } else if (st == CISTERN_OK) {
        catalog_next_move next = {.name = c->name,
                                  .alias = c->alias,
                                  .after = &now,
                                  .target = c->target,
                                  .back = now.number,
                                  .sequence = sequence,
                                  .who = c->who,
                                  .why = c->why};
        st = catalog_moves_append(s, &next, out, err);
        *out_again = st == CISTERN_CONFLICT && now.number < CATALOG_NUMBER_MAX;
        if (st == CISTERN_OK)
            *out_moved = true;
    }
    catalog_move_clear(&now);
    return st;
}

/* After the move: what the checks before it could not see. */
static cistern_status check_after(const store *s, const catalog_alias_change *c, cistern_error *err)
{
    char path[STORE_PATH_MAX];
    bool version = false, removed = false;
    catalog_document_path(path, c->name, "/versions/%s.json", c->alias);
    cistern_status st = store_doc_has(s, path, &version, err);
    catalog_document_path(path, c->name, "/removed/%s.json", c->target);
    if (st == CISTERN_OK)
        st = store_doc_has(s, path, &removed, err);
    if (st == CISTERN_OK && version)
        return base_fail(err, CISTERN_CONFLICT,
                         "'%s' became a version of '%s' at the same moment, which is what the tag now means",
                         c->alias, c->name);
    if (st == CISTERN_OK && removed)
        return base_fail(err, CISTERN_CONFLICT,
                         "version %s of '%s' was removed at the same moment; move %s elsewhere", c->target,
                         c->name, c->alias);
    return st;
}

static cistern_status check_change(const store *s, const catalog_alias_change *c, catalog_tags *tags,
                                   cistern_error *err)
{
    catalog_model model;
    cistern_status st = catalog_model_read(s, c->name, &model, err);
    if (st == CISTERN_OK)
        st = catalog_model_check_home(s, &model, err);
    if (st == CISTERN_OK)
        st = store_check_write(s, err);
    if (st == CISTERN_OK)
        st = catalog_tags_read(s, c->name, tags, err);
    if (st == CISTERN_OK)
        st = check_alias(tags, c->name, c->alias, err);
    if (st == CISTERN_OK)
        st = check_target(tags, c->name, c->target, err);
    if (st == CISTERN_OK && c->expect && c->expect[0])
        st = catalog_tag_check(c->expect, err);
    return st;
}

cistern_status catalog_alias_move(store *s, const catalog_alias_change *c, catalog_move *out, bool *out_moved,
                                  cistern_error *err)
{
    catalog_tags tags;
    catalog_tags_init(&tags);
    cistern_status st = check_change(s, c, &tags, err);
    for (bool again = true; st == CISTERN_OK && again;) {
        st = move_once(s, c, tags.documents, out, out_moved, &again, err);
        if (again) { /* somebody else got one step further: this ends, as every round has a winner */
            base_error_clear(err);
            st = CISTERN_OK;
        }
    }
    if (st == CISTERN_OK && *out_moved)
        st = check_after(s, c, err);
    catalog_tags_clear(&tags);
    return st;
}

/* From the move that holds, down the chain, to the one that a rollback returns to. */
static cistern_status find_back(const store *s, const char *name, const char *alias, const catalog_tags *tags,
                                const catalog_move *now, catalog_move *out, cistern_error *err)
{
    catalog_move m;
    uint32_t wanted = now->back;
    char parent[BASE_SHA256_HEX];
    cistern_status st = CISTERN_OK;
    catalog_move_init(&m);
    memcpy(parent, now->parent, sizeof parent);
    for (uint32_t number = now->number - 1; st == CISTERN_OK && wanted > 0 && number > 0; number--) {
        st = catalog_moves_load(s, name, alias, number, parent, &m, err);
        memcpy(parent, m.parent, sizeof parent);
        if (st != CISTERN_OK || number != wanted)
            continue;
        if (catalog_tags_has_live(tags, m.target) && strcmp(m.target, now->target) != 0)
            break;
        wanted = m.back;
    }
    if (st == CISTERN_OK && wanted == 0)
        st = base_fail(err, CISTERN_NOT_FOUND,
                       "%s:%s is version %s and has nothing to go back to; see: cistern history %s", name,
                       alias, now->target, name);
    if (st == CISTERN_OK)
        catalog_move_take(&m, out);
    catalog_move_clear(&m);
    return st;
}

/* The move that holds, of an alias that must exist. */
static cistern_status read_existing(const store *s, const char *name, const char *alias,
                                    const catalog_tags *tags, catalog_move *out, cistern_error *err)
{
    char text[TAGS_TEXT_MAX];
    cistern_status st = catalog_tag_check(alias, err);
    if (st == CISTERN_OK && catalog_tags_has_live(tags, alias))
        return base_fail(err, CISTERN_CONFLICT, "'%s' is a version of '%s', not an alias: it cannot move",
                         alias, name);
    if (st == CISTERN_OK)
        st = catalog_alias_read(s, name, alias, out, err);
    if (st == CISTERN_OK && out->number == 0) {
        catalog_tags_text(tags, text, sizeof text);
        st = base_fail(err, CISTERN_NOT_FOUND, "%s has no alias '%s'; it has %s", name, alias, text);
    }
    return st;
}

static cistern_status fail_raced(const store *s, const char *name, const char *alias, cistern_error *err)
{
    catalog_move now;
    catalog_move_init(&now);
    base_error_clear(err);
    cistern_status st = catalog_alias_read(s, name, alias, &now, err);
    if (st == CISTERN_OK)
        st = base_fail(err, CISTERN_CONFLICT,
                       "%s:%s was moved meanwhile: it is version %s (move %" PRIu32
                       ", by %s); look, then try again",
                       name, alias, now.target, now.number, now.who);
    catalog_move_clear(&now);
    return st;
}

cistern_status catalog_alias_rollback(store *s, const char *name, const char *alias, const char *who,
                                      const char *why, catalog_move *out, cistern_error *err)
{
    catalog_model model;
    catalog_tags tags;
    catalog_move now, back;
    catalog_tags_init(&tags);
    catalog_move_init(&now);
    catalog_move_init(&back);
    cistern_status st = catalog_model_read(s, name, &model, err);
    if (st == CISTERN_OK)
        st = catalog_model_check_home(s, &model, err);
    if (st == CISTERN_OK)
        st = store_check_write(s, err);
    if (st == CISTERN_OK)
        st = catalog_tags_read(s, name, &tags, err);
    if (st == CISTERN_OK)
        st = read_existing(s, name, alias, &tags, &now, err);
    if (st == CISTERN_OK)
        st = find_back(s, name, alias, &tags, &now, &back, err);
    if (st == CISTERN_OK) {
        catalog_next_move next = {name, alias, &now, back.target, back.back, true, tags.documents, who, why};
        st = catalog_moves_append(s, &next, out, err);
        if (st == CISTERN_CONFLICT)
            st = fail_raced(s, name, alias, err);
    }
    catalog_move_clear(&now);
    catalog_move_clear(&back);
    catalog_tags_clear(&tags);
    return st;
}

cistern_status catalog_alias_each(const store *s, const char *name, catalog_alias_fn fn, void *user,
                                  cistern_error *err)
{
    catalog_tags tags;
    catalog_tags_init(&tags);
    cistern_status st = catalog_tags_read(s, name, &tags, err);
    for (size_t i = 0; i < tags.alias_count && st == CISTERN_OK; i++) {
        catalog_move now;
        catalog_move_init(&now);
        st = catalog_alias_read(s, name, tags.aliases[i].text, &now, err);
        if (st == CISTERN_OK && now.number > 0)
            st = fn(user, tags.aliases[i].text, &now, err);
        catalog_move_clear(&now);
    }
    catalog_tags_clear(&tags);
    return st;
}

cistern_status catalog_alias_walk(const store *s, const char *name, const char *alias, catalog_move_fn fn,
                                  void *user, cistern_error *err)
{
    char below[BASE_SHA256_HEX] = "";
    uint32_t highest = 0;
    cistern_status st = catalog_name_check(name, err);
    if (st == CISTERN_OK)
        st = catalog_tag_check(alias, err);
    if (st == CISTERN_OK)
        st = catalog_moves_highest(s, name, alias, &highest, err);
    for (uint32_t number = 1; st == CISTERN_OK && number <= highest; number++) {
        catalog_move m;
        catalog_move_init(&m);
        st = catalog_moves_load(s, name, alias, number, NULL, &m, err);
        if (st == CISTERN_OK && strcmp(m.parent, below) != 0) {
            char path[STORE_PATH_MAX];
            catalog_document_path(path, name, "/aliases/%s/%08" PRIu32 ".json", alias, number);
            st = base_fail(
                err, CISTERN_DAMAGED,
                "%s: 'parent' is %s, but the move before it has the SHA-256 %s: the alias cannot be "
                "trusted",
                path, m.parent, below);
        }
        memcpy(below, m.digest, sizeof below);
        if (st == CISTERN_OK && fn)
            st = fn(user, &m, err);
        catalog_move_clear(&m);
    }
    return st;
}
