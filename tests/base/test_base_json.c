#include "cistern_test.h"
#include "base_json.h"
#include "guard_page.h"

static cistern_status parse(const char *text, unsigned flags, json_t **out, cistern_error *err)
{
    size_t n = strlen(text);
    guard_page g = guard_page_of(text, n);
    cistern_status status = base_json_parse(g.data, n, flags, "doc.json", out, err);
    guard_page_free(&g);
    return status;
}

static void assert_refused(const char *text, unsigned flags, uint64_t offset, const char *says)
{
    cistern_error err = CISTERN_ERROR_INIT;
    json_t *root = NULL;
    assert_says(parse(text, flags, &root, &err), CISTERN_DAMAGED, &err, says);
    assert_says(err.status, CISTERN_DAMAGED, &err, "doc.json");
    assert_null(root);
    if (offset != UINT64_MAX) {
        assert_int_equal(err.has_offset, 1);
        assert_int_equal(err.offset, offset);
    }
}

static void canonical_bytes_are_sorted_and_exact(void **state)
{
    (void)state;
    cistern_error err = CISTERN_ERROR_INIT;
    json_t *root = NULL;
    base_buf out;
    base_buf_init(&out, 4096);
    assert_ok(parse(" {\"b\" : [1, -2,\ttrue,null] ,\n \"\xc3\xa9\":\"\xe2\x82\xac\", "
                    "\"a\":{\"z\":\"\\u00e9\\n\\\"\\/\",\"Z\":0},"
                    " \"aa\":9007199254740991, \"B\":{}, \"a-\":[], \"\":\"\"}",
                    BASE_JSON_STRICT, &root, &err),
              &err);
    assert_ok(base_json_write(root, &out, &err), &err);
    assert_string_equal(out.data,
                        "{\"\":\"\",\"B\":{},\"a\":{\"Z\":0,\"z\":\"\xc3\xa9\\n\\\"/\"},\"a-\":[],"
                        "\"aa\":9007199254740991,\"b\":[1,-2,true,null],\"\xc3\xa9\":\"\xe2\x82\xac\"}\n");
    json_decref(root);
    base_buf again;
    base_buf_init(&again, 4096);
    assert_ok(base_json_parse(out.data, out.len, 0, "doc.json", &root, &err), &err);
    assert_ok(base_json_write(root, &again, &err), &err);
    assert_string_equal(again.data, out.data);
    json_decref(root);
    base_buf_clear(&out);
    base_buf_clear(&again);
}

static void writing_appends_and_a_refused_value_leaves_no_trace(void **state)
{
    (void)state;
    cistern_error err = CISTERN_ERROR_INIT;
    base_buf out;
    base_buf_init(&out, 40);
    json_t *good = json_pack("{s:i}", "n", 1);
    json_t *real = json_pack("{s:f}", "n", 0.5);
    json_t *big = json_pack("{s:I}", "n", (json_int_t)1 << 53);
    json_t *least = json_pack("{s:I}", "n", -((json_int_t)1 << 53));
    json_t *digits = json_pack("{s:s}", "n", "0.5e400");
    assert_ok(base_json_write(good, &out, &err), &err);
    assert_says(base_json_write(real, &out, &err), CISTERN_UNEXPECTED, &err, "no integer");
    assert_says(base_json_write(big, &out, &err), CISTERN_UNEXPECTED, &err, "2^53");
    assert_fails(base_json_write(least, &out, &err), CISTERN_UNEXPECTED, &err);
    assert_string_equal(out.data, "{\"n\":1}\n");
    assert_ok(base_json_write(digits, &out, &err), &err);
    assert_string_equal(out.data, "{\"n\":1}\n{\"n\":\"0.5e400\"}\n");
    assert_ok(base_json_write(good, &out, &err), &err);
    assert_ok(base_json_write(good, &out, &err), &err);
    assert_fails(base_json_write(good, &out, &err), CISTERN_DAMAGED, &err); /* beyond the buffer's maximum */
    assert_int_equal(out.len, 40);
    json_decref(good);
    json_decref(real);
    json_decref(big);
    json_decref(least);
    json_decref(digits);
    base_buf_clear(&out);
}

