/* Weights with batch norm folded in, 16 outputs side by side; see priv/nn_pack_raw.h. What is multiplied is so in 64-bit
 * floating point, and rounded once. */
#include "priv/nn_pack_raw.h"

#include "priv/nn_fold.h"

/* Four numbers of a mapped file, at any address; four of ours. */
typedef float four_anywhere __attribute__((vector_size(16), aligned(1), may_alias));
typedef float four __attribute__((vector_size(16), may_alias));

/* Whether the weights of these outputs are rows of 32-bit numbers. */
static bool is_in_rows(const nn_net_conv *conv, const size_t outputs[NN_BLOCK])
{
    const model_tensor *t = &conv->weight.at;
    bool rows = t->dtype == MODEL_F32 && t->stride[3] == 1 && t->stride[2] == 3 && t->stride[1] == 9;
    for (size_t k = 0; k < NN_BLOCK; k++) {
        rows = rows && outputs[k] < conv->outputs;
    }
    return rows;
}

/* Whether they lie side by side already and can be copied as they are. */
static bool is_side_by_side(const nn_net_conv *conv, const size_t outputs[NN_BLOCK])
{
    const model_tensor *t = &conv->weight.at;
    bool side_by_side = t->dtype == MODEL_F32 && !conv->var.data && t->stride[0] == 1;
    for (size_t k = 0; k < NN_BLOCK; k++) {
        side_by_side = side_by_side && outputs[k] == outputs[0] + k && outputs[k] < conv->outputs;
    }
    return side_by_side;
}

/* Four elements of four rows, which become the columns. */
static inline void transpose_four(const uint8_t *const row[4], size_t at, float *out)
{
    four r[4];
    for (size_t k = 0; k < 4; k++) {
        r[k] = *(const four_anywhere *)(row[k] + at * sizeof(float));
    }
    four low_01 = {r[0][0], r[1][0], r[0][1], r[1][1]}, high_01 = {r[0][2], r[1][2], r[0][3], r[1][3]};
    four low_23 = {r[2][0], r[3][0], r[2][1], r[3][1]}, high_23 = {r[2][2], r[3][2], r[2][3], r[3][3]};
    *(four *)out = (four){low_01[0], low_01[1], low_23[0], low_23[1]};
    *(four *)(out + NN_BLOCK) = (four){low_01[2], low_01[3], low_23[2], low_23[3]};
    *(four *)(out + 2 * NN_BLOCK) = (four){high_01[0], high_01[1], high_23[0], high_23[1]};
    *(four *)(out + 3 * NN_BLOCK) = (four){high_01[2], high_01[3], high_23[2], high_23[3]};
}

/* n weights of 16 outputs, multiplied in 64 bits and rounded once. */
static inline void multiply(float *w, size_t n, const double *scale)
{
    for (size_t i = 0; i < n; i++, w += NN_BLOCK) {
        for (size_t k = 0; k < NN_BLOCK; k++) {
            w[k] = (float)((double)w[k] * scale[k]);
        }
    }
}

/* @param scale  of each output; NULL: 1. */
static void transpose(const nn_net_conv *conv, const size_t outputs[NN_BLOCK], const double *scale,
                      float *out)
{
    const uint8_t *row[NN_BLOCK];
    size_t n = conv->inputs * 9, i = 0;
    for (size_t k = 0; k < NN_BLOCK; k++) {
        row[k] = conv->weight.data + outputs[k] * conv->weight.at.stride[0] * sizeof(float);
    }
    for (; i + 4 <= n; i += 4) {
        for (size_t k = 0; k < NN_BLOCK; k += 4) {
            transpose_four(row + k, i, out + i * NN_BLOCK + k);
        }
        if (scale) {
            multiply(out + i * NN_BLOCK, 4, scale);
        }
    }
    for (; i < n; i++) {
        for (size_t k = 0; k < NN_BLOCK; k++) {
            memcpy(out + i * NN_BLOCK + k, row[k] + i * sizeof(float), sizeof(float));
        }
        if (scale) {
            multiply(out + i * NN_BLOCK, 1, scale);
        }
    }
}

static void fold_rows(const nn_net_conv *conv, const size_t outputs[NN_BLOCK], float *out)
{
    double scale[NN_BLOCK];
    for (size_t k = 0; k < NN_BLOCK; k++) {
        scale[k] = nn_fold_of(conv, outputs[k]).scale;
    }
    transpose(conv, outputs, conv->var.data ? scale : NULL, out);
}

static void copy_side_by_side(const nn_net_conv *conv, size_t output, float *out)
{
    for (size_t i = 0; i < conv->inputs * 9; i++) {
        memcpy(out + i * NN_BLOCK, nn_inner_place(&conv->weight, output, i), NN_BLOCK * sizeof(float));
    }
}

static void fold(const nn_net_conv *conv, const size_t outputs[NN_BLOCK], float *out)
{
    nn_fold its[NN_BLOCK];
    double taps[NN_BLOCK][NN_FOLD_INPUTS * 9];
    for (size_t k = 0; k < NN_BLOCK; k++) {
        its[k] = nn_fold_of(conv, outputs[k]);
    }
    for (size_t c = 0; c < conv->inputs; c += NN_FOLD_INPUTS) {
        size_t here = conv->inputs - c < NN_FOLD_INPUTS ? conv->inputs - c : NN_FOLD_INPUTS;
        for (size_t k = 0; k < NN_BLOCK; k++) {
            nn_fold_taps(conv, &its[k], outputs[k], c, here, taps[k]);
        }
        for (size_t tap = 0; tap < here * 9; tap++, out += NN_BLOCK) {
            for (size_t k = 0; k < NN_BLOCK; k++) {
                out[k] = (float)taps[k][tap];
            }
        }
    }
}

void nn_pack_raw_weights(const nn_net_conv *conv, const size_t outputs[NN_BLOCK], float *out)
{
    if (is_in_rows(conv, outputs)) {
        fold_rows(conv, outputs, out);
    } else if (is_side_by_side(conv, outputs)) {
        copy_side_by_side(conv, outputs[0], out);
    } else {
        fold(conv, outputs, out);
    }
}

void nn_pack_raw_block(const nn_net_conv *conv, size_t block, float *out)
{
    size_t outputs[NN_BLOCK];
    for (size_t k = 0; k < NN_BLOCK; k++) {
        outputs[k] = block * NN_BLOCK + k;
    }
    nn_pack_raw_weights(conv, outputs, out);
}

void nn_pack_raw_bias(const nn_net_conv *conv, size_t block, float *out)
{
    for (size_t k = 0; k < NN_BLOCK; k++) {
        out[k] = (float)nn_fold_of(conv, block * NN_BLOCK + k).bias;
    }
}
