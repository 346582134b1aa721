/* The table of published weights: its rows agree with themselves and with the architectures; finding and recognising. */
#include <ctype.h>

#include "cistern_test.h"
#include "model_published.h"
#include "model_vgg.h"

static void each_is_hex(const char *text, size_t n)
{
    assert_int_equal(strlen(text), n);
    for (; *text; text++)
        assert_true(isdigit((unsigned char)*text) || (*text >= 'a' && *text <= 'f'));
}

/* Numbers in a VGG with 1000 classes, or in its convolutions only. */
static uint64_t numbers_of(const model_vgg *vgg, bool head)
{
    static const uint64_t widths[] = {64, 128, 256, 512, 512};
    uint64_t in = 3, sum = 0;
    int stage = 0;
    for (int i = 0; i < vgg->conv_count; i++) {
        uint64_t out = widths[stage];
        sum += out * in * 9 + out + (vgg->batch_norm ? 2 * out : 0);
        in = out;
        stage += vgg->conv[i].pool_after;
    }
    return sum + (head ? 512 * 49 * 4096 + 4096 + 4096 * 4096 + 4096 + 4096 * 1000 + 1000 : 0);
}

static void rows_agree_with_themselves_and_with_their_architectures(void **state)
{
    size_t torch_rows = 0;
    (void)state;
    for (size_t i = 0; i < model_published_count(); i++) {
        const model_published *row = model_published_peek(i);
        const model_vgg *vgg = model_vgg_find(row->architecture);
        bool torch = strcmp(row->publisher, "torchvision") == 0;
        assert_non_null(vgg);
        /* what torchvision publishes as features holds a classifier of NaN */
        assert_int_equal(row->params, numbers_of(vgg, row->head || torch));
        assert_true(row->sha256 || row->prefix || row->md5);
        if (row->sha256)
            each_is_hex(row->sha256, 64);
        if (row->md5)
            each_is_hex(row->md5, 32);
        if (row->sha256 && row->prefix)
            assert_memory_equal(row->sha256, row->prefix, MODEL_PUBLISHED_PREFIX_HEX);
        if (torch) {
            char end[32];
            snprintf(end, sizeof end, "-%s.pth", row->prefix);
            assert_non_null(strstr(row->url, end));
            torch_rows++;
        }
        if (row->size)
            assert_in_range(row->size, 4 * row->params, 4 * row->params + (1 << 20));
        assert_ptr_equal(model_published_by_url(row->url), row);
    }
    assert_int_equal(torch_rows, 9);
    assert_null(model_published_peek(model_published_count()));
}

static void a_model_is_found_by_its_name_and_weights(void **state)
{
    const model_published *row = model_published_find("torchvision", "vgg16");
    char list[512];
    (void)state;
    assert_string_equal(row->url, "https://download.pytorch.org/models/vgg16-397923af.pth");
    assert_ptr_equal(model_published_find("torchvision", "vgg16.DEFAULT"), row);
    assert_ptr_equal(model_published_find("torchvision", "vgg16.IMAGENET1K_V1"), row);
    row = model_published_find("torchvision", "vgg16.IMAGENET1K_FEATURES");
    assert_string_equal(row->prefix, "88682ab5");
    assert_false(row->head);
    assert_string_equal(model_published_find("torchvision", "vgg16_bn")->prefix, "6c64b313");
    assert_string_equal(model_published_find("keras", "vgg19.notop")->md5,
                        "253f8cb515780f3b799900260a226db6");
    assert_null(model_published_find("torchvision", "vgg"));
    assert_null(model_published_find("torchvision", "vgg16."));
    assert_null(model_published_find("torchvision", "vgg16.DEFAULTS"));
    assert_null(model_published_find("torchvision", "VGG16"));
    assert_null(model_published_find("torchvision", ""));
    assert_null(model_published_find("keras", "vgg11"));
    model_published_list("torchvision", list, sizeof list);
    assert_string_equal(list, "vgg11, vgg11_bn, vgg13, vgg13_bn, vgg16, vgg16_bn, vgg19, vgg19_bn, "
                              "vgg16.IMAGENET1K_FEATURES");
    model_published_list("torchvision", list, 16);
    assert_string_equal(list, "vgg11, vgg11_bn");
}

