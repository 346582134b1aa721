/* Files and directories: opening beneath a root, exact reads and writes, syncing, publishing.
 *
 * Invariants
 *  1. Entries of a store are opened beneath its root descriptor by openat2 with RESOLVE_BENEATH and
 *     RESOLVE_NO_SYMLINKS, O_NOFOLLOW, O_CLOEXEC, O_NONBLOCK, and must be regular files.
 *  2. Publishing never overwrites: a complete, synced temporary `.tmp-<32 hex>` in the target directory
 *     (or a finished inode elsewhere on the file system) is linked to the final name.
 *  3. Modes are set by fchmod, never left to the umask.
 * Paths given together with a directory descriptor are relative to it and contain no "..".
 */
#ifndef BASE_FILE_H
#define BASE_FILE_H

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/types.h>
#include "base_buf.h"

/** Modes of files and directories in a store, from its `sharing`. */
typedef struct base_modes {
    mode_t file; /* 0400, 0440 or 0444 */
    mode_t work; /* claims, partial data, hints: 0600, 0660 or 0664 */
    mode_t dir;  /* 0700, 2770 or 2775 */
} base_modes;

/** Open a directory as a root. @retval NOT_FOUND, DENIED, USAGE (not a directory), UNEXPECTED. */
cistern_status base_dir_open(const char *path, int *out_fd, cistern_error *err) CISTERN_MUST_CHECK;

/**
 * Open a regular file beneath `root` with `flags` (O_RDONLY, O_RDWR …; O_CREAT is not allowed here).
 * @retval NOT_FOUND  no such entry. @retval DAMAGED  a link, a FIFO, a directory: not a regular file.
 */
cistern_status base_open_beneath(int root, const char *path, int flags, int *out_fd,
                                 cistern_error *err) CISTERN_MUST_CHECK;

/** Create `path` beneath `root` exclusively for writing and reading (a name nobody else knows, or a claim's data).
 *  @retval CONFLICT  the name is there already. */
cistern_status base_create_beneath(int root, const char *path, mode_t mode, int *out_fd,
                                   cistern_error *err) CISTERN_MUST_CHECK;

/** Make `path` and its missing parents beneath root, each with modes->dir, each synced into its parent. */
cistern_status base_mkdirs(int root, const char *path, const base_modes *modes,
                           cistern_error *err) CISTERN_MUST_CHECK;

/** mkdir -p for a root that does not exist yet (an absolute or relative path); mode for those made. */
cistern_status base_mkdirs_path(const char *path, mode_t mode, cistern_error *err) CISTERN_MUST_CHECK;

/** Sync the directory that holds `path` beneath root (EINVAL from such file systems is ignored). */
cistern_status base_sync_parent(int root, const char *path, cistern_error *err) CISTERN_MUST_CHECK;

/**
 * Create-if-absent: write bytes to a temporary beside `path`, sync, link it to `path`, sync the directory.
 * Missing parent directories are made. An existing entry is never touched; its directory is synced too.
 * @param out_created  false: `path` was there already (the caller decides whether its content is equal).
 */
cistern_status base_publish_bytes(int root, const char *path, const void *bytes, size_t n,
                                  const base_modes *modes, bool *out_created,
                                  cistern_error *err) CISTERN_MUST_CHECK;

/**
 * The same for an inode that is already complete, synced and has its mode: link `from` to `path`, both beneath
 * root, sync the directory. `from` is left in place (the caller unlinks it).
 */
cistern_status base_publish_link(int root, const char *from, const char *path, const base_modes *modes,
                                 bool *out_created, cistern_error *err) CISTERN_MUST_CHECK;

/** Replace a hint: temporary, sync, rename over. For hints and identity records only, never for objects. */
cistern_status base_replace_bytes(int root, const char *path, const void *bytes, size_t n,
                                  const base_modes *modes, cistern_error *err) CISTERN_MUST_CHECK;
/** The same without waiting for the disk: after a power cut it is the old one, the new one, or empty. For what is compared as a
 *  whole and can be made again. */
cistern_status base_replace_hint(int root, const char *path, const void *bytes, size_t n,
                                 const base_modes *modes, cistern_error *err) CISTERN_MUST_CHECK;

/** Read a whole regular file of at most buf->max bytes beneath root, appended to buf. @retval DAMAGED larger. */
cistern_status base_read_beneath(int root, const char *path, base_buf *buf,
                                 cistern_error *err) CISTERN_MUST_CHECK;
/** The same for any path of the user's (links are followed). */
cistern_status base_read_path(const char *path, base_buf *buf, cistern_error *err) CISTERN_MUST_CHECK;

/** unlink beneath root; an absent entry is success. */
cistern_status base_unlink_beneath(int root, const char *path, cistern_error *err) CISTERN_MUST_CHECK;

/** Exactly n bytes at offset, retrying short transfers. @retval DAMAGED  the file ends before. */
cistern_status base_pread_full(int fd, void *out, size_t n, uint64_t offset,
                               cistern_error *err) CISTERN_MUST_CHECK;
cistern_status base_pwrite_full(int fd, const void *bytes, size_t n, uint64_t offset,
                                cistern_error *err) CISTERN_MUST_CHECK;

/** Call fn for each entry name of a directory beneath root, sorted by bytes, without "." and ".." and `.tmp-` names;
 *  stops at the first status that is not OK and returns it. An absent directory has no entries. */
typedef cistern_status (*base_dir_fn)(void *user, const char *name, cistern_error *err);
cistern_status base_dir_each(int root, const char *path, base_dir_fn fn, void *user,
                             cistern_error *err) CISTERN_MUST_CHECK;

/** Copy size bytes from one descriptor (offset 0) to another: as base_disk_copy_range does. */
cistern_status base_copy_file(int from_fd, int to_fd, uint64_t size, cistern_error *err) CISTERN_MUST_CHECK;

/** What identifies an unchanged file: nanoseconds since the epoch; birth time 0 where unknown. */
typedef struct base_identity {
    uint64_t inode, size, nlink;
    int64_t mtime_ns, ctime_ns, btime_ns;
    uint32_t uid, gid, mode;
} base_identity;
cistern_status base_identity_of(int fd, base_identity *out, cistern_error *err) CISTERN_MUST_CHECK;

/** The file system below fd. `name` is e.g. "ext4", "nfs", "fuse", "0x1234". */
typedef struct base_fs_info {
    char name[24];
    bool
        network; /* nfs, cifs, smb2, 9p, afs, ceph, lustre, gpfs, fuse: mapped pages and locks are not to be trusted */
} base_fs_info;
cistern_status base_fs_of(int fd, base_fs_info *out, cistern_error *err) CISTERN_MUST_CHECK;

#endif
