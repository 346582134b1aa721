/* Any bytes: image_decode gives a picture within its limits or UNREADABLE; what it gives can be prepared.
 *
 * Pictures above PIXELS_MAX are decoded but not prepared, to keep the runs fast.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include "image_decode.h"
#include "image_preprocess.h"

#define PIXELS_MAX ((uint64_t)1 << 22)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void prepare(const image *picture)
{
    static float out[3 * 33 * 40];
    static const model_preprocess how = {.height = 33,
                                         .width = 40,
                                         .resize_short = 36,
                                         .interpolation = MODEL_BILINEAR,
                                         .mean = {0.5f, 0.5f, 0.5f},
                                         .std = {0.25f, 0.25f, 0.25f}};
    for (int legacy = 0; legacy < 2; legacy++) {
        model_preprocess it = how;
        it.sampling = legacy ? MODEL_SAMPLING_LEGACY : MODEL_SAMPLING_PILLOW;
        cistern_error err = CISTERN_ERROR_INIT;
        cistern_status status = image_preprocess(picture, &it, out, &err);
        if (status != CISTERN_OK && status != CISTERN_UNREADABLE) {
            abort();
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    image picture = IMAGE_INIT;
    cistern_error err = CISTERN_ERROR_INIT;
    cistern_status status = image_decode(data, size, &picture, &err);
    if (status == CISTERN_OK) {
        uint64_t pixels = (uint64_t)picture.width * picture.height;
        if (pixels == 0 || pixels > IMAGE_PIXELS_MAX) {
            abort();
        }
        if (pixels <= PIXELS_MAX) {
            prepare(&picture);
        }
    } else if (status != CISTERN_UNREADABLE || picture.rgb != NULL || err.text[0] == 0) {
        abort();
    }
    image_clear(&picture);
    return 0;
}
