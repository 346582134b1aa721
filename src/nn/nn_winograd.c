/* Portable C: 16 outputs x two tiles at a time. */
#define NN_LANES 4
#include "priv/nn_winograd_body.h"

NN_WINOGRAD_TRANSFORMS(portable)

#define TILES 2

#define PARTS (NN_BLOCK / NN_LANES)

/* N is a constant at every call. */
ALWAYS void multiply(const float *u, const float *v, size_t v_block, size_t channels, float *m, int add,
                     const size_t N)
{
    vec sum[TILES][PARTS];
    for (size_t i = 0; i < N * PARTS; i++) {
        sum[i / PARTS][i % PARTS] = (vec){0};
    }
    for (size_t c = 0; c < channels; c++) {
        const float *at = v + c / NN_BLOCK * v_block + c % NN_BLOCK;
#pragma GCC unroll 8
        for (size_t i = 0; i < N * PARTS; i++) {
            sum[i / PARTS][i % PARTS] +=
                at[i / PARTS * NN_BLOCK] * load(u + c * NN_PAIR + i % PARTS * NN_LANES);
        }
    }
    for (size_t i = 0; i < N * PARTS; i++) {
        float *to = m + i / PARTS * NN_PAIR + i % PARTS * NN_LANES;
        vec before = add ? load(to) : (vec){0};
        store(to, sum[i / PARTS][i % PARTS] + before);
    }
}

void nn_winograd_multiply_f32_32__portable(const float *u, const float *v, size_t v_block, size_t channels,
                                           size_t tiles, float *m, int add, const nn_ahead *ahead)
{
    (void)ahead;
    for (size_t half = 0; half < NN_PAIR; half += NN_BLOCK) {
        size_t t = 0;
        for (; t + TILES <= tiles; t += TILES) {
            multiply(u + half, v + t * NN_BLOCK, v_block, channels, m + t * NN_PAIR + half, add, TILES);
        }
        if (t < tiles) {
            multiply(u + half, v + t * NN_BLOCK, v_block, channels, m + t * NN_PAIR + half, add, 1);
        }
    }
}
