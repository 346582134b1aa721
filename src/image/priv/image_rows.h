/* Filtering rows: the kernels of a resize's first pass, in which nearly all of its time goes. */
#ifndef IMAGE_ROWS_H
#define IMAGE_ROWS_H

#include <stddef.h>

#include "image_taps.h"

#define IMAGE_ROWS_AT_ONCE 4  /* rows that a kernel takes, so that weights are loaded once for them */
#define IMAGE_ROWS_BEYOND  13 /* bytes that it may read after the last pixel of a row */

/**
 * Filter IMAGE_ROWS_AT_ONCE rows.
 * @param in    u8 (rows, width, 3), in_stride bytes from row to row; IMAGE_ROWS_BEYOND bytes after the last row are readable.
 * @param taps  split (image_taps_split) for kernels other than the plain one.
 * @param out   u8 (rows, taps->n, 3), out_stride bytes from row to row.
 */
typedef void image_rows_fn(const uint8_t *in, size_t in_stride, const image_taps *taps, uint8_t *out,
                           size_t out_stride);

/** The plain twin, for one row: sums of 32 bits that wrap, 22 binary places, rounded, cut to a byte. Reads nothing beyond. */
void image_rows_u8_1x1__ref(const uint8_t *in, const image_taps *taps, uint8_t *out);

#if defined(__x86_64__)
image_rows_fn image_rows_u8_4x1__avx2;
#endif

/** The fastest kernel that this CPU has, or NULL: the plain one. */
image_rows_fn *image_rows_kernel(void);

#endif
