/* Placing files for other programs: whole or not at all, nothing replaced unasked, nothing followed. */
#include <dirent.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base_buf.h"
#include "base_file_place.h"
#include "cistern_test.h"
#include "temp_dir.h"

typedef struct place_fixture {
    temp_dir dir;
    int root, from;
    char from_path[512];
} place_fixture;

static void start(place_fixture *f)
{
    temp_dir_make(&f->dir);
    assert_int_equal(mkdir(temp_dir_path(&f->dir, "out"), 0755), 0);
    assert_int_equal(base_dir_open(temp_dir_path(&f->dir, "out"), &f->root, NULL), CISTERN_OK);
    snprintf(f->from_path, sizeof f->from_path, "%s", temp_dir_path(&f->dir, "blob"));
    FILE *file = fopen(f->from_path, "wb");
    assert_non_null(file);
    fputs("weights", file);
    assert_int_equal(fclose(file), 0);
    assert_int_equal(chmod(f->from_path, 0400), 0);
    f->from = open(f->from_path, O_RDONLY | O_CLOEXEC);
    assert_true(f->from >= 0);
}

static void stop(place_fixture *f)
{
    close(f->root);
    close(f->from);
    temp_dir_remove(&f->dir);
}

static cistern_status place(place_fixture *f, const char *path, base_place_how how, bool replace,
                            bool *created, cistern_error *err)
{
    base_place p = {f->from, f->from_path, 7, f->root, path, how, replace, NULL};
    return base_place_file(&p, created, err);
}

static void assert_content(const place_fixture *f, const char *path, const char *want)
{
    char name[64];
    base_buf buf;
    base_buf_init(&buf, 100);
    snprintf(name, sizeof name, "out/%s", path);
    assert_int_equal(base_read_path(temp_dir_path(&f->dir, name), &buf, NULL), CISTERN_OK);
    assert_string_equal(buf.data, want);
    base_buf_clear(&buf);
}

static cistern_status count_entry(void *user, const char *name, cistern_error *err)
{
    (void)name;
    (void)err;
    ++*(int *)user;
    return CISTERN_OK;
}

static void copy_is_an_inode_of_its_own_that_may_be_written(void **state)
{
    place_fixture f;
    struct stat from, made;
    bool created = false;
    (void)state;
    start(&f);
    assert_int_equal(place(&f, "a/b/model.pth", BASE_PLACE_COPY, false, &created, NULL), CISTERN_OK);
    assert_true(created);
    assert_content(&f, "a/b/model.pth", "weights");
    assert_int_equal(fstat(f.from, &from), 0);
    assert_int_equal(fstatat(f.root, "a/b/model.pth", &made, 0), 0);
    assert_int_not_equal(from.st_ino, made.st_ino);
    assert_true(made.st_mode & S_IWUSR);
    assert_int_equal(made.st_nlink, 1);
    stop(&f);
}

static void links_are_what_they_are_called(void **state)
{
    place_fixture f;
    struct stat from, made;
    char target[512] = "";
    bool created = false;
    (void)state;
    start(&f);
    assert_int_equal(place(&f, "hard", BASE_PLACE_HARDLINK, false, &created, NULL), CISTERN_OK);
    assert_int_equal(place(&f, "soft", BASE_PLACE_SYMLINK, false, &created, NULL), CISTERN_OK);
    assert_true(created);
    assert_int_equal(fstat(f.from, &from), 0);
    assert_int_equal(fstatat(f.root, "hard", &made, AT_SYMLINK_NOFOLLOW), 0);
    assert_int_equal(from.st_ino, made.st_ino);
    assert_true(readlinkat(f.root, "soft", target, sizeof target - 1) > 0);
    assert_string_equal(target, f.from_path);
    /* replacing a name by another name of the same inode leaves no temporary */
    assert_int_equal(place(&f, "hard", BASE_PLACE_HARDLINK, true, &created, NULL), CISTERN_OK);
    assert_int_equal(fstat(f.from, &from), 0);
    assert_int_equal(from.st_nlink, 2);
    stop(&f);
}

