/* Keras configurations: which become a list of layers, and what is said of those that do not. What the layers must be for a
 * VGG is tested with genuine files (tests/api/test_api_input.c). */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "cistern_test.h"
#include "formats_limits.h"
#include "guard_page.h"
#include "priv/formats_keras_config.h"

#define MODEL(layers) "{\"class_name\":\"Sequential\",\"config\":{\"name\":\"m\",\"layers\":[" layers "]}}"
#define CONV(name)    "{\"class_name\":\"Conv2D\",\"config\":{\"name\":\"" name "\"}}"
/* A functional layer behind another, as Keras 2 and Keras 3 write it. */
#define AFTER2(name, before)                                                                                 \
    "{\"class_name\":\"Dense\",\"config\":{},\"name\":\"" name "\",\"inbound_nodes\":[[[\"" before           \
    "\",0,0,{}]]]}"
#define AFTER3(name, before)                                                                                 \
    "{\"class_name\":\"Dense\",\"config\":{},\"name\":\"" name                                               \
    "\",\"inbound_nodes\":[{\"args\":[{\"class_name\":\"__keras_tensor__\",\"config\":{\"keras_history\":["  \
    "\"" before "\",0,0]}}],\"kwargs\":{}}]}"
#define FIRST(name) "{\"class_name\":\"InputLayer\",\"config\":{},\"name\":\"" name "\",\"inbound_nodes\":[]}"

typedef struct reading {
    formats_keras_config c;
    bool lists;
    guard_page page;
} reading;

static reading read_text(const char *text, size_t n)
{
    reading r = {.page = guard_page_of(text, n)};
    cistern_error err = CISTERN_ERROR_INIT;

    assert_ok(formats_keras_config_read(r.page.data, n, &r.c, &r.lists, &err), &err);
    return r;
}

static void clear(reading *r)
{
    formats_keras_config_clear(&r->c);
    guard_page_free(&r->page);
}

static void layers_are_numbered_by_class_and_found_by_path(void **state)
{
    static const char text[] = MODEL(CONV("z") "," MODEL(
        CONV("y") ",{\"class_name\":\"Dropout\",\"config\":{}}," CONV("x")) "," CONV("w"));
    static const char *const places[] = {"conv2d", "sequential/conv2d", "sequential/-", "sequential/conv2d_1",
                                         "conv2d_1"};
    reading r = read_text(text, sizeof text - 1);

    (void)state;
    assert_true(r.lists);
    assert_string_equal(r.c.why, "");
    assert_int_equal(r.c.count, 5);
    for (size_t i = 0; i < 5; i++)
        assert_string_equal(r.c.step[i].place, places[i]);
    assert_string_equal(r.c.step[3].path, "m/x");
    clear(&r);
}

