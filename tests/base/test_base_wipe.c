#include "cistern_test.h"
#include "base_wipe.h"

static void what_is_wiped_is_zero_and_nothing_else_is(void **state)
{
    (void)state;
    unsigned char bytes[16];
    memset(bytes, 0x5a, sizeof bytes);
    base_wipe(bytes + 4, 8);
    base_wipe(bytes, 0);
    base_wipe(NULL, 0);
    for (size_t i = 0; i < sizeof bytes; i++)
        assert_int_equal(bytes[i], i >= 4 && i < 12 ? 0 : 0x5a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_wiped_is_zero_and_nothing_else_is),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
