/* Derived files: usable or as good as absent; and what a store holds. */
#include "store_case.h"
#include "base_disk.h"
#include "store_derived.h"
#include "store_usage.h"

static store_derived_key a_key(void)
{
    return (store_derived_key){
        .source = case_digest("source", 6), .kind = "tensor_index", .version = 1, .layout = "any"};
}

static void path_of_key(const store_case *c, const store_derived_key *key, char out[4 * CASE_PATH])
{
    char hex[BASE_SHA256_HEX];
    base_digest_hex(&key->source, hex);
    snprintf(out, 4 * CASE_PATH, "%s/derived/%s/%s-%u-%s", c->root, hex, key->kind, key->version,
             key->layout);
}

static void put_then_get_and_map(void **state)
{
    store_case *c = *state;
    store_derived_key key = a_key(), other = key;
    store_derived_map map;
    base_buf found;
    base_buf_init(&found, 100);
    assert_status(store_derived_get(c->s, &key, &found, err), CISTERN_NOT_FOUND, "derived/");
    assert_ok(store_derived_put(c->s, &key, "payload", 7, NULL, err));
    assert_ok(store_derived_get(c->s, &key, &found, err));
    assert_string_equal(found.data, "payload");
    base_buf_clear(&found);
    assert_ok(store_derived_open(c->s, &key, true, &map, err));
    assert_int_equal(map.size, 7);
    assert_memory_equal(map.data, "payload", 7);
    assert_int_equal((uintptr_t)map.data % 4096, 0);
    store_derived_unmap(&map);
    other.version = 2;
    assert_status(store_derived_get(c->s, &other, &found, err), CISTERN_NOT_FOUND, "derived/");
    other = key;
    other.layout = "avx2";
    assert_status(store_derived_get(c->s, &other, &found, err), CISTERN_NOT_FOUND, "derived/");
    base_buf_init(&found, 3);
    assert_status(store_derived_get(c->s, &key, &found, err), CISTERN_NOT_FOUND, "at most 3");
    assert_int_equal(case_entries(c, "derived"), 2); /* one source and CACHEDIR.TAG */
    assert_ok(store_derived_remove(c->s, &key.source, err));
    assert_ok(store_derived_remove(c->s, &key.source, err));
    assert_int_equal(case_entries(c, "derived"), 1);
}

static void empty_payload(void **state)
{
    store_case *c = *state;
    store_derived_key key = a_key();
    store_derived_map map;
    assert_ok(store_derived_put(c->s, &key, NULL, 0, NULL, err));
    assert_ok(store_derived_open(c->s, &key, true, &map, err));
    assert_int_equal(map.size, 0);
    store_derived_unmap(&map);
}

static void every_flip_and_cut_is_as_good_as_absent(void **state)
{
    store_case *c = *state;
    store_derived_key key = a_key();
    char path[4 * CASE_PATH];
    base_buf found, good;
    path_of_key(c, &key, path);
    assert_ok(store_derived_put(c->s, &key, "payload", 7, NULL, err));
    base_buf_init(&good, 10000);
    base_buf_init(&found, 10000);
    assert_ok(base_read_path(path, &good, err));
    assert_int_equal(good.len, STORE_DERIVED_HEADER + 7);
    for (size_t i = 0; i < good.len; i += i < 200 || i > 4090 ? 1 : 97) {
        good.data[i] ^= 4;
        unlink(path);
        case_write(path, good.data, good.len);
        assert_int_equal(store_derived_get(c->s, &key, &found, NULL), CISTERN_NOT_FOUND);
        good.data[i] ^= 4;
        unlink(path);
        case_write(path, good.data, i);
        assert_int_equal(store_derived_get(c->s, &key, &found, NULL), CISTERN_NOT_FOUND);
    }
    base_buf_clear(&good);
    /* What is unusable is replaced. */
    assert_ok(store_derived_put(c->s, &key, "payload", 7, NULL, err));
    assert_ok(store_derived_get(c->s, &key, &found, err));
    base_buf_clear(&found);
}

