/* JSON output, read back by a JSON library. */
#include "term_capture.h"
#include "term_json.h"
#include <jansson.h>
#include <math.h>

static capture shared;
static term_json json;

static void begin(void)
{
    capture_begin(&shared, false, false, true);
    term_json_init(&json, &shared.stream);
}

static json_t *parsed(void)
{
    json_t *value = json_loads(capture_text(&shared), JSON_DECODE_ANY | JSON_REJECT_DUPLICATES, NULL);
    assert_non_null(value);
    return value;
}

static void nesting_and_commas_are_right(void **state)
{
    (void)state;
    begin();
    term_json_object(&json, NULL);
    term_json_text(&json, "model", "vgg16:1");
    term_json_array(&json, "results");
    term_json_object(&json, NULL);
    term_json_u64(&json, "class", 281);
    term_json_end(&json);
    term_json_bool(&json, NULL, true);
    term_json_end(&json);
    term_json_text_or_null(&json, "note", "");
    term_json_end(&json);
    assert_string_equal(capture_text(&shared),
                        "{\"model\": \"vgg16:1\", \"results\": [{\"class\": 281}, true], \"note\": null}\n");
    json_decref(parsed());
    capture_end(&shared);
}

static void any_bytes_become_a_valid_string(void **state)
{
    (void)state;
    char every[256];
    for (int i = 1; i < 256; i++)
        every[i - 1] = (char)i;
    every[255] = '\0';
    begin();
    term_json_text(&json, NULL, every);
    json_t *value = parsed();
    assert_true(json_is_string(value));
    assert_memory_equal(json_string_value(value), every, 127);
    assert_null(strpbrk(capture_text(&shared), "\x01\x1b\x7f\n"));
    json_decref(value);
    capture_end(&shared);
}

static void floats_read_back_as_themselves(void **state)
{
    (void)state;
    const float values[] = {0.51f, 1.0f / 3, 11.2f, -0.0f, 1e-45f, 3.4028235e38f, 16777217.0f, 1e10f};
    begin();
    term_json_array(&json, NULL);
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++)
        term_json_float(&json, NULL, values[i]);
    term_json_float(&json, NULL, NAN);
    term_json_float(&json, NULL, INFINITY);
    term_json_end(&json);
    json_t *array = parsed();
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
        float back = (float)json_number_value(json_array_get(array, i));
        assert_memory_equal(&back, &values[i], i == 3 ? 0 : sizeof back);
    }
    assert_true(json_is_null(json_array_get(array, 8)) && json_is_null(json_array_get(array, 9)));
    assert_non_null(strstr(capture_text(&shared), "[0.51, 0.33333334, 11.2, "));
    json_decref(array);
    capture_end(&shared);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nesting_and_commas_are_right),
        cmocka_unit_test(any_bytes_become_a_valid_string),
        cmocka_unit_test(floats_read_back_as_themselves),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
