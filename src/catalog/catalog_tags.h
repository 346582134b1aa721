/* Which tags a model has, told from the names of its documents alone; none is read.
 *
 * A directory listing is the truth here (hints are for stores that cannot be listed). Like every listing it may miss
 * what is made while it is taken: nothing that must be exact rests on it, only on create-if-absent.
 */
#ifndef CATALOG_TAGS_H
#define CATALOG_TAGS_H

#include "catalog_model.h"

typedef struct catalog_tag {
    char text[CATALOG_TAG_MAX + 1];
    bool removed; /* it has a tombstone */
} catalog_tag;

typedef struct catalog_tags {
    catalog_tag
        *versions; /* version_count: numbers first, ascending, then names by bytes; removed ones too */
    size_t version_count;
    size_t live_count;
    catalog_tag *aliases; /* alias_count, by bytes: those with at least one move */
    size_t alias_count;
    uint32_t highest;   /* version number ever used; 0: none */
    uint64_t documents; /* versions and tombstones: the clock that `sequence` tells */
} catalog_tags;

void catalog_tags_init(catalog_tags *t);
void catalog_tags_clear(catalog_tags *t);

/** @param name valid. @param out initialised; an absent model has no tags. */
cistern_status catalog_tags_read(const store *s, const char *name, catalog_tags *out,
                                 cistern_error *err) CISTERN_MUST_CHECK;

/** The entry of a version, dead or alive, or NULL; borrowed. */
const catalog_tag *catalog_tags_find(const catalog_tags *t, const char *tag);
bool catalog_tags_has_live(const catalog_tags *t, const char *tag);
bool catalog_tags_has_removed(const catalog_tags *t, const char *tag);
bool catalog_tags_has_alias(const catalog_tags *t, const char *tag);

/** "1, 2, 3 and aliases latest, production", "no versions": for messages. Of many the last CATALOG_TAGS_SHOWN. */
#define CATALOG_TAGS_SHOWN 16
void catalog_tags_text(const catalog_tags *t, char *out, size_t size);

/** Order of tags: numbers first, ascending, then names by bytes; as strcmp. */
int catalog_tag_compare(const char *a, const char *b);

#endif
