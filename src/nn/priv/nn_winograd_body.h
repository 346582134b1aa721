/* The transforms of F(4x4, 3x3), written once over vectors; each instruction set's file includes them, says how long a
 * vector is, and gives them its name.
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

/* The includer says how many floats a vector holds that suits its registers: 4, 8 or 16. */
typedef float vec __attribute__((vector_size(4 * NN_LANES), may_alias));
typedef int veci __attribute__((vector_size(4 * NN_LANES)));

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

/* What each of `steps` steps shall prefetch. */
ALWAYS nn_ahead nn_ahead_each(const nn_ahead *ahead, size_t steps)
{
    nn_ahead each = {{NULL, NULL}, {0, 0}};
    for (size_t a = 0; ahead && a < 2; a++) {
        each.at[a] = ahead->at[a];
        each.lines[a] = (ahead->lines[a] + steps - 1) / steps;
    }
    return each;
}

/* Between two of these the compiler keeps nothing that it has read: reading again from the first-level cache is cheaper
 * than storing what does not fit the registers, of which there are 36 values and more. */
#define FORGET() __asm__ volatile("" ::: "memory")

/* v B: one transformed row of the tile becomes six values of V. */
ALWAYS void input_row(const vec d[6], float *v, size_t v_stride)
{
    vec even_a = d[4] - B2 * d[2], odd_a = d[3] - B2 * d[1];
    vec even_b = d[4] - A2 * d[2], odd_b = d[3] - A2 * d[1];
    store(v, (d[4] - (A2 + B2) * d[2]) + (A2 * B2) * d[0]);
    store(v + v_stride, even_a + A1 * odd_a);
    store(v + 2 * v_stride, even_a - A1 * odd_a);
    store(v + 3 * v_stride, even_b + B1 * odd_b);
    store(v + 4 * v_stride, even_b - B1 * odd_b);
    store(v + 5 * v_stride, (d[5] - (A2 + B2) * d[3]) + (A2 * B2) * d[1]);
}

/* The rows 0 or 5 of B^T x, of which x points at the first input row that counts. */
ALWAYS void input_outer(const float *x, size_t x_row, float *v, size_t v_stride)
{
    vec row[6];
#pragma GCC unroll 6
    for (size_t j = 0; j < 6; j++, x += NN_BLOCK) {
        row[j] = (load(x + 4 * x_row) - (A2 + B2) * load(x + 2 * x_row)) + (A2 * B2) * load(x);
    }
    input_row(row, v, v_stride);
}

/* The two rows of B^T x for the points +p and -p; q is the square of the other point. */
ALWAYS void input_inner(const float *x, size_t x_row, const float p, const float q, float *v, size_t v_stride)
{
    vec plus[6], minus[6];
#pragma GCC unroll 6
    for (size_t j = 0; j < 6; j++, x += NN_BLOCK) {
        vec even = load(x + 4 * x_row) - q * load(x + 2 * x_row),
            odd = load(x + 3 * x_row) - q * load(x + x_row);
        plus[j] = even + p * odd;
        minus[j] = even - p * odd;
    }
    input_row(plus, v, v_stride);
    input_row(minus, v + 6 * v_stride, v_stride);
}

#define SCALE_0 ((float)(1 / ((double)A2 * (double)B2)))
#define SCALE_A ((float)(1 / (2 * (double)A2 * ((double)A2 - (double)B2))))
#define SCALE_B ((float)(1 / (2 * (double)B2 * ((double)B2 - (double)A2))))

/* G times a column. */
ALWAYS void weights_column(const vec g[3], vec out[6])
{
    vec even_a = SCALE_A * g[0] + (SCALE_A * A2) * g[2], odd_a = (SCALE_A * A1) * g[1];
    vec even_b = SCALE_B * g[0] + (SCALE_B * B2) * g[2], odd_b = (SCALE_B * B1) * g[1];
    out[0] = SCALE_0 * g[0];
    out[1] = even_a + odd_a;
    out[2] = even_a - odd_a;
    out[3] = even_b + odd_b;
    out[4] = even_b - odd_b;
    out[5] = g[2];
}

