/* Finding a VGG among tensors, and saying what does not fit. */
#include "cistern_test.h"
#include "model_vgg.h"

/* An index with every tensor of an architecture, channel c of stage s at width. `skip` is left out, `odd` gets a wrong shape. */
static void put(model_index *index, const char *prefix, const char *name, uint32_t rank, uint64_t a,
                uint64_t b, uint64_t side)
{
    char full[128];
    model_tensor t = {0};
    cistern_error err = CISTERN_ERROR_INIT;
    snprintf(full, sizeof full, "%s%s", prefix, name);
    t.name = full;
    t.dtype = MODEL_F32;
    t.rank = rank;
    t.shape[0] = a;
    t.shape[1] = b;
    t.shape[2] = t.shape[3] = side;
    for (uint32_t d = rank; d-- > 0;)
        t.stride[d] = d + 1 == rank ? 1 : t.stride[d + 1] * t.shape[d + 1];
    assert_int_equal(model_index_add(index, &t, &err), CISTERN_OK);
}

typedef struct oddity {
    const char *skip, *wide; /* a tensor left out (ending in '.': all such); one with one row too many */
    const char *prefix;
} oddity;

static bool skipped(const char *skip, const char *name)
{
    size_t n = strlen(skip);
    return skip[n - 1] == '.' ? strncmp(skip, name, n) == 0 : strcmp(skip, name) == 0;
}

static model_index *vgg_index(const model_vgg *vgg, uint64_t width, uint64_t hidden, uint64_t classes,
                              oddity odd)
{
    static const int base[] = {1, 2, 4, 8, 8};
    uint64_t size = (uint64_t)1 << 40, in = 3;
    model_index *index = NULL;
    char name[64];
    int stage = 0;
    assert_int_equal(model_index_new(&size, 1, &index, NULL), CISTERN_OK);
#define PUT(rank, a, b, side)                                                                                \
    do {                                                                                                     \
        uint64_t extra = odd.wide && strcmp(odd.wide, name) == 0;                                            \
        if (!odd.skip || !skipped(odd.skip, name))                                                           \
            put(index, odd.prefix ? odd.prefix : "", name, rank, (a) + extra, b, side);                      \
    } while (0)
    for (int i = 0; i < vgg->conv_count; i++) {
        uint64_t out = width * (uint64_t)base[stage];
        static const char *const bn[] = {"weight", "bias", "running_mean", "running_var"};
        snprintf(name, sizeof name, "features.%d.weight", vgg->conv[i].feature);
        PUT(4, out, in, 3);
        snprintf(name, sizeof name, "features.%d.bias", vgg->conv[i].feature);
        PUT(1, out, 1, 1);
        for (int k = 0; vgg->batch_norm && k < 4; k++) {
            snprintf(name, sizeof name, "features.%d.%s", vgg->conv[i].feature + 1, bn[k]);
            PUT(1, out, 1, 1);
        }
        in = out;
        stage += vgg->conv[i].pool_after;
    }
    assert_int_equal(stage, MODEL_VGG_POOLS);
    for (int i = 0; i < 3; i++) {
        static const int number[] = {0, 3, 6};
        uint64_t ins = i == 0 ? in * 49 : hidden + (uint64_t)(i == 2),
                 outs = i == 2 ? classes : hidden + (uint64_t)(i == 1);
        snprintf(name, sizeof name, "classifier.%d.weight", number[i]);
        PUT(2, outs, ins, 1);
        snprintf(name, sizeof name, "classifier.%d.bias", number[i]);
        PUT(1, outs, 1, 1);
    }
    return index;
}

