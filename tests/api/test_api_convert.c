/* Models written as safetensors and ONNX are read back as the same network: equal tensors, equal logits. And what may not be. */
#include <math.h>
#include <stdbool.h>
#include <sys/stat.h>
#include "api_fixture.h"

#define FORMATS CISTERN_TEST_DATA "/formats"
#define SIDE    224
#define PIXELS  ((size_t)3 * SIDE * SIDE)
#define CLASSES 64 /* at most */

typedef struct seen {
    size_t tensors, facts, unused;
    char first[64];
} seen;

static void on_tensor(void *user, const cistern_tensor_change *c)
{
    seen *s = user;
    if (c->change != CISTERN_CHANGE_NONE && c->counts && s->tensors++ == 0)
        snprintf(s->first, sizeof s->first, "%s", c->name);
}

static void on_fact(void *user, const cistern_fact_change *c)
{
    seen *s = user;
    assert_string_not_equal(c->left, c->right);
    s->facts++;
}

static cistern_model *open_file(cistern *c, const char *path)
{
    cistern_model *m = NULL;
    cistern_error err = CISTERN_ERROR_INIT;
    assert_ok(cistern_model_open_file(c, path, NULL, NULL, &m, &err), &err);
    return m;
}

static cistern_diff_result compare(const cistern_model *a, const cistern_model *b, seen *s)
{
    cistern_diff_result r = {.size = sizeof r};
    cistern_error err = CISTERN_ERROR_INIT;
    memset(s, 0, sizeof *s);
    assert_ok(cistern_diff(a, b, NULL, on_tensor, on_fact, s, &r, &err), &err);
    return r;
}

static void write_as(const cistern_model *m, cistern_kind kind, const char *path, int external,
                     cistern_convert_result *r)
{
    cistern_convert_options o = CISTERN_CONVERT_OPTIONS_INIT;
    cistern_error err = CISTERN_ERROR_INIT;
    o.force = 1;
    o.external = external;
    r->size = sizeof *r;
    assert_ok(cistern_convert(m, kind, path, &o, NULL, r, &err), &err);
}

static uint32_t logits(cistern_model *m, float *out)
{
    static float x[PIXELS];
    cistern_session_options o = CISTERN_SESSION_OPTIONS_INIT;
    cistern_session *s = NULL;
    cistern_error err = CISTERN_ERROR_INIT;
    for (size_t i = 0; i < PIXELS; i++)
        x[i] = (float)((double)((i * 2654435761u) % 2001u) / 1000.0 - 1);
    o.height = o.width = SIDE;
    assert_ok(cistern_session_new(m, &o, &s, &err), &err);
    uint32_t classes = cistern_session_classes(s);
    assert_in_range(classes, 1, CLASSES);
    assert_ok(cistern_session_run(s, x, 1, out, NULL, &err), &err);
    cistern_session_free(s);
    return classes;
}

/* @param tolerance  of the largest logit */
static void same_logits(cistern_model *a, cistern_model *b, double tolerance)
{
    float x[CLASSES], y[CLASSES];
    double most = 0, worst = 0;
    uint32_t n = logits(a, x);
    assert_int_equal(logits(b, y), n);
    for (uint32_t i = 0; i < n; i++) {
        most = fmax(most, fabs((double)x[i]));
        worst = fmax(worst, fabs((double)x[i] - (double)y[i]));
    }
    assert_true(most > 0);
    assert_true(worst <= tolerance * most);
}

static void comes_back(api_fixture *f, const char *source, bool equal)
{
    static const char *const names[] = {"out.safetensors", "out.onnx"};
    static const cistern_kind kinds[] = {CISTERN_KIND_SAFETENSORS, CISTERN_KIND_ONNX};
    char path[1024];
    seen s;
    snprintf(path, sizeof path, "%s/%s", FORMATS, source);
    cistern_model *m = open_file(f->c, path);
    for (int i = 0; i < 2; i++) {
        cistern_convert_result r = {.size = sizeof r};
        const char *out = temp_dir_path(&f->dir, names[i]);
        write_as(m, kinds[i], out, 0, &r);
        cistern_model *back = open_file(f->c, out);
        cistern_diff_result d = compare(m, back, &s);
        if (equal && !d.same)
            print_error("%s as %s: %s differs\n", source, names[i], s.first);
        assert_true(!equal || d.same);
        assert_true(d.by_role && d.only_left == 0 && d.only_right == 0);
        same_logits(m, back, equal ? 0 : 1e-5);
        cistern_model_free(back);
    }
    cistern_model_free(m);
}

