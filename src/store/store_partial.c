/* Partials; see priv/store_partial.h. */
#include "priv/store_entry.h"
#include "priv/store_object.h"
#include "priv/store_partial.h"
#include "priv/store_scan.h"
#include "base_disk.h"
#include "base_mem.h"
#include <errno.h>
#include <fcntl.h>

#define COPY_PIECE ((uint64_t)16 << 20) /* bytes: under 100 ms even where they must be written */

static bool is_zero(const base_digest *d)
{
    static const base_digest zero;
    return base_digest_equal(d, &zero);
}

static void remove_name(const store *s, const base_digest *key, uint64_t number, const char *suffix)
{
    char path[STORE_NAME_MAX];
    store_claim_path(key, number, suffix, path);
    cistern_status ignored = base_unlink_beneath(s->root, path, NULL);
    (void)ignored; /* it costs disk space until the next one removes it */
}

static void fill_head(store_journal_head *head, const store_partial_want *want, uint64_t size,
                      const base_identity *id)
{
    *head = (store_journal_head){.key = want->key,
                                 .validator = want->validator,
                                 .size = size,
                                 .inode = id->inode,
                                 .birth_ns = id->btime_ns};
    base_process_self(&head->owner);
}

static cistern_status reserve(const store *s, int fd, uint64_t size, cistern_error *err)
{
    uint64_t available = 0;
    if (size == STORE_SIZE_UNKNOWN)
        return CISTERN_OK;
    cistern_status status = base_disk_reserve(fd, size, NULL, err);
    if (status == CISTERN_NO_SPACE && base_disk_free(fd, &available, NULL) == CISTERN_OK)
        return base_fail(err, CISTERN_NO_SPACE, "%llu bytes are needed in '%s', %llu are free",
                         (unsigned long long)size, s->path, (unsigned long long)available);
    return status;
}

cistern_status store_partial_create(store *s, uint64_t number, const store_partial_want *want,
                                    store_partial *out, cistern_error *err)
{
    char path[STORE_NAME_MAX];
    base_identity id;
    store_journal_head head;
    store_partial p = STORE_PARTIAL_NONE;
    p.number = number;
    p.size = want->size;
    store_claim_path(&want->key, number, "data", path);
    cistern_status status = base_unlink_beneath(s->root, path, err);
    if (status == CISTERN_OK)
        status = base_create_beneath(s->root, path, s->modes.work, &p.fd, err);
    if (status != CISTERN_OK)
        return status;
    store_object_fault(s, "data_created");
    status = reserve(s, p.fd, want->size, err);
    if (status == CISTERN_OK)
        status = base_identity_of(p.fd, &id, err);
    if (status == CISTERN_OK) {
        fill_head(&head, want, want->size, &id);
        status = store_journal_create(s, &want->key, number, &head, &p.journal, err);
    }
    if (status != CISTERN_OK) {
        store_partial_drop(s, &want->key, &p);
        return status;
    }
    *out = p;
    return CISTERN_OK;
}

/* A data file of before, with its journal. */
typedef struct leftover {
    int fd; /* read-only */
    uint64_t number;
    base_identity id;
    store_journal_found journal;
    bool readable; /* the journal speaks of this inode */
    bool settled;  /* nobody can be writing it any more */
} leftover;

static bool speaks_of(const store_journal_found *journal, const base_identity *id)
{
    return journal->head.inode == id->inode && journal->head.birth_ns == id->btime_ns;
}

static bool is_settled(const store *s, const store_journal_found *journal)
{
    return journal->ended || base_process_dead(&journal->head.owner, s->local_disk);
}

/* Whether every journal that names this inode is of an owner who has ended or died. */
static cistern_status check_settled(const store *s, const base_digest *key, const store_scan *scan,
                                    const base_identity *id, bool *out, cistern_error *err)
{
    *out = true;
    for (size_t i = 0; i < scan->journals.count; i++) {
        store_journal_found found;
        cistern_status status = store_journal_read(s, key, scan->journals.number[i], &found, err);
        if (status == CISTERN_NOT_FOUND)
            continue;
        if (status != CISTERN_OK)
            return status;
        if (speaks_of(&found, id) && !is_settled(s, &found))
            *out = false;
        store_journal_found_clear(&found);
    }
    base_error_clear(err);
    return CISTERN_OK;
}