static void a_file_is_recognised_by_its_digest_and_size_never_by_its_name(void **state)
{
    char digest[65];
    const model_published *row = model_published_find("torchvision", "vgg11");
    (void)state;
    assert_string_equal(model_published_by_digest(
                            "397923af8e79cdbb6a7127f12361acd7a2f83e06b05044ddf496e83de57a5bf0", 553433881)
                            ->model,
                        "vgg16");
    /* the whole digest is known: eight equal digits are not enough */
    assert_null(model_published_by_digest("397923af00000000000000000000000000000000000000000000000000000000",
                                          553433881));
    snprintf(digest, sizeof digest, "8a719046%056d", 0);
    assert_ptr_equal(model_published_by_digest(digest, 4 * row->params + 5000), row);
    assert_null(model_published_by_digest(digest, 4 * row->params - 1));
    assert_null(model_published_by_digest(digest, 4 * row->params + (2 << 20)));
    snprintf(digest, sizeof digest, "8a719047%056d", 0);
    assert_null(model_published_by_digest(digest, 4 * row->params + 5000));
    assert_string_equal(model_published_by_digest(
                            "57b026918159a6bf9faf8405c3a551903768e7138989d9c6224a14227203fad8", 553434000)
                            ->publisher,
                        "hf");
    assert_ptr_equal(model_published_by_file("torchvision", "vgg11-8a719046.pth"), row);
    assert_null(model_published_by_file("torchvision", "vgg11.pth"));
}

static void facts_of_a_row_rank_as_the_tables(void **state)
{
    model_facts facts;
    (void)state;
    assert_int_equal(model_published_facts(model_published_find("torchvision", "vgg19_bn"), &facts, NULL),
                     CISTERN_OK);
    assert_string_equal(facts.architecture, "vgg19_bn");
    assert_int_equal(facts.architecture_source, MODEL_FACT_PUBLISHED);
    assert_string_equal(facts.preset, "torchvision");
    assert_int_equal(facts.preprocess_source, MODEL_FACT_PUBLISHED);
    assert_string_equal(facts.label_set, "imagenet-1k");
    assert_int_equal(facts.labels_source, MODEL_FACT_PUBLISHED);
    assert_int_equal(facts.head, MODEL_HEAD_UNKNOWN); /* the weights say */
    model_facts_clear(&facts);
}

static void facts_of_keras_are_its_own(void **state)
{
    model_facts facts;
    (void)state;
    assert_int_equal(model_published_facts(model_published_find("keras", "vgg16"), &facts, NULL), CISTERN_OK);
    assert_string_equal(facts.preset, "keras");
    assert_string_equal(facts.label_set, "imagenet-1k");
    model_facts_clear(&facts);
    assert_int_equal(model_published_facts(model_published_find("keras", "vgg19.notop"), &facts, NULL),
                     CISTERN_OK);
    assert_int_equal(facts.head, MODEL_HEAD_NONE);
    model_facts_clear(&facts);
}

static void every_row_gives_facts(void **state)
{
    (void)state;
    for (size_t i = 0; i < model_published_count(); i++) {
        model_facts facts;
        assert_int_equal(model_published_facts(model_published_peek(i), &facts, NULL), CISTERN_OK);
        model_facts_clear(&facts);
    }
}

static void features_have_no_head_and_a_preprocessing_of_their_own(void **state)
{
    model_facts facts;
    (void)state;
    assert_int_equal(
        model_published_facts(model_published_find("torchvision", "vgg16.IMAGENET1K_FEATURES"), &facts, NULL),
        CISTERN_OK);
    assert_int_equal(facts.head, MODEL_HEAD_NONE);
    assert_null(facts.labels);
    assert_string_equal(facts.preset, "torchvision-features");
    assert_float_equal(facts.preprocess.mean[0], 0.48235f, 1e-7f);
    assert_float_equal(facts.preprocess.mean[2], 0.40784f, 1e-7f);
    assert_float_equal(facts.preprocess.std[1], 1.0f / 255.0f, 1e-9f);
    assert_int_equal(facts.preprocess.height, 224);
    model_facts_clear(&facts);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_agree_with_themselves_and_with_their_architectures),
        cmocka_unit_test(a_model_is_found_by_its_name_and_weights),
        cmocka_unit_test(a_file_is_recognised_by_its_digest_and_size_never_by_its_name),
        cmocka_unit_test(facts_of_a_row_rank_as_the_tables),
        cmocka_unit_test(facts_of_keras_are_its_own),
        cmocka_unit_test(every_row_gives_facts),
        cmocka_unit_test(features_have_no_head_and_a_preprocessing_of_their_own),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
