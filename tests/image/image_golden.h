/* tests/image/data: its files, and the lines of its goldens.txt (what they mean: tools/make_image_goldens.py). */
#ifndef IMAGE_GOLDEN_H
#define IMAGE_GOLDEN_H

#include <stdarg.h>
#include <stdint.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "base_sha256.h"
#include "guard_page.h"
#include "image_decode.h"
#include "model_facts.h"

#define GOLDEN_DATA      CISTERN_TEST_DATA "/image/data/"
#define GOLDEN_LINE_MAX  512
#define GOLDEN_FILE_MAX  (1u << 20)
#define GOLDEN_NAME_MAX  64
#define GOLDEN_NAME_SCAN "%63s"

/* A file of the data directory, its bytes ending at a guard page. */
static inline guard_page golden_file(const char *name, size_t *out_n)
{
    static uint8_t buffer[GOLDEN_FILE_MAX];
    char path[1024];
    snprintf(path, sizeof path, GOLDEN_DATA "%s", name);
    FILE *file = fopen(path, "rb");
    if (file == NULL) {
        fail_msg("%s is missing", path);
    }
    *out_n = fread(buffer, 1, sizeof buffer, file);
    fclose(file);
    return guard_page_of(buffer, *out_n);
}

static inline image golden_image(const char *name)
{
    image picture = IMAGE_INIT;
    cistern_error err = CISTERN_ERROR_INIT;
    size_t n = 0;
    guard_page bytes = golden_file(name, &n);
    if (image_decode(bytes.data, n, &picture, &err) != CISTERN_OK) {
        fail_msg("%s: %s", name, err.text);
    }
    guard_page_free(&bytes);
    return picture;
}

/* Whether the SHA-256 of n bytes is `hex`. */
static inline void golden_assert_digest(const void *bytes, size_t n, const char *hex, const char *line)
{
    base_digest digest;
    char text[BASE_SHA256_HEX];
    assert_int_equal(base_sha256_of(bytes, n, &digest, NULL), CISTERN_OK);
    base_digest_hex(&digest, text);
    if (strcmp(text, hex) != 0) {
        fail_msg("other bytes than the reference: %s", line);
    }
}

static inline void golden_assert_image(const image *picture, uint32_t width, uint32_t height, const char *hex,
                                       const char *line)
{
    assert_int_equal(picture->width, width);
    assert_int_equal(picture->height, height);
    golden_assert_digest(picture->rgb, (size_t)width * height * IMAGE_CHANNELS, hex, line);
}

/* Call fn with what follows `verb` on each line of a file; returns how many there were. */
static inline unsigned golden_each_of(const char *name, const char *verb, void (*fn)(const char *line))
{
    char line[GOLDEN_LINE_MAX], path[1024];
    unsigned count = 0;
    size_t length = strlen(verb);
    snprintf(path, sizeof path, GOLDEN_DATA "%s", name);
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    while (fgets(line, sizeof line, file) != NULL) {
        line[strcspn(line, "\n")] = 0;
        if (strncmp(line, verb, length) == 0 && line[length] == ' ') {
            fn(line + length + 1);
            count++;
        }
    }
    fclose(file);
    return count;
}

static inline unsigned golden_each(const char *verb, void (*fn)(const char *line))
{
    return golden_each_of("goldens.txt", verb, fn);
}

/* A picture by the formula of tools/make_preset_goldens.py. */
static inline image golden_computed(uint32_t width, uint32_t height)
{
    image picture = IMAGE_INIT;
    assert_int_equal(image_rgb_new(width, height, &picture, NULL), CISTERN_OK);
    for (uint32_t y = 0; y < height; y++) {
        for (uint32_t x = 0; x < width; x++) {
            for (uint32_t c = 0; c < IMAGE_CHANNELS; c++) {
                picture.rgb[((size_t)y * width + x) * IMAGE_CHANNELS + c] =
                    (uint8_t)(7 * x + 13 * y + 31 * c + x * y % 251);
            }
        }
    }
    return picture;
}

#endif