static void every_kind_comes_back_as_what_it_was(void **state)
{
    comes_back(*state, "foreign/torch_old.onnx", true);
    comes_back(*state, "foreign/torch_dynamo_bn.onnx", true);
    comes_back(*state, "foreign/mxnet.onnx", true);
    comes_back(*state, "foreign/tf_frozen.pb", true);
    comes_back(*state, "foreign/tf_saved", true);
    comes_back(*state, "data/keras/keras2_theano.h5", true);
    comes_back(*state, "data/keras/keras3_model.h5", true);
}

/* Its variances carry the difference of epsilons, rounded to f32; ONNX has the epsilon itself. */
static void another_epsilon_is_kept(void **state)
{
    api_fixture *f = *state;
    seen s;
    cistern_convert_result r = {.size = sizeof r};
    const char *out = temp_dir_path(&f->dir, "bn.safetensors");
    comes_back(f, "data/keras/keras3_bn.keras", false);
    cistern_model *m = open_file(f->c, FORMATS "/data/keras/keras3_bn.keras");
    write_as(m, CISTERN_KIND_SAFETENSORS, out, 0, &r);
    assert_true(r.shifted && r.renamed);
    cistern_model *back = open_file(f->c, out);
    cistern_tensor before = {.size = sizeof before}, after = {.size = sizeof after};
    assert_true(cistern_model_tensor_by_name(m, "features.1.running_var", &before));
    assert_true(cistern_model_tensor_by_name(back, "features.1.running_var", &after));
    float x, y;
    memcpy(&x, before.data, sizeof x);
    memcpy(&y, after.data, sizeof y);
    assert_true(fabs((double)y - ((double)x + 1e-3 - 1e-5)) < 1e-6);
    cistern_model_free(back);
    write_as(m, CISTERN_KIND_ONNX, temp_dir_path(&f->dir, "bn.onnx"), 0, &r);
    assert_false(r.shifted);
    back = open_file(f->c, temp_dir_path(&f->dir, "bn.onnx"));
    assert_true(compare(m, back, &s).same);
    cistern_model_free(back);
    cistern_model_free(m);
}

static void external_data_is_beside_the_model(void **state)
{
    api_fixture *f = *state;
    seen s;
    cistern_convert_result r = {.size = sizeof r};
    struct stat info;
    char dir[1024], path[1100];
    snprintf(dir, sizeof dir, "%s", temp_dir_path(&f->dir, "external"));
    snprintf(path, sizeof path, "%s/m.onnx", dir);
    assert_int_equal(mkdir(dir, 0700), 0);
    cistern_model *m = open_file(f->c, FORMATS "/foreign/torch_old.onnx");
    write_as(m, CISTERN_KIND_ONNX, path, 1, &r);
    assert_true(r.external);
    assert_int_equal(stat(path, &info), 0);
    assert_true(info.st_size < 100000);
    cistern_model *back = open_file(f->c, dir);
    assert_true(compare(m, back, &s).same);
    same_logits(m, back, 0);
    cistern_model_free(back);
    cistern_model_free(m);
}

static void differences_are_measured(void **state)
{
    api_fixture *f = *state;
    seen s;
    cistern_model *a = open_file(f->c, BUNDLED_FILE), *b = open_file(f->c, BUNDLED_NEXT),
                  *c = open_file(f->c, FORMATS "/foreign/torch_old.onnx");
    cistern_diff_result d = compare(a, a, &s);
    assert_true(d.same && d.by_role && d.facts == 0 && d.unused == 0);
    assert_int_equal(d.equal, 54);
    d = compare(a, b, &s);
    assert_true(!d.same && d.different > 0);
    assert_int_equal(d.equal + d.different, 54);
    d = compare(a, c, &s);
    assert_true(!d.same && d.facts > 0 && d.only_left > 0);
    cistern_model_free(a);
    cistern_model_free(b);
    cistern_model_free(c);
}

