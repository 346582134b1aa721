/* The transforms of F(4x4, 3x3), written once over vectors of 16 floats; each instruction set's file includes them and
 * gives them its name. The compiler makes of a vector one register (AVX-512), two (AVX2) or four (SSE, NEON).
 *
 * With a = 5/8 and b = 3/2:
 *     B^T  rows: ( a2b2 0 -(a2+b2) 0 1 0 ), ( 0 -+ab2 -b2 +-a 1 0 ), ( 0 -+a2b -a2 +-b 1 0 ), ( 0 a2b2 0 -(a2+b2) 0 1 )
 *     G    rows: ( 1/(a2b2) 0 0 ), ( 1 +-a a2 ) / (2 a2 (a2-b2)), ( 1 +-b b2 ) / (2 b2 (b2-a2)), ( 0 0 1 )
 *     A^T  rows: ( 1 1 1 1 1 0 ), ( 0 a -a b -b 0 ), ( 0 a2 a2 b2 b2 0 ), ( 0 a3 -a3 b3 -b3 1 )
 */
#ifndef NN_WINOGRAD_BODY_H
#define NN_WINOGRAD_BODY_H

#include "priv/nn_conv3x3.h"
#include "priv/nn_winograd.h"

#define ALWAYS static inline __attribute__((always_inline))

typedef float vec __attribute__((vector_size(64), may_alias));
typedef int veci __attribute__((vector_size(64)));

#define A1 NN_WINOGRAD_A
#define B1 NN_WINOGRAD_B
#define A2 (A1 * A1)
#define B2 (B1 * B1)
#define A3 (A1 * A1 * A1)
#define B3 (B1 * B1 * B1)

ALWAYS vec load(const float *p)
{
    return *(const vec *)p;
}

ALWAYS void store(float *p, vec v)
{
    *(vec *)p = v;
}

/* B^T times a column. */
ALWAYS void input_column(const vec d[6], vec out[6])
{
    vec even_a = d[4] - B2 * d[2], odd_a = d[3] - B2 * d[1];
    vec even_b = d[4] - A2 * d[2], odd_b = d[3] - A2 * d[1];
    out[0] = (d[4] - (A2 + B2) * d[2]) + (A2 * B2) * d[0];
    out[1] = even_a + A1 * odd_a;
    out[2] = even_a - A1 * odd_a;
    out[3] = even_b + B1 * odd_b;
    out[4] = even_b - B1 * odd_b;
    out[5] = (d[5] - (A2 + B2) * d[3]) + (A2 * B2) * d[1];
}

/* G times a column. */
ALWAYS void weights_column(const vec g[3], vec out[6])
{
    const float scale_0 = (float)(1 / ((double)A2 * (double)B2));
    const float scale_a = (float)(1 / (2 * (double)A2 * ((double)A2 - (double)B2)));
    const float scale_b = (float)(1 / (2 * (double)B2 * ((double)B2 - (double)A2)));
    vec even_a = scale_a * g[0] + (scale_a * A2) * g[2], odd_a = (scale_a * A1) * g[1];
    vec even_b = scale_b * g[0] + (scale_b * B2) * g[2], odd_b = (scale_b * B1) * g[1];
    out[0] = scale_0 * g[0];
    out[1] = even_a + odd_a;
    out[2] = even_a - odd_a;
    out[3] = even_b + odd_b;
    out[4] = even_b - odd_b;
    out[5] = g[2];
}

/* A^T times a column. */
ALWAYS void output_column(const vec m[6], vec out[4])
{
    vec sum_a = m[1] + m[2], difference_a = m[1] - m[2];
    vec sum_b = m[3] + m[4], difference_b = m[3] - m[4];
    out[0] = m[0] + sum_a + sum_b;
    out[1] = A1 * difference_a + B1 * difference_b;
    out[2] = A2 * sum_a + B2 * sum_b;
    out[3] = A3 * difference_a + B3 * difference_b + m[5];
}

ALWAYS void winograd_weights(const float *w, size_t channels, float *u, size_t u_stride)
{
    for (size_t c = 0; c < channels; c++, w += 9 * NN_BLOCK, u += NN_PAIR) {
        vec half[6][3], row[6];
        for (size_t x = 0; x < 3; x++) {
            vec g[3] = {load(w + x * NN_BLOCK), load(w + (3 + x) * NN_BLOCK), load(w + (6 + x) * NN_BLOCK)},
                column[6];
            weights_column(g, column);
            for (size_t i = 0; i < 6; i++) {
                half[i][x] = column[i];
            }
        }
        for (size_t i = 0; i < 6; i++) {
            weights_column(half[i], row);
            for (size_t j = 0; j < 6; j++) {
                store(u + (i * 6 + j) * u_stride, row[j]);
            }
        }
    }
}

