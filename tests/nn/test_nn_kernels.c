/* Every fast kernel against its plain twin, over random shapes; every input and output ends at a guard page. */
#include "nn_fixture.h"

#include "nn_isa.h"
#include "priv/nn_conv3x3.h"
#include "priv/nn_linear.h"
#include "priv/nn_session_priv.h"
#include "priv/nn_winograd.h"

#define ROUNDS    300
#define TOLERANCE 2e-6 /* of the sum of magnitudes: rounding in another order */

static uint64_t counter;

static size_t random_below(size_t n)
{
    return (size_t)(fixture_bits(7, counter++) % n);
}

static guard_page random_floats(size_t n)
{
    guard_page g = guard_page_make(n * sizeof(float));
    for (size_t i = 0; i < n; i++) {
        ((float *)(void *)g.data)[i] = fixture_normal(11, counter++, 1.0);
    }
    return g;
}

static float *floats(const guard_page *g)
{
    return (float *)(void *)g->data;
}

static void free_all(guard_page **pages, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        guard_page_free(pages[i]);
    }
}

static void assert_close(const float *a, const float *b, size_t n, double scale)
{
    for (size_t i = 0; i < n; i++) {
        if (!(fabs((double)a[i] - (double)b[i]) <= TOLERANCE * scale)) {
            fail_msg("element %zu of %zu: %.9g, its twin says %.9g", i, n, (double)a[i], (double)b[i]);
        }
    }
}

static void compare_conv3x3(nn_conv3x3_fn kernel)
{
    for (int round = 0; round < ROUNDS; round++) {
        size_t channels = 1 + random_below(5), width = 1 + random_below(70);
        size_t row = width + 2 + random_below(3), plane = row * (3 + random_below(3));
        /* of the last plane the last row's window ends the memory */
        guard_page x = random_floats((channels - 1) * plane + 2 * row + width + 2);
        guard_page w = random_floats(channels * 9 * NN_BLOCK), bias = random_floats(NN_BLOCK);
        guard_page fast = random_floats(width * NN_BLOCK), plain = random_floats(width * NN_BLOCK);
        kernel(floats(&x), row, plane, channels, floats(&w), floats(&bias), floats(&fast), width);
        nn_conv3x3_f32_1x16__ref(floats(&x), row, plane, channels, floats(&w), floats(&bias), floats(&plain),
                                 width);
        assert_close(floats(&fast), floats(&plain), width * NN_BLOCK, 9.0 * (double)channels);
        free_all((guard_page *[]){&x, &w, &bias, &fast, &plain}, 5);
    }
}

static void conv3x3_portable_equals_twin(void **state)
{
    (void)state;
    compare_conv3x3(nn_conv3x3_f32_4x16__portable);
}

static guard_page random_weights(model_dtype dtype, size_t n)
{
    size_t bytes = model_dtype_bytes(dtype);
    guard_page g = guard_page_make(n * bytes);
    for (size_t i = 0; i < n; i++) {
        fixture_store(g.data + i * bytes, dtype, fixture_normal(13, counter++, 1.0));
    }
    return g;
}

/* Inputs as sessions give them: aligned, zeros behind the last element. */
static guard_page random_inputs(size_t images, size_t n, size_t stride)
{
    guard_page g = random_floats(images * stride);
    for (size_t i = 0; i < images; i++) {
        memset(floats(&g) + i * stride + n, 0, (stride - n) * sizeof(float));
    }
    return g;
}

