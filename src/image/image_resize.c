/* Two passes over a picture, rows then columns, and the nearest pixel. The weights are image_taps', the rows image_rows'.
 *
 * Invariants
 *  1. Sums are kept in unsigned 32 bits, which wrap: no file can make them undefined.
 *  2. Only the source rows that the window needs are filtered in the first pass.
 */
#include "image_resize.h"

#include <assert.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include "base_mem.h"
#include "priv/image_rows.h"

#define HALF (UINT32_C(1) << (IMAGE_TAPS_BITS - 1)) /* rounds to nearest */

static uint8_t to_byte(uint32_t sum)
{
    int32_t value = (int32_t)sum >> IMAGE_TAPS_BITS;
    return (uint8_t)(value < 0 ? 0 : value > 255 ? 255 : value);
}

static void add_row(uint32_t *restrict sums, const uint8_t *restrict row, size_t n, int32_t weight)
{
    uint32_t w = (uint32_t)weight;
    for (size_t i = 0; i < n; i++) {
        sums[i] += w * row[i];
    }
}

/* Rows of `out` from the rows first[y] .. of the source, which has `stride` bytes from row to row; `n` bytes
 * each. `base` is the source row at which `in` begins. `sums` is scratch of n. */
static void filter_columns(const uint8_t *in, size_t stride, uint32_t base, size_t n, const image_taps *taps,
                           uint32_t *sums, uint8_t *out)
{
    for (uint32_t y = 0; y < taps->n; y++) {
        const uint8_t *from = in + (size_t)(taps->first[y] - base) * stride;
        const int32_t *weight = taps->weight + y * taps->stride;
        for (size_t i = 0; i < n; i++) {
            sums[i] = HALF;
        }
        for (uint32_t t = 0; t < taps->count[y]; t++) {
            add_row(sums, from + t * stride, n, weight[t]);
        }
        for (size_t i = 0; i < n; i++) {
            out[y * n + i] = to_byte(sums[i]);
        }
    }
}

/* The source rows that the columns pass reads: first and one past the last. */
static void rows_needed(const image_taps *taps, uint32_t *out_first, uint32_t *out_end)
{
    uint32_t last = taps->n - 1;
    *out_first = taps->first[0];
    *out_end = taps->first[last] + taps->count[last];
}

/* Rows `first` to `end` of the source, cut at `left` to out->width. */
static void cut_rows(const image *in, uint32_t first, uint32_t end, uint32_t left, image *out)
{
    size_t from_stride = (size_t)in->width * IMAGE_CHANNELS;
    size_t to_stride = (size_t)out->width * IMAGE_CHANNELS;
    for (uint32_t y = first; y < end; y++) {
        memcpy(out->rgb + (y - first) * to_stride, in->rgb + y * from_stride + (size_t)left * IMAGE_CHANNELS,
               to_stride);
    }
}

/* Rows `first` to `end` of the source, filtered: several at once while there is a kernel for it and enough to read behind
 * them, the rest one by one. */
static void filter_rows(const image *in, uint32_t first, uint32_t end, const image_taps *taps, image *out)
{
    image_rows_fn *kernel = taps->low != NULL ? image_rows_kernel() : NULL;
    size_t from_stride = (size_t)in->width * IMAGE_CHANNELS;
    size_t to_stride = (size_t)out->width * IMAGE_CHANNELS;
    uint32_t y = first;
    while (kernel != NULL && y + IMAGE_ROWS_AT_ONCE <= end &&
           (in->height - y - IMAGE_ROWS_AT_ONCE) * from_stride >= IMAGE_ROWS_BEYOND) {
        kernel(in->rgb + y * from_stride, from_stride, taps, out->rgb + (y - first) * to_stride, to_stride);
        y += IMAGE_ROWS_AT_ONCE;
    }
    for (; y < end; y++) {
        image_rows_u8_1x1__ref(in->rgb + y * from_stride, taps, out->rgb + (y - first) * to_stride);
    }
}

/* The taps of one direction, split where a kernel wants them so. */
static cistern_status row_taps(const image *in, uint32_t width, uint32_t left, uint32_t n,
                               model_interpolation filter, image_taps *taps, cistern_error *err)
{
    cistern_status status = image_taps_new(in->width, width, left, n, filter, taps, err);
    return status == CISTERN_OK && image_rows_kernel() != NULL ? image_taps_split(taps, err) : status;
}

static cistern_status columns_pass(const image *in, size_t in_offset, uint32_t base, const image_taps *taps,
                                   image *out, cistern_error *err)
{
    size_t n = (size_t)out->width * IMAGE_CHANNELS;
    uint32_t *sums = NULL;
    cistern_status status = base_calloc(n, sizeof *sums, &sums, err);
    if (status == CISTERN_OK) {
        filter_columns(in->rgb + in_offset, (size_t)in->width * IMAGE_CHANNELS, base, n, taps, sums,
                       out->rgb);
    }
    free(sums);
    return status;
}

