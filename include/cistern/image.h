/* A picture in memory: 8-bit RGB. Immutable. */
#ifndef CISTERN_IMAGE_H
#define CISTERN_IMAGE_H

#include <cistern/error.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct cistern_image cistern_image;

/** Decode a JPEG, PNG or WebP file. @retval CISTERN_UNREADABLE by name of what it is. */
CISTERN_API cistern_status cistern_image_open(const char *path, cistern_image **out,
                                              cistern_error *err) CISTERN_MUST_CHECK;
/** The same from bytes in memory, borrowed for the call. */
CISTERN_API cistern_status cistern_image_decode(const void *bytes, size_t n, cistern_image **out,
                                                cistern_error *err) CISTERN_MUST_CHECK;
/** Copy pixels: height rows of width x 3 bytes (R, G, B), `stride` bytes from row to row. */
CISTERN_API cistern_status cistern_image_from_rgb(const void *pixels, uint32_t width, uint32_t height,
                                                  size_t stride, cistern_image **out,
                                                  cistern_error *err) CISTERN_MUST_CHECK;
CISTERN_API void cistern_image_free(cistern_image *image);
CISTERN_API uint32_t cistern_image_width(const cistern_image *image);
CISTERN_API uint32_t cistern_image_height(const cistern_image *image);
/** Rows of width x 3 bytes without gaps; borrowed. */
CISTERN_API const uint8_t *cistern_image_pixels(const cistern_image *image);

#ifdef __cplusplus
}
#endif
#endif
