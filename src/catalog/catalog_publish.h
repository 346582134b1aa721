/* Publishing a version: model.json, version document, move of `latest`, hints, in that order, each synced
 * before the next (the blobs, chunk lists and derived index before all of them are the caller's).
 *
 *   absent --catalog_model_ensure--> model --create-if-absent--> version --catalog_alias_move--> latest -->
 * hints
 *
 * Killed after any arrow, a repetition of the same call goes on from there: an equal version is found, and if
 * `latest` never got to it, it is moved now. Invariants
 *  1. The next number is the highest ever used (documents and tombstones) plus one; a lost race tries the
 * next one.
 *  2. The same bytes with the same declared facts are the same version and move nothing. An explicit tag that
 * exists with the same content is success, with other content CONFLICT; an explicit tag that is new is made
 * even if its content is known under another tag.
 *  3. `latest` moves to every new version; a numbered one never moves it back from a higher number (which was
 *     added later).
 */
#ifndef CATALOG_PUBLISH_H
#define CATALOG_PUBLISH_H

#include "catalog_version.h"

/** What is to be published. All borrowed for the call. */
typedef struct catalog_publication {
    const char *name;
    const char *tag;           /* NULL: the next number */
    const catalog_file *files; /* 1 to CATALOG_FILES_MAX, any order, paths unique even after case folding */
    size_t file_count;
    const model_facts *facts;
    const char *origin; /* normalised; NULL: none */
    const char *who;    /* NULL: base_who() */
    const char *why;    /* of the move of latest; NULL: none */
} catalog_publication;

/** What came of it. */
typedef struct catalog_published {
    catalog_version version; /* the new or the equal one: catalog_version_clear */
    bool created;            /* false: it was there already */
    bool latest_moved;
    char latest[CATALOG_TAG_MAX + 1]; /* what `latest` names now; "": nothing (no such alias) */
} catalog_published;

/**
 * Publish a version; the blobs are there already.
 * @param out      initialised by the call; filled on success.
 * @retval USAGE   a bad name, tag, path. @retval CONFLICT  the tag is an alias, was removed, or is a version
 * with other content (both digests shown). @retval NETWORK  the model's home is another store.
 * @retval DAMAGED a document that had to be read. And whatever the store says: NO_SPACE, DENIED …
 */
cistern_status catalog_publish(store *s, const catalog_publication *p, catalog_published *out,
                               cistern_error *err) CISTERN_MUST_CHECK;

/**
 * Whether NAME[:TAG] may be asked for at all: the grammar, tag not an alias and not removed. Only reads, so that a hit
 * in a store that may not be written stays a hit. An absent model is fine.
 * @param tag  NULL: the next number. @retval USAGE, CONFLICT
 */
cistern_status catalog_publish_check(const store *s, const char *name, const char *tag,
                                     cistern_error *err) CISTERN_MUST_CHECK;

/**
 * Before a transfer: whether versions of that name are numbered in this store, and it may be written. An absent model
 * is fine. @retval NETWORK  the model's home is another store. @retval DENIED  read-only. @retval DAMAGED  model.json.
 */
cistern_status catalog_publish_check_home(const store *s, const char *name,
                                          cistern_error *err) CISTERN_MUST_CHECK;

/**
 * Finish what a killed publisher left: move `latest` to this live version if it never got there (see above).
 * For callers that found the version by other means than catalog_publish. Does nothing for a version once
 * published whole, and costs one directory listing then.
 */
cistern_status catalog_publish_settle(store *s, const catalog_version *v, bool *out_moved,
                                      cistern_error *err) CISTERN_MUST_CHECK;

#endif
