/* Files and directories that a user names, as the files of one version.
 *
 * Invariants
 *  1. A directory gives its regular files, all the way down, under their paths inside it; entries whose names begin with a
 *     dot are left out, and so is a config.json at its top, which declares facts and is no file of the version.
 *  2. No link inside a directory is followed, and nothing but files and directories is taken: either is an error that
 *     names it. Files of a directory are open from the moment they were looked at.
 *  3. At most CATALOG_FILES_MAX files and TIERS_TREE_DEPTH_MAX directories inside each other.
 */
#ifndef TIERS_TREE_H
#define TIERS_TREE_H

#include "catalog_version.h"

#define TIERS_TREE_DEPTH_MAX 16

typedef struct tiers_tree {
    char **paths; /* as a user would type them */
    char **names; /* inside the version */
    int *fds;     /* open for reading */
    size_t count, capacity;
} tiers_tree;

void tiers_tree_init(tiers_tree *t);
void tiers_tree_clear(tiers_tree *t); /* closes the files too */

/** Whether any of these paths is a directory (then they need expanding). */
bool tiers_tree_needed(const char *const *paths, size_t count);
/**
 * Expand them.
 * @param t  initialised; what was found before a failure stays in it.
 * @retval NOT_FOUND  no such file. @retval USAGE  a link, a device, a directory without files, too many, too deep.
 * @retval DENIED, NO_MEMORY
 */
cistern_status tiers_tree_expand(const char *const *paths, size_t count, tiers_tree *t,
                                 cistern_error *err) CISTERN_MUST_CHECK;

#endif
