/* The plain twins: the definitions as matrices, in 64-bit floating point; digits and their products in integers, exactly. Those of
 * the weights are in nn_rows_weights_ref.c.
 */
#include "priv/nn_rows.h"

#include <math.h>
#include <string.h>

#include "priv/nn_conv3x3.h"
#include "priv/nn_winograd.h"

#define A ((double)NN_WINOGRAD_A)
#define B ((double)NN_WINOGRAD_B)

static const double points[5] = {0, A, -A, B, -B};

void nn_rows_begin__ref(size_t tiles)
{
    (void)tiles;
}

void nn_rows_end__ref(void)
{
}

/* Position j of B^T d: coefficients of the product of (x - p) over all finite points but the j-th; infinity: over all. What
 * belongs to a coefficient of 0 is not looked at, even where it is infinite. */
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
        sum += polynomial[d] == 0 ? 0 : polynomial[d] * (double)x[d * NN_BLOCK];
    }
    return sum;
}

/* h, m and l of a number, `apart` bytes from each other; 0 for what has no three digits. */
static void put_digits(double number, int8_t *to, size_t apart)
{
    int32_t n = fabs(number) < NN_ROWS_MOST + 0.5 ? (int32_t)lrint(number) : 0;
    for (size_t i = NN_ROWS_DIGITS; i-- > 0;) {
        int32_t digit = ((n + 128) & 255) - 128;
        to[i * apart] = (int8_t)digit;
        n = (n - digit) / 256;
    }
}

void nn_rows_input_fixed_64__ref(const nn_rows_row *row, const float *factor, int8_t *v, size_t v_stride,
                                 size_t v_digit)
{
    for (size_t i = 0; i < row->tiles * NN_ROWS_CHANNELS; i++) {
        size_t t = i / NN_ROWS_CHANNELS, block = i / NN_BLOCK % NN_ROWS_BLOCKS, c = i % NN_BLOCK;
        const float *x = row->x + block * row->x_block + t * NN_ROWS_OUT * NN_BLOCK + c;
        int8_t *to = v + t * NN_ROWS_V_TILE + c * NN_ROWS_BLOCKS + block;
        for (size_t j = 0; j < NN_ROWS_POSITIONS; j++) {
            double by = (double)factor[(block * NN_ROWS_POSITIONS + j) * NN_BLOCK + c];
            put_digits(block < row->blocks ? input_element(x, j) * by : 0, to + j * v_stride, v_digit);
        }
    }
}

/* The bits of the magnitude: as integers they are in the order of the numbers, then infinity, then NaN. */
static uint32_t magnitude(float x)
{
    uint32_t bits;
    memcpy(&bits, &x, sizeof(bits));
    return bits & 0x7fffffffu;
}

void nn_rows_range_f32_16__ref(const float *x, size_t tiles, const float *equal, float *most)
{
    for (size_t i = 0; i < tiles * NN_ROWS_POSITIONS * NN_BLOCK; i++) {
        size_t t = i / (NN_ROWS_POSITIONS * NN_BLOCK), j = i / NN_BLOCK % NN_ROWS_POSITIONS, c = i % NN_BLOCK;
        float value = (float)fabs(input_element(x + t * NN_ROWS_OUT * NN_BLOCK + c, j) * (double)equal[c]);
        float *to = most + j * NN_BLOCK + c;
        if (magnitude(value) > magnitude(*to)) {
            *to = value;
        }
    }
}

/* The sum over channels and dy of tile t and output k at one position, in units of 65536, rounded down. u and v: of that
 * position. Of the nine products of digits the smallest is left out. */
static int64_t sum_of(const nn_rows_product *p, const int8_t *u, const int8_t *v, size_t t, size_t k)
{
    int64_t sum[2 * NN_ROWS_DIGITS - 2] = {0}; /* by place: h h; h m, m h; h l, m m, l h; m l, l m */
    for (size_t i = 0; i < 3 * NN_ROWS_CHANNELS; i++) {
        size_t dy = i / NN_ROWS_CHANNELS, c = i % NN_ROWS_CHANNELS;
        const int8_t *a = u + dy * NN_ROWS_U_DY + k / NN_BLOCK * NN_ROWS_U_HALF +
                          (c % NN_BLOCK * NN_BLOCK + k % NN_BLOCK) * NN_ROWS_BLOCKS + c / NN_BLOCK;
        const int8_t *b =
            v + (dy * p->columns + t) * NN_ROWS_V_TILE + c % NN_BLOCK * NN_ROWS_BLOCKS + c / NN_BLOCK;
        for (size_t q = 0; q < NN_ROWS_DIGITS * NN_ROWS_DIGITS - 1; q++) {
            size_t of_a = q / NN_ROWS_DIGITS, of_b = q % NN_ROWS_DIGITS;
            sum[of_a + of_b] += a[of_a * NN_ROWS_U_DIGIT] * b[of_b * p->v_digit];
        }
    }
    return (sum[0] * 256 + sum[1]) * 256 + sum[2] + (sum[3] - (sum[3] & 255)) / 256;
}

void nn_rows_multiply_fixed_32__ref(const nn_rows_product *p)
{
    for (size_t i = 0; i < NN_ROWS_POSITIONS * p->tiles * NN_ROWS_PAIR; i++) {
        size_t j = i / (p->tiles * NN_ROWS_PAIR), t = i / NN_ROWS_PAIR % p->tiles, k = i % NN_ROWS_PAIR;
        float sum = (float)sum_of(p, p->u + j * NN_ROWS_U_POSITION, p->v + j * p->v_stride, t, k);
        float *m = p->m + j * p->m_stride + t * NN_ROWS_PAIR + k;
        *m = p->add ? *m + sum : sum;
    }
}

/* Output r of a tile: sums times the r-th powers of the points; infinity counts in the last. */
static float output_element(const float *m, size_t m_stride, const float *scale, size_t r, float bias)
{
    double sum = (double)bias;
    for (size_t i = 0; i < NN_ROWS_POSITIONS; i++) {
        double power = i < 5 || r == 3 ? 1 : 0;
        for (size_t n = 0; n < r && i < 5; n++) {
            power *= points[i];
        }
        sum += power * ((double)m[i * m_stride] * (double)scale[i * NN_BLOCK]);
    }
    return sum < 0 ? 0 : (float)sum;
}

void nn_rows_output_f32_16__ref(const float *m, size_t m_stride, size_t m_row, const float *scale,
                                const float *bias, float *out, size_t width)
{
    for (size_t i = 0; i < width * NN_BLOCK; i++) {
        size_t x = i / NN_BLOCK * (m_row ? 2 : 1), k = i % NN_BLOCK;
        for (size_t q = 0; q < (m_row ? 4 : 1); q++) {
            size_t at = x + q % 2;
            float y = output_element(m + at / NN_ROWS_OUT * NN_ROWS_PAIR + q / 2 * m_row + k, m_stride,
                                     scale + k, at % NN_ROWS_OUT, bias[k]);
            out[i] = q == 0 || y > out[i] || isnan(y) ? y : out[i];
        }
    }
}