static void compare_linear_once(nn_linear_fn kernel, nn_linear_fn twin, model_dtype dtype)
{
    bool large = random_below(10) == 0; /* several panels, more rows and images than are taken together */
    size_t rows = 1 + random_below(large ? 60 : 20), n = 1 + random_below(large ? 1300 : 300),
           images = 1 + random_below(large ? 40 : 9);
    size_t stride = (n + NN_LINEAR_LANES - 1) / NN_LINEAR_LANES * NN_LINEAR_LANES;
    int relu = random_below(2) == 0;
    size_t gap = random_below(3), w_stride = (n + gap) * model_dtype_bytes(dtype);
    guard_page w =
        random_weights(dtype, (rows - 1) * (n + gap) + n); /* often misaligned: its end is what is fixed */
    guard_page x = random_inputs(images, n, stride), bias = random_floats(rows);
    guard_page fast = random_floats(images * rows), plain = random_floats(images * rows),
               alone = random_floats(rows);
    kernel(w.data, w_stride, rows, n, floats(&x), stride, images, floats(&bias), relu, floats(&fast), rows);
    twin(w.data, w_stride, rows, n, floats(&x), stride, images, floats(&bias), relu, floats(&plain), rows);
    assert_close(floats(&fast), floats(&plain), images * rows, (double)n);
    /* an image's bits do not depend on its company */
    for (size_t i = 0; i < images; i++) {
        kernel(w.data, w_stride, rows, n, floats(&x) + i * stride, stride, 1, floats(&bias), relu,
               floats(&alone), rows);
        assert_memory_equal(floats(&alone), floats(&fast) + i * rows, rows * sizeof(float));
    }
    free_all((guard_page *[]){&w, &x, &bias, &fast, &plain, &alone}, 6);
}

static void compare_linear(nn_linear_fn f32, nn_linear_fn f16, nn_linear_fn bf16)
{
    for (int round = 0; round < ROUNDS; round++) {
        compare_linear_once(f32, nn_linear_f32__ref, MODEL_F32);
        compare_linear_once(f16, nn_linear_f16__ref, MODEL_F16);
        compare_linear_once(bf16, nn_linear_bf16__ref, MODEL_BF16);
    }
}

static void linear_portable_equals_twin(void **state)
{
    (void)state;
    compare_linear(nn_linear_f32__portable, nn_linear_f16__portable, nn_linear_bf16__portable);
}

static const nn_winograd_kernels winograd_ref = {
    nn_winograd_weights_f32_16__ref, nn_winograd_input_f32_16__ref, nn_winograd_multiply_f32_32__ref,
    nn_winograd_output_f32_16__ref};

static void compare_weights(const nn_winograd_kernels *k)
{
    size_t channels = 1 + random_below(20), stride = (channels + random_below(2)) * NN_PAIR,
           half = random_below(2) * NN_BLOCK;
    size_t n = 5 * stride + channels * NN_PAIR, row = random_below(6);
    guard_page w = random_floats(channels * 9 * NN_BLOCK), fast = random_floats(n),
               plain = guard_page_of(fast.data, n * 4);
    k->weights(floats(&w), channels, row, floats(&fast) + half, stride);
    winograd_ref.weights(floats(&w), channels, row, floats(&plain) + half, stride);
    assert_close(floats(&fast), floats(&plain), n, 9.0);
    free_all((guard_page *[]){&w, &fast, &plain}, 3);
}

static void compare_input(const nn_winograd_kernels *k)
{
    size_t row = (6 + random_below(4)) * NN_BLOCK, stride = (1 + random_below(4)) * NN_BLOCK,
           n = 35 * stride + NN_BLOCK;
    guard_page x = random_floats(5 * row + 6 * NN_BLOCK), fast = random_floats(n),
               plain = guard_page_of(fast.data, n * 4);
    k->input(floats(&x), row, floats(&fast), stride);
    winograd_ref.input(floats(&x), row, floats(&plain), stride);
    assert_close(floats(&fast), floats(&plain), n, 36.0);
    free_all((guard_page *[]){&x, &fast, &plain}, 3);
}

static void compare_multiply(const nn_winograd_kernels *k)
{
    size_t channels = 1 + random_below(70), tiles = 1 + random_below(40),
           block = (tiles + random_below(3)) * NN_BLOCK;
    size_t blocks = (channels + NN_BLOCK - 1) / NN_BLOCK, n = tiles * NN_PAIR;
    int add = random_below(2) == 0;
    guard_page u = random_floats(channels * NN_PAIR),
               v = random_floats((blocks - 1) * block + tiles * NN_BLOCK);
    guard_page fast = random_floats(n), plain = guard_page_of(fast.data, n * 4);
    nn_ahead ahead = {{floats(&u), NULL}, {random_below(99), random_below(99)}};
    k->multiply(floats(&u), floats(&v), block, channels, tiles, floats(&fast), add,
                random_below(2) ? &ahead : NULL);
    winograd_ref.multiply(floats(&u), floats(&v), block, channels, tiles, floats(&plain), add, NULL);
    assert_close(floats(&fast), floats(&plain), n, (double)channels + 3);
    free_all((guard_page *[]){&u, &v, &fast, &plain}, 4);
}