static cistern_status count_name(void *user, const store_derived_key *key, cistern_error *e)
{
    char *names = user;
    (void)e;
    snprintf(names + strlen(names), 200 - strlen(names), "%s %u %s;", key->kind, key->version, key->layout);
    return CISTERN_OK;
}

static void verify_reads_every_byte_and_tells_what_is_wrong(void **state)
{
    store_case *c = *state;
    store_derived_key key = a_key(), packed = a_key();
    store_derived_report report;
    char path[4 * CASE_PATH], other[5 * CASE_PATH], names[200] = "", relative[STORE_DERIVED_PATH_MAX];
    base_cancel cancel = {1};
    base_run run = {.cancel = &cancel};
    base_buf good;
    packed.kind = "packed";
    packed.version = 12;
    packed.layout = "direct16";
    path_of_key(c, &key, path);
    store_derived_path(&key, relative);
    assert_string_equal(path + strlen(c->root) + 1, relative);
    assert_status(store_derived_verify(c->s, &key, NULL, &report, err), CISTERN_NOT_FOUND, "derived/");
    assert_ok(store_derived_put(c->s, &key, "payload", 7, NULL, err));
    assert_ok(store_derived_put(c->s, &packed, "bytes", 5, NULL, err));
    snprintf(other, sizeof other, "%.*s/packed-x-any", (int)(strrchr(path, '/') - path), path);
    case_write(other, "no name of ours", 15);
    assert_ok(store_derived_each(c->s, &key.source, count_name, names, err));
    assert_string_equal(names, "packed 12 direct16;tensor_index 1 any;");
    assert_ok(store_derived_verify(c->s, &key, NULL, &report, err));
    assert_int_equal(report.size, 7);
    assert_int_equal(store_derived_verify(c->s, &key, &run, &report, NULL), CISTERN_CANCELLED);
    base_buf_init(&good, 10000);
    assert_ok(base_read_path(path, &good, err));
    for (size_t i = 0; i < good.len; i += i < 200 || i > 4090 ? 1 : 97) {
        good.data[i] ^= 4;
        unlink(path);
        case_write(path, good.data, good.len);
        assert_status(store_derived_verify(c->s, &key, NULL, &report, err), CISTERN_DAMAGED, relative);
        good.data[i] ^= 4;
        unlink(path);
        case_write(path, good.data, i);
        assert_status(store_derived_verify(c->s, &key, NULL, &report, err), CISTERN_DAMAGED, relative);
    }
    base_buf_clear(&good);
    assert_ok(store_derived_drop(c->s, &key, err));
    assert_ok(store_derived_drop(c->s, &key, err));
    assert_status(store_derived_verify(c->s, &key, NULL, &report, err), CISTERN_NOT_FOUND, "derived/");
    assert_ok(store_derived_verify(c->s, &packed, NULL, &report, err));
}

static void of_another_owner_or_writable_by_others_is_not_used(void **state)
{
    store_case *c = *state;
    store_derived_key key = a_key();
    char path[4 * CASE_PATH];
    base_buf found;
    base_buf_init(&found, 10000);
    path_of_key(c, &key, path);
    assert_ok(store_derived_put(c->s, &key, "payload", 7, NULL, err));
    assert_int_equal(chmod(path, 0422), 0);
    assert_status(store_derived_get(c->s, &key, &found, err), CISTERN_NOT_FOUND, "not usable");
    assert_int_equal(chmod(path, 0400), 0);
    assert_ok(store_derived_get(c->s, &key, &found, err));
    base_buf_clear(&found);
    if (geteuid() != 0)
        return;
    assert_int_equal(chown(path, 12345, 12345), 0);
    assert_status(store_derived_get(c->s, &key, &found, err), CISTERN_NOT_FOUND, "not usable");
    assert_ok(store_derived_put(c->s, &key, "payload", 7, NULL, err));
    assert_ok(store_derived_get(c->s, &key, &found, err));
    base_buf_clear(&found);
}

