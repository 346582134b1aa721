/* Every way into a store writes whole blocks of the page cache first, so that what is mapped later lies there in huge pages. */
#include "block_watch.h"
#include "fake_source.h"
#include "store_derived.h"

#define MIB   ((size_t)1 << 20)
#define BLOCK ((size_t)BASE_DISK_BLOCK)

static int setup(void **state)
{
    int failed = case_setup(state);
    watch_reset();
    return failed;
}

static size_t whole_blocks(const char *path, size_t size)
{
    struct stat st;
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_size, size);
    return watch_whole_blocks(st.st_ino, size);
}

static size_t blob_blocks(const store_case *c, const uint8_t *bytes, size_t n)
{
    char path[2 * CASE_PATH];
    base_digest d = case_digest(bytes, n);
    assert_true(case_has_blob(c, bytes, n));
    case_blob_name(c, &d, path);
    return whole_blocks(path, n);
}

/* begin, copy, publish if that went well, end. */
static cistern_status fetch(store_case *c, fake_source *source, uint64_t piece, store_fetch_got *got)
{
    store_fetch_want want = STORE_FETCH_WANT_INIT;
    store_fetch *fetching = NULL;
    cistern_error error = CISTERN_ERROR_INIT;
    base_digest key;
    want.piece = piece;
    assert_ok(store_fetch_key(NULL, "fake:source", &key, err));
    assert_ok(store_fetch_begin(c->s, &key, 0, NULL, &fetching, err));
    cistern_status status = store_fetch_copy(fetching, &source->base, &want, NULL, got, &error);
    if (status == CISTERN_OK)
        assert_ok(store_fetch_publish(fetching, NULL, err));
    store_fetch_end(fetching, status, &error);
    return status;
}

static void several_ranges_at_once(void **state)
{
    store_case *c = *state;
    size_t n = 25 * MIB + 12345;
    uint8_t *bytes = case_bytes(n, 1);
    fake_source source;
    store_fetch_got got;
    fake_init(&source, bytes, n);
    source.step = 16384; /* as libcurl hands it over */
    assert_int_equal(fetch(c, &source, 4 * MIB, &got), CISTERN_OK);
    assert_int_equal(got.requests, 7);
    assert_int_equal(blob_blocks(c, bytes, n), n / BLOCK);
    free(bytes);
}

/* Written now and then, a part of a block at a time; the bytes that come later find the block there. */
static void slow_ranges(void **state)
{
    store_case *c = *state;
    size_t n = 9 * MIB + 5;
    uint8_t *bytes = case_bytes(n, 2);
    fake_source source;
    store_fetch_got got;
    fake_init(&source, bytes, n);
    source.step = 400000;
    source.step_ms = 60;
    assert_int_equal(fetch(c, &source, 4 * MIB, &got), CISTERN_OK);
    size_t count = atomic_load(&watch_count), small = 0;
    for (size_t i = 0; i < count; i++)
        small += watch_list[i].end - watch_list[i].first >= 256 << 10 &&
                 watch_list[i].end - watch_list[i].first < BLOCK;
    assert_true(small > 4);
    assert_int_equal(blob_blocks(c, bytes, n), n / BLOCK);
    free(bytes);
}

/* At any pace: whether the answer says how long it is, or not. */
static void one_plain_request(void **state)
{
    store_case *c = *state;
    size_t n = 5 * MIB + 1;
    uint8_t *bytes = case_bytes(n, 3);
    fake_source source;
    store_fetch_got got;
    for (int way = 0; way < 4; way++) {
        bytes[0] = (uint8_t)way;
        fake_init(&source, bytes, n);
        source.no_ranges = true;
        source.no_size = way & 1;
        source.step = 400000;
        source.step_ms = way & 2 ? 60 : 0;
        assert_int_equal(fetch(c, &source, 4 * MIB, &got), CISTERN_OK);
        assert_int_equal(got.file.size, n);
        assert_int_equal(blob_blocks(c, bytes, n), n / BLOCK);
    }
    free(bytes);
}

/* What is small is not written as a block and cut. */
static void a_small_answer_without_a_length(void **state)
{
    store_case *c = *state;
    uint8_t *bytes = case_bytes(1000, 7);
    fake_source source;
    store_fetch_got got;
    fake_init(&source, bytes, 1000);
    source.no_ranges = source.no_size = true;
    assert_int_equal(fetch(c, &source, 4 * MIB, &got), CISTERN_OK);
    assert_true(case_has_blob(c, bytes, 1000));
    for (size_t i = 0; i < atomic_load(&watch_count); i++)
        assert_true(watch_list[i].end - watch_list[i].first < BLOCK);
    free(bytes);
}

/* Only the blocks in which the first process ended may be in small pages. */
static void what_is_resumed(void **state)
{
    store_case *c = *state;
    size_t n = 24 * MIB + 7;
    uint8_t *bytes = case_bytes(n, 4);
    fake_source source;
    store_fetch_got got;
    fake_init(&source, bytes, n);
    source.step = 16384;
    source.cut_after = 3 * MIB + 4321;
    source.cut_times = 1000;
    source.options.tries = 1;
    assert_int_not_equal(fetch(c, &source, 8 * MIB, &got), CISTERN_OK);
    source.cut_times = 0;
    assert_int_equal(fetch(c, &source, 8 * MIB, &got), CISTERN_OK);
    assert_true(got.resumed > 0);
    assert_true(blob_blocks(c, bytes, n) >= n / BLOCK - 4);
    free(bytes);
}

static void local_files(void **state)
{
    store_case *c = *state;
    size_t n = 9 * MIB + 99;
    uint8_t *bytes = case_bytes(n, 5);
    int from = open(case_path(c, "from"), O_RDWR | O_CREAT, 0600),
        to = open(case_path(c, "to"), O_RDWR | O_CREAT, 0600);
    bool shared = base_disk_clone(from, to);
    close(from);
    close(to);
    if (shared)
        print_message("extents are shared here: nothing is written\n");
    case_put(c, bytes, n);
    assert_int_equal(blob_blocks(c, bytes, n), shared ? 0 : n / BLOCK);
    free(bytes);
}

static void derived_files(void **state)
{
    store_case *c = *state;
    store_derived_key key = {.source = case_digest("s", 1), .kind = "packed", .version = 1, .layout = "any"};
    char path[4 * CASE_PATH], hex[BASE_SHA256_HEX];
    size_t n = 5 * MIB;
    uint8_t *bytes = case_bytes(n, 6);
    assert_ok(store_derived_put(c->s, &key, bytes, n, NULL, err));
    base_digest_hex(&key.source, hex);
    snprintf(path, sizeof path, "%s/derived/%s/packed-1-any", c->root, hex);
    assert_int_equal(whole_blocks(path, n + STORE_DERIVED_HEADER), 2);
    free(bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(several_ranges_at_once, setup, case_teardown),
        cmocka_unit_test_setup_teardown(slow_ranges, setup, case_teardown),
        cmocka_unit_test_setup_teardown(one_plain_request, setup, case_teardown),
        cmocka_unit_test_setup_teardown(a_small_answer_without_a_length, setup, case_teardown),
        cmocka_unit_test_setup_teardown(what_is_resumed, setup, case_teardown),
        cmocka_unit_test_setup_teardown(local_files, setup, case_teardown),
        cmocka_unit_test_setup_teardown(derived_files, setup, case_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
