/* Files where the world is narrow: a full disk, no permission, a kernel without openat2. Each in a child of its own, which
 * may change what it is. */
#include "cistern_test.h"
#include "base_file.h"
#include "temp_dir.h"
#include <errno.h>
#include <sched.h>
#include <seccomp.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#define SKIPPED 77

static const base_modes modes = {0400, 0600, 0700};

/* Run fn in a child; a check that fails there prints and exits 1. Skips with `reason` when it exits SKIPPED. */
static void in_child(void (*fn)(const temp_dir *t), const temp_dir *t, const char *reason)
{
    int status = -1;
    fflush(NULL);
    pid_t pid = fork();
    if (pid == 0) {
        fn(t);
        _exit(0);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    if (WIFEXITED(status) && WEXITSTATUS(status) == SKIPPED)
        TEST_SKIP(reason);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

static void need_at(bool holds, const char *what, int line)
{
    if (holds)
        return;
    fprintf(stderr, "line %d: not so: %s\n", line, what);
    _exit(1);
}

#define need(condition) need_at((condition), #condition, __LINE__)

static int visible_and_hidden(int root)
{
    DIR *dir = fdopendir(openat(root, ".", O_RDONLY | O_DIRECTORY));
    int count = -2;
    while (dir && readdir(dir))
        count++;
    if (dir)
        closedir(dir);
    return count;
}

static void put_line(const char *path, const char *text)
{
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0 || write(fd, text, strlen(text)) < 0)
        _exit(SKIPPED);
    close(fd);
}

/* Root of a user namespace, where mounting is allowed to anybody. */
static void become_root_of_my_own(void)
{
    char users[32], groups[32];
    snprintf(users, sizeof users, "0 %u 1", (unsigned)geteuid());
    snprintf(groups, sizeof groups, "0 %u 1", (unsigned)getegid());
    if (unshare(CLONE_NEWUSER | CLONE_NEWNS) != 0)
        _exit(SKIPPED);
    put_line("/proc/self/setgroups", "deny");
    put_line("/proc/self/uid_map", users);
    put_line("/proc/self/gid_map", groups);
}

/* A tmpfs of 128 KiB that no path leads to, so that it is gone with the child; -1: not allowed here. */
static int small_disk(void)
{
    if (geteuid() != 0)
        become_root_of_my_own();
    int fs = fsopen("tmpfs", FSOPEN_CLOEXEC);
    if (fs < 0 || fsconfig(fs, FSCONFIG_SET_STRING, "size", "128k", 0) != 0 ||
        fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) != 0)
        return -1;
    return fsmount(fs, FSMOUNT_CLOEXEC, 0);
}

static void fill_a_small_disk(const temp_dir *t)
{
    static char large[256 << 10];
    cistern_error err = CISTERN_ERROR_INIT;
    bool created = true;
    int root = small_disk();
    (void)t;
    if (root < 0)
        _exit(SKIPPED);
    need(base_publish_bytes(root, "blob", large, sizeof large, &modes, &created, &err) == CISTERN_NO_SPACE);
    need(err.status == CISTERN_NO_SPACE && err.os_errno == ENOSPC);
    need(created);
    need(base_replace_bytes(root, "hint", large, sizeof large, &modes, &err) == CISTERN_NO_SPACE);
    need(visible_and_hidden(root) == 0);
    need(base_publish_bytes(root, "blob", large, 1000, &modes, &created, &err) == CISTERN_OK);
    need(created);
}

static void a_full_disk_leaves_no_name_and_no_temporary(void **state)
{
    (void)state;
    temp_dir t;
    temp_dir_make(&t);
    in_child(fill_a_small_disk, &t, "a tmpfs cannot be mounted here");
    temp_dir_remove(&t);
}

static void write_as_nobody(const temp_dir *t)
{
    cistern_error err = CISTERN_ERROR_INIT;
    bool created = true;
    int fd = -7;
    if (geteuid() == 0 && (setgid(65534) != 0 || setuid(65534) != 0))
        _exit(SKIPPED);
    need(base_publish_bytes(t->fd, "new", "x", 1, &modes, &created, &err) == CISTERN_DENIED);
    need(base_mkdirs(t->fd, "a/b", &modes, &err) == CISTERN_DENIED);
    need(base_create_beneath(t->fd, "new", 0600, &fd, &err) == CISTERN_DENIED);
    need(base_unlink_beneath(t->fd, "secret", &err) == CISTERN_DENIED);
    need(base_open_beneath(t->fd, "secret", O_RDONLY, &fd, &err) == CISTERN_DENIED);
    need(err.os_errno == EACCES);
    need(base_open_beneath(t->fd, "shut/file", O_RDONLY, &fd, &err) == CISTERN_DENIED);
    need(base_dir_open(temp_dir_path(t, "shut"), &fd, &err) == CISTERN_DENIED);
    need(base_mkdirs_path(temp_dir_path(t, "store"), 0700, &err) == CISTERN_DENIED);
    need(fd == -7 && created);
}

static void no_permission_is_said(void **state)
{
    (void)state;
    temp_dir t;
    temp_dir_make(&t);
    close(openat(t.fd, "secret", O_WRONLY | O_CREAT, 0000));
    assert_int_equal(mkdirat(t.fd, "shut", 0000), 0);
    assert_int_equal(chmod(t.path, 0555), 0);
    in_child(write_as_nobody, &t, "the user cannot be changed here");
    temp_dir_remove(&t);
}

static void without_openat2(const temp_dir *t)
{
    cistern_error err = CISTERN_ERROR_INIT;
    bool created = false;
    int fd;
    base_buf buf;
    scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ALLOW);
    if (!filter || seccomp_rule_add(filter, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(openat2), 0) != 0 ||
        seccomp_load(filter) != 0)
        _exit(SKIPPED);
    seccomp_release(filter);
    need(syscall(SYS_openat2, t->fd, ".", NULL, 0) == -1 && errno == ENOSYS);
    need(base_publish_bytes(t->fd, "a/b/doc", "whole", 5, &modes, &created, &err) == CISTERN_OK && created);
    base_buf_init(&buf, 100);
    need(base_read_beneath(t->fd, "a/b/doc", &buf, &err) == CISTERN_OK && strcmp(buf.data, "whole") == 0);
    base_buf_clear(&buf);
    need(symlinkat("a", t->fd, "link") == 0);
    need(base_open_beneath(t->fd, "link/b/doc", O_RDONLY, &fd, &err) == CISTERN_DAMAGED);
    need(base_open_beneath(t->fd, "../x", O_RDONLY, &fd, &err) == CISTERN_DAMAGED);
    need(base_open_beneath(t->fd, "a/b", O_RDONLY, &fd, &err) == CISTERN_DAMAGED);
    need(base_open_beneath(t->fd, "a/c", O_RDONLY, &fd, &err) == CISTERN_NOT_FOUND);
    need(base_unlink_beneath(t->fd, "a/b/doc", &err) == CISTERN_OK);
}

static void a_kernel_without_openat2_is_served_by_the_walk(void **state)
{
    (void)state;
    temp_dir t;
    temp_dir_make(&t);
    in_child(without_openat2, &t, "no system call filter can be set here");
    temp_dir_remove(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_full_disk_leaves_no_name_and_no_temporary),
        cmocka_unit_test(no_permission_is_said),
        cmocka_unit_test(a_kernel_without_openat2_is_served_by_the_walk),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
