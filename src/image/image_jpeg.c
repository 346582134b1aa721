/* JPEG by libjpeg-turbo, with the settings under which Pillow decodes.
 *
 * Invariants
 *  1. setjmp is only in guarded(), which owns nothing: what libjpeg allocates hangs off the reader and is
 * freed by image_jpeg_decode after guarded() has returned, whichever way it returned.
 *  2. Memory for the pixels is taken only after the header was checked against the limits.
 *  3. A warning of libjpeg that means lost picture data ends the decoding; the few harmless ones are listed.
 *
 * What it does not do: 12 bits, lossless, and scaling inside the DCT (which changes pixels).
 */
#include "priv/image_kinds.h"

#include <setjmp.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <jpeglib.h>

/* The message codes alone: included whole, jerror.h brings macros built on a function that is banned here. */
#define JERROR_H
#define JMESSAGE(code, string) code,
enum jpeg_message {
#include <jerror.h>
    JPEG_MESSAGE_END
};

#include "image_decode.h"

typedef struct jpeg_reader {
    struct jpeg_decompress_struct info; /* first: libjpeg hands this pointer back */
    struct jpeg_error_mgr manager;
    struct jpeg_progress_mgr progress;
    jmp_buf jump;
    const uint8_t *bytes;
    size_t n;
    uint8_t *rgb; /* borrowed: (output_height, output_width, 3) */
    bool too_many_scans;
    char text[JMSG_LENGTH_MAX]; /* libjpeg's words for what went wrong */
} jpeg_reader;

static jpeg_reader *reader_of(j_common_ptr info)
{
    return (jpeg_reader *)(void *)info;
}

/* libjpeg calls this instead of exiting. */
static _Noreturn void on_error(j_common_ptr info)
{
    jpeg_reader *reader = reader_of(info);
    info->err->format_message(info, reader->text);
    longjmp(reader->jump, 1);
}

/* Whether a warning leaves every pixel as the encoder meant it: Pillow decodes such files, and so do we. */
static bool is_harmless(int code)
{
    return code == JWRN_EXTRANEOUS_DATA /* bytes between segments: some cameras pad */
           || code == JWRN_ADOBE_XFORM  /* unknown transform flag in an Adobe marker */
           || code == JWRN_JFIF_MAJOR   /* a JFIF version of the future */
           || code == JWRN_TOO_MUCH_DATA;
}

static void on_message(j_common_ptr info, int level)
{
    if (level < 0 && !is_harmless(info->err->msg_code)) {
        on_error(info);
    }
}

static void on_output(j_common_ptr info)
{
    (void)info; /* the library does not print */
}

static void on_progress(j_common_ptr info)
{
    jpeg_reader *reader = reader_of(info);
    if (reader->info.input_scan_number > IMAGE_JPEG_SCANS_MAX) {
        reader->too_many_scans = true;
        longjmp(reader->jump, 1);
    }
}

static void read_header(jpeg_reader *reader)
{
    jpeg_create_decompress(&reader->info);
    reader->info.progress = &reader->progress;
    jpeg_mem_src(&reader->info, reader->bytes, (unsigned long)reader->n);
    (void)jpeg_read_header(&reader->info, TRUE);
}

/* a * b / 255, rounded, for a and b up to 255. */
static uint32_t mul_255(uint32_t a, uint32_t b)
{
    uint32_t product = a * b + 128;
    return ((product >> 8) + product) >> 8;
}

/* Cyan, magenta, yellow, black, each stored as 255 less its amount (Adobe's way, and by Pillow's rule everybody's), to
 * red, green, blue by Pillow's arithmetic. */
static void row_from_inks(const uint8_t *inks, size_t n, uint8_t *rgb)
{
    for (size_t i = 0; i < n; i++) {
        uint32_t light = inks[4 * i + 3]; /* what black leaves */
        for (size_t c = 0; c < IMAGE_CHANNELS; c++) {
            rgb[IMAGE_CHANNELS * i + c] = (uint8_t)(light - mul_255(255u - inks[4 * i + c], light));
        }
    }
}

