/* Journals; see priv/store_journal.h. */
#include "priv/store_bytes.h"
#include "priv/store_journal.h"
#include "base_mem.h"
#include <errno.h>
#include <fcntl.h>

#define MAGIC       "cstjour1"
#define HEADER      256u
#define RECORD      32u
#define JOURNAL_MAX (HEADER + RECORD * (1u << 20)) /* bytes: a record for each 256 KiB of 256 GiB */

/* Places in the header. */
enum {
    AT_KEY = 8,
    AT_VALIDATOR = 40,
    AT_SIZE = 72,
    AT_INODE = 80,
    AT_BIRTH = 88,
    AT_PID_NS = 96,
    AT_PID = 104,
    AT_START = 112,
    AT_BOOT = 120,
    AT_MACHINE = 156,
    AT_CRC = 252
};

static void encode_head(const store_journal_head *head, uint8_t out[HEADER])
{
    memset(out, 0, HEADER);
    memcpy(out, MAGIC, 8);
    memcpy(out + AT_KEY, head->key.bytes, BASE_SHA256_BYTES);
    memcpy(out + AT_VALIDATOR, head->validator.bytes, BASE_SHA256_BYTES);
    store_bytes_put_u64(out + AT_SIZE, head->size);
    store_bytes_put_u64(out + AT_INODE, head->inode);
    store_bytes_put_u64(out + AT_BIRTH, (uint64_t)head->birth_ns);
    store_bytes_put_u64(out + AT_PID_NS, head->owner.pid_ns);
    store_bytes_put_u64(out + AT_PID, head->owner.pid);
    store_bytes_put_u64(out + AT_START, head->owner.start_time);
    memcpy(out + AT_BOOT, head->owner.boot_id, sizeof head->owner.boot_id - 1);
    memcpy(out + AT_MACHINE, head->owner.machine_id, sizeof head->owner.machine_id - 1);
    store_bytes_put_u32(out + AT_CRC, store_bytes_crc(out, AT_CRC));
}

static bool decode_head(const uint8_t *in, store_journal_head *head)
{
    if (memcmp(in, MAGIC, 8) != 0 || store_bytes_u32(in + AT_CRC) != store_bytes_crc(in, AT_CRC))
        return false;
    memset(head, 0, sizeof *head);
    memcpy(head->key.bytes, in + AT_KEY, BASE_SHA256_BYTES);
    memcpy(head->validator.bytes, in + AT_VALIDATOR, BASE_SHA256_BYTES);
    head->size = store_bytes_u64(in + AT_SIZE);
    head->inode = store_bytes_u64(in + AT_INODE);
    head->birth_ns = (int64_t)store_bytes_u64(in + AT_BIRTH);
    head->owner.pid_ns = store_bytes_u64(in + AT_PID_NS);
    head->owner.pid = store_bytes_u64(in + AT_PID);
    head->owner.start_time = store_bytes_u64(in + AT_START);
    memcpy(head->owner.boot_id, in + AT_BOOT, sizeof head->owner.boot_id - 1);
    memcpy(head->owner.machine_id, in + AT_MACHINE, sizeof head->owner.machine_id - 1);
    return true;
}

cistern_status store_journal_create(store *s, const base_digest *key, uint64_t number,
                                    const store_journal_head *head, store_journal *out, cistern_error *err)
{
    char path[STORE_NAME_MAX];
    uint8_t bytes[HEADER];
    int fd = -1;
    store_claim_path(key, number, "journal", path);
    encode_head(head, bytes);
    cistern_status status = base_unlink_beneath(s->root, path, err);
    if (status == CISTERN_OK)
        status = base_create_beneath(s->root, path, s->modes.work, &fd, err);
    if (status == CISTERN_OK)
        status = base_pwrite_full(fd, bytes, sizeof bytes, 0, err);
    if (status == CISTERN_OK && fsync(fd) != 0)
        status = base_fail_errno(err, errno, "cannot sync '%s'", path);
    if (status == CISTERN_OK)
        status = base_sync_parent(s->root, path, err);
    if (status != CISTERN_OK) {
        if (fd >= 0)
            close(fd);
        return status;
    }
    *out = (store_journal){.fd = fd};
    store_object_fault(s, "journal_created");
    return CISTERN_OK;
}

