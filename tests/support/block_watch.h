/* How a file comes into the page cache: a stand-in for pwrite that notes every call, and what the kernel says of a mapping.
 * Include it in one source of a test that is compiled with _GNU_SOURCE. */
#ifndef BLOCK_WATCH_H
#define BLOCK_WATCH_H

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "base_disk.h"

#define WATCH_MAX       65536
#define WATCH_MAX_FILES 256

typedef struct watched_write {
    ino_t inode;
    uint64_t first, end;
} watched_write;

static watched_write watch_list[WATCH_MAX];
static atomic_size_t watch_count;

typedef struct watched_file {
    ino_t inode;
    int held;
} watched_file;

static watched_file watch_files[WATCH_MAX_FILES];
static size_t watch_file_count;
static pthread_mutex_t watch_lock = PTHREAD_MUTEX_INITIALIZER;

/* File systems give the number of an inode that is gone to the next file, so that the writes to a journal that was deleted would
 * count as those to a blob. Every file that was written is therefore kept: by a descriptor of its own, which has no locks. */
static inline void watch_hold(int fd, ino_t inode)
{
    char path[32];
    size_t i = 0;
    while (i < watch_file_count && watch_files[i].inode != inode)
        i++;
    if (i < watch_file_count)
        return;
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    int held = i < WATCH_MAX_FILES ? open(path, O_PATH | O_CLOEXEC) : -1;
    if (held < 0) {
        fprintf(stderr, "a file that is written cannot be watched\n");
        abort();
    }
    watch_files[watch_file_count++] = (watched_file){inode, held};
}

/* In place of the C library's: the linker finds this one first. */
ssize_t pwrite(int fd, const void *bytes, size_t n, off_t offset);
ssize_t pwrite(int fd, const void *bytes, size_t n, off_t offset)
{
    struct stat st;
    pthread_mutex_lock(&watch_lock);
    if (fstat(fd, &st) == 0) {
        size_t i = atomic_load(&watch_count);
        watch_hold(fd, st.st_ino);
        if (i < WATCH_MAX)
            watch_list[i] = (watched_write){st.st_ino, (uint64_t)offset, (uint64_t)offset + n};
        atomic_store(&watch_count, i + 1);
    }
    pthread_mutex_unlock(&watch_lock);
    return syscall(SYS_pwrite64, fd, bytes, n, offset);
}

static inline void watch_reset(void)
{
    pthread_mutex_lock(&watch_lock);
    atomic_store(&watch_count, 0);
    while (watch_file_count > 0)
        close(watch_files[--watch_file_count].held);
    pthread_mutex_unlock(&watch_lock);
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