ALWAYS void winograd_input(const float *x, size_t x_row, float *v, size_t v_stride)
{
    vec half[6][6], row[6];
    for (size_t j = 0; j < 6; j++) {
        vec d[6], column[6];
        for (size_t i = 0; i < 6; i++) {
            d[i] = load(x + i * x_row + j * NN_BLOCK);
        }
        input_column(d, column);
        for (size_t i = 0; i < 6; i++) {
            half[i][j] = column[i];
        }
    }
    for (size_t i = 0; i < 6; i++) {
        input_column(half[i], row);
        for (size_t j = 0; j < 6; j++) {
            store(v + (i * 6 + j) * v_stride, row[j]);
        }
    }
}

/* NaN stays: a comparison with it is false. */
ALWAYS vec rectified(vec v)
{
#if defined(__AVX512F__)
    return (vec)_mm512_max_ps(_mm512_setzero_ps(), (__m512)v); /* gives its second operand where one is NaN */
#else
    return (vec)(~(v < 0) & (veci)v);
#endif
}

ALWAYS vec greatest(vec a, vec b)
{
#if defined(__AVX512F__)
    return (vec)_mm512_max_ps((__m512)a, (__m512)b);
#else
    veci take = b > a;
    return (vec)((take & (veci)b) | (~take & (veci)a));
#endif
}

ALWAYS void store_tile(const vec y[4][4], const nn_tile_target *t)
{
    if (t->pool) {
        for (size_t i = 0; i < t->height; i++) {
            for (size_t j = 0; j < t->width; j++) {
                vec top = greatest(y[2 * i][2 * j], y[2 * i][2 * j + 1]);
                store(t->out + i * t->row + j * NN_BLOCK,
                      greatest(top, greatest(y[2 * i + 1][2 * j], y[2 * i + 1][2 * j + 1])));
            }
        }
        return;
    }
    for (size_t i = 0; i < t->height; i++) {
        for (size_t j = 0; j < t->width; j++) {
            store(t->out + i * t->row + j * NN_BLOCK, y[i][j]);
        }
    }
}

ALWAYS void winograd_output(const float *m, size_t m_stride, const float *bias, const nn_tile_target *target)
{
    vec half[4][6], y[4][4], b = load(bias);
    for (size_t j = 0; j < 6; j++) {
        vec d[6], column[4];
        for (size_t i = 0; i < 6; i++) {
            d[i] = load(m + (i * 6 + j) * m_stride);
        }
        output_column(d, column);
        for (size_t i = 0; i < 4; i++) {
            half[i][j] = column[i];
        }
    }
    for (size_t i = 0; i < 4; i++) {
        output_column(half[i], y[i]);
        for (size_t j = 0; j < 4; j++) {
            y[i][j] = rectified(y[i][j] + b);
        }
    }
    if (target->height == 4 && target->width == 4) { /* constants, so that the loops unroll */
        nn_tile_target whole = {target->out, target->row, 4, 4, 0};
        store_tile(y, &whole);
    } else if (target->pool && target->height == 2 && target->width == 2) {
        nn_tile_target whole = {target->out, target->row, 2, 2, 1};
        store_tile(y, &whole);
    } else {
        store_tile(y, target);
    }
}

/* The three transforms under an instruction set's name. */
#define NN_WINOGRAD_TRANSFORMS(isa)                                                                          \
    void nn_winograd_weights_f32_16__##isa(const float *w, size_t channels, float *u, size_t u_stride)       \
    {                                                                                                        \
        winograd_weights(w, channels, u, u_stride);                                                          \
    }                                                                                                        \
    void nn_winograd_input_f32_16__##isa(const float *x, size_t x_row, float *v, size_t v_stride)            \
    {                                                                                                        \
        winograd_input(x, x_row, v, v_stride);                                                               \
    }                                                                                                        \
    void nn_winograd_output_f32_16__##isa(const float *m, size_t m_stride, const float *bias,                \
                                          const nn_tile_target *target)                                      \
    {                                                                                                        \
        winograd_output(m, m_stride, bias, target);                                                          \
    }

#endif
