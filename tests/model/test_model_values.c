/* Elements of tensors of any dtype, stride and alignment, at a guard page; figures and differences of them. */
#include <math.h>
#include <string.h>
#include "cistern_test.h"
#include "guard_page.h"
#include "model_values.h"

static void elements_come_in_the_order_of_the_shape(void **state)
{
    (void)state;
    float stored[12]; /* [3, 2, 2] as stored */
    for (int i = 0; i < 12; i++)
        stored[i] = (float)i;
    guard_page g = guard_page_of(stored, sizeof stored);
    model_tensor t = {.dtype = MODEL_F32, .rank = 3, .shape = {2, 2, 3}, .stride = {2, 1, 4}};
    static const double wanted[12] = {0, 4, 8, 1, 5, 9, 2, 6, 10, 3, 7, 11};
    double out[12];
    model_values v;
    model_values_init(&v, &t, g.data);
    assert_int_equal(v.count, 12);
    assert_null(model_values_plain(&v));
    model_values_read(&v, 0, 12, out);
    assert_memory_equal(out, wanted, sizeof out);
    for (size_t from = 0; from < 12; from++) { /* a range begins anywhere */
        model_values_read(&v, from, 12 - from, out);
        assert_memory_equal(out, wanted + from, (12 - from) * sizeof out[0]);
    }
    model_values_init_any(&v, &t, g.data);
    assert_ptr_equal(model_values_plain(&v), g.data);
    guard_page_free(&g);
}

static void every_dtype_is_read_at_any_alignment(void **state)
{
    (void)state;
    static const model_dtype dtypes[] = {MODEL_F64, MODEL_F16, MODEL_BF16, MODEL_I64, MODEL_I8, MODEL_BOOL};
    static const uint8_t ones[][8] = {{0, 0, 0, 0, 0, 0, 0xf0, 0x3f}, {0, 0x3c}, {0x80, 0x3f}, {1}, {1}, {1}};
    for (size_t i = 0; i < sizeof dtypes / sizeof dtypes[0]; i++) {
        uint8_t bytes[1 + 16] = {0};
        size_t size = model_dtype_bytes(dtypes[i]);
        memcpy(bytes + 1 + size, ones[i], size);
        guard_page g = guard_page_of(bytes, 1 + 2 * size);
        model_tensor t = {.dtype = dtypes[i], .rank = 1, .shape = {2}, .stride = {1}};
        double out[2];
        model_values v;
        model_values_init(&v, &t, (const uint8_t *)g.data + 1);
        model_values_read(&v, 0, 2, out);
        assert_true(fabs(out[0]) < 1e-300 && fabs(out[1] - 1) < 1e-300);
        guard_page_free(&g);
    }
}

static void a_number_for_all_is_read_as_often_as_the_shape_says(void **state)
{
    (void)state;
    float one = 2.5f;
    model_tensor t = {.dtype = MODEL_F32, .rank = 2, .shape = {1000, 3}, .stride = {0, 0}};
    model_stats s = MODEL_STATS_INIT;
    model_values v;
    model_values_init_any(&v, &t, (const uint8_t *)&one);
    assert_null(model_values_plain(&v));
    model_values_stats(&v, 0, v.count, &s);
    assert_int_equal(s.count, 3000);
    assert_true(fabs(s.sum - 7500) < 1e-9);
}

static void blocks_that_are_merged_are_the_whole(void **state)
{
    (void)state;
    float x[3000], y[3000];
    for (int i = 0; i < 3000; i++)
        y[i] = x[i] = (float)(i % 17) - 8;
    x[1500] = y[1500] = NAN;
    y[2000] = x[2000] + 4;
    y[7] = x[7] - 1;
    y[2999] = NAN;
    model_tensor t = {.dtype = MODEL_F32, .rank = 1, .shape = {3000}, .stride = {1}};
    model_values a, b;
    model_difference d = MODEL_DIFFERENCE_INIT;
    model_stats s = MODEL_STATS_INIT;
    model_values_init(&a, &t, (const uint8_t *)x);
    model_values_init(&b, &t, (const uint8_t *)y);
    for (uint64_t from = 0; from < 3000; from += 1000) {
        model_difference part = MODEL_DIFFERENCE_INIT;
        model_stats some = MODEL_STATS_INIT;
        model_values_compare(&a, 0, &b, 0, from, 1000, &part);
        model_values_stats(&a, from, 1000, &some);
        model_difference_merge(&d, &part);
        model_stats_merge(&s, &some);
    }
    assert_int_equal(d.count, 3000);
    assert_int_equal(d.differing, 3);
    assert_int_equal(d.one_nan, 1);
    assert_int_equal(d.at, 2000);
    assert_true(fabs(d.max_absolute - 4) < 1e-12 && fabs(d.largest - 8) < 1e-12);
    assert_int_equal(s.nans, 1);
    assert_true(fabs(s.minimum + 8) < 1e-12 && fabs(s.maximum - 8) < 1e-12);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(elements_come_in_the_order_of_the_shape),
        cmocka_unit_test(every_dtype_is_read_at_any_alignment),
        cmocka_unit_test(a_number_for_all_is_read_as_often_as_the_shape_says),
        cmocka_unit_test(blocks_that_are_merged_are_the_whole),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
