/* Linear layers that read only the weights that count: which lines of inputs are zero, the kernels against their plain twin
 * with everything at guard pages, and sessions whose results do not change by it. */
#include "nn_fixture.h"

#include "nn_isa.h"
#include "priv/nn_linear.h"
#include "priv/nn_session_priv.h"

#define ROUNDS    300
#define TOLERANCE 2e-6 /* of the sum of magnitudes: rounding in another order */

static uint64_t counter;

static size_t random_below(size_t n)
{
    return (size_t)(fixture_bits(23, counter++) % n);
}

static guard_page random_floats(size_t n)
{
    guard_page g = guard_page_make(n * sizeof(float));
    for (size_t i = 0; i < n; i++) {
        ((float *)(void *)g.data)[i] = fixture_normal(29, counter++, 1.0);
    }
    return g;
}

static float *floats(const guard_page *g)
{
    return (float *)(void *)g->data;
}

/* Inputs with zeros (of both signs) in runs, as whole channels behind ReLU are. */
static guard_page inputs_with_gaps(size_t n, size_t padded)
{
    guard_page g = random_floats(padded);
    for (size_t i = 0; i < n;) {
        size_t run = 1 + random_below(70), end = i + run < n ? i + run : n;
        bool zero = random_below(2) == 0;
        for (; i < end; i++) {
            floats(&g)[i] = zero ? (i % 2 ? 0.0f : -0.0f) : floats(&g)[i];
        }
    }
    memset(floats(&g) + n, 0, (padded - n) * sizeof(float));
    return g;
}

static void compare_once(nn_linear_lines_fn kernel, nn_linear_fn whole)
{
    size_t rows = 1 + random_below(30), n = 1 + random_below(2000), gap = random_below(3);
    size_t padded = (n + NN_LINEAR_LANES - 1) / NN_LINEAR_LANES * NN_LINEAR_LANES,
           lines = padded / NN_LINEAR_LANES;
    size_t stride = (n + gap) * sizeof(float), weights = (rows - 1) * (n + gap) + n;
    int relu = random_below(2) == 0;
    guard_page w = random_floats(weights), bias = random_floats(rows), x = inputs_with_gaps(n, padded);
    guard_page list = guard_page_make(lines * sizeof(uint32_t));
    guard_page fast = random_floats(rows), plain = random_floats(rows), all = random_floats(rows);
    const uint32_t *at = (const uint32_t *)(void *)list.data;
    size_t count = nn_linear_lines(floats(&x), n, (uint32_t *)(void *)list.data);
    guard_page cut = guard_page_of(at, count * sizeof(uint32_t)); /* nothing behind the last entry is read */
    at = (const uint32_t *)(void *)cut.data;
    kernel(w.data, stride, rows, n, floats(&x), at, count, floats(&bias), relu, floats(&fast));
    nn_linear_lines_f32__ref(w.data, stride, rows, n, floats(&x), at, count, floats(&bias), relu,
                             floats(&plain));
    whole(w.data, stride, rows, n, floats(&x), padded, 1, floats(&bias), relu, floats(&all), rows);
    for (size_t r = 0; r < rows; r++) {
        assert_true(fabs((double)floats(&fast)[r] - (double)floats(&plain)[r]) <=
                    TOLERANCE * (double)(n + 3));
    }
    assert_memory_equal(fast.data, all.data, rows * sizeof(float)); /* the bits of reading everything */
    guard_page *pages[] = {&w, &bias, &x, &list, &cut, &fast, &plain, &all};
    for (size_t i = 0; i < sizeof(pages) / sizeof(pages[0]); i++) {
        guard_page_free(pages[i]);
    }
}

static void kernels_that_skip_equal_their_twin_and_the_whole_sum(void **state)
{
    (void)state;
    for (int isa = NN_ISA_PORTABLE; isa <= NN_ISA_AMX; isa++) {
        const nn_kernels *k = nn_kernels_of((nn_isa)isa);
        for (int round = 0; nn_isa_available((nn_isa)isa) && k->linear_lines_f32 && round < ROUNDS; round++) {
            compare_once(k->linear_lines_f32, k->linear_f32);
        }
    }
}

static void lines_are_those_with_any_input(void **state)
{
    (void)state;
    _Alignas(64) float x[5 * NN_LINEAR_LANES] = {0};
    uint32_t lines[5];
    assert_int_equal(nn_linear_lines(x, 70, lines), 0);
    x[15] = 1e-45f; /* the least there is */
    x[16] = -0.0f;
    x[32] = NAN;
    x[64] = -1;
    assert_int_equal(nn_linear_lines(x, 70, lines), 3);
    assert_true(lines[0] == 0 && lines[1] == 2 && lines[2] == 4);
    assert_int_equal(nn_linear_lines(x, 64, lines), 2); /* the last line is not theirs */
}

/* A float of a tensor in the fixture's file. */
static void set(const nn_fixture *f, const char *name, size_t i, float value)
{
    const model_tensor *t = model_index_find(f->index, name);
    assert_non_null(t);
    memcpy(f->file.data + t->offset + i * sizeof(float), &value, sizeof(value));
}

