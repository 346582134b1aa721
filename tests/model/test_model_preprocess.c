/* Names of the ways to prepare a picture, and the presets. What the presets do to pixels is tests/image's. */
#include "cistern_test.h"
#include "model_preprocess.h"

static void every_preset_is_found_by_its_name(void **state)
{
    (void)state;
    model_preprocess how;
    assert_int_equal(model_preset_count(), 10);
    for (size_t i = 0; i < model_preset_count(); i++) {
        assert_true(strlen(model_preset_name(i)) < MODEL_PRESET_MAX);
        assert_true(model_preset_find(model_preset_name(i), &how));
        assert_int_equal(how.height, 224);
        assert_true(how.std[0] > 0 && how.std[1] > 0 && how.std[2] > 0);
        assert_true(how.sampling == MODEL_SAMPLING_PILLOW || how.interpolation == MODEL_BILINEAR);
    }
    assert_false(model_preset_find("kera", &how));
    assert_false(model_preset_find("", &how));
}

static void presets_say_what_their_frameworks_do(void **state)
{
    (void)state;
    model_preprocess how;
    assert_true(model_preset_find("keras", &how));
    assert_true(how.colour == MODEL_BGR && how.scale == MODEL_SCALE_255 && how.mean[0] == 103.939f);
    assert_true(how.resize == MODEL_RESIZE_SQUASH && how.interpolation == MODEL_NEAREST);
    assert_true(model_preset_find("tf-slim", &how));
    assert_true(how.colour == MODEL_RGB && how.scale == MODEL_SCALE_255 && how.mean[0] == 123.68f);
    assert_true(how.sampling == MODEL_SAMPLING_LEGACY && how.resize_short == 256);
    assert_true(model_preset_find("caffe", &how));
    assert_true(how.colour == MODEL_BGR && how.resize == MODEL_RESIZE_SHORT && how.mean[2] == 123.68f);
    assert_true(model_preset_find("torchvision", &how));
    assert_true(how.colour == MODEL_RGB && how.scale == MODEL_SCALE_1 && how.mean[0] == 0.485f);
}

static void each_family_has_its_preset(void **state)
{
    (void)state;
    model_preprocess how;
    for (int family = MODEL_FAMILY_UNKNOWN; family <= MODEL_FAMILY_MXNET; family++)
        assert_true(model_preset_find(model_preset_of_family((model_family)family), &how));
    assert_string_equal(model_preset_of_family(MODEL_FAMILY_TORCH), "torchvision");
    assert_string_equal(model_preset_of_family(MODEL_FAMILY_KERAS), "keras");
    assert_string_equal(model_preset_of_family(MODEL_FAMILY_TENSORFLOW), "tf-slim");
    assert_string_equal(model_preset_of_family(MODEL_FAMILY_CAFFE), "caffe");
    assert_string_equal(model_preset_of_family(MODEL_FAMILY_ONNX), "torchvision");
}

static void words_read_back(void **state)
{
    (void)state;
    for (int i = 0; i < 6; i++) {
        model_interpolation interpolation = MODEL_NEAREST;
        assert_true(
            model_interpolation_parse(model_interpolation_text((model_interpolation)i), &interpolation));
        assert_int_equal(interpolation, i);
    }
    for (int i = 0; i < 2; i++) {
        model_resize resize = MODEL_RESIZE_SHORT;
        model_sampling sampling = MODEL_SAMPLING_PILLOW;
        model_colour colour = MODEL_RGB;
        model_scale scale = MODEL_SCALE_1;
        assert_true(model_resize_parse(model_resize_text((model_resize)i), &resize));
        assert_true(model_sampling_parse(model_sampling_text((model_sampling)i), &sampling));
        assert_true(model_colour_parse(model_colour_text((model_colour)i), &colour));
        assert_true(model_scale_parse(model_scale_text((model_scale)i), &scale));
        assert_true((int)resize == i && (int)sampling == i && (int)colour == i && (int)scale == i);
        assert_false(model_colour_parse("BGR", &colour));
        assert_int_equal(colour, i); /* as it was */
    }
    assert_string_equal(model_interpolation_text((model_interpolation)6), "?");
}

static void any_member_makes_a_difference(void **state)
{
    (void)state;
    model_preprocess keras, other;
    assert_true(model_preset_find("keras", &keras));
    assert_true(model_preprocess_equal(&keras, &keras));
#define DIFFERS(member, value)                                                                               \
    other = keras;                                                                                           \
    other.member = value;                                                                                    \
    assert_false(model_preprocess_equal(&keras, &other))
    DIFFERS(height, 225);
    DIFFERS(width, 225);
    DIFFERS(resize_short, 1);
    DIFFERS(interpolation, MODEL_BOX);
    DIFFERS(mean[2], 1);
    DIFFERS(std[1], 2);
    DIFFERS(resize, MODEL_RESIZE_SHORT);
    DIFFERS(resize_height, 256);
    DIFFERS(resize_width, 256);
    DIFFERS(sampling, MODEL_SAMPLING_LEGACY);
    DIFFERS(colour, MODEL_RGB);
    DIFFERS(scale, MODEL_SCALE_1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_preset_is_found_by_its_name),
        cmocka_unit_test(presets_say_what_their_frameworks_do),
        cmocka_unit_test(each_family_has_its_preset),
        cmocka_unit_test(words_read_back),
        cmocka_unit_test(any_member_makes_a_difference),
    };
    return cmocka_run_group_tests_name("model_preprocess", tests, NULL, NULL);
}
