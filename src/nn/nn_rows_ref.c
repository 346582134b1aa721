/* The plain twins: the definitions as matrices, in 64-bit floating point, cut into three parts; products of the same six pairs
 * of parts, added in 32 bits. */
#include "priv/nn_rows.h"

#include <stdint.h>
#include <string.h>

#include "priv/nn_conv3x3.h"
#include "priv/nn_winograd.h"

#define A ((double)NN_WINOGRAD_A)
#define B ((double)NN_WINOGRAD_B)

typedef uint16_t __attribute__((may_alias))
half; /* 16 bits of a float, in memory that is declared as floats */

static const double points[5] = {0, A, -A, B, -B};

/* What the first 16 bits stand for. */
static float widened(half part)
{
    uint32_t bits = (uint32_t)part << 16;
    float x;
    memcpy(&x, &bits, sizeof(x));
    return x;
}

/* h, m and l, `apart` floats from each other; channel c of its 32 in a row of pairs. */
static void split(double value, float *row, size_t c, size_t apart)
{
    float x = (float)value;
    for (size_t i = 0; i < NN_ROWS_PARTS; i++) {
        uint32_t bits;
        half *to = (half *)(row + i * apart) + c % NN_BLOCK * 2 + c / NN_BLOCK;
        memcpy(&bits, &x, sizeof(bits));
        *to = (half)(bits >> 16);
        x -= widened(*to);
    }
}

void nn_rows_begin__ref(size_t tiles)
{
    (void)tiles;
}

void nn_rows_end__ref(void)
{
}

/* Position j of G g: (1, p, p^2) . g divided by the product of (p - other points); infinity takes the last. */
static double weights_element(const float *w, size_t j)
{
    double product = 1, g[3] = {(double)w[0], (double)w[NN_BLOCK], (double)w[2 * NN_BLOCK]};
    if (j == 5) {
        return g[2];
    }
    for (size_t i = 0; i < 5; i++) {
        product *= i == j ? 1 : points[j] - points[i];
    }
    return (g[0] + points[j] * g[1] + points[j] * points[j] * g[2]) / product;
}

void nn_rows_weights_split_16__ref(const float *w, size_t channels, size_t position, float *u)
{
    for (size_t i = 0; i < nn_rows_blocks(channels) * NN_ROWS_CHANNELS * 3 * NN_BLOCK; i++) {
        size_t c = i / (3 * NN_BLOCK), dy = i / NN_BLOCK % 3, k = i % NN_BLOCK, in = c % NN_ROWS_CHANNELS;
        double x = c < channels ? weights_element(w + (c * 9 + dy * 3) * NN_BLOCK + k, position) : 0;
        float part[NN_ROWS_PARTS] = {0};
        half *to = (half *)(u + (c / NN_ROWS_CHANNELS * 3 + dy) * NN_ROWS_U_DY) +
                   in % NN_BLOCK * 2 * NN_BLOCK + k * 2 + in / NN_BLOCK;
        split(x, part, 0, 1);
        for (size_t p = 0; p < NN_ROWS_PARTS; p++) {
            to[p * 2 * NN_ROWS_U_PART] = *(half *)(part + p);
        }
    }
}

/* Position j of B^T d: coefficients of the product of (x - p) over all finite points but the j-th; infinity: over all. */
static double input_element(const float *x, size_t j)
{
    double polynomial[7] = {1}, sum = 0;
    size_t degree = 0;
    for (size_t p = 0; p < 5; p++) {
        if (p == j) {
            continue;
        }
        degree++;
        for (size_t d = degree + 1; d-- > 0;) {
            polynomial[d] = (d ? polynomial[d - 1] : 0) - points[p] * (d < degree ? polynomial[d] : 0);
        }
    }
    for (size_t d = 0; d < 6; d++) {
        sum += polynomial[d] * (double)x[d * NN_BLOCK];
    }
    return sum;
}

