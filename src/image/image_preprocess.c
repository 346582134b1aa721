/* torchvision's size arithmetic, centre crop and normalisation. The resize is image_resize's.
 *
 * Only the part of the resized picture that the crop keeps is ever computed; a very long picture costs no
 * more.
 */
#include "image_preprocess.h"

#include <assert.h>

#define BYTE_VALUES 256u

/* Where the crop takes its pixels, and where in the output they go. */
typedef struct crop {
    image_window from;
    uint32_t to_left, to_top;
} crop;

/* int(short_side * long / short): one exact product, one division rounded to double, cut. */
static uint64_t long_side(uint64_t resize_short, uint64_t longer, uint64_t shorter)
{
    return (uint64_t)((double)(resize_short * longer) / (double)shorter);
}

static void resized_size(const image *in, const model_preprocess *how, uint64_t *out_width,
                         uint64_t *out_height)
{
    *out_width = in->width;
    *out_height = in->height;
    if (how->resize_short == 0) {
        return;
    }
    if (in->width <= in->height) {
        *out_width = how->resize_short;
        *out_height = long_side(how->resize_short, in->height, in->width);
    } else {
        *out_height = how->resize_short;
        *out_width = long_side(how->resize_short, in->width, in->height);
    }
}

/* Half of a difference of pixels, halves to even: Python's round. */
static uint64_t half_to_even(uint64_t difference)
{
    uint64_t half = difference / 2;
    return difference % 2 != 0 && half % 2 != 0 ? half + 1 : half;
}

/* One direction: `side` pixels are there, `wanted` are needed. What is missing is padded, half of it (cut)
 * before. */
static void centre(uint64_t side, uint32_t wanted, uint64_t *out_from, uint64_t *out_count, uint32_t *out_to)
{
    if (side >= wanted) {
        *out_from = half_to_even(side - wanted);
        *out_count = wanted;
        *out_to = 0;
    } else {
        *out_from = 0;
        *out_count = side;
        *out_to = (uint32_t)((wanted - side) / 2);
    }
}

static crop centre_crop(uint64_t width, uint64_t height, const model_preprocess *how)
{
    crop c;
    centre(width, how->width, &c.from.left, &c.from.width, &c.to_left);
    centre(height, how->height, &c.from.top, &c.from.height, &c.to_top);
    return c;
}

/* What each byte becomes in one channel. */
static void fill_table(float mean, float std, float table[BYTE_VALUES])
{
    for (uint32_t value = 0; value < BYTE_VALUES; value++) {
        float scaled = (float)value / 255.0f;
        float centred = scaled - mean;
        table[value] = centred / std;
    }
}

/* One plane: padding everywhere, then the picture's pixels over it. */
static void write_plane(const image *in, uint32_t channel, const crop *c, const model_preprocess *how,
                        float *plane)
{
    float table[BYTE_VALUES];
    fill_table(how->mean[channel], how->std[channel], table);
    size_t width = how->width, pixels = width * how->height;
    if (in->width < how->width || in->height < how->height) {
        for (size_t i = 0; i < pixels; i++) {
            plane[i] = table[0];
        }
    }
    for (size_t y = 0; y < in->height; y++) {
        const uint8_t *from = in->rgb + y * in->width * IMAGE_CHANNELS + channel;
        float *to = plane + (c->to_top + y) * width + c->to_left;
        for (size_t x = 0; x < in->width; x++) {
            to[x] = table[from[x * IMAGE_CHANNELS]];
        }
    }
}

cistern_status image_preprocess(const image *in, const model_preprocess *how, float *out, cistern_error *err)
{
    assert(in->rgb != NULL && how->width > 0 && how->height > 0);
    uint64_t width = 0, height = 0;
    resized_size(in, how, &width, &height);
    crop c = centre_crop(width, height, how);

    image part = IMAGE_INIT;
    cistern_status status = image_resize_window(in, width, height, how->interpolation, &c.from, &part, err);
    if (status != CISTERN_OK) {
        return base_frame(err, status, "an image of %u x %u pixels", in->width, in->height);
    }
    size_t pixels = (size_t)how->width * how->height;
    for (uint32_t channel = 0; channel < IMAGE_CHANNELS; channel++) {
        write_plane(&part, channel, &c, how, out + channel * pixels);
    }
    image_clear(&part);
    return CISTERN_OK;
}