cistern_status store_journal_put(store_journal *j, char kind, uint64_t first, uint64_t length,
                                 cistern_error *err)
{
    uint8_t b[RECORD] = {0};
    if (j->fd < 0 || HEADER + (uint64_t)RECORD * (j->next + 1) > JOURNAL_MAX)
        return CISTERN_OK; /* what it does not say is fetched again */
    b[0] = (uint8_t)kind;
    store_bytes_put_u32(b + 4, j->next);
    store_bytes_put_u64(b + 8, first);
    store_bytes_put_u64(b + 16, length);
    store_bytes_put_u32(b + 28, store_bytes_crc(b, 28));
    cistern_status status = base_pwrite_full(j->fd, b, sizeof b, HEADER + (uint64_t)RECORD * j->next, err);
    if (status == CISTERN_OK)
        j->next++;
    return status;
}

void store_journal_close(store_journal *j)
{
    if (j->fd >= 0)
        close(j->fd);
    j->fd = -1;
}

/* One record; false ends the journal. */
static bool read_record(const uint8_t *b, uint32_t number, uint64_t *first, uint64_t *length)
{
    if (store_bytes_u32(b + 28) != store_bytes_crc(b, 28) || store_bytes_u32(b + 4) != number)
        return false;
    *first = store_bytes_u64(b + 8);
    *length = store_bytes_u64(b + 16);
    uint64_t end;
    return base_add_u64(*first, *length, &end) && end <= (uint64_t)INT64_MAX;
}

static cistern_status apply_record(store_journal_found *found, char kind, uint64_t first, uint64_t length,
                                   bool same_boot, cistern_error *err)
{
    switch (kind) {
    case 'w':
        return same_boot ? store_ranges_add(&found->certain, first, first + length, err) : CISTERN_OK;
    case 's':
        return store_ranges_add(&found->certain, first, first + length, err);
    case 'c':
        found->complete_size = length;
        return store_ranges_add(&found->certain, 0, length, err);
    case 'e':
        found->ended = true;
        return CISTERN_OK;
    default: /* of a later version: it says nothing to us */
        return CISTERN_OK;
    }
}

static cistern_status read_records(const base_buf *text, bool same_boot, store_journal_found *found,
                                   cistern_error *err)
{
    cistern_status status = CISTERN_OK;
    size_t records = (text->len - HEADER) / RECORD;
    for (size_t i = 0; i < records && status == CISTERN_OK; i++) {
        const uint8_t *b = (const uint8_t *)text->data + HEADER + i * RECORD;
        uint64_t first, length;
        if (!read_record(b, (uint32_t)i, &first, &length))
            break;
        status = apply_record(found, (char)b[0], first, length, same_boot, err);
    }
    store_ranges_merge(&found->certain);
    return status;
}

cistern_status store_journal_read(const store *s, const base_digest *key, uint64_t number,
                                  store_journal_found *out, cistern_error *err)
{
    char path[STORE_NAME_MAX];
    base_buf text;
    base_process self;
    store_journal_found found = {.complete_size = STORE_SIZE_UNKNOWN};
    store_claim_path(key, number, "journal", path);
    base_buf_init(&text, JOURNAL_MAX);
    cistern_status status = base_read_beneath(s->root, path, &text, err);
    if (status == CISTERN_OK && (text.len < HEADER || !decode_head((const uint8_t *)text.data, &found.head)))
        status = base_fail(err, CISTERN_NOT_FOUND, "'%s' is not a journal", path);
    if (status == CISTERN_OK) {
        base_process_self(&self);
        bool same_boot =
            s->local_disk && self.boot_id[0] != '\0' && strcmp(self.boot_id, found.head.owner.boot_id) == 0;
        status = read_records(&text, same_boot, &found, err);
    }
    base_buf_clear(&text);
    if (status != CISTERN_OK) {
        store_journal_found_clear(&found);
        return status == CISTERN_DAMAGED ? base_fail(err, CISTERN_NOT_FOUND, "'%s' is not a journal", path)
                                         : status;
    }
    *out = found;
    return CISTERN_OK;
}

void store_journal_found_clear(store_journal_found *found)
{
    store_ranges_clear(&found->certain);
}