static void what_is_there_is_replaced_only_if_asked(void **state)
{
    api_fixture *f = *state;
    cistern_error err = CISTERN_ERROR_INIT;
    cistern_convert_options o = CISTERN_CONVERT_OPTIONS_INIT;
    const char *path = temp_dir_path(&f->dir, "there.onnx");
    struct stat info;
    cistern_model *m = open_file(f->c, BUNDLED_FILE);
    fixture_write_text(path, "mine");
    assert_int_equal(cistern_convert(m, CISTERN_KIND_ONNX, path, NULL, NULL, NULL, &err), CISTERN_CONFLICT);
    assert_int_equal(stat(path, &info), 0);
    assert_int_equal(info.st_size, 4);
    o.force = 1;
    assert_ok(cistern_convert(m, CISTERN_KIND_ONNX, path, &o, NULL, NULL, &err), &err);
    assert_int_equal(stat(path, &info), 0);
    assert_true(info.st_size > 100000);
    cistern_model_free(m);
}

static void cancelled_leaves_nothing(void **state)
{
    api_fixture *f = *state;
    cistern_error err = CISTERN_ERROR_INIT;
    cistern_call call = CISTERN_CALL_INIT;
    struct stat info;
    char dir[1024], path[1100];
    snprintf(dir, sizeof dir, "%s", temp_dir_path(&f->dir, "cancelled"));
    snprintf(path, sizeof path, "%s/m.onnx", dir);
    assert_int_equal(mkdir(dir, 0700), 0);
    cistern_model *m = open_file(f->c, BUNDLED_FILE);
    assert_ok(cistern_cancel_new(&call.cancel, &err), &err);
    cistern_cancel_set(call.cancel);
    assert_int_equal(cistern_convert(m, CISTERN_KIND_ONNX, path, NULL, &call, NULL, &err), CISTERN_CANCELLED);
    assert_int_equal(stat(path, &info), -1);
    assert_int_equal(rmdir(dir), 0); /* it is empty */
    cistern_cancel_free(call.cancel);
    cistern_model_free(m);
}

static void what_is_no_vgg_is_written_by_its_own_names(void **state)
{
    api_fixture *f = *state;
    seen s;
    cistern_error err = CISTERN_ERROR_INIT;
    cistern_convert_result r = {.size = sizeof r};
    const char *out = temp_dir_path(&f->dir, "other.safetensors");
    cistern_model *m = open_file(f->c, FORMATS "/data/zip_views.pth");
    assert_int_equal(
        cistern_convert(m, CISTERN_KIND_ONNX, temp_dir_path(&f->dir, "o.onnx"), NULL, NULL, NULL, &err),
        CISTERN_UNREADABLE);
    write_as(m, CISTERN_KIND_SAFETENSORS, out, 0, &r);
    assert_false(r.renamed);
    cistern_model *back = open_file(f->c, out);
    cistern_diff_result d = compare(m, back, &s);
    assert_true(d.same && !d.by_role && d.equal > 3);
    assert_int_equal(d.equal, cistern_model_tensor_count(m));
    cistern_model_free(back);
    cistern_model_free(m);
}

static void stats_are_those_of_the_elements(void **state)
{
    api_fixture *f = *state;
    cistern_error err = CISTERN_ERROR_INIT;
    cistern_model *m = open_file(f->c, FORMATS "/data/keras/keras3_model.h5");
    size_t views = 0, original;
    for (size_t i = 0; i < cistern_model_tensor_count(m); i++) {
        cistern_tensor_stats a = {.size = sizeof a}, b = {.size = sizeof b};
        assert_ok(cistern_model_tensor_stats(m, i, NULL, &a, &err), &err);
        assert_true(a.minimum <= a.mean && a.mean <= a.maximum && a.nans == 0);
        if (!cistern_model_tensor_view_of(m, i, &original))
            continue;
        views++;
        assert_ok(cistern_model_tensor_stats(m, original, NULL, &b, &err), &err);
        assert_true(a.count == b.count && a.minimum == b.minimum && a.maximum == b.maximum);
        assert_true(fabs(a.mean - b.mean) < 1e-12);
    }
    assert_int_equal(views, 22);
    cistern_model_free(m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(every_kind_comes_back_as_what_it_was, fixture_setup,
                                        fixture_teardown),
        cmocka_unit_test_setup_teardown(another_epsilon_is_kept, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(external_data_is_beside_the_model, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(differences_are_measured, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(what_is_there_is_replaced_only_if_asked, fixture_setup,
                                        fixture_teardown),
        cmocka_unit_test_setup_teardown(cancelled_leaves_nothing, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(what_is_no_vgg_is_written_by_its_own_names, fixture_setup,
                                        fixture_teardown),
        cmocka_unit_test_setup_teardown(stats_are_those_of_the_elements, fixture_setup, fixture_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
