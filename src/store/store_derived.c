/* Derived files; see store_derived.h.
 *
 *   bytes 0..7     "cstderv1"
 *         8..15    length of the payload (u64), 16..19 version of the kind (u32), 20..23 zeros
 *         24..55   SHA-256 of the source, 56..87 SHA-256 of the payload
 *         88..135  kind, 136..183 layout: text, zeros after it
 *         184..187 CRC-32 of the bytes before (u32); zeros up to 4096; then the payload, and nothing after
 */
#include "store_derived.h"
#include "priv/store_bytes.h"
#include "priv/store_entry.h"
#include "priv/store_hash.h"
#include "priv/store_object.h"
#include "base_disk.h"
#include "base_flush.h"
#include "base_mem.h"
#include <errno.h>
#include <fcntl.h>

#define MAGIC    "cstderv1"
#define TEXT_MAX STORE_DERIVED_TEXT_MAX

enum {
    AT_LENGTH = 8,
    AT_VERSION = 16,
    AT_SOURCE = 24,
    AT_PAYLOAD = 56,
    AT_KIND = 88,
    AT_LAYOUT = 136,
    AT_CRC = 184
};

struct store_derived {
    store *s;
    store_derived_key key; /* texts point into kind and layout */
    char kind[TEXT_MAX + 1], layout[TEXT_MAX + 1];
    char temporary[STORE_NAME_MAX];
    int fd;
    size_t size; /* of the payload */
};

static bool is_word(const char *text)
{
    size_t n = strlen(text);
    return n > 0 && n <= TEXT_MAX && text[0] != '.' &&
           strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789_.") == n;
}

static cistern_status check_key(const store_derived_key *key, cistern_error *err)
{
    if (is_word(key->kind) && is_word(key->layout))
        return CISTERN_OK;
    return base_fail(err, CISTERN_USAGE, "a derived file cannot be called '%s-%u-%s'", key->kind,
                     key->version, key->layout);
}

static void path_of(const store_derived_key *key, char out[STORE_NAME_MAX])
{
    char hex[BASE_SHA256_HEX];
    base_digest_hex(&key->source, hex);
    snprintf(out, STORE_NAME_MAX, "derived/%s/%s-%u-%s", hex, key->kind, key->version, key->layout);
}

static void encode_header(const store_derived_key *key, size_t size, const base_digest *payload, uint8_t *out)
{
    memset(out, 0, STORE_DERIVED_HEADER);
    memcpy(out, MAGIC, 8);
    store_bytes_put_u64(out + AT_LENGTH, size);
    store_bytes_put_u32(out + AT_VERSION, key->version);
    memcpy(out + AT_SOURCE, key->source.bytes, BASE_SHA256_BYTES);
    memcpy(out + AT_PAYLOAD, payload->bytes, BASE_SHA256_BYTES);
    memcpy(out + AT_KIND, key->kind, strlen(key->kind));
    memcpy(out + AT_LAYOUT, key->layout, strlen(key->layout));
    store_bytes_put_u32(out + AT_CRC, store_bytes_crc(out, AT_CRC));
}

/* Whether the header is exactly the one that this key and length have; the payload's digest is its own. */
static bool header_fits(const store_derived_key *key, const uint8_t *header, uint64_t file_size,
                        base_digest *payload)
{
    uint8_t want[STORE_DERIVED_HEADER];
    if (file_size < STORE_DERIVED_HEADER)
        return false;
    memcpy(payload->bytes, header + AT_PAYLOAD, BASE_SHA256_BYTES);
    encode_header(key, (size_t)(file_size - STORE_DERIVED_HEADER), payload, want);
    return memcmp(want, header, STORE_DERIVED_HEADER) == 0;
}

static bool owner_fits(const store *s, const base_identity *id)
{
    bool owned = id->uid == geteuid() || id->uid == 0 || id->uid == s->owner;
    return owned && (id->mode & 022) == 0;
}

static cistern_status unusable(const char *path, const char *why, cistern_error *err)
{
    return base_fail(err, CISTERN_NOT_FOUND, "'%s' is not usable: %s", path, why);
}

