/* Chunk lists: bytes, refusals at the edge of readable memory, binding to the manifest. */
#include "store_case.h"
#include "store_chunks.h"

static void make_list(store_chunks *list, uint64_t size, base_buf *bytes, base_digest *digest)
{
    assert_ok(store_chunks_init(list, size, err));
    for (size_t i = 0; i < list->count; i++)
        memset(list->digest[i].bytes, (int)i + 1, BASE_SHA256_BYTES);
    base_buf_init(bytes, 10000);
    assert_ok(store_chunks_encode(list, bytes, digest, err));
}

static void round_trip_and_bytes(void **state)
{
    (void)state;
    static const uint64_t sizes[] = {0, 1, 4194304, 4194305, 13000000};
    for (size_t i = 0; i < 5; i++) {
        store_chunks list, back;
        base_buf bytes;
        base_digest digest;
        make_list(&list, sizes[i], &bytes, &digest);
        assert_int_equal(bytes.len, 24 + 32 * ((sizes[i] + 4194303) / 4194304));
        assert_memory_equal(bytes.data, "cstchnk1\0\0\x40\0\0\0\0\0", 16);
        assert_ok(store_chunks_decode(bytes.data, bytes.len, sizes[i], &back, err));
        assert_int_equal(back.count, list.count);
        if (list.count > 0)
            assert_memory_equal(back.digest, list.digest, list.count * sizeof *list.digest);
        store_chunks_clear(&list);
        store_chunks_clear(&back);
        base_buf_clear(&bytes);
    }
}

/* The bytes end where a page ends that may not be touched. */
static void every_cut_and_every_flip_is_refused(void **state)
{
    (void)state;
    store_chunks list, back;
    base_buf bytes;
    base_digest digest;
    long page = sysconf(_SC_PAGESIZE);
    make_list(&list, 3 * STORE_CHUNK_SIZE, &bytes, &digest);
    FILE *zeros = tmpfile();
    assert_int_equal(ftruncate(fileno(zeros), 2 * page), 0);
    uint8_t *map = mmap(NULL, (size_t)(2 * page), PROT_READ | PROT_WRITE, MAP_SHARED, fileno(zeros), 0);
    assert_true(map != MAP_FAILED);
    assert_int_equal(mprotect(map + page, (size_t)page, PROT_NONE), 0);
    for (size_t n = 0; n < bytes.len; n++) {
        uint8_t *at = map + page - n;
        memcpy(at, bytes.data, n);
        assert_int_equal(store_chunks_decode(at, n, 3 * STORE_CHUNK_SIZE, &back, NULL), CISTERN_DAMAGED);
    }
    for (size_t i = 0; i < 24;
         i++) { /* flips in the digests are found by the manifest's digest of the list */
        uint8_t *at = map + page - bytes.len;
        memcpy(at, bytes.data, bytes.len);
        at[i] ^= 1;
        assert_int_equal(store_chunks_decode(at, bytes.len, 3 * STORE_CHUNK_SIZE, &back, NULL),
                         CISTERN_DAMAGED);
    }
    munmap(map, (size_t)(2 * page));
    fclose(zeros);
    store_chunks_clear(&list);
    base_buf_clear(&bytes);
}

static void too_large_is_refused_before_allocating(void **state)
{
    (void)state;
    store_chunks list;
    assert_status(store_chunks_init(&list, UINT64_MAX, err), CISTERN_DAMAGED, "at most");
    assert_status(store_chunks_init(&list, ((uint64_t)1 << 40) + 1, err), CISTERN_DAMAGED, "at most");
}

static void list_counts_only_with_the_manifests_digest(void **state)
{
    store_case *c = *state;
    uint8_t *bytes = case_bytes(5000000, 1);
    store_file file = case_put(c, bytes, 5000000), other = file;
    store_chunks list;
    assert_ok(store_chunks_read(c->s, &file, &list, err));
    assert_int_equal(list.count, 2);
    store_chunks_clear(&list);
    other.chunks.bytes[0] ^= 1;
    assert_status(store_chunks_read(c->s, &other, &list, err), CISTERN_NOT_FOUND, "not the chunk list");
    other = file;
    other.size++;
    assert_status(store_chunks_read(c->s, &other, &list, err), CISTERN_NOT_FOUND, "not a usable");
    other.sha256.bytes[0] ^= 1;
    assert_status(store_chunks_read(c->s, &other, &list, err), CISTERN_NOT_FOUND, "chunks/");
    free(bytes);
}

static void torn_list_is_replaced_by_the_right_one(void **state)
{
    store_case *c = *state;
    uint8_t *bytes = case_bytes(5000000, 1);
    store_file file = case_put(c, bytes, 5000000);
    store_chunks list;
    char hex[BASE_SHA256_HEX], path[4 * CASE_PATH];
    base_digest_hex(&file.sha256, hex);
    snprintf(path, sizeof path, "%s/chunks/sha256/%.2s/%s", c->root, hex, hex);
    assert_int_equal(unlink(path), 0);
    case_write(path, "cstchnk1", 8);
    assert_status(store_chunks_read(c->s, &file, &list, err), CISTERN_NOT_FOUND, "chunk list");
    store_file again = case_put(c, bytes, 5000000);
    assert_memory_equal(&again, &file, sizeof file);
    assert_ok(store_chunks_read(c->s, &file, &list, err));
    store_chunks_clear(&list);
    free(bytes);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, case_setup, case_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(round_trip_and_bytes),
        cmocka_unit_test(every_cut_and_every_flip_is_refused),
        cmocka_unit_test(too_large_is_refused_before_allocating),
        TEST(list_counts_only_with_the_manifests_digest),
        TEST(torn_list_is_replaced_by_the_right_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
