/* Sets of digests. */
#include "cistern_test.h"

#include "base_digests.h"

static base_digest digest_of(unsigned n)
{
    base_digest d;
    memset(&d, 0, sizeof d);
    d.bytes[0] = (uint8_t)(n >> 8);
    d.bytes[31] = (uint8_t)n;
    return d;
}

static void put(base_digests *set, unsigned n)
{
    cistern_error err = CISTERN_ERROR_INIT;
    base_digest d = digest_of(n);
    assert_ok(base_digests_put(set, &d, &err), &err);
}

static void an_empty_set_has_nothing(void **state)
{
    base_digests set;
    base_digest d = digest_of(0);
    (void)state;
    base_digests_init(&set);
    assert_false(base_digests_has(&set, &d));
    base_digests_seal(&set);
    assert_false(base_digests_has(&set, &d));
    base_digests_clear(&set);
}

static void has_what_was_put_and_nothing_else(void **state)
{
    base_digests set;
    (void)state;
    base_digests_init(&set);
    for (unsigned i = 0; i < 1000; i++)
        put(&set, i * 7919 % 1000 * 2);
    base_digests_seal(&set);
    assert_int_equal(set.count, 1000);
    for (unsigned i = 0; i < 2000; i++) {
        base_digest d = digest_of(i);
        assert_int_equal(base_digests_has(&set, &d), i % 2 == 0);
    }
    base_digests_clear(&set);
}

static void put_twice_is_one(void **state)
{
    base_digests set;
    (void)state;
    base_digests_init(&set);
    put(&set, 5);
    put(&set, 3);
    put(&set, 5);
    base_digests_seal(&set);
    assert_int_equal(set.count, 2);
    put(&set, 4);
    put(&set, 3);
    base_digests_seal(&set);
    assert_int_equal(set.count, 3);
    base_digests_clear(&set);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_empty_set_has_nothing),
        cmocka_unit_test(has_what_was_put_and_nothing_else),
        cmocka_unit_test(put_twice_is_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
