/* Read-only mappings of whole files. A mapping outlives its descriptor and the file's name.
 *
 * A large mapping begins at a multiple of BASE_DISK_BLOCK, as the file does, and says that huge pages are welcome: what the page
 * cache holds in them (see base_disk.h) is then mapped by one entry for 2 MiB, and what must be read from the disk is read in
 * them. Both are advice to the kernel; without it everything works, slower.
 */
#ifndef BASE_MAP_H
#define BASE_MAP_H

#include <stdbool.h>
#include "base_error.h"

typedef struct base_map {
    const uint8_t *data; /* NULL for an empty file */
    size_t size;
} base_map;

/** Map the whole regular file read-only, shared. */
cistern_status base_map_fd(int fd, base_map *out, cistern_error *err) CISTERN_MUST_CHECK;
void base_map_clear(base_map *map);

/**
 * Touch every page of a mapping, and say whether huge pages of the page cache map any of it: false also where the kernel does not
 * tell. For telling people. The file must not become shorter meanwhile.
 */
bool base_map_is_huge(const base_map *map);

/**
 * Touch a part of a mapping where the page cache holds it already, so that later touches are no faults. What would have to be read
 * from a disk is left alone, as its first page tells.
 * @param data  at a multiple of BASE_PAGES_ALIGN. As for any other reader the file must not have become shorter.
 */
void base_map_touch(const uint8_t *data, size_t bytes);

/**
 * Bring n bytes of a file from `offset` on into the page cache, in huge pages where the file system can, unless they are there:
 * before they are read by other means, which would leave them there in small ones. Advice: nothing is told.
 */
void base_map_bring(int fd, uint64_t offset, uint64_t n);

#endif
