/* Resize a picture, bit for bit as Pillow 9.4's Image.resize does for 8-bit RGB.
 *
 * Source of the semantics: Pillow's Image.resize without box and reducing_gap. The filter grows with the
 * reduction (antialias); its weights are taken as integers of 22 binary places; rows are filtered first,
 * rounded to 8 bits, then columns; a direction whose size stays is not filtered. Nearest takes the pixel
 * under the centre.
 *
 * Each pixel of the result depends on the source alone, so a part of the result is computed without the rest.
 */
#ifndef IMAGE_RESIZE_H
#define IMAGE_RESIZE_H

#include "image_rgb.h"
#include "model_facts.h"

/* Pixels of one side before or after. Source: up to here Pillow's own coordinates (32-bit floats) are exact.
 */
#define IMAGE_RESIZE_SIDE_MAX ((uint64_t)1 << 24)

/** A part of a picture: pixels, from the left and from the top. */
typedef struct image_window {
    uint64_t left, top, width, height;
} image_window;

/**
 * Resize to width x height.
 * @param in   not empty; borrowed for the call.
 * @param out  owned by the caller; image_clear. Untouched on failure; must not be `in`.
 * @retval UNREADABLE  a side of 0 or above IMAGE_RESIZE_SIDE_MAX, or more than IMAGE_PIXELS_MAX pixels.
 * @retval NO_MEMORY
 * Threads: any, on distinct `out`.
 */
cistern_status image_resize(const image *in, uint64_t width, uint64_t height, model_interpolation filter,
                            image *out, cistern_error *err) CISTERN_MUST_CHECK;

/**
 * Whether such a resize can be done at all.
 * @retval UNREADABLE  a side, before or after, of 0 or above IMAGE_RESIZE_SIDE_MAX.
 */
cistern_status image_resize_check(const image *in, uint64_t width, uint64_t height,
                                  cistern_error *err) CISTERN_MUST_CHECK;

/** The same, but only `window` of the result is computed; it must lie inside width x height (asserted). */
cistern_status image_resize_window(const image *in, uint64_t width, uint64_t height,
                                   model_interpolation filter, const image_window *window, image *out,
                                   cistern_error *err) CISTERN_MUST_CHECK;

#endif