static void duplicate_keys_are_refused(void **state)
{
    (void)state;
    assert_refused("{\"a\":1,\"a\":1}", 0, UINT64_MAX, "duplicate");
    assert_refused("{\"x\":{\"a\":1,\"\\u0061\":2}}", 0, UINT64_MAX, "duplicate");
}

static void numbers_that_do_not_survive_are_refused(void **state)
{
    (void)state;
    cistern_error err = CISTERN_ERROR_INIT;
    json_t *root = NULL;
    assert_refused("{\"a\":9007199254740992}", 0, 5, "2^53");
    assert_refused("{\"a\":[0,-9007199254740992]}", 0, 8, "2^53");
    assert_refused("{\"a\":123456789012345678901234567890}", 0, 5, "2^53");
    assert_refused("{\"a\":0.5}", 0, 5, "no integer");
    assert_refused("{\"a\":1e3}", 0, 5, "no integer");
    assert_refused("{\"a\":1E3}", 0, 5, "no integer");
    assert_refused("{\"a\":1e999}", BASE_JSON_REALS, UINT64_MAX, "real number overflow");
    assert_refused("{\"a\":NaN}", BASE_JSON_REALS, UINT64_MAX, "not valid JSON");
    assert_ok(
        parse("{\"a\":-9007199254740991,\"s\":\"0.5 1e3 99999999999999999999 \\\" 0.5\"}", 0, &root, &err),
        &err);
    json_decref(root);
    assert_ok(parse("{\"a\":0.875,\"b\":4e2,\"big\":9007199254740993}", BASE_JSON_REALS, &root, &err), &err);
    assert_true(json_real_value(json_object_get(root, "a")) == 0.875);
    json_decref(root);
}

static void nesting_is_refused_before_anything_recurses(void **state)
{
    (void)state;
    cistern_error err = CISTERN_ERROR_INIT;
    json_t *root = NULL;
    char text[200];
    memcpy(text, "{\"a\":", 5);
    for (size_t levels = 63; levels <= 64; levels++) {
        memset(text + 5, '[', levels);
        memset(text + 5 + levels, ']', levels);
        text[5 + 2 * levels] = '}';
        text[6 + 2 * levels] = '\0';
        if (levels == 63) {
            assert_ok(parse(text, 0, &root, &err), &err);
            json_decref(root);
            root = NULL;
        } else {
            assert_refused(text, 0, 5 + 63, "64 levels");
        }
    }
    char *deep = malloc(BASE_JSON_MAX + 2);
    memset(deep, '[', BASE_JSON_MAX + 1);
    deep[BASE_JSON_MAX] = '\0';
    assert_refused(deep, 0, 64, "64 levels");
    deep[BASE_JSON_MAX] = '[';
    deep[BASE_JSON_MAX + 1] = '\0';
    assert_refused(deep, 0, UINT64_MAX, "at most 4194304 allowed");
    free(deep);
}

static void brackets_in_strings_are_no_nesting(void **state)
{
    (void)state;
    cistern_error err = CISTERN_ERROR_INIT;
    json_t *root = NULL;
    char text[300];
    memset(text, '[', sizeof text);
    memcpy(text, "{\"a\":\"\\\"", 8);
    memcpy(text + 290, "\"}", 3);
    assert_ok(parse(text, 0, &root, &err), &err);
    json_decref(root);
}

