/* Every layer's output against PyTorch's forward hooks (tools/make_feature_goldens.py), in double precision there. */
#include "nn_fixture.h"

#include "nn_features.h"

static const fixture_form plain_form = {.dtype = MODEL_F32};

#define SAMPLES   8
#define TOLERANCE 2e-6 /* of the greatest magnitude of the layer */

typedef struct golden {
    FILE *file;
    nn_recipe recipe;
    size_t height, width;
} golden;

static void read_net(golden *g)
{
    char channels[256];
    memset(&g->recipe, 0, sizeof g->recipe);
    assert_int_equal(fscanf(g->file, " net %63s %15s %zu %zu %zu %255s %zu %zu", g->recipe.name,
                            g->recipe.kind, &g->recipe.hidden[0], &g->recipe.hidden[1], &g->recipe.classes,
                            channels, &g->height, &g->width),
                     8);
    size_t i = 0;
    for (char *p = channels; *p && i < MODEL_VGG_CONVS_MAX; i++) {
        g->recipe.channels[i] = strtoul(p, &p, 10);
        p += *p == ',';
    }
}

static golden open_goldens(void)
{
    golden g = {.file = fopen(CISTERN_TEST_DATA "/nn/data/features.txt", "r")};
    assert_non_null(g.file);
    return g;
}

static nn_features *features_of(const nn_net *net, const golden *g, const char *layer, base_pool *pool)
{
    cistern_error err = CISTERN_ERROR_INIT;
    nn_features *f = NULL;
    nn_features_options o = {g->height, g->width, layer, pool};
    assert_ok(nn_features_new(net, &o, &f, &err), &err);
    return f;
}

/* The layer's output for the golden's image; the caller frees it. */
static float *run(const nn_net *net, const golden *g, const char *layer, base_pool *pool, size_t shape[3],
                  size_t *rank)
{
    cistern_error err = CISTERN_ERROR_INIT;
    nn_features *f = features_of(net, g, layer, pool);
    guard_page x = nn_fixture_image(g->recipe.name, 0, g->height, g->width);
    *rank = nn_features_shape(f, shape);
    guard_page out = guard_page_make(shape[0] * shape[1] * shape[2] * sizeof(float));
    float *copy = malloc(shape[0] * shape[1] * shape[2] * sizeof(float) + 1);
    assert_non_null(copy);
    for (int again = 0; again < 2; again++) { /* buffers of the run before do not show */
        assert_ok(
            nn_features_run(f, (const float *)(const void *)x.data, (float *)(void *)out.data, NULL, &err),
            &err);
    }
    memcpy(copy, out.data, shape[0] * shape[1] * shape[2] * sizeof(float));
    guard_page_free(&out);
    guard_page_free(&x);
    nn_features_free(f);
    return copy;
}

static void check_layer(const golden *g, const nn_net *net, const char *name, const size_t want[3],
                        double most)
{
    size_t shape[3], rank, count = want[0] * want[1] * want[2];
    char key[128];
    float *out = run(net, g, name, NULL, shape, &rank);
    assert_int_equal(rank, strncmp(name, "classifier", 10) == 0 ? 1 : 3);
    assert_memory_equal(shape, want, sizeof shape);
    snprintf(key, sizeof key, "%s/%s", g->recipe.name, name);
    for (uint64_t i = 0; i < SAMPLES; i++) {
        double value;
        assert_int_equal(fscanf(g->file, "%lf", &value), 1);
        size_t at = (size_t)(fixture_bits(fixture_seed(key), i) % count);
        if (fabs(out[at] - value) > TOLERANCE * most)
            fail_msg("%s[%zu]: %.9g, expected %.9g", key, at, (double)out[at], value);
    }
    free(out);
}

static void every_layer_is_what_a_hook_sees(void **state)
{
    golden g = open_goldens();
    (void)state;
    for (int nets = 0; nets < 2; nets++) {
        char name[64];
        size_t shape[3], layers = 0, listed = 0;
        double most;
        read_net(&g);
        nn_fixture f = nn_fixture_new(&g.recipe, plain_form);
        while (fscanf(g.file, " layer %63s %zu %zu %zu %lf", name, &shape[0], &shape[1], &shape[2], &most) ==
               5) {
            check_layer(&g, f.net, name, shape, most);
            layers++;
        }
        for (char listing[NN_LAYER_NAME_MAX]; nn_features_layer_name(f.net, listed, listing);)
            listed++;
        assert_int_equal(layers, listed + 2); /* with "features" and "classifier" */
        nn_fixture_free(&f);
    }
    fclose(g.file);
}

static void threads_change_no_bit(void **state)
{
    static const char *const names[] = {"features.1", "features.14", "avgpool", "classifier.4"};
    golden g = open_goldens();
    base_pool *pool = NULL;
    cistern_error err = CISTERN_ERROR_INIT;
    (void)state;
    read_net(&g);
    fclose(g.file);
    nn_fixture f = nn_fixture_new(&g.recipe, plain_form);
    assert_ok(base_pool_new(3, &pool, &err), &err);
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        size_t shape[3], rank;
        float *alone = run(f.net, &g, names[i], NULL, shape, &rank);
        float *together = run(f.net, &g, names[i], pool, shape, &rank);
        assert_memory_equal(alone, together, shape[0] * shape[1] * shape[2] * sizeof(float));
        free(alone);
        free(together);
    }
    base_pool_free(pool);
    nn_fixture_free(&f);
}

