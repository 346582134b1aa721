/* Expanding directories; see tiers_tree.h. Directories wait in a list, so that no depth of them is a depth of calls. */
#include "tiers_tree.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base_file.h"
#include "base_mem.h"

#define CONFIG "config.json"

/* Directories that are still to be listed, relative to the one that was given; a list that only grows. */
typedef struct waiting {
    const char *given; /* without slashes at its end */
    int given_len;
    int root;
    char **dirs;
    size_t count, capacity;
    const char *now; /* the one that is being listed; "" is the given one itself */
    tiers_tree *tree;
} waiting;

void tiers_tree_init(tiers_tree *t)
{
    *t = (tiers_tree){0};
}

void tiers_tree_clear(tiers_tree *t)
{
    for (size_t i = 0; i < t->count; i++) {
        free(t->paths[i]);
        free(t->names[i]);
        if (t->fds[i] >= 0)
            close(t->fds[i]);
    }
    free(t->paths);
    free(t->names);
    free(t->fds);
    tiers_tree_init(t);
}

bool tiers_tree_needed(const char *const *paths, size_t count)
{
    struct stat info;

    for (size_t i = 0; i < count; i++) {
        if (stat(paths[i], &info) == 0 && S_ISDIR(info.st_mode))
            return true;
    }
    return false;
}

/* ---- arrays ---- */

static cistern_status grow_array(void *array, size_t count, size_t capacity, size_t size, cistern_error *err)
{
    void **place = array, *bigger = NULL;
    cistern_status st = base_calloc(capacity, size, &bigger, err);

    if (st != CISTERN_OK)
        return st;
    if (count)
        memcpy(bigger, *place, count * size);
    free(*place);
    *place = bigger;
    return CISTERN_OK;
}

/* One more file; path, name and fd are taken over, also on failure. */
static cistern_status put_file(tiers_tree *t, char *path, char *name, int fd, cistern_error *err)
{
    cistern_status st = CISTERN_OK;

    if (t->count == CATALOG_FILES_MAX)
        st = base_fail(err, CISTERN_USAGE, "more than %d files; a version has at most that many",
                       CATALOG_FILES_MAX);
    if (st == CISTERN_OK && t->count == t->capacity) {
        size_t bigger = t->capacity ? t->capacity * 2 : 16;
        st = grow_array(&t->paths, t->count, bigger, sizeof *t->paths, err);
        if (st == CISTERN_OK)
            st = grow_array(&t->names, t->count, bigger, sizeof *t->names, err);
        if (st == CISTERN_OK)
            st = grow_array(&t->fds, t->count, bigger, sizeof *t->fds, err);
        if (st == CISTERN_OK)
            t->capacity = bigger;
    }
    if (st != CISTERN_OK) {
        free(path);
        free(name);
        close(fd);
        return st;
    }
    t->paths[t->count] = path;
    t->names[t->count] = name;
    t->fds[t->count++] = fd;
    return CISTERN_OK;
}

static cistern_status put_dir(waiting *w, char *dir, cistern_error *err)
{
    size_t depth = 1;
    cistern_status st = CISTERN_OK;

    for (const char *p = dir; *p; p++)
        depth += *p == '/';
    if (depth > TIERS_TREE_DEPTH_MAX || w->count == CATALOG_FILES_MAX)
        st =
            base_fail(err, CISTERN_USAGE, "'%.*s/%s': directories more than %d deep, or more than %d of them",
                      w->given_len, w->given, dir, TIERS_TREE_DEPTH_MAX, CATALOG_FILES_MAX);
    if (st == CISTERN_OK && w->count == w->capacity) {
        size_t bigger = w->capacity ? w->capacity * 2 : 16;
        st = grow_array(&w->dirs, w->count, bigger, sizeof *w->dirs, err);
        if (st == CISTERN_OK)
            w->capacity = bigger;
    }
    if (st != CISTERN_OK) {
        free(dir);
        return st;
    }
    w->dirs[w->count++] = dir;
    return CISTERN_OK;
}

