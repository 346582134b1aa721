/* The weights of one direction of a resize: which source pixels make an output pixel, and with what share.
 *
 * Invariants
 *  1. For output i the sources are first[i] .. first[i] + count[i] - 1, all inside the source; count[i] >= 0.
 *  2. Its weights are weight[i * stride] .. of IMAGE_TAPS_BITS binary places; they add up to nearly one.
 */
#ifndef IMAGE_TAPS_H
#define IMAGE_TAPS_H

#include "model_facts.h"

/* Binary places of a weight: 32, less 8 for the pixel, less 2 for overshoot. Source: Pillow. */
#define IMAGE_TAPS_BITS 22

typedef struct image_taps {
    uint32_t *first; /* n */
    uint32_t *count; /* n */
    int32_t *weight; /* n rows of `stride` */
    size_t stride;
    uint32_t n;
    int16_t *low, *high; /* NULL until split: n rows of split_stride, with zeros behind `count` */
    size_t split_stride; /* a multiple of 4 */
} image_taps;

#define IMAGE_TAPS_INIT                                                                                      \
    {                                                                                                        \
        NULL, NULL, NULL, 0, 0, NULL, NULL, 0                                                                \
    }

/**
 * The taps of outputs `from` to `from + n - 1` of a side of `in` pixels that becomes `out` pixels.
 * @param taps  owned by the caller, image_taps_clear. Untouched on failure.
 * Asserts: sides within 1 .. IMAGE_RESIZE_SIDE_MAX, from + n <= out, filter is not nearest.
 */
cistern_status image_taps_new(uint32_t in, uint32_t out, uint32_t from, uint32_t n,
                              model_interpolation filter, image_taps *taps,
                              cistern_error *err) CISTERN_MUST_CHECK;
void image_taps_clear(image_taps *taps);

/** Also give each weight as high * 65536 + low, for kernels that multiply 16 bits. Untouched on failure. */
cistern_status image_taps_split(image_taps *taps, cistern_error *err) CISTERN_MUST_CHECK;

/** The source pixel of each output of a nearest resize; `sources` has room for n. */
void image_taps_nearest(uint32_t in, uint32_t out, uint32_t from, uint32_t n, uint32_t *sources);

#endif
