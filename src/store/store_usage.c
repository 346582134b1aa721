/* Counting what a store holds; see store_usage.h. At most three directories deep. */
#include "store_usage.h"
#include "priv/store_object.h"
#include "base_disk.h"
#include <fcntl.h>

#define DEPTH_MAX 3

typedef struct count {
    uint64_t files, bytes, on_disk;
} count;

typedef struct walk {
    const store *s;
    const char *dir;
    int depth;
    count *sum;
} walk;

static cistern_status add_entry(void *user, const char *name, cistern_error *err)
{
    const walk *w = user;
    char path[2 * STORE_NAME_MAX];
    struct stat st;
    int n = snprintf(path, sizeof path, "%s/%s", w->dir, name);
    if (n < 0 || (size_t)n >= sizeof path || fstatat(w->s->root, path, &st, AT_SYMLINK_NOFOLLOW) != 0)
        return CISTERN_OK; /* gone meanwhile, or nothing of ours */
    if (S_ISREG(st.st_mode)) {
        w->sum->files++;
        w->sum->bytes += (uint64_t)st.st_size;
        w->sum->on_disk += (uint64_t)st.st_blocks * 512;
        return CISTERN_OK;
    }
    if (!S_ISDIR(st.st_mode) || w->depth == DEPTH_MAX)
        return CISTERN_OK;
    walk below = {.s = w->s, .dir = path, .depth = w->depth + 1, .sum = w->sum};
    return base_dir_each(w->s->root, path, add_entry, &below, err);
}

static cistern_status count_below(const store *s, const char *dir, count *sum, cistern_error *err)
{
    walk top = {.s = s, .dir = dir, .depth = 1, .sum = sum};
    return base_dir_each(s->root, dir, add_entry, &top, err);
}

/* Data files only: claims and journals are no fetches. */
static cistern_status count_partial(void *user, const char *name, cistern_error *err)
{
    const walk *w = user;
    char path[STORE_NAME_MAX];
    count sum = {0};
    int n = snprintf(path, sizeof path, "partial/%s", name);
    struct stat st;
    if (n < 0 || (size_t)n >= sizeof path || fstatat(w->s->root, path, &st, AT_SYMLINK_NOFOLLOW) != 0 ||
        !S_ISDIR(st.st_mode))
        return CISTERN_OK;
    cistern_status status = count_below(w->s, path, &sum, err);
    w->sum->files += sum.files > 0;
    w->sum->on_disk += sum.on_disk;
    return status;
}

cistern_status store_usage_count(const store *s, store_usage *out, cistern_error *err)
{
    count blobs = {0}, chunks = {0}, partial = {0}, derived = {0}, damaged = {0};
    uint64_t available = 0;
    walk partials = {.s = s, .dir = "partial", .sum = &partial};
    cistern_status status = count_below(s, "blobs", &blobs, err);
    if (status == CISTERN_OK)
        status = count_below(s, "chunks", &chunks, err);
    if (status == CISTERN_OK)
        status = base_dir_each(s->root, "partial", count_partial, &partials, err);
    if (status == CISTERN_OK)
        status = count_below(s, "derived", &derived, err);
    if (status == CISTERN_OK)
        status = count_below(s, "damaged", &damaged, err);
    if (status == CISTERN_OK)
        status = base_disk_free(s->root, &available, err);
    if (status != CISTERN_OK)
        return status;
    *out = (store_usage){
        .blobs = blobs.files,
        .blob_bytes = blobs.bytes,
        .chunk_bytes = chunks.bytes,
        .partials = partial.files,
        .partial_bytes = partial.on_disk,
        .derived_bytes = derived.on_disk,
        .damaged = damaged.files,
        .damaged_bytes = damaged.bytes,
        .free_bytes = available,
    };
    return CISTERN_OK;
}
