#include "cistern_test.h"
#include "base_file.h"
#include "base_host.h"
#include "priv/base_proc.h"
#include "temp_dir.h"
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <sys/wait.h>

static void this_process_is_described_and_alive(void **state)
{
    (void)state;
    base_process self, again;
    base_process_self(&self);
    base_process_self(&again);
    assert_int_equal(self.pid, getpid());
    assert_int_equal(strlen(self.boot_id), 36);
    assert_true(self.pid_ns != 0);
    assert_true(self.start_time != 0);
    assert_memory_equal(&self, &again, sizeof self);
    assert_false(base_process_dead(&self, true));
    assert_false(base_process_dead(&self, false));
}

static void another_start_time_means_the_pid_was_reused(void **state)
{
    (void)state;
    base_process p;
    base_process_self(&p);
    p.start_time -= 1;
    assert_true(base_process_dead(&p, false));
}

/* A child that has described itself and waits; *out_stop is closed to end it. */
static pid_t start_child(base_process *out, int *out_stop)
{
    int told[2], stop[2];
    assert_int_equal(pipe(told), 0);
    assert_int_equal(pipe(stop), 0);
    pid_t pid = fork();
    if (pid == 0) {
        base_process self;
        char byte;
        close(stop[1]);
        base_process_self(&self);
        if (write(told[1], &self, sizeof self) != (ssize_t)sizeof self)
            _exit(1);
        _exit(read(stop[0], &byte, 1) == 0 ? 0 : 1);
    }
    assert_true(pid > 0);
    close(told[1]);
    close(stop[0]);
    assert_int_equal(read(told[0], out, sizeof *out), sizeof *out);
    close(told[0]);
    *out_stop = stop[1];
    return pid;
}

static void a_child_is_dead_once_it_has_exited(void **state)
{
    (void)state;
    base_process child;
    int stop;
    pid_t pid = start_child(&child, &stop);
    assert_int_equal(child.pid, pid);
    assert_false(base_process_dead(&child, true));
    close(stop);
    siginfo_t info;
    assert_int_equal(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT), 0);
    assert_true(base_process_dead(&child, false)); /* a zombie that nobody has waited for */
    assert_int_equal(waitpid(pid, NULL, 0), pid);
    assert_true(base_process_dead(&child, false)); /* gone */
}

static void a_killed_child_is_dead(void **state)
{
    (void)state;
    base_process child;
    int stop;
    pid_t pid = start_child(&child, &stop);
    kill(pid, SIGKILL);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
    close(stop);
    assert_true(base_process_dead(&child, false));
}

static void death_in_an_unknown_place_is_never_claimed(void **state)
{
    (void)state;
    base_process p;
    base_process_self(&p);
    p.start_time -= 1;
    base_process q = p;
    q.pid_ns++;
    assert_false(base_process_dead(&q, true));
    q = p;
    q.pid_ns = 0;
    assert_false(base_process_dead(&q, true));
    q = p;
    q.boot_id[0] = '\0';
    assert_false(base_process_dead(&q, true));
    q = p;
    q.start_time = 0;
    assert_false(base_process_dead(&q, true));
    q = p;
    q.pid = 0;
    assert_false(base_process_dead(&q, true));
    q.pid = UINT64_MAX;
    assert_false(base_process_dead(&q, true));
}

static void another_boot_proves_death_only_on_a_local_disk_of_this_machine(void **state)
{
    (void)state;
    base_process p;
    base_process_self(&p);
    p.boot_id[0] = p.boot_id[0] == '0' ? '1' : '0';
    assert_false(base_process_dead(&p, false));
    assert_int_equal(base_process_dead(&p, true), p.machine_id[0] != '\0');
    memcpy(p.machine_id, "00000000000000000000000000000000", 33);
    assert_false(base_process_dead(&p, true));
    p.machine_id[0] = '\0';
    assert_false(base_process_dead(&p, true));
}

static void a_programs_name_cannot_forge_its_start_time(void **state)
{
    (void)state;
    base_proc_stat st;
    const char *line = "12 (a) R 1 1) S 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 3 0 987654 22 23\n";
    assert_true(base_proc_stat_parse(line, &st));
    assert_int_equal(st.state, 'S');
    assert_int_equal(st.threads, 3);
    assert_int_equal(st.start_time, 987654);
    st.start_time = 1;
    assert_false(base_proc_stat_parse("", &st));
    assert_false(base_proc_stat_parse("12 (a) S 1 2 3", &st));
    assert_false(base_proc_stat_parse("no parenthesis", &st));
    assert_int_equal(st.start_time, 1);
}

