/* Facts: where they come from, which wins, and their stored form. */
#include "base_json.h"
#include "cistern_test.h"
#include "model_facts.h"

static const char config[] =
    "{\"architecture\":\"vgg11_bn.digits\",\"num_classes\":3,\"label_names\":[\"zero\",\"one\",\"two\"],"
    "\"pretrained_cfg\":{\"input_size\":[3,32,32],\"mean\":[0.5,0.25,0.125],\"std\":[0.5,0.3,0.1],"
    "\"interpolation\":\"bilinear\",\"crop_pct\":0.875}}";

static model_facts from_config(const char *text)
{
    model_facts facts;
    bool used = false;
    cistern_error err = CISTERN_ERROR_INIT;
    model_facts_init(&facts);
    assert_int_equal(model_facts_from_config(&facts, text, strlen(text), &used, &err), CISTERN_OK);
    assert_true(used);
    return facts;
}

static void a_config_in_timms_schema_is_read(void **state)
{
    model_facts facts = from_config(config);
    (void)state;
    assert_string_equal(facts.architecture, "vgg11_bn");
    assert_int_equal(facts.architecture_source, MODEL_FACT_CONFIG);
    assert_int_equal(facts.preprocess.height, 32);
    assert_int_equal(facts.preprocess.resize_short, 36); /* floor(32 / 0.875) */
    assert_int_equal(facts.preprocess.interpolation, MODEL_BILINEAR);
    assert_true(facts.preprocess.mean[1] == 0.25f && facts.preprocess.std[1] == 0.3f);
    assert_int_equal(facts.classes, 3);
    assert_string_equal(facts.labels[2], "two");
    model_facts_clear(&facts);
}

static void a_config_that_squashes_is_read(void **state)
{
    model_facts facts =
        from_config("{\"mean\":[0,0,0],\"input_size\":[3,64,96],\"crop_mode\":\"squash\",\"crop_pct\":0.9,"
                    "\"interpolation\":\"hamming\"}");
    (void)state;
    assert_int_equal(facts.preprocess.resize, MODEL_RESIZE_SQUASH);
    assert_int_equal(facts.preprocess.height, 64);
    assert_int_equal(facts.preprocess.width, 96);
    assert_int_equal(facts.preprocess.resize_height, 71); /* floor(64 / 0.9) */
    assert_int_equal(facts.preprocess.resize_width, 106);
    assert_int_equal(facts.preprocess.resize_short, 0);
    assert_int_equal(facts.preprocess.interpolation, MODEL_HAMMING);
    model_facts_clear(&facts);
}

static void a_flat_config_is_read_and_other_json_is_none(void **state)
{
    static const char *const none[] = {"",           "{}",     "[]",           "{\"model_type\":\"bert\"}",
                                       "{\"mean\":", "<html>", "{\"mean\":1}x"};
    model_facts facts =
        from_config("{\"mean\":[0,0,0],\"std\":[1,1,1],\"input_size\":[3,64,64],\"crop_pct\":1}");
    bool used = true;
    (void)state;
    assert_int_equal(facts.preprocess.resize_short, 64);
    assert_int_equal(facts.preprocess.interpolation, MODEL_BICUBIC); /* timm's default */
    model_facts_clear(&facts);
    for (size_t i = 0; i < sizeof none / sizeof none[0]; i++) {
        used = true;
        assert_int_equal(model_facts_from_config(&facts, none[i], strlen(none[i]), &used, NULL), CISTERN_OK);
        assert_false(used);
    }
    model_facts_clear(&facts);
}

