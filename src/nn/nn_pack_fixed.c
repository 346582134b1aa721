/* Packing as fixed point: equal sizes, then digits pair by pair; see priv/nn_pack_fixed.h. */
#include "priv/nn_pack_fixed.h"

#include <math.h>

#include "priv/nn_pack_raw.h"

#define SAMPLES       2  /* blocks of 16 outputs that tell the channels' sizes */
#define EXPONENT_MOST 20 /* what is 2^20 times smaller than others is lost in 24 bits anyway */

static size_t padded(size_t channels)
{
    return nn_rows_chunks(channels) * NN_ROWS_CHANNELS;
}

/* Weights of 16 outputs; behind them two 64-bit numbers of each channel, or one of 32 bits. */
size_t nn_pack_fixed_scratch(const nn_net_conv *conv)
{
    return conv->inputs * 9 * NN_BLOCK + 4 * padded(conv->inputs);
}

/* The sum of squares of one channel, always in the same order. */
static double squares_of(const float *raw)
{
    double sum[NN_BLOCK] = {0}, all = 0;
    for (size_t tap = 0; tap < 9; tap++, raw += NN_BLOCK) {
        for (size_t k = 0; k < NN_BLOCK; k++) {
            sum[k] += (double)raw[k] * (double)raw[k];
        }
    }
    for (size_t k = 0; k < NN_BLOCK; k++) {
        all += sum[k];
    }
    return all;
}

/* One sample of 16 outputs: add each channel's. */
static void look_at(const nn_net_conv *conv, size_t sample, float *raw, double *squares)
{
    size_t outputs[NN_BLOCK];
    for (size_t k = 0; k < NN_BLOCK; k++) {
        outputs[k] = (sample * NN_BLOCK + k) * conv->outputs / (SAMPLES * NN_BLOCK);
    }
    nn_pack_raw_weights(conv, outputs, raw);
    for (size_t c = 0; c < conv->inputs; c++) {
        squares[c] += squares_of(raw + c * 9 * NN_BLOCK);
    }
}

static bool has_size(double squares)
{
    return squares > 0 && isfinite(squares);
}

/* Shell's sort: small, and allocates nothing. */
static void sort(double *x, size_t n)
{
    for (size_t gap = n / 2; gap > 0; gap /= 2) {
        for (size_t i = gap; i < n; i++) {
            double value = x[i];
            size_t at = i;
            for (; at >= gap && x[at - gap] > value; at -= gap) {
                x[at] = x[at - gap];
            }
            x[at] = value;
        }
    }
}

/* The middle one of those that have a size; 1 where none has. */
static double median(const double *squares, size_t n, double *sorted)
{
    size_t some = 0;
    for (size_t c = 0; c < n; c++) {
        if (has_size(squares[c])) {
            sorted[some++] = squares[c];
        }
    }
    sort(sorted, some);
    return some ? sorted[some / 2] : 1;
}

/* The rounded binary logarithm of sqrt(ratio). */
static int exponent_of(double ratio)
{
    int exponent;
    double rest = frexp(sqrt(ratio), &exponent);
    exponent -= rest < sqrt(0.5);
    return exponent < -EXPONENT_MOST ? -EXPONENT_MOST : exponent > EXPONENT_MOST ? EXPONENT_MOST : exponent;
}

void nn_pack_fixed_equal(const nn_net_conv *conv, float *scratch, float *equal)
{
    double *squares = (double *)(void *)(scratch + conv->inputs * 9 * NN_BLOCK);
    memset(squares, 0, conv->inputs * sizeof(*squares));
    for (size_t sample = 0; sample < SAMPLES; sample++) {
        look_at(conv, sample, scratch, squares);
    }
    double middle = median(squares, conv->inputs, squares + conv->inputs);
    for (size_t c = 0; c < padded(conv->inputs); c++) {
        bool some = c < conv->inputs && has_size(squares[c]);
        equal[c] = some ? ldexpf(1, exponent_of(squares[c] / middle)) : 1;
    }
}

/* The half of a pair that does not exist. */
static void clear_second(const nn_net_conv *conv, int8_t *u)
{
    for (size_t i = 0; i < nn_rows_chunks(conv->inputs) * NN_ROWS_U_CHUNK; i += NN_ROWS_U_DY) {
        memset(u + i + NN_ROWS_U_HALF, 0, NN_ROWS_U_HALF);
    }
}

void nn_pack_fixed_pair(const nn_net_conv *conv, nn_rows_weights_fn weights, size_t pair, const float *equal,
                        float *scratch, int8_t *u, float *scale)
{
    float *inverse = scratch + conv->inputs * 9 * NN_BLOCK;
    for (size_t c = 0; c < conv->inputs; c++) {
        inverse[c] = 1 / equal[c]; /* exact: a power of two */
    }
    for (size_t half = 0; half < 2; half++) {
        size_t block = 2 * pair + half;
        if (block * NN_BLOCK >= conv->outputs) {
            clear_second(conv, u);
            break;
        }
        nn_pack_raw_block(conv, block, scratch);
        weights(scratch, conv->inputs, inverse, u + half * NN_ROWS_U_HALF,
                scale + block * NN_ROWS_POSITIONS * NN_BLOCK);
    }
}
