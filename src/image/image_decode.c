/* Tells the kind of an image file from its first bytes, and names the kinds that are not read. */
#include "image_decode.h"
#include <stdbool.h>
#include <string.h>
#include "priv/image_kinds.h"

#define SNIFF_TEXT_MAX 512u /* bytes looked at to tell text from binary */

typedef struct magic {
    size_t offset;
    size_t length;
    const char *bytes;
    const char *name;
} magic;

/* In order; the first that fits names the file. Sources: each format's own specification. */
static const magic MAGICS[] = {
    {0, 4, "GIF8", "a GIF"},
    {0, 4, "II*\0", "a TIFF"},
    {0, 4, "MM\0*", "a TIFF"},
    {0, 4, "II+\0", "a TIFF"},
    {0, 4, "MM\0+", "a TIFF"},
    {0, 5, "%PDF-", "a PDF document"},
    {0, 4, "8BPS", "a Photoshop file"},
    {0, 4, "\0\0\1\0", "a Windows icon"},
    {4, 8, "jP  \r\n\x87\n", "a JPEG 2000"},
    {0, 4, "\xff\x4f\xff\x51", "a JPEG 2000"},
    {4, 8, "JXL \r\n\x87\n", "a JPEG XL"},
    {0, 2, "\xff\x0a", "a JPEG XL"},
    {4, 8, "ftypavif", "an AVIF"},
    {4, 8, "ftypavis", "an AVIF"},
    {4, 8, "ftypheic", "a HEIC"},
    {4, 8, "ftypheix", "a HEIC"},
    {4, 8, "ftypmif1", "a HEIF"},
    {4, 8, "ftypmsf1", "a HEIF"},
    {4, 4, "ftyp", "a video (MP4 or QuickTime)"},
    {0, 4, "\x1a\x45\xdf\xa3", "a video (Matroska or WebM)"},
    {0, 2, "BM", "a BMP"},
    {0, 4, "qoif", "a QOI"},
    {0, 4, "\x76\x2f\x31\x01", "an OpenEXR"},
    {0, 6, "\x93NUMPY", "a NumPy array"},
    {0, 8, "\x89HDF\r\n\x1a\n", "an HDF5 file"},
    {0, 4, "PK\3\4", "a zip archive (or a PyTorch .pth)"},
    {0, 2, "\x1f\x8b", "a gzip file"},
    {0, 34, "version https://git-lfs.github.com",
     "a Git LFS pointer (the image itself was not fetched: git lfs pull)"},
};

static bool starts_with(const uint8_t *bytes, size_t n, size_t offset, const char *what, size_t length)
{
    return n >= offset + length && memcmp(bytes + offset, what, length) == 0;
}

/* Whether the text at `bytes` begins with `word`, upper and lower case being equal. `word` is lower case. */
static bool starts_with_word(const uint8_t *bytes, size_t n, const char *word)
{
    for (size_t i = 0; word[i] != 0; i++) {
        if (i >= n) {
            return false;
        }
        uint8_t c = bytes[i];
        if (c >= 'A' && c <= 'Z') {
            c = (uint8_t)(c + ('a' - 'A'));
        }
        if (c != (uint8_t)word[i]) {
            return false;
        }
    }
    return true;
}

static bool is_space(uint8_t c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* P1 to P6 and a blank. */
static bool is_netpbm(const uint8_t *bytes, size_t n)
{
    return n >= 3 && bytes[0] == 'P' && bytes[1] >= '1' && bytes[1] <= '6' && is_space(bytes[2]);
}

/* The name of a text kind, or NULL if these are not text. */
static const char *text_kind(const uint8_t *bytes, size_t n)
{
    size_t looked = n < SNIFF_TEXT_MAX ? n : SNIFF_TEXT_MAX;
    for (size_t i = 0; i < looked; i++) {
        if (bytes[i] < 0x20 && !is_space(bytes[i]) && bytes[i] != '\f') {
            return NULL;
        }
        if (bytes[i] == 0x7f) {
            return NULL;
        }
    }
    if (starts_with(bytes, n, 0, "\xef\xbb\xbf", 3)) { /* a byte order mark */
        bytes += 3;
        n -= 3;
    }
    while (n > 0 && is_space(*bytes)) {
        bytes++;
        n--;
    }
    if (starts_with_word(bytes, n, "<!doctype html") || starts_with_word(bytes, n, "<html") ||
        starts_with_word(bytes, n, "<head")) {
        return "an HTML page (an error page saved as an image?)";
    }
    if (starts_with_word(bytes, n, "<svg")) {
        return "an SVG";
    }
    if (starts_with_word(bytes, n, "<?xml")) {
        return "an XML document (or an SVG)";
    }
    return "a text file";
}

static cistern_status fail_kind(const uint8_t *bytes, size_t n, cistern_error *err)
{
    for (size_t i = 0; i < sizeof MAGICS / sizeof MAGICS[0]; i++) {
        if (starts_with(bytes, n, MAGICS[i].offset, MAGICS[i].bytes, MAGICS[i].length)) {
            return base_fail(err, CISTERN_UNREADABLE, "%s; " IMAGE_KINDS_READ, MAGICS[i].name);
        }
    }
    if (is_netpbm(bytes, n)) {
        return base_fail(err, CISTERN_UNREADABLE, "a PNM (PBM, PGM or PPM); " IMAGE_KINDS_READ);
    }
    const char *text = text_kind(bytes, n);
    if (text != NULL) {
        return base_fail(err, CISTERN_UNREADABLE, "%s, not an image; JPEG, PNG and WebP are read", text);
    }
    uint8_t first[4] = {0};
    memcpy(first, bytes, n < sizeof first ? n : sizeof first);
    return base_fail(err, CISTERN_UNREADABLE,
                     "not an image of a known kind (%zu bytes, beginning with %02x %02x %02x %02x); JPEG, "
                     "PNG and WebP are "
                     "read",
                     n, first[0], first[1], first[2], first[3]);
}

cistern_status image_decode(const void *bytes, size_t n, image *out, cistern_error *err)
{
    if (n == 0) {
        return base_fail(err, CISTERN_UNREADABLE, "an empty file; JPEG, PNG and WebP are read");
    }
    if (n > IMAGE_ENCODED_MAX) {
        return base_fail(err, CISTERN_UNREADABLE, "%zu bytes; an image file may have at most %zu", n,
                         IMAGE_ENCODED_MAX);
    }
    if (starts_with(bytes, n, 0, "\xff\xd8\xff", 3)) {
        return image_jpeg_decode(bytes, n, out, err);
    }
    if (starts_with(bytes, n, 0, "\x89PNG\r\n\x1a\n", 8)) {
        return image_png_decode(bytes, n, out, err);
    }
    if (starts_with(bytes, n, 0, "RIFF", 4) && starts_with(bytes, n, 8, "WEBP", 4)) {
        return image_webp_decode(bytes, n, out, err);
    }
    return fail_kind(bytes, n, err);
}
