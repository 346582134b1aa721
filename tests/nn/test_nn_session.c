#include "nn_fixture.h"

#include "base_pages.h"
#include "nn_softmax.h"

static const fixture_form plain_form = {.dtype = MODEL_F32};

/* Logits of n images of one size; the caller frees them. */
static float *run(const nn_net *net, size_t height, size_t width, size_t n, base_pool *pool, nn_isa isa)
{
    cistern_error err = CISTERN_ERROR_INIT;
    nn_session_options options = NN_SESSION_OPTIONS_INIT;
    nn_session *session;
    options.height = height;
    options.width = width;
    options.max_batch = n;
    options.pool = pool;
    options.isa = isa;
    assert_ok(nn_session_new(net, &options, NULL, &session, &err), &err);
    guard_page x = guard_page_make(n * 3 * height * width * sizeof(float));
    for (size_t i = 0; i < n; i++) {
        guard_page one = nn_fixture_image("session", i, height, width);
        size_t bytes = 3 * height * width * sizeof(float);
        memcpy(x.data + i * bytes, one.data, bytes);
        guard_page_free(&one);
    }
    float *logits = calloc(n * nn_net_classes(net), sizeof(float));
    assert_non_null(logits);
    assert_ok(nn_session_run(session, (const float *)(const void *)x.data, n, logits, NULL, &err), &err);
    guard_page_free(&x);
    nn_session_free(session);
    return logits;
}

static const nn_isa all_isas[] = {NN_ISA_PORTABLE, NN_ISA_AVX2, NN_ISA_AVX512, NN_ISA_AMX};
#define ISAS (sizeof(all_isas) / sizeof(all_isas[0]))

static void bits_do_not_depend_on_threads(void **state)
{
    (void)state;
    nn_recipe recipe = nn_recipe_small("vgg16_bn");
    nn_fixture f = nn_fixture_new(&recipe, plain_form);
    for (size_t i = 0; i < ISAS; i++) {
        if (!nn_isa_available(all_isas[i])) {
            continue;
        }
        float *alone = run(f.net, 97, 131, 2, NULL, all_isas[i]);
        for (unsigned threads = 1; threads <= 5; threads += 2) {
            base_pool *pool;
            assert_ok(base_pool_new(threads, &pool, NULL), NULL);
            float *together = run(f.net, 97, 131, 2, pool, all_isas[i]);
            assert_memory_equal(alone, together, 2 * recipe.classes * sizeof(float));
            free(together);
            base_pool_free(pool);
        }
        free(alone);
    }
    nn_fixture_free(&f);
}

static void an_image_does_not_depend_on_its_batch(void **state)
{
    (void)state;
    nn_recipe recipe = nn_recipe_small("vgg11");
    nn_fixture f = nn_fixture_new(&recipe, plain_form);
    for (size_t i = 0; i < ISAS; i++) {
        if (!nn_isa_available(all_isas[i])) {
            continue;
        }
        float *seven = run(f.net, 40, 33, 7, NULL, all_isas[i]),
              *one = run(f.net, 40, 33, 1, NULL, all_isas[i]);
        assert_memory_equal(one, seven, recipe.classes * sizeof(float));
        assert_memory_not_equal(one, seven + recipe.classes, recipe.classes * sizeof(float));
        free(seven);
        free(one);
    }
    nn_fixture_free(&f);
}

static double distance(const float *a, const float *b, size_t n)
{
    double worst = 0, most = 0;
    for (size_t i = 0; i < n; i++) {
        worst = fmax(worst, fabs((double)a[i] - (double)b[i]));
        most = fmax(most, fabs((double)b[i]));
    }
    return worst / most;
}

/* The same numbers in another dtype, off their alignment, or transposed in memory give the same answer. */
static void any_dtype_alignment_and_stride(void **state)
{
    (void)state;
    nn_recipe recipe = nn_recipe_small("vgg11_bn");
    nn_fixture f = nn_fixture_new(&recipe, plain_form);
    float *wanted = run(f.net, 35, 48, 1, NULL, NN_ISA_AUTO);
    const struct {
        fixture_form form;
        double tolerance;
    } cases[] = {
        {{MODEL_F32, 1, false, false}, 0},     {{MODEL_F32, 3, true, false}, 1e-6},
        {{MODEL_F64, 0, false, false}, 1e-6},  {{MODEL_F64, 5, true, false}, 1e-6},
        {{MODEL_F16, 1, false, false}, 1e-2},  {{MODEL_F16, 0, true, false}, 1e-2},
        {{MODEL_BF16, 1, false, false}, 6e-2}, {{MODEL_BF16, 1, true, false}, 6e-2},
        {{MODEL_F32, 0, .as_keras = true}, 0}, {{MODEL_F64, 3, .as_keras = true}, 1e-6},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        nn_fixture other = nn_fixture_new(&recipe, cases[i].form);
        for (size_t k = 0; k < ISAS; k++) {
            if (nn_isa_available(all_isas[k])) {
                float *got = run(other.net, 35, 48, 1, NULL, all_isas[k]);
                double d = distance(got, wanted, recipe.classes);
                if (!(d <= cases[i].tolerance + 3e-6)) {
                    fail_msg("%s, shift %u, reversed %d, as Keras %d, %s: differs by %.3g",
                             model_dtype_text(cases[i].form.dtype), cases[i].form.shift,
                             cases[i].form.reversed, cases[i].form.as_keras, nn_isa_text(all_isas[k]), d);
                }
                free(got);
            }
        }
        nn_fixture_free(&other);
    }
    free(wanted);
    nn_fixture_free(&f);
}

