/* Temporaries in people's directories: those of the dead go, those of the living stay. */
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include "base_file_place.h"
#include "base_flush.h"
#include "base_temporary.h"
#include "base_write.h"
#include "cistern_test.h"
#include "temp_dir.h"

typedef struct fixture {
    temp_dir dir;
    int fd;
    cistern_error err;
} fixture;

static int setup(void **state)
{
    fixture *f = calloc(1, sizeof *f);
    assert_non_null(f);
    temp_dir_make(&f->dir);
    f->fd = open(temp_dir_path(&f->dir, "."), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_true(f->fd >= 0);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    fixture *f = *state;
    close(f->fd);
    temp_dir_remove(&f->dir);
    free(f);
    return 0;
}

static size_t entries(fixture *f)
{
    DIR *d = opendir(temp_dir_path(&f->dir, "."));
    size_t n = 0;
    assert_non_null(d);
    for (struct dirent *e; (e = readdir(d)) != NULL;)
        n += e->d_name[0] != '.' || e->d_name[1] == 't';
    closedir(d);
    return n;
}

/* A process that makes one and then waits to be killed. */
static pid_t start_maker(fixture *f)
{
    int ready[2];
    char byte = 0;
    assert_int_equal(pipe(ready), 0);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        char name[BASE_TEMPORARY_NAME];
        int fd = -1;
        if (base_temporary_create(f->fd, "m", name, &fd, NULL) != CISTERN_OK || write(ready[1], "x", 1) != 1)
            _exit(1);
        for (;;)
            pause();
    }
    close(ready[1]);
    assert_int_equal(read(ready[0], &byte, 1), 1);
    close(ready[0]);
    return pid;
}

static void what_a_killed_process_left_goes_and_not_before(void **state)
{
    fixture *f = *state;
    pid_t pid = start_maker(f);
    assert_int_equal(entries(f), 1);
    base_temporary_sweep(f->fd);
    assert_int_equal(entries(f), 1);
    kill(pid, SIGKILL);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
    base_temporary_sweep(f->fd);
    assert_int_equal(entries(f), 0);
}

static void writing_and_placing_sweep_first_and_leave_the_rest_alone(void **state)
{
    static const char *const others[] = {".tmp-short", ".tmp-0123456789abcdef0123456789ABCDEF",
                                         "tmp-0123456789abcdef0123456789abcdef",
                                         ".tmp-0123456789abcdef0123456789abcdef0"};
    fixture *f = *state;
    base_write *w = NULL;
    bool created = false;
    char path[1100];
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++)
        close(openat(f->fd, others[i], O_CREAT | O_WRONLY, 0600));
    assert_int_equal(mkdirat(f->fd, ".tmp-11111111111111111111111111111111", 0700), 0);
    assert_int_equal(symlinkat("x", f->fd, ".tmp-22222222222222222222222222222222"), 0);
    for (int i = 0; i < 2; i++) {
        close(openat(f->fd, ".tmp-33333333333333333333333333333333", O_CREAT | O_WRONLY, 0600));
        assert_int_equal(entries(f), 7 + (size_t)i);
        if (i == 0) {
            snprintf(path, sizeof path, "%s", temp_dir_path(&f->dir, "written"));
            assert_ok(base_write_begin(path, false, &w, &f->err), &f->err);
            assert_ok(base_write_put(w, "bytes", 5, &f->err), &f->err);
            assert_ok(base_write_flush(w, NULL, &f->err), &f->err);
            base_temporary_sweep(f->fd); /* as another process would, meanwhile */
            assert_ok(base_write_end(w, &f->err), &f->err);
        } else {
            base_place p = {
                open(path, O_RDONLY | O_CLOEXEC), path, 5, f->fd, "placed", BASE_PLACE_COPY, false, NULL};
            assert_ok(base_place_file(&p, &created, &f->err), &f->err);
            close(p.from_fd);
        }
        assert_int_equal(faccessat(f->fd, ".tmp-33333333333333333333333333333333", F_OK, 0), -1);
    }
    assert_int_equal(entries(f), 8); /* four names of others, a directory, a link that is young, and ours */
}

static void a_copy_and_a_flush_that_are_cancelled_leave_nothing(void **state)
{
    fixture *f = *state;
    base_cancel cancel = {1};
    base_write *w = NULL;
    bool created = false;
    char path[1100];
    snprintf(path, sizeof path, "%s", temp_dir_path(&f->dir, "from"));
    int fd = open(path, O_CREAT | O_RDWR | O_CLOEXEC, 0600);
    assert_int_equal(pwrite(fd, "x", 1, (off_t)20 << 20), 1);
    assert_fails(base_flush(fd, 0, (uint64_t)20 << 20, &cancel, &f->err), CISTERN_CANCELLED, &f->err);
    assert_ok(base_flush(fd, 0, ((uint64_t)20 << 20) + 1, NULL, &f->err), &f->err);
    base_place p = {fd, path, ((uint64_t)20 << 20), f->fd, "placed", BASE_PLACE_COPY, false, &cancel};
    assert_fails(base_place_file(&p, &created, &f->err), CISTERN_CANCELLED, &f->err);
    assert_int_equal(entries(f), 1);
    assert_ok(base_write_begin(temp_dir_path(&f->dir, "to"), false, &w, &f->err), &f->err);
    assert_ok(base_write_put(w, "bytes", 5, &f->err), &f->err);
    assert_fails(base_write_flush(w, &cancel, &f->err), CISTERN_CANCELLED, &f->err);
    base_write_abandon(w);
    assert_int_equal(entries(f), 1);
    close(fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_a_killed_process_left_goes_and_not_before, setup, teardown),
        cmocka_unit_test_setup_teardown(writing_and_placing_sweep_first_and_leave_the_rest_alone, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_copy_and_a_flush_that_are_cancelled_leave_nothing, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
