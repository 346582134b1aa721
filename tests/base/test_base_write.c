/* Files that appear whole or not at all. */
#include <dirent.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base_write.h"
#include "cistern_test.h"
#include "temp_dir.h"

static size_t entries(const char *dir)
{
    size_t count = 0;
    DIR *d = opendir(dir);
    assert_non_null(d);
    for (struct dirent *e; (e = readdir(d));)
        count += e->d_name[0] != '.' || strlen(e->d_name) > 2;
    closedir(d);
    return count;
}

static void put_file(const char *path, bool replace, size_t n)
{
    base_write *w = NULL;
    cistern_error err = CISTERN_ERROR_INIT;
    static uint8_t bytes[200000];
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (uint8_t)(i * 7);
    assert_ok(base_write_begin(path, replace, &w, &err), &err);
    assert_ok(base_write_put(w, bytes, 3, &err), &err); /* waits in the buffer */
    assert_ok(base_write_put(w, bytes + 3, n - 3, &err), &err);
    assert_int_equal(base_write_size(w), n);
    assert_ok(base_write_end(w, &err), &err);
    FILE *in = fopen(path, "rb");
    static uint8_t back[sizeof bytes + 1];
    assert_non_null(in);
    assert_int_equal(fread(back, 1, sizeof back, in), n);
    assert_memory_equal(back, bytes, n);
    fclose(in);
}

static void what_was_put_is_in_the_file(void **state)
{
    temp_dir dir;
    (void)state;
    temp_dir_make(&dir);
    put_file(temp_dir_path(&dir, "small"), false, 10);
    put_file(temp_dir_path(&dir, "large"), false, 200000);
    put_file(temp_dir_path(&dir, "large"), true, 65536);
    assert_int_equal(entries(temp_dir_path(&dir, ".")), 2);
    temp_dir_remove(&dir);
}

static void a_name_that_is_taken_stays(void **state)
{
    temp_dir dir;
    base_write *w = NULL;
    cistern_error err = CISTERN_ERROR_INIT;
    struct stat info;
    (void)state;
    temp_dir_make(&dir);
    const char *path = temp_dir_path(&dir, "f");
    put_file(path, false, 10);
    assert_int_equal(base_write_begin(path, false, &w, &err), CISTERN_CONFLICT);
    assert_null(w);
    assert_int_equal(unlink(path), 0);
    assert_ok(base_write_begin(path, false, &w, &err), &err); /* free when it begins, taken when it ends */
    put_file(path, false, 20);
    assert_int_equal(base_write_end(w, &err), CISTERN_CONFLICT);
    assert_int_equal(stat(path, &info), 0);
    assert_int_equal(info.st_size, 20);
    assert_int_equal(entries(temp_dir_path(&dir, ".")), 1);
    assert_int_equal(base_write_begin(temp_dir_path(&dir, "."), true, &w, &err), CISTERN_USAGE);
    assert_int_equal(base_write_begin(temp_dir_path(&dir, "no/f"), false, &w, &err), CISTERN_NOT_FOUND);
    assert_int_equal(mkdir(temp_dir_path(&dir, "d"), 0700), 0);
    assert_int_equal(base_write_begin(temp_dir_path(&dir, "d"), true, &w, &err), CISTERN_CONFLICT);
    temp_dir_remove(&dir);
}

static void abandoned_leaves_nothing(void **state)
{
    temp_dir dir;
    base_write *w = NULL;
    cistern_error err = CISTERN_ERROR_INIT;
    (void)state;
    temp_dir_make(&dir);
    assert_ok(base_write_begin(temp_dir_path(&dir, "f"), false, &w, &err), &err);
    assert_int_equal(entries(temp_dir_path(&dir, ".")), 1); /* a temporary */
    base_write_abandon(w);
    base_write_abandon(NULL);
    assert_int_equal(entries(temp_dir_path(&dir, ".")), 0);
    temp_dir_remove(&dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_put_is_in_the_file),
        cmocka_unit_test(a_name_that_is_taken_stays),
        cmocka_unit_test(abandoned_leaves_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
