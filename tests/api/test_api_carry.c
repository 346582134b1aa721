/* Other people's layouts, the table of published weights and mirrors, through the public headers. */
#include "api_fixture.h"

typedef struct told {
    size_t count;
    char files[4][512], references[4][256];
    cistern_status status[4];
    cistern_cancel *cancel; /* set at the first */
} told;

static void keep(void *user, const cistern_carried *carried)
{
    told *t = user;
    assert_true(carried->size >= sizeof *carried);
    assert_true(t->count < 4);
    snprintf(t->files[t->count], sizeof t->files[0], "%s", carried->file);
    snprintf(t->references[t->count], sizeof t->references[0], "%s", carried->reference);
    assert_true((carried->message[0] != 0) == (carried->status != CISTERN_OK));
    t->status[t->count++] = carried->status;
    if (t->cancel)
        cistern_cancel_set(t->cancel);
}

static void make_directory(api_fixture *f, const char *metadata)
{
    assert_int_equal(mkdir(temp_dir_path(&f->dir, "models"), 0700), 0);
    fixture_copy(BUNDLED_FILE, temp_dir_path(&f->dir, "models/one.pth"));
    fixture_copy(BUNDLED_NEXT, temp_dir_path(&f->dir, "models/two.pth"));
    fixture_write_text(temp_dir_path(&f->dir, "models/metadata.json"), metadata);
}

static void a_directory_goes_in_and_comes_out(void **state)
{
    api_fixture *f = *state;
    cistern_pull_options o = CISTERN_PULL_OPTIONS_INIT;
    told in = {0}, out = {0}, again = {0};
    char directory[512], there[512];
    cistern_error err = CISTERN_ERROR_INIT;
    make_directory(f, "{\"2\": \"two.pth\", \"1\": \"one.pth\"}");
    snprintf(directory, sizeof directory, "%s/", temp_dir_path(&f->dir, "models"));
    snprintf(there, sizeof there, "%s", temp_dir_path(&f->dir, "out"));
    o.as = "digits";
    assert_ok(cistern_import_directory(f->c, directory, &o, NULL, keep, &in, &err), &err);
    assert_int_equal(in.count, 2);
    assert_non_null(strstr(in.files[0], "models/one.pth"));
    assert_non_null(strstr(in.references[1], "digits:2@sha256:"));
    assert_ok(cistern_export(f->c, "digits", there, NULL, NULL, keep, &out, &err), &err);
    assert_int_equal(out.count, 2);
    assert_non_null(strstr(out.files[1], "out/two.pth"));
    assert_ok(cistern_import_directory(f->c, there, &o, NULL, NULL, NULL, &err), &err);
    assert_ok(cistern_export(f->c, "digits:1", there, NULL, NULL, keep, &again, &err), &err);
    assert_int_equal(again.count, 1);
}

static void a_cancel_ends_an_adoption_between_two_files(void **state)
{
    api_fixture *f = *state;
    cistern_pull_options o = CISTERN_PULL_OPTIONS_INIT;
    cistern_call call = CISTERN_CALL_INIT;
    cistern_cancel *cancel = NULL;
    told in = {0};
    cistern_list *list = NULL;
    cistern_error err = CISTERN_ERROR_INIT;
    make_directory(f, "{\"1\": \"one.pth\", \"2\": \"two.pth\"}");
    assert_ok(cistern_cancel_new(&cancel, &err), &err);
    in.cancel = call.cancel = cancel;
    o.as = "digits";
    assert_fails(cistern_import_directory(f->c, temp_dir_path(&f->dir, "models"), &o, &call, keep, &in, &err),
                 CISTERN_CANCELLED, &err);
    assert_int_equal(in.count, 1);
    assert_ok(cistern_list_versions(f->c, "digits", &list, &err), &err);
    assert_int_equal(cistern_list_count(list), 1);
    cistern_list_free(list);
    cistern_cancel_free(cancel);
}