static void a_chain_is_one_in_both_ways_of_writing(void **state)
{
    static const struct {
        const char *text, *why;
    } cases[] = {
        {MODEL(FIRST("a") "," AFTER2("b", "a") "," AFTER2("c", "b")), ""},
        {MODEL(FIRST("a") "," AFTER3("b", "a") "," AFTER3("c", "b")), ""},
        {MODEL(FIRST("a") "," AFTER2("b", "a") "," AFTER2("c", "a")),
         "layer 'c' (Dense) follows 'a', not the layer before it"},
        {MODEL(FIRST("a") "," AFTER3("b", "a") "," AFTER3("c", "a")), "layer 'c' (Dense) follows 'a'"},
        {MODEL(AFTER3("b", "a")), "layer 'b' (Dense) follows 'a'"},
        {MODEL(FIRST("a") ",{\"class_name\":\"Dense\",\"config\":{},\"name\":\"b\",\"inbound_nodes\":"
                          "[[[\"a\",0,0,{}]],[[\"a\",0,0,{}]]]}"),
         "layer 'b' (Dense) is used more than once"},
        {MODEL(FIRST("a") ",{\"class_name\":\"Dense\",\"config\":{},\"name\":\"b\",\"inbound_nodes\":"
                          "[[[\"a\",0,0,{}],[\"a\",0,0,{}]]]}"),
         "layer 'b' (Dense) joins 2 branches"},
        {MODEL("{\"class_name\":\"Dense\"}"), "has no class or no configuration"},
        {MODEL("3"), "layer '?' has no class"},
        {MODEL("{\"class_name\":\"Model\",\"config\":{\"name\":\"own\"}}"),
         "layer 'own' (Model) lists no layers"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        reading r = read_text(cases[i].text, strlen(cases[i].text));
        assert_true(r.lists);
        if (!strstr(r.c.why, cases[i].why) || (!cases[i].why[0] && r.c.why[0]))
            fail_msg("%zu: '%s', not '%s'", i, r.c.why, cases[i].why);
        clear(&r);
    }
}

static void what_lists_no_layers_is_passed_over(void **state)
{
    static const char *const cases[] = {
        "",
        "[]",
        "{}",
        "{\"class_name\":\"Mine\",\"config\":{\"layers\":[]}}",
        "{\"class_name\":\"Model\",\"config\":7}",
        "{\"class_name\":\"Sequential\",\"config\":{\"layers\":[}",
        "{\"a\":NaN}",
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        reading r = read_text(cases[i], strlen(cases[i]));
        assert_false(r.lists);
        assert_int_equal(r.c.count, 0);
        clear(&r);
    }
}

static void models_inside_models_have_a_limit(void **state)
{
    (void)state;
    for (unsigned more = 0; more < 2; more++) {
        char text[4096] = "", *at = text;
        for (unsigned i = 0; i < FORMATS_KERAS_DEPTH_MAX + more; i++)
            at += sprintf(at, "{\"class_name\":\"Sequential\",\"config\":{\"name\":\"m%u\",\"layers\":[", i);
        at += sprintf(at, "%s", CONV("c"));
        for (unsigned i = 0; i < FORMATS_KERAS_DEPTH_MAX + more; i++)
            at += sprintf(at, "]}}");
        reading r = read_text(text, (size_t)(at - text));
        assert_int_equal(r.c.count, 1 - more);
        assert_int_equal(strstr(r.c.why, "is a model inside models") != NULL, more);
        clear(&r);
    }
}

/* Spaces behind a model: longer than allowed, it lists nothing. */
static void a_configuration_as_long_as_allowed_and_one_byte_more(void **state)
{
    static const char model[] = MODEL(CONV("a"));
    char *text = malloc(FORMATS_KERAS_CONFIG_MAX + 1);

    (void)state;
    assert_non_null(text);
    memset(text, ' ', FORMATS_KERAS_CONFIG_MAX + 1);
    memcpy(text, model, sizeof model - 1);
    for (size_t more = 0; more < 2; more++) {
        reading r = read_text(text, FORMATS_KERAS_CONFIG_MAX + more);
        assert_int_equal(r.lists, !more);
        clear(&r);
    }
    free(text);
}

static void members_are_words_numbers_pairs(void **state)
{
    static const char text[] = "{\"class_name\":\"Sequential\",\"config\":{\"layers\":[{\"class_name\":\"X\","
                               "\"config\":{\"name\":\"x\","
                               "\"w\":\"relu\",\"f\":{\"class_name\":\"function\",\"config\":\"softmax\"},"
                               "\"c\":{\"class_name\":\"ReLU\"},"
                               "\"n\":0.5,\"i\":3,\"t\":\"2\",\"p\":[2,3],\"q\":[1,2,3],\"r\":[2.5,1],\"z\":"
                               "null,\"y\":true,\"m\":-1}}]}}";
    reading r = read_text(text, sizeof text - 1);
    const json_t *c = r.c.step[0].config;
    double number;
    int pair[2];

    (void)state;
    assert_string_equal(formats_keras_config_word(c, "w"), "relu");
    assert_string_equal(formats_keras_config_word(c, "f"), "softmax");
    assert_string_equal(formats_keras_config_word(c, "c"), "ReLU");
    assert_null(formats_keras_config_word(c, "i"));
    assert_true(formats_keras_config_number(c, "n", 9, &number) && number < 0.6);
    assert_true(formats_keras_config_number(c, "z", 9, &number) && number > 8);
    assert_false(formats_keras_config_number(c, "t", 9, &number));
    assert_true(formats_keras_config_pair(c, "p", 7, pair) && pair[0] == 2 && pair[1] == 3);
    assert_true(formats_keras_config_pair(c, "i", 7, pair) && pair[0] == 3 && pair[1] == 3);
    assert_true(formats_keras_config_pair(c, "z", 7, pair) && pair[0] == 7);
    assert_false(formats_keras_config_pair(c, "q", 7, pair));
    assert_false(formats_keras_config_pair(c, "r", 7, pair));
    assert_false(formats_keras_config_pair(c, "m", 7, pair));
    assert_true(formats_keras_config_flag(c, "y", false) && formats_keras_config_flag(c, "z", true));
    clear(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(layers_are_numbered_by_class_and_found_by_path),
        cmocka_unit_test(a_chain_is_one_in_both_ways_of_writing),
        cmocka_unit_test(what_lists_no_layers_is_passed_over),
        cmocka_unit_test(models_inside_models_have_a_limit),
        cmocka_unit_test(a_configuration_as_long_as_allowed_and_one_byte_more),
        cmocka_unit_test(members_are_words_numbers_pairs),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