/* Open and check everything but the payload. */
static cistern_status open_checked(const store *s, const store_derived_key *key, int *out_fd,
                                   size_t *out_size, base_digest *out_payload, cistern_error *err)
{
    char path[STORE_NAME_MAX];
    uint8_t header[STORE_DERIVED_HEADER];
    base_identity id;
    int fd;
    cistern_status status = check_key(key, err);
    if (status != CISTERN_OK)
        return status;
    path_of(key, path);
    status = base_open_beneath(s->root, path, O_RDONLY, &fd, err);
    if (status == CISTERN_DAMAGED || status == CISTERN_DENIED)
        return unusable(path, status == CISTERN_DENIED ? "it cannot be read" : "it is no regular file", err);
    if (status != CISTERN_OK)
        return status;
    status = base_identity_of(fd, &id, err);
    if (status == CISTERN_OK && !owner_fits(s, &id))
        status = unusable(path, "another user's, or others may write it", err);
    if (status == CISTERN_OK && id.size < sizeof header)
        status = unusable(path, "it is cut", err);
    if (status == CISTERN_OK)
        status = base_pread_full(fd, header, sizeof header, 0, err);
    if (status == CISTERN_DAMAGED ||
        (status == CISTERN_OK && !header_fits(key, header, id.size, out_payload)))
        status = unusable(path, "its header does not fit its name and length", err);
    if (status != CISTERN_OK) {
        close(fd);
        return status;
    }
    *out_fd = fd;
    *out_size = (size_t)id.size - STORE_DERIVED_HEADER;
    return CISTERN_OK;
}

static bool payload_fits(int fd, size_t size, const base_cancel *cancel, const base_digest *payload)
{
    base_run run = {.cancel = cancel};
    base_digest found;
    return store_hash_range(fd, STORE_DERIVED_HEADER, size, &run, NULL, &found, NULL) == CISTERN_OK &&
           base_digest_equal(&found, payload);
}

cistern_status store_derived_get(const store *s, const store_derived_key *key, base_buf *buf,
                                 cistern_error *err)
{
    base_digest payload, found;
    size_t size;
    char *bytes = NULL;
    int fd;
    cistern_status status = open_checked(s, key, &fd, &size, &payload, err);
    if (status != CISTERN_OK)
        return status;
    if (size > buf->max - buf->len)
        status = base_fail(err, CISTERN_NOT_FOUND, "a derived file of %zu bytes, at most %zu allowed", size,
                           buf->max);
    if (status == CISTERN_OK)
        status = base_calloc(1, size + 1, &bytes, err);
    if (status == CISTERN_OK)
        status = base_pread_full(fd, bytes, size, STORE_DERIVED_HEADER, err);
    if (status == CISTERN_OK)
        status = base_sha256_of(bytes, size, &found, err);
    if (status == CISTERN_DAMAGED || (status == CISTERN_OK && !base_digest_equal(&found, &payload)))
        status = unusable(key->kind, "its bytes are not those that were written", err);
    if (status == CISTERN_OK)
        status = base_buf_put(buf, bytes, size, err);
    free(bytes);
    close(fd);
    return status;
}

cistern_status store_derived_open(const store *s, const store_derived_key *key, bool check,
                                  store_derived_map *out, cistern_error *err)
{
    base_digest payload;
    size_t size;
    int fd;
    cistern_status status = open_checked(s, key, &fd, &size, &payload, err);
    if (status != CISTERN_OK)
        return status;
    if (check && !payload_fits(fd, size, NULL, &payload)) {
        close(fd);
        return unusable(key->kind, "its bytes are not those that were written", err);
    }
    base_map whole;
    status = base_map_fd(fd, &whole, err);
    close(fd);
    if (status != CISTERN_OK)
        return status;
    if (whole.size != size + STORE_DERIVED_HEADER) {
        base_map_clear(&whole);
        return unusable(key->kind, "its length is not the one that its header has", err);
    }
    *out = (store_derived_map){
        .data = size ? whole.data + STORE_DERIVED_HEADER : NULL, .size = size, .whole = whole};
    return CISTERN_OK;
}

