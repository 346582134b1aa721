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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pages_are_zero_aligned_and_writable),
        cmocka_unit_test(no_bytes_are_a_pointer_too),
        cmocka_unit_test(more_than_there_is_is_no_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
