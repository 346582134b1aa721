/* Weights become 24-bit fixed point: with AVX-512, which every CPU with AMX has; see priv/nn_rows.h.
 *
 * All weights of 16 outputs are read twice, from L2: for their greatest magnitudes, and to be made integers. Both times
 * the same operations transform them, written so that nothing can be contracted differently: so no integer is greater
 * than NN_ROWS_MOST. (The greatest magnitude times the factor is at most NN_ROWS_MOST (1 + 2^-24), less than
 * half above it, and rounded once.)
 */
#if defined(__x86_64__)
#include <math.h>

#include "priv/nn_rows_body.h"
#include "priv/nn_rows_weights.h"

#define RAW (9 * NN_BLOCK) /* floats of packed weights of one channel */

/* G times three weights of 16 outputs, divided by the channel's 2^e. */
ALWAYS void transform(const float *w, __m512 equal, __m512 x[NN_ROWS_POSITIONS])
{
    __m512 g[3];
#pragma GCC unroll 3
    for (size_t i = 0; i < 3; i++) {
        g[i] = _mm512_mul_ps(_mm512_load_ps(w + i * NN_BLOCK), equal);
    }
    __m512 a =
        _mm512_fmadd_ps(g[2], _mm512_set1_ps(SCALE_A * A2), _mm512_mul_ps(g[0], _mm512_set1_ps(SCALE_A)));
    __m512 b =
        _mm512_fmadd_ps(g[2], _mm512_set1_ps(SCALE_B * B2), _mm512_mul_ps(g[0], _mm512_set1_ps(SCALE_B)));
    x[0] = _mm512_mul_ps(g[0], _mm512_set1_ps(SCALE_0));
    x[1] = _mm512_fmadd_ps(g[1], _mm512_set1_ps(SCALE_A * A1), a);
    x[2] = _mm512_fnmadd_ps(g[1], _mm512_set1_ps(SCALE_A * A1), a);
    x[3] = _mm512_fmadd_ps(g[1], _mm512_set1_ps(SCALE_B * B1), b);
    x[4] = _mm512_fnmadd_ps(g[1], _mm512_set1_ps(SCALE_B * B1), b);
    x[5] = g[2];
}

/* Greatest magnitudes by position, as bits of floats: of these, NaN is greater than infinity, that than numbers. */
static void find_most(const float *w, size_t channels, const float *equal, __m512i most[NN_ROWS_POSITIONS])
{
    const __m512i magnitude = _mm512_set1_epi32(0x7fffffff);
    __m512i now[NN_ROWS_POSITIONS] = {0};
    for (size_t c = 0; c < channels; c++) {
        __m512 e = _mm512_set1_ps(equal[c]);
#pragma GCC unroll 3
        for (size_t dy = 0; dy < 3; dy++, w += 3 * NN_BLOCK) {
            __m512 x[NN_ROWS_POSITIONS];
            transform(w, e, x);
#pragma GCC unroll 6
            for (size_t j = 0; j < NN_ROWS_POSITIONS; j++) {
                now[j] = _mm512_max_epu32(now[j], _mm512_and_si512(_mm512_castps_si512(x[j]), magnitude));
            }
        }
    }
    for (size_t j = 0; j < NN_ROWS_POSITIONS; j++) {
        most[j] = now[j];
    }
}

/* By position: what x is multiplied with; and the lanes that have finite numbers only. */
typedef struct factors {
    __m512 by[NN_ROWS_POSITIONS];
    __mmask16 finite[NN_ROWS_POSITIONS];
} factors;