/* More rows than are gathered at once, and a rest; more elements than one piece; whoever packs. */
static void transposed_layers_of_several_jobs(void **state)
{
    (void)state;
    nn_recipe recipe = nn_recipe_small("vgg11");
    recipe.hidden[0] = 150;
    recipe.hidden[1] = 65;
    nn_fixture rows = nn_fixture_new(&recipe, plain_form);
    float *wanted = run(rows.net, 32, 32, 1, NULL, NN_ISA_AUTO);
    const fixture_form forms[] = {
        {MODEL_F32, 0, .as_keras = true}, {MODEL_F64, 4, .as_keras = true}, {MODEL_F32, 1, true, false}};
    base_pool *pool;
    assert_ok(base_pool_new(3, &pool, NULL), NULL);
    for (size_t i = 0; i < 3; i++) {
        nn_fixture columns = nn_fixture_new(&recipe, forms[i]);
        float *alone = run(columns.net, 32, 32, 1, NULL, NN_ISA_AUTO),
              *together = run(columns.net, 32, 32, 1, pool, NN_ISA_AUTO);
        assert_true(distance(alone, wanted, recipe.classes) < 3e-6);
        assert_memory_equal(alone, together, recipe.classes * sizeof(float));
        free(alone);
        free(together);
        nn_fixture_free(&columns);
    }
    base_pool_free(pool);
    free(wanted);
    nn_fixture_free(&rows);
}

/* Halves that are transposed are packed, those in rows are streamed: the numbers are the same ones. */
static void streamed_and_packed_halves_agree(void **state)
{
    (void)state;
    nn_recipe recipe = nn_recipe_small("vgg11");
    const model_dtype halves[2] = {MODEL_F16, MODEL_BF16};
    for (size_t i = 0; i < 2; i++) {
        nn_fixture rows = nn_fixture_new(&recipe, (fixture_form){.dtype = halves[i]});
        nn_fixture columns = nn_fixture_new(&recipe, (fixture_form){.dtype = halves[i], .reversed = true});
        float *a = run(rows.net, 32, 32, 1, NULL, NN_ISA_AUTO),
              *b = run(columns.net, 32, 32, 1, NULL, NN_ISA_AUTO);
        assert_true(distance(a, b, recipe.classes) < 1e-6);
        free(a);
        free(b);
        nn_fixture_free(&rows);
        nn_fixture_free(&columns);
    }
}

static void packed_weights_of_the_caller(void **state)
{
    (void)state;
    cistern_error err = CISTERN_ERROR_INIT;
    nn_recipe recipe = nn_recipe_small("vgg13_bn");
    nn_fixture f = nn_fixture_new(&recipe, plain_form);
    nn_session_options options = NN_SESSION_OPTIONS_INIT;
    nn_session *session;
    float *wanted = run(f.net, 32, 50, 1, NULL, NN_ISA_AUTO), logits[10];
    nn_layout layout = nn_layout_for(NN_ISA_AUTO);
    size_t size;
    uint8_t *mem[2];
    base_pool *pool;
    assert_ok(base_pool_new(3, &pool, NULL), NULL);
    assert_ok(nn_pack_size(f.net, layout, &size, &err), &err);
    for (int i = 0; i < 2; i++) { /* the same bytes whoever packs, whatever lay there */
        assert_ok(base_pages_new(size, &mem[i], &err), &err);
        memset(mem[i], i ? 0xff : 0, size);
        assert_ok(nn_pack(f.net, layout, i ? pool : NULL, mem[i], size, NULL, &err), &err);
    }
    assert_memory_equal(mem[0], mem[1], size);
    options.height = 32;
    options.width = 50;
    options.packed = mem[1];
    options.packed_size = size - 1;
    assert_says(nn_session_new(f.net, &options, NULL, &session, &err), CISTERN_DAMAGED, &err,
                "packed weights are");
    options.packed_size = size;
    options.packed = mem[1] + 4;
    assert_says(nn_session_new(f.net, &options, NULL, &session, &err), CISTERN_USAGE, &err,
                "no multiple of 64");
    options.packed = mem[1];
    assert_ok(nn_session_new(f.net, &options, NULL, &session, &err), &err);
    guard_page x = nn_fixture_image("session", 0, 32, 50);
    assert_ok(nn_session_run(session, (const float *)(const void *)x.data, 1, logits, NULL, &err), &err);
    assert_memory_equal(logits, wanted, sizeof(logits));
    nn_session_free(session);
    guard_page_free(&x);
    base_pages_free(mem[0], size);
    base_pages_free(mem[1], size);
    base_pool_free(pool);
    free(wanted);
    nn_fixture_free(&f);
}

