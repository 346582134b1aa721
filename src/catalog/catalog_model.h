/* models/<name>/model.json: the one document that makes a model exist, and the list of models.
 *
 * Invariants
 *  1. It is made first, by create-if-absent, and never changed: lineage (128 random bits, the model's
 * identity: equal names with different lineages never mix) and home (the id of the store in which versions
 * are numbered and aliases moved).
 *  2. A directory under models/ without it is no model (a writer was killed before anything referred to it).
 * Threads: any; each call stands for itself.
 */
#ifndef CATALOG_MODEL_H
#define CATALOG_MODEL_H

#include <jansson.h>
#include "catalog_name.h"
#include "store_open.h"

#define CATALOG_FORMAT   1    /* of every document under models/; a higher one is refused */
#define CATALOG_ID_HEX   33   /* 128 bits as hexadecimal digits, and a zero */
#define CATALOG_TEXT_MAX 4096 /* bytes of `origin` and `why` in any document */
#define CATALOG_WHO_MAX  256  /* bytes of `who` and `when` in any document */

typedef struct catalog_model {
    char name[CATALOG_NAME_MAX + 1];
    char lineage[CATALOG_ID_HEX];
    char home[CATALOG_ID_HEX]; /* id of a store */
} catalog_model;

/**
 * Read it.
 * @retval NOT_FOUND  no such model here; the message names similar ones. @retval DAMAGED  the document, by
 * path.
 */
cistern_status catalog_model_read(const store *s, const char *name, catalog_model *out,
                                  cistern_error *err) CISTERN_MUST_CHECK;

/**
 * Read it for writing, made with a fresh lineage and this store as its home if it is absent.
 * @retval NETWORK  the model's home is another store. @retval USAGE  not a name.
 */
cistern_status catalog_model_ensure(store *s, const char *name, catalog_model *out,
                                    cistern_error *err) CISTERN_MUST_CHECK;

/** Whether versions may be added and aliases moved here. @retval NETWORK  the model's home is another store.
 */
cistern_status catalog_model_check_home(const store *s, const catalog_model *model,
                                        cistern_error *err) CISTERN_MUST_CHECK;

/** Call fn for each model's name, sorted by stored name; stops at the first status that is not OK and returns
 * it. */
typedef cistern_status (*catalog_model_fn)(void *user, const char *name, cistern_error *err);
cistern_status catalog_model_each(const store *s, catalog_model_fn fn, void *user,
                                  cistern_error *err) CISTERN_MUST_CHECK;

#endif
