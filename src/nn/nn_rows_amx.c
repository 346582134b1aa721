/* AMX: 32 outputs x up to 16 tiles in two tile registers, and as many in two others, from split numbers; transforms with
 * AVX-512.
 *
 * A tile instruction that multiplies bf16 treats numbers below 2^-126 as zero and makes no such results, whatever the
 * thread's rounding mode and flags say; it adds in 32 bits, rounding to nearest.
 */
#if defined(__x86_64__)
#include <immintrin.h>
#include <stdint.h>
#include <string.h>

#define NN_LANES 16
#include "priv/nn_rows.h"
#include "priv/nn_winograd_body.h"

#define ROW_BYTES 64 /* of a tile register */
#define M_BYTES   (NN_ROWS_PAIR * 4)

ALWAYS __m512 cut(__m512 x)
{
    return _mm512_castsi512_ps(_mm512_and_si512(_mm512_castps_si512(x), _mm512_set1_epi32((int)0xFFFF0000u)));
}

/* Two vectors become h, m and l, `part` floats apart: in each lane even's 16 bits below odd's. */
ALWAYS void store_split(vec even_vec, vec odd_vec, float *to, size_t part)
{
    __m512 even = (__m512)even_vec, odd = (__m512)odd_vec;
    __asm__("" : "+v"(even), "+v"(odd)); /* rounded: nothing is contracted with the subtractions */
#pragma GCC unroll 3
    for (size_t i = 0; i < NN_ROWS_PARTS; i++) {
        _mm512_store_si512(to + i * part, _mm512_mask_blend_epi16(
                                              0xAAAAAAAA, _mm512_srli_epi32(_mm512_castps_si512(even), 16),
                                              _mm512_castps_si512(odd)));
        even = _mm512_sub_ps(even, cut(even)); /* exact */
        odd = _mm512_sub_ps(odd, cut(odd));
    }
}

/* G: one position of three weights. */
static const float row_of_g[NN_ROWS_POSITIONS][3] = {
    {SCALE_0, 0, 0},
    {SCALE_A, SCALE_A *A1, SCALE_A *A2},
    {SCALE_A, -SCALE_A *A1, SCALE_A *A2},
    {SCALE_B, SCALE_B *B1, SCALE_B *B2},
    {SCALE_B, -SCALE_B *B1, SCALE_B *B2},
    {0, 0, 1},
};

#define RAW (9 * NN_BLOCK) /* floats of packed weights of one channel */

/* One position of three weights; what it does not need is not read. */
ALWAYS vec weights_one(const float *w, const float g[3])
{
    if (g[1] == 0) { /* the points 0 and infinity */
        return g[0] == 0 ? g[2] * load(w + 2 * NN_BLOCK) : g[0] * load(w);
    }
    return g[0] * load(w) + g[1] * load(w + NN_BLOCK) + g[2] * load(w + 2 * NN_BLOCK);
}

/* A piece of work that fits between multiplications: channels c and c + 16 of 16 outputs, three dy. */
ALWAYS void weights_piece(const float *w, const float g[3], float *u)
{
#pragma GCC unroll 3
    for (size_t dy = 0; dy < 3; dy++, w += 3 * NN_BLOCK) {
        store_split(weights_one(w, g), weights_one(w + NN_BLOCK * RAW, g), u + dy * NN_ROWS_U_DY,
                    NN_ROWS_U_PART);
    }
}

/* The last channels, where there are not 32: with zeros for those that do not exist. */
static void weights_at_end(const float *w, size_t channels, const float g[3], float *u)
{
    _Alignas(64) float all[NN_ROWS_CHANNELS * RAW] = {0};
    memcpy(all, w, channels * RAW * sizeof(float));
    for (size_t k = 0; k < NN_BLOCK; k++) {
        weights_piece(all + k * RAW, g, u + k * NN_BLOCK);
    }
}

