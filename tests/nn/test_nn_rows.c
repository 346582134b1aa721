/* The kernels of the convolution along rows, in fixed point, for tile registers, against their plain twins: where the machine
 * has these. Inputs and outputs end at a guard page. */
#include "nn_rows_fixture.h"

#define ROUNDS    60
#define TOLERANCE 2e-6    /* of the sum of magnitudes: rounding in another order */
#define ULP       0x1p-23 /* of 32-bit floating point, at most, relative */

static uint32_t bits_of(float x)
{
    uint32_t bits;
    memcpy(&bits, &x, sizeof(bits));
    return bits;
}

/* The number whose digits lie `apart` bytes from each other. */
static int32_t joined(const int8_t *h, size_t apart)
{
    return ((int32_t)h[0] * 256 + h[apart]) * 256 + h[2 * apart];
}

static void need_tiles(void)
{
    if (!nn_isa_available(NN_ISA_AMX)) {
        TEST_SKIP("this machine has no AMX for 8-bit integers, or this process may not use it");
    }
}

/* Byte of u of channel c's weight for output k of 16. */
static size_t u_at(size_t c, size_t position, size_t dy, size_t k)
{
    size_t in = c % NN_ROWS_CHANNELS;
    return c / NN_ROWS_CHANNELS * NN_ROWS_U_CHUNK + position * NN_ROWS_U_POSITION + dy * NN_ROWS_U_DY +
           (in % NN_BLOCK * NN_BLOCK + k) * NN_ROWS_BLOCKS + in / NN_BLOCK;
}

static void compare_weights(const nn_rows_kernels *k)
{
    size_t channels = 1 + random_below(140), chunks = nn_rows_chunks(channels);
    size_t n = chunks * NN_ROWS_U_CHUNK - NN_ROWS_U_HALF; /* of the first half */
    guard_page w = random_floats(channels * 9 * NN_BLOCK), equal = random_powers(channels),
               fast = random_bytes(n), plain = guard_page_of(fast.data, n);
    guard_page fast_scale = random_floats(NN_ROWS_POSITIONS * NN_BLOCK),
               plain_scale = random_floats(NN_ROWS_POSITIONS * NN_BLOCK);
    k->weights(floats(&w), channels, floats(&equal), digits(&fast), floats(&fast_scale));
    twins.weights(floats(&w), channels, floats(&equal), digits(&plain), floats(&plain_scale));
    for (size_t i = 0; i < NN_ROWS_POSITIONS * NN_BLOCK; i++) {
        double a = (double)floats(&fast_scale)[i], b = (double)floats(&plain_scale)[i];
        assert_true(fabs(a - b) <= 4 * ULP * b);
    }
    for (size_t i = 0; i < chunks * NN_ROWS_CHANNELS * NN_ROWS_POSITIONS * 3 * NN_BLOCK; i++) {
        size_t o = i % NN_BLOCK, dy = i / NN_BLOCK % 3, position = i / NN_BLOCK / 3 % NN_ROWS_POSITIONS;
        size_t c = i / NN_BLOCK / 3 / NN_ROWS_POSITIONS, at = u_at(c, position, dy, o);
        int32_t a = joined(digits(&fast) + at, NN_ROWS_U_DIGIT),
                b = joined(digits(&plain) + at, NN_ROWS_U_DIGIT);
        assert_true(abs(a - b) <= (c < channels ? 8 : 0)); /* units: three products of rounded numbers */
    }
    for (size_t i = 0; i < n; i++) { /* the other half is left alone */
        assert_true(i % NN_ROWS_U_DY < NN_ROWS_U_HALF || fast.data[i] == plain.data[i]);
    }
    free_all((guard_page *[]){&w, &equal, &fast, &plain, &fast_scale, &plain_scale}, 6);
}

/* Of B^T's rows: the sum of magnitudes times the greatest |x| bounds what a sum loses by rounding. */
#define INPUT_SUM 8.0

/* A row, and factors with which its greatest number has all digits. */
typedef struct input_fixture {
    nn_rows_row row;
    guard_page x, factor;
} input_fixture;

