/* Trying a store; see store_doctor.h. Everything lies in gc/doctor-<32 hex>/. */
#include "store_doctor.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include "base_disk.h"
#include "base_host.h"
#include "base_map.h"
#include "base_mem.h"
#include "priv/store_object.h"
#include "priv/store_ticker.h"
#include "store_clock.h"

#define ROUNDS  32
#define WRITERS 4
#define PIECE   ((size_t)BASE_DISK_BLOCK)

typedef struct trial {
    store *s;
    char dir[64];
} trial;

static double now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

/* -- one name, many makers -------------------------------------------------------------------------------- */

typedef struct race {
    const trial *t;
    unsigned round;
    atomic_uint created, failed;
} race;

static void *race_main(void *arg)
{
    race *r = arg;
    char path[STORE_NAME_MAX];
    bool created = false;
    snprintf(path, sizeof path, "%s/once-%u", r->t->dir, r->round);
    if (base_publish_bytes(r->t->s->root, path, "x\n", 2, &r->t->s->modes, &created, NULL) != CISTERN_OK)
        atomic_fetch_add(&r->failed, 1);
    atomic_fetch_add(&r->created, created);
    return NULL;
}

static cistern_status run_races(const trial *t, const base_run *run, store_doctor *out, cistern_error *err)
{
    cistern_status st = CISTERN_OK;
    out->creates_once = true;
    for (unsigned round = 0; st == CISTERN_OK && round < ROUNDS; round++) {
        race r = {.t = t, .round = round};
        base_thread threads[WRITERS];
        unsigned started = 0;
        while (st == CISTERN_OK && started < WRITERS) {
            st = base_thread_start(&threads[started], race_main, &r, err);
            started += st == CISTERN_OK;
        }
        for (unsigned i = 0; i < started; i++)
            base_thread_join(&threads[i]);
        if (st == CISTERN_OK && (atomic_load(&r.created) != 1 || atomic_load(&r.failed) > 0))
            out->creates_once = false;
        out->rounds = round + 1;
        if (st == CISTERN_OK)
            st = base_check_cancel(store_ticker_cancel(run), err);
    }
    return st;
}

/* -- locks, clock, times ---------------------------------------------------------------------------------- */

static cistern_status try_locks(const trial *t, store_doctor *out, cistern_error *err)
{
    char path[STORE_NAME_MAX];
    int one = -1, two = -1;
    snprintf(path, sizeof path, "%s/once-0", t->dir);
    cistern_status st = base_open_beneath(t->s->root, path, O_RDONLY, &one, err);
    if (st == CISTERN_OK)
        st = base_open_beneath(t->s->root, path, O_RDONLY, &two, err);
    if (st == CISTERN_OK) {
        out->locks = base_disk_try_lock(one) && !base_disk_try_lock(two);
        base_disk_unlock(one);
        out->locks = out->locks && base_disk_try_lock(two);
    }
    if (one >= 0)
        close(one);
    if (two >= 0)
        close(two);
    return st;
}

static cistern_status ask_clock(const trial *t, store_doctor *out, cistern_error *err)
{
    struct timespec now;
    int64_t stamp;
    cistern_status st = store_clock_now(t->s, &stamp, err);
    if (st != CISTERN_OK)
        return st;
    clock_gettime(CLOCK_REALTIME, &now);
    out->clock_skew_ns = stamp - ((int64_t)now.tv_sec * 1000000000 + now.tv_nsec);
    return CISTERN_OK;
}

