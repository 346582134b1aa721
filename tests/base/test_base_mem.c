#include "cistern_test.h"
#include "base_mem.h"
#include "base_buf.h"
#include "base_map.h"
#include "temp_dir.h"

static void overflow_is_refused_and_leaves_the_result_alone(void **state)
{
    (void)state;
    size_t size = 7;
    uint64_t wide = 7;
    assert_false(base_add_size(SIZE_MAX, 1, &size));
    assert_false(base_mul_size(SIZE_MAX / 2 + 1, 2, &size));
    assert_false(base_add_u64(UINT64_MAX, UINT64_MAX, &wide));
    assert_false(base_mul_u64((uint64_t)1 << 32, (uint64_t)1 << 32, &wide));
    assert_int_equal(size, 7);
    assert_int_equal(wide, 7);
    assert_true(base_add_size(SIZE_MAX - 1, 1, &size));
    assert_true(size == SIZE_MAX);
    assert_true(base_mul_size(0, SIZE_MAX, &size));
    assert_int_equal(size, 0);
    assert_true(base_add_u64(2, 3, &wide));
    assert_int_equal(wide, 5);
    assert_true(base_mul_u64(((uint64_t)1 << 32) - 1, (uint64_t)1 << 32, &wide));
    assert_true(wide == UINT64_MAX - UINT32_MAX);
}

static void calloc_zeroes_and_refuses_overflow(void **state)
{
    (void)state;
    cistern_error err = CISTERN_ERROR_INIT;
    unsigned char *p = NULL, *before;
    assert_ok(base_calloc(300, 7, &p, &err), &err);
    for (size_t i = 0; i < 2100; i++)
        assert_int_equal(p[i], 0);
    before = p;
    assert_fails(base_calloc(SIZE_MAX / 2, 3, &p, &err), CISTERN_NO_MEMORY, &err);
    assert_fails(base_calloc(SIZE_MAX / 4, 1, &p, &err), CISTERN_NO_MEMORY, &err);
    assert_ptr_equal(p, before);
    free(p);
    p = NULL;
    assert_ok(base_calloc(0, 8, &p, &err), &err);
    assert_non_null(p);
    free(p);
}

static void aligned_memory_is_aligned(void **state)
{
    (void)state;
    cistern_error err = CISTERN_ERROR_INIT;
    for (size_t align = 1; align <= 1u << 21; align *= 2) {
        void *p = NULL;
        assert_ok(base_alloc_aligned(align + 3, align, &p, &err), &err);
        assert_int_equal((uintptr_t)p % align, 0);
        memset(p, 1, align + 3);
        free(p);
    }
    void *p = NULL;
    assert_fails(base_alloc_aligned(SIZE_MAX / 4, 64, &p, &err), CISTERN_NO_MEMORY, &err);
    assert_null(p);
}

static void strings_are_copied_and_formatted(void **state)
{
    (void)state;
    cistern_error err = CISTERN_ERROR_INIT;
    char *text = NULL;
    assert_ok(base_strdup("abc", &text, &err), &err);
    assert_string_equal(text, "abc");
    free(text);
    assert_ok(base_strdup(NULL, &text, &err), &err);
    assert_null(text);
    assert_ok(base_asprintf(&text, &err, "%s-%0300d", "x", 7), &err);
    assert_int_equal(strlen(text), 302);
    free(text);
}

static void a_buffer_grows_up_to_its_maximum_and_no_further(void **state)
{
    (void)state;
    cistern_error err = CISTERN_ERROR_INIT;
    base_buf buf;
    base_buf_init(&buf, 1000);
    assert_null(buf.data);
    for (int i = 0; i < 250; i++)
        assert_ok(base_buf_put(&buf, "abcd", 4, &err), &err);
    assert_int_equal(buf.len, 1000);
    assert_int_equal(buf.data[1000], 0);
    assert_says(base_buf_put(&buf, "e", 1, &err), CISTERN_DAMAGED, &err, "more than 1000 bytes");
    assert_fails(base_buf_printf(&buf, &err, "%d", 1), CISTERN_DAMAGED, &err);
    assert_int_equal(buf.len, 1000);
    assert_ok(base_buf_put(&buf, NULL, 0, &err), &err);
    base_buf_clear(&buf);
    assert_ok(base_buf_printf(&buf, &err, "%s=%d", "k", 12), &err);
    assert_ok(base_buf_printf(&buf, &err, "%s", ";"), &err);
    assert_string_equal(buf.data, "k=12;");
    base_buf_clear(&buf);
}

