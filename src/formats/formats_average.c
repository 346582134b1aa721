/* Matrices of means: see priv/formats_average.h.
 *
 * Output i of 7 is the mean of inputs floor(i n / 7) to ceil((i + 1) n / 7), the last excluded.
 * Source: torch.nn.AdaptiveAvgPool2d, aten/src/ATen/native/AdaptivePooling.h (start_index, end_index).
 */
#include "priv/formats_average.h"

#include <math.h>
#include "model_vgg.h"
#include "priv/formats_constant.h"

#define SAME 1e-6 /* 1/n as f32, of at most 1 */

static double mean_of(uint64_t i, uint64_t k, uint64_t n)
{
    const uint64_t side = MODEL_VGG_POOLED_SIDE;
    uint64_t begin = i * n / side, end = ((i + 1) * n + side - 1) / side;

    return k >= begin && k < end ? 1.0 / (double)(end - begin) : 0;
}

const char *formats_average_take(formats_average *a, const formats_output *out, const model_tensor *matrix,
                                 bool right)
{
    const uint64_t side = MODEL_VGG_POOLED_SIDE, n = matrix->shape[right ? 0 : 1];
    double values[FORMATS_CONSTANT_MAX];

    if (right ? a->columns : a->rows)
        return "pools what was pooled";
    if (matrix->shape[right ? 1 : 0] != side ||
        !formats_constant_read(out, matrix, values, FORMATS_CONSTANT_MAX))
        return "works on what was not flattened";
    for (uint64_t i = 0; i < side; i++) {
        for (uint64_t k = 0; k < n; k++) {
            double value = values[right ? k * side + i : i * n + k];
            if (fabs(value - mean_of(i, k, n)) > SAME)
                return "a product with a matrix that is not that of an adaptive pooling to 7x7";
        }
    }
    if (right)
        a->columns = true;
    else
        a->rows = true;
    return NULL;
}

bool formats_average_half(const formats_average *a)
{
    return a->rows != a->columns;
}