static cistern_status resize_filtered(const image *in, uint32_t width, uint32_t height,
                                      model_interpolation filter, const image_window *window, image *out,
                                      cistern_error *err)
{
    bool across = width != in->width, down = height != in->height;
    uint32_t left = (uint32_t)window->left, top = (uint32_t)window->top;
    uint32_t first = top, end = top + out->height;
    image_taps x_taps = IMAGE_TAPS_INIT, y_taps = IMAGE_TAPS_INIT;
    image between = IMAGE_INIT;
    cistern_status status = CISTERN_OK;

    if (across) {
        status = row_taps(in, width, left, out->width, filter, &x_taps, err);
        if (status != CISTERN_OK) {
            goto out;
        }
    }
    if (!down) {
        if (across) {
            filter_rows(in, first, end, &x_taps, out);
        } else {
            cut_rows(in, first, end, left, out);
        }
        goto out;
    }
    status = image_taps_new(in->height, height, top, out->height, filter, &y_taps, err);
    if (status != CISTERN_OK) {
        goto out;
    }
    if (!across) {
        status = columns_pass(in, (size_t)left * IMAGE_CHANNELS, 0, &y_taps, out, err);
        goto out;
    }
    rows_needed(&y_taps, &first, &end);
    status = image_rgb_new(out->width, end - first, &between, err);
    if (status != CISTERN_OK) {
        goto out;
    }
    filter_rows(in, first, end, &x_taps, &between);
    status = columns_pass(&between, 0, first, &y_taps, out, err);
out:
    image_clear(&between);
    image_taps_clear(&x_taps);
    image_taps_clear(&y_taps);
    return status;
}

static cistern_status resize_nearest(const image *in, uint32_t width, uint32_t height,
                                     const image_window *window, image *out, cistern_error *err)
{
    uint32_t *columns = NULL, *rows = NULL;
    cistern_status status = base_calloc(out->width, sizeof *columns, &columns, err);
    if (status != CISTERN_OK) {
        goto out;
    }
    status = base_calloc(out->height, sizeof *rows, &rows, err);
    if (status != CISTERN_OK) {
        goto out;
    }
    image_taps_nearest(in->width, width, (uint32_t)window->left, out->width, columns);
    image_taps_nearest(in->height, height, (uint32_t)window->top, out->height, rows);
    for (size_t y = 0; y < out->height; y++) {
        const uint8_t *from = in->rgb + (size_t)rows[y] * in->width * IMAGE_CHANNELS;
        uint8_t *to = out->rgb + y * out->width * IMAGE_CHANNELS;
        for (size_t x = 0; x < out->width; x++) {
            memcpy(to + x * IMAGE_CHANNELS, from + (size_t)columns[x] * IMAGE_CHANNELS, IMAGE_CHANNELS);
        }
    }
out:
    free(columns);
    free(rows);
    return status;
}

static cistern_status check_side(uint64_t side, const char *which, cistern_error *err)
{
    if (side == 0 || side > IMAGE_RESIZE_SIDE_MAX) {
        return base_fail(err, CISTERN_UNREADABLE,
                         "an image side of %llu pixels (%s); 1 to %llu can be resized",
                         (unsigned long long)side, which, (unsigned long long)IMAGE_RESIZE_SIDE_MAX);
    }
    return CISTERN_OK;
}

cistern_status image_resize_check(const image *in, uint64_t width, uint64_t height, cistern_error *err)
{
    cistern_status status = check_side(in->width, "width", err);
    if (status == CISTERN_OK) {
        status = check_side(in->height, "height", err);
    }
    if (status == CISTERN_OK) {
        status = check_side(width, "width after resizing", err);
    }
    if (status == CISTERN_OK) {
        status = check_side(height, "height after resizing", err);
    }
    return status;
}

cistern_status image_resize_window(const image *in, uint64_t width, uint64_t height,
                                   model_interpolation filter, const image_window *window, image *out,
                                   cistern_error *err)
{
    cistern_status status = image_resize_check(in, width, height, err);
    if (status != CISTERN_OK) {
        return status;
    }
    assert(window->left <= width && window->width <= width - window->left);
    assert(window->top <= height && window->height <= height - window->top);

    image made = IMAGE_INIT;
    status = image_rgb_new((uint32_t)window->width, (uint32_t)window->height, &made, err);
    if (status != CISTERN_OK) {
        return status;
    }
    status = filter == MODEL_NEAREST
                 ? resize_nearest(in, (uint32_t)width, (uint32_t)height, window, &made, err)
                 : resize_filtered(in, (uint32_t)width, (uint32_t)height, filter, window, &made, err);
    if (status != CISTERN_OK) {
        image_clear(&made);
        return status;
    }
    *out = made;
    return CISTERN_OK;
}

cistern_status image_resize(const image *in, uint64_t width, uint64_t height, model_interpolation filter,
                            image *out, cistern_error *err)
{
    image_window whole = {0, 0, width, height};
    return image_resize_window(in, width, height, filter, &whole, out, err);
}