static void sizes_out_of_range_are_refused(void **state)
{
    (void)state;
    cistern_error err = CISTERN_ERROR_INIT;
    nn_recipe recipe = nn_recipe_small("vgg11");
    nn_fixture f = nn_fixture_new(&recipe, plain_form);
    nn_session_options options = NN_SESSION_OPTIONS_INIT;
    nn_session *session = NULL;
    options.height = 31;
    assert_says(nn_session_new(f.net, &options, NULL, &session, &err), CISTERN_USAGE, &err,
                "input height 31: allowed are 32 to 16384");
    options.height = 32;
    options.width = 16385;
    assert_says(nn_session_new(f.net, &options, NULL, &session, &err), CISTERN_USAGE, &err,
                "input width 16385");
    options.width = 32;
    options.max_batch = 0;
    assert_says(nn_session_new(f.net, &options, NULL, &session, &err), CISTERN_USAGE, &err,
                "largest batch 0");
    options.max_batch = 1;
    options.isa = (nn_isa)77;
    assert_fails(nn_session_new(f.net, &options, NULL, &session, &err), CISTERN_USAGE, &err);
    assert_null(session);
    options.isa = NN_ISA_AUTO;
    assert_ok(nn_session_new(f.net, &options, NULL, &session, &err), &err);
    assert_says(nn_session_run(session, NULL, 2, NULL, NULL, &err), CISTERN_USAGE, &err,
                "2 images: this session was opened for at most 1");
    assert_ok(nn_session_run(session, NULL, 0, NULL, NULL, &err), &err);
    nn_session_free(session);
    nn_fixture_free(&f);
}

static void cancelled_before_and_usable_after(void **state)
{
    (void)state;
    cistern_error err = CISTERN_ERROR_INIT;
    nn_recipe recipe = nn_recipe_small("vgg11");
    nn_fixture f = nn_fixture_new(&recipe, plain_form);
    nn_session_options options = NN_SESSION_OPTIONS_INIT;
    nn_session *session = NULL;
    base_cancel cancel;
    float logits[10], *wanted = run(f.net, 64, 32, 1, NULL, NN_ISA_AUTO);
    guard_page x = nn_fixture_image("session", 0, 64, 32);
    atomic_init(&cancel.set, 1);
    options.height = 64;
    options.width = 32;
    assert_fails(nn_session_new(f.net, &options, &cancel, &session, &err), CISTERN_CANCELLED, &err);
    assert_null(session);
    assert_ok(nn_session_new(f.net, &options, NULL, &session, &err), &err);
    assert_fails(nn_session_run(session, (const float *)(const void *)x.data, 1, logits, &cancel, &err),
                 CISTERN_CANCELLED, &err);
    assert_ok(nn_session_run(session, (const float *)(const void *)x.data, 1, logits, NULL, &err), &err);
    assert_memory_equal(logits, wanted, sizeof(logits));
    nn_session_free(session);
    guard_page_free(&x);
    free(wanted);
    nn_fixture_free(&f);
}

static void softmax_of_extremes(void **state)
{
    (void)state;
    const float logits[2][3] = {{1000, 1000, -1000}, {0, 1, 2}};
    float p[2][3], one = -5;
    nn_softmax(&logits[0][0], 2, 3, &p[0][0]);
    assert_true(p[0][0] == 0.5f && p[0][1] == 0.5f && p[0][2] == 0);
    /* torch.softmax(torch.tensor([0., 1., 2.]), 0) */
    assert_true(fabsf(p[1][0] - 0.09003057f) < 1e-7f && fabsf(p[1][1] - 0.24472848f) < 1e-7f &&
                fabsf(p[1][2] - 0.66524094f) < 1e-7f);
    nn_softmax(&one, 1, 1, &one);
    assert_true(one == 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bits_do_not_depend_on_threads),
        cmocka_unit_test(an_image_does_not_depend_on_its_batch),
        cmocka_unit_test(any_dtype_alignment_and_stride),
        cmocka_unit_test(transposed_layers_of_several_jobs),
        cmocka_unit_test(streamed_and_packed_halves_agree),
        cmocka_unit_test(packed_weights_of_the_caller),
        cmocka_unit_test(sizes_out_of_range_are_refused),
        cmocka_unit_test(cancelled_before_and_usable_after),
        cmocka_unit_test(softmax_of_extremes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
