#include "cistern_test.h"
#include "priv/base_text.h"
#include "guard_page.h"

static size_t first_char(const char *text, size_t n)
{
    guard_page g = guard_page_of(text, n);
    size_t length = base_text_char((const char *)g.data, n);
    guard_page_free(&g);
    return length;
}

static void well_formed_characters_are_measured(void **state)
{
    (void)state;
    assert_int_equal(first_char("", 0), 0);
    assert_int_equal(first_char("a", 1), 1);
    assert_int_equal(first_char("\0", 1), 1);
    assert_int_equal(first_char("\xc3\xa9", 2), 2);
    assert_int_equal(first_char("\xe2\x82\xac", 3), 3);
    assert_int_equal(first_char("\xf0\x9f\x98\x80", 4), 4);
    assert_int_equal(first_char("\xf4\x8f\xbf\xbf", 4), 4);
}

static void what_is_not_utf8_is_no_character(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        size_t n;
    } rows[] = {
        {"\x80", 1},
        {"\xc3", 1},
        {"\xc3\x28", 2},
        {"\xc0\xaf", 2},
        {"\xc1\xbf", 2},
        {"\xe2\x82", 2},
        {"\xe0\x80\xaf", 3},
        {"\xed\xa0\x80", 3},
        {"\xf0\x9f\x98", 3},
        {"\xf0\x80\x80\xaf", 4},
        {"\xf4\x90\x80\x80", 4},
        {"\xf5\x80\x80\x80", 4},
        {"\xff", 1},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        if (first_char(rows[i].text, rows[i].n) != 0)
            fail_msg("row %zu counts as a character", i);
}

static void the_line_never_overruns_its_room(void **state)
{
    (void)state;
    const char text[] = "a\n\xc3\xa9\xff\xc2\x85z";
    const char whole[] = "a\\x0a\xc3\xa9\\xff\\xc2\\x85z";
    for (size_t size = 1; size <= sizeof whole; size++) {
        guard_page g = guard_page_make(size);
        size_t used = base_text_line((char *)g.data, size, text, sizeof text - 1);
        assert_true(used < size);
        assert_int_equal(g.data[used], 0);
        assert_int_equal(strlen((char *)g.data), used);
        assert_memory_equal(g.data, whole, used);
        if (size == sizeof whole)
            assert_int_equal(used, sizeof whole - 1);
        guard_page_free(&g);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(well_formed_characters_are_measured),
        cmocka_unit_test(what_is_not_utf8_is_no_character),
        cmocka_unit_test(the_line_never_overruns_its_room),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
