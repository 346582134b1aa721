/* Preprocessing: every float is torchvision's, Keras', TensorFlow's or timm's, bit for bit (the tolerance asked for is 1e-6). */
#include "image_golden.h"
#include "image_preprocess.h"

static void prepare_one(const char *line)
{
    char name[GOLDEN_NAME_MAX], filter[16], hex[BASE_SHA256_HEX];
    model_preprocess how;
    memset(&how, 0, sizeof how);
    assert_int_equal(sscanf(line, GOLDEN_NAME_SCAN " %u %u %u %15s %f %f %f %f %f %f %64s", name,
                            &how.resize_short, &how.height, &how.width, filter, &how.mean[0], &how.mean[1],
                            &how.mean[2], &how.std[0], &how.std[1], &how.std[2], hex),
                     12);
    assert_true(model_interpolation_parse(filter, &how.interpolation));
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

static void preset_one(const char *line)
{
    static char preset[MODEL_PRESET_MAX], name[GOLDEN_NAME_MAX], hex[BASE_SHA256_HEX];
    uint32_t width, height;
    model_preprocess how;
    assert_int_equal(sscanf(line, "%31s " GOLDEN_NAME_SCAN " %64s", preset, name, hex), 3);
    assert_true(model_preset_find(preset, &how));
    bool computed = sscanf(name, "%ux%u", &width, &height) == 2;
    image in = computed ? golden_computed(width, height) : golden_image(name);
    size_t bytes = (size_t)how.width * how.height * IMAGE_CHANNELS * sizeof(float);
    guard_page out = guard_page_make(bytes);
    memset(out.data, 0xff, bytes);
    assert_int_equal(image_preprocess(&in, &how, (float *)(void *)out.data, NULL), CISTERN_OK);
    golden_assert_digest(out.data, bytes, hex, line);
    guard_page_free(&out);
    image_clear(&in);
}

static void presets_equal_the_genuine_libraries(void **state)
{
    (void)state;
    assert_int_equal(golden_each_of("presets-keras.txt", "preset", preset_one), 14 * 7);
    assert_int_equal(golden_each_of("presets-timm.txt", "preset", preset_one), 14 * 2);
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
    model_preprocess how = {.height = 1,
                            .width = 1,
                            .interpolation = MODEL_BILINEAR,
                            .mean = {0.0f, 0.5f, 0.0f},
                            .std = {1.0f, 0.25f, 2.0f}};
    image in = IMAGE_INIT;
    assert_int_equal(image_from_rgb(1, 1, 0, pixel, &in, NULL), CISTERN_OK);
    for (int legacy = 0; legacy < 2; legacy++) {
        how.sampling = legacy ? MODEL_SAMPLING_LEGACY : MODEL_SAMPLING_PILLOW;
        how.colour = MODEL_RGB;
        float *out = prepared(&in, &how);
        assert_true(out[0] == 1.0f && out[1] == -2.0f && out[2] == 0.1f);
        free(out);
        how.colour = MODEL_BGR; /* mean and deviation are then those of blue, green, red */
        out = prepared(&in, &how);
        assert_true(out[0] == 0.2f && out[1] == -2.0f && out[2] == 0.5f);
        free(out);
    }
    image_clear(&in);
}

/* A picture smaller than the crop: black around it, before mean and deviation; half of an odd rest is cut. */
static void what_is_missing_is_black(void **state)
{
    (void)state;
    static const uint8_t white[6] = {255, 255, 255, 255, 255, 255};
    for (int legacy = 0; legacy < 2; legacy++) {
        model_preprocess how = {.height = 2,
                                .width = 5,
                                .interpolation = MODEL_BILINEAR,
                                .mean = {1.0f, 0.5f, 0.0f},
                                .std = {1.0f, 1.0f, 1.0f},
                                .sampling = legacy ? MODEL_SAMPLING_LEGACY : MODEL_SAMPLING_PILLOW};
        image in = IMAGE_INIT;
        assert_int_equal(image_from_rgb(2, 1, 0, white, &in, NULL), CISTERN_OK);
        float *out = prepared(&in, &how);
        for (size_t i = 0; i < 10; i++) {
            assert_true(out[i] == (i == 1 || i == 2 ? 0.0f : -1.0f));
            assert_true(out[20 + i] == (i == 1 || i == 2 ? 1.0f : 0.0f));
        }
        free(out);
        image_clear(&in);
    }
}

static model_preprocess torchvision(void)
{
    model_preprocess how;
    assert_true(model_preset_find("torchvision", &how));
    return how;
}

/* 60,000 x 1 becomes 15 million x 256 under torchvision's rule; only the crop of it is computed here. */
static void a_very_long_picture_costs_only_its_crop(void **state)
{
    (void)state;
    image in = IMAGE_INIT;
    assert_int_equal(image_rgb_new(60000, 1, &in, NULL), CISTERN_OK);
    memset(in.rgb, 51, (size_t)60000 * IMAGE_CHANNELS);
    model_preprocess how = torchvision();
    float *out = prepared(&in, &how);
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
    model_preprocess how = torchvision();
    assert_int_equal(image_preprocess(&in, &how, out, &err), CISTERN_UNREADABLE);
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
        cmocka_unit_test(presets_equal_the_genuine_libraries),
        cmocka_unit_test(what_is_missing_is_black),
        cmocka_unit_test(channels_are_red_green_blue_planes),
        cmocka_unit_test(a_very_long_picture_costs_only_its_crop),
        cmocka_unit_test(a_longer_one_is_refused_with_its_size),
    };
    return cmocka_run_group_tests_name("image_preprocess", tests, NULL, NULL);
}
