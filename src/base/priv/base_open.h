/* Opening beneath a root by plain system calls: -1 and errno, no messages. For the files of base_file.h only.
 */
#ifndef BASE_OPEN_H
#define BASE_OPEN_H

#include <fcntl.h>
#include <sys/types.h>
#include "base_error.h"

#define BASE_NAME_MAX 255 /* bytes of one entry's name: the limit of Linux file systems */

/** openat2 below `root`, without following any link; the walk below where the kernel or a filter has no
 * openat2. A link on the way, or leaving the root, is ELOOP or EXDEV. O_CLOEXEC and O_NOFOLLOW are added. */
int base_open_at(int root, const char *path, int flags, mode_t mode);

/** The same one component at a time, for kernels before 5.6 and for filters that refuse openat2. */
int base_open_walk(int root, const char *path, int flags, mode_t mode);

/** Open the directory that holds `path` for reading; *out_name (borrowed from path) is the last component. */
int base_open_parent(int root, const char *path, const char **out_name);

/** Say why `verb`ing `path` failed: links and what is no directory or regular file are DAMAGED. */
cistern_status base_fail_open(cistern_error *err, int os_errno, const char *verb, const char *path);

/** fsync of a directory; file systems that do not know how say EINVAL, which is no failure. */
int base_sync_dir(int fd);

#endif