static void large_payloads_are_mapped_as_they_were_put(void **state)
{
    store_case *c = *state;
    store_derived_key key = a_key();
    store_derived_map map;
    size_t block = (size_t)BASE_DISK_BLOCK, sizes[] = {block - STORE_DERIVED_HEADER, block, 3 * block + 5};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        uint8_t *bytes = case_bytes(sizes[i], 1);
        key.version = (unsigned)i + 1;
        assert_int_equal(store_derived_open(c->s, &key, false, &map, NULL), CISTERN_NOT_FOUND);
        assert_ok(store_derived_put(c->s, &key, bytes, sizes[i], NULL, err));
        assert_ok(store_derived_open(c->s, &key, true, &map, err));
        assert_int_equal(map.size, sizes[i]);
        assert_memory_equal(map.data, bytes, sizes[i]);
        assert_int_equal((uintptr_t)map.whole.data % (map.whole.size < block ? 4096 : block), 0);
        store_derived_unmap(&map);
        free(bytes);
    }
    char dir[4 * CASE_PATH], hex[BASE_SHA256_HEX];
    base_digest_hex(&key.source, hex);
    snprintf(dir, sizeof dir, "derived/%s", hex);
    assert_int_equal(case_entries(c, dir), 3);
    store_derived_abandon(NULL);
}

static void a_stream_gets_its_key_and_size_at_the_end(void **state)
{
    store_case *c = *state;
    store_derived_key key = a_key();
    store_derived *d;
    store_derived_map map;
    int fd;
    assert_ok(store_derived_begin_stream(c->s, &d, &fd, err));
    assert_int_equal(write(fd, "pay", 3), 3);
    assert_int_equal(write(fd, "load", 4), 4);
    assert_ok(store_derived_publish_stream(d, &key, err));
    assert_ok(store_derived_open(c->s, &key, true, &map, err));
    assert_int_equal(map.size, 7);
    assert_memory_equal(map.data, "payload", 7);
    store_derived_unmap(&map);
    assert_int_equal(case_entries(c, "derived"), 2); /* one source and CACHEDIR.TAG: no temporary */
}

static void a_stream_that_is_abandoned_leaves_nothing(void **state)
{
    store_case *c = *state;
    store_derived *d;
    store_derived_key bad = a_key();
    int fd;
    assert_ok(store_derived_begin_stream(c->s, &d, &fd, err));
    assert_int_equal(write(fd, "payload", 7), 7);
    store_derived_abandon(d);
    assert_int_equal(case_entries(c, "derived"), 1);
    bad.kind = "../up";
    assert_ok(store_derived_begin_stream(c->s, &d, &fd, err));
    assert_status(store_derived_publish_stream(d, &bad, err), CISTERN_USAGE, "cannot be called");
    assert_int_equal(case_entries(c, "derived"), 1);
    assert_ok(store_derived_begin_stream(c->s, &d, &fd, err));
    assert_int_equal(ftruncate(fd, 100), 0);
    bad = a_key();
    assert_status(store_derived_publish_stream(d, &bad, err), CISTERN_UNEXPECTED, "lost its bytes");
}

static void names_that_are_none_are_refused(void **state)
{
    store_case *c = *state;
    static const char *const kinds[] = {"", "../x", "a/b", "A", ".x", "a-b"};
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        store_derived_key key = a_key();
        key.kind = kinds[i];
        assert_status(store_derived_put(c->s, &key, "x", 1, NULL, err), CISTERN_USAGE, "cannot be called");
    }
}