static void random_names_are_hexadecimal_and_differ(void **state)
{
    (void)state;
    cistern_error err = CISTERN_ERROR_INIT;
    char a[401], b[401], none[1] = "x";
    memset(a, '#', sizeof a);
    assert_ok(base_random_hex(200, a, &err), &err);
    assert_ok(base_random_hex(200, b, &err), &err);
    assert_int_equal(strlen(a), 400);
    assert_int_equal(strspn(a, "0123456789abcdef"), 400);
    assert_string_not_equal(a, b);
    assert_ok(base_random_hex(0, none, &err), &err);
    assert_string_equal(none, "");
}

static void who_fits_into_any_room(void **state)
{
    (void)state;
    char whole[512], part[512];
    base_who(whole, sizeof whole);
    assert_non_null(strchr(whole, '@'));
    assert_true(whole[0] != '@');
    for (size_t size = 1; size <= strlen(whole) + 1; size++) {
        base_who(part, size);
        assert_true(strlen(part) < size);
        assert_memory_equal(part, whole, strlen(part));
    }
    base_who(NULL, 0);
}

static void affinity_limits_the_cpus(void **state)
{
    (void)state;
    cpu_set_t before, one;
    assert_true(base_cpu_count() >= 1);
    assert_int_equal(sched_getaffinity(0, sizeof before, &before), 0);
    assert_true(base_cpu_count() <= (unsigned)CPU_COUNT(&before));
    CPU_ZERO(&one);
    for (int cpu = 0; cpu < CPU_SETSIZE && CPU_COUNT(&one) == 0; cpu++)
        if (CPU_ISSET(cpu, &before))
            CPU_SET(cpu, &one);
    assert_int_equal(sched_setaffinity(0, sizeof one, &one), 0);
    unsigned count = base_cpu_count();
    assert_int_equal(sched_setaffinity(0, sizeof before, &before), 0);
    assert_int_equal(count, 1);
}

static void put_quota(const temp_dir *t, const char *name, const char *text)
{
    int fd = openat(t->fd, name, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    close(fd);
}

static void the_tightest_quota_on_the_way_up_counts_rounded_up(void **state)
{
    (void)state;
    temp_dir t;
    temp_dir_make(&t);
    assert_int_equal(mkdirat(t.fd, "a", 0700), 0);
    assert_int_equal(mkdirat(t.fd, "a/b", 0700), 0);
    assert_int_equal(base_cgroup_cpus(t.path, "/a/b"), 0);
    put_quota(&t, "a/b/cpu.max", "max 100000\n");
    assert_int_equal(base_cgroup_cpus(t.path, "/a/b"), 0);
    put_quota(&t, "a/cpu.max", "250000 100000\n");
    assert_int_equal(base_cgroup_cpus(t.path, "/a/b"), 3);
    assert_int_equal(base_cgroup_cpus(t.path, "/a"), 3);
    put_quota(&t, "a/b/cpu.max", "50000 100000\n");
    assert_int_equal(base_cgroup_cpus(t.path, "/a/b"), 1);
    put_quota(&t, "cpu.max", "200000 100000\n");
    assert_int_equal(base_cgroup_cpus(t.path, "/a"), 2);
    assert_int_equal(base_cgroup_cpus(t.path, "/"), 2);
    put_quota(&t, "cpu.max", "1 0\n");
    put_quota(&t, "a/cpu.max", "nonsense\n");
    assert_int_equal(base_cgroup_cpus(t.path, "/a"), 0);
    temp_dir_remove(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(this_process_is_described_and_alive),
        cmocka_unit_test(another_start_time_means_the_pid_was_reused),
        cmocka_unit_test(a_child_is_dead_once_it_has_exited),
        cmocka_unit_test(a_killed_child_is_dead),
        cmocka_unit_test(death_in_an_unknown_place_is_never_claimed),
        cmocka_unit_test(another_boot_proves_death_only_on_a_local_disk_of_this_machine),
        cmocka_unit_test(a_programs_name_cannot_forge_its_start_time),
        cmocka_unit_test(random_names_are_hexadecimal_and_differ),
        cmocka_unit_test(who_fits_into_any_room),
        cmocka_unit_test(affinity_limits_the_cpus),
        cmocka_unit_test(the_tightest_quota_on_the_way_up_counts_rounded_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