void nn_rows_weights_split_16__amx(const float *w, size_t channels, size_t position, float *u)
{
    const float *g = row_of_g[position];
    for (; channels >= NN_ROWS_CHANNELS; channels -= NN_ROWS_CHANNELS) {
        for (size_t k = 0; k < NN_BLOCK; k++) {
            weights_piece(w + k * RAW, g, u + k * NN_BLOCK);
        }
        w += NN_ROWS_CHANNELS * RAW;
        u += 3 * NN_ROWS_U_DY;
    }
    if (channels) {
        weights_at_end(w, channels, g, u);
    }
}

/* B^T times six pixels. */
ALWAYS void input_six(const float *x, vec out[6])
{
    vec d[6];
#pragma GCC unroll 6
    for (size_t i = 0; i < 6; i++) {
        d[i] = load(x + i * NN_BLOCK);
    }
    vec even_a = d[4] - B2 * d[2], odd_a = d[3] - B2 * d[1];
    vec even_b = d[4] - A2 * d[2], odd_b = d[3] - A2 * d[1];
    out[0] = (d[4] - (A2 + B2) * d[2]) + (A2 * B2) * d[0];
    out[1] = even_a + A1 * odd_a;
    out[2] = even_a - A1 * odd_a;
    out[3] = even_b + B1 * odd_b;
    out[4] = even_b - B1 * odd_b;
    out[5] = (d[5] - (A2 + B2) * d[3]) + (A2 * B2) * d[1];
}

void nn_rows_input_split_32__amx(const float *x, size_t x_block, size_t tiles, float *v, size_t v_stride,
                                 size_t v_part)
{
    for (size_t t = 0; t < tiles; t++, x += NN_ROWS_OUT * NN_BLOCK, v += NN_BLOCK) {
        vec even[6], odd[6] = {{0}};
        input_six(x, even);
        if (x_block) {
            input_six(x + x_block, odd);
        }
#pragma GCC unroll 6
        for (size_t j = 0; j < 6; j++) {
            store_split(even[j], odd[j], v + j * v_stride, v_part);
        }
    }
}

/* Intel's manual, volume 1, 18.3.2: palette 1, eight registers of up to 16 rows of 64 bytes. */
typedef struct tile_shapes {
    uint8_t palette, start_row, reserved[14];
    uint16_t row_bytes[16];
    uint8_t rows[16];
} tile_shapes;

/* Registers 0, 1 and 2, 3: sums of the two lanes, each of two halves of outputs; 4, 5: inputs; 6, 7: weights. */
void nn_rows_begin__amx(size_t tiles)
{
    tile_shapes s = {.palette = 1};
    for (size_t i = 0; i < 8; i++) {
        s.row_bytes[i] = ROW_BYTES;
        s.rows[i] = (uint8_t)(i < 6 ? nn_rows_part(tiles) : NN_BLOCK);
    }
    FORGET();
    _tile_loadconfig(&s);
}

void nn_rows_end__amx(void)
{
    _tile_release();
}

/* What is done between multiplications, which leave the other execution units idle. */
typedef struct aside {
    const float *w, *second; /* of the next piece; of the second half */
    float *u, *second_u;
    const float *g;
    size_t left, blocks, each; /* pieces of this block, blocks of this half and of each */
    size_t due, steps, credit; /* so many pieces in so many steps */
    const float *soon[2];
    size_t lines; /* with each six steps */
} aside;

static aside aside_of(const nn_rows_product *p, size_t steps)
{
    const nn_rows_task *t = p->task;
    aside s = {.steps = steps, .soon = {p->soon[0], p->soon[1]}};
    s.lines = (6 * p->soon_lines + steps - 1) / steps;
    if (t && t->channels % NN_ROWS_CHANNELS) { /* no layer of VGG but the first, which is computed directly */
        for (size_t half = 0; half < 2 && t->w[half]; half++) {
            nn_rows_weights_split_16__amx(t->w[half], t->channels, t->position, t->u + half * NN_ROWS_U_HALF);
        }
    } else if (t) {
        s.w = t->w[0];
        s.u = t->u;
        s.g = row_of_g[t->position];
        s.second = t->w[1];
        s.second_u = t->u + NN_ROWS_U_HALF;
        s.left = NN_BLOCK;
        s.blocks = s.each = t->channels / NN_ROWS_CHANNELS;
        s.due = s.each * NN_BLOCK * (t->w[1] ? 2 : 1);
    }
    return s;
}

