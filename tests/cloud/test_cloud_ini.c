/* AWS's configuration files: what is refused, where, and that nothing is read past the end. What is accepted is compared with
 * botocore in test_cloud_s3_config.c. */
#include "cistern_test.h"
#include "guard_page.h"
#include "priv/cloud_ini.h"

/* Parse bytes that end at a guard page. */
static cistern_status parse(const char *text, size_t n, cloud_ini **out, cistern_error *err)
{
    guard_page g = guard_page_of(text, n);
    cistern_status status = cloud_ini_parse((const char *)g.data, n, out, err);
    guard_page_free(&g);
    return status;
}

static void refusals_name_the_line_and_no_value(void **state)
{
    static const struct {
        const char *text, *says;
    } cases[] = {
        {"[a]\nx = secret\nx = secret\n", "line 3: the key 'x' comes twice"},
        {"[a]\n[b]\n[a]\n", "line 3: the section [a] comes twice"},
        {"x = secret\n", "line 1: a key before"},
        {"[a]\n\n# c\nsecret\n", "line 4: 'key = value' is expected"},
        {"[a]\n = secret\n", "line 2: there is no key"},
        {"[a\nsecret\n", "line 1: 'key = value'"},
        {"[]\n", "line 1: '[section]'"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        cloud_ini *ini = NULL;
        cistern_error err = CISTERN_ERROR_INIT;
        char text[2048];
        assert_says(parse(cases[i].text, strlen(cases[i].text), &ini, &err), CISTERN_USAGE, &err,
                    cases[i].says);
        cistern_error_format(&err, text, sizeof text);
        assert_null(strstr(text, "secret"));
        assert_null(ini);
    }
}

static void zero_bytes_are_refused(void **state)
{
    cloud_ini *ini = NULL;
    cistern_error err = CISTERN_ERROR_INIT;
    (void)state;
    assert_says(parse("[a]\nx=\0y\n", 9, &ini, &err), CISTERN_USAGE, &err, "zero byte");
}

/* Every beginning of a file is one that is understood or refused, and none is read past its end. */
static void every_cut_is_read_or_refused(void **state)
{
    static const char text[] =
        "# c\n[default]\nregion = eu\ns3 =\n  a = b\n\n  c = d\n[profile \"x y\"]\nk: v\n";
    (void)state;
    for (size_t n = 0; n < sizeof text; n++) {
        cloud_ini *ini = NULL;
        if (parse(text, n, &ini, NULL) == CISTERN_OK) {
            int section = cloud_ini_named_section(ini, "profile", "default");
            const char *value = cloud_ini_value(ini, section, "region");
            assert_true(value == NULL || strncmp(value, "eu", strlen(value)) == 0);
        }
        cloud_ini_free(ini);
    }
}

static void too_many_entries_are_refused(void **state)
{
    size_t size = 20u * (CLOUD_INI_ENTRIES_MAX + 2), n = 0;
    char *text = malloc(size);
    cloud_ini *ini = NULL;
    cistern_error err = CISTERN_ERROR_INIT;
    (void)state;
    assert_non_null(text);
    for (unsigned i = 0; i <= CLOUD_INI_ENTRIES_MAX; i++)
        n += (size_t)snprintf(text + n, size - n, "[s%u]\n", i);
    assert_says(parse(text, n, &ini, &err), CISTERN_USAGE, &err, "more than 10000");
    free(text);
}

static void nested_values_that_do_not_fit_are_refused(void **state)
{
    char out[4] = "old";
    bool found = true;
    cistern_error err = CISTERN_ERROR_INIT;
    (void)state;
    assert_ok(cloud_ini_nested("plain", "a", out, sizeof out, &found, &err), &err);
    assert_false(found);
    assert_string_equal(out, "old");
    assert_ok(cloud_ini_nested("\nx=y\na = 123 ", "a", out, sizeof out, &found, &err), &err);
    assert_true(found);
    assert_string_equal(out, "123");
    assert_says(cloud_ini_nested("\na=1234", "a", out, sizeof out, &found, &err), CISTERN_USAGE, &err,
                "4 bytes");
}

static void a_value_goes_on_with_more_indent(void **state)
{
    static const char text[] = "[a]\n x = 1\n\n  # c\n   2\n y =\n\n\n[b]\n";
    cloud_ini *ini = NULL;
    cistern_error err = CISTERN_ERROR_INIT;
    (void)state;
    assert_ok(parse(text, strlen(text), &ini, &err), &err);
    assert_string_equal(cloud_ini_value(ini, cloud_ini_section(ini, "a"), "x"), "1\n\n2");
    assert_string_equal(cloud_ini_value(ini, cloud_ini_section(ini, "a"), "y"), "");
    cloud_ini_free(ini);
}

static void names_of_sections_are_whole_words(void **state)
{
    static const char text[] =
        "[profile]\na=1\n[profilex b]\na=2\n[profile b c]\na=3\n[profile \"b]\na=4\n[b]\na=5\n";
    cloud_ini *ini = NULL;
    cistern_error err = CISTERN_ERROR_INIT;
    (void)state;
    assert_ok(parse(text, strlen(text), &ini, &err), &err);
    assert_int_equal(cloud_ini_named_section(ini, "profile", "b"), -1);
    assert_int_equal(cloud_ini_named_section(ini, "profile", ""), -1);
    assert_string_equal(cloud_ini_value(ini, cloud_ini_section(ini, "b"), "a"), "5");
    assert_null(cloud_ini_value(ini, -1, "a"));
    cloud_ini_free(ini);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(refusals_name_the_line_and_no_value),
        cmocka_unit_test(zero_bytes_are_refused),
        cmocka_unit_test(every_cut_is_read_or_refused),
        cmocka_unit_test(too_many_entries_are_refused),
        cmocka_unit_test(nested_values_that_do_not_fit_are_refused),
        cmocka_unit_test(a_value_goes_on_with_more_indent),
        cmocka_unit_test(names_of_sections_are_whole_words),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