static void what_is_no_object_or_no_json_is_refused(void **state)
{
    (void)state;
    assert_refused("", 0, UINT64_MAX, "not valid JSON");
    assert_refused("[1]", 0, UINT64_MAX, "an object was expected");
    assert_refused("{} {}", 0, UINT64_MAX, "not valid JSON");
    assert_refused("{}x", 0, UINT64_MAX, "not valid JSON");
    assert_refused("{\"a\"", 0, UINT64_MAX, "not valid JSON");
    assert_refused("{\"a", 0, UINT64_MAX, "not valid JSON");
    assert_refused("{\"a\\", 0, UINT64_MAX, "not valid JSON");
    assert_refused("{\"a\":-", 0, UINT64_MAX, "not valid JSON");
    assert_refused("{\"a\":01}", 0, UINT64_MAX, "not valid JSON");
    assert_refused("{'a':1}", 0, UINT64_MAX, "not valid JSON");
    assert_refused("{\"a\": nul}", 0, 8, "not valid JSON");
    assert_refused("{\"a\":\"\xff\"}", 0, UINT64_MAX, "not valid JSON");
    assert_refused("{\"a\":\"\\u0000\"}", 0, UINT64_MAX, "not valid JSON");
    assert_refused("\xef\xbb\xbf{}", 0, UINT64_MAX, "not valid JSON");
    assert_refused("<!DOCTYPE html>", 0, 0, "not valid JSON");
    cistern_error err = CISTERN_ERROR_INIT;
    json_t *root = NULL;
    assert_fails(base_json_parse("{}\0", 3, 0, "doc.json", &root, &err), CISTERN_DAMAGED, &err);
    assert_fails(base_json_parse("", 0, 0, "doc.json", &root, NULL), CISTERN_DAMAGED, NULL);
}

static void look_ups_name_key_and_both_types(void **state)
{
    (void)state;
    cistern_error err = CISTERN_ERROR_INIT;
    json_t *root = NULL;
    const char *text = NULL;
    uint64_t number = 5;
    assert_ok(parse("{\"s\":\"text\",\"n\":12,\"neg\":-1,\"null\":null,\"yes\":true,\"list\":[],\"map\":{}}",
                    0, &root, &err),
              &err);
    assert_ok(base_json_string(root, "s", "doc", &text, &err), &err);
    assert_string_equal(text, "text");
    assert_ok(base_json_u64(root, "n", "doc", &number, &err), &err);
    assert_int_equal(number, 12);
    assert_says(base_json_string(root, "x", "doc", &text, &err), CISTERN_DAMAGED, &err,
                "doc: 'x' is missing, a string was expected");
    assert_says(base_json_string(root, "n", "doc", &text, &err), CISTERN_DAMAGED, &err,
                "doc: 'n' is an integer, a string was expected");
    assert_says(base_json_u64(root, "null", "doc", &number, &err), CISTERN_DAMAGED, &err, "'null' is null");
    assert_says(base_json_u64(root, "yes", "doc", &number, &err), CISTERN_DAMAGED, &err, "a boolean");
    assert_says(base_json_u64(root, "list", "doc", &number, &err), CISTERN_DAMAGED, &err, "an array");
    assert_says(base_json_u64(root, "map", "doc", &number, &err), CISTERN_DAMAGED, &err, "an object");
    assert_says(base_json_u64(root, "neg", "doc", &number, &err), CISTERN_DAMAGED, &err, "'neg' is -1");
    assert_int_equal(number, 12);
    assert_string_equal(base_json_peek_string(root, "s"), "text");
    assert_null(base_json_peek_string(root, "n"));
    assert_null(base_json_peek_string(root, "x"));
    json_decref(root);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(canonical_bytes_are_sorted_and_exact),
        cmocka_unit_test(writing_appends_and_a_refused_value_leaves_no_trace),
        cmocka_unit_test(duplicate_keys_are_refused),
        cmocka_unit_test(numbers_that_do_not_survive_are_refused),
        cmocka_unit_test(nesting_is_refused_before_anything_recurses),
        cmocka_unit_test(brackets_in_strings_are_no_nesting),
        cmocka_unit_test(what_is_no_object_or_no_json_is_refused),
        cmocka_unit_test(look_ups_name_key_and_both_types),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
