/* Disk space and extents: reserving, sharing, copying ranges; advisory locks. For large files.
 *
 * A large file that will be mapped is written in whole blocks (BASE_DISK_BLOCK): the kernel's page cache then holds each in one
 * huge page, where the file system can, and a mapping of the file needs one entry and one fault for 2 MiB instead of 512.
 *
 * No correctness rests on a lock: it only saves work, because on some file systems it silently does nothing.
 */
#ifndef BASE_DISK_H
#define BASE_DISK_H

#include <stdbool.h>
#include <stdint.h>
#include "base_error.h"

/* Bytes of a huge page of x86-64 and of aarch64 with pages of 4 KiB. Pages of another size make other huge pages: there a block is
 * a large write like any other. */
#define BASE_DISK_BLOCK ((uint64_t)2 << 20)

/** Bytes from `offset` to the end of the block that it is in: 1 to BASE_DISK_BLOCK. */
uint64_t base_disk_to_block_end(uint64_t offset);

/**
 * Make fd `size` bytes long with all of them reserved on disk (fallocate: nothing is written).
 * @param out_reserved  may be NULL; false: the file system cannot reserve, only the length was set.
 * @retval NO_SPACE  not that much is free; the file is as long as before.
 */
cistern_status base_disk_reserve(int fd, uint64_t size, bool *out_reserved,
                                 cistern_error *err) CISTERN_MUST_CHECK;

/** Let to_fd (empty) share all extents of from_fd. false: these file systems cannot. */
bool base_disk_clone(int from_fd, int to_fd);

/** Copy n bytes at the same offset from one file to another: sharing extents, else (on network file systems, whose servers can
 * copy by themselves) copy_file_range, else block by block. The file position of neither moves. @retval DAMAGED  from_fd ends
 * before. */
cistern_status base_disk_copy_range(int from_fd, int to_fd, uint64_t offset, uint64_t n,
                                    cistern_error *err) CISTERN_MUST_CHECK;

/** Bytes that this user may still write on the file system of fd. */
cistern_status base_disk_free(int fd, uint64_t *out, cistern_error *err) CISTERN_MUST_CHECK;

/** The absolute path of what exists at `path`, links resolved; as it was given if that cannot be found out.
 * Owned by the caller. */
cistern_status base_disk_path(const char *path, char **out, cistern_error *err) CISTERN_MUST_CHECK;

/** flock(LOCK_EX | LOCK_NB): true when this descriptor has the lock now; it ends with the descriptor. */
bool base_disk_try_lock(int fd);

/** The same with LOCK_SH, which several may have. false only if another has it exclusively: where locks do not work at all
 *  (ENOLCK and the like) there is nobody to wait for. */
bool base_disk_try_share(int fd);
void base_disk_unlock(int fd);

#endif