static void each_of_the_eight_is_found_at_any_width_and_prefix(void **state)
{
    static const char *const prefixes[] = {NULL, "module.", "model.backbone."};
    (void)state;
    assert_int_equal(model_vgg_count(), 8);
    for (size_t i = 0; i < model_vgg_count(); i++) {
        for (size_t p = 0; p < 3; p++) {
            oddity odd = {NULL, NULL, prefixes[p]};
            model_index *index = vgg_index(model_vgg_peek(i), 8 << p, 16, 7, odd);
            model_vgg_match match;
            cistern_error err = CISTERN_ERROR_INIT;
            assert_int_equal(model_vgg_match_index(index, NULL, &match, &err), CISTERN_OK);
            assert_ptr_equal(match.vgg, model_vgg_peek(i));
            assert_int_equal(match.classes, 7);
            assert_int_equal(match.hidden[0], 16);
            assert_int_equal(match.hidden[1], 17);
            assert_int_equal(match.channels[match.vgg->conv_count - 1], (uint64_t)(8 << p) * 8);
            assert_non_null(match.linear_bias[2]);
            assert_int_equal(match.bn_var[0] != NULL, match.vgg->batch_norm);
            assert_int_equal(model_vgg_match_index(index, match.vgg->name, &match, NULL), CISTERN_OK);
            assert_int_equal(model_vgg_match_index(index, i == 0 ? "vgg13" : "vgg11", &match, NULL),
                             CISTERN_UNREADABLE);
            model_index_free(index);
        }
    }
}

static void numbers_follow_torchvision(void **state)
{
    static const int vgg16[] = {0, 2, 5, 7, 10, 12, 14, 17, 19, 21, 24, 26, 28};
    static const int vgg19_bn[] = {0, 3, 7, 10, 14, 17, 20, 23, 27, 30, 33, 36, 40, 43, 46, 49};
    (void)state;
    for (int i = 0; i < 13; i++)
        assert_int_equal(model_vgg_find("vgg16")->conv[i].feature, vgg16[i]);
    for (int i = 0; i < 16; i++)
        assert_int_equal(model_vgg_find("vgg19_bn")->conv[i].feature, vgg19_bn[i]);
    assert_int_equal(model_vgg_find("vgg16")->conv[12].pool_feature, 30);
    assert_int_equal(model_vgg_find("vgg19_bn")->conv[15].pool_feature, 52);
    assert_null(model_vgg_find("vgg17"));
}

static void a_missing_tensor_is_named_with_the_nearest_architecture(void **state)
{
    oddity odd = {"features.28.bias", NULL, "module."};
    model_index *index = vgg_index(model_vgg_find("vgg16"), 8, 16, 10, odd);
    model_vgg_match match;
    cistern_error err = CISTERN_ERROR_INIT;
    (void)state;
    assert_int_equal(model_vgg_match_index(index, NULL, &match, &err), CISTERN_UNREADABLE);
    assert_string_equal(
        err.text,
        "not a VGG; nearest is vgg16: tensor 'module.features.28.bias' is missing (expected shape [64])");
    model_index_free(index);
}

static void a_wrong_shape_is_named_with_both_shapes(void **state)
{
    oddity odd = {NULL, "classifier.3.bias", NULL};
    model_index *index = vgg_index(model_vgg_find("vgg11_bn"), 8, 16, 10, odd);
    model_vgg_match match;
    cistern_error err = CISTERN_ERROR_INIT;
    (void)state;
    assert_int_equal(model_vgg_match_index(index, "vgg11_bn", &match, &err), CISTERN_UNREADABLE);
    assert_string_equal(err.text, "not a vgg11_bn: tensor 'classifier.3.bias': shape [18], expected [17]");
    model_index_free(index);
}

static void what_has_no_place_makes_it_another_network(void **state)
{
    oddity none = {NULL, NULL, NULL};
    model_index *index = vgg_index(model_vgg_find("vgg11"), 8, 16, 10, none);
    model_vgg_match match;
    cistern_error err = CISTERN_ERROR_INIT;
    (void)state;
    put(index, "", "features.21.weight", 1, 1, 1, 1);
    assert_int_equal(model_vgg_match_index(index, NULL, &match, &err), CISTERN_UNREADABLE);
    assert_non_null(strstr(err.text, "'features.21.weight' has no place in it"));
    model_index_free(index);
}

static void without_a_classifier_it_is_features_only(void **state)
{
    oddity odd = {"classifier.", NULL, "module."};
    model_index *index = vgg_index(model_vgg_find("vgg19_bn"), 8, 16, 10, odd);
    model_vgg_match match;
    cistern_error err = CISTERN_ERROR_INIT;
    (void)state;
    assert_int_equal(model_vgg_match_index(index, NULL, &match, &err), CISTERN_OK);
    assert_string_equal(match.vgg->name, "vgg19_bn");
    assert_false(match.has_head);
    assert_null(match.linear_weight[0]);
    assert_int_equal(match.classes, 0);
    put(index, "module.", "classifier.3.bias", 1, 17, 1, 1); /* a classifier that is not whole is none */
    assert_int_equal(model_vgg_match_index(index, NULL, &match, &err), CISTERN_UNREADABLE);
    assert_non_null(strstr(err.text, "tensor 'module.classifier.0.weight' is missing"));
    model_index_free(index);
}

