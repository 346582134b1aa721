#include "cistern_test.h"
#include "base_file.h"
#include "guard_page.h"
#include "temp_dir.h"
#include <errno.h>
#include <time.h>

static void put_file(const temp_dir *t, const char *name, const void *bytes, size_t n)
{
    int fd = openat(t->fd, name, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    assert_int_equal(write(fd, bytes, n), n);
    close(fd);
}

static void a_whole_file_is_appended(void **state)
{
    (void)state;
    cistern_error err = CISTERN_ERROR_INIT;
    temp_dir t;
    base_buf buf;
    char large[200000];
    temp_dir_make(&t);
    for (size_t i = 0; i < sizeof large; i++)
        large[i] = (char)(i * 7);
    put_file(&t, "large", large, sizeof large);
    put_file(&t, "empty", "", 0);
    base_buf_init(&buf, sizeof large + 2);
    assert_ok(base_buf_put(&buf, "><", 2, &err), &err);
    assert_ok(base_read_beneath(t.fd, "large", &buf, &err), &err);
    assert_int_equal(buf.len, sizeof large + 2);
    assert_memory_equal(buf.data + 2, large, sizeof large);
    assert_ok(base_read_beneath(t.fd, "empty", &buf, &err), &err);
    assert_fails(base_read_beneath(t.fd, "absent", &buf, &err), CISTERN_NOT_FOUND, &err);
    base_buf_clear(&buf);
    temp_dir_remove(&t);
}

static void a_file_beyond_the_maximum_is_refused_unread(void **state)
{
    (void)state;
    cistern_error err = CISTERN_ERROR_INIT;
    temp_dir t;
    base_buf buf;
    temp_dir_make(&t);
    put_file(&t, "eleven", "01234567890", 11);
    base_buf_init(&buf, 10);
    assert_says(base_read_beneath(t.fd, "eleven", &buf, &err), CISTERN_DAMAGED, &err,
                "'eleven' has 11 bytes, at most 10 allowed");
    assert_says(base_read_path(temp_dir_path(&t, "eleven"), &buf, &err), CISTERN_DAMAGED, &err, "11 bytes");
    assert_int_equal(buf.len, 0);
    int fd = openat(t.fd, "sparse", O_WRONLY | O_CREAT, 0600);
    assert_int_equal(ftruncate(fd, (off_t)1 << 40), 0);
    close(fd);
    base_buf_clear(&buf);
    base_buf_init(&buf, 1 << 20);
    assert_fails(base_read_beneath(t.fd, "sparse", &buf, &err), CISTERN_DAMAGED, &err);
    base_buf_clear(&buf);
    temp_dir_remove(&t);
}

static void a_users_path_may_be_a_link_but_must_end_in_a_file(void **state)
{
    (void)state;
    cistern_error err = CISTERN_ERROR_INIT;
    temp_dir t;
    base_buf buf;
    temp_dir_make(&t);
    put_file(&t, "file", "abc", 3);
    assert_int_equal(symlinkat("file", t.fd, "link"), 0);
    assert_int_equal(mkfifoat(t.fd, "fifo", 0600), 0);
    base_buf_init(&buf, 100);
    assert_ok(base_read_path(temp_dir_path(&t, "link"), &buf, &err), &err);
    assert_string_equal(buf.data, "abc");
    assert_fails(base_read_path(temp_dir_path(&t, "fifo"), &buf, &err), CISTERN_DAMAGED, &err);
    assert_fails(base_read_path(t.path, &buf, &err), CISTERN_DAMAGED, &err);
    assert_fails(base_read_path(temp_dir_path(&t, "absent"), &buf, &err), CISTERN_NOT_FOUND, &err);
    assert_fails(base_read_beneath(t.fd, "link", &buf, &err), CISTERN_DAMAGED, &err);
    assert_int_equal(buf.len, 3);
    base_buf_clear(&buf);
    temp_dir_remove(&t);
}

static void reads_and_writes_are_exact(void **state)
{
    (void)state;
    cistern_error err = CISTERN_ERROR_INIT;
    temp_dir t;
    temp_dir_make(&t);
    int fd = openat(t.fd, "file", O_RDWR | O_CREAT, 0600);
    guard_page g = guard_page_make(5);
    assert_ok(base_pwrite_full(fd, "0123456789", 10, 3, &err), &err);
    assert_ok(base_pread_full(fd, g.data, 5, 8, &err), &err);
    assert_memory_equal(g.data, "56789", 5);
    assert_ok(base_pread_full(fd, NULL, 0, 1000, &err), &err);
    assert_says(base_pread_full(fd, g.data, 5, 9, &err), CISTERN_DAMAGED, &err, "the file ends");
    assert_int_equal(err.offset, 13);
    assert_fails(base_pread_full(fd, g.data, 5, UINT64_MAX, &err), CISTERN_DAMAGED, &err);
    assert_fails(base_pread_full(fd, g.data, 5, INT64_MAX, &err), CISTERN_DAMAGED, &err);
    assert_fails(base_pwrite_full(fd, "x", 1, UINT64_MAX, &err), CISTERN_DAMAGED, &err);
    assert_fails(base_pwrite_full(-1, "x", 1, 0, &err), CISTERN_UNEXPECTED, &err);
    assert_fails(base_pread_full(t.fd, g.data, 1, 0, &err), CISTERN_UNEXPECTED, &err);
    assert_int_equal(err.os_errno, EISDIR);
    guard_page_free(&g);
    close(fd);
    temp_dir_remove(&t);
}

static void a_full_disk_says_so(void **state)
{
    (void)state;
    cistern_error err = CISTERN_ERROR_INIT;
    int fd = open("/dev/full", O_WRONLY);
    if (fd < 0)
        TEST_SKIP("there is no /dev/full");
    assert_fails(base_pwrite_full(fd, "x", 1, 0, &err), CISTERN_NO_SPACE, &err);
    assert_int_equal(err.os_errno, ENOSPC);
    close(fd);
}

typedef struct name_list {
    char text[256];
    int left;
} name_list;

static cistern_status add_name(void *user, const char *name, cistern_error *err)
{
    name_list *list = user;
    strcat(strcat(list->text, name), ";");
    if (--list->left == 0) {
        if (err)
            err->status = CISTERN_CONFLICT;
        return CISTERN_CONFLICT;
    }
    return CISTERN_OK;
}

static void names_come_sorted_by_bytes_without_temporaries(void **state)
{
    (void)state;
    cistern_error err = CISTERN_ERROR_INIT;
    temp_dir t;
    name_list list = {.left = -1};
    temp_dir_make(&t);
    assert_int_equal(mkdirat(t.fd, "d", 0700), 0);
    const char *names[] = {"d/b",       "d/\xc3\xa9", "d/a",     "d/B",  "d/a1",
                           "d/.hidden", "d/.tmp-12",  "d/.tmp-", "d/10", "d/9"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        put_file(&t, names[i], "", 0);
    assert_int_equal(symlinkat("b", t.fd, "d/z"), 0);
    assert_ok(base_dir_each(t.fd, "d", add_name, &list, &err), &err);
    assert_string_equal(list.text, ".hidden;10;9;B;a;a1;b;z;\xc3\xa9;");
    list = (name_list){.left = 2};
    assert_fails(base_dir_each(t.fd, "d", add_name, &list, &err), CISTERN_CONFLICT, &err);
    assert_string_equal(list.text, ".hidden;10;");
    list = (name_list){.left = -1};
    assert_ok(base_dir_each(t.fd, ".", add_name, &list, &err), &err);
    assert_string_equal(list.text, "d;");
    temp_dir_remove(&t);
}

static void an_absent_directory_has_no_names_and_a_file_is_none(void **state)
{
    (void)state;
    cistern_error err = CISTERN_ERROR_INIT;
    temp_dir t;
    name_list list = {.left = -1};
    temp_dir_make(&t);
    put_file(&t, "file", "", 0);
    assert_int_equal(mkdirat(t.fd, "empty", 0700), 0);
    assert_int_equal(symlinkat("empty", t.fd, "link"), 0);
    assert_ok(base_dir_each(t.fd, "absent/deep", add_name, &list, &err), &err);
    assert_ok(base_dir_each(t.fd, "empty", add_name, &list, &err), &err);
    assert_string_equal(list.text, "");
    assert_fails(base_dir_each(t.fd, "file", add_name, &list, &err), CISTERN_DAMAGED, &err);
    assert_fails(base_dir_each(t.fd, "link", add_name, &list, &err), CISTERN_DAMAGED, &err);
    temp_dir_remove(&t);
}

static cistern_status count(void *user, const char *name, cistern_error *err)
{
    int *seen = user;
    (void)err;
    assert_int_equal(strtol(name, NULL, 10), seen[0]); /* in order */
    seen[1] = seen[0]++;
    return CISTERN_OK;
}

static void many_names_are_all_seen(void **state)
{
    (void)state;
    cistern_error err = CISTERN_ERROR_INIT;
    temp_dir t;
    int seen[2] = {0, 0};
    temp_dir_make(&t);
    for (int i = 0; i < 3000; i++) {
        char name[64];
        snprintf(name, sizeof name, "%040d", i);
        put_file(&t, name, "", 0);
    }
    assert_ok(base_dir_each(t.fd, ".", count, seen, &err), &err);
    assert_int_equal(seen[0], 3000);
    assert_int_equal(seen[1], 2999);
    temp_dir_remove(&t);
}

static void identity_changes_with_the_file(void **state)
{
    (void)state;
    cistern_error err = CISTERN_ERROR_INIT;
    temp_dir t;
    base_identity a, b;
    temp_dir_make(&t);
    int fd = openat(t.fd, "file", O_RDWR | O_CREAT, 0640);
    assert_ok(base_identity_of(fd, &a, &err), &err);
    assert_int_equal(a.size, 0);
    assert_int_equal(a.nlink, 1);
    assert_int_equal(a.mode & 0777, 0640 & a.mode);
    assert_true(S_ISREG(a.mode));
    assert_int_equal(a.uid, geteuid());
    assert_true(a.mtime_ns > 1600000000000000000);
    assert_ok(base_identity_of(fd, &b, &err), &err);
    assert_memory_equal(&a, &b, sizeof a);
    const struct timespec times[2] = {{.tv_sec = 1}, {.tv_sec = 1000000000, .tv_nsec = 5}};
    assert_int_equal(futimens(fd, times), 0);
    assert_int_equal(linkat(t.fd, "file", t.fd, "second", 0), 0);
    assert_int_equal(write(fd, "", 0), 0);
    assert_int_equal(ftruncate(fd, 9), 0);
    assert_int_equal(futimens(fd, times), 0);
    assert_ok(base_identity_of(fd, &b, &err), &err);
    assert_int_equal(b.inode, a.inode);
    assert_int_equal(b.size, 9);
    assert_int_equal(b.nlink, 2);
    assert_int_equal(b.mtime_ns, 1000000000000000005);
    assert_int_equal(b.btime_ns, a.btime_ns);
    assert_fails(base_identity_of(-1, &b, &err), CISTERN_UNEXPECTED, &err);
    close(fd);
    temp_dir_remove(&t);
}

static void file_systems_are_named(void **state)
{
    (void)state;
    cistern_error err = CISTERN_ERROR_INIT;
    base_fs_info info = {.name = "unset"};
    assert_fails(base_fs_of(-1, &info, &err), CISTERN_UNEXPECTED, &err);
    assert_string_equal(info.name, "unset");
    int fd = open("/proc", O_RDONLY | O_DIRECTORY);
    if (fd < 0)
        TEST_SKIP("/proc is not mounted");
    assert_ok(base_fs_of(fd, &info, &err), &err);
    assert_string_equal(info.name, "0x9fa0"); /* PROC_SUPER_MAGIC: nobody's store, so without a name here */
    assert_false(info.network);
    close(fd);
    fd = open("/dev/shm", O_RDONLY | O_DIRECTORY);
    if (fd < 0)
        return;
    assert_ok(base_fs_of(fd, &info, &err), &err);
    close(fd);
    if (strcmp(info.name, "tmpfs") != 0)
        TEST_SKIP("/dev/shm is not a tmpfs");
    assert_false(info.network);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_whole_file_is_appended),
        cmocka_unit_test(a_file_beyond_the_maximum_is_refused_unread),
        cmocka_unit_test(a_users_path_may_be_a_link_but_must_end_in_a_file),
        cmocka_unit_test(reads_and_writes_are_exact),
        cmocka_unit_test(a_full_disk_says_so),
        cmocka_unit_test(names_come_sorted_by_bytes_without_temporaries),
        cmocka_unit_test(an_absent_directory_has_no_names_and_a_file_is_none),
        cmocka_unit_test(many_names_are_all_seen),
        cmocka_unit_test(identity_changes_with_the_file),
        cmocka_unit_test(file_systems_are_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
