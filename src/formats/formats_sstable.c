/* Tables of sorted keys.
 *
 *   block … block | metaindex block | index block | footer (48 bytes)
 *   block:  entries, u32 restarts[n], u32 n; behind it 1 byte compression, 4 bytes masked CRC-32C of all that
 *   entry:  varint shared, varint new, varint length; new bytes of the key, the value
 *   footer: varints offset, size of the metaindex block and of the index block; zeros; u64 magic
 *
 * Invariants
 *  1. Every block's checksum is tested before its first entry is read.
 *  2. Blocks follow each other without overlap, and keys rise strictly, over all blocks: no byte is read twice, however
 *     the index is made.
 *  3. Only the key is copied; it has at most FORMATS_KEY_MAX bytes.
 *  4. A block that is packed is unpacked into memory of its own, one (and the index) at a time, at most
 *     FORMATS_BLOCK_MAX bytes; messages then count bytes of it.
 * It does not: seek (restarts are only counted).
 * Source: leveldb/doc/table_format.md; tensorflow/core/lib/io/format.h.
 */
#include "priv/formats_sstable.h"

#include <string.h>
#include "base_mem.h"
#include "formats_limits.h"
#include "priv/formats_snappy.h"

#define FOOTER_BYTES  48u
#define TRAILER_BYTES 5u
#define MAGIC         "\x57\xfb\x80\x8b\x24\x75\x47\xdb"
#define MAGIC_BYTES   8u
#define SNAPPY        1           /* kind of compression */
#define MASK_DELTA    0xa282ead8u /* added to a rotated CRC, so that a CRC of CRCs is none */

#define FAIL(err, at, ...) base_fail_at(err, CISTERN_UNREADABLE, at, __VA_ARGS__)

typedef struct window {
    const uint8_t *bytes;
    uint64_t pos, end;
} window;

typedef struct handle {
    uint64_t offset, size;
} handle;

typedef struct table {
    const formats_file *file;
    formats_sstable_fn fn;
    void *user;
    uint64_t blocks_end; /* of the data block before */
    char key[FORMATS_KEY_MAX];
    size_t key_len;
    bool has_key;
    cistern_error *err;
} table;

static bool take_varint(window *w, uint64_t *out)
{
    uint64_t value = 0;

    for (unsigned shift = 0; shift < 64 && w->pos < w->end; shift += 7) {
        uint8_t byte = w->bytes[w->pos++];
        value |= (uint64_t)(byte & 0x7f) << shift;
        if (byte < 0x80) {
            *out = value;
            return true;
        }
    }
    return false;
}

static bool take_handle(window *w, handle *out)
{
    return take_varint(w, &out->offset) && take_varint(w, &out->size);
}

