/* A picture in memory: 8-bit red, green, blue.
 *
 * Invariants
 *  1. width and height are at least 1, width * height at most IMAGE_PIXELS_MAX; or the picture is empty (all
 * zero).
 *  2. Rows follow each other without padding: pixel (x, y) is the 3 bytes at rgb + 3 * (y * width + x).
 *
 * What it does not do: alpha, grey, more than 8 bits, colour profiles (the values are taken as they are).
 */
#ifndef IMAGE_RGB_H
#define IMAGE_RGB_H

#include "base_error.h"

/* Pixels of one picture. Source: Pillow 9.4 raises DecompressionBombError above twice 89,478,485. */
#define IMAGE_PIXELS_MAX 178956970u
#define IMAGE_CHANNELS   3u

typedef struct image {
    uint8_t *rgb; /* (height, width, 3), owned; NULL when empty */
    uint32_t width, height;
} image;

#define IMAGE_INIT                                                                                           \
    {                                                                                                        \
        NULL, 0, 0                                                                                           \
    }

/**
 * A black picture.
 * @param out  owned by the caller; image_clear. Untouched on failure.
 * @retval UNREADABLE  no pixels, or more than IMAGE_PIXELS_MAX.  @retval NO_MEMORY
 */
cistern_status image_rgb_new(uint32_t width, uint32_t height, image *out,
                             cistern_error *err) CISTERN_MUST_CHECK;

/**
 * A picture from raw pixels, which are copied.
 * @param stride  bytes from one row to the next, at least 3 * width; 0 means 3 * width.
 * @param rgb     borrowed for the call: (height - 1) * stride + 3 * width bytes.
 * @param out     owned by the caller; image_clear. Untouched on failure.
 * @retval USAGE  stride too small.  @retval UNREADABLE  as image_rgb_new.  @retval NO_MEMORY
 */
cistern_status image_from_rgb(uint32_t width, uint32_t height, size_t stride, const void *rgb, image *out,
                              cistern_error *err) CISTERN_MUST_CHECK;

/** Free the pixels; the picture is empty afterwards. An empty one is allowed. */
void image_clear(image *picture);

#endif
