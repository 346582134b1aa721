/* Preprocessing: every float is torchvision's, bit for bit (the tolerance asked for is 1e-6). */
#include "image_golden.h"
#include "image_preprocess.h"

static const model_preprocess TORCHVISION = {
    224, 224, 256, MODEL_BILINEAR, {0.485f, 0.456f, 0.406f}, {0.229f, 0.224f, 0.225f}};

static model_interpolation filter_of(const char *name)
{
    return name[0] == 'n'   ? MODEL_NEAREST
           : name[0] == 'l' ? MODEL_LANCZOS
           : name[2] == 'l' ? MODEL_BILINEAR
                            : MODEL_BICUBIC;
}

static void prepare_one(const char *line)
{
    char name[GOLDEN_NAME_MAX], filter[16], hex[BASE_SHA256_HEX];
    model_preprocess how;
    memset(&how, 0, sizeof how);
    assert_int_equal(sscanf(line, GOLDEN_NAME_SCAN " %u %u %u %15s %f %f %f %f %f %f %64s", name,
                            &how.resize_short, &how.height, &how.width, filter, &how.mean[0], &how.mean[1],
                            &how.mean[2], &how.std[0], &how.std[1], &how.std[2], hex),
                     12);
    how.interpolation = filter_of(filter);
    image in = golden_image(name);
    size_t bytes = (size_t)how.width * how.height * IMAGE_CHANNELS * sizeof(float);
    guard_page out = guard_page_make(bytes);
    memset(out.data, 0xff, bytes);
    assert_int_equal(image_preprocess(&in, &how, (float *)(void *)out.data, NULL), CISTERN_OK);
    golden_assert_digest(out.data, bytes, hex, line);
    guard_page_free(&out);
    image_clear(&in);
}

static void floats_equal_torchvisions(void **state)
{
    (void)state;
    assert_int_equal(golden_each("prepare", prepare_one), 34);
}

static float *prepared(const image *in, const model_preprocess *how)
{
    float *out = calloc((size_t)how->width * how->height * IMAGE_CHANNELS, sizeof *out);
    assert_non_null(out);
    assert_int_equal(image_preprocess(in, how, out, NULL), CISTERN_OK);
    return out;
}

/* Without it the goldens could pass on grey pictures alone: red, green and blue are told apart, planes in that order. */
static void channels_are_red_green_blue_planes(void **state)
{
    (void)state;
    static const uint8_t pixel[3] = {255, 0, 51};
    model_preprocess how = {1, 1, 0, MODEL_BILINEAR, {0.0f, 0.5f, 0.0f}, {1.0f, 0.25f, 2.0f}};
    image in = IMAGE_INIT;
    assert_int_equal(image_from_rgb(1, 1, 0, pixel, &in, NULL), CISTERN_OK);
    float *out = prepared(&in, &how);
    assert_true(out[0] == 1.0f && out[1] == -2.0f && out[2] == 0.1f);
    free(out);
    image_clear(&in);
}

/* 60,000 x 1 becomes 15 million x 256 under torchvision's rule; only the crop of it is computed here. */
static void a_very_long_picture_costs_only_its_crop(void **state)
{
    (void)state;
    image in = IMAGE_INIT;
    assert_int_equal(image_rgb_new(60000, 1, &in, NULL), CISTERN_OK);
    memset(in.rgb, 51, (size_t)60000 * IMAGE_CHANNELS);
    float *out = prepared(&in, &TORCHVISION);
    assert_true(out[0] == (0.2f - 0.485f) / 0.229f);
    free(out);
    image_clear(&in);
}

static void a_longer_one_is_refused_with_its_size(void **state)
{
    (void)state;
    static float out[3 * 224 * 224];
    image in = IMAGE_INIT;
    cistern_error err = CISTERN_ERROR_INIT;
    char text[1024];
    assert_int_equal(image_rgb_new(1, 70000, &in, NULL), CISTERN_OK);
    assert_int_equal(image_preprocess(&in, &TORCHVISION, out, &err), CISTERN_UNREADABLE);
    cistern_error_format(&err, text, sizeof text);
    assert_string_equal(
        text, "an image of 1 x 70000 pixels: an image side of 17920000 pixels (height after resizing); "
              "1 to 16777216 can be resized");
    image_clear(&in);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(floats_equal_torchvisions),
        cmocka_unit_test(channels_are_red_green_blue_planes),
        cmocka_unit_test(a_very_long_picture_costs_only_its_crop),
        cmocka_unit_test(a_longer_one_is_refused_with_its_size),
    };
    return cmocka_run_group_tests_name("image_preprocess", tests, NULL, NULL);
}