static void usage_counts_what_is_there(void **state)
{
    store_case *c = *state;
    store_derived_key key = a_key();
    store_usage usage;
    uint8_t *bytes = case_bytes(100000, 1);
    assert_ok(store_usage_count(c->s, &usage, err));
    assert_int_equal(usage.blobs, 0);
    case_put(c, bytes, 100000);
    case_put(c, bytes, 5);
    assert_ok(store_derived_put(c->s, &key, "payload", 7, NULL, err));
    assert_ok(store_usage_count(c->s, &usage, err));
    assert_int_equal(usage.blobs, 2);
    assert_int_equal(usage.blob_bytes, 100005);
    assert_int_equal(usage.chunk_bytes, 2 * 56);
    assert_int_equal(usage.partials, 0);
    assert_true(usage.derived_bytes > 0);
    assert_true(usage.free_bytes > 0);
    free(bytes);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, case_setup, case_teardown)

typedef struct canceller {
    base_cancel cancel;
    const char *at; /* the point that counts */
    int after;      /* so many of them */
    int later;      /* points reached in spite of it */
} canceller;

static void cancel_at(void *user, const char *point)
{
    canceller *k = user;
    k->later += base_cancelled(&k->cancel);
    if (strcmp(point, k->at) == 0 && --k->after == 0)
        atomic_store(&k->cancel.set, 1);
}

static void cancelled_at_any_block_leaves_nothing(void **state)
{
    store_case *c = *state;
    store_derived_key key = a_key();
    canceller k;
    char path[4 * CASE_PATH], dir[4 * CASE_PATH];
    size_t n = (13 << 20) + 5;
    uint8_t *bytes = case_bytes(n, 9);
    path_of_key(c, &key, path);
    snprintf(dir, sizeof dir, "%.*s", (int)(strrchr(path, '/') - path - (ptrdiff_t)strlen(c->root) - 1),
             path + strlen(c->root) + 1);
    c->options.fault = cancel_at;
    c->options.fault_user = &k;
    case_reopen(c);
    for (int block = 1; block <= 7; block++) { /* 6 behind the first; then all is written but not named */
        k = (canceller){.at = block < 7 ? "derived_block" : "derived_written",
                        .after = block < 7 ? block : 1};
        assert_status(store_derived_put(c->s, &key, bytes, n, &k.cancel, err), CISTERN_CANCELLED,
                      "interrupted");
        assert_int_equal(k.later, 0);
        assert_int_equal(case_entries(c, dir), 0);
    }
    k = (canceller){.at = "none"};
    assert_ok(store_derived_put(c->s, &key, bytes, n, &k.cancel, err));
    free(bytes);
}

/* It is not known then whether the one that is there is usable. */
static void cancelled_before_one_that_is_there_keeps_it(void **state)
{
    store_case *c = *state;
    store_derived_key key = a_key();
    store_derived_map map;
    canceller k = {.at = "none"};
    size_t n = 3 << 20;
    uint8_t *bytes = case_bytes(n, 10);
    c->options.fault = cancel_at;
    c->options.fault_user = &k;
    case_reopen(c);
    assert_ok(store_derived_put(c->s, &key, bytes, n, &k.cancel, err));
    k.at = "derived_written";
    k.after = 1;
    assert_status(store_derived_put(c->s, &key, bytes, n, &k.cancel, err), CISTERN_CANCELLED, "interrupted");
    assert_ok(store_derived_open(c->s, &key, true, &map, err));
    assert_int_equal(map.size, n);
    store_derived_unmap(&map);
    free(bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(put_then_get_and_map),
        TEST(empty_payload),
        TEST(verify_reads_every_byte_and_tells_what_is_wrong),
        TEST(every_flip_and_cut_is_as_good_as_absent),
        TEST(of_another_owner_or_writable_by_others_is_not_used),
        TEST(large_payloads_are_mapped_as_they_were_put),
        TEST(a_stream_gets_its_key_and_size_at_the_end),
        TEST(a_stream_that_is_abandoned_leaves_nothing),
        TEST(names_that_are_none_are_refused),
        TEST(cancelled_at_any_block_leaves_nothing),
        TEST(cancelled_before_one_that_is_there_keeps_it),
        TEST(usage_counts_what_is_there),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