static void leftover_clear(leftover *l)
{
    if (l->fd >= 0)
        close(l->fd);
    store_journal_found_clear(&l->journal);
}

static cistern_status leftover_open(const store *s, const base_digest *key, uint64_t number,
                                    const store_scan *scan, leftover *out, cistern_error *err)
{
    char path[STORE_NAME_MAX];
    leftover l = {.fd = -1, .number = number};
    store_claim_path(key, number, "data", path);
    cistern_status status = base_open_beneath(s->root, path, O_RDONLY, &l.fd, err);
    if (status != CISTERN_OK)
        return status;
    status = base_identity_of(l.fd, &l.id, err);
    if (status == CISTERN_OK)
        status = check_settled(s, key, scan, &l.id, &l.settled, err);
    if (status == CISTERN_OK) {
        status = store_journal_read(s, key, number, &l.journal, err);
        l.readable = status == CISTERN_OK && speaks_of(&l.journal, &l.id);
        if (status == CISTERN_NOT_FOUND)
            status = CISTERN_OK;
    }
    if (status != CISTERN_OK) {
        leftover_clear(&l);
        return status;
    }
    base_error_clear(err);
    *out = l;
    return CISTERN_OK;
}

/* Whether its bytes are of the object that is wanted. */
static bool is_wanted(const leftover *l, const store_partial_want *want)
{
    const store_journal_head *head = &l->journal.head;
    uint64_t size = l->journal.complete_size != STORE_SIZE_UNKNOWN ? l->journal.complete_size : head->size;
    bool has_bytes = l->journal.certain.count > 0 || l->journal.complete_size == 0;
    if (!l->readable || !has_bytes || !base_digest_equal(&head->key, &want->key))
        return false;
    if (size == STORE_SIZE_UNKNOWN || l->id.size < size)
        return false;
    if (l->journal.certain.count > 0 && l->journal.certain.item[l->journal.certain.count - 1].end > size)
        return false;
    if (want->size != STORE_SIZE_UNKNOWN && size != want->size)
        return false;
    bool validated = !is_zero(&head->validator) && base_digest_equal(&head->validator, &want->validator);
    bool either_unknown = is_zero(&head->validator) || is_zero(&want->validator);
    return validated || (want->digest_known && either_unknown);
}

static cistern_status put_ranges(store_journal *j, char kind, const store_ranges *ranges, cistern_error *err)
{
    cistern_status status = CISTERN_OK;
    for (size_t i = 0; i < ranges->count && status == CISTERN_OK; i++)
        status = store_journal_put(j, kind, ranges->item[i].first,
                                   ranges->item[i].end - ranges->item[i].first, err);
    return status;
}

/* Our journal for a left-over's inode: the same certain ranges, no more certain than they are. */
static cistern_status rewrite_journal(store *s, const leftover *l, const store_partial_want *want,
                                      store_partial *p, cistern_error *err)
{
    store_journal_head head = l->journal.head;
    base_process_self(&head.owner);
    bool same_boot = strcmp(head.owner.boot_id, l->journal.head.owner.boot_id) == 0;
    cistern_status status = store_journal_create(s, &want->key, p->number, &head, &p->journal, err);
    if (status == CISTERN_OK)
        status = put_ranges(&p->journal, same_boot ? 'w' : 's', &p->present, err);
    if (status == CISTERN_OK && p->complete)
        status = store_journal_put(&p->journal, 'c', 0, p->size, err);
    return status;
}

