/* Read-only mappings of whole files; see base_map.h. */
#include "base_map.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>
#include "base_disk.h"
#include "base_file.h"
#include "base_mem.h"
#include "base_pages.h"

#define SMAPS_MAX ((size_t)64 << 20) /* bytes: 65,530 mappings, the most of a process, have less */

#define FAULT_AROUND                                                                                         \
    ((size_t)64 << 10) /* bytes that a fault on a file maps at least, unless set otherwise in debugfs */

#if !defined(MADV_POPULATE_READ)
#define MADV_POPULATE_READ 22 /* Linux 5.14; older ones refuse it, which is as good as advice not taken */
#endif

/* The same mapping at a multiple of a block: most file systems' own choice of an address is one, some leave it to chance.
 * Only asked for, never forced: meanwhile another thread may have mapped something there. */
static void *align(int fd, size_t size, void *data)
{
    size_t block = (size_t)BASE_DISK_BLOCK;
    if ((uintptr_t)data % block == 0 || size < block || size > SIZE_MAX - block)
        return data;
    uint8_t *room = mmap(NULL, size + block, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (room == MAP_FAILED)
        return data;
    munmap(room, size + block);
    room += (block - (uintptr_t)room % block) % block;
    void *better = mmap(room, size, PROT_READ, MAP_SHARED, fd, 0);
    if (better == MAP_FAILED)
        return data;
    bool aligned = (uintptr_t)better % block == 0;
    munmap(aligned ? data : better, size);
    return aligned ? better : data;
}

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
        map.data = data = align(fd, map.size, data);
        if (map.size >= BASE_DISK_BLOCK)
            (void)madvise(data, map.size, MADV_HUGEPAGE);
    }
    *out = map;
    return CISTERN_OK;
}

/* The same address for the calls that take one which could be written to. */
static void *address(const void *data)
{
    union {
        const void *read_only;
        void *data;
    } same = {.read_only = data};
    return same.data;
}

void base_map_clear(base_map *map)
{
    if (map->data)
        munmap(address(map->data), map->size);
    map->data = NULL;
    map->size = 0;
}

/* Whether the page cache has that byte; asked without waiting for the disk. */
static bool is_here(int fd, uint64_t offset)
{
    char byte;
    struct iovec one = {&byte, 1};
    return preadv2(fd, &one, 1, (off_t)offset, RWF_NOWAIT) == 1;
}

/* Reading, not MADV_POPULATE_READ: see base_pages_touch. */
void base_map_touch(const uint8_t *data, size_t bytes)
{
    unsigned char here = 0;
    if (bytes == 0 || mincore(address(data), 1, &here) != 0 || (here & 1) == 0)
        return;
    for (size_t i = 0; i < bytes; i += FAULT_AROUND)
        (void)*(const volatile uint8_t *)(data + i);
}

void base_map_bring(int fd, uint64_t offset, uint64_t n)
{
    uint64_t first = offset - offset % BASE_DISK_BLOCK, end;
    if (n < BASE_DISK_BLOCK || !base_add_u64(offset, n, &end) || end > (uint64_t)INT64_MAX ||
        is_here(fd, offset))
        return;
    size_t size = (size_t)(end - first);
    void *window = mmap(NULL, size, PROT_READ, MAP_SHARED, fd, (off_t)first);
    if (window == MAP_FAILED)
        return;
    if (madvise(window, size, MADV_HUGEPAGE) == 0)
        (void)madvise(
            window, size,
            MADV_POPULATE_READ); /* past the file's end, or where the disk fails: an error, no signal */
    munmap(window, size);
}

/* The line of /proc/self/smaps that begins a mapping: does this address lie in it? false: another line. */
static bool is_head(const char *line, uintptr_t at, bool *out_inside)
{
    char *end;
    unsigned long long from = strtoull(line, &end, 16), to;
    if (end == line || *end != '-')
        return false;
    to = strtoull(end + 1, &end, 16);
    if (*end != ' ')
        return false;
    *out_inside = at >= from && at < to;
    return true;
}

static bool has_huge_pages(const char *smaps, uintptr_t at)
{
    static const char field[] = "FilePmdMapped:";
    bool inside = false;
    for (const char *line = smaps; line; line = strchr(line, '\n')) {
        line += *line == '\n';
        if (!is_head(line, at, &inside) && inside && strncmp(line, field, sizeof field - 1) == 0)
            return strtoull(line + sizeof field - 1, NULL, 10) > 0;
    }
    return false;
}

bool base_map_is_huge(const base_map *map)
{
    base_buf smaps;
    volatile uint8_t sum = 0;
    bool huge = false;
    for (size_t i = 0; i < map->size; i += BASE_PAGES_ALIGN)
        sum = (uint8_t)(sum + map->data[i]);
    base_buf_init(&smaps, SMAPS_MAX);
    if (map->data && base_read_path("/proc/self/smaps", &smaps, NULL) == CISTERN_OK &&
        base_buf_put(&smaps, "", 1, NULL) == CISTERN_OK)
        huge = has_huge_pages(smaps.data, (uintptr_t)map->data);
    base_buf_clear(&smaps);
    return huge;
}
