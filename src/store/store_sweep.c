/* Sweeping; see store_sweep.h. */
#include "store_sweep.h"

#include <dirent.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>
#include "priv/store_claim.h"
#include "priv/store_entry.h"
#include "priv/store_object.h"
#include "priv/store_partial.h"
#include "priv/store_scan.h"
#include "priv/store_ticker.h"
#include "store_clock.h"
#include "store_derived.h"
#include "store_fetch.h"

#define DEPTH_MAX 6 /* directories below the root: models/<name>/aliases/<alias>/ is four */

typedef struct sweeper {
    store *s;
    const store_sweep *sweep;
    const base_run *run;
} sweeper;

static void tell(const sweeper *w, store_waste kind, const char *name, uint64_t bytes, int64_t age)
{
    if (w->sweep->fn)
        w->sweep->fn(w->sweep->user, kind, name, bytes, age);
}

/* What a directory holds, and when something in it was last written. */
typedef struct content {
    const store *s;
    const char *dir;
    uint64_t bytes;
    int64_t newest;
    bool any;
} content;

static cistern_status look_at(void *user, const char *name, cistern_error *err)
{
    content *c = user;
    char path[STORE_NAME_MAX];
    struct stat st;
    int64_t written;
    (void)err;
    int n = snprintf(path, sizeof path, "%s/%s", c->dir, name);
    if (n < 0 || (size_t)n >= sizeof path || fstatat(c->s->root, path, &st, AT_SYMLINK_NOFOLLOW) != 0)
        return CISTERN_OK; /* nothing of ours, or gone meanwhile */
    c->bytes += (uint64_t)st.st_blocks * 512;
    c->any = true;
    if (store_clock_of(c->s, path, &written) && written > c->newest)
        c->newest = written;
    return CISTERN_OK;
}

static cistern_status measure(const store *s, const char *dir, content *out, cistern_error *err)
{
    /* the directory's own time is that of the last entry that came or went; one that has gone is as good as young */
    *out = (content){.s = s, .dir = dir, .newest = INT64_MAX};
    if (!store_clock_of(s, dir, &out->newest))
        return CISTERN_OK;
    return base_dir_each(s->root, dir, look_at, out, err);
}

/* -- unfinished fetches ----------------------------------------------------------------------------------- */

/* Claims that have not been written for the age: their counter stands still. With another PID namespace, as after a
 * container has ended, that is the only proof there is. */
static void remove_still_claims(const sweeper *w, const base_digest *key)
{
    store_scan scan;
    int64_t least = w->sweep->partial_age_ns > STORE_SWEEP_AGE_LEAST_NS ? w->sweep->partial_age_ns
                                                                        : STORE_SWEEP_AGE_LEAST_NS;
    if (store_scan_read(w->s, key, &scan, NULL) != CISTERN_OK)
        return;
    for (size_t i = 0; i < scan.claims.count; i++) {
        char path[STORE_NAME_MAX];
        int64_t written;
        store_claim_path(key, scan.claims.number[i], "claim", path);
        if (store_clock_of(w->s, path, &written) && w->sweep->now - written >= least)
            unlinkat(w->s->root, path, 0);
    }
}

/* Win the right to it, and delete. *out_removed false: somebody fetches it. */
static cistern_status remove_partial(const sweeper *w, const base_digest *key, bool *out_removed,
                                     cistern_error *err)
{
    store_fetch *fetch = NULL;
    cistern_error why = CISTERN_ERROR_INIT;
    base_run quiet = {.cancel = store_ticker_cancel(w->run)}; /* we do not wait for whoever fetches it */
    *out_removed = false;
    remove_still_claims(w, key);
    cistern_status status = store_fetch_begin(w->s, key, 0, &quiet, &fetch, &why);
    if (status == CISTERN_TIMED_OUT || (status == CISTERN_OK && !fetch))
        return CISTERN_OK;
    if (status != CISTERN_OK) {
        if (err)
            *err = why;
        return status;
    }
    store_partial_sweep(w->s, key, UINT64_MAX);
    store_fetch_end(fetch, CISTERN_CANCELLED, NULL); /* whoever waits tries itself */
    *out_removed = true;
    return CISTERN_OK;
}

static cistern_status sweep_partial(void *user, const char *name, cistern_error *err)
{
    const sweeper *w = user;
    char dir[STORE_NAME_MAX];
    base_digest key;
    content held;
    bool removed = true;
    if (!base_digest_parse(name, &key))
        return CISTERN_OK;
    cistern_status status = base_check_cancel(store_ticker_cancel(w->run), err);
    store_claim_dir(&key, dir);
    if (status == CISTERN_OK)
        status = measure(w->s, dir, &held, err);
    if (status != CISTERN_OK || w->sweep->now - held.newest < w->sweep->partial_age_ns)
        return status;
    if (!w->sweep->dry_run)
        status = remove_partial(w, &key, &removed, err);
    if (status == CISTERN_OK && removed && held.any)
        tell(w, STORE_WASTE_PARTIAL, name, held.bytes, w->sweep->now - held.newest);
    return status;
}

