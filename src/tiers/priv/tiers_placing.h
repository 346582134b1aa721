/* Placing a version's only file beneath an open directory; what tiers_export.c and tiers_place.c share. */
#ifndef TIERS_PLACING_H
#define TIERS_PLACING_H

#include "tiers_export.h"

typedef enum tiers_placing_state {
    TIERS_PLACING_FREE,  /* nothing has that name */
    TIERS_PLACING_SAME,  /* these bytes have it, or a link to their blob */
    TIERS_PLACING_OTHER, /* something else has it */
} tiers_placing_state;

/** Path of the blob of a version's only file; owned by the caller. @retval USAGE several files. @retval DAMAGED not here */
cistern_status tiers_placing_blob(tiers *t, const catalog_version *v, char **out,
                                  cistern_error *err) CISTERN_MUST_CHECK;

/** What has a name beneath root. Hashes a file of the same size. */
cistern_status tiers_placing_look(int root, const char *path, const catalog_file *file, const char *blob,
                                  const base_run *run, tiers_placing_state *out,
                                  cistern_error *err) CISTERN_MUST_CHECK;

/** Give it that name. @param out_created  false: the name was taken meanwhile. */
cistern_status tiers_placing_put(tiers *t, const catalog_version *v, int root, const char *path,
                                 const char *blob, const tiers_place *how, bool replace, const base_run *run,
                                 bool *out_created, cistern_error *err) CISTERN_MUST_CHECK;

#endif
