/* PNG by libpng.
 *
 * Invariants
 *  1. setjmp is only in guarded(), which owns nothing: what libpng allocates hangs off the reader and is
 * freed by image_png_decode after guarded() has returned, whichever way it returned.
 *  2. Memory for the pixels is taken only after the header was checked against the limits.
 *  3. Every chunk's checksum is verified. Chunks that cannot change a pixel here (text, profiles, time …) are
 * skipped unread, so that a small one cannot unfold into a large one.
 *
 * What it does not do: animation (the first picture is read); alpha, a transparent colour (tRNS) and gamma are not
 * applied, as in Pillow.
 */
#include "priv/image_kinds.h"

#include <setjmp.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <png.h>

#include "base_cursor.h"

#define TEXT_MAX    128u /* bytes kept of libpng's message */
#define PALETTE_MAX 256u /* colours */

typedef struct png_reader {
    png_structp png;
    png_infop info;
    jmp_buf jump;
    base_cursor left; /* what libpng has not read yet */
    uint8_t *rgb;     /* borrowed: (height, width, 3) */
    size_t sample;    /* bytes of a pixel as libpng gives it: 3 RGB, 1 index of a palette, 2 grey */
    uint8_t palette[PALETTE_MAX][IMAGE_CHANNELS];
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

/* The file's colours; an index beyond them is a grey of that value, as in Pillow. */
static void take_palette(png_reader *reader)
{
    png_colorp colours = NULL;
    int count = 0;
    (void)png_get_PLTE(reader->png, reader->info, &colours, &count);
    for (size_t i = 0; i < PALETTE_MAX; i++) {
        memset(reader->palette[i], (int)i, IMAGE_CHANNELS);
        if (i < (size_t)count) {
            reader->palette[i][0] = colours[i].red;
            reader->palette[i][1] = colours[i].green;
            reader->palette[i][2] = colours[i].blue;
        }
    }
}

/* Ask for what can be had as RGB, or as what spread_row() makes of it. */
static void choose_form(png_reader *reader)
{
    png_structp png = reader->png;
    int depth = png_get_bit_depth(png, reader->info), colour = png_get_color_type(png, reader->info);
    if (colour == PNG_COLOR_TYPE_PALETTE) {
        take_palette(reader);
        png_set_packing(png);
        png_set_check_for_invalid_index(png, 0);
        reader->sample = 1;
    } else if (colour == PNG_COLOR_TYPE_GRAY && depth == 16) {
        reader->sample = 2;
    } else {
        if (colour == PNG_COLOR_TYPE_GRAY && depth < 8) {
            png_set_expand_gray_1_2_4_to_8(png);
        }
        png_set_strip_16(png);
        png_set_strip_alpha(png);
        png_set_gray_to_rgb(png);
        reader->sample = IMAGE_CHANNELS;
    }
}

/* A row of indexes or of 16-bit greys at the front of its place becomes RGB there; from the last pixel, so that none is
 * overwritten before it was read. Grey is cut at 255: Pillow's mode I. */
static void spread_row(const png_reader *reader, uint8_t *row, size_t width)
{
    for (size_t x = width; x-- > 0;) {
        uint8_t *to = row + x * IMAGE_CHANNELS;
        if (reader->sample == 1) {
            memcpy(to, reader->palette[row[x]], IMAGE_CHANNELS);
        } else {
            memset(to, row[2 * x] != 0 ? 255 : row[2 * x + 1], IMAGE_CHANNELS);
        }
    }
}

static void read_pixels(png_reader *reader)
{
    png_structp png = reader->png;
    choose_form(reader);
    int passes = png_set_interlace_handling(png);
    png_read_update_info(png, reader->info);
    size_t height = png_get_image_height(png, reader->info);
    size_t width = png_get_image_width(png, reader->info), row = width * IMAGE_CHANNELS;
    if (png_get_rowbytes(png, reader->info) != width * reader->sample) {
        png_error(png, "rows of an unexpected length");
    }
    for (int pass = 0; pass < passes; pass++) {
        for (size_t y = 0; y < height; y++) {
            png_read_row(png, reader->rgb + y * row, NULL);
        }
    }
    png_read_end(png, NULL);
    for (size_t y = 0; reader->sample != IMAGE_CHANNELS && y < height; y++) {
        spread_row(reader, reader->rgb + y * row, width);
    }
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
    status = guarded(&reader, read_header) ? CISTERN_OK : fail_damaged(&reader, err);
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
