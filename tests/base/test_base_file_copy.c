#include "cistern_test.h"
#include "base_file.h"
#include "temp_dir.h"

#define LARGE ((3u << 20) + 17) /* bytes: several steps of the plain way and a rest */

static int make_source(const temp_dir *t, const char *name)
{
    cistern_error err = CISTERN_ERROR_INIT;
    char *bytes = malloc(LARGE);
    int fd = openat(t->fd, name, O_RDWR | O_CREAT, 0600);
    for (size_t i = 0; i < LARGE; i++)
        bytes[i] = (char)(i * 31 + (i >> 12));
    assert_ok(base_pwrite_full(fd, bytes, LARGE, 0, &err), &err);
    free(bytes);
    return fd;
}

static void assert_same(int from, int to, size_t size)
{
    cistern_error err = CISTERN_ERROR_INIT;
    char *a = malloc(size), *b = malloc(size);
    struct stat st;
    assert_int_equal(fstat(to, &st), 0);
    assert_int_equal(st.st_size, size);
    assert_ok(base_pread_full(from, a, size, 0, &err), &err);
    assert_ok(base_pread_full(to, b, size, 0, &err), &err);
    assert_memory_equal(a, b, size);
    free(a);
    free(b);
}

static void copy_between(const temp_dir *from_dir, const temp_dir *to_dir, size_t size)
{
    cistern_error err = CISTERN_ERROR_INIT;
    int from = make_source(from_dir, "from");
    int to = openat(to_dir->fd, "to", O_RDWR | O_CREAT | O_TRUNC, 0600);
    assert_int_equal(lseek(from, 100, SEEK_SET), 100); /* positions play no part */
    assert_ok(base_copy_file(from, to, size, &err), &err);
    assert_same(from, to, size);
    close(from);
    close(to);
}

static void copies_are_equal_on_one_file_system(void **state)
{
    (void)state;
    temp_dir t;
    temp_dir_make(&t);
    copy_between(&t, &t, LARGE);
    copy_between(&t, &t, LARGE - 5000); /* no bytes beyond the size that was asked for */
    copy_between(&t, &t, 1);
    temp_dir_remove(&t);
}

static void copies_are_equal_across_file_systems(void **state)
{
    (void)state;
    temp_dir t, shared;
    struct stat a, b;
    char before[512];
    const char *base = getenv("TMPDIR");
    snprintf(before, sizeof before, "%s", base ? base : "");
    temp_dir_make(&t);
    setenv("TMPDIR", "/dev/shm", 1);
    if (access("/dev/shm", W_OK) == 0)
        temp_dir_make(&shared);
    else
        shared.fd = -1;
    setenv("TMPDIR", before, 1);
    bool two = shared.fd >= 0 && fstat(t.fd, &a) == 0 && fstat(shared.fd, &b) == 0 && a.st_dev != b.st_dev;
    if (two) {
        copy_between(&t, &shared, LARGE);
        copy_between(&shared, &t, LARGE);
    }
    temp_dir_remove(&t);
    if (shared.fd >= 0)
        temp_dir_remove(&shared);
    if (!two)
        TEST_SKIP("/dev/shm is not a second file system");
}

static void a_source_that_is_too_short_is_damaged(void **state)
{
    (void)state;
    cistern_error err = CISTERN_ERROR_INIT;
    temp_dir t;
    temp_dir_make(&t);
    int from = make_source(&t, "from");
    int to = openat(t.fd, "to", O_RDWR | O_CREAT, 0600);
    assert_says(base_copy_file(from, to, (uint64_t)LARGE + 1, &err), CISTERN_DAMAGED, &err, "the file ends");
    assert_int_equal(err.offset, LARGE);
    close(from);
    close(to);
    temp_dir_remove(&t);
}

static void a_target_that_cannot_be_written_fails(void **state)
{
    (void)state;
    cistern_error err = CISTERN_ERROR_INIT;
    temp_dir t;
    temp_dir_make(&t);
    int from = make_source(&t, "from");
    int to = openat(t.fd, "to", O_RDONLY | O_CREAT, 0600);
    assert_fails(base_copy_file(from, to, LARGE, &err), CISTERN_UNEXPECTED, &err);
    close(to);
    to = open("/dev/full", O_RDWR);
    if (to >= 0)
        assert_fails(base_copy_file(from, to, LARGE, &err), CISTERN_NO_SPACE, &err);
    close(to);
    close(from);
    temp_dir_remove(&t);
}

static void nothing_to_copy_is_success(void **state)
{
    (void)state;
    cistern_error err = CISTERN_ERROR_INIT;
    temp_dir t;
    temp_dir_make(&t);
    int from = make_source(&t, "from");
    int to = openat(t.fd, "to", O_RDWR | O_CREAT, 0600);
    struct stat st;
    assert_ok(base_copy_file(from, to, 0, &err), &err);
    assert_int_equal(fstat(to, &st), 0);
    assert_int_equal(st.st_size, 0);
    close(from);
    close(to);
    temp_dir_remove(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(copies_are_equal_on_one_file_system),
        cmocka_unit_test(copies_are_equal_across_file_systems),
        cmocka_unit_test(a_source_that_is_too_short_is_damaged),
        cmocka_unit_test(a_target_that_cannot_be_written_fails),
        cmocka_unit_test(nothing_to_copy_is_success),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
