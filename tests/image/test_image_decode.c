/* Decoding: equal to Pillow, refusals by name, and hostile bytes. Every input ends at a guard page. */
#include "image_golden.h"

#define CUTS      200u
#define MUTATIONS 400u /* of each file */
#define LUMPS_MAX 3u   /* changed bytes of one mutation */

static void decode_one(const char *line)
{
    char name[GOLDEN_NAME_MAX], hex[BASE_SHA256_HEX];
    uint32_t width = 0, height = 0;
    assert_int_equal(sscanf(line, GOLDEN_NAME_SCAN " %u %u %64s", name, &width, &height, hex), 4);
    image picture = golden_image(name);
    golden_assert_image(&picture, width, height, hex, line);
    image_clear(&picture);
}

static void pixels_equal_pillows(void **state)
{
    (void)state;
    assert_int_equal(golden_each("decode", decode_one), 89);
}

static void refuse_one(const char *line)
{
    char name[GOLDEN_NAME_MAX];
    int at = 0;
    assert_int_equal(sscanf(line, GOLDEN_NAME_SCAN " %n", name, &at), 1);
    image picture = {NULL, 7, 9};
    cistern_error err = CISTERN_ERROR_INIT;
    size_t n = 0;
    guard_page bytes = golden_file(name, &n);
    assert_int_equal(image_decode(bytes.data, n, &picture, &err), CISTERN_UNREADABLE);
    if (strncmp(err.text, line + at, strlen(line + at)) != 0) {
        fail_msg("%s: \"%s\" does not begin with \"%s\"", name, err.text, line + at);
    }
    assert_non_null(strstr(err.text, "JPEG, PNG and WebP")); /* what is read */
    assert_true(picture.rgb == NULL && picture.width == 7 && picture.height == 9);
    guard_page_free(&bytes);
}

static void other_kinds_are_refused_by_name(void **state)
{
    (void)state;
    assert_int_equal(golden_each("refuse", refuse_one), 13);
}

static void assert_refused(const uint8_t *bytes, size_t n, const char *words)
{
    image picture = IMAGE_INIT;
    cistern_error err = CISTERN_ERROR_INIT;
    guard_page guarded = guard_page_of(bytes, n);
    cistern_status status = image_decode(guarded.data, n, &picture, &err);
    guard_page_free(&guarded);
    assert_int_equal(status, CISTERN_UNREADABLE);
    if (strstr(err.text, words) == NULL) {
        fail_msg("\"%s\" does not contain \"%s\"", err.text, words);
    }
}

/* Cut each file at 200 places spread over its length; `whole` bytes are needed for all of the picture. */
static void assert_cuts_refused(const char *name, size_t whole)
{
    size_t n = 0;
    guard_page bytes = golden_file(name, &n);
    whole = whole == 0 ? n : whole;
    for (size_t cut = 0; cut < CUTS; cut++) {
        assert_refused(bytes.data, whole * cut / CUTS, "");
    }
    for (size_t missing = 1; missing <= 16; missing++) {
        assert_refused(bytes.data, whole - missing, "cut off");
    }
    guard_page_free(&bytes);
}

static void cut_files_are_refused(void **state)
{
    (void)state;
    assert_cuts_refused("photo-420.jpg", 0);
    assert_cuts_refused("photo-progressive.jpg", 0);
    assert_cuts_refused("restart-each-block-progressive.jpg", 0);
    assert_cuts_refused("arithmetic.jpg", 0);
    assert_cuts_refused("grey.jpg", 0);
    assert_cuts_refused("photo.png", 0);
    assert_cuts_refused("interlaced.png", 0);
    assert_cuts_refused("interlaced-grey-3x5.png", 0);
    assert_cuts_refused("kind-palette-4-interlaced.png", 0);
    assert_cuts_refused("kind-grey-16.png", 0);
    assert_cuts_refused("cmyk-progressive.jpg", 0);
    assert_cuts_refused("lossy-alpha.webp", 0);
    assert_cuts_refused("lossless.webp", 0);
    assert_cuts_refused("animation-part-blended.webp", 0);
}

