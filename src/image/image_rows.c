/* The plain kernel, and the choice. */
#include "priv/image_rows.h"

#define CHANNELS 3
#define HALF     (UINT32_C(1) << (IMAGE_TAPS_BITS - 1)) /* rounds to nearest */

static uint8_t to_byte(uint32_t sum)
{
    int32_t value = (int32_t)sum >> IMAGE_TAPS_BITS;
    return (uint8_t)(value < 0 ? 0 : value > 255 ? 255 : value);
}

void image_rows_u8_1x1__ref(const uint8_t *in, const image_taps *taps, uint8_t *out)
{
    for (uint32_t x = 0; x < taps->n; x++) {
        const uint8_t *from = in + (size_t)taps->first[x] * CHANNELS;
        const int32_t *weight = taps->weight + x * taps->stride;
        uint32_t red = HALF, green = HALF, blue = HALF;
        for (uint32_t t = 0; t < taps->count[x]; t++) {
            uint32_t w = (uint32_t)weight[t];
            red += w * from[3 * t];
            green += w * from[3 * t + 1];
            blue += w * from[3 * t + 2];
        }
        out[3 * x] = to_byte(red);
        out[3 * x + 1] = to_byte(green);
        out[3 * x + 2] = to_byte(blue);
    }
}

image_rows_fn *image_rows_kernel(void)
{
#if defined(__x86_64__)
    if (__builtin_cpu_supports("avx2")) {
        return image_rows_u8_4x1__avx2;
    }
#endif
    return NULL;
}