static factors factors_of(const __m512i most[NN_ROWS_POSITIONS], float *scale)
{
    const __m512 infinity = _mm512_castsi512_ps(_mm512_set1_epi32(0x7f800000));
    factors f;
    for (size_t j = 0; j < NN_ROWS_POSITIONS; j++) {
        __m512 m = _mm512_castsi512_ps(most[j]);
        __mmask16 some = _mm512_cmpneq_epi32_mask(most[j], _mm512_setzero_si512());
        f.finite[j] = _mm512_cmplt_epu32_mask(most[j], _mm512_castps_si512(infinity));
        f.by[j] = _mm512_min_ps(_mm512_div_ps(_mm512_set1_ps(NN_ROWS_MOST), m),
                                _mm512_set1_ps(NN_ROWS_FACTOR_MOST));
        __m512 unit = _mm512_maskz_div_ps(some, _mm512_set1_ps(65536), f.by[j]);
        _mm512_storeu_ps(scale + j * NN_BLOCK, _mm512_mask_blend_ps(f.finite[j], _mm512_set1_ps(NAN), unit));
    }
    return f;
}

/* Channels l, l + 16, l + 32, l + 48 of a chunk: one row of each digit, position and dy. */
ALWAYS void digits_row(const float *const w[NN_ROWS_BLOCKS], const float equal[NN_ROWS_BLOCKS],
                       const factors *f, int8_t *u)
{
#pragma GCC unroll 3
    for (size_t dy = 0; dy < 3; dy++) {
        __m512i n[NN_ROWS_POSITIONS][NN_ROWS_BLOCKS];
#pragma GCC unroll 4
        for (size_t i = 0; i < NN_ROWS_BLOCKS; i++) {
            __m512 x[NN_ROWS_POSITIONS];
            transform(w[i] + dy * 3 * NN_BLOCK, _mm512_set1_ps(equal[i]), x);
#pragma GCC unroll 6
            for (size_t j = 0; j < NN_ROWS_POSITIONS; j++) {
                n[j][i] = fixed(x[j], f->by[j]);
            }
        }
#pragma GCC unroll 6
        for (size_t j = 0; j < NN_ROWS_POSITIONS; j++) {
            store_digits(n[j], u + j * NN_ROWS_U_POSITION + dy * NN_ROWS_U_DY, NN_ROWS_U_DIGIT);
        }
    }
}

/* Outputs that have no number there: all their digits are zero. */
static void clear_lanes(const factors *f, size_t chunks, int8_t *u)
{
    for (size_t j = 0; j < NN_ROWS_POSITIONS; j++) {
        for (size_t i = 0; f->finite[j] != 0xffff && i < chunks * 3 * NN_ROWS_DIGITS * NN_BLOCK; i++) {
            size_t row = i % NN_BLOCK, digit = i / NN_BLOCK % NN_ROWS_DIGITS,
                   dy = i / NN_BLOCK / NN_ROWS_DIGITS % 3;
            int8_t *at = u + i / NN_BLOCK / NN_ROWS_DIGITS / 3 * NN_ROWS_U_CHUNK + j * NN_ROWS_U_POSITION +
                         dy * NN_ROWS_U_DY + digit * NN_ROWS_U_DIGIT + row * 4 * NN_BLOCK;
            _mm512_store_si512(at, _mm512_maskz_mov_epi32(f->finite[j], _mm512_load_si512(at)));
        }
    }
}

void nn_rows_weights_fixed_16__amx(const float *w, size_t channels, const float *equal, int8_t *u,
                                   float *scale)
{
    static const _Alignas(64) float zeros[RAW];
    __m512i most[NN_ROWS_POSITIONS];
    find_most(w, channels, equal, most);
    factors f = factors_of(most, scale);
    for (size_t row = 0; row < nn_rows_chunks(channels) * NN_BLOCK; row++) {
        size_t first = row / NN_BLOCK * NN_ROWS_CHANNELS + row % NN_BLOCK;
        const float *from[NN_ROWS_BLOCKS];
        float its[NN_ROWS_BLOCKS];
        for (size_t i = 0; i < NN_ROWS_BLOCKS; i++) {
            size_t c = first + i * NN_BLOCK;
            from[i] = c < channels ? w + c * RAW : zeros;
            its[i] = c < channels ? equal[c] : 0;
        }
        digits_row(from, its, &f, u + row / NN_BLOCK * NN_ROWS_U_CHUNK + row % NN_BLOCK * 4 * NN_BLOCK);
    }
    clear_lanes(&f, nn_rows_chunks(channels), u);
}
#else
typedef int nn_rows_weights_amx_is_for_x86_64;
#endif
