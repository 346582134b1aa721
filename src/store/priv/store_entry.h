/* Entries of a store's directories: their paths, whose inode they name, syncing, the tag of caches. */
#ifndef STORE_ENTRY_H
#define STORE_ENTRY_H

#include "store_object.h"

/** "blobs/sha256/ab/abcd…" or "chunks/sha256/…". */
void store_entry_path(const char *top, const base_digest *d, char out[STORE_NAME_MAX]);

/** Make the directory `top` ("partial", "derived") with its CACHEDIR.TAG, so that backups skip it. */
cistern_status store_entry_cache_dir(store *s, const char *top, cistern_error *err) CISTERN_MUST_CHECK;

/** fsync a file that somebody else may have made, before anything refers to it. */
cistern_status store_entry_sync(const store *s, const char *path, cistern_error *err) CISTERN_MUST_CHECK;

/** Whether `path` still names the inode that fd has open. */
bool store_entry_names(const store *s, const char *path, int fd);
/** Unlink `path` if it still names that inode; says whether it did. */
bool store_entry_unlink(const store *s, const char *path, int fd);

#endif
