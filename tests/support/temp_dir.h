/* A scratch directory of a test, below $TMPDIR or /tmp.
 *
 *   temp_dir t;
 *   temp_dir_make(&t);       t.path, and t.fd opened as a root
 *   temp_dir_remove(&t);     with all that is in it, also what has no write permission
 */
#ifndef TEMP_DIR_H
#define TEMP_DIR_H

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

typedef struct temp_dir {
    char path[512];
    int fd;
} temp_dir;

static inline void temp_dir_make(temp_dir *t)
{
    const char *base = getenv("TMPDIR");
    int n = snprintf(t->path, sizeof t->path, "%s/cistern-test-XXXXXX", base && *base ? base : "/tmp");
    if (n < 0 || (size_t)n >= sizeof t->path || !mkdtemp(t->path)) {
        perror("temp_dir_make");
        abort();
    }
    t->fd = open(t->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (t->fd < 0) {
        perror(t->path);
        abort();
    }
}

static inline void temp_dir_empty(int dir)
{
    DIR *stream = fdopendir(dir);
    const struct dirent *entry;
    while (stream && (entry = readdir(stream)) != NULL) {
        struct stat st;
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        if (fstatat(dir, entry->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(st.st_mode)) {
            if (fchmodat(dir, entry->d_name, 0700, 0) != 0)
                perror(entry->d_name);
            int below = openat(dir, entry->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
            if (below >= 0)
                temp_dir_empty(below);
            unlinkat(dir, entry->d_name, AT_REMOVEDIR);
        } else {
            unlinkat(dir, entry->d_name, 0);
        }
    }
    if (stream)
        closedir(stream);
    else
        close(dir);
}

static inline void temp_dir_remove(temp_dir *t)
{
    if (chmod(t->path, 0700) != 0)
        perror(t->path);
    int dir = open(t->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (dir >= 0)
        temp_dir_empty(dir);
    close(t->fd);
    rmdir(t->path);
    t->fd = -1;
}

/** "<directory>/<name>"; one of four buffers of this thread that are used in turn. */
static inline const char *temp_dir_path(const temp_dir *t, const char *name)
{
    static _Thread_local char buffers[4][PATH_MAX];
    static _Thread_local unsigned next;
    char *out = buffers[next++ % 4];
    snprintf(out, PATH_MAX, "%s/%s", t->path, name);
    return out;
}

#endif
