/* Numbers become digits, with AVX-512: what the kernels that transform inputs and weights of priv/nn_rows.h share. */
#ifndef NN_ROWS_BODY_H
#define NN_ROWS_BODY_H

#include <immintrin.h>
#include <stdint.h>

#define NN_LANES 16
#include "priv/nn_rows.h"
#include "priv/nn_winograd_body.h"

#define DIGITS 0x808080 /* added to a number, makes each of its bytes a digit, with the first bit inverted */

/* An integer with DIGITS added; of what has a digit too much, or is not a number, anything. */
ALWAYS __m512i fixed(__m512 x, __m512 factor)
{
    return _mm512_cvtps_epi32(_mm512_fmadd_ps(x, factor, _mm512_set1_ps((float)DIGITS)));
}

/* Numbers of four blocks become digits h, m and l, `apart` bytes from each other: byte i of each 32 bits that of block i. Blocks are rotated, so that every digit lies where it belongs up to
 * a rotation that all share: of l to bytes 0, 1, 2, 3; of m and h to the same one and two bytes further. */
ALWAYS void store_digits(const __m512i n[NN_ROWS_BLOCKS], int8_t *to, size_t apart)
{
    const __m512i flip = _mm512_set1_epi32((int)0x80808080u);
    __m512i a = n[0], b = _mm512_rol_epi32(n[1], 8), c = _mm512_rol_epi32(n[2], 16),
            d = _mm512_rol_epi32(n[3], 24);
    __m512i ac = _mm512_mask_blend_epi16(0xAAAAAAAA, a, c),
            bd = _mm512_mask_blend_epi8(0x9999999999999999, b, d);
    __m512i ca = _mm512_mask_blend_epi16(0x55555555, a, c), db = _mm512_mask_blend_epi16(0x55555555, b, d);
    __m512i l = _mm512_mask_blend_epi8(0xAAAAAAAAAAAAAAAA, ac, bd);
    __m512i m = _mm512_ror_epi32(_mm512_mask_blend_epi8(0x5555555555555555, ac, bd), 8);
    __m512i h = _mm512_ror_epi32(_mm512_mask_blend_epi8(0xAAAAAAAAAAAAAAAA, ca, db), 16);
    _mm512_store_si512(to, _mm512_xor_si512(h, flip));
    _mm512_store_si512(to + apart, _mm512_xor_si512(m, flip));
    _mm512_store_si512(to + 2 * apart, _mm512_xor_si512(l, flip));
}

#endif
