/* What a model has: its versions, alive and removed, and the aliases at each. For `ls`, `show` and messages.
 *
 * A listing is a picture of one moment, not a lock: it may be old when it is read.
 */
#ifndef CATALOG_LIST_H
#define CATALOG_LIST_H

#include "catalog_alias.h"

typedef struct catalog_listed {
    catalog_version version;
    bool removed;
} catalog_listed;

typedef struct catalog_listed_alias {
    char alias[CATALOG_TAG_MAX + 1];
    catalog_move move; /* the one that holds */
} catalog_listed_alias;

typedef struct catalog_listing {
    catalog_model model;
    catalog_listed *versions; /* version_count, oldest first (by sequence, then tag); removed ones too */
    size_t version_count;
    size_t live_count;
    catalog_listed_alias *aliases; /* alias_count, sorted by alias */
    size_t alias_count;
} catalog_listing;

void catalog_listing_init(catalog_listing *l);
void catalog_listing_clear(catalog_listing *l);

/** @param out initialised. @retval NOT_FOUND  no such model (similar names in the message). @retval DAMAGED
 * a document. */
cistern_status catalog_list(store *s, const char *name, catalog_listing *out,
                            cistern_error *err) CISTERN_MUST_CHECK;

/** The names of a model's tags, without reading a document. */
typedef struct catalog_tags {
    char (*live)[CATALOG_TAG_MAX + 1]; /* numbers first, ascending, then names */
    size_t live_count;
    char (*removed)[CATALOG_TAG_MAX + 1];
    size_t removed_count;
    char (*alias)[CATALOG_TAG_MAX + 1];
    size_t alias_count;
    uint32_t highest; /* number ever used; 0: none */
    uint64_t ever;    /* version documents, dead or alive */
} catalog_tags;

void catalog_tags_init(catalog_tags *t);
void catalog_tags_clear(catalog_tags *t);
cistern_status catalog_tags_read(store *s, const char *name, catalog_tags *out,
                                 cistern_error *err) CISTERN_MUST_CHECK;
bool catalog_tags_has_live(const catalog_tags *t, const char *tag);
bool catalog_tags_has_removed(const catalog_tags *t, const char *tag);
bool catalog_tags_has_alias(const catalog_tags *t, const char *tag);
/** "1, 2, 3 and aliases latest, production", "no versions": for messages; cut with "…" if it does not fit. */
void catalog_tags_text(const catalog_tags *t, char *out, size_t size);

#endif
