/* Pictures from raw pixels. */
#include "image_golden.h"
#include "image_rgb.h"

static void rows_are_copied_without_their_padding(void **state)
{
    (void)state;
    static const uint8_t raw[] = {1, 2, 3, 4, 5, 6, 0xee, 0xee, 7, 8, 9, 10, 11, 12};
    static const uint8_t packed[] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12};
    guard_page bytes = guard_page_of(raw, sizeof raw); /* the last row has no padding to read */
    image picture = IMAGE_INIT;
    assert_int_equal(image_from_rgb(2, 2, 8, bytes.data, &picture, NULL), CISTERN_OK);
    assert_int_equal(picture.width, 2);
    assert_int_equal(picture.height, 2);
    assert_memory_equal(picture.rgb, packed, sizeof packed);
    image_clear(&picture);
    assert_null(picture.rgb);
    image_clear(&picture); /* an empty one is allowed */
    guard_page_free(&bytes);
}

static void stride_zero_means_packed(void **state)
{
    (void)state;
    static const uint8_t packed[] = {1, 2, 3, 4, 5, 6};
    image picture = IMAGE_INIT;
    assert_int_equal(image_from_rgb(1, 2, 0, packed, &picture, NULL), CISTERN_OK);
    assert_memory_equal(picture.rgb, packed, sizeof packed);
    image_clear(&picture);
}

static void a_short_stride_is_refused(void **state)
{
    (void)state;
    static const uint8_t packed[12] = {0};
    image picture = IMAGE_INIT;
    cistern_error err = CISTERN_ERROR_INIT;
    assert_int_equal(image_from_rgb(2, 2, 5, packed, &picture, &err), CISTERN_USAGE);
    assert_string_equal(err.text, "5 bytes from row to row; 2 pixels need at least 6");
    assert_null(picture.rgb);
}

static void sizes_have_limits(void **state)
{
    (void)state;
    image picture = IMAGE_INIT;
    assert_int_equal(image_rgb_new(0, 3, &picture, NULL), CISTERN_UNREADABLE);
    assert_int_equal(image_rgb_new(3, 0, &picture, NULL), CISTERN_UNREADABLE);
    assert_int_equal(image_rgb_new(UINT32_MAX, UINT32_MAX, &picture, NULL), CISTERN_UNREADABLE);
    assert_int_equal(image_rgb_new(IMAGE_PIXELS_MAX + 1, 1, &picture, NULL), CISTERN_UNREADABLE);
    assert_null(picture.rgb);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_are_copied_without_their_padding),
        cmocka_unit_test(stride_zero_means_packed),
        cmocka_unit_test(a_short_stride_is_refused),
        cmocka_unit_test(sizes_have_limits),
    };
    return cmocka_run_group_tests_name("image_rgb", tests, NULL, NULL);
}
