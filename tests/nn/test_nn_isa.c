/* Instruction sets: what is offered can run, and where the system withholds tile registers nothing breaks. */
#define _XOPEN_SOURCE 700 /* sigaltstack */
#include "cistern_test.h"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "nn_isa.h"

/* The exit code of a child that has not asked for anything yet. */
static int in_child(int (*fn)(void))
{
    int status = 0;
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        _exit(fn());
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

enum { GRANTED, WITHHELD, NONE, WRONG };

static int ask(void)
{
    nn_isa best;
    if (nn_isa_resolve(NN_ISA_AUTO, &best, NULL) != CISTERN_OK || !nn_isa_available(best)) {
        return WRONG;
    }
    if (nn_isa_available(NN_ISA_AMX)) {
        return best == NN_ISA_AMX && !nn_isa_withheld() ? GRANTED : WRONG;
    }
    if (best == NN_ISA_AMX || nn_isa_resolve(NN_ISA_AMX, &best, NULL) != CISTERN_USAGE) {
        return WRONG;
    }
    return nn_isa_withheld() ? WITHHELD : NONE;
}

/* Linux refuses tile registers while a signal's stack could not hold them (Documentation/arch/x86/xstate.rst). */
static int ask_with_small_signal_stack(void)
{
    static char memory[4096];
    stack_t stack = {.ss_sp = memory, .ss_size = sizeof(memory)};
    return sigaltstack(&stack, NULL) ? WRONG : ask();
}

static void withheld_tiles_leave_the_next_best(void **state)
{
    (void)state;
    int with = in_child(ask_with_small_signal_stack), without = in_child(ask);
    assert_int_not_equal(without, WRONG);
    assert_int_equal(with, without == GRANTED ? WITHHELD : without);
}

static void every_name_is_parsed_and_others_are_not(void **state)
{
    cistern_error err = CISTERN_ERROR_INIT;
    nn_isa isa;
    (void)state;
    for (int i = NN_ISA_AUTO; i <= NN_ISA_AMX; i++) {
        assert_ok(nn_isa_parse(nn_isa_text((nn_isa)i), &isa, &err), &err);
        assert_int_equal(isa, i);
    }
    assert_fails(nn_isa_parse("amx-bf16", &isa, &err), CISTERN_USAGE, &err);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(withheld_tiles_leave_the_next_best),
        cmocka_unit_test(every_name_is_parsed_and_others_are_not),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