ALWAYS void next_block(aside *s)
{
    s->left = NN_BLOCK;
    s->w += NN_BLOCK * RAW;
    s->u += 3 * NN_ROWS_U_DY - NN_BLOCK * NN_BLOCK;
    if (--s->blocks == 0) {
        s->blocks = s->each;
        s->w = s->second;
        s->u = s->second_u;
    }
}

/* Not inlined, since it is called in many places. */
static __attribute__((noinline)) void pieces_due(aside *s)
{
    for (; s->credit >= s->steps; s->credit -= s->steps) {
        weights_piece(s->w, s->g, s->u);
        s->w += RAW;
        s->u += NN_BLOCK;
        if (--s->left == 0) {
            next_block(s);
        }
    }
}

ALWAYS void meanwhile(aside *s)
{
    s->credit += s->due;
    if (s->credit >= s->steps) {
        pieces_due(s);
    }
}

ALWAYS void prefetch(aside *s)
{
    for (size_t l = 0; l < s->lines; l++) {
        _mm_prefetch((const char *)s->soon[0], _MM_HINT_T1);
        _mm_prefetch((const char *)s->soon[1], _MM_HINT_T1);
        s->soon[0] += NN_BLOCK;
        s->soon[1] += NN_BLOCK;
    }
}

#define WEIGHTS(part)                                                                                        \
    _tile_loadd(6, u + (part)*NN_ROWS_U_PART, ROW_BYTES);                                                    \
    _tile_loadd(7, u + NN_ROWS_U_HALF + (part)*NN_ROWS_U_PART, ROW_BYTES);
#define MULTIPLY(low, high, inputs)                                                                          \
    _tile_dpbf16ps(low, inputs, 6);                                                                          \
    _tile_dpbf16ps(high, inputs, 7);                                                                         \
    meanwhile(&s);

/* The sums that these registers will take after these, to L1, little by little: loading them is what the tile unit waits for. */
#define NEAR_LINES 4
#define NEAR(sums, i)                                                                                        \
    for (size_t n = 0; n < NEAR_LINES; n++) {                                                                \
        _mm_prefetch((const char *)((sums) + m_ahead + ((i)*NEAR_LINES + n) * NN_BLOCK), _MM_HINT_T0);       \
    }

/* The six products, in an order in which each needs other inputs or other weights than the one before, not both; h of the
 * inputs stays in register 5. */
#define SIX_PRODUCTS(low, high, in, sums)                                                                    \
    prefetch(&s);                                                                                            \
    _tile_loadd(5, in, ROW_BYTES);                                                                           \
    WEIGHTS(2)                                                                                               \
    MULTIPLY(low, high, 5)                                                                                   \
    NEAR(sums, 0)                                                                                            \
    WEIGHTS(1)                                                                                               \
    MULTIPLY(low, high, 5)                                                                                   \
    NEAR(sums, 1)                                                                                            \
    _tile_loadd(4, (in) + p->v_part, ROW_BYTES);                                                             \
    MULTIPLY(low, high, 4)                                                                                   \
    NEAR(sums, 2)                                                                                            \
    WEIGHTS(0)                                                                                               \
    MULTIPLY(low, high, 4)                                                                                   \
    _tile_loadd(4, (in) + 2 * p->v_part, ROW_BYTES);                                                         \
    MULTIPLY(low, high, 4)                                                                                   \
    MULTIPLY(low, high, 5)

#define TAKE(low, high, sums)                                                                                \
    if (p->add) {                                                                                            \
        _tile_loadd(low, sums, M_BYTES);                                                                     \
        _tile_loadd(high, (sums) + NN_BLOCK, M_BYTES);                                                       \
    } else {                                                                                                 \
        _tile_zero(low);                                                                                     \
        _tile_zero(high);                                                                                    \
    }

