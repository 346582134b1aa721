/* Batch norm and bias as one scale and one shift for each output channel; see priv/nn_fold.h. */
#include "priv/nn_fold.h"

#include <math.h>

static double element(const nn_tensor *t, size_t i)
{
    double value;
    nn_read_row(t->at.dtype, t->data + i * t->at.stride[0] * model_dtype_bytes(t->at.dtype), 1, 1, &value);
    return value;
}

nn_fold nn_fold_of(const nn_net_conv *conv, size_t output)
{
    nn_fold fold = {0, 0};
    if (output >= conv->outputs) {
        return fold;
    }
    fold.scale = 1;
    fold.bias = conv->bias.data ? element(&conv->bias, output) : 0;
    if (conv->var.data) {
        fold.scale = 1 / sqrt(element(&conv->var, output) + conv->epsilon);
        fold.scale *= conv->gamma.data ? element(&conv->gamma, output) : 1;
        fold.bias = (fold.bias - element(&conv->mean, output)) * fold.scale;
        fold.bias += conv->beta.data ? element(&conv->beta, output) : 0;
    }
    return fold;
}

void nn_fold_taps(const nn_net_conv *conv, const nn_fold *fold, size_t output, size_t input, size_t inputs,
                  double *out)
{
    const model_tensor *t = &conv->weight.at;
    if (output >= conv->outputs) {
        memset(out, 0, inputs * 9 * sizeof(*out));
        return;
    }
    size_t bytes = model_dtype_bytes(t->dtype);
    const uint8_t *first = conv->weight.data + (output * t->stride[0] + input * t->stride[1]) * bytes;
    bool side_by_side = t->stride[3] == 1 && t->stride[2] == 3 && t->stride[1] == 9;
    if (side_by_side) {
        nn_read_row(t->dtype, first, 1, inputs * 9, out);
    }
    for (size_t c = 0; !side_by_side && c < inputs; c++) {
        for (size_t y = 0; y < 3; y++) {
            const uint8_t *row = first + (c * t->stride[1] + y * t->stride[2]) * bytes;
            nn_read_row(t->dtype, row, t->stride[3], 3, out + c * 9 + y * 3);
        }
    }
    for (size_t i = 0; i < inputs * 9; i++) {
        out[i] *= fold->scale;
    }
}