static input_fixture random_input(void)
{
    input_fixture f = {.row = {.blocks = 1 + random_below(NN_ROWS_BLOCKS), .tiles = 1 + random_below(9)}};
    size_t length = (f.row.tiles * NN_ROWS_OUT + 2) * NN_BLOCK, scale = random_below(200);
    _Alignas(64) float most[NN_ROWS_POSITIONS * NN_BLOCK] = {0}, one[NN_BLOCK];
    f.row.x_block = length + random_below(3) * NN_BLOCK;
    f.x = random_floats((f.row.blocks - 1) * f.row.x_block + length);
    f.factor = random_powers(NN_ROWS_BLOCKS * NN_ROWS_POSITIONS * NN_BLOCK);
    for (size_t i = 0; i < (f.row.blocks - 1) * f.row.x_block + length; i++) {
        floats(&f.x)[i] = ldexpf(floats(&f.x)[i], (int)scale - 100);
    }
    f.row.x = floats(&f.x);
    for (size_t i = 0; i < NN_BLOCK; i++) {
        one[i] = 1;
    }
    for (size_t b = 0; b < f.row.blocks; b++) {
        twins.range(f.row.x + b * f.row.x_block, f.row.tiles, one, most);
    }
    for (size_t i = 0; i < NN_ROWS_BLOCKS * NN_ROWS_POSITIONS * NN_BLOCK; i++) {
        size_t in = i % (NN_ROWS_POSITIONS * NN_BLOCK);
        floats(&f.factor)[i] *= (NN_ROWS_MOST - 16) / 8.0F / most[in];
    }
    return f;
}

static void compare_input(const nn_rows_kernels *k)
{
    input_fixture f = random_input();
    size_t tiles = f.row.tiles, digit = (tiles + random_below(3)) * NN_ROWS_V_TILE,
           stride = 3 * digit + random_below(3) * NN_ROWS_V_TILE;
    size_t n = 5 * stride + 2 * digit + tiles * NN_ROWS_V_TILE;
    guard_page fast = random_bytes(n), plain = guard_page_of(fast.data, n);
    k->input(&f.row, floats(&f.factor), digits(&fast), stride, digit);
    twins.input(&f.row, floats(&f.factor), digits(&plain), stride, digit);
    for (size_t i = 0; i < NN_ROWS_POSITIONS * tiles * NN_ROWS_V_TILE; i++) {
        size_t at = i / (tiles * NN_ROWS_V_TILE) * stride + i % (tiles * NN_ROWS_V_TILE);
        int32_t a = joined(digits(&fast) + at, digit), b = joined(digits(&plain) + at, digit);
        size_t block = i % NN_ROWS_BLOCKS, position = i / (tiles * NN_ROWS_V_TILE),
               c = i % NN_ROWS_V_TILE / NN_ROWS_BLOCKS, t = i / NN_ROWS_V_TILE % tiles;
        double most = 0,
               factor = (double)floats(&f.factor)[(block * NN_ROWS_POSITIONS + position) * NN_BLOCK + c];
        for (size_t d = 0; block < f.row.blocks && d < NN_ROWS_OUT + 2; d++) {
            most = fmax(most,
                        fabs((double)f.row.x[block * f.row.x_block + (t * NN_ROWS_OUT + d) * NN_BLOCK + c]));
        }
        assert_true(fabs((double)(a - b)) <= (most > 0 ? 1 + INPUT_SUM * ULP * most * factor : 0));
        memcpy(fast.data + at, plain.data + at, 1);
        memcpy(fast.data + at + digit, plain.data + at + digit, 1);
        memcpy(fast.data + at + 2 * digit, plain.data + at + 2 * digit, 1);
    }
    assert_memory_equal(fast.data, plain.data, n); /* what lies between is left alone */
    free_all((guard_page *[]){&f.x, &f.factor, &fast, &plain}, 4);
}