#define GIVE(low, high, sums)                                                                                \
    _tile_stored(low, sums, M_BYTES);                                                                        \
    _tile_stored(high, (sums) + NN_BLOCK, M_BYTES);

/* Two parts of the tiles, each with 32 outputs in two registers, take turns, so that one multiplies while the other's sums are
 * stored and the next are loaded. */
void nn_rows_multiply_split_32__amx(const nn_rows_product *p)
{
    const size_t part = nn_rows_part(p->tiles), steps = nn_rows_blocks(p->channels) * 3;
    size_t left = nn_rows_parts(p->tiles);
    const size_t v_length = part * NN_BLOCK, m_length = part * NN_ROWS_PAIR;
    aside s = aside_of(p, left * steps * 6);
    const float *first = p->v;
    float *m = p->m;
    FORGET();
    TAKE(0, 1, m)
    if (left > 1) {
        TAKE(2, 3, m + m_length)
    }
    for (;; first += 2 * v_length, m += 2 * m_length) {
        const float *u = p->u, *v = first;
        size_t m_ahead = 2 * m_length;
        for (size_t step = steps, dy = 3; step-- > 0; u += NN_ROWS_U_DY) {
            SIX_PRODUCTS(0, 1, v, m)
            if (step == 0) {
                GIVE(0, 1, m)
                if (left > 2) {
                    TAKE(0, 1, m + 2 * m_length)
                }
            }
            if (left > 1) {
                SIX_PRODUCTS(2, 3, v + v_length, m + m_length)
            }
            v += p->columns * NN_BLOCK;
            m_ahead += 3 * NEAR_LINES * NN_BLOCK;
            if (--dy == 0) {
                dy = 3;
                v += NN_ROWS_PARTS * p->v_part - 3 * p->columns * NN_BLOCK;
                m_ahead = 2 * m_length;
            }
        }
        if (left > 1) {
            GIVE(2, 3, m + m_length)
        }
        if (left <= 2) {
            break;
        }
        if (left > 3) {
            TAKE(2, 3, m + 3 * m_length)
        }
        left -= 2;
    }
    FORGET();
}

/* Products of registers only, of what is in them; as many as `steps` times 32 channels, 32 tiles and 32 outputs take. */
void nn_rows_peak__amx(size_t steps)
{
    nn_rows_begin__amx(NN_ROWS_TILES);
    for (size_t i = 0; i < 6 * steps; i++) {
        _tile_dpbf16ps(0, 4, 6);
        _tile_dpbf16ps(1, 4, 7);
        _tile_dpbf16ps(2, 5, 6);
        _tile_dpbf16ps(3, 5, 7);
    }
    _tile_release();
}

/* A^T times one tile's sums, bias, ReLU. */
ALWAYS void output_four(const float *m, size_t m_stride, vec bias, vec out[4])
{
    vec six[6];
#pragma GCC unroll 6
    for (size_t i = 0; i < 6; i++) {
        six[i] = load(m + i * m_stride);
    }
    output_column(six, out);
#pragma GCC unroll 4
    for (size_t i = 0; i < 4; i++) {
        out[i] = rectified(out[i] + bias);
    }
}

void nn_rows_output_f32_16__amx(const float *m, size_t m_stride, size_t m_row, const float *bias, float *out,
                                size_t width)
{
    const size_t each = m_row ? NN_ROWS_OUT / 2 : NN_ROWS_OUT;
    const vec b = load(bias);
    for (size_t x = 0; x < width; x += each, m += NN_ROWS_PAIR) {
        vec y[4], below[4];
        output_four(m, m_stride, b, y);
        if (m_row) {
            output_four(m + m_row, m_stride, b, below);
            y[0] = greatest(greatest(y[0], y[1]), greatest(below[0], below[1]));
            y[1] = greatest(greatest(y[2], y[3]), greatest(below[2], below[3]));
        }
#pragma GCC unroll 4
        for (size_t i = 0; i < 4; i++) {
            if (i < each && x + i < width) {
                store(out + (x + i) * NN_BLOCK, y[i]);
            }
        }
    }
}
#else
typedef int nn_rows_amx_is_for_x86_64;
#endif
