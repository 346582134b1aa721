#include "cistern_test.h"
#include "base_cursor.h"
#include "guard_page.h"

static void numbers_are_little_endian(void **state)
{
    (void)state;
    const uint8_t bytes[] = {0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x07, 0x08, 0x09, 0x0a, 0x0b, 0x0c,
                             0x0d, 0x0e, 0x0f, 0xbf, 0xf8, 0,    0,    0,    0,    0,    0};
    guard_page g = guard_page_of(bytes, sizeof bytes);
    base_cursor c;
    uint8_t a;
    uint16_t b;
    uint32_t d;
    uint64_t e;
    double f;
    base_cursor_init(&c, g.data, sizeof bytes);
    assert_true(base_cursor_u8(&c, &a));
    assert_true(base_cursor_u16(&c, &b));
    assert_true(base_cursor_u32(&c, &d));
    assert_true(base_cursor_u64(&c, &e));
    assert_true(base_cursor_f64_be(&c, &f));
    assert_int_equal(a, 0x01);
    assert_int_equal(b, 0x0302);
    assert_int_equal(d, 0x07060504);
    assert_true(e == 0x0f0e0d0c0b0a0908u);
    assert_true(f == -1.5);
    assert_int_equal(base_cursor_left(&c), 0);
    guard_page_free(&g);
}

static void one_byte_too_few_moves_nothing(void **state)
{
    (void)state;
    const uint8_t bytes[7] = {1, 2, 3, 4, 5, 6, 7};
    for (size_t n = 0; n < sizeof bytes; n++) {
        guard_page g = guard_page_of(bytes, n);
        base_cursor c;
        uint8_t a = 99;
        uint16_t b = 99;
        uint32_t d = 99;
        uint64_t e = 99;
        double f = 99;
        const uint8_t *p = NULL;
        base_cursor_init(&c, g.data, n);
        assert_false(base_cursor_u64(&c, &e));
        assert_false(base_cursor_f64_be(&c, &f));
        assert_int_equal(base_cursor_u32(&c, &d), n >= 4);
        c.pos = 0;
        assert_int_equal(base_cursor_u16(&c, &b), n >= 2);
        c.pos = 0;
        assert_int_equal(base_cursor_u8(&c, &a), n >= 1);
        c.pos = 0;
        assert_false(base_cursor_take(&c, n + 1, &p));
        assert_false(base_cursor_take(&c, UINT64_MAX, &p));
        assert_false(base_cursor_skip(&c, n + 1));
        assert_false(base_cursor_skip(&c, UINT64_MAX));
        assert_false(base_cursor_seek(&c, n + 1));
        assert_false(base_cursor_seek(&c, UINT64_MAX));
        assert_null(p);
        assert_int_equal(c.pos, 0);
        assert_true(e == 99 && f == 99);
        assert_true(base_cursor_take(&c, n, &p));
        assert_ptr_equal(p, g.data);
        assert_true(base_cursor_seek(&c, 0));
        assert_true(base_cursor_skip(&c, n));
        assert_int_equal(base_cursor_left(&c), 0);
        guard_page_free(&g);
    }
}

static void an_empty_window_may_be_null(void **state)
{
    (void)state;
    base_cursor c;
    const uint8_t *p = (const uint8_t *)"x";
    base_cursor_init(&c, NULL, 0);
    assert_true(base_cursor_take(&c, 0, &p));
    assert_true(base_cursor_skip(&c, 0));
    assert_false(base_cursor_skip(&c, 1));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_are_little_endian),
        cmocka_unit_test(one_byte_too_few_moves_nothing),
        cmocka_unit_test(an_empty_window_may_be_null),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
