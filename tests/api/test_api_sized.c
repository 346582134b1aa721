/* Programs of other releases: structures that are shorter or longer than the library's. */
#include <stddef.h>
#include "api_fixture.h"

/* What a later release might have: the same, and more behind it. */
typedef struct longer_pull_options {
    cistern_pull_options now;
    const char *colour;
    int loud;
} longer_pull_options;
typedef struct longer_pull_result {
    cistern_pull_result now;
    uint64_t joules;
} longer_pull_result;

static cistern_status add(api_fixture *f, const cistern_pull_options *o, cistern_pull_result *result,
                          cistern_error *err)
{
    const char *path = BUNDLED_FILE;
    cistern_version *v = NULL;
    cistern_status st = cistern_add(f->c, &path, 1, o, NULL, result, &v, err);
    cistern_version_free(v);
    return st;
}

static void what_an_older_caller_lacks_has_its_default(void **state)
{
    api_fixture *f = *state;
    cistern_error err = CISTERN_ERROR_INIT;
    cistern_pull_options o = CISTERN_PULL_OPTIONS_INIT;
    o.size = offsetof(cistern_pull_options, sha256); /* a release that knew only `as` */
    o.as = "old";
    o.sha256 = "behind the end of that release's structure";
    o.labels = "/does/not/exist";
    assert_ok(add(f, &o, NULL, &err), &err);
    o.size = sizeof o;
    assert_says(add(f, &o, NULL, &err), CISTERN_NOT_FOUND, &err, "/does/not/exist");
}

static void an_older_callers_result_is_filled_to_its_end(void **state)
{
    api_fixture *f = *state;
    cistern_error err = CISTERN_ERROR_INIT;
    cistern_pull_options o = CISTERN_PULL_OPTIONS_INIT;
    cistern_pull_result result;
    memset(&result, 0x55, sizeof result);
    result.size = offsetof(cistern_pull_result, bytes_received);
    o.as = "old";
    assert_ok(add(f, &o, &result, &err), &err);
    assert_int_equal(result.outcome, CISTERN_PULL_FETCHED);
    assert_int_equal(result.requests, 0);
    assert_int_equal(result.size, offsetof(cistern_pull_result, bytes_received));
    assert_true(result.bytes_received == UINT64_C(0x5555555555555555));
}

static void a_newer_caller_is_served_unless_it_asks_for_the_unknown(void **state)
{
    api_fixture *f = *state;
    cistern_error err = CISTERN_ERROR_INIT;
    longer_pull_options o = {.now = CISTERN_PULL_OPTIONS_INIT};
    longer_pull_result result = {.joules = 7};
    o.now.size = sizeof o;
    o.now.as = "new";
    result.now.size = sizeof result;
    assert_ok(add(f, &o.now, &result.now, &err), &err);
    assert_int_equal(result.now.outcome, CISTERN_PULL_FETCHED);
    assert_int_equal(result.joules, 7); /* as the caller left it */
    assert_int_equal(result.now.size, sizeof result);
    o.loud = 1;
    assert_says(add(f, &o.now, NULL, &err), CISTERN_USAGE, &err, "does not know");
    o.loud = 0;
    o.colour = "red";
    assert_says(add(f, &o.now, NULL, &err), CISTERN_USAGE, &err, "cistern_pull_options");
}

static void a_size_that_was_never_set_is_told(void **state)
{
    api_fixture *f = *state;
    cistern_error err = CISTERN_ERROR_INIT;
    cistern_pull_options o = {.as = "none"};
    cistern_pull_options good = CISTERN_PULL_OPTIONS_INIT;
    cistern_pull_result result = {0};
    good.as = "none";
    assert_says(add(f, &o, NULL, &err), CISTERN_USAGE, &err, "0 bytes");
    o.size = (size_t)-1;
    assert_says(add(f, &o, NULL, &err), CISTERN_USAGE, &err, "cistern_pull_options");
    assert_says(add(f, &good, &result, &err), CISTERN_USAGE, &err, "cistern_pull_result");
    assert_fails(cistern_resolve(f->c, "none", &(cistern_version *){NULL}, &err), CISTERN_NOT_FOUND, &err);
}

