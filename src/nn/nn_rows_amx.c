/* AMX: 16 outputs x up to 16 tiles in four tile registers, from three digits each; transforms with AVX-512. */
#if defined(__x86_64__)
#include "priv/nn_rows_body.h"

#define ROW_BYTES 64  /* of a tile register */
#define SUM       256 /* integers of a tile register */
#define AHEAD     38  /* pixels */

/* ---- inputs ---- */

/* B^T times six pixels: the points 0 and infinity. */
ALWAYS void input_outer_two(const float *x, vec out[2])
{
    out[0] = (load(x + 4 * NN_BLOCK) - (A2 + B2) * load(x + 2 * NN_BLOCK)) + (A2 * B2) * load(x);
    out[1] = (load(x + 5 * NN_BLOCK) - (A2 + B2) * load(x + 3 * NN_BLOCK)) + (A2 * B2) * load(x + NN_BLOCK);
}

/* The points +p and -p; q is the square of the other. */
ALWAYS void input_inner_two(const float *x, const float p, const float q, vec out[2])
{
    vec even = load(x + 4 * NN_BLOCK) - q * load(x + 2 * NN_BLOCK);
    vec odd = load(x + 3 * NN_BLOCK) - q * load(x + NN_BLOCK);
    out[0] = even + p * odd;
    out[1] = even - p * odd;
}

/* Two positions of one tile: `which` 0 for the outer ones, 0 and 5; 1 for 1 and 2; 2 for 3 and 4. */
ALWAYS void input_two(const nn_rows_row *row, const float *x, const float *factor, const int which,
                      const size_t blocks, int8_t *v, size_t v_stride, size_t v_digit)
{
    const size_t first = which == 0 ? 0 : which == 1 ? 1 : 3, second = which == 0 ? 5 : first + 1;
    __m512i n[4], k[4];
#pragma GCC unroll 4
    for (size_t b = 0; b < 4; b++) {
        vec two[2];
        n[b] = k[b] = _mm512_set1_epi32(DIGITS);
        if (b < blocks) {
            if (which == 0) {
                input_outer_two(x + b * row->x_block, two);
            } else {
                input_inner_two(x + b * row->x_block, which == 1 ? A1 : B1, which == 1 ? B2 : A2, two);
            }
            const float *f = factor + b * NN_ROWS_POSITIONS * NN_BLOCK;
            n[b] = fixed((__m512)two[0], _mm512_load_ps(f + first * NN_BLOCK));
            k[b] = fixed((__m512)two[1], _mm512_load_ps(f + second * NN_BLOCK));
        }
    }
    store_digits(n, v + first * v_stride, v_digit);
    store_digits(k, v + second * v_stride, v_digit);
}

/* Pixels of some tiles later, to L1; behind the row's end that is what lies there, and never read. */
ALWAYS void ask_ahead(const nn_rows_row *row, const float *x, const size_t blocks)
{
    for (size_t b = 0; b < blocks; b++) {
        for (size_t i = AHEAD; i < AHEAD + NN_ROWS_OUT; i++) {
            _mm_prefetch((const char *)(x + b * row->x_block + i * NN_BLOCK), _MM_HINT_T0);
        }
    }
}

ALWAYS void input_tiles(const nn_rows_row *row, const float *factor, const size_t blocks, int8_t *v,
                        size_t v_stride, size_t v_digit)
{
    const float *x = row->x;
    for (size_t t = 0; t < row->tiles; t++, x += NN_ROWS_OUT * NN_BLOCK, v += NN_ROWS_V_TILE) {
        ask_ahead(row, x, blocks);
        input_two(row, x, factor, 0, blocks, v, v_stride, v_digit);
        FORGET();
        input_two(row, x, factor, 1, blocks, v, v_stride, v_digit);
        FORGET();
        input_two(row, x, factor, 2, blocks, v, v_stride, v_digit);
        FORGET();
    }
}

void nn_rows_input_fixed_64__amx(const nn_rows_row *row, const float *factor, int8_t *v, size_t v_stride,
                                 size_t v_digit)
{
    if (row->blocks == 4) { /* a constant, so that loops unroll */
        input_tiles(row, factor, 4, v, v_stride, v_digit);
    } else {
        input_tiles(row, factor, row->blocks, v, v_stride, v_digit);
    }
}

