/* The plain twins: the definitions as matrices, in 64-bit floating point (but the products, which add in 32 bits). */
#include "priv/nn_conv3x3.h"
#include "priv/nn_winograd.h"

#define A ((double)NN_WINOGRAD_A)
#define B ((double)NN_WINOGRAD_B)

static const double points[5] = {0, A, -A, B, -B};

/* B^T: row i holds the coefficients of the product of (x - p) over all finite points but the i-th; the last, over all. */
static void input_matrix(double out[6][6])
{
    for (int i = 0; i < 6; i++) {
        double polynomial[7] = {1};
        int degree = 0;
        for (int p = 0; p < 5; p++) {
            if (p == i) {
                continue;
            }
            degree++;
            for (int d = degree; d >= 0; d--) {
                polynomial[d] = (d ? polynomial[d - 1] : 0) - points[p] * (d < degree ? polynomial[d] : 0);
            }
        }
        for (int d = 0; d < 6; d++) {
            out[i][d] = d <= degree ? polynomial[d] : 0;
        }
    }
}

/* G: row i is (1, p, p^2) divided by the product of (p_i - p_j). */
static void weights_matrix(double out[6][3])
{
    for (int i = 0; i < 5; i++) {
        double product = 1;
        for (int j = 0; j < 5; j++) {
            product *= j == i ? 1 : points[i] - points[j];
        }
        out[i][0] = 1 / product;
        out[i][1] = points[i] / product;
        out[i][2] = points[i] * points[i] / product;
    }
    out[5][0] = out[5][1] = 0;
    out[5][2] = 1;
}

/* A^T: row r is the r-th powers of the points; infinity counts in the last. */
static void output_matrix(double out[4][6])
{
    for (int i = 0; i < 5; i++) {
        double power = 1;
        for (int r = 0; r < 4; r++) {
            out[r][i] = power;
            power *= points[i];
        }
    }
    out[0][5] = out[1][5] = out[2][5] = 0;
    out[3][5] = 1;
}

/* matrix (rows x n) * x (n x n) * matrix^T, one element. */
static double element(const double *matrix, int n, const double *x, int i, int j)
{
    double sum = 0;
    for (int r = 0; r < n; r++) {
        for (int c = 0; c < n; c++) {
            sum += matrix[i * n + r] * x[r * n + c] * matrix[j * n + c];
        }
    }
    return sum;
}

void nn_winograd_weights_f32_16__ref(const float *w, size_t channels, size_t row, float *u, size_t u_stride)
{
    double matrix[6][3], g[9];
    weights_matrix(matrix);
    for (size_t c = 0; c < channels; c++) {
        for (size_t k = 0; k < NN_BLOCK; k++) {
            for (size_t tap = 0; tap < 9; tap++) {
                g[tap] = (double)w[(c * 9 + tap) * NN_BLOCK + k];
            }
            for (int p = 0; p < NN_TILE_IN; p++) {
                u[(size_t)p * u_stride + c * NN_PAIR + k] = (float)element(&matrix[0][0], 3, g, (int)row, p);
            }
        }
    }
}

void nn_winograd_input_f32_16__ref(const float *x, size_t x_row, float *v, size_t v_stride)
{
    double matrix[6][6], d[36];
    input_matrix(matrix);
    for (size_t k = 0; k < NN_BLOCK; k++) {
        for (size_t i = 0; i < 36; i++) {
            d[i] = (double)x[i / 6 * x_row + i % 6 * NN_BLOCK + k];
        }
        for (int p = 0; p < NN_POSITIONS; p++) {
            v[(size_t)p * v_stride + k] = (float)element(&matrix[0][0], 6, d, p / 6, p % 6);
        }
    }
}

void nn_winograd_multiply_f32_32__ref(const float *u, const float *v, size_t v_block, size_t channels,
                                      size_t tiles, float *m, int add, const nn_ahead *ahead)
{
    (void)ahead;
    for (size_t t = 0; t < tiles; t++) {
        for (size_t k = 0; k < NN_PAIR; k++) {
            float sum = 0;
            for (size_t c = 0; c < channels; c++) {
                sum += u[c * NN_PAIR + k] * v[c / NN_BLOCK * v_block + t * NN_BLOCK + c % NN_BLOCK];
            }
            m[t * NN_PAIR + k] = add ? sum + m[t * NN_PAIR + k] : sum;
        }
    }
}

void nn_winograd_output_f32_16__ref(const float *m, size_t m_stride, const float *bias,
                                    const nn_tile_target *target)
{
    double matrix[4][6], d[36];
    output_matrix(matrix);
    for (size_t k = 0; k < NN_BLOCK; k++) {
        float y[16];
        for (size_t i = 0; i < 36; i++) {
            d[i] = (double)m[i * m_stride + k];
        }
        for (int i = 0; i < 16; i++) {
            double sum = element(&matrix[0][0], 6, d, i / 4, i % 4) + (double)bias[k];
            y[i] = sum < 0 ? 0 : (float)sum;
        }
        for (size_t i = 0; i < target->height; i++) {
            for (size_t j = 0; j < target->width; j++) {
                float value = y[i * 4 + j];
                for (size_t q = 0; target->pool && q < 4; q++) {
                    float other = y[(2 * i + q / 2) * 4 + 2 * j + q % 2];
                    value = q == 0 || other > value ? other : value;
                }
                target->out[i * target->row + j * NN_BLOCK + k] = value;
            }
        }
    }
}