/* Make it ours by renaming it; *out_won false: another was faster, or it cannot be written any more. */
static cistern_status adopt(store *s, leftover *l, const store_partial_want *want, store_partial *p,
                            bool *out_won, cistern_error *err)
{
    char from[STORE_NAME_MAX], to[STORE_NAME_MAX];
    store_claim_path(&want->key, l->number, "data", from);
    store_claim_path(&want->key, p->number, "data", to);
    p->complete = l->id.nlink > 1 || l->journal.complete_size != STORE_SIZE_UNKNOWN;
    p->size =
        l->journal.complete_size != STORE_SIZE_UNKNOWN ? l->journal.complete_size : l->journal.head.size;
    if (p->complete) { /* also if the journal's last record was lost: only complete data gets a second link */
        p->present.count = 0;
        cistern_status added = store_ranges_add(&p->present, 0, p->size, err);
        if (added != CISTERN_OK)
            return added;
    }
    cistern_status status = rewrite_journal(s, l, want, p, err);
    if (status != CISTERN_OK)
        return status;
    store_object_fault(s, "adoption_journaled");
    if (renameat(s->root, from, s->root, to) != 0) {
        int failed = errno;
        *out_won = false;
        return failed == ENOENT ? CISTERN_OK : base_fail_errno(err, failed, "cannot rename '%s'", from);
    }
    store_object_fault(s, "adoption_renamed");
    remove_name(s, &want->key, l->number, "journal");
    status = base_open_beneath(s->root, to, p->complete ? O_RDONLY : O_RDWR, &p->fd, err);
    *out_won = status == CISTERN_OK && store_entry_names(s, to, l->fd);
    if (status == CISTERN_DENIED && !p->complete) { /* it was made read-only for publishing: begin anew */
        base_error_clear(err);
        status = CISTERN_OK;
    }
    return status;
}

/* In pieces, between which a cancel is looked at; extents that can be shared are, piece by piece. */
static cistern_status copy_range(int from, int to, const store_range *r, const base_cancel *cancel,
                                 cistern_error *err)
{
    cistern_status status = base_check_cancel(cancel, err);
    for (uint64_t at = r->first; at < r->end && status == CISTERN_OK; at += COPY_PIECE) {
        uint64_t left = r->end - at;
        status = base_disk_copy_range(from, to, at, left < COPY_PIECE ? left : COPY_PIECE, err);
        if (status == CISTERN_OK)
            status = base_check_cancel(cancel, err);
    }
    return status;
}

/* Take its certain ranges into an inode of our own. */
static cistern_status copy_ranges(store *s, const leftover *l, const store_partial_want *want,
                                  store_partial *p, cistern_error *err)
{
    store_partial_want same = *want;
    store_partial fresh;
    same.size =
        l->journal.complete_size != STORE_SIZE_UNKNOWN ? l->journal.complete_size : l->journal.head.size;
    same.validator = l->journal.head.validator;
    cistern_status status = store_partial_create(s, p->number, &same, &fresh, err);
    if (status != CISTERN_OK)
        return status;
    fresh.present = p->present;
    p->present = (store_ranges){0};
    for (size_t i = 0; i < fresh.present.count && status == CISTERN_OK; i++)
        status = copy_range(l->fd, fresh.fd, &fresh.present.item[i], want->cancel, err);
    if (status == CISTERN_OK)
        status = put_ranges(&fresh.journal, 'w', &fresh.present, err);
    if (status != CISTERN_OK) {
        store_partial_drop(s, &want->key, &fresh);
        return status;
    }
    *p = fresh;
    remove_name(s, &want->key, l->number, "journal");
    remove_name(s, &want->key, l->number, "data");
    return CISTERN_OK;
}

/* One left-over: ours now, copied, deleted, or left alone. */
static cistern_status try_leftover(store *s, leftover *l, const store_partial_want *want, store_partial *p,
                                   bool *out_found, cistern_error *err)
{
    bool complete = l->id.nlink > 1 || l->journal.complete_size != STORE_SIZE_UNKNOWN;
    if (want->complete_only && !complete)
        return CISTERN_OK;
    bool ours = want->digest_known || l->id.uid == geteuid();
    if (!is_wanted(l, want) || !ours) {
        if (l->settled) { /* the journal first: a journal never outlives its data by another of the same inode */
            remove_name(s, &want->key, l->number, "journal");
            remove_name(s, &want->key, l->number, "data");
        }
        return CISTERN_OK;
    }
    p->present = l->journal.certain;
    l->journal.certain = (store_ranges){0};
    cistern_status status;
    if (l->settled) {
        status = adopt(s, l, want, p, out_found, err);
    } else {
        status = copy_ranges(s, l, want, p, err);
        *out_found = status == CISTERN_OK;
    }
    if (status != CISTERN_OK || !*out_found) {
        store_partial_drop(s, &want->key, p);
        *out_found = false;
    }
    return status;
}