void store_derived_unmap(store_derived_map *map)
{
    base_map_clear(&map->whole);
    *map = (store_derived_map){0};
}

/* @param dir  NULL: `derived` itself, for a file whose source is not known yet. */
static cistern_status create_temporary(store_derived *d, const char *dir, cistern_error *err)
{
    char random[33];
    cistern_status status = store_entry_cache_dir(d->s, "derived", err);
    if (status == CISTERN_OK && dir)
        status = base_mkdirs(d->s->root, dir, &d->s->modes, err);
    if (status == CISTERN_OK)
        status = base_random_hex(16, random, err);
    if (status != CISTERN_OK)
        return status;
    snprintf(d->temporary, sizeof d->temporary, "%.100s/.tmp-%s", dir ? dir : "derived", random);
    return base_create_beneath(d->s->root, d->temporary, d->s->modes.work, &d->fd, err);
}

static void keep_key(store_derived *d, const store_derived_key *key)
{
    d->key = *key;
    snprintf(d->kind, sizeof d->kind, "%s", key->kind);
    snprintf(d->layout, sizeof d->layout, "%s", key->layout);
    d->key.kind = d->kind;
    d->key.layout = d->layout;
}

/* Link the temporary; an unusable file in its way is removed first. */
static cistern_status link_derived(store_derived *d, const base_cancel *cancel, cistern_error *err)
{
    char path[STORE_NAME_MAX];
    bool created = false;
    path_of(&d->key, path);
    for (int tries = 0; tries < 3; tries++) {
        base_digest payload;
        size_t size;
        int fd;
        cistern_status status =
            base_publish_link(d->s->root, d->temporary, path, &d->s->modes, &created, err);
        if (status != CISTERN_OK || created)
            return status;
        if (open_checked(d->s, &d->key, &fd, &size, &payload, NULL) == CISTERN_OK) {
            bool usable = payload_fits(fd, size, cancel, &payload);
            close(fd);
            if (usable)
                return CISTERN_OK;
        }
        status = base_check_cancel(cancel, err); /* then nobody knows whether it was usable */
        if (status == CISTERN_OK)
            status = base_unlink_beneath(d->s->root, path, err);
        if (status != CISTERN_OK)
            return status;
    }
    return base_fail(err, CISTERN_UNEXPECTED, "'%s' is unusable and comes back; remove it", path);
}

/* Read-only, on disk, under its name. */
static cistern_status publish(store_derived *d, const base_cancel *cancel, cistern_error *err)
{
    cistern_status status = base_flush(d->fd, 0, STORE_DERIVED_HEADER + (uint64_t)d->size, cancel, err);
    if (status != CISTERN_OK)
        return status;
    if (fchmod(d->fd, d->s->modes.file) != 0 || fsync(d->fd) != 0)
        return base_fail_errno(err, errno, "cannot sync a derived file");
    store_object_fault(d->s, "derived_written");
    status = base_check_cancel(cancel, err);
    return status == CISTERN_OK ? link_derived(d, cancel, err) : status;
}

cistern_status store_derived_begin_stream(store *s, store_derived **out, int *out_fd, cistern_error *err)
{
    static const uint8_t zeros[STORE_DERIVED_HEADER];
    store_derived *d = NULL;
    cistern_status status = store_check_write(s, err);
    if (status == CISTERN_OK)
        status = base_calloc(1, sizeof *d, &d, err);
    if (status != CISTERN_OK)
        return status;
    d->s = s;
    d->fd = -1;
    status = create_temporary(d, NULL, err);
    if (status == CISTERN_OK)
        status = base_pwrite_full(d->fd, zeros, sizeof zeros, 0, err);
    if (status == CISTERN_OK && lseek(d->fd, STORE_DERIVED_HEADER, SEEK_SET) < 0)
        status = base_fail_errno(err, errno, "cannot write a derived file");
    if (status != CISTERN_OK) {
        store_derived_abandon(d);
        return status;
    }
    *out = d;
    *out_fd = d->fd;
    return CISTERN_OK;
}

