/* The texts of doubles and floats. Where a locale with a decimal comma is installed, or can be made by localedef,
 * everything is done once more under it. */
#include "cistern_test.h"
#include "base_json.h"
#include "temp_dir.h"
#include <float.h>
#include <locale.h>
#include <math.h>

#define PATTERNS 1000000 /* random bit patterns of floats; a tenth as many doubles */

static uint64_t next_random(uint64_t *seed)
{
    /* xorshift64, Marsaglia 2003 */
    *seed ^= *seed << 13;
    *seed ^= *seed >> 7;
    *seed ^= *seed << 17;
    return *seed;
}

static void check_float(float value)
{
    char text[32];
    double back;
    base_float_text(value, text);
    if (!isfinite(value)) {
        assert_false(base_double_parse(text, &back));
        return;
    }
    if (!base_double_parse(text, &back) || memcmp(&value, &(float){(float)back}, sizeof value) != 0)
        fail_msg("%a is written as %s", (double)value, text);
}

static void check_double(double value)
{
    char text[32];
    double back;
    base_double_text(value, text);
    if (!isfinite(value)) {
        assert_false(base_double_parse(text, &back));
        return;
    }
    if (!base_double_parse(text, &back) || memcmp(&value, &back, sizeof value) != 0)
        fail_msg("%a is written as %s", value, text);
}

static void check_many(void)
{
    uint64_t seed = 88172645463325252u;
    for (int i = 0; i < PATTERNS; i++) {
        uint64_t bits = next_random(&seed);
        uint32_t half = (uint32_t)(bits >> 32);
        float single;
        double value;
        memcpy(&single, &half, sizeof single);
        memcpy(&value, &bits, sizeof value);
        check_float(single);
        if (i % 10 == 0)
            check_double(value);
    }
    const double edges[] = {0.0,     -0.0,        DBL_MIN, DBL_MAX, DBL_TRUE_MIN, -DBL_MAX, DBL_EPSILON,
                            1.0 / 3, DBL_MIN / 3, 1e22,    1e23,    5e-324,       FLT_MAX,  FLT_TRUE_MIN};
    for (size_t i = 0; i < sizeof edges / sizeof edges[0]; i++) {
        check_double(edges[i]);
        check_float((float)edges[i]);
    }
}

static void random_bit_patterns_read_back(void **state)
{
    (void)state;
    check_many();
}

static void assert_double_text(double value, const char *expected)
{
    char text[32];
    base_double_text(value, text);
    assert_string_equal(text, expected);
}

static void the_text_has_the_fewest_digits(void **state)
{
    (void)state;
    char text[32];
    assert_double_text(0, "0");
    assert_double_text(-0.0, "-0");
    assert_double_text(0.1, "0.1");
    assert_double_text(0.1 + 0.2, "0.30000000000000004");
    assert_double_text(100000, "100000");
    assert_double_text(1e22, "1e22");
    assert_double_text(-2.5e-7, "-2.5e-7");
    assert_double_text(5e-324, "5e-324");
    assert_double_text(DBL_MAX, "1.7976931348623157e308");
    assert_double_text((double)NAN, "nan");
    assert_double_text((double)INFINITY, "inf");
    assert_double_text(-(double)INFINITY, "-inf");
    base_float_text(0.1f, text);
    assert_string_equal(text, "0.1");
    base_float_text(FLT_TRUE_MIN, text);
    assert_string_equal(text, "1e-45");
    base_float_text(16777216.0f, text);
    assert_string_equal(text, "16777216");
    base_float_text(0.485f, text);
    assert_string_equal(text, "0.485");
}

static void only_whole_finite_decimal_numbers_are_read(void **state)
{
    (void)state;
    double value = 7;
    const char *wrong[] = {"",    " 1",  "1 ", "1,5",      "0x10", "inf",  "nan",     "1e",
                           "1e+", ".",   "-",  "+-1",      "--1",  "1.5.", "1e5.",    "1e400",
                           "1f",  "1d3", "e5", "infinity", "1\n",  "1_0",  "\xd9\xa1"};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        if (base_double_parse(wrong[i], &value))
            fail_msg("'%s' was read", wrong[i]);
    assert_false(base_double_parse(NULL, &value));
    assert_true(value == 7);
    static const struct {
        const char *text;
        double value;
    } right[] = {{"1", 1},  {"-0.5", -0.5}, {"+2", 2},      {".5", 0.5},
                 {"5.", 5}, {"1e3", 1000},  {"1E-2", 0.01}, {"1e-400", 0}};
    for (size_t i = 0; i < sizeof right / sizeof right[0]; i++) {
        assert_true(base_double_parse(right[i].text, &value));
        assert_true(value == right[i].value);
    }
}

/* Compile de_DE below t; false where there is no localedef or no source of locales. */
static bool make_comma_locale(const temp_dir *t)
{
    char command[700];
    snprintf(command, sizeof command, "localedef -i de_DE -f UTF-8 '%s/de_DE.utf8' >/dev/null 2>&1", t->path);
    return system(command) == 0;
}

static bool enter_comma_locale(const temp_dir *t)
{
    static const char *const names[] = {"de_DE.UTF-8", "fr_FR.UTF-8", "de_DE", "ru_RU.UTF-8", "nl_NL.UTF-8"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (setlocale(LC_ALL, names[i]) && strcmp(localeconv()->decimal_point, ",") == 0)
            return true;
    if (!make_comma_locale(t))
        return false;
    setenv("LOCPATH", t->path, 1);
    return setlocale(LC_ALL, "de_DE.utf8") && strcmp(localeconv()->decimal_point, ",") == 0;
}

static void a_decimal_comma_changes_nothing(void **state)
{
    (void)state;
    cistern_error err = CISTERN_ERROR_INIT;
    temp_dir t;
    char text[32];
    temp_dir_make(&t);
    bool entered = enter_comma_locale(&t);
    if (!entered) {
        temp_dir_remove(&t);
        TEST_SKIP("no locale with a decimal comma is installed (package locales)");
    }
    snprintf(text, sizeof text, "%.1f", 0.5);
    assert_string_equal(text, "0,5"); /* the locale is really in force */
    assert_double_text(0.5, "0.5");
    check_many();
    json_t *root = NULL;
    const char *document = "{\"a\":0.875}";
    assert_ok(base_json_parse(document, strlen(document), BASE_JSON_REALS, "doc", &root, &err), &err);
    assert_true(json_real_value(json_object_get(root, "a")) == 0.875);
    json_decref(root);
    snprintf(text, sizeof text, "%.1f", 0.5);
    assert_string_equal(text, "0,5"); /* and still is */
    setlocale(LC_ALL, "C");
    temp_dir_remove(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_text_has_the_fewest_digits),
        cmocka_unit_test(random_bit_patterns_read_back),
        cmocka_unit_test(only_whole_finite_decimal_numbers_are_read),
        cmocka_unit_test(a_decimal_comma_changes_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
