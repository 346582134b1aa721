/* The fast kernels of the rows pass against their plain twin: any weights, any places, at a guard page. */
#include "image_golden.h"
#include "image_resize.h"
#include "priv/image_rows.h"

#define OUTPUTS 7
#define TAPS    29

/* xorshift64: the same numbers everywhere. Source: G. Marsaglia, 2003. */
static uint64_t next_random(void)
{
    static uint64_t state = UINT64_C(0x9e3779b97f4a7c15);
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return state;
}

/* Weights of any size, or as a resize has them; places anywhere in a row, the last one at its end. */
static void random_taps(uint32_t width, bool wild, image_taps *taps)
{
    static uint32_t first[OUTPUTS], count[OUTPUTS];
    static int32_t weight[OUTPUTS * TAPS];
    *taps = (image_taps){first, count, weight, TAPS, OUTPUTS, NULL, NULL, 0};
    for (uint32_t i = 0; i < OUTPUTS; i++) {
        uint32_t most = width < TAPS ? width : TAPS;
        count[i] = i == 0 ? 0 : 1 + (uint32_t)(next_random() % most);
        first[i] = i + 1 == OUTPUTS ? width - count[i] : (uint32_t)(next_random() % (width - count[i] + 1));
    }
    for (size_t i = 0; i < OUTPUTS * TAPS; i++) {
        int32_t any = (int32_t)(uint32_t)next_random();
        weight[i] = wild ? any : any / 4096;
    }
}

static void assert_kernel_equals_twin(image_rows_fn *kernel, uint32_t width, bool wild)
{
    image_taps taps;
    size_t stride = (size_t)width * 3, out_stride = OUTPUTS * 3 + 1;
    uint8_t got[IMAGE_ROWS_AT_ONCE * (OUTPUTS * 3 + 1)], expected[OUTPUTS * 3];
    random_taps(width, wild, &taps);
    assert_int_equal(image_taps_split(&taps, NULL), CISTERN_OK);
    size_t n = IMAGE_ROWS_AT_ONCE * stride + IMAGE_ROWS_BEYOND;
    guard_page in = guard_page_make(n);
    for (size_t i = 0; i < n; i++) {
        in.data[i] = (uint8_t)next_random();
    }
    memset(got, 0xa5, sizeof got);
    kernel(in.data, stride, &taps, got, out_stride);
    for (size_t r = 0; r < IMAGE_ROWS_AT_ONCE; r++) {
        guard_page row = guard_page_of(in.data + r * stride, stride);
        image_rows_u8_1x1__ref(row.data, &taps, expected);
        assert_memory_equal(got + r * out_stride, expected, sizeof expected);
        assert_int_equal(got[r * out_stride + OUTPUTS * 3], 0xa5);
        guard_page_free(&row);
    }
    guard_page_free(&in);
    free(taps.low);
    free(taps.high);
}

static void fast_kernels_equal_their_twin(void **state)
{
    (void)state;
    image_rows_fn *kernel = image_rows_kernel();
    if (kernel == NULL) {
        skip();
    }
    for (uint32_t width = 1; width < 120; width++) {
        for (int round = 0; round < 8; round++) {
            assert_kernel_equals_twin(kernel, width, round % 2 != 0);
        }
    }
}

static void a_split_weight_is_the_whole_one(void **state)
{
    (void)state;
    static const int32_t weights[] = {0,     1,     -1,     32767,   32768,    -32768,  -32769,    65535,
                                      65536, 98304, -98304, 4194304, -4194304, 8388607, INT32_MAX, INT32_MIN};
    uint32_t first = 0, count = 16;
    image_taps taps = {&first, &count, (int32_t *)(uintptr_t)weights, 16, 1, NULL, NULL, 0};
    assert_int_equal(image_taps_split(&taps, NULL), CISTERN_OK);
    for (size_t t = 0; t < 16; t++) {
        uint32_t whole = (uint32_t)taps.high[t] * 65536u + (uint32_t)taps.low[t];
        assert_int_equal((int32_t)whole, weights[t]); /* modulo 2^32, which is what sums are kept in */
    }
    free(taps.low);
    free(taps.high);
}

/* Sizes around a kernel's rows and the bytes behind them, each source ending at a guard page. */
static void small_pictures_are_resized_within_their_bytes(void **state)
{
    (void)state;
    for (uint32_t width = 1; width < 12; width++) {
        for (uint32_t height = 1; height < 12; height++) {
            guard_page source = guard_page_make((size_t)width * height * 3);
            memset(source.data, 77, (size_t)width * height * 3);
            image in = {source.data, width, height}, out = IMAGE_INIT;
            assert_int_equal(image_resize(&in, 5, 13, MODEL_BILINEAR, &out, NULL), CISTERN_OK);
            for (size_t i = 0; i < 5 * 13 * 3; i++) {
                assert_int_equal(out.rgb[i], 77);
            }
            image_clear(&out);
            guard_page_free(&source);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fast_kernels_equal_their_twin),
        cmocka_unit_test(a_split_weight_is_the_whole_one),
        cmocka_unit_test(small_pictures_are_resized_within_their_bytes),
    };
    return cmocka_run_group_tests_name("image_rows", tests, NULL, NULL);
}
