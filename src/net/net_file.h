/* Sources that are files of this machine (file: origins).
 *
 * The validator is made of inode, size, mtime and ctime: `"file-<inode>-<size>-<mtime ns>-<ctime ns>"`,
 * strong. Links are followed; only regular files are read.
 */
#ifndef NET_FILE_H
#define NET_FILE_H

#include "net_source.h"

/**
 * Make a source for a path. Does not open it.
 * @param path  bytes as the system takes them; copied. Shown to people as it is.
 * @param out   freed with net_source_free.
 * @retval NO_MEMORY
 */
cistern_status net_file_source_new(const char *path, net_source **out, cistern_error *err) CISTERN_MUST_CHECK;

#endif