static void read_pixels(jpeg_reader *reader)
{
    struct jpeg_decompress_struct *info = &reader->info;
    bool inks = info->num_components == 4;
    info->out_color_space = inks ? JCS_CMYK : JCS_RGB; /* RGB from YCbCr, RGB and grey, which it repeats */
    info->dct_method = JDCT_ISLOW;
    info->do_fancy_upsampling = TRUE;
    (void)jpeg_start_decompress(info);
    size_t row = (size_t)info->output_width * IMAGE_CHANNELS;
    JSAMPARRAY four =
        inks ? info->mem->alloc_sarray((j_common_ptr)info, JPOOL_IMAGE, info->output_width * (JDIMENSION)4, 1)
             : NULL;
    while (info->output_scanline < info->output_height) {
        JSAMPROW line = reader->rgb + info->output_scanline * row;
        (void)jpeg_read_scanlines(info, inks ? four : &line, 1);
        if (inks) {
            row_from_inks(four[0], info->output_width, line);
        }
    }
    (void)jpeg_finish_decompress(info); /* reads up to the end marker */
}

/* Run one step; false if libjpeg gave up. Owns nothing. */
static bool guarded(jpeg_reader *reader, void (*step)(jpeg_reader *))
{
    if (setjmp(reader->jump) != 0) {
        return false;
    }
    step(reader);
    return true;
}

static cistern_status fail_damaged(const jpeg_reader *reader, cistern_error *err)
{
    int code = reader->manager.msg_code;
    if (reader->too_many_scans) {
        return base_fail(err, CISTERN_UNREADABLE,
                         "a JPEG with more than %d scans; save it again as a baseline JPEG",
                         IMAGE_JPEG_SCANS_MAX);
    }
    if (code == JERR_OUT_OF_MEMORY) {
        return base_fail(err, CISTERN_NO_MEMORY, "out of memory while decoding a JPEG");
    }
    if (code == JERR_SOF_UNSUPPORTED || code == JERR_ARITH_NOTIMPL || code == JERR_CONVERSION_NOTIMPL ||
        code == JERR_BAD_PRECISION) {
        return base_fail(err, CISTERN_UNREADABLE, "a JPEG of an unusual kind (%s); " IMAGE_KINDS_READ,
                         reader->text);
    }
    return base_fail(err, CISTERN_UNREADABLE, "a damaged or cut off JPEG (fetch or export it again): %s",
                     reader->text);
}

/* What the header says must be a kind that is read; libjpeg itself would go on. (It refuses all but 8 bits.) */
static cistern_status check_header(const struct jpeg_decompress_struct *info, cistern_error *err)
{
    if (info->num_components != 1 && info->num_components != 3 && info->num_components != 4) {
        return base_fail(err, CISTERN_UNREADABLE, "a JPEG of %d components; " IMAGE_KINDS_READ,
                         info->num_components);
    }
    return CISTERN_OK;
}

static void reader_init(jpeg_reader *reader, const uint8_t *bytes, size_t n)
{
    memset(reader, 0, sizeof *reader);
    reader->info.err = jpeg_std_error(&reader->manager);
    reader->manager.error_exit = on_error;
    reader->manager.emit_message = on_message;
    reader->manager.output_message = on_output;
    reader->progress.progress_monitor = on_progress;
    reader->bytes = bytes;
    reader->n = n;
}

cistern_status image_jpeg_decode(const uint8_t *bytes, size_t n, image *out, cistern_error *err)
{
    jpeg_reader reader;
    image made = IMAGE_INIT;
    reader_init(&reader, bytes, n);

    cistern_status status = guarded(&reader, read_header) ? CISTERN_OK : fail_damaged(&reader, err);
    if (status != CISTERN_OK) {
        goto out;
    }
    status = check_header(&reader.info, err);
    if (status != CISTERN_OK) {
        goto out;
    }
    status = image_rgb_new(reader.info.image_width, reader.info.image_height, &made, err);
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
    jpeg_destroy_decompress(&reader.info);
    image_clear(&made);
    return status;
}