ALWAYS __m512i greater(__m512i most, vec x)
{
    return _mm512_max_epu32(most, _mm512_and_si512((__m512i)x, _mm512_set1_epi32(0x7FFFFFFF)));
}

void nn_rows_range_f32_16__amx(const float *x, size_t tiles, const float *equal, float *most)
{
    static const size_t position[3][2] = {{0, 5}, {1, 2}, {3, 4}};
    __m512i found[NN_ROWS_POSITIONS];
#pragma GCC unroll 6
    for (size_t j = 0; j < NN_ROWS_POSITIONS; j++) {
        found[j] = _mm512_setzero_si512();
    }
    for (size_t t = 0; t < tiles; t++, x += NN_ROWS_OUT * NN_BLOCK) {
        vec two[3][2];
        input_outer_two(x, two[0]);
        input_inner_two(x, A1, B2, two[1]);
        input_inner_two(x, B1, A2, two[2]);
#pragma GCC unroll 6
        for (size_t i = 0; i < NN_ROWS_POSITIONS; i++) {
            found[i] = greater(found[i], two[i / 2][i % 2]);
        }
    }
#pragma GCC unroll 6
    for (size_t i = 0; i < NN_ROWS_POSITIONS; i++) {
        float *to = most + position[i / 2][i % 2] * NN_BLOCK;
        vec here = (vec)_mm512_mul_ps(_mm512_castsi512_ps(found[i]), _mm512_load_ps(equal));
        _mm512_store_si512(to, greater(_mm512_load_si512(to), here));
    }
}

/* ---- products ---- */

/* Intel's manual, volume 1, 18.3.2: palette 1, eight registers of up to 16 rows of 64 bytes. */
typedef struct tile_shapes {
    uint8_t palette, start_row, reserved[14];
    uint16_t row_bytes[16];
    uint8_t rows[16];
} tile_shapes;

/* Registers 0 to 3: sums, of h h; of h m and m h; of h l, m m and l h; of m l and l m. 4, 5: inputs; 6, 7: weights. */
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

/* What is done between multiplications, which leave the other execution units idle: sums of the registers' last
 * product become floats, a row at a time; what comes next is asked for. */
typedef struct aside {
    const int32_t *sums; /* four registers' */
    float *m;
    size_t rows; /* left */
    const char *soon;
    size_t soon_lines; /* each time */
} aside;

ALWAYS void give_row(aside *s, const bool add)
{
    __m512i sum[4];
#pragma GCC unroll 4
    for (size_t i = 0; i < 4; i++) {
        sum[i] = _mm512_load_si512(s->sums + i * SUM);
    }
    __m512i low = _mm512_add_epi32(sum[2], _mm512_srai_epi32(sum[3], 8));
    __m512 x = _mm512_cvtepi32_ps(_mm512_add_epi32(_mm512_slli_epi32(sum[1], 8), low));
    x = _mm512_fmadd_ps(_mm512_cvtepi32_ps(sum[0]), _mm512_set1_ps(65536.0F), x);
    _mm512_store_ps(s->m, add ? _mm512_add_ps(x, _mm512_load_ps(s->m)) : x);
    s->sums += NN_BLOCK;
    s->m += NN_ROWS_PAIR;
    s->rows--;
}

ALWAYS void meanwhile(aside *s, const bool add)
{
    if (s->rows) {
        give_row(s, add);
    }
    for (size_t i = 0; i < s->soon_lines; i++, s->soon += ROW_BYTES) {
        _mm_prefetch(s->soon, _MM_HINT_T1);
    }
}

#define INPUTS(tile, digit)  _tile_loadd(tile, v + (digit)*p->v_digit, ROW_BYTES);
#define WEIGHTS(tile, digit) _tile_loadd(tile, u + (digit)*NN_ROWS_U_DIGIT, ROW_BYTES);
#define MULTIPLY(sum, inputs, weights)                                                                       \
    _tile_dpbssd(sum, inputs, weights);                                                                      \
    meanwhile(s, add);

#define PRODUCTS 24 /* of a part and half */

