/* Resizing: every byte is Pillow's; a window of the result is that part of the whole. */
#include "image_golden.h"
#include "image_resize.h"

static model_interpolation filter_named(const char *name)
{
    model_interpolation filter = MODEL_NEAREST;
    assert_true(model_interpolation_parse(name, &filter));
    return filter;
}

static void resize_one(const char *line)
{
    char name[GOLDEN_NAME_MAX], filter[16], hex[BASE_SHA256_HEX];
    uint32_t width = 0, height = 0;
    assert_int_equal(sscanf(line, GOLDEN_NAME_SCAN " %u %u %15s %64s", name, &width, &height, filter, hex),
                     5);
    image in = golden_image(name), out = IMAGE_INIT;
    assert_int_equal(image_resize(&in, width, height, filter_named(filter), &out, NULL), CISTERN_OK);
    golden_assert_image(&out, width, height, hex, line);
    image_clear(&in);
    image_clear(&out);
}

static void bytes_equal_pillows(void **state)
{
    (void)state;
    assert_int_equal(golden_each("resize", resize_one), 147);
}

static void assert_window_is_part(const image *in, uint32_t width, uint32_t height,
                                  model_interpolation filter, const image_window *window)
{
    image whole = IMAGE_INIT, part = IMAGE_INIT;
    assert_int_equal(image_resize(in, width, height, filter, &whole, NULL), CISTERN_OK);
    assert_int_equal(image_resize_window(in, width, height, filter, window, &part, NULL), CISTERN_OK);
    assert_int_equal(part.width, window->width);
    assert_int_equal(part.height, window->height);
    for (size_t y = 0; y < part.height; y++) {
        const uint8_t *expected = whole.rgb + ((window->top + y) * width + window->left) * IMAGE_CHANNELS;
        assert_memory_equal(part.rgb + y * part.width * IMAGE_CHANNELS, expected,
                            part.width * IMAGE_CHANNELS);
    }
    image_clear(&whole);
    image_clear(&part);
}

static void a_window_is_that_part_of_the_whole(void **state)
{
    (void)state;
    image in = golden_image("photo.png"); /* 97 x 65 */
    static const uint32_t SIZES[][2] = {{97, 65},  {97, 40}, {97, 130}, {50, 65},
                                        {190, 65}, {50, 40}, {200, 150}};
    for (model_interpolation filter = MODEL_NEAREST; filter <= MODEL_HAMMING; filter++) {
        for (size_t i = 0; i < sizeof SIZES / sizeof SIZES[0]; i++) {
            uint32_t width = SIZES[i][0], height = SIZES[i][1];
            image_window windows[] = {{0, 0, 1, 1},
                                      {width - 1, height - 1, 1, 1},
                                      {7, 5, width - 20, height - 11},
                                      {width / 2, 0, 3, height}};
            for (size_t w = 0; w < sizeof windows / sizeof windows[0]; w++) {
                assert_window_is_part(&in, width, height, filter, &windows[w]);
            }
        }
    }
    image_clear(&in);
}

static void impossible_sides_are_refused(void **state)
{
    (void)state;
    image in = golden_image("odd-1x1.png"), out = IMAGE_INIT;
    cistern_error err = CISTERN_ERROR_INIT;
    image_window one = {0, 0, 1, 1};
    assert_int_equal(image_resize(&in, 0, 5, MODEL_BILINEAR, &out, &err), CISTERN_UNREADABLE);
    assert_non_null(strstr(err.text, "width after resizing"));
    assert_int_equal(image_resize_window(&in, 5, IMAGE_RESIZE_SIDE_MAX + 1, MODEL_BILINEAR, &one, &out, &err),
                     CISTERN_UNREADABLE);
    assert_non_null(strstr(err.text, "16777217"));
    assert_int_equal(image_resize(&in, 1 << 15, 1 << 15, MODEL_BILINEAR, &out, &err), CISTERN_UNREADABLE);
    assert_null(out.rgb);
    assert_int_equal(image_resize_window(&in, IMAGE_RESIZE_SIDE_MAX, IMAGE_RESIZE_SIDE_MAX, MODEL_LANCZOS,
                                         &one, &out, NULL),
                     CISTERN_OK);
    assert_memory_equal(out.rgb, in.rgb, IMAGE_CHANNELS);
    image_clear(&in);
    image_clear(&out);
}

/* The source is read inside its bounds only: its last byte lies before a guard page. */
static void nothing_is_read_past_the_source(void **state)
{
    (void)state;
    image in = golden_image("photo.png");
    size_t n = (size_t)in.width * in.height * IMAGE_CHANNELS;
    guard_page bytes = guard_page_of(in.rgb, n);
    image guarded = {bytes.data, in.width, in.height};
    static const uint32_t SIZES[][2] = {{97, 65}, {97, 40}, {50, 65}, {50, 40}, {200, 150}, {1, 1}};
    for (model_interpolation filter = MODEL_NEAREST; filter <= MODEL_HAMMING; filter++) {
        for (size_t i = 0; i < sizeof SIZES / sizeof SIZES[0]; i++) {
            image out = IMAGE_INIT;
            assert_int_equal(image_resize(&guarded, SIZES[i][0], SIZES[i][1], filter, &out, NULL),
                             CISTERN_OK);
            image_clear(&out);
        }
    }
    guard_page_free(&bytes);
    image_clear(&in);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bytes_equal_pillows),
        cmocka_unit_test(a_window_is_that_part_of_the_whole),
        cmocka_unit_test(impossible_sides_are_refused),
        cmocka_unit_test(nothing_is_read_past_the_source),
    };
    return cmocka_run_group_tests_name("image_resize", tests, NULL, NULL);
}