static void what_has_the_name_stays_unless_it_is_to_be_replaced(void **state)
{
    place_fixture f;
    bool created = true;
    int count = 0;
    (void)state;
    start(&f);
    assert_int_equal(symlinkat("/nowhere", f.root, "taken"), 0);
    assert_int_equal(place(&f, "taken", BASE_PLACE_COPY, false, &created, NULL), CISTERN_OK);
    assert_false(created);
    assert_int_equal(place(&f, "taken", BASE_PLACE_COPY, true, &created, NULL), CISTERN_OK);
    assert_true(created);
    assert_content(&f, "taken", "weights");
    assert_int_equal(base_dir_each(f.root, ".", count_entry, &count, NULL), CISTERN_OK);
    assert_int_equal(count, 1);
    assert_int_equal(mkdirat(f.root, "directory", 0755), 0);
    assert_int_not_equal(place(&f, "directory", BASE_PLACE_COPY, true, &created, NULL), CISTERN_OK);
    stop(&f);
}

static void nothing_is_followed_out_of_the_directory(void **state)
{
    place_fixture f;
    bool created = false;
    cistern_error err = CISTERN_ERROR_INIT;
    (void)state;
    start(&f);
    assert_int_equal(symlinkat(f.dir.path, f.root, "away"), 0);
    assert_int_equal(place(&f, "away/model.pth", BASE_PLACE_COPY, true, &created, &err), CISTERN_DAMAGED);
    assert_int_equal(access(temp_dir_path(&f.dir, "model.pth"), F_OK), -1);
    assert_false(created);
    stop(&f);
}

static void a_source_that_was_replaced_is_not_linked(void **state)
{
    place_fixture f;
    bool created = false;
    (void)state;
    start(&f);
    assert_int_equal(unlink(f.from_path), 0);
    assert_int_not_equal(place(&f, "hard", BASE_PLACE_HARDLINK, false, &created, NULL), CISTERN_OK);
    FILE *file = fopen(f.from_path, "wb");
    assert_non_null(file);
    assert_int_equal(fclose(file), 0);
    assert_int_equal(place(&f, "hard", BASE_PLACE_HARDLINK, false, &created, NULL), CISTERN_CONFLICT);
    assert_int_equal(faccessat(f.root, "hard", F_OK, 0), -1);
    stop(&f);
}

/* A file size limit stands for a full disk: the copy fails in the middle. */
static void a_copy_that_fails_leaves_nothing(void **state)
{
    place_fixture f;
    struct rlimit before, small;
    struct sigaction ignore = {.sa_handler = SIG_IGN}, handled;
    bool created = false;
    int count = 0;
    (void)state;
    start(&f);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    assert_int_equal(sigaction(SIGXFSZ, &ignore, &handled), 0);
    small = before;
    small.rlim_cur = 3;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    cistern_status st = place(&f, "model.pth", BASE_PLACE_COPY, false, &created, NULL);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    assert_int_equal(sigaction(SIGXFSZ, &handled, NULL), 0);
    assert_int_not_equal(st, CISTERN_OK);
    assert_int_equal(base_dir_each(f.root, ".", count_entry, &count, NULL), CISTERN_OK);
    assert_int_equal(count, 0);
    DIR *entries = fdopendir(dup(f.root)); /* also of names that are not listed */
    assert_non_null(entries);
    for (struct dirent *e; (e = readdir(entries)) != NULL;)
        assert_true(e->d_name[0] == '.' && strncmp(e->d_name, ".tmp-", 5) != 0);
    closedir(entries);
    stop(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(copy_is_an_inode_of_its_own_that_may_be_written),
        cmocka_unit_test(links_are_what_they_are_called),
        cmocka_unit_test(what_has_the_name_stays_unless_it_is_to_be_replaced),
        cmocka_unit_test(nothing_is_followed_out_of_the_directory),
        cmocka_unit_test(a_source_that_was_replaced_is_not_linked),
        cmocka_unit_test(a_copy_that_fails_leaves_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