static void compare_output(const nn_winograd_kernels *k)
{
    nn_tile_target t = {.pool = (int)random_below(2)};
    t.height = t.pool ? random_below(3) : 1 + random_below(4);
    t.width = t.pool ? random_below(3) : 1 + random_below(4);
    t.row = (t.width + random_below(3)) * NN_BLOCK;
    size_t stride = (1 + random_below(4)) * NN_BLOCK,
           n = t.height ? (t.height - 1) * t.row + t.width * NN_BLOCK : 0;
    guard_page m = random_floats(35 * stride + NN_BLOCK), bias = random_floats(NN_BLOCK);
    guard_page fast = random_floats(n), plain = guard_page_of(fast.data, n * 4);
    t.out = floats(&fast);
    k->output(floats(&m), stride, floats(&bias), &t);
    t.out = floats(&plain);
    winograd_ref.output(floats(&m), stride, floats(&bias), &t);
    assert_close(floats(&fast), floats(&plain), n, 60.0);
    free_all((guard_page *[]){&m, &bias, &fast, &plain}, 4);
}

static void compare_winograd(const nn_winograd_kernels *k)
{
    for (int round = 0; round < ROUNDS; round++) {
        compare_weights(k);
        compare_input(k);
        compare_multiply(k);
        compare_output(k);
    }
}

/* The four twins together are a convolution: the algorithm is right, not only equal to itself. */
static void winograd_twins_equal_direct_convolution(void **state)
{
    (void)state;
    for (int round = 0; round < 20; round++) {
        _Alignas(64) float x[36 * NN_BLOCK], w[NN_BLOCK * 9 * NN_BLOCK], bias[NN_BLOCK] = {0},
                                                                         y[16 * NN_BLOCK];
        static _Alignas(64) float u[36 * NN_BLOCK * NN_PAIR], v[36 * NN_BLOCK], m[36 * NN_PAIR];
        size_t channels = 1 + random_below(NN_BLOCK);
        memset(u, 0, sizeof(u));
        for (size_t i = 0; i < sizeof(x) / sizeof(x[0]); i++) {
            x[i] = fixture_normal(17, counter++, 1.0);
        }
        for (size_t i = 0; i < sizeof(w) / sizeof(w[0]); i++) {
            w[i] = fixture_normal(19, counter++, 1.0);
        }
        for (size_t row = 0; row < 6; row++) {
            winograd_ref.weights(w, channels, row, u + row * 6 * NN_BLOCK * NN_PAIR, NN_BLOCK * NN_PAIR);
        }
        winograd_ref.input(x, 6 * NN_BLOCK, v, NN_BLOCK);
        for (size_t i = 0; i < 36; i++) {
            winograd_ref.multiply(u + i * NN_BLOCK * NN_PAIR, v + i * NN_BLOCK, NN_BLOCK, channels, 1,
                                  m + i * NN_PAIR, 0, NULL);
        }
        nn_tile_target target = {y, 4 * NN_BLOCK, 4, 4, 0};
        winograd_ref.output(m, NN_PAIR, bias, &target);
        for (size_t i = 0; i < 16 * NN_BLOCK; i++) {
            double sum = 0;
            for (size_t tap = 0; tap < 9 * channels; tap++) {
                size_t c = tap / 9, row = i / NN_BLOCK / 4 + tap % 9 / 3, column = i / NN_BLOCK % 4 + tap % 3;
                sum += (double)x[(row * 6 + column) * NN_BLOCK + c] *
                       (double)w[(c * 9 + tap % 9) * NN_BLOCK + i % NN_BLOCK];
            }
            assert_true(fabs((double)y[i] - (sum < 0 ? 0 : sum)) < 2e-5 * (double)channels);
        }
    }
}

