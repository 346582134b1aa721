#include "cistern_test.h"
#include "base_pages.h"

static void pages_are_zero_aligned_and_writable(void **state)
{
    (void)state;
    cistern_error err = CISTERN_ERROR_INIT;
    const size_t sizes[] = {1, 4095, 4096, 4097, 3 << 20};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        unsigned char *pages = NULL;
        assert_ok(base_pages_new(sizes[i], &pages, &err), &err);
        assert_int_equal((uintptr_t)pages % BASE_PAGES_ALIGN, 0);
        for (size_t k = 0; k < sizes[i]; k++)
            assert_int_equal(pages[k], 0);
        memset(pages, 0xff, sizes[i]);
        base_pages_free(pages, sizes[i]);
    }
}

static void no_bytes_are_a_pointer_too(void **state)
{
    (void)state;
    cistern_error err = CISTERN_ERROR_INIT;
    void *pages = NULL;
    assert_ok(base_pages_new(0, &pages, &err), &err);
    assert_non_null(pages);
    base_pages_free(pages, 0);
    base_pages_free(NULL, 5);
}

static void more_than_there_is_is_no_memory(void **state)
{
    (void)state;
    cistern_error err = CISTERN_ERROR_INIT;
    void *pages = &err;
    assert_fails(base_pages_new(SIZE_MAX, &pages, &err), CISTERN_NO_MEMORY, &err);
    assert_fails(base_pages_new(SIZE_MAX / 4, &pages, &err), CISTERN_NO_MEMORY, &err);
    assert_ptr_equal(pages, &err);
}

static void large_memory_is_made_of_whole_huge_pages(void **state)
{
    (void)state;
#if defined(CISTERN_SANITIZED)
    TEST_SKIP("sanitizers give memory of their own");
#else
    cistern_error err = CISTERN_ERROR_INIT;
    for (int i = 0; i < 5; i++) {
        unsigned char *pages = NULL;
        assert_ok(base_pages_new((4u << 20) + 1, &pages, &err), &err);
        assert_int_equal((uintptr_t)pages % (2u << 20), 0);
        pages[(6u << 20) - 1] = 1;
        base_pages_free(pages, (4u << 20) + 1);
    }
#endif
}

static void touching_changes_nothing(void **state)
{
    (void)state;
    cistern_error err = CISTERN_ERROR_INIT;
    const size_t size = (2u << 20) + 5000;
    unsigned char *pages = NULL;
    assert_ok(base_pages_new(size, &pages, &err), &err);
    memset(pages, 0xa5, size / 2);
    base_pages_touch(pages, size);
    base_pages_touch(pages, 0);
    for (size_t k = 0; k < size; k++)
        assert_int_equal(pages[k], k < size / 2 ? 0xa5 : 0);
    base_pages_free(pages, size);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pages_are_zero_aligned_and_writable),
        cmocka_unit_test(no_bytes_are_a_pointer_too),
        cmocka_unit_test(more_than_there_is_is_no_memory),
        cmocka_unit_test(large_memory_is_made_of_whole_huge_pages),
        cmocka_unit_test(touching_changes_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