/* xorshift64: the same mutations everywhere. Source: G. Marsaglia, 2003. */
static uint64_t next_random(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

static void mutate_one(const char *line)
{
    char name[GOLDEN_NAME_MAX];
    uint64_t seed = UINT64_C(0x9e3779b97f4a7c15);
    assert_int_equal(sscanf(line, GOLDEN_NAME_SCAN, name), 1);
    size_t n = 0;
    guard_page bytes = golden_file(name, &n);
    for (unsigned i = 0; i < MUTATIONS && n > 0; i++) {
        guard_page other = guard_page_of(bytes.data, n);
        for (uint64_t lumps = next_random(&seed) % LUMPS_MAX + 1; lumps > 0; lumps--) {
            other.data[next_random(&seed) % n] = (uint8_t)next_random(&seed);
        }
        image picture = IMAGE_INIT;
        cistern_error err = CISTERN_ERROR_INIT;
        cistern_status status = image_decode(other.data, n, &picture, &err);
        assert_true(status == CISTERN_OK || status == CISTERN_UNREADABLE);
        assert_true((status == CISTERN_OK) == (picture.rgb != NULL));
        assert_true((status == CISTERN_OK) == (err.text[0] == 0));
        image_clear(&picture);
        guard_page_free(&other);
    }
    guard_page_free(&bytes);
}

static void changed_bytes_give_a_picture_or_an_error(void **state)
{
    (void)state;
    assert_true(golden_each("decode", mutate_one) > 0);
    assert_true(golden_each("refuse", mutate_one) > 0);
}

static void put_u32_be(uint8_t *at, uint32_t value)
{
    for (int i = 0; i < 4; i++) {
        at[i] = (uint8_t)(value >> (24 - 8 * i));
    }
}

/* CRC-32 of PNG, bit by bit. Source: the PNG specification, annex D. */
static uint32_t png_crc(const uint8_t *bytes, size_t n)
{
    uint32_t crc = UINT32_MAX;
    for (size_t i = 0; i < n; i++) {
        crc ^= bytes[i];
        for (int bit = 0; bit < 8; bit++) {
            crc = (crc >> 1) ^ ((crc & 1) != 0 ? UINT32_C(0xedb88320) : 0);
        }
    }
    return ~crc;
}

/* photo.png with another size in its header, whose checksum is right again. */
static void assert_png_of_size_refused(uint32_t width, uint32_t height, const char *words)
{
    size_t n = 0;
    guard_page bytes = golden_file("photo.png", &n);
    put_u32_be(bytes.data + 16, width); /* signature 8, length 4, "IHDR" 4 */
    put_u32_be(bytes.data + 20, height);
    put_u32_be(bytes.data + 29, png_crc(bytes.data + 12, 17));
    assert_refused(bytes.data, n, words);
    guard_page_free(&bytes);
}

static void too_many_pixels_are_refused_before_any_is_decoded(void **state)
{
    (void)state;
    assert_png_of_size_refused(0x7fffffff, 0x7fffffff, "at most 178956970");
    assert_png_of_size_refused(IMAGE_PIXELS_MAX / 2 + 1, 2, "an image of 89478486 x 2 = 178956972 pixels");
    assert_png_of_size_refused(98, 66, "cut off"); /* more than its data holds */
    assert_png_of_size_refused(0, 5, "IHDR");
}

/* Canvas and picture of a WebP, whose sizes stand in several places. */
static void a_webp_whose_sizes_disagree_is_refused(void **state)
{
    (void)state;
    size_t n = 0;
    guard_page bytes = golden_file("animation-part-blended.webp", &n);
    uint8_t *canvas =
        bytes.data + 24; /* RIFF head 12, VP8X head 8, flags 4: width - 1, height - 1 of 24 bits */
    memcpy(canvas, "\x02\0\0\x02\0\0", 6);
    assert_refused(bytes.data, n, "a damaged or cut off WebP");
    memcpy(canvas, "\xff\xff\0\xff\x0f\0", 6);
    assert_refused(bytes.data, n, "an image of 65536 x 4096 = 268435456 pixels");
    guard_page_free(&bytes);
    bytes = golden_file("lossy.webp", &n);
    bytes.data[27] ^= 8; /* RIFF head 12, VP8 head 8, frame tag 3, start code 3: width of 14 bits */
    assert_refused(bytes.data, n, "WebP");
    guard_page_free(&bytes);
}

static void a_webp_without_a_picture_is_refused(void **state)
{
    (void)state;
    static const uint8_t none[] = "RIFF\x16\0\0\0WEBPVP8X\x0a\0\0\0\x10\0\0\0\x03\0\0\x03\0\0";
    assert_refused(none, sizeof none - 1, "a damaged or cut off WebP");
    assert_refused(none, 12, "a damaged or cut off WebP");
    assert_refused(none, 11, "not an image of a known kind");
}

static void png_errors_say_where(void **state)
{
    (void)state;
    size_t n = 0;
    guard_page bytes = golden_file("photo.png", &n);
    bytes.data[n / 2] ^= 1; /* inside IDAT: found when its checksum, the last thing before IEND, is read */
    image picture = IMAGE_INIT;
    cistern_error err = CISTERN_ERROR_INIT;
    assert_int_equal(image_decode(bytes.data, n, &picture, &err), CISTERN_UNREADABLE);
    assert_int_equal(err.has_offset, 1);
    assert_true(err.offset > n / 2 && err.offset <= n);
    guard_page_free(&bytes);
}

/* The place of the first segment FF `marker`; files made by our script hold it once. */
static uint8_t *segment(guard_page bytes, size_t n, uint8_t marker)
{
    for (size_t i = 0; i + 1 < n; i++) {
        if (bytes.data[i] == 0xff && bytes.data[i + 1] == marker) {
            return bytes.data + i;
        }
    }
    fail_msg("no segment %02x", marker);
    return NULL;
}

static void jpegs_of_other_kinds_are_refused_by_name(void **state)
{
    (void)state;
    size_t n = 0;
    guard_page bytes = golden_file("grey.jpg", &n);
    uint8_t *frame =
        segment(bytes, n, 0xc0); /* FF C0, length 2, precision 1, height 2, width 2, components 1 */
    frame[4] = 12;
    assert_refused(bytes.data, n, "data precision 12");
    frame[4] = 8;
    frame[1] = 0xc3; /* lossless */
    assert_refused(bytes.data, n, "a JPEG of an unusual kind");
    frame[1] = 0xc0;
    frame[5] = frame[6] = 0;
    assert_refused(bytes.data, n, "cut off");
    frame[5] = frame[6] = frame[7] = frame[8] = 0xff;
    assert_refused(bytes.data, n, "image dimension");
    frame[5] = frame[7] = 0xf0; /* 61,695 x 61,695: libjpeg would, we do not */
    assert_refused(bytes.data, n, "at most 178956970");
    guard_page_free(&bytes);
}

/* A progressive JPEG whose last scan is repeated, which its rules allow: each is a pass over all pixels. */
static void a_jpeg_of_too_many_scans_is_refused(void **state)
{
    (void)state;
    size_t n = 0;
    guard_page bytes = golden_file("grey-two-scans.jpg", &n);
    uint8_t *last = NULL;
    for (size_t i = 0; i + 1 < n; i++) {
        if (bytes.data[i] == 0xff && bytes.data[i + 1] == 0xda) {
            last = bytes.data + i;
        }
    }
    assert_non_null(last);
    size_t before = (size_t)(last - bytes.data), scan = n - 2 - before;
    size_t copies = IMAGE_JPEG_SCANS_MAX - 1; /* with the scan in front: as many as are allowed */
    uint8_t *many = malloc(before + (copies + 1) * scan + 2);
    assert_non_null(many);
    memcpy(many, bytes.data, before);
    for (size_t i = 0; i <= copies; i++) {
        memcpy(many + before + i * scan, last, scan);
    }
    image picture = IMAGE_INIT;
    cistern_error err = CISTERN_ERROR_INIT;
    memcpy(many + before + copies * scan, "\xff\xd9", 2);
    assert_int_equal(image_decode(many, before + copies * scan + 2, &picture, &err), CISTERN_OK);
    image_clear(&picture);
    memcpy(many + before + copies * scan, last, scan);
    memcpy(many + before + (copies + 1) * scan, "\xff\xd9", 2);
    assert_int_equal(image_decode(many, before + (copies + 1) * scan + 2, &picture, &err),
                     CISTERN_UNREADABLE);
    assert_non_null(strstr(err.text, "more than 100 scans"));
    free(many);
    guard_page_free(&bytes);
}

static void too_many_bytes_are_refused_unread(void **state)
{
    (void)state;
    image picture = IMAGE_INIT;
    cistern_error err = CISTERN_ERROR_INIT;
    static const uint8_t start[8] = "\x89PNG\r\n\x1a\n";
    assert_int_equal(image_decode(start, IMAGE_ENCODED_MAX + 1, &picture, &err), CISTERN_UNREADABLE);
    assert_non_null(strstr(err.text, "at most 268435456"));
    assert_int_equal(image_decode(NULL, 0, &picture, NULL), CISTERN_UNREADABLE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pixels_equal_pillows),
        cmocka_unit_test(other_kinds_are_refused_by_name),
        cmocka_unit_test(cut_files_are_refused),
        cmocka_unit_test(changed_bytes_give_a_picture_or_an_error),
        cmocka_unit_test(too_many_pixels_are_refused_before_any_is_decoded),
        cmocka_unit_test(a_webp_whose_sizes_disagree_is_refused),
        cmocka_unit_test(a_webp_without_a_picture_is_refused),
        cmocka_unit_test(png_errors_say_where),
        cmocka_unit_test(jpegs_of_other_kinds_are_refused_by_name),
        cmocka_unit_test(a_jpeg_of_too_many_scans_is_refused),
        cmocka_unit_test(too_many_bytes_are_refused_unread),
    };
    return cmocka_run_group_tests_name("image_decode", tests, NULL, NULL);
}
