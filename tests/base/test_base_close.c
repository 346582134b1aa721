/* Closing what a process was left with. */
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>
#include <sys/wait.h>
#include "cistern_test.h"
#include "base_close.h"

static int is_open(int fd)
{
    return fcntl(fd, F_GETFD) >= 0;
}

/* In a child, whose descriptors nobody else needs. */
static void all_from_a_number_on_are_closed(void **state)
{
    int status;
    pid_t child = fork();

    (void)state;
    if (child == 0) {
        int low = fcntl(0, F_DUPFD, 40), first = fcntl(0, F_DUPFD, low + 1), high = fcntl(0, F_DUPFD, 200);
        base_close_from(first);
        _exit(low >= 0 && is_open(low) && !is_open(first) && !is_open(high) ? 0 : 1);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_from_a_number_on_are_closed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
