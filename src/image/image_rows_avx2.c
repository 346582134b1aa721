/* AVX2: four rows at once, four taps of three channels in each step.
 *
 * A weight of 23 bits is high * 65536 + low, both of 16 bits with a sign; PMADDWD adds two products of a weight's half and
 * a pixel without overflow (at most 2 * 255 * 32768), and the sums of both halves put together are, modulo 2^32, those of
 * the plain kernel.
 */
#if defined(__x86_64__)
#include "priv/image_rows.h"

#include <immintrin.h>
#include <string.h>

#define ROWS     IMAGE_ROWS_AT_ONCE
#define CHANNELS 3

/* Four weights as pairs: the first two four times in the lower half, the other two in the upper. */
static inline __attribute__((always_inline)) __m256i four_weights(const int16_t *w)
{
    const __m256i pairs = _mm256_setr_epi8(0, 1, 2, 3, 0, 1, 2, 3, 0, 1, 2, 3, 0, 1, 2, 3, 4, 5, 6, 7, 4, 5,
                                           6, 7, 4, 5, 6, 7, 4, 5, 6, 7);
    int64_t four;
    memcpy(&four, w, sizeof(four));
    return _mm256_shuffle_epi8(_mm256_set1_epi64x(four), pairs);
}

/* Four pixels as 16-bit pairs: red, green, blue of the first two in the lower half, of the other two in the upper. */
static inline __attribute__((always_inline)) __m256i four_pixels(const uint8_t *p)
{
    const __m256i pairs = _mm256_setr_epi8(0, -1, 3, -1, 1, -1, 4, -1, 2, -1, 5, -1, -1, -1, -1, -1, 6, -1, 9,
                                           -1, 7, -1, 10, -1, 8, -1, 11, -1, -1, -1, -1, -1);
    __m128i sixteen = _mm_loadu_si128((const __m128i *)(const void *)p);
    return _mm256_shuffle_epi8(_mm256_broadcastsi128_si256(sixteen), pairs);
}

/* The three channels of one output: both halves of the weights and of the register together, rounded, without the places. */
static inline __attribute__((always_inline)) __m128i whole(__m256i low, __m256i high)
{
    __m256i sum = _mm256_add_epi32(low, _mm256_slli_epi32(high, 16));
    __m128i both = _mm_add_epi32(_mm256_castsi256_si128(sum), _mm256_extracti128_si256(sum, 1));
    both = _mm_add_epi32(both, _mm_set1_epi32(1 << (IMAGE_TAPS_BITS - 1)));
    return _mm_srai_epi32(both, IMAGE_TAPS_BITS);
}

void image_rows_u8_4x1__avx2(const uint8_t *in, size_t in_stride, const image_taps *taps, uint8_t *out,
                             size_t out_stride)
{
    for (uint32_t x = 0; x < taps->n; x++) {
        const uint8_t *from = in + (size_t)taps->first[x] * CHANNELS;
        const int16_t *low = taps->low + x * taps->split_stride, *high = taps->high + x * taps->split_stride;
        __m256i low_sum[ROWS], high_sum[ROWS];
        for (size_t r = 0; r < ROWS; r++) {
            low_sum[r] = high_sum[r] = _mm256_setzero_si256();
        }
        for (uint32_t t = 0; t < taps->count[x]; t += 4) {
            __m256i low_four = four_weights(low + t), high_four = four_weights(high + t);
#pragma GCC unroll 4
            for (size_t r = 0; r < ROWS; r++) {
                __m256i pixels = four_pixels(from + r * in_stride + (size_t)t * CHANNELS);
                low_sum[r] = _mm256_add_epi32(low_sum[r], _mm256_madd_epi16(pixels, low_four));
                high_sum[r] = _mm256_add_epi32(high_sum[r], _mm256_madd_epi16(pixels, high_four));
            }
        }
        /* Both packings cut: to 16 bits with a sign, then to bytes from 0 to 255. */
        __m128i first = _mm_packs_epi32(whole(low_sum[0], high_sum[0]), whole(low_sum[1], high_sum[1]));
        __m128i last = _mm_packs_epi32(whole(low_sum[2], high_sum[2]), whole(low_sum[3], high_sum[3]));
        uint8_t bytes[16];
        _mm_storeu_si128((__m128i *)(void *)bytes, _mm_packus_epi16(first, last));
        for (size_t r = 0; r < ROWS; r++) {
            memcpy(out + r * out_stride + (size_t)x * CHANNELS, bytes + 4 * r, CHANNELS);
        }
    }
}
#else
typedef int image_rows_avx2_is_for_x86_64;
#endif
