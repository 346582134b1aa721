/* Packed weights on disk: made once, kept, found, and never trusted when they are not what they should be. */
#include <dirent.h>
#include <sys/wait.h>
#include "api_fixture.h"

static void add_bundled(api_fixture *f)
{
    const char *path = BUNDLED_FILE;
    cistern_pull_options o = CISTERN_PULL_OPTIONS_INIT;
    cistern_version *v = NULL;
    o.as = "digits";
    assert_ok(cistern_add(f->c, &path, 1, &o, NULL, NULL, &v, NULL), NULL);
    cistern_version_free(v);
}

/* The path of the one packed file below the store, or an empty text. */
static const char *packed_file(api_fixture *f)
{
    static char found[1024];
    DIR *top = opendir(temp_dir_path(&f->dir, "store/derived"));
    struct dirent *e, *inner;
    found[0] = 0;
    assert_non_null(top);
    while ((e = readdir(top)) != NULL) {
        char dir[600];
        DIR *d;
        if (strlen(e->d_name) != 64)
            continue;
        snprintf(dir, sizeof dir, "%s/%s", temp_dir_path(&f->dir, "store/derived"), e->d_name);
        d = opendir(dir);
        while (d && (inner = readdir(d)) != NULL) {
            if (strncmp(inner->d_name, "packed-", 7) == 0)
                snprintf(found, sizeof found, "%s/%s", dir, inner->d_name);
        }
        if (d)
            closedir(d);
    }
    closedir(top);
    return found;
}

static void logits_of(cistern *c, float out[10])
{
    cistern_model *m = NULL;
    cistern_session *s = NULL;
    cistern_image *image = NULL;
    float *x = calloc(3 * 32 * 32, sizeof *x);
    cistern_error err = CISTERN_ERROR_INIT;
    assert_non_null(x);
    assert_ok(cistern_model_open(c, "digits", NULL, &m, &err), &err);
    assert_ok(cistern_session_new(m, NULL, &s, &err), &err);
    assert_ok(cistern_image_open(BUNDLED_IMAGE, &image, &err), &err);
    assert_ok(cistern_session_preprocess(s, image, x, &err), &err);
    assert_ok(cistern_session_run(s, x, 1, out, NULL, &err), &err);
    cistern_image_free(image);
    cistern_session_free(s);
    cistern_model_free(m);
    free(x);
}

static void the_first_run_keeps_packed_weights_and_the_next_gives_the_same_bits(void **state)
{
    api_fixture *f = *state;
    float first[10], second[10];
    add_bundled(f);
    assert_string_equal(packed_file(f), "");
    logits_of(f->c, first);
    assert_string_not_equal(packed_file(f), "");
    logits_of(f->c, second);
    assert_memory_equal(first, second, sizeof first);
}

static void prepare_makes_them_ahead_once(void **state)
{
    api_fixture *f = *state;
    cistern_prepare_result result = {sizeof result, 0, 0};
    cistern_error err = CISTERN_ERROR_INIT;
    float ahead[10], plain[10];
    add_bundled(f);
    assert_ok(cistern_prepare(f->c, "digits", NULL, &result, &err), &err);
    assert_true(result.made);
    assert_true(result.bytes > 100000);
    assert_string_not_equal(packed_file(f), "");
    assert_ok(cistern_prepare(f->c, "digits:1", NULL, &result, &err), &err);
    assert_false(result.made);
    logits_of(f->c, ahead);
    assert_int_equal(unlink(packed_file(f)), 0); /* safe to delete */
    logits_of(f->c, plain);
    assert_memory_equal(ahead, plain, sizeof ahead);
    assert_fails(cistern_prepare(f->c, "digits:9", NULL, &result, &err), CISTERN_NOT_FOUND, &err);
}

static void a_file_of_another_size_or_open_to_others_is_made_anew(void **state)
{
    api_fixture *f = *state;
    float good[10], again[10];
    char path[1024];
    struct stat info;
    add_bundled(f);
    logits_of(f->c, good);
    snprintf(path, sizeof path, "%s", packed_file(f));
    assert_int_equal(stat(path, &info), 0);
    assert_int_equal(chmod(path, 0600), 0);
    assert_int_equal(truncate(path, info.st_size - 4096), 0);
    logits_of(f->c, again);
    assert_memory_equal(good, again, sizeof good);
    assert_int_equal(stat(path, &info), 0);
    assert_int_equal(chmod(path, 0666), 0);
    logits_of(f->c, again);
    assert_memory_equal(good, again, sizeof good);
    assert_int_equal(stat(path, &info), 0);
    assert_int_equal(info.st_mode & 022, 0); /* replaced by one of our own */
}

static void a_model_that_is_in_no_store_leaves_nothing(void **state)
{
    api_fixture *f = *state;
    cistern_model *m = NULL;
    cistern_session *s = NULL;
    float *x = calloc(3 * 32 * 32, sizeof *x), out[10];
    cistern_error err = CISTERN_ERROR_INIT;
    assert_non_null(x);
    assert_ok(cistern_model_open_file(f->c, BUNDLED_FILE, NULL, NULL, &m, &err), &err);
    assert_ok(cistern_session_new(m, NULL, &s, &err), &err);
    assert_ok(cistern_session_run(s, x, 1, out, NULL, &err), &err);
    cistern_session_free(s);
    cistern_model_free(m);
    free(x);
    assert_int_not_equal(access(temp_dir_path(&f->dir, "store"), F_OK), 0);
}

static void a_child_frees_what_its_parent_was_keeping(void **state)
{
    api_fixture *f = *state;
    cistern_model *m = NULL;
    cistern_session *s = NULL;
    float *x = calloc(3 * 32 * 32, sizeof *x), out[10];
    cistern_error err = CISTERN_ERROR_INIT;
    pid_t child;
    int status;
    assert_non_null(x);
    add_bundled(f);
    assert_ok(cistern_model_open(f->c, "digits", NULL, &m, &err), &err);
    assert_ok(cistern_session_new(m, NULL, &s, &err), &err);
    assert_ok(cistern_session_run(s, x, 1, out, NULL, &err), &err);
    child = fork();
    if (child == 0) {
        cistern_session_free(s);
        cistern_model_free(m);
        _exit(0);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    cistern_session_free(s);
    cistern_model_free(m);
    free(x);
    assert_string_not_equal(packed_file(f), "");
}

#define T(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)
int main(void)
{
    const struct CMUnitTest tests[] = {
        T(the_first_run_keeps_packed_weights_and_the_next_gives_the_same_bits),
        T(prepare_makes_them_ahead_once),
        T(a_file_of_another_size_or_open_to_others_is_made_anew),
        T(a_model_that_is_in_no_store_leaves_nothing),
        T(a_child_frees_what_its_parent_was_keeping),
    };
    return cmocka_run_group_tests_name("api_packed", tests, NULL, NULL);
}