void nn_rows_input_split_32__ref(const float *x, size_t x_block, size_t tiles, float *v, size_t v_stride,
                                 size_t v_part)
{
    for (size_t i = 0; i < tiles * NN_ROWS_CHANNELS; i++) {
        size_t t = i / NN_ROWS_CHANNELS, c = i % NN_ROWS_CHANNELS;
        const float *from = x + t * NN_ROWS_OUT * NN_BLOCK + c / NN_BLOCK * x_block + c % NN_BLOCK;
        for (size_t j = 0; j < NN_ROWS_POSITIONS; j++) {
            double value = c < NN_BLOCK || x_block ? input_element(from, j) : 0;
            split(value, v + j * v_stride + t * NN_BLOCK, c, v_part);
        }
    }
}

/* The sum over channels and dy of tile t and output k. */
static float sum_of(const nn_rows_product *p, size_t t, size_t k)
{
    static const size_t pairs[6][2] = {{0, 2}, {0, 1}, {1, 1}, {1, 0}, {2, 0}, {0, 0}}; /* of v, of u */
    float sum = 0;
    for (size_t i = 0; i < p->channels * 3; i++) {
        size_t c = i / 3, dy = i % 3, block = c / NN_ROWS_CHANNELS, in = c % NN_ROWS_CHANNELS;
        const float *v = p->v + block * NN_ROWS_PARTS * p->v_part + (dy * p->columns + t) * NN_BLOCK;
        const float *u =
            p->u + (block * 3 + dy) * NN_ROWS_U_DY + k / NN_BLOCK * NN_ROWS_U_HALF + in % NN_BLOCK * NN_BLOCK;
        for (size_t q = 0; q < 6; q++) {
            const half *a = (const half *)(v + pairs[q][0] * p->v_part),
                       *b = (const half *)(u + pairs[q][1] * NN_ROWS_U_PART);
            sum +=
                widened(a[in % NN_BLOCK * 2 + in / NN_BLOCK]) * widened(b[k % NN_BLOCK * 2 + in / NN_BLOCK]);
        }
    }
    return sum;
}

void nn_rows_multiply_split_32__ref(const nn_rows_product *p)
{
    const nn_rows_task *task = p->task;
    for (size_t h = 0; task && h < 2 && task->w[h]; h++) {
        nn_rows_weights_split_16__ref(task->w[h], task->channels, task->position,
                                      task->u + h * NN_ROWS_U_HALF);
    }
    for (size_t i = 0; i < p->tiles * NN_ROWS_PAIR; i++) {
        float sum = sum_of(p, i / NN_ROWS_PAIR, i % NN_ROWS_PAIR);
        p->m[i] = p->add ? p->m[i] + sum : sum;
    }
}

/* Output r of a tile: sums times the r-th powers of the points; infinity counts in the last. */
static float output_element(const float *m, size_t m_stride, size_t r, float bias)
{
    double sum = (double)bias + (r == 3 ? (double)m[5 * m_stride] : 0);
    for (size_t i = 0; i < 5; i++) {
        double power = 1;
        for (size_t n = 0; n < r; n++) {
            power *= points[i];
        }
        sum += power * (double)m[i * m_stride];
    }
    return sum < 0 ? 0 : (float)sum;
}

void nn_rows_output_f32_16__ref(const float *m, size_t m_stride, size_t m_row, const float *bias, float *out,
                                size_t width)
{
    for (size_t i = 0; i < width * NN_BLOCK; i++) {
        size_t x = i / NN_BLOCK * (m_row ? 2 : 1), k = i % NN_BLOCK;
        for (size_t q = 0; q < (m_row ? 4 : 1); q++) {
            size_t at = x + q % 2;
            float y = output_element(m + at / NN_ROWS_OUT * NN_ROWS_PAIR + q / 2 * m_row + k, m_stride,
                                     at % NN_ROWS_OUT, bias[k]);
            out[i] = q == 0 || y > out[i] ? y : out[i];
        }
    }
}
