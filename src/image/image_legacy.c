/* TensorFlow 1's bilinear resize. Every operation is one on 32-bit floats, in its order, so that the last bit agrees. */
#include "priv/image_legacy.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include "base_mem.h"

/* What one output takes from its direction: two sources, and how far it is from the first to the second. */
typedef struct tap {
    uint32_t lower, upper;
    float share;
} tap;

static cistern_status taps_new(uint32_t in, uint64_t out, uint64_t from, uint64_t n, tap **out_taps,
                               cistern_error *err)
{
    float step = (float)in / (float)out;
    tap *taps = NULL;
    cistern_status status = base_calloc((size_t)n, sizeof *taps, &taps, err);
    if (status != CISTERN_OK) {
        return status;
    }
    for (uint64_t i = 0; i < n; i++) {
        float at = (float)(from + i) * step, lower = floorf(at), upper = ceilf(at), last = (float)(in - 1);
        taps[i].lower = (uint32_t)(lower < last ? lower : last);
        taps[i].upper = (uint32_t)(upper < last ? upper : last);
        taps[i].share = at - lower;
    }
    *out_taps = taps;
    return CISTERN_OK;
}

static float mix(float from, float to, float share)
{
    float way = (to - from) * share;
    return from + way;
}

/* One row of the output from two rows of the picture. */
static void mix_row(const uint8_t *above, const uint8_t *below, float share, const tap *taps, size_t n,
                    const image_planes *out, size_t y)
{
    for (size_t x = 0; x < n; x++) {
        size_t left = (size_t)taps[x].lower * IMAGE_CHANNELS, right = (size_t)taps[x].upper * IMAGE_CHANNELS;
        for (size_t c = 0; c < IMAGE_CHANNELS; c++) {
            float top = mix(above[left + c], above[right + c], taps[x].share);
            float bottom = mix(below[left + c], below[right + c], taps[x].share);
            out->first[c][y * out->stride + x] = mix(top, bottom, share);
        }
    }
}

cistern_status image_legacy_resize(const image *in, uint64_t width, uint64_t height,
                                   const image_window *window, const image_planes *out, cistern_error *err)
{
    tap *columns = NULL, *rows = NULL;
    cistern_status status = image_resize_check(in, width, height, err);
    if (status != CISTERN_OK) {
        return status;
    }
    assert(window->left <= width && window->width <= width - window->left);
    assert(window->top <= height && window->height <= height - window->top);
    status = taps_new(in->width, width, window->left, window->width, &columns, err);
    if (status == CISTERN_OK) {
        status = taps_new(in->height, height, window->top, window->height, &rows, err);
    }
    for (size_t y = 0; status == CISTERN_OK && y < window->height; y++) {
        size_t stride = (size_t)in->width * IMAGE_CHANNELS;
        mix_row(in->rgb + rows[y].lower * stride, in->rgb + rows[y].upper * stride, rows[y].share, columns,
                (size_t)window->width, out, y);
    }
    free(columns);
    free(rows);
    return status;
}