/* The header, now that everything in it is known. */
static cistern_status finish_stream(store_derived *d, cistern_error *err)
{
    uint8_t header[STORE_DERIVED_HEADER];
    base_digest payload;
    struct stat info;
    cistern_status status;
    if (fstat(d->fd, &info) != 0 || info.st_size < STORE_DERIVED_HEADER)
        return base_fail(err, CISTERN_UNEXPECTED, "a derived file lost its bytes while it was made");
    d->size = (size_t)info.st_size - STORE_DERIVED_HEADER;
    status = store_hash_range(d->fd, STORE_DERIVED_HEADER, d->size, NULL, NULL, &payload, err);
    if (status != CISTERN_OK)
        return status;
    encode_header(&d->key, d->size, &payload, header);
    return base_pwrite_full(d->fd, header, sizeof header, 0, err);
}

cistern_status store_derived_publish_stream(store_derived *d, const store_derived_key *key,
                                            cistern_error *err)
{
    char dir[STORE_NAME_MAX], hex[BASE_SHA256_HEX];
    cistern_status status = check_key(key, err);
    if (status == CISTERN_OK) {
        keep_key(d, key);
        status = finish_stream(d, err);
    }
    if (status == CISTERN_OK) {
        base_digest_hex(&key->source, hex);
        snprintf(dir, sizeof dir, "derived/%s", hex);
        status = base_mkdirs(d->s->root, dir, &d->s->modes, err);
    }
    if (status == CISTERN_OK)
        status = publish(d, NULL, err);
    store_derived_abandon(d);
    return status;
}

void store_derived_abandon(store_derived *d)
{
    if (!d)
        return;
    if (d->fd >= 0) {
        store_entry_unlink(d->s, d->temporary, d->fd);
        close(d->fd);
    }
    free(d);
}

/* What of the payload lies in the first block of the page cache (see base_disk.h), behind the header. */
#define FIRST_BYTES ((size_t)BASE_DISK_BLOCK - STORE_DERIVED_HEADER)
/* On its way to the disk at most: deleting a file waits for that. A multiple of a block. */
#define UNDER_WAY   ((size_t)8 << 20)

static cistern_status write_first_block(const store_derived *d, const void *bytes, size_t n,
                                        const base_digest *payload, cistern_error *err)
{
    size_t part = n < FIRST_BYTES ? n : FIRST_BYTES;
    uint8_t *block = NULL;
    cistern_status status = base_calloc(1, STORE_DERIVED_HEADER + part, &block, err);
    if (status != CISTERN_OK)
        return status;
    encode_header(&d->key, n, payload, block);
    if (part > 0)
        memcpy(block + STORE_DERIVED_HEADER, bytes, part);
    status = base_pwrite_full(d->fd, block, STORE_DERIVED_HEADER + part, 0, err);
    free(block);
    return status;
}

/* The disk works while the digest is computed. */
static cistern_status write_block(const store_derived *d, const uint8_t *bytes, size_t n, uint64_t to,
                                  const base_cancel *cancel, cistern_error *err)
{
    cistern_status status = base_check_cancel(cancel, err);
    if (status == CISTERN_OK)
        status = base_pwrite_full(d->fd, bytes, n, to, err);
    if (status != CISTERN_OK)
        return status;
    base_flush_begin(d->fd, to, n);
    store_object_fault(d->s, "derived_block");
    return to < BASE_DISK_BLOCK + UNDER_WAY ? CISTERN_OK
                                            : base_flush(d->fd, to - UNDER_WAY, BASE_DISK_BLOCK, cancel, err);
}

