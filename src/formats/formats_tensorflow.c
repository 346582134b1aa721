/* TensorFlow's DataType and TensorShapeProto.
 * Source: tensorflow/core/framework/types.proto, tensor_shape.proto. */
#include "priv/formats_tensorflow.h"

bool formats_tensorflow_dtype(uint64_t type, model_dtype *out)
{
    static const struct {
        uint32_t type;
        model_dtype dtype;
    } types[] = {{1, MODEL_F32}, {2, MODEL_F64}, {3, MODEL_I32},   {4, MODEL_U8},    {5, MODEL_I16},
                 {6, MODEL_I8},  {9, MODEL_I64}, {10, MODEL_BOOL}, {14, MODEL_BF16}, {19, MODEL_F16}};

    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
        if (types[i].type == type) {
            *out = types[i].dtype;
            return true;
        }
    }
    return false;
}

/* One dimension: its size. Absent: 0. */
static cistern_status read_dim(const formats_protobuf *outer, const formats_field *field, model_tensor *t)
{
    formats_protobuf p;
    formats_field f;
    uint64_t size = 0;
    bool more = true;
    cistern_status st = formats_protobuf_enter(outer, field, &p);

    while (!st && !(st = formats_protobuf_next(&p, &f, &more)) && more) {
        if (f.number == 1)
            st = formats_protobuf_number(&p, &f, &size);
    }
    if (st)
        return st;
    if (t->rank == MODEL_RANK_MAX)
        return base_fail_at(outer->err, CISTERN_UNREADABLE, field->at, "a shape of more than %d dimensions",
                            MODEL_RANK_MAX);
    t->shape[t->rank++] = size;
    return CISTERN_OK;
}

cistern_status formats_tensorflow_shape(const formats_protobuf *message, model_tensor *t)
{
    formats_protobuf p = *message;
    formats_field f;
    bool more = true;
    cistern_status st = CISTERN_OK;

    while (!st && !(st = formats_protobuf_next(&p, &f, &more)) && more) {
        if (f.number == 2)
            st = read_dim(&p, &f, t);
        else if (f.number == 3 && f.value)
            return base_fail_at(p.err, CISTERN_UNREADABLE, f.at, "a tensor whose rank is not known");
    }
    return st;
}
