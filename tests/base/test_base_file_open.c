/* Opening and making beneath a root, by openat2 and by the walk that stands in for it. */
#include "cistern_test.h"
#include "base_file.h"
#include "priv/base_open.h"
#include "temp_dir.h"
#include <errno.h>
#include <sys/socket.h>
#include <sys/un.h>

static const base_modes modes = {0400, 0600, 0700};

/* root/file, root/dir/file, root/link -> file, root/dirlink -> dir, root/out -> /, root/fifo, root/socket */
static void make_zoo(temp_dir *t)
{
    temp_dir_make(t);
    int fd = openat(t->fd, "file", O_WRONLY | O_CREAT, 0600);
    assert_int_equal(write(fd, "content", 7), 7);
    close(fd);
    assert_int_equal(mkdirat(t->fd, "dir", 0700), 0);
    close(openat(t->fd, "dir/file", O_WRONLY | O_CREAT, 0600));
    assert_int_equal(symlinkat("file", t->fd, "link"), 0);
    assert_int_equal(symlinkat("dir", t->fd, "dirlink"), 0);
    assert_int_equal(symlinkat("/etc", t->fd, "out"), 0);
    assert_int_equal(symlinkat("nowhere", t->fd, "dangling"), 0);
    assert_int_equal(mkfifoat(t->fd, "fifo", 0600), 0);
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    snprintf(address.sun_path, sizeof address.sun_path, "%.90s/socket", t->path);
    int s = socket(AF_UNIX, SOCK_STREAM, 0);
    assert_int_equal(bind(s, (struct sockaddr *)&address, sizeof address), 0);
    close(s);
}

static void assert_opens_not(const temp_dir *t, const char *path, int flags, cistern_status expected)
{
    cistern_error err = CISTERN_ERROR_INIT;
    int fd = -7;
    assert_says(base_open_beneath(t->fd, path, flags, &fd, &err), expected, &err, path);
    assert_int_equal(fd, -7);
}

static void a_root_must_be_a_directory(void **state)
{
    (void)state;
    cistern_error err = CISTERN_ERROR_INIT;
    temp_dir t;
    int fd = -7;
    make_zoo(&t);
    assert_says(base_dir_open(temp_dir_path(&t, "file"), &fd, &err), CISTERN_USAGE, &err,
                "is not a directory");
    assert_fails(base_dir_open(temp_dir_path(&t, "absent"), &fd, &err), CISTERN_NOT_FOUND, &err);
    assert_fails(base_dir_open(temp_dir_path(&t, "file/below"), &fd, &err), CISTERN_NOT_FOUND, &err);
    assert_int_equal(fd, -7);
    assert_ok(base_dir_open(temp_dir_path(&t, "dirlink"), &fd, &err), &err);
    close(fd);
    temp_dir_remove(&t);
}

static void regular_files_open(void **state)
{
    (void)state;
    cistern_error err = CISTERN_ERROR_INIT;
    temp_dir t;
    int fd;
    char byte;
    make_zoo(&t);
    assert_ok(base_open_beneath(t.fd, "file", O_RDONLY, &fd, &err), &err);
    assert_int_equal(read(fd, &byte, 1), 1);
    assert_int_equal(byte, 'c');
    assert_true((fcntl(fd, F_GETFD) & FD_CLOEXEC) != 0);
    close(fd);
    assert_ok(base_open_beneath(t.fd, "dir/file", O_RDWR, &fd, &err), &err);
    assert_int_equal(write(fd, "x", 1), 1);
    close(fd);
    temp_dir_remove(&t);
}

static void links_are_refused_at_the_end_and_on_the_way(void **state)
{
    (void)state;
    temp_dir t;
    make_zoo(&t);
    assert_opens_not(&t, "link", O_RDONLY, CISTERN_DAMAGED);
    assert_opens_not(&t, "dangling", O_RDONLY, CISTERN_DAMAGED);
    assert_opens_not(&t, "dirlink/file", O_RDONLY, CISTERN_DAMAGED);
    assert_opens_not(&t, "out/passwd", O_RDONLY, CISTERN_DAMAGED);
    temp_dir_remove(&t);
}

static void what_is_no_regular_file_is_refused_without_blocking(void **state)
{
    (void)state;
    temp_dir t;
    make_zoo(&t);
    assert_opens_not(&t, "fifo", O_RDONLY, CISTERN_DAMAGED);
    assert_opens_not(&t, "fifo", O_WRONLY, CISTERN_DAMAGED);
    assert_opens_not(&t, "fifo", O_RDWR, CISTERN_DAMAGED);
    assert_opens_not(&t, "socket", O_RDONLY, CISTERN_DAMAGED);
    assert_opens_not(&t, "dir", O_RDONLY, CISTERN_DAMAGED);
    assert_opens_not(&t, "dir", O_RDWR, CISTERN_DAMAGED);
    assert_opens_not(&t, "file/below", O_RDONLY, CISTERN_DAMAGED);
    temp_dir_remove(&t);
}

