/* Claims and what lies beside them; see priv/store_claim.h. */
#include "priv/store_bytes.h"
#include "priv/store_claim.h"
#include "priv/store_owner.h"
#include "base_mem.h"
#include <fcntl.h>

#define CLAIM_SIZE   2048u
#define OWNER_MAX    1024u
#define BEAT_AT      1024u
#define BEAT_SIZE    32u
#define OUTCOME_AT   1056u
#define OUTCOME_HEAD 16u
#define OUTCOME_SIZE (CLAIM_SIZE - OUTCOME_AT)
#define NUMBER_MAX   99999999u /* of claims of one key */

void store_claim_dir(const base_digest *key, char out[STORE_NAME_MAX])
{
    char hex[BASE_SHA256_HEX];
    base_digest_hex(key, hex);
    snprintf(out, STORE_NAME_MAX, "partial/%s", hex);
}

void store_claim_path(const base_digest *key, uint64_t number, const char *suffix, char out[STORE_NAME_MAX])
{
    char hex[BASE_SHA256_HEX];
    base_digest_hex(key, hex);
    snprintf(out, STORE_NAME_MAX, "partial/%s/%llu.%s", hex, (unsigned long long)number, suffix);
}

static cistern_status encode_owner(uint8_t block[CLAIM_SIZE], cistern_error *err)
{
    base_buf text;
    base_buf_init(&text, STORE_OWNER_MAX);
    cistern_status status = store_owner_encode(&text, err);
    if (status == CISTERN_OK)
        memcpy(block, text.data, text.len);
    base_buf_clear(&text);
    return status;
}

static void read_owner(int fd, base_process *out)
{
    char text[OWNER_MAX + 1] = "";
    if (base_pread_full(fd, text, OWNER_MAX, 0, NULL) != CISTERN_OK)
        text[0] = '\0';
    text[OWNER_MAX] = '\0';
    store_owner_decode(text, out);
}

/* The complete claim under a name that nobody else knows. */
static cistern_status write_temporary(store *s, const base_digest *key, char path[STORE_NAME_MAX],
                                      int *out_fd, cistern_error *err)
{
    uint8_t block[CLAIM_SIZE] = {0};
    char random[33], dir[STORE_NAME_MAX];
    cistern_status status = encode_owner(block, err);
    if (status == CISTERN_OK)
        status = base_random_hex(16, random, err);
    if (status != CISTERN_OK)
        return status;
    store_claim_dir(key, dir);
    status = base_mkdirs(s->root, dir, &s->modes, err);
    if (status != CISTERN_OK)
        return status;
    snprintf(path, STORE_NAME_MAX, "%.100s/.tmp-%s", dir, random);
    status = base_create_beneath(s->root, path, s->modes.work, out_fd, err);
    if (status != CISTERN_OK)
        return status;
    status = base_pwrite_full(*out_fd, block, sizeof block, 0, err);
    if (status == CISTERN_OK)
        return status;
    cistern_status ignored = base_unlink_beneath(s->root, path, NULL);
    (void)ignored; /* the first failure is the one to tell */
    close(*out_fd);
    return status;
}

cistern_status store_claim_create(store *s, const base_digest *key, uint64_t number, store_claim *out,
                                  bool *out_created, cistern_error *err)
{
    char temporary[STORE_NAME_MAX], path[STORE_NAME_MAX];
    int fd;
    if (number > NUMBER_MAX)
        return base_fail(err, CISTERN_UNEXPECTED, "too many claims of one key; remove '%s/partial'", s->path);
    cistern_status status = write_temporary(s, key, temporary, &fd, err);
    if (status != CISTERN_OK)
        return status;
    store_claim_path(key, number, "claim", path);
    status = base_publish_link(s->root, temporary, path, &s->modes, out_created, err);
    cistern_status ignored = base_unlink_beneath(s->root, temporary, NULL);
    (void)ignored; /* a name that no reader looks at */
    if (status != CISTERN_OK || !*out_created) {
        close(fd);
        return status;
    }
    *out = (store_claim){.fd = fd, .number = number};
    base_process_self(&out->owner);
    store_object_fault(s, "claim_created");
    return CISTERN_OK;
}

cistern_status store_claim_open(const store *s, const base_digest *key, uint64_t number, store_claim *out,
                                cistern_error *err)
{
    char path[STORE_NAME_MAX];
    int fd;
    store_claim_path(key, number, "claim", path);
    cistern_status status = base_open_beneath(s->root, path, O_RDONLY, &fd, err);
    if (status != CISTERN_OK)
        return status;
    *out = (store_claim){.fd = fd, .number = number};
    read_owner(fd, &out->owner);
    return CISTERN_OK;
}

void store_claim_close(store_claim *claim)
{
    if (claim->fd >= 0)
        close(claim->fd);
    claim->fd = -1;
}

bool store_claim_read_beat(const store_claim *claim, store_claim_beat *out)
{
    uint8_t b[BEAT_SIZE];
    if (base_pread_full(claim->fd, b, sizeof b, BEAT_AT, NULL) != CISTERN_OK ||
        store_bytes_u32(b + 28) != store_bytes_crc(b, 28))
        return false;
    *out = (store_claim_beat){store_bytes_u64(b), store_bytes_u64(b + 8), store_bytes_u64(b + 16)};
    return true;
}

void store_claim_write_beat(const store_claim *claim, const store_claim_beat *beat)
{
    uint8_t b[BEAT_SIZE] = {0};
    store_bytes_put_u64(b, beat->counter);
    store_bytes_put_u64(b + 8, beat->done);
    store_bytes_put_u64(b + 16, beat->total);
    store_bytes_put_u32(b + 28, store_bytes_crc(b, 28));
    cistern_status ignored = base_pwrite_full(claim->fd, b, sizeof b, BEAT_AT, NULL);
    (void)ignored; /* then the counter stands still, and the claim may be taken over */
}

static uint32_t outcome_crc(const uint8_t *block, size_t length)
{
    return store_bytes_crc(block, 12) ^ store_bytes_crc(block + OUTCOME_HEAD, length);
}

void store_claim_read_outcome(const store_claim *claim, store_claim_outcome *out)
{
    uint8_t b[OUTCOME_SIZE];
    *out = (store_claim_outcome){.ended = false};
    if (base_pread_full(claim->fd, b, sizeof b, OUTCOME_AT, NULL) != CISTERN_OK || store_bytes_u32(b) != 1)
        return;
    size_t length = store_bytes_u32(b + 8);
    if (length > OUTCOME_SIZE - OUTCOME_HEAD || store_bytes_u32(b + 12) != outcome_crc(b, length))
        return;
    out->ended = true;
    out->status = (cistern_status)store_bytes_u32(b + 4);
    memcpy(out->text, b + OUTCOME_HEAD, length);
}

void store_claim_write_outcome(const store_claim *claim, cistern_status status, const char *text)
{
    uint8_t b[OUTCOME_SIZE] = {0};
    size_t length = strlen(text);
    if (length > OUTCOME_SIZE - OUTCOME_HEAD)
        length = OUTCOME_SIZE - OUTCOME_HEAD;
    store_bytes_put_u32(b, 1);
    store_bytes_put_u32(b + 4, (uint32_t)status);
    store_bytes_put_u32(b + 8, (uint32_t)length);
    memcpy(b + OUTCOME_HEAD, text, length);
    store_bytes_put_u32(b + 12, outcome_crc(b, length));
    cistern_status ignored = base_pwrite_full(claim->fd, b, sizeof b, OUTCOME_AT, NULL);
    (void)ignored; /* then those who wait try themselves */
}
