/* Identity records; see priv/store_identity.h. A record is one line, compared as a whole: there is nothing to parse. */
#include "priv/store_identity.h"
#include "priv/store_ticker.h"
#include "base_disk.h"
#include <fcntl.h>
#include <inttypes.h>
#include <time.h>

#define RECORD_MAX    256      /* bytes of a record */
#define GRAIN_MOST_NS 20000000 /* twice the coarsest tick of Linux (HZ=100): 10 ms */
#define GRAIN_STEP_MS 1u
#define LOCK_STEP_MS  20u

static const base_modes record_modes = {.file = 0600, .work = 0600, .dir = 0700};

bool store_identity_equal(const base_identity *a, const base_identity *b)
{
    return a->inode == b->inode && a->size == b->size && a->mtime_ns == b->mtime_ns &&
           a->ctime_ns == b->ctime_ns && a->btime_ns == b->btime_ns;
}

static int record_text(char out[RECORD_MAX], const base_digest *blob, const base_identity *id)
{
    char hex[BASE_SHA256_HEX];
    base_digest_hex(blob, hex);
    return snprintf(out, RECORD_MAX,
                    "cistern identity 1 %s inode %" PRIu64 " size %" PRIu64 " mtime %" PRId64
                    " ctime %" PRId64 " birth %" PRId64 "\n",
                    hex, id->inode, id->size, id->mtime_ns, id->ctime_ns, id->btime_ns);
}

/* The directory of this store's records, or -1. */
static int open_records(const store *s, bool make)
{
    char path[PATH_MAX];
    int fd = -1;
    if (!s->state_dir)
        return -1;
    int n = snprintf(path, sizeof path, "%s/identity/%s", s->state_dir, s->id);
    if (n < 0 || (size_t)n >= sizeof path)
        return -1;
    if (base_dir_open(path, &fd, NULL) == CISTERN_OK)
        return fd;
    if (!make || base_mkdirs_path(path, record_modes.dir, NULL) != CISTERN_OK)
        return -1;
    return base_dir_open(path, &fd, NULL) == CISTERN_OK ? fd : -1;
}

static bool is_trusted(const store *s, const base_identity *record)
{
    bool owned = record->uid == geteuid() || record->uid == 0 || record->uid == s->owner;
    return owned && (record->mode & 022) == 0 && record->size < RECORD_MAX;
}

bool store_identity_known(const store *s, const base_digest *blob, const base_identity *now)
{
    char want[RECORD_MAX], found[RECORD_MAX], hex[BASE_SHA256_HEX];
    base_identity record;
    int fd = -1, records = open_records(s, false);
    bool known = false;
    if (records < 0)
        return false;
    base_digest_hex(blob, hex);
    size_t n = (size_t)record_text(want, blob, now);
    if (base_open_beneath(records, hex, O_RDONLY, &fd, NULL) == CISTERN_OK) {
        known = base_identity_of(fd, &record, NULL) == CISTERN_OK && is_trusted(s, &record) &&
                record.size == n && base_pread_full(fd, found, n, 0, NULL) == CISTERN_OK &&
                memcmp(want, found, n) == 0;
        close(fd);
    }
    close(records);
    return known;
}

bool store_identity_possible(const store *s)
{
    int records = open_records(s, true);
    bool possible = records >= 0 && faccessat(records, ".", W_OK | X_OK, 0) == 0;
    if (records >= 0)
        close(records);
    return possible;
}

/* Two ticks of the clock that stamps files of local file systems: a change after that has another ctime. */
static int64_t grain_ns(void)
{
    struct timespec tick;
    if (clock_getres(CLOCK_REALTIME_COARSE, &tick) != 0 || tick.tv_sec != 0 || tick.tv_nsec <= 0 ||
        tick.tv_nsec > GRAIN_MOST_NS / 2)
        return GRAIN_MOST_NS;
    return 2 * (int64_t)tick.tv_nsec;
}

/* Wait until the clock that stamps files has moved on from `ctime`; false: it lies in the future. */
static bool wait_for_grain(int64_t ctime_ns)
{
    int64_t grain = grain_ns();
    for (int64_t waited = 0; waited <= 2 * GRAIN_MOST_NS; waited += (int64_t)GRAIN_STEP_MS * 1000000) {
        struct timespec now;
        clock_gettime(CLOCK_REALTIME, &now);
        if ((int64_t)now.tv_sec * 1000000000 + now.tv_nsec - ctime_ns > grain)
            return true;
        base_sleep_ms(GRAIN_STEP_MS);
    }
    return false;
}

void store_identity_record(const store *s, const base_digest *blob, int fd, const base_identity *hashed)
{
    char text[RECORD_MAX], hex[BASE_SHA256_HEX];
    base_identity now;
    if (!wait_for_grain(hashed->ctime_ns))
        return;
    if (base_identity_of(fd, &now, NULL) != CISTERN_OK || !store_identity_equal(&now, hashed))
        return;
    int records = open_records(s, true);
    if (records < 0)
        return;
    base_digest_hex(blob, hex);
    int n = record_text(text, blob, &now);
    cistern_status ignored = base_replace_hint(records, hex, text, (size_t)n, &record_modes, NULL);
    (void)ignored; /* no record, or a torn one after a power cut: hashed again at the next open */
    close(records);
}

void store_identity_forget(const store *s, const base_digest *blob)
{
    char hex[BASE_SHA256_HEX];
    int records = open_records(s, false);
    if (records < 0)
        return;
    base_digest_hex(blob, hex);
    cistern_status ignored = base_unlink_beneath(records, hex, NULL);
    (void)ignored; /* it would not match anyway */
    close(records);
}

static void lock_name(const base_digest *blob, char out[BASE_SHA256_HEX + 8])
{
    char hex[BASE_SHA256_HEX];
    base_digest_hex(blob, hex);
    snprintf(out, BASE_SHA256_HEX + 8, "%s.lock", hex);
}

cistern_status store_identity_lock(const store *s, const base_digest *blob, const base_run *run, int *out,
                                   cistern_error *err)
{
    char name[BASE_SHA256_HEX + 8];
    int records = open_records(s, true), fd = -1;
    cistern_status status = CISTERN_OK;
    *out = -1;
    if (records < 0)
        return CISTERN_OK;
    lock_name(blob, name);
    if (base_create_beneath(records, name, record_modes.work, &fd, NULL) != CISTERN_OK &&
        base_open_beneath(records, name, O_RDWR, &fd, NULL) != CISTERN_OK)
        fd = -1;
    close(records);
    while (fd >= 0 && status == CISTERN_OK && !base_disk_try_lock(fd)) {
        base_sleep_ms(LOCK_STEP_MS);
        status = base_check_cancel(store_ticker_cancel(run), err);
    }
    if (status == CISTERN_OK)
        *out = fd;
    else if (fd >= 0)
        close(fd);
    return status;
}

void store_identity_unlock(const store *s, const base_digest *blob, int lock)
{
    char name[BASE_SHA256_HEX + 8];
    int records = open_records(s, false);
    if (lock < 0) {
        if (records >= 0)
            close(records);
        return;
    }
    lock_name(blob, name);
    cistern_status ignored = records < 0 ? CISTERN_OK : base_unlink_beneath(records, name, NULL);
    (void)ignored; /* an empty file that the next one removes */
    if (records >= 0)
        close(records);
    close(lock);
}
