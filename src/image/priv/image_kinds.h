/* The decoders behind image_decode, one per kind, and the words that they share. */
#ifndef IMAGE_KINDS_H
#define IMAGE_KINDS_H

#include "image_rgb.h"

/* How every "not this kind" message goes on; PNG24 is ImageMagick's name for 8-bit RGB without alpha. */
#define IMAGE_KINDS_READ                                                                                     \
    "JPEG, PNG and WebP are read; convert it first, e.g. with ImageMagick: convert IN -background white "    \
    "-alpha remove PNG24:OUT.png"

/** As image_decode, for bytes that begin like a JPEG (FF D8 FF) / a PNG (its 8 byte signature) / a WebP (RIFF, WEBP). */
cistern_status image_jpeg_decode(const uint8_t *bytes, size_t n, image *out,
                                 cistern_error *err) CISTERN_MUST_CHECK;
cistern_status image_png_decode(const uint8_t *bytes, size_t n, image *out,
                                cistern_error *err) CISTERN_MUST_CHECK;
cistern_status image_webp_decode(const uint8_t *bytes, size_t n, image *out,
                                 cistern_error *err) CISTERN_MUST_CHECK;

#endif
