/* Read-only mappings of whole files; see base_map.h. */
#include "base_map.h"
#include <errno.h>
#include <sys/mman.h>
#include <sys/stat.h>

cistern_status base_map_fd(int fd, base_map *out, cistern_error *err)
{
    struct stat st;
    if (fstat(fd, &st) != 0)
        return base_fail_errno(err, errno, "cannot stat a file to map");
    if (!S_ISREG(st.st_mode))
        return base_fail(err, CISTERN_DAMAGED, "cannot map what is not a regular file");
    base_map map = {NULL, (size_t)st.st_size};
    if (map.size > 0) {
        void *data = mmap(NULL, map.size, PROT_READ, MAP_SHARED, fd, 0);
        if (data == MAP_FAILED)
            return base_fail_errno(err, errno, "cannot map %zu bytes", map.size);
        map.data = data;
    }
    *out = map;
    return CISTERN_OK;
}

void base_map_clear(base_map *map)
{
    if (map->data) {
        union {
            const uint8_t *read_only;
            void *data;
        } whole = {.read_only = map->data};
        munmap(whole.data, map->size);
    }
    map->data = NULL;
    map->size = 0;
}