/* One part of the tiles and one half of the outputs at one position, to `sums`. In this order six loads are enough for eight products. */
ALWAYS void product(const nn_rows_product *p, const int8_t *u, const int8_t *v, int32_t *sums, aside *s,
                    const bool add)
{
    _tile_zero(0);
    _tile_zero(1);
    _tile_zero(2);
    _tile_zero(3);
    for (size_t dy = 0; dy < 3; dy++, u += NN_ROWS_U_DY, v += p->columns * NN_ROWS_V_TILE) {
        INPUTS(4, 0)
        WEIGHTS(6, 0)
        MULTIPLY(0, 4, 6)
        WEIGHTS(7, 2)
        MULTIPLY(2, 4, 7)
        INPUTS(5, 1)
        MULTIPLY(3, 5, 7)
        MULTIPLY(1, 5, 6)
        WEIGHTS(7, 1)
        MULTIPLY(2, 5, 7)
        MULTIPLY(1, 4, 7)
        INPUTS(5, 2)
        MULTIPLY(3, 5, 7)
        MULTIPLY(2, 5, 6)
    }
    _tile_stored(0, sums, ROW_BYTES);
    _tile_stored(1, sums + SUM, ROW_BYTES);
    _tile_stored(2, sums + 2 * SUM, ROW_BYTES);
    _tile_stored(3, sums + 3 * SUM, ROW_BYTES);
}

ALWAYS void multiply(const nn_rows_product *p, const bool add)
{
    _Alignas(64) int32_t sums[2][4 * SUM];
    const size_t parts = nn_rows_parts(p->tiles), part = nn_rows_part(p->tiles);
    const size_t products = NN_ROWS_POSITIONS * parts * 2 * PRODUCTS;
    aside s = {.soon = p->soon, .soon_lines = (p->soon_lines + products - 1) / products};
    for (size_t i = 0; i < NN_ROWS_POSITIONS; i++) {
        const int8_t *u = p->u + i * NN_ROWS_U_POSITION, *v = p->v + i * p->v_stride;
        float *m = p->m + i * p->m_stride;
        for (size_t n = 0; n < parts; n++, v += part * NN_ROWS_V_TILE, m += part * NN_ROWS_PAIR) {
            for (size_t half = 0; half < 2; half++) {
                FORGET();
                product(p, u + half * NN_ROWS_U_HALF, v, sums[half], &s, add);
                FORGET();
                s.sums = sums[half];
                s.m = m + half * NN_BLOCK;
                s.rows = part;
            }
        }
    }
    while (s.rows) {
        give_row(&s, add);
    }
}

void nn_rows_multiply_fixed_32__amx(const nn_rows_product *p)
{
    if (p->add) {
        multiply(p, true);
    } else {
        multiply(p, false);
    }
}

/* Products of registers only, of what is in them; as many as `steps` times 64 channels, 32 tiles and 32 outputs take. */
void nn_rows_peak__amx(size_t steps)
{
    nn_rows_begin__amx(NN_ROWS_TILES);
    for (size_t i = 0; i < 8 * steps; i++) { /* products of digits */
        _tile_dpbssd(0, 6, 7);
        _tile_dpbssd(1, 6, 7);
        _tile_dpbssd(2, 6, 7);
        _tile_dpbssd(3, 6, 7);
    }
    _tile_release();
}

/* ---- outputs ---- */

/* A^T times one tile's sums, bias, ReLU. */
ALWAYS void output_four(const float *m, size_t m_stride, const float *scale, vec bias, vec out[4])
{
    vec six[6];
#pragma GCC unroll 6
    for (size_t i = 0; i < 6; i++) {
        six[i] = load(m + i * m_stride) * load(scale + i * NN_BLOCK);
    }
    output_column(six, out);
#pragma GCC unroll 4
    for (size_t i = 0; i < 4; i++) {
        out[i] = rectified(out[i] + bias);
    }
}

void nn_rows_output_f32_16__amx(const float *m, size_t m_stride, size_t m_row, const float *scale,
                                const float *bias, float *out, size_t width)
{
    const size_t each = m_row ? NN_ROWS_OUT / 2 : NN_ROWS_OUT;
    const vec b = load(bias);
    for (size_t x = 0; x < width; x += each, m += NN_ROWS_PAIR) {
        vec y[4], below[4];
        output_four(m, m_stride, scale, b, y);
        if (m_row) {
            output_four(m + m_row, m_stride, scale, b, below);
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
