/* Packed weights on disk: made once, kept, found, and never trusted when they are not what they should be. */
#include <dirent.h>
#include <stdatomic.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include "api_fixture.h"

/* To be set when the next block of packed weights is written; NULL: it was, or none. */
static _Atomic(cistern_cancel *) at_next_block;

/* In place of the C library's: the linker finds this one first. */
__attribute__((visibility("default"))) ssize_t pwrite(int fd, const void *bytes, size_t n, off_t offset);
ssize_t pwrite(int fd, const void *bytes, size_t n, off_t offset)
{
    char link[32], path[1024];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, sizeof path - 1);
    path[length < 0 ? 0 : length] = 0;
    if (strstr(path, "/derived/") && strstr(path, "/.tmp-")) {
        cistern_cancel *cancel = atomic_exchange(&at_next_block, NULL);
        if (cancel)
            cistern_cancel_set(cancel);
    }
    return syscall(SYS_pwrite64, fd, bytes, n, offset);
}

static void add_bundled(api_fixture *f)
{
    const char *path = BUNDLED_FILE;
    cistern_pull_options o = CISTERN_PULL_OPTIONS_INIT;
    cistern_version *v = NULL;
    o.as = "digits";
    assert_ok(cistern_add(f->c, &path, 1, &o, NULL, NULL, &v, NULL), NULL);
    cistern_version_free(v);
}

/* The path of the one file below a store that begins so, or an empty text. */
static const char *file_in(api_fixture *f, const char *derived, const char *prefix)
{
    static char found[1024];
    DIR *top = opendir(temp_dir_path(&f->dir, derived));
    struct dirent *e, *inner;
    found[0] = 0;
    if (!top)
        return found;
    while ((e = readdir(top)) != NULL) {
        char dir[600];
        DIR *d;
        if (strlen(e->d_name) != 64)
            continue;
        snprintf(dir, sizeof dir, "%s/%s", temp_dir_path(&f->dir, derived), e->d_name);
        d = opendir(dir);
        while (d && (inner = readdir(d)) != NULL) {
            if (strncmp(inner->d_name, prefix, strlen(prefix)) == 0)
                snprintf(found, sizeof found, "%s/%s", dir, inner->d_name);
        }
        if (d)
            closedir(d);
    }
    closedir(top);
    return found;
}

static const char *packed_file_in(api_fixture *f, const char *derived)
{
    return file_in(f, derived, "packed-");
}

static const char *packed_file(api_fixture *f)
{
    return packed_file_in(f, "store/derived");
}

static const char *temporary(api_fixture *f)
{
    return file_in(f, "store/derived", ".tmp-");
}