/* -- derived files ---------------------------------------------------------------------------------------- */

static cistern_status sweep_derived(void *user, const char *name, cistern_error *err)
{
    const sweeper *w = user;
    char dir[STORE_NAME_MAX];
    base_digest source;
    content held;
    if (!base_digest_parse(name, &source) || base_digests_has(w->sweep->keep, &source))
        return CISTERN_OK;
    snprintf(dir, sizeof dir, "derived/%s", name);
    cistern_status status = measure(w->s, dir, &held, err);
    if (status != CISTERN_OK || w->sweep->now - held.newest < w->sweep->derived_age_ns)
        return status;
    if (!w->sweep->dry_run)
        status = store_derived_remove(w->s, &source, err);
    if (status == CISTERN_OK && held.any)
        tell(w, STORE_WASTE_DERIVED, name, held.bytes, w->sweep->now - held.newest);
    return status;
}

/* -- trials of a killed doctor (store_doctor.c) ------------------------------------------------------------ */

typedef struct trial {
    const store *s;
    const char *dir;
} trial;

static cistern_status remove_trial_file(void *user, const char *name, cistern_error *err)
{
    const trial *t = user;
    char path[2 * STORE_NAME_MAX];
    snprintf(path, sizeof path, "%s/%.200s", t->dir, name);
    return base_unlink_beneath(t->s->root, path, err);
}

static cistern_status sweep_trial(void *user, const char *name, cistern_error *err)
{
    const sweeper *w = user;
    char dir[STORE_NAME_MAX];
    trial t = {w->s, dir};
    content held;
    if (strncmp(name, "doctor-", 7) != 0 || strlen(name) > 64)
        return CISTERN_OK;
    snprintf(dir, sizeof dir, "gc/%s", name);
    cistern_status status = measure(w->s, dir, &held, err);
    if (status != CISTERN_OK || w->sweep->now - held.newest < w->sweep->partial_age_ns)
        return status;
    if (!w->sweep->dry_run) {
        status = base_dir_each(w->s->root, dir, remove_trial_file, &t, err);
        unlinkat(w->s->root, dir, AT_REMOVEDIR);
    }
    if (status == CISTERN_OK)
        tell(w, STORE_WASTE_TEMPORARY, dir, held.bytes, w->sweep->now - held.newest);
    return status;
}

/* -- temporaries ------------------------------------------------------------------------------------------ */

static void sweep_temporary(const sweeper *w, const char *path, const struct stat *st)
{
    int64_t written, age;
    if (!store_clock_of(w->s, path, &written))
        return;
    age = w->sweep->now - written;
    if (age < w->sweep->partial_age_ns)
        return;
    if (w->sweep->dry_run || unlinkat(w->s->root, path, 0) == 0)
        tell(w, STORE_WASTE_TEMPORARY, path, (uint64_t)st->st_blocks * 512, age);
}

/* Temporaries have names that base_dir_each leaves out. */
static void sweep_below(const sweeper *w, const char *dir, int depth)
{
    const struct dirent *entry;
    int fd = openat(w->s->root, dir, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    DIR *stream = fd < 0 ? NULL : fdopendir(fd);
    if (!stream) {
        if (fd >= 0)
            close(fd);
        return;
    }
    while ((entry = readdir(stream)) != NULL) {
        char path[2 * STORE_NAME_MAX];
        struct stat st;
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        int n = strcmp(dir, ".") == 0 ? snprintf(path, sizeof path, "%s", entry->d_name)
                                      : snprintf(path, sizeof path, "%s/%s", dir, entry->d_name);
        if (n < 0 || (size_t)n >= sizeof path || fstatat(w->s->root, path, &st, AT_SYMLINK_NOFOLLOW) != 0)
            continue;
        if (S_ISDIR(st.st_mode) && depth < DEPTH_MAX)
            sweep_below(w, path, depth + 1);
        else if (S_ISREG(st.st_mode) && strncmp(entry->d_name, ".tmp-", 5) == 0)
            sweep_temporary(w, path, &st);
    }
    closedir(stream);
}

cistern_status store_sweep_run(store *s, const store_sweep *sweep, const base_run *run, cistern_error *err)
{
    sweeper w = {s, sweep, run};
    cistern_status status = sweep->dry_run ? CISTERN_OK : store_check_write(s, err);
    if (status == CISTERN_OK)
        status = base_dir_each(s->root, "partial", sweep_partial, &w, err);
    if (status == CISTERN_OK)
        status = base_dir_each(s->root, "derived", sweep_derived, &w, err);
    if (status == CISTERN_OK)
        status = base_dir_each(s->root, "gc", sweep_trial, &w, err);
    if (status == CISTERN_OK)
        sweep_below(&w, ".", 0);
    return status;
}
