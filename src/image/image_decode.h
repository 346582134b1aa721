/* From the bytes of an image file to a picture: JPEG, PNG and WebP.
 *
 * The pixels equal those of Pillow 9.4's Image.open(file).convert("RGB"), oddities included (docs/preprocessing.md): libjpeg-turbo
 * with the accurate integer DCT and smooth ("fancy") upsampling; grey is repeated in the three channels; alpha and
 * transparent colours are dropped, the colours beneath them kept; 16 bits lose their low byte, except grey, which is
 * clipped at 255; four inks are taken as Adobe stores them; of an animation the first picture is read; an EXIF
 * orientation, a colour profile and a gamma are not applied.
 *
 * Stricter than Pillow in one thing: a file that ends early, has a wrong checksum or corrupt entropy-coded
 * data is refused even where Pillow would fill the gap with grey.
 */
#ifndef IMAGE_DECODE_H
#define IMAGE_DECODE_H

#include "image_rgb.h"

/* Bytes of one encoded image: more than an uncompressed 8000 x 8000 picture. */
#define IMAGE_ENCODED_MAX    ((size_t)256 << 20)
/* Scans of one progressive JPEG. Encoders write about 10; each costs a pass over all pixels. */
#define IMAGE_JPEG_SCANS_MAX 100

/**
 * Decode. The kind is told from the first bytes, never from a name.
 * @param bytes  n bytes, borrowed for the call; NULL if n is 0. Hostile.
 * @param out    owned by the caller; image_clear. Untouched on failure.
 * @retval UNREADABLE  another kind of file (named, with what to do), a kind of JPEG that is not read (named), damaged, cut off, too many pixels or bytes.
 * @retval NO_MEMORY
 * Threads: any, on distinct `out`.
 */
cistern_status image_decode(const void *bytes, size_t n, image *out, cistern_error *err) CISTERN_MUST_CHECK;

#endif
