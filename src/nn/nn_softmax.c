/* Softmax of logits in double precision; see nn_softmax.h. */
#include "nn_softmax.h"

#include <math.h>

static void softmax_row(const float *logits, size_t classes, float *out)
{
    double most = logits[0], sum = 0;
    for (size_t i = 1; i < classes; i++) {
        most = logits[i] > most ? logits[i] : most;
    }
    for (size_t i = 0; i < classes; i++) {
        sum += exp((double)logits[i] - most);
    }
    for (size_t i = 0; i < classes; i++) {
        out[i] = (float)(exp((double)logits[i] - most) / sum);
    }
}

void nn_softmax(const float *logits, size_t rows, size_t classes, float *out)
{
    for (size_t i = 0; i < rows; i++) {
        softmax_row(logits + i * classes, classes, out + i * classes);
    }
}
