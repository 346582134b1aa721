/* Resize a picture as TensorFlow 1 does by default, into floats. */
#ifndef IMAGE_LEGACY_H
#define IMAGE_LEGACY_H

#include "image_resize.h"

/** Where floats go: the first of the red, green and blue plane, and floats from row to row. */
typedef struct image_planes {
    float *first[IMAGE_CHANNELS];
    size_t stride;
} image_planes;

/**
 * The part `window` of the picture at width x height: values from 0 to 255, not rounded.
 * @param out  window->height rows of window->width floats in each plane; caller's memory, the rest stays as it is.
 * @retval UNREADABLE  as image_resize_check.  @retval NO_MEMORY
 * Source: tf.compat.v1.image.resize_bilinear(align_corners=False, half_pixel_centers=False), bit for bit: an output pixel
 * lies at its number times in / out, a 32-bit float, and is mixed from the pixels to both sides, columns first.
 */
cistern_status image_legacy_resize(const image *in, uint64_t width, uint64_t height,
                                   const image_window *window, const image_planes *out,
                                   cistern_error *err) CISTERN_MUST_CHECK;

#endif
