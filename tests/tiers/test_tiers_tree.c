/* Directories as versions: which files, under which names, and what is refused. */
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include "cistern_test.h"
#include "temp_dir.h"
#include "tiers_tree.h"

typedef struct fixture {
    temp_dir dir;
    tiers_tree tree;
    cistern_error err;
} fixture;

static void put(fixture *f, const char *path)
{
    const char *full = temp_dir_path(&f->dir, path);
    int fd = open(full, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

    assert_true(fd >= 0);
    assert_int_equal(write(fd, "x", 1), 1);
    close(fd);
}

static void make(fixture *f, const char *path)
{
    assert_int_equal(mkdir(temp_dir_path(&f->dir, path), 0700), 0);
}

static int setup(void **state)
{
    fixture *f = calloc(1, sizeof *f);

    assert_non_null(f);
    temp_dir_make(&f->dir);
    tiers_tree_init(&f->tree);
    make(f, "m");
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    fixture *f = *state;

    tiers_tree_clear(&f->tree);
    temp_dir_remove(&f->dir);
    free(f);
    return 0;
}

static cistern_status expand(fixture *f, const char *path)
{
    char full[4096];
    const char *paths[] = {full};

    snprintf(full, sizeof full, "%s", temp_dir_path(&f->dir, path));
    f->err = (cistern_error)CISTERN_ERROR_INIT;
    return tiers_tree_expand(paths, 1, &f->tree, &f->err);
}

static void files_keep_their_paths_inside_the_directory(void **state)
{
    fixture *f = *state;
    static const char *const want[] = {"saved_model.pb", "variables/variables.data-00000-of-00001",
                                       "variables/variables.index"};

    make(f, "m/variables");
    put(f, "m/variables/variables.index");
    put(f, "m/variables/variables.data-00000-of-00001");
    put(f, "m/saved_model.pb");
    put(f, "m/.hidden");
    put(f, "m/config.json");
    make(f, "m/.git");
    put(f, "m/.git/x");
    assert_ok(expand(f, "m/"), &f->err);
    assert_int_equal(f->tree.count, 3);
    for (size_t i = 0; i < 3; i++) {
        char byte;
        assert_string_equal(f->tree.names[i], want[i]);
        assert_int_equal(pread(f->tree.fds[i], &byte, 1, 0), 1);
        assert_int_equal(access(f->tree.paths[i], R_OK), 0);
    }
}

static void a_config_below_the_top_is_a_file_like_others(void **state)
{
    fixture *f = *state;

    make(f, "m/a");
    put(f, "m/a/config.json");
    assert_ok(expand(f, "m"), &f->err);
    assert_string_equal(f->tree.names[0], "a/config.json");
}

static void links_are_not_followed(void **state)
{
    fixture *f = *state;
    char target[4096];

    put(f, "secret");
    snprintf(target, sizeof target, "%s", temp_dir_path(&f->dir, "secret"));
    assert_int_equal(symlink(target, temp_dir_path(&f->dir, "m/link")), 0);
    assert_says(expand(f, "m"), CISTERN_USAGE, &f->err, "a symbolic link, which is not followed");
}

static void pipes_are_no_files(void **state)
{
    fixture *f = *state;

    assert_int_equal(mkfifo(temp_dir_path(&f->dir, "m/pipe"), 0600), 0);
    assert_says(expand(f, "m"), CISTERN_USAGE, &f->err, "only files and directories are taken");
}

static void directories_without_files(void **state)
{
    fixture *f = *state;

    assert_says(expand(f, "m"), CISTERN_USAGE, &f->err, "holds no files");
    assert_fails(expand(f, "absent"), CISTERN_NOT_FOUND, &f->err);
}

static void as_deep_as_allowed_and_one_deeper(void **state)
{
    fixture *f = *state;
    char path[256];
    int n = snprintf(path, sizeof path, "m");

    for (int i = 0; i < TIERS_TREE_DEPTH_MAX; i++) {
        n += snprintf(path + n, sizeof path - (size_t)n, "/d");
        make(f, path);
    }
    (void)snprintf(path + n, sizeof path - (size_t)n, "/file");
    put(f, path);
    assert_ok(expand(f, "m"), &f->err);
    tiers_tree_clear(&f->tree);
    (void)snprintf(path + n, sizeof path - (size_t)n, "/d");
    make(f, path);
    assert_says(expand(f, "m"), CISTERN_USAGE, &f->err, "directories more than 16 deep");
}

/* Each file is open: where so many are not allowed, the test cannot be made. */
static void allow_descriptors(rlim_t n)
{
    struct rlimit limit;

    assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
    if (limit.rlim_cur >= n)
        return;
    limit.rlim_cur = limit.rlim_max < n ? limit.rlim_max : n;
    (void)setrlimit(RLIMIT_NOFILE, &limit);
    if (limit.rlim_cur < n)
        TEST_SKIP("not so many open files are allowed here");
}

static void as_many_files_as_allowed_and_one_more(void **state)
{
    fixture *f = *state;
    char path[32];

    allow_descriptors(CATALOG_FILES_MAX + 64);
    for (int i = 0; i <= CATALOG_FILES_MAX; i++) {
        if (i == CATALOG_FILES_MAX) {
            assert_ok(expand(f, "m"), &f->err);
            assert_int_equal(f->tree.count, CATALOG_FILES_MAX);
            tiers_tree_clear(&f->tree);
        }
        (void)snprintf(path, sizeof path, "m/%d", i);
        put(f, path);
    }
    assert_says(expand(f, "m"), CISTERN_USAGE, &f->err, "more than 4096 files");
}

static void as_many_directories_as_allowed_and_one_more(void **state)
{
    fixture *f = *state;
    char path[32];

    put(f, "m/file");
    for (int i = 0; i <= CATALOG_FILES_MAX; i++) {
        if (i == CATALOG_FILES_MAX) {
            assert_ok(expand(f, "m"), &f->err);
            assert_int_equal(f->tree.count, 1);
            tiers_tree_clear(&f->tree);
        }
        (void)snprintf(path, sizeof path, "m/d%d", i);
        make(f, path);
    }
    assert_says(expand(f, "m"), CISTERN_USAGE, &f->err, "or more than 4096 of them");
}

static void files_and_directories_together(void **state)
{
    fixture *f = *state;
    char a[4096], m[4096];
    const char *paths[] = {a, m};

    put(f, "a");
    put(f, "m/b");
    snprintf(a, sizeof a, "%s", temp_dir_path(&f->dir, "a"));
    snprintf(m, sizeof m, "%s", temp_dir_path(&f->dir, "m"));
    assert_true(tiers_tree_needed(paths, 2));
    assert_false(tiers_tree_needed(paths, 1));
    assert_ok(tiers_tree_expand(paths, 2, &f->tree, &f->err), &f->err);
    assert_int_equal(f->tree.count, 2);
    assert_string_equal(f->tree.names[0], "a");
    assert_string_equal(f->tree.names[1], "b");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(files_keep_their_paths_inside_the_directory, setup, teardown),
        cmocka_unit_test_setup_teardown(a_config_below_the_top_is_a_file_like_others, setup, teardown),
        cmocka_unit_test_setup_teardown(links_are_not_followed, setup, teardown),
        cmocka_unit_test_setup_teardown(pipes_are_no_files, setup, teardown),
        cmocka_unit_test_setup_teardown(directories_without_files, setup, teardown),
        cmocka_unit_test_setup_teardown(as_deep_as_allowed_and_one_deeper, setup, teardown),
        cmocka_unit_test_setup_teardown(as_many_files_as_allowed_and_one_more, setup, teardown),
        cmocka_unit_test_setup_teardown(as_many_directories_as_allowed_and_one_more, setup, teardown),
        cmocka_unit_test_setup_teardown(files_and_directories_together, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