#define LAST_CHANNELS 23 /* of the small vgg11 */
#define DEAD          14 /* of them, that are never above zero */
#define INPUTS        (LAST_CHANNELS * 49)

static nn_fixture with_dead_channels(void)
{
    nn_recipe recipe = nn_recipe_small("vgg11");
    nn_fixture f = nn_fixture_new(&recipe, (fixture_form){.dtype = MODEL_F32});
    assert_int_equal(recipe.channels[7], LAST_CHANNELS);
    for (size_t i = 0; i < DEAD; i++) {
        set(&f, "features.18.bias", i, -1e6f);
    }
    return f;
}

static nn_session *open_session(const nn_fixture *f, nn_isa isa, size_t batch)
{
    cistern_error err = CISTERN_ERROR_INIT;
    nn_session_options options = NN_SESSION_OPTIONS_INIT;
    nn_session *session;
    options.height = options.width = 64;
    options.max_batch = batch;
    options.isa = isa;
    assert_ok(nn_session_new(f->net, &options, NULL, &session, &err), &err);
    return session;
}

/* Logits of `n` times the same image, and how the first linear layer was computed. */
static const char *run(nn_session *session, size_t n, float *logits)
{
    cistern_error err = CISTERN_ERROR_INIT;
    size_t floats_of_one = 3 * 64 * 64;
    guard_page one = nn_fixture_image("lines", 0, 64, 64),
               x = guard_page_make(n * floats_of_one * sizeof(float));
    nn_step_report report = {.algorithm = ""};
    for (size_t i = 0; i < n; i++) {
        memcpy(floats(&x) + i * floats_of_one, one.data, floats_of_one * sizeof(float));
    }
    assert_ok(nn_session_run(session, floats(&x), n, logits, NULL, &err), &err);
    for (size_t i = 0; i < nn_session_step_count(session) && strcmp(report.name, "classifier.0") != 0; i++) {
        nn_session_report(session, i, &report);
    }
    assert_string_equal(report.name, "classifier.0");
    guard_page_free(&one);
    guard_page_free(&x);
    return report.algorithm;
}

/* Each instruction set that can skip. */
static void each_isa(void (*test)(nn_isa isa))
{
    for (int isa = NN_ISA_PORTABLE; isa <= NN_ISA_AMX; isa++) {
        if (nn_isa_available((nn_isa)isa) && nn_kernels_of((nn_isa)isa)->linear_lines_f32) {
            test((nn_isa)isa);
        }
    }
}

static void second_run_skips(nn_isa isa)
{
    nn_fixture f = with_dead_channels();
    nn_session *session = open_session(&f, isa, 2);
    float first[10], second[10], both[20];
    assert_string_equal(run(session, 1, first), "stream"); /* looks at every weight */
    assert_string_equal(run(session, 1, second), "sparse stream");
    assert_memory_equal(first, second, sizeof(first));
    assert_string_equal(run(session, 2, both), "stream");
    assert_memory_equal(first, both + 10, sizeof(first));
    nn_session_free(session);
    nn_fixture_free(&f);
}

static void a_second_run_skips_zeros_and_changes_no_bit(void **state)
{
    (void)state;
    each_isa(second_run_skips);
}

static void infinity_is_met(nn_isa isa)
{
    nn_fixture f = with_dead_channels();
    set(&f, "classifier.0.weight", 20 * INPUTS + 3, -INFINITY); /* of an input that is zero */
    nn_session *session = open_session(&f, isa, 1);
    for (int i = 0; i < 3; i++) {
        float logits[10];
        assert_string_equal(run(session, 1, logits), "stream");
        for (size_t k = 0; k < 10; k++) {
            assert_true(isnan(logits[k])); /* as 0 * inf is, here and in every framework */
        }
    }
    nn_session_free(session);
    nn_fixture_free(&f);
}

static void broken_weights_of_zero_inputs_are_not_skipped(void **state)
{
    (void)state;
    each_isa(infinity_is_met);
}

/* An infinity that ReLU makes a zero is seen before that. */
static void infinity_is_seen(nn_isa isa)
{
    nn_fixture f = with_dead_channels();
    set(&f, "classifier.0.bias", 0, -INFINITY);
    nn_session *session = open_session(&f, isa, 1);
    float logits[10];
    assert_string_equal(run(session, 1, logits), "stream");
    assert_true(isfinite(logits[0]));
    assert_string_equal(run(session, 1, logits), "stream");
    nn_session_free(session);
    nn_fixture_free(&f);
}

static void what_relu_hides_is_seen_before(void **state)
{
    (void)state;
    each_isa(infinity_is_seen);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines_are_those_with_any_input),
        cmocka_unit_test(kernels_that_skip_equal_their_twin_and_the_whole_sum),
        cmocka_unit_test(a_second_run_skips_zeros_and_changes_no_bit),
        cmocka_unit_test(broken_weights_of_zero_inputs_are_not_skipped),
        cmocka_unit_test(what_relu_hides_is_seen_before),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
