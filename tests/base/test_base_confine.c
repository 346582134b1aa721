/* Landlock in a child: what was open stays open, all else is refused; each version forbids what it knows. */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
#include "cistern_test.h"
#include "base_confine.h"

static int open_error(const char *path)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);

    if (fd >= 0)
        close(fd);
    return fd >= 0 ? 0 : errno;
}

static int connect_error(void)
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(9)};
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int e = connect(fd, (struct sockaddr *)&to, sizeof to) ? errno : 0;
    close(fd);
    return e;
}

/* Bits: 1 opening is denied, 2 connecting is denied, 4 what was open can be read, 8 it was refused. */
static int look(unsigned version)
{
    char byte;
    int before = open("/proc/self/comm", O_RDONLY | O_CLOEXEC);

    (void)prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    if (base_confine_by_landlock(version, NULL) != CISTERN_OK)
        return 8;
    return (open_error("/etc/passwd") == EACCES ? 1 : 0) | (connect_error() == EACCES ? 2 : 0) |
           (read(before, &byte, 1) == 1 ? 4 : 0);
}

/* In a child, for there is no way back. */
static int looked(unsigned version)
{
    int status;
    pid_t child = fork();

    if (child == 0)
        _exit(look(version));
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static void each_version_forbids_what_it_knows(void **state)
{
    unsigned version = base_confine_landlock_version();

    (void)state;
    if (version == 0)
        TEST_SKIP("the kernel has no Landlock");
    for (unsigned v = 1; v <= version; v++)
        assert_int_equal(looked(v), v >= 4 ? 1 | 2 | 4 : 1 | 4);
    assert_int_equal(looked(version + 1000),
                     version >= 6 ? 1 | 2 | 4 : 8); /* no more is asked for than 6 has */
}

static void version_0_forbids_nothing(void **state)
{
    (void)state;
    assert_int_equal(looked(0), 4);
}

/* Without no_new_privs an unprivileged process is not granted it; as root nothing shows. */
static void a_refusal_is_told(void **state)
{
    int status;
    pid_t child;

    (void)state;
    if (base_confine_landlock_version() == 0)
        TEST_SKIP("the kernel has no Landlock");
    child = fork();
    if (child == 0) {
        cistern_error err = CISTERN_ERROR_INIT;
        if (geteuid() == 0 && setuid(65534) != 0)
            _exit(77);
        cistern_status st = base_confine_by_landlock(1, &err);
        _exit(st == CISTERN_UNEXPECTED && strstr(err.text, "cannot set Landlock rules (version 1): ") ? 0
                                                                                                      : 1);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

static void filters_are_there(void **state)
{
    (void)state;
    if (prctl(PR_GET_SECCOMP, 0, 0, 0, 0) < 0)
        assert_false(base_confine_has_filter());
    else
        assert_true(base_confine_has_filter());
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_version_forbids_what_it_knows),
        cmocka_unit_test(version_0_forbids_nothing),
        cmocka_unit_test(a_refusal_is_told),
        cmocka_unit_test(filters_are_there),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
