/* Reading files and directories, what they are and where they lie; see base_file.h. */
#include "base_file.h"
#include "base_mem.h"
#include "priv/base_open.h"
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <sys/vfs.h>

#define READ_STEP     (64u << 10) /* bytes read at once into a buffer */
#define DIR_NAMES_MAX (64u << 20) /* bytes of all names of one directory */
#define TRANSFER_MAX  (1u << 30)  /* bytes of one system call: Linux cuts at 2 GiB */

static cistern_status check_range(size_t n, uint64_t offset, cistern_error *err)
{
    uint64_t end;
    if (!base_add_u64(offset, n, &end) || end > (uint64_t)INT64_MAX)
        return base_fail(err, CISTERN_DAMAGED, "%zu bytes at offset %llu: no file is that long", n,
                         (unsigned long long)offset);
    return CISTERN_OK;
}

cistern_status base_pread_full(int fd, void *out, size_t n, uint64_t offset, cistern_error *err)
{
    cistern_status status = check_range(n, offset, err);
    if (status != CISTERN_OK)
        return status;
    for (size_t done = 0; done < n;) {
        size_t want = n - done < TRANSFER_MAX ? n - done : TRANSFER_MAX;
        ssize_t got = pread(fd, (char *)out + done, want, (off_t)(offset + done));
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return base_fail_errno(err, errno, "cannot read");
        if (got == 0)
            return base_fail_at(err, CISTERN_DAMAGED, offset + done, "the file ends, %zu more bytes expected",
                                n - done);
        done += (size_t)got;
    }
    return CISTERN_OK;
}

cistern_status base_pwrite_full(int fd, const void *bytes, size_t n, uint64_t offset, cistern_error *err)
{
    cistern_status status = check_range(n, offset, err);
    if (status != CISTERN_OK)
        return status;
    for (size_t done = 0; done < n;) {
        size_t want = n - done < TRANSFER_MAX ? n - done : TRANSFER_MAX;
        ssize_t put = pwrite(fd, (const char *)bytes + done, want, (off_t)(offset + done));
        if (put < 0 && errno == EINTR)
            continue;
        if (put < 0)
            return base_fail_errno(err, errno, "cannot write");
        done += (size_t)put;
    }
    return CISTERN_OK;
}

/* Append all of an open file; its size is only a first hint, because it may change while it is read. */
static cistern_status read_all(int fd, const char *path, base_buf *buf, cistern_error *err)
{
    struct stat st;
    size_t room = buf->max - buf->len;
    if (fstat(fd, &st) != 0)
        return base_fail_errno(err, errno, "cannot stat '%s'", path);
    if (!S_ISREG(st.st_mode))
        return base_fail(err, CISTERN_DAMAGED, "'%s' is not a regular file", path);
    if ((uint64_t)st.st_size > room)
        return base_fail(err, CISTERN_DAMAGED, "'%s' has %lld bytes, at most %zu allowed", path,
                         (long long)st.st_size, room);
    char *step = NULL;
    cistern_status status = base_calloc(1, READ_STEP, &step, err);
    while (status == CISTERN_OK) {
        ssize_t got = read(fd, step, READ_STEP);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            status = base_fail_errno(err, errno, "cannot read '%s'", path);
        else
            status = base_frame(err, base_buf_put(buf, step, (size_t)got, err), "'%s'", path);
        if (got <= 0)
            break;
    }
    free(step);
    return status;
}

cistern_status base_read_beneath(int root, const char *path, base_buf *buf, cistern_error *err)
{
    int fd;
    cistern_status status = base_open_beneath(root, path, O_RDONLY, &fd, err);
    if (status != CISTERN_OK)
        return status;
    status = read_all(fd, path, buf, err);
    close(fd);
    return status;
}

cistern_status base_read_path(const char *path, base_buf *buf, cistern_error *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0)
        return base_fail_errno(err, errno, "cannot open '%s'", path);
    cistern_status status = read_all(fd, path, buf, err);
    close(fd);
    return status;
}

static bool is_hidden(const char *name)
{
    return strcmp(name, ".") == 0 || strcmp(name, "..") == 0 || strncmp(name, ".tmp-", 5) == 0;
}

/* Append each name with its zero; *count says how many. */
static cistern_status collect_names(DIR *dir, const char *path, base_buf *names, size_t *count,
                                    cistern_error *err)
{
    for (;;) {
        errno = 0;
        const struct dirent *entry = readdir(dir);
        if (!entry && errno != 0)
            return base_fail_errno(err, errno, "cannot list '%s'", path);
        if (!entry)
            return CISTERN_OK;
        if (is_hidden(entry->d_name))
            continue;
        cistern_status status = base_buf_put(names, entry->d_name, strlen(entry->d_name) + 1, err);
        if (status != CISTERN_OK)
            return base_frame(err, status, "cannot list '%s'", path);
        ++*count;
    }
}

static int compare_names(const void *a, const void *b)
{
    const char *const *left = a;
    const char *const *right = b;
    return strcmp(*left, *right);
}

