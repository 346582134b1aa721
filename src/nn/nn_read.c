/* Tensor elements of any dtype, alignment and stride, as numbers; see priv/nn_read.h. */
#include "priv/nn_read.h"

#include <string.h>

bool nn_dtype_is_floating(model_dtype dtype)
{
    return dtype == MODEL_F32 || dtype == MODEL_F64 || dtype == MODEL_F16 || dtype == MODEL_BF16;
}

float nn_f32_from_bf16(uint16_t bits)
{
    uint32_t wide = (uint32_t)bits << 16;
    float out;
    memcpy(&out, &wide, sizeof(out));
    return out;
}

/* IEEE 754 binary16. A subnormal is its 10-bit mantissa times 2^-24, exactly. */
float nn_f32_from_f16(uint16_t bits)
{
    uint32_t sign = (uint32_t)(bits & 0x8000) << 16;
    uint32_t exponent = (bits >> 10) & 0x1f, mantissa = bits & 0x3ff, wide;
    float out;
    if (exponent == 0) {
        out = (float)mantissa * 0x1p-24f;
        return sign ? -out : out;
    }
    wide = exponent == 31 ? 0x7f800000u | mantissa << 13 : (exponent + 112) << 23 | mantissa << 13;
    wide |= sign;
    memcpy(&out, &wide, sizeof(out));
    return out;
}

/* One element type: the bytes are copied out because payloads may be misaligned. */
#define READ_AS(type, convert)                                                                               \
    for (size_t i = 0; i < n; i++) {                                                                         \
        type value;                                                                                          \
        memcpy(&value, first + i * stride * sizeof(type), sizeof(type));                                     \
        out[i] = convert(value);                                                                             \
    }

void nn_read_row(model_dtype dtype, const uint8_t *first, uint64_t stride, size_t n, double *out)
{
    switch (dtype) {
    case MODEL_F32:
        READ_AS(float, (double))
        break;
    case MODEL_F64:
        READ_AS(double, (double))
        break;
    case MODEL_F16:
        READ_AS(uint16_t, nn_f32_from_f16)
        break;
    case MODEL_BF16:
        READ_AS(uint16_t, nn_f32_from_bf16)
        break;
    case MODEL_I64:
    case MODEL_I32:
    case MODEL_I16:
    case MODEL_I8:
    case MODEL_U8:
    case MODEL_BOOL:
        break; /* refused when the net was made */
    }
}

const uint8_t *nn_inner_place(const nn_tensor *t, size_t row, size_t i)
{
    const model_tensor *at = &t->at;
    uint64_t place = row * at->stride[0];
    for (uint32_t d = at->rank; d-- > 1;) {
        place += i % at->shape[d] * at->stride[d];
        i /= at->shape[d];
    }
    return t->data + place * model_dtype_bytes(at->dtype);
}

void nn_read_inner(const nn_tensor *t, size_t row, size_t from, size_t n, double *out)
{
    const model_tensor *at = &t->at;
    size_t run = (size_t)at->shape[at->rank - 1];
    while (n > 0) {
        size_t inner = from % run, here = run - inner < n ? run - inner : n;
        nn_read_row(at->dtype, nn_inner_place(t, row, from), at->stride[at->rank - 1], here, out);
        out += here;
        from += here;
        n -= here;
    }
}

void nn_read_vector(const nn_tensor *t, double *out)
{
    nn_read_row(t->at.dtype, t->data, t->at.stride[0], (size_t)t->at.shape[0], out);
}