/* As a program sees a store that a later version has written: also root may not write it. */
static void forbid_writing(api_fixture *f)
{
    char text[512] = "", *at;
    char path[600];
    snprintf(path, sizeof path, "%s", temp_dir_path(&f->dir, "store/cistern.json"));
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    assert_true(fread(text, 1, sizeof text - 32, file) > 0);
    fclose(file);
    at = strstr(text, "\"write_features\":[");
    assert_non_null(at);
    at += strlen("\"write_features\":[");
    memmove(at + strlen("\"later\""), at, strlen(at) + 1);
    memcpy(at, "\"later\"", strlen("\"later\""));
    assert_int_equal(unlink(path), 0);
    fixture_write_text(path, text);
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

static void a_cancelled_prepare_leaves_nothing(void **state)
{
    api_fixture *f = *state;
    cistern_call call = CISTERN_CALL_INIT;
    cistern_prepare_result result = {sizeof result, 0, 0};
    cistern_error err = CISTERN_ERROR_INIT;
    add_bundled(f);
    assert_ok(cistern_cancel_new(&call.cancel, &err), &err);
    atomic_store(&at_next_block, call.cancel);
    assert_fails(cistern_prepare(f->c, "digits", &call, &result, &err), CISTERN_CANCELLED, &err);
    assert_null(atomic_load(&at_next_block));
    assert_string_equal(packed_file(f), "");
    assert_string_equal(temporary(f), "");
    cistern_cancel_reset(call.cancel);
    assert_ok(cistern_prepare(f->c, "digits", &call, &result, &err), &err);
    assert_true(result.made);
    assert_string_not_equal(packed_file(f), "");
    cistern_cancel_free(call.cancel);
}

/* The end of a thread can only be waited for; how long that takes says nothing. */
static void wait_for_the_cancelled_keeper(api_fixture *f)
{
    while ((atomic_load(&at_next_block) || temporary(f)[0]) && !packed_file(f)[0])
        continue;
}

static void the_token_of_a_run_ends_the_keeping_and_a_later_run_begins_it_again(void **state)
{
    api_fixture *f = *state;
    cistern_model *m = NULL;
    cistern_session *s = NULL;
    cistern_cancel *cancel = NULL;
    cistern_error err = CISTERN_ERROR_INIT;
    float *x = calloc(3 * 32 * 32, sizeof *x), out[10];
    assert_non_null(x);
    add_bundled(f);
    assert_ok(cistern_model_open(f->c, "digits", NULL, &m, &err), &err);
    assert_ok(cistern_session_new(m, NULL, &s, &err), &err);
    assert_ok(cistern_cancel_new(&cancel, &err), &err);
    atomic_store(&at_next_block, cancel);
    assert_ok(cistern_session_run(s, x, 1, out, cancel, &err), &err);
    wait_for_the_cancelled_keeper(f);
    assert_string_equal(packed_file(f), "");
    cistern_cancel_reset(cancel);
    while (!packed_file(f)[0]) /* the keeper may have a few instructions left */
        assert_ok(cistern_session_run(s, x, 1, out, cancel, &err), &err);
    cistern_cancel_free(cancel); /* also while it is written */
    cistern_session_free(s);
    cistern_model_free(m);
    free(x);
    assert_string_equal(temporary(f), "");
}

static void a_store_that_may_not_be_written_is_packed_for_in_the_users_cache(void **state)
{
    api_fixture *f = *state;
    char cache[600];
    snprintf(cache, sizeof cache, "%s", temp_dir_path(&f->dir, "cache/cistern"));
    const char *const options[] = {"cache", cache, NULL};
    cistern_prepare_result result = {sizeof result, 0, 0};
    cistern_error err = CISTERN_ERROR_INIT;
    float first[10], second[10];
    add_bundled(f);
    forbid_writing(f);
    cistern *c = fixture_context(f, options);
    logits_of(c, first);
    assert_string_equal(packed_file(f), "");
    assert_string_not_equal(packed_file_in(f, "cache/cistern/derived"), "");
    cistern_free(c);
    c = fixture_context(f, options);
    assert_ok(cistern_prepare(c, "digits", NULL, &result, &err), &err);
    assert_false(result.made);
    logits_of(c, second);
    assert_memory_equal(first, second, sizeof first);
    assert_int_equal(unlink(packed_file_in(f, "cache/cistern/derived")), 0); /* safe to delete */
    assert_ok(cistern_prepare(c, "digits", NULL, &result, &err), &err);
    assert_true(result.made);
    assert_string_not_equal(packed_file_in(f, "cache/cistern/derived"), "");
    cistern_free(c);
}

static void with_no_place_to_keep_them_they_are_made_in_memory(void **state)
{
    api_fixture *f = *state;
    char cache[600];
    snprintf(cache, sizeof cache, "%s", temp_dir_path(&f->dir, "origin/m.pth/below-a-file"));
    const char *const options[] = {"cache", cache, NULL};
    cistern_error err = CISTERN_ERROR_INIT;
    float first[10], second[10];
    add_bundled(f);
    logits_of(f->c, first);
    assert_int_equal(unlink(packed_file(f)), 0);
    forbid_writing(f);
    for (int with_cache = 0; with_cache < 2; with_cache++) {
        cistern *c = fixture_context(f, with_cache ? options : NULL);
        f->log[0] = 0;
        logits_of(c, second);
        assert_memory_equal(first, second, sizeof first);
        assert_non_null(strstr(f->log, "could not be kept"));
        assert_string_equal(packed_file(f), "");
        assert_fails(cistern_prepare(c, "digits", NULL, NULL, &err), CISTERN_DENIED, &err);
        assert_non_null(
            strstr(err.text, "later")); /* what is the matter with the store, not with the cache */
        cistern_free(c);
    }
}

#define T(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)
int main(void)
{
    const struct CMUnitTest tests[] = {
        T(the_first_run_keeps_packed_weights_and_the_next_gives_the_same_bits),
        T(prepare_makes_them_ahead_once),
        T(a_cancelled_prepare_leaves_nothing),
        T(the_token_of_a_run_ends_the_keeping_and_a_later_run_begins_it_again),
        T(a_file_of_another_size_or_open_to_others_is_made_anew),
        T(a_store_that_may_not_be_written_is_packed_for_in_the_users_cache),
        T(with_no_place_to_keep_them_they_are_made_in_memory),
        T(a_model_that_is_in_no_store_leaves_nothing),
        T(a_child_frees_what_its_parent_was_keeping),
    };
    return cmocka_run_group_tests_name("api_packed", tests, NULL, NULL);
}
