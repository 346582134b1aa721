#include "cistern_test.h"
#include "base_disk.h"
#include "base_file.h"
#include "temp_dir.h"
#include <errno.h>

static uint64_t size_of(int fd)
{
    struct stat st;
    assert_int_equal(fstat(fd, &st), 0);
    return (uint64_t)st.st_size;
}

static void reserved_bytes_are_there_and_zero(void **state)
{
    (void)state;
    cistern_error err = CISTERN_ERROR_INIT;
    temp_dir t;
    struct stat st;
    bool reserved = false;
    char byte = 'x';
    temp_dir_make(&t);
    int fd = openat(t.fd, "f", O_RDWR | O_CREAT, 0600);
    assert_ok(base_disk_reserve(fd, 100000, &reserved, &err), &err);
    assert_int_equal(size_of(fd), 100000);
    assert_int_equal(fstat(fd, &st), 0);
    if (reserved)
        assert_true(st.st_blocks * 512 >= 100000);
    assert_ok(base_pread_full(fd, &byte, 1, 99999, &err), &err);
    assert_int_equal(byte, 0);
    assert_ok(base_disk_reserve(fd, 10, NULL, &err), &err); /* also shorter */
    assert_int_equal(size_of(fd), 10);
    assert_ok(base_disk_reserve(fd, 0, NULL, &err), &err);
    assert_int_equal(size_of(fd), 0);
    close(fd);
    temp_dir_remove(&t);
}

static void what_no_disk_holds_is_refused_and_given_back(void **state)
{
    (void)state;
    cistern_error err = CISTERN_ERROR_INIT;
    temp_dir t;
    bool reserved = true;
    uint64_t before, after;
    temp_dir_make(&t);
    int fd = openat(t.fd, "f", O_RDWR | O_CREAT, 0600);
    assert_ok(base_pwrite_full(fd, "abc", 3, 0, &err), &err);
    assert_fails(base_disk_reserve(fd, UINT64_MAX, &reserved, &err), CISTERN_DAMAGED, &err);
    assert_ok(base_disk_free(t.fd, &before, &err), &err);
    cistern_status status = base_disk_reserve(fd, before + ((uint64_t)1 << 40), &reserved, &err);
    if (status == CISTERN_OK) {
        temp_dir_remove(&t);
        TEST_SKIP("this file system promises more than it has");
    }
    assert_true(status == CISTERN_NO_SPACE || err.os_errno == EFBIG);
    if (status == CISTERN_NO_SPACE) /* refused by what is free, not by filling the disk first */
        assert_non_null(strstr(err.text, "are free"));
    assert_int_equal(size_of(fd), 3);
    assert_ok(base_disk_free(t.fd, &after, &err), &err);
    assert_true(after + (1 << 30) > before);
    assert_fails(base_disk_reserve(t.fd, 5, &reserved, &err), CISTERN_UNEXPECTED, &err);
    assert_fails(base_disk_reserve(-1, 5, &reserved, &err), CISTERN_UNEXPECTED, &err);
    assert_fails(base_disk_free(-1, &after, &err), CISTERN_UNEXPECTED, &err);
    close(fd);
    temp_dir_remove(&t);
}