static void a_wrong_field_is_named(void **state)
{
    static const char *const bad[][2] = {
        {"{\"mean\":[0,0]}", "'mean'"},
        {"{\"mean\":[0,0,\"x\"]}", "'mean'"},
        {"{\"mean\":[0,0,0],\"std\":[1,0,1]}", "'std'"},
        {"{\"mean\":[0,0,0],\"input_size\":[1,32,32]}", "'input_size'"},
        {"{\"mean\":[0,0,0],\"input_size\":[3,31,31]}", "'input_size'"},
        {"{\"mean\":[0,0,0],\"input_size\":[3,32,64]}", "'input_size'"},
        {"{\"mean\":[0,0,0],\"input_size\":[3,1000000000000,1000000000000]}", "'input_size'"},
        {"{\"mean\":[0,0,0],\"crop_pct\":0}", "'crop_pct'"},
        {"{\"mean\":[0,0,0],\"crop_mode\":\"border\"}",
         "'crop_mode' is 'border'; center and squash are read"},
        {"{\"mean\":[0,0,0],\"crop_mode\":1}", "'crop_mode'"},
        {"{\"mean\":[0,0,0],\"crop_mode\":\"squash\",\"input_size\":[3,32,5000]}", "'input_size'"},
        {"{\"mean\":[0,0,0],\"crop_pct\":\"1\"}", "'crop_pct'"},
        {"{\"mean\":[0,0,0],\"interpolation\":\"random\"}", "'interpolation'"},
        {"{\"architecture\":7}", "'architecture'"},
        {"{\"architecture\":\"vgg16\",\"num_classes\":0}", "'num_classes'"},
        {"{\"architecture\":\"vgg16\",\"num_classes\":2,\"label_names\":[\"a\"]}",
         "1 label_names for 2 classes"},
        {"{\"architecture\":\"vgg16\",\"label_names\":[1]}", "label 0"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        model_facts facts;
        cistern_error err = CISTERN_ERROR_INIT;
        bool used = false;
        model_facts_init(&facts);
        assert_int_equal(model_facts_from_config(&facts, bad[i][0], strlen(bad[i][0]), &used, &err),
                         CISTERN_USAGE);
        if (!strstr(err.text, bad[i][1]))
            fail_msg("%s: %s", bad[i][0], err.text);
        model_facts_clear(&facts);
    }
}

static void a_flag_wins_over_a_config_whichever_comes_first(void **state)
{
    for (int first = 0; first < 2; first++) {
        model_facts facts;
        bool used;
        (void)state;
        model_facts_init(&facts);
        if (first)
            assert_int_equal(model_facts_set_preset(&facts, "torchvision", MODEL_FACT_FLAG, NULL),
                             CISTERN_OK);
        assert_int_equal(model_facts_from_config(&facts, config, strlen(config), &used, NULL), CISTERN_OK);
        if (!first)
            assert_int_equal(model_facts_set_preset(&facts, "torchvision", MODEL_FACT_FLAG, NULL),
                             CISTERN_OK);
        assert_int_equal(facts.preprocess.height, 224);
        assert_string_equal(facts.architecture, "vgg11_bn");
        model_facts_clear(&facts);
    }
}

static void an_unknown_preset_is_refused_with_those_that_are_known(void **state)
{
    model_facts facts;
    cistern_error err = CISTERN_ERROR_INIT;
    (void)state;
    model_facts_init(&facts);
    assert_int_equal(model_facts_set_preset(&facts, "imagenet", MODEL_FACT_FLAG, &err), CISTERN_USAGE);
    assert_string_equal(err.text,
                        "preprocessing 'imagenet' is not known: torchvision, timm, keras, keras-bilinear, "
                        "keras-bicubic, keras-lanczos, keras-box, keras-hamming, tf-slim, caffe");
    assert_int_equal(facts.preprocess_source, MODEL_FACT_NONE);
}

static void the_family_decides_the_preset_unless_it_is_said(void **state)
{
    model_facts facts;
    (void)state;
    model_facts_init(&facts);
    assert_int_equal(model_facts_complete(&facts, "vgg16", MODEL_HEAD_NONE, 0, MODEL_FAMILY_KERAS, NULL),
                     CISTERN_OK);
    assert_string_equal(facts.preset, "keras");
    assert_int_equal(facts.preprocess_source, MODEL_FACT_FAMILY);
    assert_int_equal(facts.head, MODEL_HEAD_NONE);
    model_facts_clear(&facts);
    assert_int_equal(model_facts_set_preset(&facts, "caffe", MODEL_FACT_FLAG, NULL), CISTERN_OK);
    assert_int_equal(model_facts_complete(&facts, "vgg16", MODEL_HEAD_NONE, 0, MODEL_FAMILY_KERAS, NULL),
                     CISTERN_OK);
    assert_string_equal(facts.preset, "caffe");
    model_facts_clear(&facts);
}

static void every_preset_is_stored_and_read_back(void **state)
{
    (void)state;
    for (size_t i = 0; i < model_preset_count(); i++) {
        model_facts facts, back;
        json_t *object = NULL;
        model_facts_init(&facts);
        assert_int_equal(model_facts_set_preset(&facts, model_preset_name(i), MODEL_FACT_FLAG, NULL),
                         CISTERN_OK);
        assert_int_equal(model_facts_to_json(&facts, &object, NULL), CISTERN_OK);
        assert_int_equal(model_facts_from_json(&back, object, NULL), CISTERN_OK);
        assert_true(model_facts_hold(&back, &facts));
        assert_string_equal(back.preset, model_preset_name(i));
        json_decref(object);
    }
}

/* Written when there was one way only: it is that way. */
static void facts_without_the_choices_are_torchvisions_way(void **state)
{
    static const char text[] = "{\"preprocess\":{\"height\":224,\"width\":224,\"resize_short\":256,"
                               "\"interpolation\":\"bilinear\",\"mean\":"
                               "[\"0.485\",\"0.456\",\"0.406\"],\"std\":[\"0.229\",\"0.224\",\"0.225\"],"
                               "\"preset\":\"torchvision\",\"source\":"
                               "\"flag\"}}";
    json_t *object = json_loads(text, 0, NULL);
    model_preprocess how;
    model_facts facts;
    (void)state;
    assert_int_equal(model_facts_from_json(&facts, object, NULL), CISTERN_OK);
    assert_true(model_preset_find("torchvision", &how));
    assert_true(model_preprocess_equal(&facts.preprocess, &how));
    json_decref(object);
}

static void without_facts_it_is_torchvisions_preset_and_labels_only_for_1000_classes(void **state)
{
    model_facts facts;
    (void)state;
    model_facts_init(&facts);
    assert_int_equal(
        model_facts_complete(&facts, "vgg16", MODEL_HEAD_UNKNOWN, 1000, MODEL_FAMILY_TORCH, NULL),
        CISTERN_OK);
    assert_string_equal(facts.preset, "torchvision");
    assert_string_equal(facts.labels[281], "tabby");
    assert_int_equal(facts.preprocess.resize_short, 256);
    model_facts_clear(&facts);
    assert_int_equal(model_facts_complete(&facts, "vgg16", MODEL_HEAD_UNKNOWN, 10, MODEL_FAMILY_TORCH, NULL),
                     CISTERN_OK);
    assert_null(facts.labels);
    assert_int_equal(facts.classes, 10);
    model_facts_clear(&facts);
}

static void a_class_for_the_background_moves_the_names_by_one(void **state)
{
    model_facts facts;
    (void)state;
    model_facts_init(&facts);
    assert_int_equal(
        model_facts_complete(&facts, "vgg16", MODEL_HEAD_PROBABILITIES, 1001, MODEL_FAMILY_TENSORFLOW, NULL),
        CISTERN_OK);
    assert_string_equal(facts.labels[0], "background");
    assert_string_equal(facts.labels[282], "tabby");
    assert_string_equal(facts.label_set, "imagenet-1k-background");
    model_facts_clear(&facts);
    assert_int_equal(
        model_facts_complete(&facts, "vgg16", MODEL_HEAD_UNKNOWN, 1001, MODEL_FAMILY_TORCH, NULL),
        CISTERN_OK);
    assert_null(facts.labels);
    model_facts_clear(&facts);
}

static void labels_that_do_not_number_the_classes_are_refused(void **state)
{
    model_facts facts = from_config(config);
    cistern_error err = CISTERN_ERROR_INIT;
    (void)state;
    assert_int_equal(
        model_facts_complete(&facts, "vgg11_bn", MODEL_HEAD_UNKNOWN, 10, MODEL_FAMILY_TORCH, &err),
        CISTERN_USAGE);
    assert_string_equal(err.text, "3 labels (config.json) for a model of 10 classes");
    model_facts_clear(&facts);
}

static void labels_come_as_lines_or_as_json(void **state)
{
    static const char *const texts[] = {"cat\ndog\n", "cat\r\ndog", "[\"cat\",\"dog\"]", "cat\ndog\n\n\n"};
    (void)state;
    for (size_t i = 0; i < 4; i++) {
        model_facts facts;
        model_facts_init(&facts);
        assert_int_equal(model_facts_set_labels(&facts, texts[i], strlen(texts[i]), MODEL_FACT_FLAG, NULL),
                         CISTERN_OK);
        assert_int_equal(facts.classes, 2);
        assert_string_equal(facts.labels[0], "cat");
        assert_string_equal(facts.labels[1], "dog");
        model_facts_clear(&facts);
        assert_int_equal(model_facts_set_labels(&facts, "", 0, MODEL_FACT_FLAG, NULL), CISTERN_USAGE);
        assert_int_equal(model_facts_set_labels(&facts, "[1]", 3, MODEL_FACT_FLAG, NULL), CISTERN_USAGE);
        assert_int_equal(model_facts_set_labels(&facts, "\xff", 1, MODEL_FACT_FLAG, NULL), CISTERN_USAGE);
    }
}

/* Lines, of which the last is a text of `bytes` bytes. */
static cistern_status with_labels(unsigned count, unsigned bytes, uint32_t *classes, cistern_error *err)
{
    model_facts facts;
    base_buf text;
    model_facts_init(&facts);
    base_buf_init(&text, 1 << 20);
    for (unsigned i = 1; i < count; i++)
        assert_int_equal(base_buf_put(&text, "x\n", 2, NULL), CISTERN_OK);
    for (unsigned i = 0; i < bytes; i++)
        assert_int_equal(base_buf_put(&text, "y", 1, NULL), CISTERN_OK);
    cistern_status st = model_facts_set_labels(&facts, text.data, text.len, MODEL_FACT_FLAG, err);
    *classes = facts.classes;
    base_buf_clear(&text);
    model_facts_clear(&facts);
    return st;
}

static void labels_as_many_and_as_long_as_allowed_and_one_more(void **state)
{
    cistern_error err = CISTERN_ERROR_INIT;
    uint32_t classes;
    (void)state;
    assert_int_equal(with_labels(MODEL_LABELS_MAX, MODEL_LABEL_BYTES_MAX, &classes, &err), CISTERN_OK);
    assert_int_equal(classes, MODEL_LABELS_MAX);
    assert_int_equal(with_labels(MODEL_LABELS_MAX + 1, 1, &classes, &err), CISTERN_USAGE);
    assert_string_equal(err.text, "65537 labels, from 1 to 65536 allowed");
    assert_int_equal(with_labels(2, MODEL_LABEL_BYTES_MAX + 1, &classes, &err), CISTERN_USAGE);
    assert_string_equal(err.text, "label 1 is not a text of at most 256 bytes");
}

static void stored_facts_read_back_equal(void **state)
{
    (void)state;
    for (int i = 0; i < 3; i++) {
        static const uint32_t classes[] = {3, 1000, 1001};
        static const model_head heads[] = {MODEL_HEAD_NONE, MODEL_HEAD_UNKNOWN, MODEL_HEAD_PROBABILITIES};
        model_facts facts, back;
        json_t *object = NULL;
        base_buf text;
        model_facts_init(&facts);
        if (i == 0)
            facts = from_config(config);
        assert_int_equal(
            model_facts_complete(&facts, "vgg11_bn", heads[i], classes[i], MODEL_FAMILY_TENSORFLOW, NULL),
            CISTERN_OK);
        assert_int_equal(model_facts_to_json(&facts, &object, NULL), CISTERN_OK);
        base_buf_init(&text, 1 << 20);
        assert_int_equal(base_json_write(object, &text, NULL), CISTERN_OK); /* canonical types only */
        assert_int_equal(model_facts_from_json(&back, object, NULL), CISTERN_OK);
        assert_true(model_facts_equal(&facts, &back));
        assert_true(model_facts_hold(&back, &facts));
        assert_int_equal(back.preprocess_source, facts.preprocess_source);
        assert_int_equal(back.labels_source, facts.labels_source);
        assert_string_equal(back.label_set, facts.label_set);
        assert_int_equal(back.head, heads[i]);
        if (i >= 1)
            assert_null(strstr(text.data, "tabby")); /* a built-in set is stored by name */
        base_buf_clear(&text);
        json_decref(object);
        model_facts_clear(&facts);
        model_facts_clear(&back);
    }
}

/* A whole document with one wrong member, which is named. */
static void a_wrong_way_to_prepare_is_named(void **state)
{
    static const char *const bad[][3] = {
        {"interpolation", "\"bicubic\"", "legacy sampling with interpolation 'bicubic'"},
        {"interpolation", "\"random\"", "interpolation 'random' is not known"},
        {"resize", "\"long\"", "resize 'long' is not known"},
        {"sampling", "\"new\"", "sampling 'new' is not known"},
        {"colour", "\"gbr\"", "colour 'gbr' is not known"},
        {"scale", "\"2\"", "scale '2' is not known"},
        {"scale", "255", "'scale'"},
        {"resize_short", "70000", "'resize_short' is 70000, from 0 to 65536 allowed"},
        {"width", "0", "'width' is 0, from 1 to 65536 allowed"},
        {"std", "[\"1\",\"1\"]", "'std' is not a list of three numbers"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        model_facts facts, back;
        json_t *object = NULL;
        cistern_error err = CISTERN_ERROR_INIT;
        model_facts_init(&facts);
        assert_int_equal(model_facts_set_preset(&facts, "tf-slim", MODEL_FACT_FLAG, NULL), CISTERN_OK);
        assert_int_equal(model_facts_to_json(&facts, &object, NULL), CISTERN_OK);
        json_object_set_new(json_object_get(object, "preprocess"), bad[i][0],
                            json_loads(bad[i][1], JSON_DECODE_ANY, NULL));
        assert_int_equal(model_facts_from_json(&back, object, &err), CISTERN_DAMAGED);
        if (!strstr(err.text, bad[i][2]))
            fail_msg("%s: %s", bad[i][0], err.text);
        json_decref(object);
    }
}

static void hostile_stored_facts_are_damage(void **state)
{
    static const char *const bad[] = {
        "{\"classes\":70000}",
        "{\"classes\":\"3\"}",
        "{\"classes\":3,\"labels\":{\"set\":\"x\",\"list\":[\"a\"]}}",
        "{\"preprocess\":{\"height\":0}}",
        "{\"preprocess\":{\"interpolation\":\"bilinear\",\"height\":0}}",
        "{\"preprocess\":{\"interpolation\":\"random\"}}",
        "{\"preprocess\":{\"interpolation\":\"bilinear\",\"colour\":\"gbr\"}}",
        "{\"preprocess\":{\"interpolation\":\"bilinear\",\"scale\":255}}",
        "{\"preprocess\":{\"interpolation\":\"bilinear\",\"sampling\":\"\"}}",
        "{\"preprocess\":{\"interpolation\":\"bilinear\",\"resize\":\"long\"}}",
        "{\"architecture\":{\"value\":\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\"}}",
        "{\"architecture\":{}}",
        "{\"classes\":3,\"labels\":{\"set\":\"imagenet-1k\"}}"};
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        json_t *object = json_loads(bad[i], 0, NULL);
        model_facts facts;
        cistern_status st;
        assert_non_null(object);
        st = model_facts_from_json(&facts, object, NULL);
        if (st == CISTERN_OK)
            fail_msg("taken: %s", bad[i]);
        json_decref(object);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_config_in_timms_schema_is_read),
        cmocka_unit_test(a_config_that_squashes_is_read),
        cmocka_unit_test(an_unknown_preset_is_refused_with_those_that_are_known),
        cmocka_unit_test(the_family_decides_the_preset_unless_it_is_said),
        cmocka_unit_test(every_preset_is_stored_and_read_back),
        cmocka_unit_test(facts_without_the_choices_are_torchvisions_way),
        cmocka_unit_test(a_flat_config_is_read_and_other_json_is_none),
        cmocka_unit_test(a_wrong_field_is_named),
        cmocka_unit_test(a_flag_wins_over_a_config_whichever_comes_first),
        cmocka_unit_test(without_facts_it_is_torchvisions_preset_and_labels_only_for_1000_classes),
        cmocka_unit_test(a_class_for_the_background_moves_the_names_by_one),
        cmocka_unit_test(labels_that_do_not_number_the_classes_are_refused),
        cmocka_unit_test(labels_come_as_lines_or_as_json),
        cmocka_unit_test(labels_as_many_and_as_long_as_allowed_and_one_more),
        cmocka_unit_test(stored_facts_read_back_equal),
        cmocka_unit_test(a_wrong_way_to_prepare_is_named),
        cmocka_unit_test(hostile_stored_facts_are_damage),
    };
    return cmocka_run_group_tests_name("model_facts", tests, NULL, NULL);
}
