/* Read-only mappings of whole files. A mapping outlives its descriptor and the file's name. */
#ifndef BASE_MAP_H
#define BASE_MAP_H

#include "base_error.h"

typedef struct base_map {
    const uint8_t *data; /* NULL for an empty file */
    size_t size;
} base_map;

/** Map the whole regular file read-only, shared. */
cistern_status base_map_fd(int fd, base_map *out, cistern_error *err) CISTERN_MUST_CHECK;
void base_map_clear(base_map *map);

#endif
