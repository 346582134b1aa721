/* Every fast kernel against its plain twin, over random shapes; every input and output ends at a guard page. */
#include "nn_fixture.h"

#include "nn_isa.h"
#include "priv/nn_conv3x3.h"
#include "priv/nn_linear.h"

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
        size_t channels = 1 + random_below(70), width = 1 + random_below(40);
        size_t blocks = (channels + NN_BLOCK - 1) / NN_BLOCK, row = (width + 2 + random_below(3)) * NN_BLOCK;
        size_t plane = row * (3 + random_below(3));
        /* of the last block the last row's window ends the memory */
        guard_page x = random_floats((blocks - 1) * plane + 2 * row + (width + 2) * NN_BLOCK);
        guard_page w = random_floats(channels * 9 * NN_BLOCK), bias = random_floats(NN_BLOCK);
        guard_page fast = random_floats(width * NN_BLOCK), plain = random_floats(width * NN_BLOCK);
        kernel(floats(&x), row, plane, channels, floats(&w), floats(&bias), floats(&fast), width);
        nn_conv3x3_f32_1x16__ref(floats(&x), row, plane, channels, floats(&w), floats(&bias), floats(&plain),
                                 width);
        assert_close(floats(&fast), floats(&plain), width * NN_BLOCK, 9.0 * (double)channels);
        guard_page_free(&x);
        guard_page_free(&w);
        guard_page_free(&bias);
        guard_page_free(&fast);
        guard_page_free(&plain);
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
    size_t rows = 1 + random_below(20), n = 1 + random_below(300), images = 1 + random_below(9);
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
    guard_page *all[] = {&w, &x, &bias, &fast, &plain, &alone};
    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
        guard_page_free(all[i]);
    }
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
#endif

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(conv3x3_portable_equals_twin),
        cmocka_unit_test(linear_portable_equals_twin),
#if defined(__x86_64__)
        cmocka_unit_test(conv3x3_avx2_equals_twin),
        cmocka_unit_test(linear_avx2_equals_twin),
#endif
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