static cistern_status call_sorted(const base_buf *names, size_t count, base_dir_fn fn, void *user,
                                  cistern_error *err)
{
    const char **sorted = NULL;
    const char *name = names->data;
    cistern_status status = base_calloc(count, sizeof *sorted, &sorted, err);
    if (status != CISTERN_OK)
        return status;
    for (size_t i = 0; i < count; i++, name += strlen(name) + 1)
        sorted[i] = name;
    qsort(sorted, count, sizeof *sorted, compare_names);
    for (size_t i = 0; i < count && status == CISTERN_OK; i++)
        status = fn(user, sorted[i], err);
    free(sorted);
    return status;
}

cistern_status base_dir_each(int root, const char *path, base_dir_fn fn, void *user, cistern_error *err)
{
    base_buf names;
    size_t count = 0;
    int fd = base_open_at(root, path, O_RDONLY | O_DIRECTORY, 0);
    if (fd < 0)
        return errno == ENOENT ? CISTERN_OK : base_fail_open(err, errno, "list", path);
    DIR *dir = fdopendir(fd);
    if (!dir) {
        cistern_status status = base_fail_errno(err, errno, "cannot list '%s'", path);
        close(fd);
        return status;
    }
    base_buf_init(&names, DIR_NAMES_MAX);
    cistern_status status = collect_names(dir, path, &names, &count, err);
    closedir(dir);
    if (status == CISTERN_OK)
        status = call_sorted(&names, count, fn, user, err);
    base_buf_clear(&names);
    return status;
}

static int64_t nanoseconds(struct statx_timestamp t)
{
    return t.tv_sec * 1000000000 + t.tv_nsec;
}

cistern_status base_identity_of(int fd, base_identity *out, cistern_error *err)
{
    struct statx st;
    if (statx(fd, "", AT_EMPTY_PATH, STATX_BASIC_STATS | STATX_BTIME, &st) != 0)
        return base_fail_errno(err, errno, "cannot stat an open file");
    memset(out, 0, sizeof *out); /* with the padding, so that two may be compared as bytes */
    out->inode = st.stx_ino;
    out->size = st.stx_size;
    out->nlink = st.stx_nlink;
    out->mtime_ns = nanoseconds(st.stx_mtime);
    out->ctime_ns = nanoseconds(st.stx_ctime);
    out->btime_ns = st.stx_mask & STATX_BTIME ? nanoseconds(st.stx_btime) : 0;
    out->uid = st.stx_uid;
    out->gid = st.stx_gid;
    out->mode = st.stx_mode;
    return CISTERN_OK;
}

/* Magic numbers of statfs(2) and of linux/magic.h; those of Lustre and GPFS are their own. */
static const struct fs_kind {
    uint32_t magic;
    bool network;
    const char *name;
} fs_kinds[] = {
    {0x0000ef53, false, "ext4"},     {0x58465342, false, "xfs"},     {0x9123683e, false, "btrfs"},
    {0x01021994, false, "tmpfs"},    {0x794c7630, false, "overlay"}, {0x2fc12fc1, false, "zfs"},
    {0xf2f52010, false, "f2fs"},     {0x858458f6, false, "ramfs"},   {0xca451a4e, false, "bcachefs"},
    {0x73717368, false, "squashfs"}, {0xe0f5e1e2, false, "erofs"},   {0x00004d44, false, "vfat"},
    {0x2011bab0, false, "exfat"},    {0x7366746e, false, "ntfs3"},   {0x00006969, true, "nfs"},
    {0xff534d42, true, "cifs"},      {0xfe534d42, true, "smb2"},     {0x0000517b, true, "smb"},
    {0x01021997, true, "9p"},        {0x5346414f, true, "afs"},      {0x6b414653, true, "afs"},
    {0x00c36400, true, "ceph"},      {0x0bd00bd0, true, "lustre"},   {0x47504653, true, "gpfs"},
    {0x65735546, true, "fuse"},      {0x73757245, true, "coda"},     {0x7461636f, true, "ocfs2"},
    {0x01161970, true, "gfs2"},      {0x19830326, true, "beegfs"},
};

cistern_status base_fs_of(int fd, base_fs_info *out, cistern_error *err)
{
    struct statfs st;
    if (fstatfs(fd, &st) != 0)
        return base_fail_errno(err, errno, "cannot ask for the type of a file system");
    uint32_t magic = (uint32_t)st.f_type; /* sign-extended on some machines */
    base_fs_info info = {.network = false};
    snprintf(info.name, sizeof info.name, "0x%x", magic);
    for (size_t i = 0; i < sizeof fs_kinds / sizeof fs_kinds[0]; i++) {
        if (fs_kinds[i].magic != magic)
            continue;
        snprintf(info.name, sizeof info.name, "%s", fs_kinds[i].name);
        info.network = fs_kinds[i].network;
    }
    *out = info;
    return CISTERN_OK;
}
