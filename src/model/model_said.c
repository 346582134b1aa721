/* What a file says of its input, in memory and as bytes.
 *
 * Stored form, little endian, no padding: u32 height, width, flags (1 normalised, 2 resized), resize, resize_short,
 * resize_height, resize_width, interpolation, sampling, colour, scale; f32 mean[3], std[3]; preset, label set: each u32
 * length, bytes.
 * It does not: say where a fact came from; model_facts.c does.
 */
#include "model_said.h"

#include <math.h>
#include <string.h>

#define FLAG_NORMALISED 1u
#define FLAG_RESIZED    2u
#define WORDS           11

bool model_said_something(const model_said *said)
{
    return said->height || said->width || said->normalised || said->resized || said->label_set[0];
}

static bool side_valid(uint32_t side)
{
    return side <= MODEL_SAID_SIDE_MAX;
}

bool model_said_valid(const model_said *said)
{
    const model_preprocess *p = &said->how;
    bool valid = side_valid(said->height) && side_valid(said->width) && side_valid(p->resize_short) &&
                 side_valid(p->resize_height) && side_valid(p->resize_width) &&
                 (said->height == 0) == (said->width == 0);
    for (int i = 0; said->normalised && i < 3; i++)
        valid = valid && isfinite(p->mean[i]) && isfinite(p->std[i]) && p->std[i] > 0;
    return valid && p->resize <= MODEL_RESIZE_SQUASH && p->interpolation <= MODEL_HAMMING &&
           p->sampling <= MODEL_SAMPLING_LEGACY && p->colour <= MODEL_BGR && p->scale <= MODEL_SCALE_255 &&
           (p->sampling != MODEL_SAMPLING_LEGACY || p->interpolation == MODEL_BILINEAR);
}

static void apply_size(const model_said *said, model_preprocess *how)
{
    uint32_t old = how->height < how->width ? how->height : how->width,
             now = said->height < said->width ? said->height : said->width;
    if (!said->resized && old)
        how->resize_short = (uint32_t)((uint64_t)how->resize_short * now / old);
    how->height = said->height;
    how->width = said->width;
}

void model_said_apply(const model_said *said, model_preprocess *how)
{
    const model_preprocess *p = &said->how;
    if (said->resized) {
        how->resize = p->resize;
        how->resize_short = p->resize_short;
        how->resize_height = p->resize_height;
        how->resize_width = p->resize_width;
        how->interpolation = p->interpolation;
        how->sampling = p->sampling;
    }
    if (said->normalised) {
        memcpy(how->mean, p->mean, sizeof how->mean);
        memcpy(how->std, p->std, sizeof how->std);
        how->colour = p->colour;
        how->scale = p->scale;
    }
    if (said->height)
        apply_size(said, how);
}

static cistern_status put_text(base_buf *out, const char *text, cistern_error *err)
{
    uint32_t n = (uint32_t)strlen(text);
    cistern_status st = base_buf_put(out, &n, sizeof n, err);
    return st == CISTERN_OK ? base_buf_put(out, text, n, err) : st;
}

cistern_status model_said_encode(const model_said *said, base_buf *out, cistern_error *err)
{
    const model_preprocess *p = &said->how;
    const uint32_t words[WORDS] = {said->height,
                                   said->width,
                                   (said->normalised ? FLAG_NORMALISED : 0) |
                                       (said->resized ? FLAG_RESIZED : 0),
                                   (uint32_t)p->resize,
                                   p->resize_short,
                                   p->resize_height,
                                   p->resize_width,
                                   (uint32_t)p->interpolation,
                                   (uint32_t)p->sampling,
                                   (uint32_t)p->colour,
                                   (uint32_t)p->scale};
    cistern_status st = base_buf_put(out, words, sizeof words, err);
    if (st == CISTERN_OK)
        st = base_buf_put(out, p->mean, sizeof p->mean, err);
    if (st == CISTERN_OK)
        st = base_buf_put(out, p->std, sizeof p->std, err);
    if (st == CISTERN_OK)
        st = put_text(out, said->preset, err);
    return st == CISTERN_OK ? put_text(out, said->label_set, err) : st;
}

static bool take_text(base_cursor *c, char *out, size_t size)
{
    const uint8_t *bytes;
    uint32_t n;
    if (!base_cursor_u32(c, &n) || n >= size || !base_cursor_take(c, n, &bytes) || memchr(bytes, 0, n))
        return false;
    memcpy(out, bytes, n);
    out[n] = 0;
    return true;
}

static bool take_floats(base_cursor *c, float out[3])
{
    const uint8_t *bytes;
    if (!base_cursor_take(c, 3 * sizeof(float), &bytes))
        return false;
    memcpy(out, bytes, 3 * sizeof(float));
    return true;
}

bool model_said_decode(base_cursor *c, model_said *out)
{
    model_said s = {0};
    model_preprocess *p = &s.how;
    uint32_t words[WORDS];
    for (size_t i = 0; i < WORDS; i++) {
        if (!base_cursor_u32(c, &words[i]) || words[i] > MODEL_SAID_SIDE_MAX)
            return false;
    }
    s.height = words[0];
    s.width = words[1];
    s.normalised = words[2] & FLAG_NORMALISED;
    s.resized = words[2] & FLAG_RESIZED;
    p->resize = (model_resize)words[3];
    p->resize_short = words[4];
    p->resize_height = words[5];
    p->resize_width = words[6];
    p->interpolation = (model_interpolation)words[7];
    p->sampling = (model_sampling)words[8];
    p->colour = (model_colour)words[9];
    p->scale = (model_scale)words[10];
    if (!take_floats(c, p->mean) || !take_floats(c, p->std) || !take_text(c, s.preset, sizeof s.preset) ||
        !take_text(c, s.label_set, sizeof s.label_set) || !model_said_valid(&s))
        return false;
    *out = s;
    return true;
}