static void winograd_portable_equals_twin(void **state)
{
    (void)state;
    const nn_winograd_kernels k = {nn_winograd_weights_f32_16__portable, nn_winograd_input_f32_16__portable,
                                   nn_winograd_multiply_f32_32__portable,
                                   nn_winograd_output_f32_16__portable};
    compare_winograd(&k);
}

static void nan_survives(const nn_winograd_kernels *k)
{
    _Alignas(64) float m[36 * NN_BLOCK] = {0}, bias[NN_BLOCK] = {0}, y[16 * NN_BLOCK];
    nn_tile_target target = {y, 4 * NN_BLOCK, 4, 4, 0};
    bias[3] = NAN;
    k->output(m, NN_BLOCK, bias, &target);
    for (size_t i = 0; i < 16 * NN_BLOCK; i++) {
        assert_true(i % NN_BLOCK == 3 ? isnan(y[i]) : y[i] == 0);
    }
}

static void broken_weights_are_not_hidden_by_relu(void **state)
{
    (void)state;
    for (int isa = NN_ISA_PORTABLE; isa <= NN_ISA_AMX; isa++) {
        if (nn_isa_available((nn_isa)isa)) {
            nan_survives(&nn_kernels_of((nn_isa)isa)->winograd);
        }
    }
}

#if defined(__x86_64__)
static void need(nn_isa isa)
{
    if (!nn_isa_available(isa)) {
        TEST_SKIP("this machine does not have that instruction set");
    }
}

static void conv3x3_avx2_equals_twin(void **state)
{
    (void)state;
    need(NN_ISA_AVX2);
    compare_conv3x3(nn_conv3x3_f32_6x16__avx2);
}

static void linear_avx2_equals_twin(void **state)
{
    (void)state;
    need(NN_ISA_AVX2);
    compare_linear(nn_linear_f32__avx2, nn_linear_f16__avx2, nn_linear_bf16__avx2);
}

static void winograd_avx2_equals_twin(void **state)
{
    (void)state;
    const nn_winograd_kernels k = {nn_winograd_weights_f32_16__avx2, nn_winograd_input_f32_16__avx2,
                                   nn_winograd_multiply_f32_32__avx2, nn_winograd_output_f32_16__avx2};
    need(NN_ISA_AVX2);
    compare_winograd(&k);
}

static void conv3x3_avx512_equals_twin(void **state)
{
    (void)state;
    need(NN_ISA_AVX512);
    compare_conv3x3(nn_conv3x3_f32_28x16__avx512);
}

static void linear_avx512_equals_twin(void **state)
{
    (void)state;
    need(NN_ISA_AVX512);
    compare_linear(nn_linear_f32__avx512, nn_linear_f16__avx512, nn_linear_bf16__avx512);
}

static void winograd_avx512_equals_twin(void **state)
{
    (void)state;
    const nn_winograd_kernels k = {nn_winograd_weights_f32_16__avx512, nn_winograd_input_f32_16__avx512,
                                   nn_winograd_multiply_f32_32__avx512, nn_winograd_output_f32_16__avx512};
    need(NN_ISA_AVX512);
    compare_winograd(&k);
}
#endif

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(conv3x3_portable_equals_twin),
        cmocka_unit_test(linear_portable_equals_twin),
        cmocka_unit_test(winograd_twins_equal_direct_convolution),
        cmocka_unit_test(winograd_portable_equals_twin),
        cmocka_unit_test(broken_weights_are_not_hidden_by_relu),
#if defined(__x86_64__)
        cmocka_unit_test(conv3x3_avx2_equals_twin),
        cmocka_unit_test(linear_avx2_equals_twin),
        cmocka_unit_test(winograd_avx2_equals_twin),
        cmocka_unit_test(conv3x3_avx512_equals_twin),
        cmocka_unit_test(linear_avx512_equals_twin),
        cmocka_unit_test(winograd_avx512_equals_twin),
#endif
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
