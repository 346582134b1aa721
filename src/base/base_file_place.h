/* Placing a file in a directory that other programs read: a copy (sharing extents where that can be), or a link.
 *
 * Invariants
 *  1. The name appears with its whole content or not at all; an existing entry is replaced only if that is asked for,
 *     and then at once. A process that is killed leaves at most a `.tmp-` name, which the next one to write there removes.
 *  2. Nothing is followed beneath the root. These directories are people's own: modes follow the umask.
 */
#ifndef BASE_FILE_PLACE_H
#define BASE_FILE_PLACE_H

#include "base_file.h"
#include "base_thread.h"

#define BASE_PLACE_PATH_MAX 4096 /* bytes with the zero: PATH_MAX of Linux */

typedef enum base_place_how {
    BASE_PLACE_COPY = 0,     /* reflink, else copy */
    BASE_PLACE_HARDLINK = 1, /* another name of the same inode */
    BASE_PLACE_SYMLINK = 2,  /* a link to from_path */
} base_place_how;

typedef struct base_place {
    int from_fd;           /* what is to be placed, open for reading; borrowed */
    const char *from_path; /* its absolute path, for links */
    uint64_t size;         /* bytes */
    int root;              /* of the directory */
    const char *path;      /* beneath it; missing directories are made */
    base_place_how how;
    bool replace;              /* whatever has that name now, unless it is a directory */
    const base_cancel *cancel; /* looked at while it is copied; NULL: none */
} base_place;

/**
 * @param out_created  false: the name is taken and was left alone.
 * @retval USAGE     a hard link to another file system. @retval CONFLICT  from_path is no longer that file.
 * @retval CANCELLED nothing is left. @retval NO_SPACE, DENIED, DAMAGED (a link or a file where a directory should be), UNEXPECTED
 */
cistern_status base_place_file(const base_place *p, bool *out_created, cistern_error *err) CISTERN_MUST_CHECK;

#endif
