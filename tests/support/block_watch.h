/* How a file comes into the page cache: a stand-in for pwrite that notes every call, and what the kernel says of a mapping.
 * Include it in one source of a test that is compiled with _GNU_SOURCE. */
#ifndef BLOCK_WATCH_H
#define BLOCK_WATCH_H

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "base_disk.h"

#define WATCH_MAX 65536

typedef struct watched_write {
    ino_t inode;
    uint64_t first, end;
} watched_write;

static watched_write watch_list[WATCH_MAX];
static atomic_size_t watch_count;

/* In place of the C library's: the linker finds this one first. */
ssize_t pwrite(int fd, const void *bytes, size_t n, off_t offset);
ssize_t pwrite(int fd, const void *bytes, size_t n, off_t offset)
{
    struct stat st;
    size_t i = atomic_fetch_add(&watch_count, 1);
    if (i < WATCH_MAX && fstat(fd, &st) == 0)
        watch_list[i] = (watched_write){st.st_ino, (uint64_t)offset, (uint64_t)offset + n};
    return syscall(SYS_pwrite64, fd, bytes, n, offset);
}

static inline void watch_reset(void)
{
    atomic_store(&watch_count, 0);
}

/* Of the blocks that lie wholly in a file of that size: those whose first write was of all of it. */
static inline size_t watch_whole_blocks(ino_t inode, uint64_t size)
{
    size_t whole = 0, noted = atomic_load(&watch_count);
    for (uint64_t at = 0; at + BASE_DISK_BLOCK <= size; at += BASE_DISK_BLOCK) {
        for (size_t i = 0; i < noted && i < WATCH_MAX; i++) {
            const watched_write *w = &watch_list[i];
            if (w->inode != inode || w->end <= at || w->first >= at + BASE_DISK_BLOCK)
                continue;
            whole += w->first <= at && w->end >= at + BASE_DISK_BLOCK;
            break;
        }
    }
    return whole;
}

/* Bytes of the mapping at `data` that huge pages of the page cache map, after all of it was touched. */
static inline uint64_t watch_huge_bytes(const void *data, size_t size)
{
    char line[512];
    bool inside = false;
    uint64_t huge = 0;
    volatile unsigned char sum = 0;
    FILE *smaps;
    for (size_t i = 0; i < size; i += 4096)
        sum = (unsigned char)(sum + ((const volatile unsigned char *)data)[i]);
    smaps = fopen("/proc/self/smaps", "r");
    while (smaps && fgets(line, sizeof line, smaps)) {
        unsigned long long from, to, kib;
        if (sscanf(line, "%llx-%llx ", &from, &to) == 2)
            inside = (uintptr_t)data >= from && (uintptr_t)data < to;
        else if (inside && sscanf(line, "FilePmdMapped: %llu kB", &kib) == 1)
            huge += kib * 1024;
    }
    if (smaps)
        fclose(smaps);
    return huge;
}

/* Whether files in this directory get huge pages at all here: by the kernel, the file system, and what memory is free. */
static inline bool watch_huge_is_possible(int dir)
{
    size_t size = (size_t)(2 * BASE_DISK_BLOCK);
    char *zeros = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    int fd = openat(dir, "huge-probe", O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    bool possible = false;
    if (fd >= 0 && zeros != MAP_FAILED) {
        for (size_t at = 0; at < size; at += (size_t)BASE_DISK_BLOCK)
            (void)!pwrite(fd, zeros, (size_t)BASE_DISK_BLOCK, (off_t)at);
        char *map = mmap(NULL, size, PROT_READ, MAP_SHARED, fd, 0);
        if (map != MAP_FAILED) {
            (void)madvise(map, size, MADV_HUGEPAGE);
            possible = watch_huge_bytes(map, size) > 0;
            munmap(map, size);
        }
        close(fd);
    }
    unlinkat(dir, "huge-probe", 0);
    if (zeros != MAP_FAILED)
        munmap(zeros, size);
    return possible;
}

#endif
