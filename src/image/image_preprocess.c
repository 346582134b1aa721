/* The size arithmetic of torchvision and of TensorFlow's slim, the centre crop, the normalisation. Resizes are elsewhere.
 *
 * Only the part of the resized picture that the crop keeps is ever computed; a very long picture costs no
 * more.
 */
#include "image_preprocess.h"

#include <assert.h>
#include <math.h>
#include <stdbool.h>
#include <string.h>
#include "priv/image_legacy.h"

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

/* slim's _smallest_size_at_least: both sides times one 32-bit float, halves to even. */
static void legacy_size(const image *in, uint32_t resize_short, uint64_t *out_width, uint64_t *out_height)
{
    float width = (float)in->width, height = (float)in->height;
    float factor = (float)resize_short / (height > width ? width : height);
    *out_width = (uint64_t)rintf(width * factor);
    *out_height = (uint64_t)rintf(height * factor);
}

static void resized_size(const image *in, const model_preprocess *how, uint64_t *out_width,
                         uint64_t *out_height)
{
    if (how->resize == MODEL_RESIZE_SQUASH) {
        *out_width = how->resize_width > 0 ? how->resize_width : how->width;
        *out_height = how->resize_height > 0 ? how->resize_height : how->height;
    } else if (how->resize_short == 0) {
        *out_width = in->width;
        *out_height = in->height;
    } else if (how->sampling == MODEL_SAMPLING_LEGACY) {
        legacy_size(in, how->resize_short, out_width, out_height);
    } else if (in->width <= in->height) {
        *out_width = how->resize_short;
        *out_height = long_side(how->resize_short, in->height, in->width);
    } else {
        *out_height = how->resize_short;
        *out_width = long_side(how->resize_short, in->width, in->height);
    }
}

/* Half of a difference of pixels. Python's round takes halves to even, TensorFlow's conversion cuts them off. */
static uint64_t half_of(uint64_t difference, model_sampling sampling)
{
    uint64_t half = difference / 2;
    bool up = sampling == MODEL_SAMPLING_PILLOW && difference % 2 != 0 && half % 2 != 0;
    return up ? half + 1 : half;
}

/* One direction: `side` pixels are there, `wanted` are needed. What is missing is padded, half of it (cut)
 * before. */
static void centre(uint64_t side, uint32_t wanted, model_sampling sampling, uint64_t *out_from,
                   uint64_t *out_count, uint32_t *out_to)
{
    if (side >= wanted) {
        *out_from = half_of(side - wanted, sampling);
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
    centre(width, how->width, how->sampling, &c.from.left, &c.from.width, &c.to_left);
    centre(height, how->height, how->sampling, &c.from.top, &c.from.height, &c.to_top);
    return c;
}

static float normalised(float value, const model_preprocess *how, uint32_t plane)
{
    float scaled = how->scale == MODEL_SCALE_1 ? value / 255.0f : value;
    float centred = scaled - how->mean[plane];
    return centred / how->std[plane];
}

/* The plane of the output in which a channel of the picture (red, green, blue) goes, and back. */
static uint32_t plane_of(const model_preprocess *how, uint32_t channel)
{
    return how->colour == MODEL_BGR ? IMAGE_CHANNELS - 1 - channel : channel;
}

/* One plane: padding everywhere, then the picture's pixels over it. */
static void write_plane(const image *in, uint32_t channel, const crop *c, const model_preprocess *how,
                        float *plane)
{
    float table[BYTE_VALUES];
    size_t width = how->width, pixels = width * how->height;
    for (uint32_t value = 0; value < BYTE_VALUES; value++) {
        table[value] = normalised((float)value, how, plane_of(how, channel));
    }
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

/* By way of a picture of bytes. */
static cistern_status prepare_bytes(const image *in, uint64_t width, uint64_t height, const crop *c,
                                    const model_preprocess *how, float *out, cistern_error *err)
{
    image part = IMAGE_INIT;
    size_t pixels = (size_t)how->width * how->height;
    cistern_status status = image_resize_window(in, width, height, how->interpolation, &c->from, &part, err);
    for (uint32_t channel = 0; status == CISTERN_OK && channel < IMAGE_CHANNELS; channel++) {
        write_plane(&part, channel, c, how, out + plane_of(how, channel) * pixels);
    }
    image_clear(&part);
    return status;
}

/* Floats from the start: zeros, the picture over them, then all of it normalised in place. */
static cistern_status prepare_floats(const image *in, uint64_t width, uint64_t height, const crop *c,
                                     const model_preprocess *how, float *out, cistern_error *err)
{
    image_planes planes = {.stride = how->width};
    size_t pixels = (size_t)how->width * how->height, first = (size_t)c->to_top * how->width + c->to_left;
    memset(out, 0, IMAGE_CHANNELS * pixels * sizeof *out);
    for (uint32_t channel = 0; channel < IMAGE_CHANNELS; channel++) {
        planes.first[channel] = out + plane_of(how, channel) * pixels + first;
    }
    cistern_status status = image_legacy_resize(in, width, height, &c->from, &planes, err);
    for (uint32_t plane = 0; status == CISTERN_OK && plane < IMAGE_CHANNELS; plane++) {
        for (size_t i = 0; i < pixels; i++) {
            out[plane * pixels + i] = normalised(out[plane * pixels + i], how, plane);
        }
    }
    return status;
}

cistern_status image_preprocess(const image *in, const model_preprocess *how, float *out, cistern_error *err)
{
    assert(in->rgb != NULL && how->width > 0 && how->height > 0);
    assert(how->sampling == MODEL_SAMPLING_PILLOW || how->interpolation == MODEL_BILINEAR);
    uint64_t width = 0, height = 0;
    resized_size(in, how, &width, &height);
    crop c = centre_crop(width, height, how);
    cistern_status status = how->sampling == MODEL_SAMPLING_LEGACY
                                ? prepare_floats(in, width, height, &c, how, out, err)
                                : prepare_bytes(in, width, height, &c, how, out, err);
    return status == CISTERN_OK
               ? status
               : base_frame(err, status, "an image of %u x %u pixels", in->width, in->height);
}