/* ---- a directory ---- */

static cistern_status take_file(waiting *w, char *relative, cistern_error *err)
{
    char *path = NULL;
    int fd = -1;
    cistern_status st = base_open_beneath(w->root, relative, O_RDONLY, &fd, err);

    if (st == CISTERN_OK)
        st = base_asprintf(&path, err, "%.*s/%s", w->given_len, w->given, relative);
    if (st != CISTERN_OK) {
        free(relative);
        if (fd >= 0)
            close(fd);
        return st;
    }
    return put_file(w->tree, path, relative, fd, err);
}

static cistern_status take_entry(void *user, const char *name, cistern_error *err)
{
    waiting *w = user;
    struct stat info;
    char *relative = NULL;
    cistern_status st;

    if (name[0] == '.' || (!w->now[0] && strcmp(name, CONFIG) == 0))
        return CISTERN_OK;
    st = base_asprintf(&relative, err, "%s%s%s", w->now, w->now[0] ? "/" : "", name);
    if (st != CISTERN_OK)
        return st;
    if (fstatat(w->root, relative, &info, AT_SYMLINK_NOFOLLOW) != 0)
        st = base_fail_errno(err, errno, "%.*s/%s", w->given_len, w->given, relative);
    else if (S_ISDIR(info.st_mode))
        return put_dir(w, relative, err);
    else if (S_ISREG(info.st_mode))
        return take_file(w, relative, err);
    else
        st = base_fail(err, CISTERN_USAGE,
                       "'%.*s/%s' is %s: only files and directories are taken; name the files instead",
                       w->given_len, w->given, relative,
                       S_ISLNK(info.st_mode) ? "a symbolic link, which is not followed" : "neither");
    free(relative);
    return st;
}

static cistern_status list_all(waiting *w, cistern_error *err)
{
    cistern_status st;

    w->now = "";
    st = base_dir_each(w->root, ".", take_entry, w, err);
    for (size_t i = 0; st == CISTERN_OK && i < w->count; i++) {
        w->now = w->dirs[i];
        st = base_dir_each(w->root, w->now, take_entry, w, err);
    }
    return st;
}

static cistern_status expand_dir(const char *path, tiers_tree *t, cistern_error *err)
{
    size_t len = strlen(path), before = t->count;
    waiting w = {.given = path, .root = -1, .tree = t};
    cistern_status st;

    while (len > 1 && path[len - 1] == '/')
        len--;
    w.given_len = (int)len;
    st = base_dir_open(path, &w.root, err);
    if (st == CISTERN_OK)
        st = list_all(&w, err);
    if (st == CISTERN_OK && t->count == before)
        st = base_fail(err, CISTERN_USAGE, "'%s' holds no files", path);
    if (w.root >= 0)
        close(w.root);
    for (size_t i = 0; i < w.count; i++)
        free(w.dirs[i]);
    free(w.dirs);
    return st;
}

/* ---- what was given ---- */

static cistern_status expand_file(const char *path, tiers_tree *t, cistern_error *err)
{
    const char *slash = strrchr(path, '/');
    char *copy = NULL, *name = NULL;
    cistern_status st = base_strdup(path, &copy, err);

    if (st == CISTERN_OK)
        st = base_strdup(slash ? slash + 1 : path, &name, err);
    int fd = st == CISTERN_OK ? open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY) : -1;
    if (st == CISTERN_OK && fd < 0)
        st = base_fail_errno(err, errno, "%s", path);
    if (st != CISTERN_OK) {
        free(copy);
        free(name);
        return st;
    }
    return put_file(t, copy, name, fd, err);
}

cistern_status tiers_tree_expand(const char *const *paths, size_t count, tiers_tree *t, cistern_error *err)
{
    cistern_status st = CISTERN_OK;

    for (size_t i = 0; st == CISTERN_OK && i < count; i++)
        st = tiers_tree_needed(&paths[i], 1) ? expand_dir(paths[i], t, err) : expand_file(paths[i], t, err);
    return st;
}
