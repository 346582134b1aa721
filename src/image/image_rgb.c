/* The life of a picture. See the header for the invariants. */
#include "image_rgb.h"

#include <stdlib.h>
#include <string.h>

#include "base_mem.h"

cistern_status image_rgb_new(uint32_t width, uint32_t height, image *out, cistern_error *err)
{
    if (width == 0 || height == 0) {
        return base_fail(err, CISTERN_UNREADABLE, "an image of %u x %u pixels; at least 1 x 1 is needed",
                         width, height);
    }
    uint64_t pixels = (uint64_t)width * height;
    if (pixels > IMAGE_PIXELS_MAX) {
        return base_fail(err, CISTERN_UNREADABLE,
                         "an image of %u x %u = %llu pixels; at most %u are read; make it smaller first",
                         width, height, (unsigned long long)pixels, IMAGE_PIXELS_MAX);
    }
    uint8_t *rgb = NULL;
    cistern_status status = base_calloc((size_t)pixels, IMAGE_CHANNELS, &rgb, err);
    if (status != CISTERN_OK) {
        return status;
    }
    *out = (image){rgb, width, height};
    return CISTERN_OK;
}

cistern_status image_from_rgb(uint32_t width, uint32_t height, size_t stride, const void *rgb, image *out,
                              cistern_error *err)
{
    size_t row = (size_t)width * IMAGE_CHANNELS;
    if (stride == 0) {
        stride = row;
    }
    if (stride < row) {
        return base_fail(err, CISTERN_USAGE, "%zu bytes from row to row; %u pixels need at least %zu", stride,
                         width, row);
    }
    image made = IMAGE_INIT;
    cistern_status status = image_rgb_new(width, height, &made, err);
    if (status != CISTERN_OK) {
        return status;
    }
    const uint8_t *from = rgb;
    for (size_t y = 0; y < height; y++) {
        memcpy(made.rgb + y * row, from + y * stride, row);
    }
    *out = made;
    return CISTERN_OK;
}

void image_clear(image *picture)
{
    free(picture->rgb);
    *picture = (image)IMAGE_INIT;
}