cistern_status store_partial_find(store *s, uint64_t number, const store_partial_want *want,
                                  store_partial *out, bool *out_found, cistern_error *err)
{
    store_scan scan;
    *out_found = false;
    cistern_status status = store_scan_read(s, &want->key, &scan, err);
    for (size_t i = scan.datas.count; i > 0 && status == CISTERN_OK && !*out_found; i--) {
        leftover l;
        store_partial p = STORE_PARTIAL_NONE;
        p.number = number;
        if (scan.datas.number[i - 1] == number)
            continue;
        status = leftover_open(s, &want->key, scan.datas.number[i - 1], &scan, &l, err);
        if (status == CISTERN_NOT_FOUND || status == CISTERN_DAMAGED || status == CISTERN_DENIED) {
            base_error_clear(err); /* gone, or not a file of ours: no use to us */
            status = CISTERN_OK;
            continue;
        }
        if (status != CISTERN_OK)
            break;
        status = try_leftover(s, &l, want, &p, out_found, err);
        if (*out_found)
            *out = p;
        leftover_clear(&l);
    }
    return status;
}

cistern_status store_partial_complete(store *s, const base_digest *key, store_partial *p, uint64_t size,
                                      cistern_error *err)
{
    char path[STORE_NAME_MAX];
    int fd;
    if (p->complete)
        return CISTERN_OK;
    store_claim_path(key, p->number, "data", path);
    cistern_status status = store_journal_put(&p->journal, 'c', 0, size, err);
    if (status == CISTERN_OK)
        status = base_open_beneath(s->root, path, O_RDONLY, &fd, err);
    if (status == CISTERN_NOT_FOUND)
        return base_fail(err, CISTERN_CONFLICT, "another process took this fetch over; try again");
    if (status != CISTERN_OK)
        return status;
    if (!store_entry_names(s, path, p->fd)) {
        close(fd);
        return base_fail(err, CISTERN_CONFLICT, "another process took this fetch over; try again");
    }
    close(p->fd);
    p->fd = fd;
    p->size = size;
    p->complete = true;
    return CISTERN_OK;
}

cistern_status store_partial_restart(store *s, store_partial *p, uint64_t size, cistern_error *err)
{
    store_ranges_clear(&p->present);
    p->size = size;
    if (ftruncate(p->fd, 0) != 0)
        return base_fail_errno(err, errno, "cannot empty a partial");
    return reserve(s, p->fd, size, err);
}

static void close_partial(store_partial *p)
{
    store_partial none = STORE_PARTIAL_NONE;
    if (p->fd >= 0)
        close(p->fd);
    store_journal_close(&p->journal);
    store_ranges_clear(&p->present);
    none.number = p->number;
    *p = none;
}

void store_partial_drop(store *s, const base_digest *key, store_partial *p)
{
    char path[STORE_NAME_MAX];
    if (p->journal.fd >= 0) {
        store_claim_path(key, p->number, "journal", path);
        store_entry_unlink(s, path, p->journal.fd);
    }
    if (p->fd >= 0) {
        store_claim_path(key, p->number, "data", path);
        store_entry_unlink(s, path, p->fd);
    }
    close_partial(p);
}

void store_partial_leave(store_partial *p)
{
    if (p->fd >= 0)
        close(p->fd);
    p->fd = -1;
    cistern_status ignored = store_journal_put(&p->journal, 'e', 0, 0, NULL);
    (void)ignored; /* then it is settled when this process has died */
    close_partial(p);
}

void store_partial_sweep(store *s, const base_digest *key, uint64_t own)
{
    store_scan scan;
    if (store_scan_read(s, key, &scan, NULL) != CISTERN_OK)
        return;
    for (size_t i = 0; i < scan.journals.count; i++)
        if (scan.journals.number[i] < own)
            remove_name(s, key, scan.journals.number[i], "journal");
    for (size_t i = 0; i < scan.datas.count; i++)
        if (scan.datas.number[i] < own)
            remove_name(s, key, scan.datas.number[i], "data");
}
