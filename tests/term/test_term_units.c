/* Sizes, durations and rates for people. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>
#include "term_units.h"

static void check_bytes(uint64_t bytes, const char *want)
{
    char out[TERM_UNITS_MAX];
    term_units_bytes(bytes, out);
    assert_string_equal(out, want);
}

static void sizes_are_decimal(void **state)
{
    (void)state;
    check_bytes(0, "0 B");
    check_bytes(999, "999 B");
    check_bytes(1000, "1.0 kB");
    check_bytes(553433881, "553.4 MB");
    check_bytes(999999, "1.0 MB"); /* never "1000.0 kB" */
    check_bytes(1200000000000, "1.2 TB");
    check_bytes(UINT64_MAX, "18.4 EB");
}

static void two_sizes_share_the_unit_of_the_second(void **state)
{
    (void)state;
    char out[2 * TERM_UNITS_MAX];
    term_units_bytes_of(343100000, 553433881, out);
    assert_string_equal(out, "343.1/553.4 MB");
    term_units_bytes_of(12, 900, out);
    assert_string_equal(out, "12/900 B");
}

static void check_duration(uint64_t ms, const char *want)
{
    char out[TERM_UNITS_MAX];
    term_units_duration(ms, out);
    assert_string_equal(out, want);
}

static void durations_lose_detail_as_they_grow(void **state)
{
    (void)state;
    check_duration(12, "12 ms");
    check_duration(4230, "4.2 s");
    check_duration(59960, "1 min 00 s");
    check_duration(72000, "1 min 12 s");
    check_duration(3599600, "1 h 00 min");
    check_duration(7380000, "2 h 03 min");
}

static void rates_of_nonsense_are_zero(void **state)
{
    (void)state;
    char out[TERM_UNITS_MAX];
    term_units_rate(131.2e6, out);
    assert_string_equal(out, "131.2 MB/s");
    term_units_rate(-1, out);
    assert_string_equal(out, "0 B/s");
    term_units_rate(1e300, out);
    assert_string_equal(out, "0 B/s");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sizes_are_decimal),
        cmocka_unit_test(two_sizes_share_the_unit_of_the_second),
        cmocka_unit_test(durations_lose_detail_as_they_grow),
        cmocka_unit_test(rates_of_nonsense_are_zero),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