/* All but the first block, and the digest of all. */
static cistern_status write_other_blocks(const store_derived *d, const uint8_t *bytes, size_t n,
                                         const base_cancel *cancel, base_digest *payload, cistern_error *err)
{
    base_sha256 *hash = NULL;
    if (n <= FIRST_BYTES)
        return base_sha256_of(bytes, n, payload, err);
    cistern_status status = base_sha256_new(&hash, err);
    if (status != CISTERN_OK)
        return status;
    base_sha256_update(hash, bytes, FIRST_BYTES);
    for (size_t at = FIRST_BYTES; status == CISTERN_OK && at < n; at += (size_t)BASE_DISK_BLOCK) {
        size_t part = n - at < BASE_DISK_BLOCK ? n - at : (size_t)BASE_DISK_BLOCK;
        status = write_block(d, bytes + at, part, STORE_DERIVED_HEADER + (uint64_t)at, cancel, err);
        if (status == CISTERN_OK)
            base_sha256_update(hash, bytes + at, part);
    }
    if (status == CISTERN_OK)
        base_sha256_final(hash, payload);
    base_sha256_free(hash);
    return status;
}

/* The first block last: the digest goes into it. */
static cistern_status write_whole(store_derived *d, const void *bytes, size_t n, const base_cancel *cancel,
                                  cistern_error *err)
{
    base_digest payload;
    uint64_t whole;
    if (!base_add_u64(n, STORE_DERIVED_HEADER, &whole))
        return base_fail(err, CISTERN_NO_SPACE, "a derived file of %zu bytes", n);
    d->size = n;
    cistern_status status = base_disk_reserve(d->fd, whole, NULL, err);
    if (status == CISTERN_OK)
        status = write_other_blocks(d, bytes, n, cancel, &payload, err);
    return status == CISTERN_OK ? write_first_block(d, bytes, n, &payload, err) : status;
}

cistern_status store_derived_put(store *s, const store_derived_key *key, const void *bytes, size_t n,
                                 const base_cancel *cancel, cistern_error *err)
{
    store_derived *d = NULL;
    char dir[STORE_NAME_MAX], hex[BASE_SHA256_HEX];
    cistern_status status = check_key(key, err);
    if (status == CISTERN_OK)
        status = store_check_write(s, err);
    if (status == CISTERN_OK)
        status = base_calloc(1, sizeof *d, &d, err);
    if (status != CISTERN_OK)
        return status;
    d->s = s;
    d->fd = -1;
    keep_key(d, key);
    base_digest_hex(&key->source, hex);
    snprintf(dir, sizeof dir, "derived/%s", hex);
    status = create_temporary(d, dir, err);
    if (status == CISTERN_OK)
        status = write_whole(d, bytes, n, cancel, err);
    if (status == CISTERN_OK)
        status = publish(d, cancel, err);
    store_derived_abandon(d);
    return status;
}

struct removal {
    const store *s;
    const char *dir;
};

static cistern_status remove_entry(void *user, const char *name, cistern_error *err)
{
    const struct removal *r = user;
    char path[STORE_NAME_MAX];
    int n = snprintf(path, sizeof path, "%s/%s", r->dir, name);
    if (n < 0 || (size_t)n >= sizeof path)
        return CISTERN_OK; /* not one of ours */
    return base_unlink_beneath(r->s->root, path, err);
}

cistern_status store_derived_remove(store *s, const base_digest *source, cistern_error *err)
{
    char dir[STORE_NAME_MAX], hex[BASE_SHA256_HEX];
    struct removal r = {.s = s, .dir = dir};
    cistern_status status = store_check_write(s, err);
    if (status != CISTERN_OK)
        return status;
    base_digest_hex(source, hex);
    snprintf(dir, sizeof dir, "derived/%s", hex);
    status = base_dir_each(s->root, dir, remove_entry, &r, err);
    if (status == CISTERN_OK)
        unlinkat(s->root, dir, AT_REMOVEDIR); /* stays if somebody writes there again */
    return status;
}

/* -- looking after them ------------------------------------------------------------------------------------- */