static void a_buffer_holds_zero_bytes_too(void **state)
{
    (void)state;
    cistern_error err = CISTERN_ERROR_INIT;
    base_buf buf;
    base_buf_init(&buf, SIZE_MAX);
    assert_ok(base_buf_put(&buf, "a\0b", 3, &err), &err);
    assert_int_equal(buf.len, 3);
    assert_memory_equal(buf.data, "a\0b", 4);
    base_buf_clear(&buf);
}

static void taking_leaves_an_empty_buffer(void **state)
{
    (void)state;
    cistern_error err = CISTERN_ERROR_INIT;
    base_buf buf;
    base_buf_init(&buf, 10);
    char *text = base_buf_take(&buf);
    assert_string_equal(text, "");
    free(text);
    assert_ok(base_buf_put(&buf, "abc", 3, &err), &err);
    text = base_buf_take(&buf);
    assert_string_equal(text, "abc");
    free(text);
    assert_null(buf.data);
    assert_int_equal(buf.len, 0);
    assert_ok(base_buf_put(&buf, "0123456789", 10, &err), &err);
    base_buf_clear(&buf);
}

static void a_mapping_outlives_descriptor_and_name(void **state)
{
    (void)state;
    cistern_error err = CISTERN_ERROR_INIT;
    temp_dir t;
    base_map map = {NULL, 0};
    temp_dir_make(&t);
    int fd = openat(t.fd, "f", O_RDWR | O_CREAT, 0600);
    assert_int_equal(write(fd, "mapped", 6), 6);
    assert_ok(base_map_fd(fd, &map, &err), &err);
    close(fd);
    unlinkat(t.fd, "f", 0);
    assert_int_equal(map.size, 6);
    assert_memory_equal(map.data, "mapped", 6);
    base_map_clear(&map);
    assert_null(map.data);
    base_map_clear(&map);
    temp_dir_remove(&t);
}

static void an_empty_file_maps_to_nothing_and_a_directory_not_at_all(void **state)
{
    (void)state;
    cistern_error err = CISTERN_ERROR_INIT;
    temp_dir t;
    base_map map = {NULL, 99};
    temp_dir_make(&t);
    assert_fails(base_map_fd(t.fd, &map, &err), CISTERN_DAMAGED, &err);
    assert_fails(base_map_fd(-1, &map, &err), CISTERN_UNEXPECTED, &err);
    assert_int_equal(map.size, 99);
    int fd = openat(t.fd, "f", O_RDWR | O_CREAT, 0600);
    assert_ok(base_map_fd(fd, &map, &err), &err);
    assert_null(map.data);
    assert_int_equal(map.size, 0);
    base_map_clear(&map);
    close(fd);
    temp_dir_remove(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(overflow_is_refused_and_leaves_the_result_alone),
        cmocka_unit_test(calloc_zeroes_and_refuses_overflow),
        cmocka_unit_test(aligned_memory_is_aligned),
        cmocka_unit_test(strings_are_copied_and_formatted),
        cmocka_unit_test(a_buffer_grows_up_to_its_maximum_and_no_further),
        cmocka_unit_test(a_buffer_holds_zero_bytes_too),
        cmocka_unit_test(taking_leaves_an_empty_buffer),
        cmocka_unit_test(a_mapping_outlives_descriptor_and_name),
        cmocka_unit_test(an_empty_file_maps_to_nothing_and_a_directory_not_at_all),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
