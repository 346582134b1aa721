/* Activations between layers: blocks of channels with a frame of zeros around each plane; see priv/nn_act.h. */
#include "priv/nn_act.h"

#include <string.h>

#include "base_mem.h"

cistern_status nn_act_bytes(size_t channels, size_t height, size_t width, size_t *out, cistern_error *err)
{
    size_t blocks = (channels + NN_BLOCK - 1) / NN_BLOCK, bytes;
    if (!base_mul_size(height + 2, width + 2, &bytes) || !base_mul_size(bytes, blocks, &bytes) ||
        !base_mul_size(bytes, NN_BLOCK * sizeof(float), &bytes)) {
        return base_fail_memory(err, SIZE_MAX);
    }
    *out = bytes;
    return CISTERN_OK;
}

void nn_act_close(const nn_act *a, size_t block, size_t first, size_t last)
{
    size_t row = nn_act_row(a);
    for (size_t y = first; y < last; y++) {
        float *at = nn_act_at(a, block, y);
        memset(at - NN_BLOCK, 0, NN_BLOCK * sizeof(float));
        memset(at + a->width * NN_BLOCK, 0, NN_BLOCK * sizeof(float));
    }
    float *plane = a->data + block * nn_act_plane(a);
    if (first == 0) {
        memset(plane, 0, row * sizeof(float));
    }
    if (last == a->height) {
        memset(plane + (a->height + 1) * row, 0, row * sizeof(float));
    }
}

void nn_act_to_planes(const nn_act *a, float *out)
{
    for (size_t c = 0; c < a->channels; c++) {
        for (size_t y = 0; y < a->height; y++) {
            const float *at = nn_act_at(a, c / NN_BLOCK, y) + c % NN_BLOCK;
            for (size_t p = 0; p < a->width; p++) {
                *out++ = at[p * NN_BLOCK];
            }
        }
    }
}

static inline float greater(float a, float b)
{
    return b > a ? b : a;
}

void nn_act_max_pool(const nn_act *x, const nn_act *out, size_t block, size_t first, size_t last)
{
    size_t row = nn_act_row(x);
    for (size_t y = first; y < last; y++) {
        const float *from = nn_act_at(x, block, 2 * y);
        float *to = nn_act_at(out, block, y);
        for (size_t p = 0; p < out->width; p++, from += 2 * NN_BLOCK, to += NN_BLOCK) {
            for (size_t k = 0; k < NN_BLOCK; k++) {
                to[k] = greater(greater(from[k], from[NN_BLOCK + k]),
                                greater(from[row + k], from[row + NN_BLOCK + k]));
            }
        }
    }
    nn_act_close(out, block, first, last);
}

/* The average of one window for the 16 channels of a block. */
static void average(const nn_act *x, size_t block, const size_t top_bottom[2], const size_t left_right[2],
                    float out[NN_BLOCK])
{
    float area_height = (float)(top_bottom[1] - top_bottom[0]),
          area_width = (float)(left_right[1] - left_right[0]);
    memset(out, 0, NN_BLOCK * sizeof(float));
    for (size_t y = top_bottom[0]; y < top_bottom[1]; y++) {
        const float *at = nn_act_at(x, block, y);
        for (size_t p = left_right[0]; p < left_right[1]; p++) {
            for (size_t k = 0; k < NN_BLOCK; k++) {
                out[k] += at[p * NN_BLOCK + k];
            }
        }
    }
    for (size_t k = 0; k < NN_BLOCK; k++) {
        out[k] = out[k] / area_height / area_width;
    }
}

static void window(size_t i, size_t side, size_t length, size_t out[2])
{
    out[0] = i * length / side;
    out[1] = ((i + 1) * length + side - 1) / side;
}

void nn_act_average_pool(const nn_act *x, size_t side, size_t block, float *out)
{
    for (size_t i = 0; i < side; i++) {
        for (size_t j = 0; j < side; j++) {
            size_t top_bottom[2], left_right[2];
            float sum[NN_BLOCK];
            window(i, side, x->height, top_bottom);
            window(j, side, x->width, left_right);
            average(x, block, top_bottom, left_right, sum);
            for (size_t c = block * NN_BLOCK; c < x->channels && c < (block + 1) * NN_BLOCK; c++) {
                out[(c * side + i) * side + j] = sum[c % NN_BLOCK];
            }
        }
    }
}