static void timms_names_and_layers_as_convolutions(void **state)
{
    static const char *const names[] = {"pre_logits.fc1", "pre_logits.fc2", "head.fc"};
    const uint64_t shapes[3][3] = {{40, 64, 7}, {30, 40, 1}, {5, 30, 1}};
    oddity odd = {"classifier.", NULL, NULL};
    (void)state;
    for (int bad = 0; bad < 2; bad++) {
        model_index *index = vgg_index(model_vgg_find("vgg11"), 8, 16, 10, odd);
        model_vgg_match match;
        cistern_error err = CISTERN_ERROR_INIT;
        for (int i = 0; i < 3; i++) {
            char name[64];
            snprintf(name, sizeof name, "%s.weight", names[i]);
            put(index, "", name, i < 2 ? 4 : 2, shapes[i][0], shapes[i][1] + (uint64_t)(bad && i == 0),
                shapes[i][2]);
            snprintf(name, sizeof name, "%s.bias", names[i]);
            put(index, "", name, 1, shapes[i][0], 1, 1);
        }
        assert_int_equal(model_vgg_match_index(index, NULL, &match, &err),
                         bad ? CISTERN_UNREADABLE : CISTERN_OK);
        if (bad)
            assert_non_null(
                strstr(err.text, "'pre_logits.fc1.weight': shape [40, 65, 7, 7], expected [any, 64, 7, 7]"));
        else
            assert_true(match.has_head && match.hidden[0] == 40 && match.hidden[1] == 30 &&
                        match.classes == 5);
        model_index_free(index);
    }
}

static void epsilon_is_the_familys_unless_the_file_says_it(void **state)
{
    oddity none = {NULL, NULL, NULL};
    model_index *index = vgg_index(model_vgg_find("vgg11_bn"), 8, 16, 10, none);
    model_vgg_match match;
    (void)state;
    assert_int_equal(model_vgg_match_index(index, NULL, &match, NULL), CISTERN_OK);
    assert_true(match.epsilon == 1e-5);
    assert_int_equal(model_index_set_kind(index, "Keras HDF5", MODEL_FAMILY_KERAS, NULL), CISTERN_OK);
    assert_int_equal(model_vgg_match_index(index, NULL, &match, NULL), CISTERN_OK);
    assert_true(match.epsilon == 1e-3);
    assert_int_equal(model_index_set_epsilon(index, 2e-5, NULL), CISTERN_OK);
    assert_int_equal(model_vgg_match_index(index, NULL, &match, NULL), CISTERN_OK);
    assert_true(match.epsilon == 2e-5);
    model_index_free(index);
}

static void an_empty_index_is_no_vgg(void **state)
{
    uint64_t size = 10;
    model_index *index = NULL;
    model_vgg_match match;
    (void)state;
    assert_int_equal(model_index_new(&size, 1, &index, NULL), CISTERN_OK);
    assert_int_equal(model_vgg_match_index(index, NULL, &match, NULL), CISTERN_UNREADABLE);
    model_index_free(index);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_of_the_eight_is_found_at_any_width_and_prefix),
        cmocka_unit_test(numbers_follow_torchvision),
        cmocka_unit_test(a_missing_tensor_is_named_with_the_nearest_architecture),
        cmocka_unit_test(a_wrong_shape_is_named_with_both_shapes),
        cmocka_unit_test(what_has_no_place_makes_it_another_network),
        cmocka_unit_test(without_a_classifier_it_is_features_only),
        cmocka_unit_test(timms_names_and_layers_as_convolutions),
        cmocka_unit_test(epsilon_is_the_familys_unless_the_file_says_it),
        cmocka_unit_test(an_empty_index_is_no_vgg),
    };
    return cmocka_run_group_tests_name("model_vgg", tests, NULL, NULL);
}