/* The fast engine and this one are two programs for one network. */
static void the_last_layer_is_the_sessions(void **state)
{
    static const fixture_form forms[] = {{.dtype = MODEL_F32},
                                         {.dtype = MODEL_F16, .shift = 1},
                                         {.dtype = MODEL_F32, .reversed = true},
                                         {.dtype = MODEL_F32, .as_keras = true}};
    (void)state;
    for (size_t i = 0; i < sizeof forms / sizeof forms[0]; i++) {
        cistern_error err = CISTERN_ERROR_INIT;
        nn_session_options o = NN_SESSION_OPTIONS_INIT;
        nn_session *session = NULL;
        golden g = {.recipe = nn_recipe_small("vgg11_bn"), .height = 50, .width = 37};
        nn_fixture f = nn_fixture_new(&g.recipe, forms[i]);
        size_t shape[3], rank;
        float *mine = run(f.net, &g, "classifier", NULL, shape, &rank), theirs[16], most = 0;
        guard_page x = nn_fixture_image(g.recipe.name, 0, g.height, g.width);
        o.height = g.height;
        o.width = g.width;
        assert_ok(nn_session_new(f.net, &o, NULL, &session, &err), &err);
        assert_ok(nn_session_run(session, (const float *)(const void *)x.data, 1, theirs, NULL, &err), &err);
        assert_int_equal(shape[0], g.recipe.classes);
        for (size_t k = 0; k < shape[0]; k++)
            most = fabsf(theirs[k]) > most ? fabsf(theirs[k]) : most;
        for (size_t k = 0; k < shape[0]; k++)
            assert_true(fabsf(mine[k] - theirs[k]) < 2e-5f * most);
        nn_session_free(session);
        guard_page_free(&x);
        free(mine);
        nn_fixture_free(&f);
    }
}

static void an_unknown_layer_is_refused_with_all_names(void **state)
{
    cistern_error err = CISTERN_ERROR_INIT;
    nn_recipe recipe = nn_recipe_small("vgg11");
    nn_fixture f = nn_fixture_new(&recipe, plain_form);
    nn_features *out = NULL;
    static const char *const wrong[] = {"features.21", "feature", "", "classifier.", "classifier.7", "conv1"};
    (void)state;
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        nn_features_options o = {64, 64, wrong[i], NULL};
        assert_says(nn_features_new(f.net, &o, &out, &err), CISTERN_USAGE, &err,
                    "features.20, avgpool, classifier.0");
    }
    nn_features_options small = {64, 31, "avgpool", NULL};
    assert_says(nn_features_new(f.net, &small, &out, &err), CISTERN_USAGE, &err, "64 x 31");
    nn_fixture_free(&f);
}

static void without_a_head_the_classifier_is_not_there(void **state)
{
    cistern_error err = CISTERN_ERROR_INIT;
    nn_recipe recipe = nn_recipe_small("vgg11");
    nn_fixture f = nn_fixture_new(&recipe, plain_form);
    model_vgg_match match;
    nn_net *net = NULL;
    nn_features *out = NULL;
    golden g = {.recipe = recipe, .height = 40, .width = 40};
    size_t shape[3], rank;
    base_map map = {f.file.data, model_index_file_size(f.index, 0)};
    (void)state;
    assert_ok(model_vgg_match_index(f.index, "vgg11", &match, &err), &err);
    match.has_head = false;
    assert_ok(nn_net_new_features(&match, &map, 1, &net, &err), &err);
    nn_features_options o = {40, 40, "classifier.0", NULL};
    assert_says(nn_features_new(net, &o, &out, &err), CISTERN_USAGE, &err, "avgpool");
    float *mine = run(net, &g, "avgpool", NULL, shape, &rank),
          *whole = run(f.net, &g, "avgpool", NULL, shape, &rank);
    assert_memory_equal(mine, whole, shape[0] * 49 * sizeof(float));
    free(mine);
    free(whole);
    nn_net_free(net);
    nn_fixture_free(&f);
}

static void cancel_ends_it(void **state)
{
    cistern_error err = CISTERN_ERROR_INIT;
    nn_recipe recipe = nn_recipe_small("vgg11");
    nn_fixture f = nn_fixture_new(&recipe, plain_form);
    golden g = {.recipe = recipe, .height = 32, .width = 32};
    nn_features *features = features_of(f.net, &g, "features.20", NULL);
    base_cancel cancel;
    float *x = calloc(3 * 32 * 32, sizeof *x), out[64];
    (void)state;
    atomic_init(&cancel.set, 1);
    assert_fails(nn_features_run(features, x, out, &cancel, &err), CISTERN_CANCELLED, &err);
    free(x);
    nn_features_free(features);
    nn_fixture_free(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_layer_is_what_a_hook_sees),
        cmocka_unit_test(threads_change_no_bit),
        cmocka_unit_test(the_last_layer_is_the_sessions),
        cmocka_unit_test(an_unknown_layer_is_refused_with_all_names),
        cmocka_unit_test(without_a_head_the_classifier_is_not_there),
        cmocka_unit_test(cancel_ends_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