static uint32_t le32(const uint8_t *p)
{
    return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

/* ---- blocks ---- */

/* Memory for what a packed block says it has; *out NULL: none is needed. */
static cistern_status unpack(const table *t, handle h, uint8_t **out, uint64_t *out_size)
{
    const uint8_t *block = t->file->data + h.offset;
    uint64_t size;
    cistern_status st;

    if (!formats_snappy_size(block, (size_t)h.size, &size) || size > FORMATS_BLOCK_MAX)
        return FAIL(t->err, h.offset, "a packed block that does not say its length, or more than %u bytes",
                    FORMATS_BLOCK_MAX);
    if ((st = base_calloc(1, size ? (size_t)size : 1, out, t->err)))
        return st;
    *out_size = size;
    if (formats_snappy_unpack(block, (size_t)h.size, *out, (size_t)size))
        return CISTERN_OK;
    free(*out);
    *out = NULL;
    return FAIL(t->err, h.offset, "a block packed by snappy does not unpack to the %llu bytes that it says",
                (unsigned long long)size);
}

/* Entries end where the restarts begin. */
static cistern_status find_entries(const table *t, const uint8_t *bytes, handle h, window *out)
{
    uint64_t restarts = h.size >= 4 ? le32(bytes + h.offset + h.size - 4) : UINT32_MAX;

    if (h.size < 4 || restarts > (h.size - 4) / 4)
        return FAIL(t->err, h.offset, "a block of %llu bytes with %llu restarts", (unsigned long long)h.size,
                    (unsigned long long)restarts);
    *out = (window){bytes, h.offset, h.offset + h.size - 4 - 4 * restarts};
    return CISTERN_OK;
}

/* The entries of a block. @param owned  to be freed when they were read; NULL: they lie in the file. */
static cistern_status open_block(const table *t, handle h, uint64_t at, window *out, uint8_t **owned)
{
    const formats_file *file = t->file;
    uint64_t room = file->size - FOOTER_BYTES, end;

    if (!base_add_u64(h.offset, h.size, &end) || !base_add_u64(end, TRAILER_BYTES, &end) || end > room)
        return FAIL(t->err, at, "a block at byte %llu of %llu bytes, but the blocks end at byte %llu",
                    (unsigned long long)h.offset, (unsigned long long)h.size, (unsigned long long)room);
    if (h.size > FORMATS_BLOCK_MAX)
        return FAIL(t->err, at, "a block of %llu bytes, at most %u allowed", (unsigned long long)h.size,
                    FORMATS_BLOCK_MAX);
    const uint8_t *block = file->data + h.offset, *trailer = block + h.size;
    if (trailer[0] != 0 && trailer[0] != SNAPPY)
        return FAIL(t->err, h.offset + h.size,
                    "a compressed block (kind %d), which this version does not read", trailer[0]);
    uint32_t crc = formats_crc32c(block, (size_t)h.size + 1);
    if (le32(trailer + 1) != (crc >> 15 | crc << 17) + MASK_DELTA)
        return FAIL(t->err, h.offset, "the checksum of a block of %llu bytes is wrong: the file is damaged",
                    (unsigned long long)h.size);
    *owned = NULL;
    if (trailer[0] != SNAPPY)
        return find_entries(t, file->data, h, out);
    handle unpacked = {0, 0};
    cistern_status st = unpack(t, h, owned, &unpacked.size);
    if (!st && (st = find_entries(t, *owned, unpacked, out))) {
        free(*owned);
        *owned = NULL;
    }
    return st;
}

/* The next entry: its key into t->key, its value's place to *value. The first of a block shares nothing with the last of
 * the one before, but is greater all the same. */
static cistern_status take_entry(table *t, window *w, bool first, window *value)
{
    uint64_t at = w->pos, shared, fresh, length;

    if (!take_varint(w, &shared) || !take_varint(w, &fresh) || !take_varint(w, &length) ||
        fresh > w->end - w->pos || length > w->end - w->pos - fresh)
        return FAIL(t->err, at, "an entry that does not end inside its block");
    if (shared > (first ? 0 : t->key_len) || fresh > FORMATS_KEY_MAX - shared)
        return FAIL(t->err, at, "a key that shares %llu bytes with one of %zu and has %llu more; %u allowed",
                    (unsigned long long)shared, t->key_len, (unsigned long long)fresh, FORMATS_KEY_MAX);
    formats_text rest = {(const char *)w->bytes + w->pos, (size_t)fresh},
                 old = {t->key + shared, t->key_len - (size_t)shared};
    if (t->has_key && formats_text_compare(old, rest) >= 0)
        return FAIL(t->err, at, "keys that do not rise");
    if (fresh)
        memcpy(t->key + shared, w->bytes + w->pos, (size_t)fresh);
    t->key_len = (size_t)(shared + fresh);
    t->has_key = true;
    w->pos += fresh;
    *value = (window){w->bytes, w->pos, w->pos + length};
    w->pos += length;
    return CISTERN_OK;
}

/* One data block's rows. */
static cistern_status read_block(table *t, handle h, uint64_t at)
{
    window w, value;
    uint8_t *owned = NULL;
    cistern_status st;
    bool first = true;

    if (h.offset < t->blocks_end)
        return FAIL(t->err, at, "a block at byte %llu, inside the one before", (unsigned long long)h.offset);
    if ((st = open_block(t, h, at, &w, &owned)))
        return st;
    t->blocks_end = h.offset + h.size + TRAILER_BYTES;
    for (; !st && w.pos < w.end; first = false) {
        st = take_entry(t, &w, first, &value);
        if (!st)
            st =
                t->fn(t->user, (formats_text){t->key, t->key_len}, value.bytes, value.pos, value.end, t->err);
    }
    free(owned);
    return st;
}

/* ---- the whole ---- */

bool formats_sstable_is(const formats_file *file)
{
    return file->size >= FOOTER_BYTES &&
           memcmp(file->data + file->size - MAGIC_BYTES, MAGIC, MAGIC_BYTES) == 0;
}

static cistern_status read_index(table *t, table *index, window *w)
{
    cistern_status st = CISTERN_OK;
    window value;
    handle h;

    for (bool first = true; !st && w->pos < w->end; first = false) {
        if ((st = take_entry(index, w, first, &value)))
            return st;
        uint64_t at = value.pos;
        if (!take_handle(&value, &h))
            return FAIL(t->err, at, "the index names no block");
        st = read_block(t, h, at);
    }
    return st;
}

static cistern_status read_table(table *t, table *index)
{
    uint64_t at = t->file->size - FOOTER_BYTES;
    window w = {t->file->data, at, t->file->size - MAGIC_BYTES};
    uint8_t *owned = NULL;
    handle meta, h;
    cistern_status st;

    if (!take_handle(&w, &meta) || !take_handle(&w, &h))
        return FAIL(t->err, at, "a footer without the places of its index");
    if ((st = open_block(t, h, at, &w, &owned)))
        return st;
    st = read_index(t, index, &w);
    free(owned);
    return st;
}

cistern_status formats_sstable_each(const formats_file *file, formats_sstable_fn fn, void *user,
                                    cistern_error *err)
{
    table *t = NULL;
    cistern_status st;

    if (!formats_sstable_is(file))
        return base_fail(err, CISTERN_UNREADABLE, "not a table: it does not end in a table's footer");
    if ((st = base_calloc(2, sizeof *t, &t, err))) /* rows, and the index, whose keys are others */
        return st;
    t[0] = (table){.file = file, .fn = fn, .user = user, .err = err};
    t[1] = t[0];
    st = read_table(&t[0], &t[1]);
    free(t);
    return st;
}