static void compare_range(const nn_rows_kernels *k)
{
    static const uint32_t odd[] = {0x7f800000, 0xff800000, 0x7fc00000, 0xffffffff};
    size_t tiles = 1 + random_below(9), length = (tiles * NN_ROWS_OUT + 2) * NN_BLOCK;
    guard_page x = random_floats(length), equal = random_powers(NN_BLOCK),
               fast = random_floats(NN_ROWS_POSITIONS * NN_BLOCK);
    for (size_t i = 0; i < NN_ROWS_POSITIONS * NN_BLOCK; i++) {
        floats(&fast)[i] = fabsf(floats(&fast)[i]) * 4;
    }
    guard_page plain = guard_page_of(fast.data, NN_ROWS_POSITIONS * NN_BLOCK * 4),
               before = guard_page_of(fast.data, NN_ROWS_POSITIONS * NN_BLOCK * 4);
    if (random_below(3) == 0) {
        memcpy(&floats(&x)[random_below(length)], &odd[random_below(4)], 4);
    }
    k->range(floats(&x), tiles, floats(&equal), floats(&fast));
    twins.range(floats(&x), tiles, floats(&equal), floats(&plain));
    for (size_t i = 0; i < NN_ROWS_POSITIONS * NN_BLOCK; i++) {
        float a = floats(&fast)[i], b = floats(&plain)[i], was = floats(&before)[i];
        assert_false(signbit(a));
        assert_true(isfinite(a) == isfinite(b));
        if (isfinite(b)) {
            assert_true(fabs((double)a - (double)b) <=
                        INPUT_SUM * 4 * ULP * (double)floats(&equal)[i % NN_BLOCK]);
            assert_true(a >= was && (b > was || a == was || a <= was * 1.0001F));
        } else {
            assert_true(bits_of(a) >= 0x7f800000u);
        }
    }
    free_all((guard_page *[]){&x, &equal, &fast, &plain, &before}, 5);
}

/* A product whose inputs and sums end at guard pages. */
typedef struct product_fixture {
    nn_rows_product p;
    guard_page u, v, m;
    size_t sums; /* floats of m */
} product_fixture;

static product_fixture random_product(void)
{
    product_fixture f = {
        .p = {.columns = 1 + random_below(9), .tiles = 1 + random_below(60), .add = random_below(2) == 0}};
    nn_rows_product *p = &f.p;
    size_t padded = nn_rows_parts(p->tiles) * nn_rows_part(p->tiles);
    p->v_digit = (padded + 2 * p->columns) * NN_ROWS_V_TILE;
    p->v_stride = 3 * p->v_digit + random_below(3) * NN_ROWS_V_TILE;
    p->m_stride = padded * NN_ROWS_PAIR + random_below(3) * NN_BLOCK;
    f.sums = 5 * p->m_stride + padded * NN_ROWS_PAIR;
    f.u = random_bytes(NN_ROWS_U_CHUNK);
    f.v = random_bytes(5 * p->v_stride + 3 * p->v_digit);
    for (size_t i = 0; i < NN_ROWS_U_CHUNK; i++) { /* h is above -128 */
        f.u.data[i] = i % NN_ROWS_U_HALF < NN_ROWS_U_DIGIT && f.u.data[i] == 0x80 ? 0x81 : f.u.data[i];
    }
    for (size_t i = 0; i < 5 * p->v_stride + 3 * p->v_digit; i++) {
        f.v.data[i] = i % p->v_stride < p->v_digit && f.v.data[i] == 0x80 ? 0x81 : f.v.data[i];
    }
    f.m = random_floats(f.sums);
    for (size_t i = 0; i < f.sums; i++) {
        floats(&f.m)[i] *= 1e10F;
    }
    p->u = digits(&f.u);
    p->v = digits(&f.v);
    p->m = floats(&f.m);
    p->soon = p->u;
    p->soon_lines = random_below(2000);
    return f;
}

static void product_free(product_fixture *f)
{
    free_all((guard_page *[]){&f->u, &f->v, &f->m}, 3);
}

