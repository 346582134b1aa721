/* Chunk lists; see store_chunks.h.
 *
 *   bytes 0..7    "cstchnk1"
 *         8..15   chunk size in bytes (4194304), 16..23 blob size in bytes, both little endian
 *         24..    32 bytes of SHA-256 for each chunk, in order; nothing after
 */
#include "store_chunks.h"
#include "priv/store_bytes.h"
#include "priv/store_entry.h"
#include "priv/store_object.h"
#include "base_cursor.h"
#include "base_mem.h"

#define MAGIC         "cstchnk1"
#define HEADER        24u
#define BLOB_SIZE_MAX ((uint64_t)1 << 40)                                             /* bytes: 1 TiB */
#define LIST_MAX      (HEADER + BLOB_SIZE_MAX / STORE_CHUNK_SIZE * BASE_SHA256_BYTES) /* bytes */

static uint64_t count_of(uint64_t blob_size)
{
    return blob_size / STORE_CHUNK_SIZE + (blob_size % STORE_CHUNK_SIZE != 0);
}

cistern_status store_chunks_init(store_chunks *list, uint64_t blob_size, cistern_error *err)
{
    *list = (store_chunks){.blob_size = blob_size};
    if (blob_size > BLOB_SIZE_MAX)
        return base_fail(err, CISTERN_DAMAGED, "a file of %llu bytes, at most %llu allowed",
                         (unsigned long long)blob_size, (unsigned long long)BLOB_SIZE_MAX);
    if (blob_size == 0)
        return CISTERN_OK;
    size_t count = (size_t)count_of(blob_size);
    cistern_status status = base_calloc(count, sizeof *list->digest, &list->digest, err);
    if (status == CISTERN_OK)
        list->count = count;
    return status;
}

void store_chunks_clear(store_chunks *list)
{
    free(list->digest);
    *list = (store_chunks){0};
}

cistern_status store_chunks_encode(const store_chunks *list, base_buf *out, base_digest *out_digest,
                                   cistern_error *err)
{
    uint8_t header[HEADER];
    size_t start = out->len;
    memcpy(header, MAGIC, 8);
    store_bytes_put_u64(header + 8, STORE_CHUNK_SIZE);
    store_bytes_put_u64(header + 16, list->blob_size);
    cistern_status status = base_buf_put(out, header, sizeof header, err);
    for (size_t i = 0; i < list->count && status == CISTERN_OK; i++)
        status = base_buf_put(out, list->digest[i].bytes, BASE_SHA256_BYTES, err);
    if (status == CISTERN_OK)
        status = base_sha256_of(out->data + start, out->len - start, out_digest, err);
    return status;
}

cistern_status store_chunks_decode(const void *bytes, size_t n, uint64_t blob_size, store_chunks *out,
                                   cistern_error *err)
{
    base_cursor c;
    const uint8_t *part;
    uint64_t chunk_size, size;
    store_chunks list;
    base_cursor_init(&c, bytes, n);
    if (!base_cursor_take(&c, 8, &part) || memcmp(part, MAGIC, 8) != 0)
        return base_fail(err, CISTERN_DAMAGED, "not a chunk list");
    if (!base_cursor_u64(&c, &chunk_size) || !base_cursor_u64(&c, &size))
        return base_fail(err, CISTERN_DAMAGED, "a chunk list of %zu bytes", n);
    if (chunk_size != STORE_CHUNK_SIZE || size != blob_size)
        return base_fail(err, CISTERN_DAMAGED,
                         "a chunk list for %llu bytes in chunks of %llu, %llu in %llu expected",
                         (unsigned long long)size, (unsigned long long)chunk_size,
                         (unsigned long long)blob_size, (unsigned long long)STORE_CHUNK_SIZE);
    if (base_cursor_left(&c) != count_of(blob_size) * BASE_SHA256_BYTES)
        return base_fail(err, CISTERN_DAMAGED, "a chunk list of %zu bytes, %llu expected", n,
                         (unsigned long long)(HEADER + count_of(blob_size) * BASE_SHA256_BYTES));
    cistern_status status = store_chunks_init(&list, blob_size, err);
    if (status != CISTERN_OK)
        return status;
    for (size_t i = 0; i < list.count && base_cursor_take(&c, BASE_SHA256_BYTES, &part); i++)
        memcpy(list.digest[i].bytes, part, BASE_SHA256_BYTES);
    *out = list;
    return CISTERN_OK;
}

/* Whether the bytes under `path` are these; if not, they are wrong, for these are made from verified bytes. */
static cistern_status is_right(const store *s, const char *path, const base_buf *want, bool *out,
                               cistern_error *err)
{
    base_buf found;
    base_buf_init(&found, want->len);
    cistern_status status = base_read_beneath(s->root, path, &found, err);
    if (status == CISTERN_OK || status == CISTERN_DAMAGED || status == CISTERN_NOT_FOUND) {
        *out =
            status == CISTERN_OK && found.len == want->len && memcmp(found.data, want->data, want->len) == 0;
        base_error_clear(err);
        status = CISTERN_OK;
    }
    base_buf_clear(&found);
    return status;
}

cistern_status store_chunks_publish(store *s, const base_digest *blob, const store_chunks *list,
                                    cistern_error *err)
{
    char path[STORE_NAME_MAX];
    base_buf bytes;
    base_digest digest;
    bool created = false, right = false;
    store_entry_path("chunks", blob, path);
    base_buf_init(&bytes, LIST_MAX);
    cistern_status status = store_chunks_encode(list, &bytes, &digest, err);
    for (int tries = 0; tries < 3 && status == CISTERN_OK && !created && !right; tries++) {
        status = base_publish_bytes(s->root, path, bytes.data, bytes.len, &s->modes, &created, err);
        if (status != CISTERN_OK || created)
            break;
        status = is_right(s, path, &bytes, &right, err);
        if (status == CISTERN_OK)
            status = right ? store_entry_sync(s, path, err) : base_unlink_beneath(s->root, path, err);
    }
    if (status == CISTERN_OK && !created && !right)
        status = base_fail(err, CISTERN_DAMAGED, "'%s' is wrong and comes back; remove it", path);
    base_buf_clear(&bytes);
    return status;
}

cistern_status store_chunks_read(const store *s, const store_file *file, store_chunks *out,
                                 cistern_error *err)
{
    char path[STORE_NAME_MAX];
    base_buf bytes;
    base_digest digest;
    store_entry_path("chunks", &file->sha256, path);
    base_buf_init(&bytes, LIST_MAX);
    cistern_status status = base_read_beneath(s->root, path, &bytes, err);
    if (status == CISTERN_OK)
        status = base_sha256_of(bytes.data, bytes.len, &digest, err);
    if (status == CISTERN_OK && !base_digest_equal(&digest, &file->chunks))
        status =
            base_fail(err, CISTERN_NOT_FOUND, "'%s' is not the chunk list that the manifest names", path);
    if (status == CISTERN_OK)
        status = store_chunks_decode(bytes.data, bytes.len, file->size, out, err);
    base_buf_clear(&bytes);
    if (status == CISTERN_DAMAGED)
        status = base_fail(err, CISTERN_NOT_FOUND, "'%s' is not a usable chunk list", path);
    return status;
}
