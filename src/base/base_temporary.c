/* Temporaries in people's directories; see base_temporary.h. */
#include "base_temporary.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include "base_disk.h"
#include "base_file.h"
#include "base_host.h"

#define PREFIX       ".tmp-"
#define RANDOM_BYTES 16   /* 128 random bits: no two ever meet */
#define CREATE_TRIES 8    /* against sweepers that look in the moment before it is locked */
#define LINK_AGE_S   3600 /* links live for microseconds and cannot be locked */

cistern_status base_temporary_name(char out[BASE_TEMPORARY_NAME], cistern_error *err)
{
    char hex[2 * RANDOM_BYTES + 1];
    cistern_status st = base_random_hex(RANDOM_BYTES, hex, err);
    if (st != CISTERN_OK)
        return st;
    memcpy(out, PREFIX, sizeof PREFIX - 1);
    memcpy(out + sizeof PREFIX - 1, hex, sizeof hex);
    return CISTERN_OK;
}

/* Whether no sweeper was faster: it has the lock while it looks, and has removed the name afterwards. */
static bool hold(int fd)
{
    struct stat st;
    bool locked = flock(fd, LOCK_EX | LOCK_NB) == 0 || errno != EWOULDBLOCK;
    return locked && fstat(fd, &st) == 0 && st.st_nlink > 0;
}

cistern_status base_temporary_create(int dir, const char *path, char out_name[BASE_TEMPORARY_NAME],
                                     int *out_fd, cistern_error *err)
{
    for (int tries = 0; tries < CREATE_TRIES; tries++) {
        cistern_status st = base_temporary_name(out_name, err);
        if (st != CISTERN_OK)
            return st;
        int fd = openat(dir, out_name, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0666);
        if (fd < 0)
            return base_fail_errno(err, errno, "cannot create '%s'", path);
        if (hold(fd)) {
            *out_fd = fd;
            return CISTERN_OK;
        }
        close(fd);
    }
    return base_fail(err, CISTERN_CONFLICT, "'%s': its temporary was removed again and again", path);
}

static bool is_name(const char *name)
{
    size_t n = sizeof PREFIX - 1;
    return strncmp(name, PREFIX, n) == 0 && strlen(name) == BASE_TEMPORARY_NAME - 1 &&
           strspn(name + n, "0123456789abcdef") == 2 * RANDOM_BYTES;
}

static void remove_locked(int dir, const char *name, const struct stat *seen)
{
    struct stat now;
    int fd = openat(dir, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    if (fd < 0)
        return;
    if (base_disk_try_lock(fd) && fstat(fd, &now) == 0 && now.st_ino == seen->st_ino && now.st_nlink == 1)
        unlinkat(dir, name, 0);
    close(fd);
}

static void sweep_one(int dir, const char *name)
{
    struct stat st;
    if (!is_name(name) || fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) != 0 || st.st_uid != geteuid())
        return;
    if (S_ISREG(st.st_mode) && st.st_nlink == 1)
        remove_locked(dir, name, &st);
    else if ((S_ISLNK(st.st_mode) || S_ISREG(st.st_mode)) && time(NULL) - st.st_ctime > LINK_AGE_S)
        unlinkat(dir, name, 0);
}

void base_temporary_sweep(int dir)
{
    base_fs_info fs;
    if (base_fs_of(dir, &fs, NULL) != CISTERN_OK || fs.network)
        return;
    int copy = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *d = copy >= 0 ? fdopendir(copy) : NULL;
    if (!d) {
        if (copy >= 0)
            close(copy);
        return;
    }
    for (struct dirent *e; (e = readdir(d)) != NULL;)
        sweep_one(dir, e->d_name);
    closedir(d);
}
