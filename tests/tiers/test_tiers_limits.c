/* Directories that other tools keep: as many entries as are looked at, and one more. */
#include <fcntl.h>
#include <sys/stat.h>
#include "cistern_test.h"
#include "temp_dir.h"
#include "tiers_cache.h"
#include "tiers_directory.h"

static void touch(const temp_dir *dir, const char *name)
{
    int fd = open(temp_dir_path(dir, name), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

    assert_true(fd >= 0);
    close(fd);
}

/* A metadata.json that names so many versions. */
static void put_metadata(const temp_dir *dir, unsigned versions)
{
    FILE *file = fopen(temp_dir_path(dir, TIERS_DIRECTORY_METADATA), "w");

    assert_non_null(file);
    for (unsigned i = 1; i <= versions; i++)
        (void)fprintf(file, "%s\"%u\": \"v%u.pth\"", i == 1 ? "{" : ",", i, i);
    (void)fputs("}", file);
    assert_int_equal(fclose(file), 0);
}

static void a_directory_of_as_many_versions_as_allowed_and_one_more(void **state)
{
    temp_dir dir;
    tiers_directory d;
    cistern_error err = CISTERN_ERROR_INIT;

    (void)state;
    temp_dir_make(&dir);
    tiers_directory_init(&d);
    put_metadata(&dir, TIERS_DIRECTORY_MAX);
    assert_ok(tiers_directory_open(temp_dir_path(&dir, "."), &d, &err), &err);
    assert_int_equal(d.count, TIERS_DIRECTORY_MAX);
    assert_string_equal(d.entries[TIERS_DIRECTORY_MAX - 1].file, "v4096.pth");
    tiers_directory_clear(&d);
    put_metadata(&dir, TIERS_DIRECTORY_MAX + 1);
    assert_says(tiers_directory_open(temp_dir_path(&dir, "."), &d, &err), CISTERN_DAMAGED, &err,
                "names 4097 versions, 1 to 4096 are allowed");
    temp_dir_remove(&dir);
}

static void a_cache_of_as_many_files_as_are_looked_at_and_one_more(void **state)
{
    temp_dir dir;
    tiers_cache_files files = {0};
    char name[96], home[4096];
    cistern_error err = CISTERN_ERROR_INIT;
    const tiers_cache *torch = tiers_cache_find("torch");

    (void)state;
    temp_dir_make(&dir);
    assert_int_equal(mkdir(temp_dir_path(&dir, "hub"), 0700), 0);
    assert_int_equal(mkdir(temp_dir_path(&dir, "hub/checkpoints"), 0700), 0);
    (void)snprintf(home, sizeof home, "%s", temp_dir_path(&dir, "."));
    for (unsigned i = 0; i <= TIERS_CACHE_MAX; i++) {
        if (i == TIERS_CACHE_MAX) {
            assert_ok(tiers_cache_list(torch, home, true, &files, &err), &err);
            assert_int_equal(files.count, TIERS_CACHE_MAX);
            tiers_cache_files_clear(&files);
        }
        (void)snprintf(name, sizeof name, "hub/checkpoints/vgg16-%08x.pth", i);
        touch(&dir, name);
    }
    assert_says(tiers_cache_list(torch, home, true, &files, &err), CISTERN_USAGE, &err,
                "more than 4096 files");
    temp_dir_remove(&dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_directory_of_as_many_versions_as_allowed_and_one_more),
        cmocka_unit_test(a_cache_of_as_many_files_as_are_looked_at_and_one_more),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