/* One row of G times a column of w; what the row does not need is not loaded. */
ALWAYS vec weights_element(const float *w, const size_t row)
{
    const float scale = row < 3 ? SCALE_A : SCALE_B, point = row < 3 ? A1 : B1;
    if (row == 0) {
        return SCALE_0 * load(w);
    }
    if (row == 5) {
        return load(w + 6 * NN_BLOCK);
    }
    vec even = scale * load(w) + (scale * (point * point)) * load(w + 6 * NN_BLOCK);
    vec odd = (scale * point) * load(w + 3 * NN_BLOCK);
    return row % 2 ? even + odd : even - odd;
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

/* One row of positions of all channels. */
ALWAYS void winograd_weights(const float *w, size_t channels, const size_t row, float *u, size_t u_stride)
{
    for (size_t c = 0; c < channels; c++, w += 9 * NN_BLOCK, u += NN_PAIR) {
        for (size_t lane = 0; lane < NN_BLOCK; lane += NN_LANES) {
            vec half[3], out[6];
#pragma GCC unroll 3
            for (size_t x = 0; x < 3; x++) {
                half[x] = weights_element(w + lane + x * NN_BLOCK, row);
            }
            weights_column(half, out);
#pragma GCC unroll 6
            for (size_t j = 0; j < 6; j++) {
                store(u + lane + j * u_stride, out[j]);
            }
        }
    }
}

ALWAYS void winograd_input(const float *x, size_t x_row, float *v, size_t v_stride)
{
    input_outer(x, x_row, v, v_stride);
    FORGET();
    input_inner(x, x_row, A1, B2, v + 6 * v_stride, v_stride);
    FORGET();
    input_inner(x, x_row, B1, A2, v + 18 * v_stride, v_stride);
    FORGET();
    input_outer(x + x_row, x_row, v + 30 * v_stride, v_stride);
}

/* NaN stays: a comparison with it is false, and the instructions give their second operand where one is NaN. */
ALWAYS vec rectified(vec v)
{
#if NN_LANES == 16
    return (vec)_mm512_max_ps(_mm512_setzero_ps(), (__m512)v);
#elif NN_LANES == 8
    return (vec)_mm256_max_ps(_mm256_setzero_ps(), (__m256)v);
#else
    return (vec)(~(v < 0) & (veci)v);
#endif
}

ALWAYS vec greatest(vec a, vec b)
{
#if NN_LANES == 16
    return (vec)_mm512_max_ps((__m512)a, (__m512)b);
#elif NN_LANES == 8
    return (vec)_mm256_max_ps((__m256)a, (__m256)b);
#else
    veci take = b > a;
    return (vec)((take & (veci)b) | (~take & (veci)a));
#endif
}

ALWAYS void store_tile(const vec y[4][4], const nn_tile_target *t)
{
    if (t->pool) {
#pragma GCC unroll 2
        for (size_t i = 0; i < t->height; i++) {
#pragma GCC unroll 2
            for (size_t j = 0; j < t->width; j++) {
                vec top = greatest(y[2 * i][2 * j], y[2 * i][2 * j + 1]);
                store(t->out + i * t->row + j * NN_BLOCK,
                      greatest(top, greatest(y[2 * i + 1][2 * j], y[2 * i + 1][2 * j + 1])));
            }
        }
        return;
    }
#pragma GCC unroll 4
    for (size_t i = 0; i < t->height; i++) {
#pragma GCC unroll 4
        for (size_t j = 0; j < t->width; j++) {
            store(t->out + i * t->row + j * NN_BLOCK, y[i][j]);
        }
    }
}

/* Rows r and r + 2 of A^T m, for r 0 (even) or 1 (odd), times A, with bias and ReLU. */
ALWAYS void output_rows(const float *m, size_t m_stride, const int odd, vec bias, vec upper[4], vec lower[4])
{
    vec row[6], next[6];
#pragma GCC unroll 6
    for (size_t j = 0; j < 6; j++, m += m_stride) {
        const size_t down = 6 * m_stride;
        if (odd) {
            vec a = load(m + down) - load(m + 2 * down), b = load(m + 3 * down) - load(m + 4 * down);
            row[j] = A1 * a + B1 * b;
            next[j] = A3 * a + B3 * b + load(m + 5 * down);
        } else {
            vec a = load(m + down) + load(m + 2 * down), b = load(m + 3 * down) + load(m + 4 * down);
            row[j] = load(m) + a + b;
            next[j] = A2 * a + B2 * b;
        }
    }
    output_column(row, upper);
    output_column(next, lower);
#pragma GCC unroll 4
    for (size_t j = 0; j < 4; j++) {
        upper[j] = rectified(upper[j] + bias);
        lower[j] = rectified(lower[j] + bias);
    }
}

ALWAYS void winograd_output(const float *m, size_t m_stride, const float *bias, const nn_tile_target *target,
                            size_t lane)
{
    vec y[4][4], b = load(bias);
    output_rows(m, m_stride, 0, b, y[0], y[2]);
    FORGET();
    output_rows(m, m_stride, 1, b, y[1], y[3]);
    if (target->height == 4 && target->width == 4) { /* constants, so that the loops unroll */
        nn_tile_target whole = {target->out + lane, target->row, 4, 4, 0};
        store_tile(y, &whole);
    } else if (target->pool && target->height == 2 && target->width == 2) {
        nn_tile_target whole = {target->out + lane, target->row, 2, 2, 1};
        store_tile(y, &whole);
    } else {
        nn_tile_target part = {target->out + lane, target->row, target->height, target->width, target->pool};
        store_tile(y, &part);
    }
}

/* The three transforms of 16 channels under an instruction set's name, as many at once as a vector holds. */
#define NN_WINOGRAD_TRANSFORMS(isa)                                                                          \
    void nn_winograd_weights_f32_16__##isa(const float *w, size_t channels, size_t row, float *u,            \
                                           size_t u_stride)                                                  \
    {                                                                                                        \
        switch (row) {                                                                                       \
        case 0:                                                                                              \
            winograd_weights(w, channels, 0, u, u_stride);                                                   \
            break;                                                                                           \
        case 1:                                                                                              \
            winograd_weights(w, channels, 1, u, u_stride);                                                   \
            break;                                                                                           \
        case 2:                                                                                              \
            winograd_weights(w, channels, 2, u, u_stride);                                                   \
            break;                                                                                           \
        case 3:                                                                                              \
            winograd_weights(w, channels, 3, u, u_stride);                                                   \
            break;                                                                                           \
        case 4:                                                                                              \
            winograd_weights(w, channels, 4, u, u_stride);                                                   \
            break;                                                                                           \
        default:                                                                                             \
            winograd_weights(w, channels, 5, u, u_stride);                                                   \
            break;                                                                                           \
        }                                                                                                    \
    }                                                                                                        \
    void nn_winograd_input_f32_16__##isa(const float *x, size_t x_row, float *v, size_t v_stride)            \
    {                                                                                                        \
        for (size_t lane = 0; lane < NN_BLOCK; lane += NN_LANES) {                                           \
            winograd_input(x + lane, x_row, v + lane, v_stride);                                             \
        }                                                                                                    \
    }                                                                                                        \
    void nn_winograd_output_f32_16__##isa(const float *m, size_t m_stride, const float *bias,                \
                                          const nn_tile_target *target)                                      \
    {                                                                                                        \
        for (size_t lane = 0; lane < NN_BLOCK; lane += NN_LANES) {                                           \
            winograd_output(m + lane, m_stride, bias + lane, target, lane);                                  \
        }                                                                                                    \
    }

#endif
