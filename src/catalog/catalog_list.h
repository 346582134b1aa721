/* What a model has: its versions, alive and removed, and the aliases at each. For `ls`, `show` and messages.
 *
 * One damaged version document does not hide the others: it is listed with its fault. A damaged alias does the same.
 * A listing is a picture of one moment, not a lock: it may be old when it is read.
 */
#ifndef CATALOG_LIST_H
#define CATALOG_LIST_H

#include "catalog_alias.h"

typedef struct catalog_listed {
    catalog_version version;
    bool removed;
    cistern_error
        *fault; /* NULL: fine; else why the document cannot be read, and only version.tag is filled */
} catalog_listed;

typedef struct catalog_listed_alias {
    char alias[CATALOG_TAG_MAX + 1];
    catalog_move move;    /* the one that holds */
    cistern_error *fault; /* NULL: fine; else why its moves cannot be read */
} catalog_listed_alias;

typedef struct catalog_listing {
    catalog_model model;
    catalog_listed *versions; /* version_count, oldest first (by sequence, then tag); removed ones too */
    size_t version_count;
    size_t live_count;             /* neither removed nor damaged */
    catalog_listed_alias *aliases; /* alias_count, sorted by alias */
    size_t alias_count;
} catalog_listing;

void catalog_listing_init(catalog_listing *l);
void catalog_listing_clear(catalog_listing *l);

/** @param out initialised. @retval NOT_FOUND  no such model (similar names in the message). @retval DAMAGED
 * a document. */
cistern_status catalog_list(const store *s, const char *name, catalog_listing *out,
                            cistern_error *err) CISTERN_MUST_CHECK;

#endif