static int compare_times(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static cistern_status time_syncs(const trial *t, store_doctor *out, cistern_error *err)
{
    double took[STORE_DOCTOR_SYNCS];
    cistern_status st = CISTERN_OK;
    for (unsigned i = 0; st == CISTERN_OK && i < STORE_DOCTOR_SYNCS; i++) {
        char path[STORE_NAME_MAX];
        bool created;
        double begun = now_ms();
        snprintf(path, sizeof path, "%s/sync-%u", t->dir, i);
        st = base_publish_bytes(t->s->root, path, "x\n", 2, &t->s->modes, &created, err);
        took[i] = now_ms() - begun;
    }
    if (st != CISTERN_OK)
        return st;
    qsort(took, STORE_DOCTOR_SYNCS, sizeof took[0], compare_times);
    out->sync_ms = took[STORE_DOCTOR_SYNCS / 2];
    return CISTERN_OK;
}

static cistern_status transfer(int fd, uint8_t *piece, bool write, const base_run *run, double *out_mb_s,
                               cistern_error *err)
{
    double begun = now_ms();
    cistern_status st = CISTERN_OK;
    for (size_t at = 0; st == CISTERN_OK && at < STORE_DOCTOR_FILE; at += PIECE) {
        st = write ? base_pwrite_full(fd, piece, PIECE, at, err) : base_pread_full(fd, piece, PIECE, at, err);
        if (st == CISTERN_OK)
            st = base_check_cancel(store_ticker_cancel(run), err);
    }
    if (st == CISTERN_OK && write && fsync(fd) != 0)
        st = base_fail_errno(err, errno, "cannot sync");
    *out_mb_s = (double)STORE_DOCTOR_FILE / 1e3 / (now_ms() - begun + 1e-6);
    return st;
}

static bool is_mapped_huge(int fd)
{
    base_map map;
    if (base_map_fd(fd, &map, NULL) != CISTERN_OK)
        return false;
    bool huge = base_map_is_huge(&map);
    base_map_clear(&map);
    return huge;
}

static cistern_status time_bandwidth(const trial *t, const base_run *run, store_doctor *out,
                                     cistern_error *err)
{
    char path[STORE_NAME_MAX];
    uint8_t *piece = NULL;
    int fd = -1;
    snprintf(path, sizeof path, "%s/bandwidth", t->dir);
    cistern_status st = base_calloc(1, PIECE, &piece, err);
    for (size_t i = 0; st == CISTERN_OK && i < PIECE; i++)
        piece[i] = (uint8_t)(i * 2654435761u >> 13); /* not all alike: some disks compress */
    if (st == CISTERN_OK)
        st = base_create_beneath(t->s->root, path, t->s->modes.work, &fd, err);
    if (st == CISTERN_OK)
        st = transfer(fd, piece, true, run, &out->write_mb_s, err);
    if (st == CISTERN_OK) {
        out->huge_pages = is_mapped_huge(fd);
        (void)posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
        st = transfer(fd, piece, false, run, &out->read_mb_s, err);
    }
    if (fd >= 0)
        close(fd);
    free(piece);
    return st;
}

/* -- the whole -------------------------------------------------------------------------------------------- */

static cistern_status remove_entry(void *user, const char *name, cistern_error *err)
{
    const trial *t = user;
    char path[STORE_NAME_MAX];
    snprintf(path, sizeof path, "%s/%.100s", t->dir, name);
    return base_unlink_beneath(t->s->root, path, err);
}

static cistern_status count_marker(void *user, const char *name, cistern_error *err)
{
    (void)name;
    (void)err;
    ++*(uint64_t *)user;
    return CISTERN_OK;
}

static cistern_status look(store *s, store_doctor *out, cistern_error *err)
{
    base_fs_info fs;
    cistern_status st = base_fs_of(s->root, &fs, err);
    if (st == CISTERN_OK)
        st = base_disk_free(s->root, &out->free_bytes, err);
    if (st == CISTERN_OK)
        st = base_dir_each(s->root, "gc/condemned", count_marker, &out->markers, err);
    if (st != CISTERN_OK)
        return st;
    memcpy(out->file_system, fs.name, sizeof out->file_system);
    out->network = fs.network;
    return CISTERN_OK;
}

static cistern_status try_all(const trial *t, const base_run *run, store_doctor *out, cistern_error *err)
{
    cistern_status st = base_mkdirs(t->s->root, t->dir, &t->s->modes, err);
    if (st == CISTERN_OK)
        st = run_races(t, run, out, err);
    if (st == CISTERN_OK)
        st = try_locks(t, out, err);
    if (st == CISTERN_OK)
        st = ask_clock(t, out, err);
    if (st == CISTERN_OK)
        st = time_syncs(t, out, err);
    if (st == CISTERN_OK)
        st = time_bandwidth(t, run, out, err);
    return st;
}

cistern_status store_doctor_run(store *s, const base_run *run, store_doctor *out, cistern_error *err)
{
    trial t = {.s = s};
    char random[33];
    memset(out, 0, sizeof *out);
    cistern_status st = look(s, out, err);
    if (st == CISTERN_OK)
        st = store_check_write(s, err);
    if (st == CISTERN_OK)
        st = base_random_hex(16, random, err);
    if (st != CISTERN_OK)
        return st;
    snprintf(t.dir, sizeof t.dir, "gc/doctor-%s", random);
    st = try_all(&t, run, out, err);
    cistern_status ignored = base_dir_each(s->root, t.dir, remove_entry, &t, NULL);
    (void)ignored; /* what stays is small and old some day */
    unlinkat(s->root, t.dir, AT_REMOVEDIR);
    return st;
}