static void compare_multiply_of(product_fixture *f, const nn_rows_kernels *k)
{
    guard_page plain = guard_page_of(f->m.data, f->sums * 4), before = guard_page_of(f->m.data, f->sums * 4);
    nn_rows_product twin = f->p;
    twin.m = floats(&plain);
    k->begin(f->p.tiles);
    k->multiply(&f->p);
    k->end();
    twins.multiply(&twin);
    size_t padded = nn_rows_parts(f->p.tiles) * nn_rows_part(f->p.tiles) * NN_ROWS_PAIR;
    for (size_t i = 0; i < f->sums; i++) {
        double a = (double)f->p.m[i], b = (double)twin.m[i], was = (double)floats(&before)[i];
        size_t in = i % f->p.m_stride;
        if (in < f->p.tiles * NN_ROWS_PAIR) { /* two roundings of parts of the sum, one of adding */
            if (!(fabs(a - b) <= ULP * (fabs(b) + (f->p.add ? fabs(was) : 0) + 0x1p31))) {
                fail_msg("position %zu, tile %zu of %zu, output %zu, add %d: %.9g, not %.9g (was %.9g)",
                         i / f->p.m_stride, in / NN_ROWS_PAIR, f->p.tiles, in % NN_ROWS_PAIR, f->p.add, a, b,
                         was);
            }
        } else if (in >= padded) {
            assert_true(a == was); /* between positions */
        }
    }
    free_all((guard_page *[]){&plain, &before}, 2);
}

static void compare_multiply(const nn_rows_kernels *k)
{
    product_fixture f = random_product();
    compare_multiply_of(&f, k);
    product_free(&f);
}

static void compare_output(const nn_rows_kernels *k)
{
    size_t width = 1 + random_below(30), pool = random_below(2), each = pool ? 2 : 4;
    size_t tiles = (width + each - 1) / each, row = tiles * NN_ROWS_PAIR, stride = 2 * row + NN_BLOCK;
    guard_page m = random_floats(5 * stride + (pool ? 2 : 1) * row - NN_BLOCK),
               bias = random_floats(NN_BLOCK), scale = random_powers(NN_ROWS_POSITIONS * NN_BLOCK);
    guard_page fast = random_floats(width * NN_BLOCK), plain = random_floats(width * NN_BLOCK);
    for (size_t i = 0; i < NN_ROWS_POSITIONS * NN_BLOCK; i++) {
        floats(&scale)[i] *= 1.1F;
    }
    k->output(floats(&m), stride, pool ? row : 0, floats(&scale), floats(&bias), floats(&fast), width);
    twins.output(floats(&m), stride, pool ? row : 0, floats(&scale), floats(&bias), floats(&plain), width);
    for (size_t i = 0; i < width * NN_BLOCK; i++) {
        double a = (double)floats(&fast)[i], b = (double)floats(&plain)[i];
        assert_true(a >= 0 && fabs(a - b) <= TOLERANCE * 100);
    }
    free_all((guard_page *[]){&m, &bias, &scale, &fast, &plain}, 5);
}

static void tile_kernels_equal_twins(void **state)
{
    (void)state;
    need_tiles();
    for (int round = 0; round < ROUNDS; round++) {
        compare_weights(tile_kernels());
        compare_input(tile_kernels());
        compare_range(tile_kernels());
        compare_multiply(tile_kernels());
        compare_output(tile_kernels());
    }
}

/* Every digit as far from zero as it goes, all of one sign: nothing overflows. */
static void the_greatest_sums_do_not_overflow(void **state)
{
    static const uint8_t ends[][3] = {{0x7f, 0x7f, 0x7f}, {0x81, 0x80, 0x80}, {0x7f, 0x80, 0x80}};
    (void)state;
    need_tiles();
    for (size_t round = 0; round < 9; round++) {
        product_fixture f = random_product();
        for (size_t i = 0; i < NN_ROWS_U_CHUNK; i++) {
            f.u.data[i] = ends[round % 3][i % NN_ROWS_U_HALF / NN_ROWS_U_DIGIT];
        }
        for (size_t i = 0; i < 5 * f.p.v_stride + 3 * f.p.v_digit; i++) {
            size_t digit = i % f.p.v_stride / f.p.v_digit;
            f.v.data[i] = ends[round / 3][digit < 3 ? digit : 2];
        }
        compare_multiply_of(&f, tile_kernels());
        product_free(&f);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tile_kernels_equal_twins),
        cmocka_unit_test(the_greatest_sums_do_not_overflow),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
