/* Weight files as they are written: bytes to a sink, which may fail; what may not be written. */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "cistern_test.h"
#include "formats_read.h"
#include "formats_write.h"
#include "weight_forge.h"

typedef struct collected {
    forge bytes;
    size_t left; /* bytes that the sink takes */
} collected;

static cistern_status collect(void *user, const void *bytes, size_t n, cistern_error *err)
{
    collected *c = user;
    (void)err;
    if (n > c->left)
        return CISTERN_NO_SPACE;
    c->left -= n;
    forge_put(&c->bytes, bytes, n);
    return CISTERN_OK;
}

static formats_out tensor(const char *name, model_dtype dtype, uint64_t n, const void *data)
{
    model_tensor t = {.dtype = dtype, .rank = 1, .shape = {n}, .stride = {1}};
    formats_out o = {.name = name, .rank = 1, .shape = {n}, .dtype = dtype};
    model_values_init(&o.values, &t, data);
    return o;
}

static const float floats[3] = {1, -2, 0.5f};
static const int64_t integer = 7;

static void larger_elements_come_first_and_the_header_is_padded(void **state)
{
    (void)state;
    formats_out t[] = {tensor("a \"b\\", MODEL_F32, 3, floats), tensor("n", MODEL_I64, 1, &integer)};
    collected c = {.left = SIZE_MAX};
    const formats_sink sink = {collect, &c};
    cistern_error err = CISTERN_ERROR_INIT;
    static const char header[] = "{\"__metadata__\":{\"format\":\"pt\"},\"n\":{\"dtype\":\"I64\",\"shape\":["
                                 "1],\"data_offsets\":[0,8]},"
                                 "\"a \\\"b\\\\\":{\"dtype\":\"F32\",\"shape\":[3],\"data_offsets\":[8,20]}}";
    uint64_t size;
    assert_ok(formats_write_safetensors(t, 2, &sink, NULL, &err), &err);
    memcpy(&size, c.bytes.data, sizeof size);
    assert_int_equal(size % 8, 0);
    assert_int_equal(size, (sizeof header - 1 + 7) / 8 * 8);
    assert_memory_equal(c.bytes.data + 8, header, sizeof header - 1);
    assert_int_equal(c.bytes.len, 8 + size + 20);
    assert_memory_equal(c.bytes.data + 8 + size, &integer, 8);
    assert_memory_equal(c.bytes.data + 16 + size, floats, 12);
    forge_free(&c.bytes);
}

static void values_are_rounded_to_another_type(void **state)
{
    (void)state;
    static const double wide[2] = {1.0 / 3, 1e300};
    formats_out t = tensor("x", MODEL_F64, 2, wide);
    collected c = {.left = SIZE_MAX};
    const formats_sink sink = {collect, &c};
    cistern_error err = CISTERN_ERROR_INIT;
    float back[2];
    t.dtype = MODEL_F32;
    t.add = 1;
    assert_ok(formats_write_safetensors(&t, 1, &sink, NULL, &err), &err);
    memcpy(back, c.bytes.data + c.bytes.len - sizeof back, sizeof back);
    assert_true(fabs((double)back[0] - 4.0 / 3) < 1e-7);
    assert_true(isinf(back[1]));
    forge_free(&c.bytes);
}

static void every_failure_of_the_sink_is_passed_on(void **state)
{
    (void)state;
    formats_out t[] = {tensor("a", MODEL_F32, 3, floats), tensor("n", MODEL_I64, 1, &integer)};
    for (size_t room = 0; room < 100; room += 9) {
        collected c = {.left = room};
        const formats_sink sink = {collect, &c};
        assert_int_equal(formats_write_safetensors(t, 2, &sink, NULL, NULL), CISTERN_NO_SPACE);
        assert_true(c.bytes.len <= room);
        forge_free(&c.bytes);
    }
}

static void the_name_of_the_metadata_is_refused(void **state)
{
    (void)state;
    formats_out t = tensor("__metadata__", MODEL_F32, 3, floats);
    collected c = {.left = SIZE_MAX};
    const formats_sink sink = {collect, &c};
    cistern_error err = CISTERN_ERROR_INIT;
    assert_int_equal(formats_write_safetensors(&t, 1, &sink, NULL, &err), CISTERN_UNREADABLE);
    assert_non_null(strstr(err.text, "__metadata__"));
    assert_int_equal(c.bytes.len, 0);
}

static void what_is_too_large_for_one_onnx_file_is_refused_before_a_byte(void **state)
{
    (void)state;
    static const float one = 1;
    model_tensor huge = {.dtype = MODEL_F32, .rank = 2, .shape = {1 << 15, 1 << 14}, .stride = {0, 0}};
    formats_out t = {.name = "features.0.weight", .rank = 2, .shape = {1 << 15, 1 << 14}, .dtype = MODEL_F32};
    collected c = {.left = SIZE_MAX};
    const formats_sink sink = {collect, &c};
    cistern_error err = CISTERN_ERROR_INIT;
    model_values_init(&t.values, &huge, (const uint8_t *)&one);
    formats_onnx_out o = {.vgg = model_vgg_find("vgg11"),
                          .tensors = &t,
                          .count = 1,
                          .height = 224,
                          .width = 224,
                          .producer_version = "0"};
    assert_int_equal(formats_write_onnx(&o, &sink, NULL, NULL, &err), CISTERN_USAGE);
    assert_non_null(strstr(err.text, "2147483648 bytes"));
    o.height = 31;
    assert_int_equal(formats_write_onnx(&o, &sink, NULL, NULL, &err), CISTERN_USAGE);
    assert_non_null(strstr(err.text, "31x224"));
    assert_int_equal(c.bytes.len, 0);
}

/* Weights of exactly so many bytes, to a sink that takes none: asked for, it was not too much. */
static void an_onnx_file_as_large_as_allowed_and_one_number_more(void **state)
{
    (void)state;
    static const float one = 1;
    model_tensor huge = {.dtype = MODEL_F32, .rank = 2, .shape = {20000, 25000}, .stride = {0, 0}};
    formats_out t[] = {{.name = "features.0.weight", .rank = 2, .shape = {20000, 25000}, .dtype = MODEL_F32},
                       tensor("features.0.bias", MODEL_F32, 1, &one)};
    collected c = {.left = 0};
    const formats_sink sink = {collect, &c};
    cistern_error err = CISTERN_ERROR_INIT;
    model_values_init(&t[0].values, &huge, (const uint8_t *)&one);
    formats_onnx_out o = {.vgg = model_vgg_find("vgg11"),
                          .tensors = t,
                          .count = 1,
                          .height = 224,
                          .width = 224,
                          .producer_version = "0"};
    assert_int_equal(huge.shape[0] * huge.shape[1] * sizeof(float), FORMATS_ONNX_INSIDE_MAX);
    assert_int_equal(formats_write_onnx(&o, &sink, NULL, NULL, &err), CISTERN_NO_SPACE);
    o.count = 2;
    assert_int_equal(formats_write_onnx(&o, &sink, NULL, NULL, &err), CISTERN_USAGE);
    assert_non_null(strstr(err.text, "2000000004 bytes of weights, 2000000000 fit into one ONNX file"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(larger_elements_come_first_and_the_header_is_padded),
        cmocka_unit_test(values_are_rounded_to_another_type),
        cmocka_unit_test(every_failure_of_the_sink_is_passed_on),
        cmocka_unit_test(the_name_of_the_metadata_is_refused),
        cmocka_unit_test(what_is_too_large_for_one_onnx_file_is_refused_before_a_byte),
        cmocka_unit_test(an_onnx_file_as_large_as_allowed_and_one_number_more),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