static void the_way_out_is_closed(void **state)
{
    (void)state;
    cistern_error err = CISTERN_ERROR_INIT;
    temp_dir t;
    int fd = -7;
    make_zoo(&t);
    assert_opens_not(&t, "/etc/passwd", O_RDONLY, CISTERN_DAMAGED);
    assert_opens_not(&t, "../etc", O_RDONLY, CISTERN_DAMAGED);
    assert_opens_not(&t, "dir/../../etc", O_RDONLY, CISTERN_DAMAGED);
    assert_opens_not(&t, "absent", O_RDONLY, CISTERN_NOT_FOUND);
    assert_opens_not(&t, "dir/absent", O_RDONLY, CISTERN_NOT_FOUND);
    assert_fails(base_open_beneath(t.fd, "new", O_RDWR | O_CREAT, &fd, &err), CISTERN_UNEXPECTED, &err);
    assert_int_equal(faccessat(t.fd, "new", F_OK, 0), -1);
    temp_dir_remove(&t);
}

static void assert_walk(const temp_dir *t, const char *path, int flags, int os_errno)
{
    errno = 0;
    int fd = base_open_walk(t->fd, path, flags, 0600);
    if ((fd >= 0) != (os_errno == 0) || (fd < 0 && errno != os_errno))
        fail_msg("'%s': descriptor %d, %s", path, fd, strerror(errno));
    if (fd >= 0)
        close(fd);
}

static void the_walk_refuses_what_openat2_refuses(void **state)
{
    (void)state;
    temp_dir t;
    make_zoo(&t);
    assert_walk(&t, "file", O_RDONLY, 0);
    assert_walk(&t, "dir/file", O_RDONLY, 0);
    assert_walk(&t, "dir", O_RDONLY | O_DIRECTORY, 0);
    assert_walk(&t, ".", O_RDONLY | O_DIRECTORY, 0);
    assert_walk(&t, "fifo", O_RDONLY | O_NONBLOCK, 0);
    assert_walk(&t, "link", O_RDONLY, ELOOP);
    assert_walk(&t, "dangling", O_RDONLY, ELOOP);
    assert_walk(&t, "dirlink/file", O_RDONLY, ELOOP);
    assert_walk(&t, "out/passwd", O_RDONLY, ELOOP);
    assert_walk(&t, "file/below", O_RDONLY, ENOTDIR);
    assert_walk(&t, "absent", O_RDONLY, ENOENT);
    assert_walk(&t, "dir/absent/below", O_RDONLY, ENOENT);
    assert_walk(&t, "/etc/passwd", O_RDONLY, EXDEV);
    assert_walk(&t, "..", O_RDONLY, EXDEV);
    assert_walk(&t, "dir/../../etc", O_RDONLY, EXDEV);
    assert_walk(&t, "", O_RDONLY, EXDEV);
    assert_walk(&t, "dir/new", O_RDWR | O_CREAT | O_EXCL, 0);
    assert_walk(&t, "dir/new", O_RDWR | O_CREAT | O_EXCL, EEXIST);
    char name[300];
    memset(name, 'n', sizeof name - 1);
    name[sizeof name - 1] = '\0';
    assert_walk(&t, name, O_RDONLY, ENAMETOOLONG);
    temp_dir_remove(&t);
}

static void the_walk_leaks_no_descriptor(void **state)
{
    (void)state;
    temp_dir t;
    make_zoo(&t);
    int before = dup(t.fd);
    close(before);
    for (int i = 0; i < 50; i++) {
        assert_walk(&t, "dir/file", O_RDONLY, 0);
        assert_walk(&t, "dir/absent", O_RDONLY, ENOENT);
        assert_walk(&t, "dirlink/file", O_RDONLY, ELOOP);
        assert_walk(&t, "dir/../x", O_RDONLY, EXDEV);
    }
    int after = dup(t.fd);
    close(after);
    assert_int_equal(before, after);
    temp_dir_remove(&t);
}