static void bad_arguments_are_usage(void **state)
{
    api_fixture *f = *state;
    cistern_pull_options o = CISTERN_PULL_OPTIONS_INIT;
    cistern_place_options place = CISTERN_PLACE_OPTIONS_INIT;
    cistern_error err = CISTERN_ERROR_INIT;
    make_directory(f, "{\"1\": \"one.pth\"}");
    const char *models = temp_dir_path(&f->dir, "models");
    assert_fails(cistern_import_directory(f->c, models, NULL, NULL, NULL, NULL, &err), CISTERN_USAGE, &err);
    o.as = "digits:3";
    assert_fails(cistern_import_directory(f->c, models, &o, NULL, NULL, NULL, &err), CISTERN_USAGE, &err);
    place.how = (cistern_place)7;
    assert_fails(cistern_export(f->c, "digits", models, &place, NULL, NULL, NULL, &err), CISTERN_USAGE, &err);
    assert_fails(cistern_export(f->c, "Digits", models, NULL, NULL, NULL, NULL, &err), CISTERN_USAGE, &err);
    assert_says(cistern_import_cache(f->c, "jax", 0, NULL, NULL, NULL, NULL, &err), CISTERN_USAGE, &err,
                "torch, keras");
    /* nothing was loaded from the environment, so torch's home is not known */
    assert_says(cistern_link_cache(f->c, "torch", NULL, 0, NULL, NULL, NULL, NULL, &err), CISTERN_USAGE, &err,
                "torch-home");
    assert_says(cistern_import_cache(f->c, "torch", 0, NULL, NULL, NULL, NULL, &err), CISTERN_USAGE, &err,
                "torch-home");
}

static void the_published_are_listed_and_a_mirror_serves_them(void **state)
{
    api_fixture *f = *state;
    cistern_published row = {.size = sizeof row};
    cistern_pull_options o = CISTERN_PULL_OPTIONS_INIT;
    cistern_pull_result result = {.size = sizeof result};
    cistern_version *v = NULL;
    size_t count = 0, nine = 0;
    char pair[256], torch[512], path[600];
    told out = {0};
    cistern_error err = CISTERN_ERROR_INIT;
    for (; cistern_published_peek(count, &row); count++)
        nine += strcmp(row.publisher, "torchvision") == 0;
    assert_int_equal(nine, 9);
    assert_int_equal(cistern_published_peek(count, &row), 0);
    fixture_copy(BUNDLED_FILE, temp_dir_path(&f->dir, "origin/vgg16-397923af.pth"));
    snprintf(pair, sizeof pair, "https://download.pytorch.org/models = http://127.0.0.1:%d", f->origin.port);
    snprintf(torch, sizeof torch, "%s", temp_dir_path(&f->dir, "torch"));
    const char *const more[] = {"mirror", pair, "torch-home", torch, NULL};
    cistern *c = fixture_context(f, more);
    o.ignore_name_digest = 1;
    assert_string_equal(fixture_pull(c, "torchvision:vgg16", &o, &result), "1");
    assert_non_null(strstr(f->log, "came from its mirror"));
    assert_ok(cistern_resolve(c, "vgg16", &v, &err), &err);
    assert_string_equal(cistern_version_origin(v), "https://download.pytorch.org/models/vgg16-397923af.pth");
    assert_int_equal(cistern_version_published(v, &row), 0); /* it has the name, not the bytes */
    cistern_version_free(v);
    assert_ok(cistern_link_cache(c, "torch", NULL, 0, NULL, NULL, keep, &out, &err), &err);
    snprintf(path, sizeof path, "%s/hub/checkpoints/vgg16-397923af.pth", torch);
    assert_string_equal(out.files[0], path);
    assert_int_equal(access(path, R_OK), 0);
    cistern_free(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_directory_goes_in_and_comes_out, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(a_cancel_ends_an_adoption_between_two_files, fixture_setup,
                                        fixture_teardown),
        cmocka_unit_test_setup_teardown(bad_arguments_are_usage, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(the_published_are_listed_and_a_mirror_serves_them, fixture_setup,
                                        fixture_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