/* "<kind>-<version>-<layout>" as path_of writes it; anything else is none of ours. */
static bool parse_name(const char *name, char kind[TEXT_MAX + 1], char layout[TEXT_MAX + 1],
                       unsigned *out_version)
{
    char again[STORE_NAME_MAX];
    size_t n = strcspn(name, "-");
    const char *at = name + n;
    uint64_t version = 0;
    if (n > TEXT_MAX || *at != '-')
        return false;
    snprintf(kind, TEXT_MAX + 1, "%.*s", (int)n, name);
    for (at++; *at >= '0' && *at <= '9' && version <= UINT32_MAX; at++)
        version = version * 10 + (unsigned)(*at - '0');
    if (*at != '-' || version > UINT32_MAX || strlen(at + 1) > TEXT_MAX)
        return false;
    snprintf(layout, TEXT_MAX + 1, "%s", at + 1);
    *out_version = (unsigned)version;
    snprintf(again, sizeof again, "%s-%u-%s", kind, *out_version, layout);
    return is_word(kind) && is_word(layout) && strcmp(again, name) == 0;
}

struct listing {
    const base_digest *source;
    store_derived_fn fn;
    void *user;
};

static cistern_status list_entry(void *user, const char *name, cistern_error *err)
{
    const struct listing *l = user;
    char kind[TEXT_MAX + 1], layout[TEXT_MAX + 1];
    store_derived_key key = {.source = *l->source, .kind = kind, .layout = layout};
    return parse_name(name, kind, layout, &key.version) ? l->fn(l->user, &key, err) : CISTERN_OK;
}

cistern_status store_derived_each(const store *s, const base_digest *source, store_derived_fn fn, void *user,
                                  cistern_error *err)
{
    char dir[STORE_NAME_MAX], hex[BASE_SHA256_HEX];
    struct listing l = {source, fn, user};
    base_digest_hex(source, hex);
    snprintf(dir, sizeof dir, "derived/%s", hex);
    return base_dir_each(s->root, dir, list_entry, &l, err);
}

void store_derived_path(const store_derived_key *key, char out[STORE_DERIVED_PATH_MAX])
{
    char path[STORE_NAME_MAX];
    path_of(key, path);
    snprintf(out, STORE_DERIVED_PATH_MAX, "%s", path);
}

cistern_status store_derived_verify(const store *s, const store_derived_key *key, const base_run *run,
                                    store_derived_report *out, cistern_error *err)
{
    char path[STORE_NAME_MAX], wanted[BASE_SHA256_HEX], hex[BASE_SHA256_HEX];
    store_derived_report report = {0};
    store_ticker ticker;
    base_digest found;
    struct stat there;
    size_t size = 0;
    int fd;
    cistern_status status = open_checked(s, key, &fd, &size, &report.sha256, err);
    *out = (store_derived_report){0};
    path_of(key, path);
    if (status == CISTERN_NOT_FOUND && fstatat(s->root, path, &there, AT_SYMLINK_NOFOLLOW) == 0) {
        if (err)
            err->status = CISTERN_DAMAGED; /* there, and not usable: the text says why */
        return CISTERN_DAMAGED;
    }
    if (status != CISTERN_OK)
        return status;
    report.size = size;
    store_ticker_init(&ticker, run, "hash", size);
    status = store_hash_range(fd, STORE_DERIVED_HEADER, size, run, &ticker, &found, err);
    close(fd);
    *out = report;
    if (status != CISTERN_OK)
        return status;
    store_ticker_end(&ticker, size);
    if (base_digest_equal(&found, &report.sha256))
        return CISTERN_OK;
    base_digest_hex(&found, hex);
    base_digest_hex(&report.sha256, wanted);
    return base_fail(err, CISTERN_DAMAGED, "'%s' has SHA-256 %s, and %s when it was made", path, hex, wanted);
}

cistern_status store_derived_drop(store *s, const store_derived_key *key, cistern_error *err)
{
    char path[STORE_NAME_MAX];
    cistern_status status = check_key(key, err);
    if (status == CISTERN_OK)
        status = store_check_write(s, err);
    if (status != CISTERN_OK)
        return status;
    path_of(key, path);
    return base_unlink_beneath(s->root, path, err);
}