/* Every entry point that takes options or a call refuses one without a size, and every result too. */
static void every_entry_point_looks_at_the_size(void **state)
{
    api_fixture *f = *state;
    cistern_error err = CISTERN_ERROR_INIT;
    cistern_pull_options o = CISTERN_PULL_OPTIONS_INIT, none = {.as = "digits"};
    cistern_call call = {0};
    cistern_model *m = NULL;
    cistern_session *s = NULL;
    cistern_version *v = NULL;
    cistern_features *features = NULL;
    const char *path = BUNDLED_FILE;
    const char *out = temp_dir_path(&f->dir, "out");
    o.as = "digits";
    assert_ok(add(f, &o, NULL, &err), &err);
    assert_ok(cistern_model_open(f->c, "digits", NULL, &m, &err), &err);

    assert_fails(cistern_pull(f->c, path, &none, NULL, NULL, &v, &err), CISTERN_USAGE, &err);
    assert_fails(cistern_pull(f->c, path, &o, &call, NULL, &v, &err), CISTERN_USAGE, &err);
    assert_fails(cistern_add(f->c, &path, 1, &o, &call, NULL, &v, &err), CISTERN_USAGE, &err);
    assert_fails(cistern_import_directory(f->c, BUNDLED, &none, NULL, NULL, NULL, &err), CISTERN_USAGE, &err);
    assert_fails(cistern_export(f->c, "digits", out, &(cistern_place_options){0}, NULL, NULL, NULL, &err),
                 CISTERN_USAGE, &err);
    assert_fails(cistern_export(f->c, "digits", out, NULL, &call, NULL, NULL, &err), CISTERN_USAGE, &err);
    assert_fails(cistern_model_open(f->c, "digits", &call, &m, &err), CISTERN_USAGE, &err);
    assert_fails(cistern_model_open_file(f->c, path, &none, NULL, &m, &err), CISTERN_USAGE, &err);
    assert_fails(cistern_session_new(m, &(cistern_session_options){0}, &s, &err), CISTERN_USAGE, &err);
    assert_fails(cistern_features_new(m, "avgpool", &(cistern_features_options){0}, &features, &err),
                 CISTERN_USAGE, &err);
    assert_fails(
        cistern_convert(m, CISTERN_KIND_SAFETENSORS, out, &(cistern_convert_options){0}, NULL, NULL, &err),
        CISTERN_USAGE, &err);
    assert_fails(
        cistern_convert(m, CISTERN_KIND_SAFETENSORS, out, NULL, NULL, &(cistern_convert_result){0}, &err),
        CISTERN_USAGE, &err);
    assert_fails(cistern_diff(m, m, &call, NULL, NULL, NULL, NULL, &err), CISTERN_USAGE, &err);
    assert_fails(cistern_diff(m, m, NULL, NULL, NULL, NULL, &(cistern_diff_result){0}, &err), CISTERN_USAGE,
                 &err);
    assert_fails(cistern_model_tensor_stats(m, 0, NULL, &(cistern_tensor_stats){0}, &err), CISTERN_USAGE,
                 &err);
    assert_fails(cistern_verify(f->c, NULL, &call, NULL, NULL, &err), CISTERN_USAGE, &err);
    assert_fails(cistern_gc(f->c, 1, &call, NULL, NULL, NULL, &err), CISTERN_USAGE, &err);
    assert_fails(cistern_gc(f->c, 1, NULL, NULL, NULL, &(cistern_gc_result){0}, &err), CISTERN_USAGE, &err);
    assert_fails(cistern_stats_read(f->c, NULL, &(cistern_stats){0}, &err), CISTERN_USAGE, &err);
    assert_fails(cistern_pin(f->c, "digits", NULL, &call, NULL, NULL, &err), CISTERN_USAGE, &err);
    assert_fails(cistern_prepare(f->c, "digits", NULL, &(cistern_prepare_result){0}, &err), CISTERN_USAGE,
                 &err);
    assert_fails(cistern_measure_limits(f->c, NULL, &(cistern_limits){0}, &err), CISTERN_USAGE, &err);
    assert_fails(cistern_doctor(f->c, &call, NULL, NULL, NULL, &err), CISTERN_USAGE, &err);
    assert_int_equal(cistern_model_tensor(m, 0, &(cistern_tensor){0}), 0);
    assert_int_equal(cistern_version_file(cistern_model_version(m), 0, &(cistern_file){0}), 0);
    assert_int_equal(cistern_published_peek(0, &(cistern_published){0}), 0);
    cistern_model_free(m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_an_older_caller_lacks_has_its_default, fixture_setup,
                                        fixture_teardown),
        cmocka_unit_test_setup_teardown(an_older_callers_result_is_filled_to_its_end, fixture_setup,
                                        fixture_teardown),
        cmocka_unit_test_setup_teardown(a_newer_caller_is_served_unless_it_asks_for_the_unknown,
                                        fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(a_size_that_was_never_set_is_told, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(every_entry_point_looks_at_the_size, fixture_setup, fixture_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
