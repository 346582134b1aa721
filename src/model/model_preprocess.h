/* From a decoded picture to a network's input, as data; and what the frameworks do, by name. */
#ifndef MODEL_PREPROCESS_H
#define MODEL_PREPROCESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "model_index.h"

#define MODEL_PRESET_MAX 32 /* bytes of a preset's name, with the zero */

typedef enum model_interpolation {
    MODEL_NEAREST = 0,
    MODEL_BILINEAR = 1,
    MODEL_BICUBIC = 2,
    MODEL_LANCZOS = 3,
    MODEL_BOX = 4,
    MODEL_HAMMING = 5,
} model_interpolation;
const char *model_interpolation_text(model_interpolation i);
bool model_interpolation_parse(const char *text, model_interpolation *out);

/** How a resize finds its size. */
typedef enum model_resize {
    MODEL_RESIZE_SHORT = 0,  /* "short": the short side becomes resize_short; the aspect is kept */
    MODEL_RESIZE_SQUASH = 1, /* "squash": to a size, whatever the aspect */
} model_resize;
const char *model_resize_text(model_resize r);
bool model_resize_parse(const char *text, model_resize *out);

/** How a resize takes its pixels. "pillow": a filter that grows with the reduction, between the pixels' centres, rounded to
 * 8 bits. "legacy": TensorFlow 1's resize_bilinear: of two pixels each way, from the top left on, not rounded. */
typedef enum model_sampling {
    MODEL_SAMPLING_PILLOW = 0,
    MODEL_SAMPLING_LEGACY = 1,
} model_sampling;
const char *model_sampling_text(model_sampling s);
bool model_sampling_parse(const char *text, model_sampling *out);

/** The order of the channels. */
typedef enum model_colour {
    MODEL_RGB = 0, /* "rgb" */
    MODEL_BGR = 1, /* "bgr" */
} model_colour;
const char *model_colour_text(model_colour c);
bool model_colour_parse(const char *text, model_colour *out);

/** What a byte's 255 becomes before mean and std. */
typedef enum model_scale {
    MODEL_SCALE_1 = 0,   /* "1": bytes are divided by 255 */
    MODEL_SCALE_255 = 1, /* "255": bytes stay as they are */
} model_scale;
const char *model_scale_text(model_scale s);
bool model_scale_parse(const char *text, model_scale *out);

/**
 * Resize; cut `height` x `width` from the centre (zero padded where the picture is smaller); scale; subtract mean,
 * divide by std; planes of channels in the order `colour`. All zero but a size: the bytes divided by 255.
 */
typedef struct model_preprocess {
    uint32_t height, width;            /* pixels of the network's input */
    uint32_t resize_short;             /* with MODEL_RESIZE_SHORT: pixels; 0: no resize */
    model_interpolation interpolation; /* legacy sampling knows bilinear only */
    float mean[3], std[3];             /* in the order of `colour`, on the scale of `scale` */
    model_resize resize;
    uint32_t resize_height, resize_width; /* with MODEL_RESIZE_SQUASH: pixels; 0: those of the input */
    model_sampling sampling;
    model_colour colour;
    model_scale scale;
} model_preprocess;

bool model_preprocess_equal(const model_preprocess *p, const model_preprocess *q);

/* What the frameworks' own examples do with VGG (docs/preprocessing.md has each step and its source). */
size_t model_preset_count(void);
const char *model_preset_name(size_t i); /* "torchvision" …; asserts i < count */
bool model_preset_find(const char *name, model_preprocess *out);
/** The preset that a framework's own weights are used with. */
const char *model_preset_of_family(model_family family);

#endif
