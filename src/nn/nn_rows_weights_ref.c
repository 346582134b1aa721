/* The plain twin of the packing of weights for fixed point: the definition as a matrix, in 64-bit floating point. */
#include "priv/nn_rows.h"

#include <float.h>
#include <math.h>

#include "priv/nn_conv3x3.h"
#include "priv/nn_rows_weights.h"
#include "priv/nn_winograd.h"

#define A ((double)NN_WINOGRAD_A)
#define B ((double)NN_WINOGRAD_B)

static const double points[5] = {0, A, -A, B, -B};

/* Position j of G g: (1, p, p^2) . g divided by the product of (p - other points); infinity takes the last. */
static double transformed(const float *w, size_t j)
{
    double product = 1, g[3] = {(double)w[0], (double)w[NN_BLOCK], (double)w[2 * NN_BLOCK]};
    if (j == 5) {
        return g[2];
    }
    for (size_t i = 0; i < 5; i++) {
        product *= i == j ? 1 : points[j] - points[i];
    }
    if (j == 0) {
        return g[0] / product;
    }
    return (g[0] + points[j] * g[1] + points[j] * points[j] * g[2]) / product;
}

/* Channel c, row dy, position j of output k, divided by the channel's 2^e. */
static double element(const float *w, const float *equal, size_t c, size_t dy, size_t j, size_t k)
{
    return transformed(w + (c * 9 + dy * 3) * NN_BLOCK + k, j) * (double)equal[c];
}

/* The greatest magnitude of an output at a position; infinite where there is one that 32 bits cannot hold. */
static double greatest(const float *w, size_t channels, const float *equal, size_t j, size_t k)
{
    double most = 0;
    for (size_t i = 0; i < channels * 3; i++) {
        double x = fabs(element(w, equal, i / 3, i % 3, j, k));
        most = x <= (double)FLT_MAX ? fmax(most, x) : (double)INFINITY;
    }
    return most;
}

/* Three signed digits, as many bytes apart as digits are. */
static void put_digits(double x, int8_t *to)
{
    int32_t n = (int32_t)nearbyint(x), low = (n + 128) & 255, middle = ((n - (low - 128)) / 256 + 128) & 255;
    to[2 * NN_ROWS_U_DIGIT] = (int8_t)(low - 128);
    to[NN_ROWS_U_DIGIT] = (int8_t)(middle - 128);
    to[0] = (int8_t)((n - (low - 128) - (middle - 128) * 256) / 65536);
}

void nn_rows_weights_fixed_16__ref(const float *w, size_t channels, const float *equal, int8_t *u,
                                   float *scale)
{
    for (size_t i = 0; i < NN_ROWS_POSITIONS * NN_BLOCK; i++) {
        size_t j = i / NN_BLOCK, k = i % NN_BLOCK;
        double most = greatest(w, channels, equal, j, k), factor = 0;
        if (most > 0 && isfinite(most)) {
            factor = fmin(NN_ROWS_MOST / most, (double)NN_ROWS_FACTOR_MOST);
        }
        scale[i] = most == 0 ? 0 : factor == 0 ? NAN : (float)(65536 / factor);
        for (size_t n = 0; n < nn_rows_chunks(channels) * NN_ROWS_CHANNELS * 3; n++) {
            size_t c = n / 3, dy = n % 3, in = c % NN_ROWS_CHANNELS;
            int8_t *to = u + c / NN_ROWS_CHANNELS * NN_ROWS_U_CHUNK + j * NN_ROWS_U_POSITION +
                         dy * NN_ROWS_U_DY + in % NN_BLOCK * 4 * NN_BLOCK + k * 4 + in / NN_BLOCK;
            put_digits(c < channels && factor > 0 ? element(w, equal, c, dy, j, k) * factor : 0, to);
        }
    }
}
