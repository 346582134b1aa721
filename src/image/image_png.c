/* PNG by libpng.
 *
 * Invariants
 *  1. setjmp is only in guarded(), which owns nothing: what libpng allocates hangs off the reader and is
 * freed by image_png_decode after guarded() has returned, whichever way it returned.
 *  2. Memory for the pixels is taken only after the header was checked against the limits.
 *  3. Every chunk's checksum is verified. Chunks that cannot change a pixel here (text, profiles, time …) are
 * skipped unread, so that a small one cannot unfold into a large one.
 *
 * What it does not do: palettes, alpha, 1, 2, 4 and 16 bits; animation (the first picture is read); a
 * transparent colour (tRNS) and gamma are not applied, as in Pillow.
 */
#include "priv/image_kinds.h"

#include <setjmp.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <png.h>

#include "base_cursor.h"

#define TEXT_MAX 128u /* bytes kept of libpng's message */

typedef struct png_reader {
    png_structp png;
    png_infop info;
    jmp_buf jump;
    base_cursor left; /* what libpng has not read yet */
    uint8_t *rgb;     /* borrowed: (height, width, 3) */
    char text[TEXT_MAX];
} png_reader;

static PNG_NORETURN void on_error(png_structp png, png_const_charp message)
{
    png_reader *reader = png_get_error_ptr(png);
    (void)snprintf(reader->text, sizeof reader->text, "%s", message);
    longjmp(reader->jump, 1);
}

static void on_warning(png_structp png, png_const_charp message)
{
    (void)png; /* wrong checksums are errors; the rest does not touch pixels */
    (void)message;
}

static void on_read(png_structp png, png_bytep out, size_t n)
{
    png_reader *reader = png_get_io_ptr(png);
    const uint8_t *bytes = NULL;
    if (!base_cursor_take(&reader->left, n, &bytes)) {
        png_error(png, "the file ends early");
    }
    memcpy(out, bytes, n);
}

static void read_header(png_reader *reader)
{
    png_set_read_fn(reader->png, reader, on_read);
    png_set_crc_action(reader->png, PNG_CRC_ERROR_QUIT, PNG_CRC_ERROR_QUIT);
    png_set_user_limits(reader->png, PNG_UINT_31_MAX,
                        PNG_UINT_31_MAX); /* image_rgb_new has the limit that counts */
    png_set_keep_unknown_chunks(reader->png, PNG_HANDLE_CHUNK_NEVER, NULL, -1);
    png_read_info(reader->png, reader->info);
}

static void read_pixels(png_reader *reader)
{
    png_structp png = reader->png;
    png_set_gray_to_rgb(png);
    int passes = png_set_interlace_handling(png);
    png_read_update_info(png, reader->info);
    size_t height = png_get_image_height(png, reader->info);
    size_t row = (size_t)png_get_image_width(png, reader->info) * IMAGE_CHANNELS;
    if (png_get_rowbytes(png, reader->info) != row) {
        png_error(png, "rows of an unexpected length");
    }
    for (int pass = 0; pass < passes; pass++) {
        for (size_t y = 0; y < height; y++) {
            png_read_row(png, reader->rgb + y * row, NULL);
        }
    }
    png_read_end(png, NULL);
}

/* Run one step; false if libpng gave up. Owns nothing. */
static bool guarded(png_reader *reader, void (*step)(png_reader *))
{
    if (setjmp(reader->jump) != 0) {
        return false;
    }
    step(reader);
    return true;
}

static cistern_status fail_damaged(const png_reader *reader, cistern_error *err)
{
    return base_fail_at(err, CISTERN_UNREADABLE, reader->left.pos,
                        "a damaged or cut off PNG (fetch or export it again): %s", reader->text);
}

/* What the header says must be a kind that is read. */
static cistern_status check_header(const png_reader *reader, cistern_error *err)
{
    int depth = png_get_bit_depth(reader->png, reader->info);
    int colour = png_get_color_type(reader->png, reader->info);
    if (colour == PNG_COLOR_TYPE_PALETTE) {
        return base_fail(err, CISTERN_UNREADABLE, "a palette PNG; " IMAGE_KINDS_READ);
    }
    if ((colour & PNG_COLOR_MASK_ALPHA) != 0) {
        return base_fail(err, CISTERN_UNREADABLE, "a PNG with an alpha channel; " IMAGE_KINDS_READ);
    }
    if (depth != 8) {
        return base_fail(err, CISTERN_UNREADABLE, "a %d-bit PNG; " IMAGE_KINDS_READ, depth);
    }
    return CISTERN_OK;
}

static cistern_status reader_init(png_reader *reader, const uint8_t *bytes, size_t n, cistern_error *err)
{
    memset(reader, 0, sizeof *reader);
    base_cursor_init(&reader->left, bytes, n);
    reader->png = png_create_read_struct(PNG_LIBPNG_VER_STRING, reader, on_error, on_warning);
    reader->info = reader->png == NULL ? NULL : png_create_info_struct(reader->png);
    if (reader->info == NULL) {
        return base_fail(err, CISTERN_NO_MEMORY, "out of memory, or not the libpng that this was built with");
    }
    return CISTERN_OK;
}

cistern_status image_png_decode(const uint8_t *bytes, size_t n, image *out, cistern_error *err)
{
    png_reader reader;
    image made = IMAGE_INIT;

    cistern_status status = reader_init(&reader, bytes, n, err);
    if (status != CISTERN_OK) {
        goto out;
    }
    status = guarded(&reader, read_header) ? check_header(&reader, err) : fail_damaged(&reader, err);
    if (status != CISTERN_OK) {
        goto out;
    }
    status = image_rgb_new(png_get_image_width(reader.png, reader.info),
                           png_get_image_height(reader.png, reader.info), &made, err);
    if (status != CISTERN_OK) {
        goto out;
    }
    reader.rgb = made.rgb;
    status = guarded(&reader, read_pixels) ? CISTERN_OK : fail_damaged(&reader, err);
    if (status != CISTERN_OK) {
        goto out;
    }
    *out = made;
    made = (image)IMAGE_INIT;
out:
    png_destroy_read_struct(&reader.png, &reader.info, NULL);
    image_clear(&made);
    return status;
}