static void a_range_is_copied_in_its_place_and_nothing_else(void **state)
{
    (void)state;
    cistern_error err = CISTERN_ERROR_INIT;
    temp_dir t;
    char *bytes = malloc(3 << 20), *copy = malloc(3 << 20);
    temp_dir_make(&t);
    for (size_t i = 0; i < 3 << 20; i++)
        bytes[i] = (char)(1 + i % 251);
    int from = openat(t.fd, "from", O_RDWR | O_CREAT, 0600);
    int to = openat(t.fd, "to", O_RDWR | O_CREAT, 0600);
    assert_ok(base_pwrite_full(from, bytes, 3 << 20, 0, &err), &err);
    assert_ok(base_disk_reserve(to, 3 << 20, NULL, &err), &err);
    assert_ok(base_disk_copy_range(from, to, 5000, (2 << 20) + 3, &err), &err);
    assert_ok(base_pread_full(to, copy, 3 << 20, 0, &err), &err);
    for (size_t i = 0; i < 3 << 20; i++)
        if (copy[i] != (i >= 5000 && i < 5000 + (2 << 20) + 3 ? bytes[i] : 0))
            fail_msg("byte %zu", i);
    assert_int_equal(lseek(from, 0, SEEK_CUR), 0);
    assert_int_equal(lseek(to, 0, SEEK_CUR), 0);
    assert_ok(base_disk_copy_range(from, to, 3 << 20, 0, &err), &err);
    assert_fails(base_disk_copy_range(from, to, (3 << 20) - 1, 2, &err), CISTERN_DAMAGED, &err);
    assert_fails(base_disk_copy_range(from, to, UINT64_MAX, 2, &err), CISTERN_DAMAGED, &err);
    assert_fails(base_disk_copy_range(from, to, 0, UINT64_MAX, &err), CISTERN_DAMAGED, &err);
    free(bytes);
    free(copy);
    close(from);
    close(to);
    temp_dir_remove(&t);
}

static void a_path_is_resolved_or_left(void **state)
{
    (void)state;
    cistern_error err = CISTERN_ERROR_INIT;
    temp_dir t;
    char *path = NULL, *direct = NULL;
    temp_dir_make(&t);
    assert_int_equal(mkdirat(t.fd, "dir", 0700), 0);
    assert_int_equal(symlinkat("dir", t.fd, "link"), 0);
    assert_ok(base_disk_path(temp_dir_path(&t, "link/../link"), &path, &err), &err);
    assert_ok(base_disk_path(temp_dir_path(&t, "dir"), &direct, &err), &err);
    assert_string_equal(path, direct);
    assert_int_equal(path[0], '/');
    free(path);
    free(direct);
    assert_ok(base_disk_path("no/such/thing", &path, &err), &err);
    assert_string_equal(path, "no/such/thing");
    free(path);
    temp_dir_remove(&t);
}

static void a_lock_is_one_descriptors_until_it_is_closed(void **state)
{
    (void)state;
    temp_dir t;
    temp_dir_make(&t);
    int first = openat(t.fd, "f", O_RDWR | O_CREAT, 0600);
    int second = openat(t.fd, "f", O_RDWR);
    assert_true(base_disk_try_lock(first));
    assert_true(base_disk_try_lock(first));
    assert_false(base_disk_try_lock(second));
    close(first);
    assert_true(base_disk_try_lock(second));
    close(second);
    assert_false(base_disk_try_lock(-1));
    temp_dir_remove(&t);
}

static void sharing_extents_copies_or_says_no(void **state)
{
    (void)state;
    cistern_error err = CISTERN_ERROR_INIT;
    temp_dir t;
    char back[6] = "";
    temp_dir_make(&t);
    int from = openat(t.fd, "from", O_RDWR | O_CREAT, 0600);
    int to = openat(t.fd, "to", O_RDWR | O_CREAT, 0600);
    assert_ok(base_pwrite_full(from, "extent", 6, 0, &err), &err);
    bool shared = base_disk_clone(from, to);
    assert_int_equal(size_of(to), shared ? 6 : 0);
    if (shared) {
        assert_ok(base_pread_full(to, back, 6, 0, &err), &err);
        assert_memory_equal(back, "extent", 6);
    }
    assert_false(base_disk_clone(from, -1));
    close(from);
    close(to);
    temp_dir_remove(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reserved_bytes_are_there_and_zero),
        cmocka_unit_test(what_no_disk_holds_is_refused_and_given_back),
        cmocka_unit_test(a_range_is_copied_in_its_place_and_nothing_else),
        cmocka_unit_test(a_path_is_resolved_or_left),
        cmocka_unit_test(a_lock_is_one_descriptors_until_it_is_closed),
        cmocka_unit_test(sharing_extents_copies_or_says_no),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
