/* The machine's limits: figures that are figures. Their size is nobody's promise. */
#include "cistern_test.h"

#include "nn_limits.h"

static void every_instruction_set_is_measured(void **state)
{
    static const nn_isa isas[] = {NN_ISA_PORTABLE, NN_ISA_AVX2, NN_ISA_AVX512, NN_ISA_AMX};
    (void)state;
    for (size_t i = 0; i < sizeof isas / sizeof isas[0]; i++) {
        cistern_error err = CISTERN_ERROR_INIT;
        nn_limits limits = {0, 0};
        if (!nn_isa_available(isas[i]))
            continue;
        assert_ok(nn_limits_measure(NULL, isas[i], NULL, &limits, &err), &err);
        assert_true(limits.flops > 1e6 && limits.flops < 1e15);
        assert_true(limits.memory > 1e6 && limits.memory < 1e15);
    }
}

static void cancel_ends_it(void **state)
{
    cistern_error err = CISTERN_ERROR_INIT;
    base_cancel cancel;
    nn_limits limits;
    (void)state;
    atomic_init(&cancel.set, 1);
    assert_fails(nn_limits_measure(NULL, NN_ISA_PORTABLE, &cancel, &limits, &err), CISTERN_CANCELLED, &err);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_instruction_set_is_measured),
        cmocka_unit_test(cancel_ends_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