static void creating_is_exclusive_and_sets_the_mode(void **state)
{
    (void)state;
    cistern_error err = CISTERN_ERROR_INIT;
    temp_dir t;
    struct stat st;
    int fd = -1, second = -7;
    make_zoo(&t);
    mode_t before = umask(0077);
    assert_ok(base_create_beneath(t.fd, "dir/new", 0664, &fd, &err), &err);
    umask(before);
    assert_int_equal(fstat(fd, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0664);
    assert_int_equal(write(fd, "x", 1), 1);
    close(fd);
    assert_says(base_create_beneath(t.fd, "dir/new", 0600, &second, &err), CISTERN_CONFLICT, &err,
                "there already");
    assert_int_equal(err.os_errno, EEXIST);
    assert_fails(base_create_beneath(t.fd, "dangling", 0600, &second, &err), CISTERN_CONFLICT, &err);
    assert_fails(base_create_beneath(t.fd, "dirlink/new2", 0600, &second, &err), CISTERN_DAMAGED, &err);
    assert_fails(base_create_beneath(t.fd, "absent/new", 0600, &second, &err), CISTERN_NOT_FOUND, &err);
    assert_int_equal(second, -7);
    temp_dir_remove(&t);
}

static mode_t mode_of(const temp_dir *t, const char *path)
{
    struct stat st;
    assert_int_equal(fstatat(t->fd, path, &st, AT_SYMLINK_NOFOLLOW), 0);
    return st.st_mode & 07777;
}

static void directories_are_made_with_their_parents_and_mode(void **state)
{
    (void)state;
    cistern_error err = CISTERN_ERROR_INIT;
    temp_dir t;
    const base_modes group = {0440, 0660, 02770};
    make_zoo(&t);
    mode_t before = umask(0077);
    assert_ok(base_mkdirs(t.fd, "a/b/c", &group, &err), &err);
    umask(before);
    assert_int_equal(mode_of(&t, "a"), 02770);
    assert_int_equal(mode_of(&t, "a/b/c"), 02770);
    assert_ok(base_mkdirs(t.fd, "a/b/c", &modes, &err), &err);
    assert_ok(base_mkdirs(t.fd, "a/b//d/", &modes, &err), &err);
    assert_ok(base_mkdirs(t.fd, "", &modes, &err), &err);
    assert_int_equal(mode_of(&t, "a/b/c"), 02770);
    assert_int_equal(mode_of(&t, "a/b/d"), 0700);
    temp_dir_remove(&t);
}

static void directories_are_never_made_through_links_or_files(void **state)
{
    (void)state;
    cistern_error err = CISTERN_ERROR_INIT;
    temp_dir t;
    make_zoo(&t);
    const char *wrong[] = {"dirlink/new", "link/new",   "file/new", "dangling/new",
                           "../new",      "dir/../new", "/new"};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        assert_says(base_mkdirs(t.fd, wrong[i], &modes, &err), CISTERN_DAMAGED, &err, wrong[i]);
    assert_int_equal(faccessat(t.fd, "dir/new", F_OK, 0), -1);
    temp_dir_remove(&t);
}

static void a_users_path_is_made_like_mkdir_p(void **state)
{
    (void)state;
    cistern_error err = CISTERN_ERROR_INIT;
    temp_dir t;
    make_zoo(&t);
    assert_ok(base_mkdirs_path(temp_dir_path(&t, "dirlink//x/y/"), 0750, &err), &err);
    assert_int_equal(mode_of(&t, "dir/x"), 0750);
    assert_int_equal(mode_of(&t, "dir/x/y"), 0750);
    assert_ok(base_mkdirs_path(temp_dir_path(&t, "dir/x/y"), 0700, &err), &err);
    assert_int_equal(mode_of(&t, "dir/x/y"), 0750);
    assert_ok(base_mkdirs_path("/", 0700, &err), &err);
    assert_ok(base_mkdirs_path(".", 0700, &err), &err);
    assert_says(base_mkdirs_path(temp_dir_path(&t, "file/x"), 0700, &err), CISTERN_USAGE, &err,
                "file' is not a directory");
    assert_fails(base_mkdirs_path(temp_dir_path(&t, "file"), 0700, &err), CISTERN_USAGE, &err);
    assert_fails(base_mkdirs_path("", 0700, &err), CISTERN_USAGE, &err);
    temp_dir_remove(&t);
}

static void a_relative_path_is_made_where_we_stand(void **state)
{
    (void)state;
    cistern_error err = CISTERN_ERROR_INIT;
    temp_dir t;
    char here[PATH_MAX];
    make_zoo(&t);
    assert_non_null(getcwd(here, sizeof here));
    assert_int_equal(fchdir(t.fd), 0);
    cistern_status status = base_mkdirs_path("rel/ative", 0700, &err);
    assert_int_equal(chdir(here), 0);
    assert_ok(status, &err);
    assert_int_equal(mode_of(&t, "rel/ative"), 0700);
    temp_dir_remove(&t);
}

static void the_parent_is_synced_or_missed(void **state)
{
    (void)state;
    cistern_error err = CISTERN_ERROR_INIT;
    temp_dir t;
    make_zoo(&t);
    assert_ok(base_sync_parent(t.fd, "file", &err), &err);
    assert_ok(base_sync_parent(t.fd, "dir/whatever", &err), &err);
    assert_fails(base_sync_parent(t.fd, "absent/file", &err), CISTERN_NOT_FOUND, &err);
    assert_fails(base_sync_parent(t.fd, "dirlink/file", &err), CISTERN_DAMAGED, &err);
    temp_dir_remove(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_root_must_be_a_directory),
        cmocka_unit_test(regular_files_open),
        cmocka_unit_test(links_are_refused_at_the_end_and_on_the_way),
        cmocka_unit_test(what_is_no_regular_file_is_refused_without_blocking),
        cmocka_unit_test(the_way_out_is_closed),
        cmocka_unit_test(the_walk_refuses_what_openat2_refuses),
        cmocka_unit_test(the_walk_leaks_no_descriptor),
        cmocka_unit_test(creating_is_exclusive_and_sets_the_mode),
        cmocka_unit_test(directories_are_made_with_their_parents_and_mode),
        cmocka_unit_test(directories_are_never_made_through_links_or_files),
        cmocka_unit_test(a_users_path_is_made_like_mkdir_p),
        cmocka_unit_test(a_relative_path_is_made_where_we_stand),
        cmocka_unit_test(the_parent_is_synced_or_missed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
