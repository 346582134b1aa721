/* Small constants as numbers: see priv/formats_constant.h. */
#include "priv/formats_constant.h"

/* Of a tensor that was decoded its elements lie row by row, or are one that stands for all. */
static bool decoded_element(const formats_output *o, const model_tensor *t, uint64_t count, uint8_t *bytes)
{
    size_t each = model_dtype_bytes(t->dtype);
    bool one = true;

    for (uint32_t d = 0; d < t->rank; d++)
        one = one && t->stride[d] == 0;
    return formats_decoded_peek(o->decoded, t->offset, bytes, one && t->rank ? each : (size_t)count * each);
}

/* Element number i, row by row, in elements from the first. */
static uint64_t place_of(const model_tensor *t, uint64_t i)
{
    uint64_t at = 0;

    for (uint32_t d = t->rank; d-- > 0;) {
        at += i % t->shape[d] * t->stride[d];
        i /= t->shape[d];
    }
    return at;
}

size_t formats_constant_read(const formats_output *o, const model_tensor *t, double *out, size_t max)
{
    uint8_t decoded[FORMATS_CONSTANT_MAX * sizeof(double)];
    const uint8_t *bytes = decoded;
    uint64_t count;

    if (!model_tensor_count(t, &count) || count == 0 || count > max || count > FORMATS_CONSTANT_MAX)
        return 0;
    if (t->file < o->file_count)
        bytes = o->files[t->file].data + t->offset; /* the index has checked its extent */
    else if (!decoded_element(o, t, count, decoded))
        return 0;
    for (uint64_t i = 0; i < count; i++)
        out[i] = model_dtype_get(t->dtype, bytes + place_of(t, i) * model_dtype_bytes(t->dtype));
    return (size_t)count;
}
