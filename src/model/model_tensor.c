/* Arithmetic over a tensor's description. Every product is checked: the numbers come out of files. */
#include "model_tensor.h"

#include <stdio.h>
#include <string.h>
#include "base_mem.h"

size_t model_dtype_bytes(model_dtype dtype)
{
    switch (dtype) {
#define MODEL_DTYPE_CASE(name, value, bytes, text)                                                           \
    case MODEL_##name:                                                                                       \
        return bytes;
        MODEL_DTYPE_MAP(MODEL_DTYPE_CASE)
#undef MODEL_DTYPE_CASE
    }
    return 0;
}

const char *model_dtype_text(model_dtype dtype)
{
    switch (dtype) {
#define MODEL_DTYPE_CASE(name, value, bytes, text)                                                           \
    case MODEL_##name:                                                                                       \
        return text;
        MODEL_DTYPE_MAP(MODEL_DTYPE_CASE)
#undef MODEL_DTYPE_CASE
    }
    return "?";
}

bool model_dtype_parse(const char *text, model_dtype *out)
{
#define MODEL_DTYPE_TRY(name, value, bytes, dtype_text)                                                      \
    if (strcmp(text, dtype_text) == 0) {                                                                     \
        *out = MODEL_##name;                                                                                 \
        return true;                                                                                         \
    }
    MODEL_DTYPE_MAP(MODEL_DTYPE_TRY)
#undef MODEL_DTYPE_TRY
    return false;
}

/* IEEE 754 binary16 to binary64: subnormals are scaled, infinities and NaN kept. */
static double half_to_double(uint16_t h)
{
    uint64_t sign = (uint64_t)(h >> 15) << 63;
    uint64_t exponent = (h >> 10) & 0x1f;
    uint64_t fraction = h & 0x3ff;
    uint64_t bits;
    double value;
    if (exponent == 0) {
        value = (double)fraction * 0x1p-24;
        return sign ? -value : value;
    }
    bits = exponent == 31 ? 0x7ffull << 52 : (exponent + 1023 - 15) << 52;
    bits |= sign | fraction << 42;
    memcpy(&value, &bits, sizeof value);
    return value;
}

static double bfloat_to_double(uint16_t b)
{
    uint32_t bits = (uint32_t)b << 16;
    float value;
    memcpy(&value, &bits, sizeof value);
    return (double)value;
}

double model_dtype_get(model_dtype dtype, const void *p)
{
    union {
        float f32;
        double f64;
        uint16_t u16;
        int64_t i64;
        int32_t i32;
        int16_t i16;
        int8_t i8;
        uint8_t u8;
    } v = {0};
    memcpy(&v, p, model_dtype_bytes(dtype));
    switch (dtype) {
    case MODEL_F32:
        return (double)v.f32;
    case MODEL_F64:
        return v.f64;
    case MODEL_F16:
        return half_to_double(v.u16);
    case MODEL_BF16:
        return bfloat_to_double(v.u16);
    case MODEL_I64:
        return (double)v.i64;
    case MODEL_I32:
        return (double)v.i32;
    case MODEL_I16:
        return (double)v.i16;
    case MODEL_I8:
        return (double)v.i8;
    case MODEL_U8:
        return (double)v.u8;
    case MODEL_BOOL:
        return v.u8 ? 1.0 : 0.0;
    }
    return 0.0;
}

bool model_tensor_count(const model_tensor *t, uint64_t *out)
{
    uint64_t count = 1;
    for (uint32_t d = 0; d < t->rank; d++) {
        if (!base_mul_u64(count, t->shape[d], &count))
            return false;
    }
    *out = count;
    return true;
}

bool model_tensor_extent(const model_tensor *t, uint64_t *out)
{
    uint64_t last = 0; /* elements from the first to the last one */
    for (uint32_t d = 0; d < t->rank; d++) {
        uint64_t step;
        if (t->shape[d] == 0) {
            *out = 0;
            return true;
        }
        if (!base_mul_u64(t->shape[d] - 1, t->stride[d], &step) || !base_add_u64(last, step, &last))
            return false;
    }
    return base_add_u64(last, 1, &last) && base_mul_u64(last, model_dtype_bytes(t->dtype), out);
}

bool model_tensor_plain(const model_tensor *t)
{
    uint64_t expected = 1;
    for (uint32_t d = t->rank; d-- > 0;) {
        if (t->shape[d] != 1 && t->stride[d] != expected)
            return false;
        if (!base_mul_u64(expected, t->shape[d], &expected))
            return false;
    }
    return true;
}

void model_tensor_shape_text(const model_tensor *t, char *out, size_t size)
{
    size_t used = 0;
    if (size == 0)
        return;
    out[0] = 0;
    for (uint32_t d = 0; d < t->rank && used < size; d++) {
        int n =
            snprintf(out + used, size - used, "%s%llu", d == 0 ? "[" : ", ", (unsigned long long)t->shape[d]);
        used += n > 0 ? (size_t)n : 0;
    }
    if (used < size)
        snprintf(out + used, size - used, t->rank == 0 ? "[]" : "]");
}
