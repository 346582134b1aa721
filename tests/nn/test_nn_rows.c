/* The convolution along rows in fixed point: the arithmetic and the schedule with the plain twins, on every machine; the
 * kernels for tile registers against their twins where the machine has these. Inputs and outputs end at a guard page. */
#include "nn_fixture.h"

#include "nn_isa.h"
#include "priv/nn_conv_rows.h"
#include "priv/nn_rows.h"
#include "priv/nn_session_priv.h"

#define ROUNDS    60
#define TOLERANCE 2e-6    /* of the sum of magnitudes: rounding in another order */
#define ULP       0x1p-23 /* of 32-bit floating point, at most, relative */

static const nn_rows_kernels twins = {
    nn_rows_begin__ref,          nn_rows_end__ref,          nn_rows_weights_fixed_16__ref,
    nn_rows_input_fixed_64__ref, nn_rows_range_f32_16__ref, nn_rows_multiply_fixed_32__ref,
    nn_rows_output_f32_16__ref};

static uint64_t counter;

static size_t random_below(size_t n)
{
    return (size_t)(fixture_bits(7, counter++) % n);
}

static float *floats(const guard_page *g)
{
    return (float *)(void *)g->data;
}

static int8_t *digits(const guard_page *g)
{
    return (int8_t *)(void *)g->data;
}

static guard_page random_floats(size_t n)
{
    guard_page g = guard_page_make(n * sizeof(float));
    for (size_t i = 0; i < n; i++) {
        floats(&g)[i] = fixture_normal(11, counter++, 1.0);
    }
    return g;
}

static guard_page random_bytes(size_t n)
{
    guard_page g = guard_page_make(n);
    for (size_t i = 0; i < n; i++) {
        g.data[i] = (uint8_t)fixture_bits(13, counter++);
    }
    return g;
}

/* Powers of two, from 2^-3 to 2^3. */
static guard_page random_powers(size_t n)
{
    guard_page g = guard_page_make(n * sizeof(float));
    for (size_t i = 0; i < n; i++) {
        floats(&g)[i] = ldexpf(1, (int)random_below(7) - 3);
    }
    return g;
}

static void free_all(guard_page **pages, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        guard_page_free(pages[i]);
    }
}

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

static const nn_rows_kernels *tile_kernels(void)
{
    return nn_kernels_of(NN_ISA_AMX)->rows;
}

/* ---- kernels and their twins ---- */

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

/* ---- whole convolutions ---- */

/* A convolution by rows of a group of images, everything allocated to its last byte. */
typedef struct conv_fixture {
    nn_rows_plan plan;
    nn_rows_call call;
    size_t images;
    guard_page in, out, raw, weight, scale, equal, inverse, bias, own, next_equal;
    nn_rows_range range[4], next[4];
} conv_fixture;

#define IMAGES_MOST 4

static nn_act image_of(const nn_act *first, size_t floats_apart, size_t image)
{
    nn_act act = *first;
    act.data += image * floats_apart;
    return act;
}

/* Zeros where an activation has them: in the border, and in channels that do not exist. */
static void close_act(const nn_act *act)
{
    for (size_t b = 0; b < nn_act_blocks(act); b++) {
        nn_act_close(act, b, 0, act->height);
        for (size_t at = 0; at < nn_act_plane(act); at++) {
            if (b * NN_BLOCK + at % NN_BLOCK >= act->channels) {
                act->data[b * nn_act_plane(act) + at] = 0;
            }
        }
    }
}

static size_t act_floats(const nn_act *act)
{
    size_t bytes;
    assert_ok(nn_act_bytes(act->channels, act->height, act->width, &bytes, NULL), NULL);
    return bytes / 4;
}

/* `threads` of a plan, which cuts the work for so many. */
static conv_fixture conv_new(const nn_rows_kernels *k, const nn_rows_plan *shape, size_t images,
                             unsigned threads)
{
    conv_fixture f = {.plan = nn_rows_plan_of(k, shape, images, threads), .images = images};
    nn_rows_call *c = &f.call;
    assert_true(images <= IMAGES_MOST);
    c->in = (nn_act){NULL, shape->inputs, shape->height, shape->width};
    c->out = (nn_act){NULL, shape->outputs, shape->height / (shape->pool ? 2 : 1),
                      shape->width / (shape->pool ? 2 : 1)};
    c->in_image = act_floats(&c->in);
    c->out_image = act_floats(&c->out);
    c->images = images;
    size_t blocks = nn_act_blocks(&c->out), pairs = (blocks + 1) / 2, chunks = nn_rows_chunks(shape->inputs);
    f.in = random_floats(images * c->in_image);
    f.out = random_floats(images * c->out_image);
    f.raw = random_floats(blocks * NN_BLOCK * shape->inputs * 9);
    f.weight = random_bytes(pairs * chunks * NN_ROWS_U_CHUNK);
    f.scale = random_floats(blocks * NN_ROWS_POSITIONS * NN_BLOCK);
    f.equal = random_powers(chunks * NN_ROWS_CHANNELS);
    f.inverse = guard_page_make(shape->inputs * 4);
    f.bias = random_floats(blocks * NN_BLOCK);
    f.next_equal = random_powers(blocks * NN_BLOCK);
    f.own = guard_page_make(threads * f.plan.own_floats * 4);
    memset(f.own.data, 0xff,
           threads * f.plan.own_floats * 4);            /* NaN: no sum may be read that was not written */
    for (size_t i = 0; i < images * c->in_image; i++) { /* channels that `equal` makes equal */
        size_t channel = i % c->in_image / nn_act_plane(&c->in) * NN_BLOCK + i % NN_BLOCK;
        floats(&f.in)[i] /= floats(&f.equal)[channel];
    }
    for (size_t i = 0; i < blocks * NN_BLOCK * shape->inputs * 9; i++) {
        floats(&f.raw)[i] *= floats(&f.equal)[i / NN_BLOCK / 9 % shape->inputs];
    }
    for (size_t i = shape->outputs; i < blocks * NN_BLOCK; i++) { /* outputs that do not exist */
        floats(&f.bias)[i] = 0;
        for (size_t at = 0; at < shape->inputs * 9; at++) {
            floats(&f.raw)[(i / NN_BLOCK * shape->inputs * 9 + at) * NN_BLOCK + i % NN_BLOCK] = 0;
        }
    }
    c->in.data = floats(&f.in);
    c->out.data = floats(&f.out);
    c->weight = digits(&f.weight);
    c->scale = floats(&f.scale);
    c->equal = floats(&f.equal);
    c->bias = floats(&f.bias);
    c->own = floats(&f.own);
    c->own_stride = f.plan.own_floats;
    c->next.equal = floats(&f.next_equal);
    return f;
}

static void find_ranges(const nn_rows_kernels *k, const nn_act *first, size_t apart, size_t images,
                        const float *equal, nn_rows_range *range)
{
    memset(range, 0, images * sizeof(*range));
    for (size_t i = 0; i < images; i++) {
        nn_act act = image_of(first, apart, i);
        for (size_t b = 0; b < nn_act_blocks(&act); b++) {
            nn_rows_find_range(k, &act, b, 0, act.height, equal, &range[i]);
        }
    }
}

/* Pack the weights, find the inputs' ranges, convolve; then what it says of its outputs' ranges must be what they are. */
static void run(conv_fixture *f, base_pool *pool)
{
    const nn_rows_plan *p = &f->plan;
    nn_rows_range found[IMAGES_MOST];
    for (size_t i = 0; i < f->images; i++) {
        nn_act in = image_of(&f->call.in, f->call.in_image, i);
        close_act(&in);
    }
    for (size_t c = 0; c < p->inputs; c++) {
        floats(&f->inverse)[c] = 1 / floats(&f->equal)[c];
    }
    for (size_t b = 0; b < nn_act_blocks(&f->call.out); b++) {
        p->kernels->weights(floats(&f->raw) + b * p->inputs * 9 * NN_BLOCK, p->inputs, floats(&f->inverse),
                            digits(&f->weight) + b / 2 * nn_rows_chunks(p->inputs) * NN_ROWS_U_CHUNK +
                                b % 2 * NN_ROWS_U_HALF,
                            floats(&f->scale) + b * NN_ROWS_POSITIONS * NN_BLOCK);
    }
    find_ranges(p->kernels, &f->call.in, f->call.in_image, f->images, f->call.equal, f->range);
    f->call.plan = p;
    f->call.range = f->range;
    f->call.next.range = f->next;
    memset(f->next, 0, sizeof(f->next));
    nn_rows_run(&f->call, pool);
    find_ranges(p->kernels, &f->call.out, f->call.out_image, f->images, f->call.next.equal, found);
    for (size_t i = 0; i < f->images * NN_ROWS_POSITIONS; i++) {
        assert_int_equal(atomic_load(&f->next[i / NN_ROWS_POSITIONS].most[i % NN_ROWS_POSITIONS]),
                         atomic_load(&found[i / NN_ROWS_POSITIONS].most[i % NN_ROWS_POSITIONS]));
    }
}

static void conv_free(conv_fixture *f)
{
    free_all((guard_page *[]){&f->in, &f->out, &f->raw, &f->weight, &f->scale, &f->equal, &f->inverse,
                              &f->bias, &f->own, &f->next_equal},
             10);
}

static float weight_of(const conv_fixture *f, size_t o, size_t c, size_t tap)
{
    return floats(&f->raw)[((o / NN_BLOCK * f->plan.inputs + c) * 9 + tap) * NN_BLOCK + o % NN_BLOCK];
}

/* The definition, before ReLU. */
static double summed(const conv_fixture *f, size_t image, size_t o, size_t y, size_t x)
{
    const nn_act in = image_of(&f->call.in, f->call.in_image, image);
    double sum = (double)f->call.bias[o];
    for (size_t c = 0; c < in.channels; c++) {
        const float *at =
            in.data + c / NN_BLOCK * nn_act_plane(&in) + y * nn_act_row(&in) + x * NN_BLOCK + c % NN_BLOCK;
        for (size_t tap = 0; tap < 9; tap++) {
            sum +=
                (double)at[tap / 3 * nn_act_row(&in) + tap % 3 * NN_BLOCK] * (double)weight_of(f, o, c, tap);
        }
    }
    return sum;
}

static double expected(const conv_fixture *f, size_t image, size_t o, size_t y, size_t x)
{
    double most = 0;
    if (!f->plan.pool) {
        return fmax(most, summed(f, image, o, y, x));
    }
    for (size_t q = 0; q < 4; q++) {
        most = fmax(most, summed(f, image, o, 2 * y + q / 2, 2 * x + q % 2));
    }
    return most;
}

static double output_of(const conv_fixture *f, size_t image, size_t o, size_t y, size_t x)
{
    const nn_act out = image_of(&f->call.out, f->call.out_image, image);
    return (double)nn_act_at(&out, o / NN_BLOCK, y)[x * NN_BLOCK + o % NN_BLOCK];
}

/* Some outputs, about one in `step`. */
static void compare_outputs(const conv_fixture *f, double tolerance, size_t step)
{
    const nn_rows_plan *p = &f->plan;
    const nn_act *out = &f->call.out;
    for (size_t n = random_below(step); n < f->images * p->outputs * out->height * out->width;
         n += 1 + random_below(2 * step - 1)) {
        size_t x = n % out->width, y = n / out->width % out->height,
               o = n / out->width / out->height % p->outputs,
               image = n / out->width / out->height / p->outputs;
        double is = output_of(f, image, o, y, x), should = expected(f, image, o, y, x);
        if (!(fabs(is - should) <= tolerance)) {
            fail_msg(
                "%zu to %zu channels, %zu x %zu, pool %d, image %zu output %zu (%zu, %zu): %.9g, not %.9g",
                p->inputs, p->outputs, p->height, p->width, p->pool, image, o, y, x, is, should);
        }
    }
}

static nn_rows_plan random_shape(void)
{
    return (nn_rows_plan){.inputs = 1 + random_below(140),
                          .outputs = 1 + random_below(70),
                          .height = 2 + random_below(9),
                          .width = 2 + random_below(19),
                          .pool = random_below(2) == 0};
}

static void compare_convolution(const nn_rows_kernels *k, const nn_rows_plan *shape, base_pool *pool,
                                size_t step)
{
    conv_fixture f = conv_new(k, shape, 1 + random_below(3), 2);
    run(&f, pool);
    compare_outputs(&f, 4e-5 * sqrt(9.0 * (double)shape->inputs), step);
    conv_free(&f);
}

static void convolution_equals_definition(void **state)
{
    base_pool *pool;
    (void)state;
    assert_ok(base_pool_new(2, &pool, NULL), NULL);
    for (int round = 0; round < 12; round++) {
        nn_rows_plan shape = random_shape();
        compare_convolution(&twins, &shape, pool, 9);
    }
    for (int round = 0; nn_isa_available(NN_ISA_AMX) && round < 100; round++) {
        nn_rows_plan shape = random_shape();
        compare_convolution(tile_kernels(), &shape, pool, 9);
    }
    base_pool_free(pool);
}

/* Rows that are cut into strips, with a last tile that is whole or not. */
static void wide_rows_equal_definition(void **state)
{
    static const size_t widths[] = {255, 256, 257, 258, 261, 300, 517};
    base_pool *pool;
    (void)state;
    assert_ok(base_pool_new(2, &pool, NULL), NULL);
    for (size_t i = 0; i < 2 * sizeof(widths) / sizeof(widths[0]); i++) {
        nn_rows_plan shape = {.inputs = 1 + random_below(9),
                              .outputs = 1 + random_below(40),
                              .height = 2 + random_below(3),
                              .width = widths[i / 2],
                              .pool = i % 2 == 1};
        if (i % 4 == 0) {
            compare_convolution(&twins, &shape, pool, 50);
        }
        if (nn_isa_available(NN_ISA_AMX)) {
            shape.inputs += 64;
            shape.height += 9;
            compare_convolution(tile_kernels(), &shape, pool, 50);
        }
    }
    base_pool_free(pool);
}

/* ---- the same bits ---- */

/* Take inputs, weights and the rest from another fixture of the same shape. */
static void take_data(conv_fixture *to, const conv_fixture *from, size_t first_image)
{
    const nn_rows_call *c = &from->call;
    size_t blocks = nn_act_blocks(&c->out);
    memcpy(to->in.data, from->in.data + first_image * c->in_image * 4, to->images * c->in_image * 4);
    memcpy(to->raw.data, from->raw.data, blocks * NN_BLOCK * from->plan.inputs * 9 * 4);
    memcpy(to->equal.data, from->equal.data, nn_rows_chunks(from->plan.inputs) * NN_ROWS_CHANNELS * 4);
    memcpy(to->bias.data, from->bias.data, blocks * NN_BLOCK * 4);
    memcpy(to->next_equal.data, from->next_equal.data, blocks * NN_BLOCK * 4);
}

static void same_bits(const nn_rows_kernels *k, const nn_rows_plan *shape)
{
    static const unsigned cuts[] = {1, 2, 3, 7};
    conv_fixture all = conv_new(k, shape, IMAGES_MOST, 2);
    for (size_t i = 0; i < all.call.in_image; i++) { /* images of different ranges */
        floats(&all.in)[i] *= 37;
    }
    run(&all, NULL);
    for (size_t n = 0; n < 4 * IMAGES_MOST; n++) {
        size_t first = n % IMAGES_MOST, images = n < 4 ? IMAGES_MOST - first : 1;
        base_pool *pool;
        assert_ok(base_pool_new(cuts[n / 4], &pool, NULL), NULL);
        conv_fixture some = conv_new(k, shape, images, cuts[n / 4]);
        take_data(&some, &all, first);
        run(&some, pool);
        assert_memory_equal(some.out.data, floats(&all.out) + first * all.call.out_image,
                            images * all.call.out_image * 4);
        assert_memory_equal(some.next, all.next + first, images * sizeof(some.next[0]));
        conv_free(&some);
        base_pool_free(pool);
    }
    conv_free(&all);
}

static void bits_depend_on_neither_threads_nor_group(void **state)
{
    static const nn_rows_plan shapes[] = {
        {.inputs = 9, .outputs = 33, .height = 7, .width = 6, .pool = false},
        {.inputs = 70, .outputs = 40, .height = 5, .width = 9, .pool = true},
        {.inputs = 130, .outputs = 100, .height = 14, .width = 14, .pool = true},
        {.inputs = 65, .outputs = 200, .height = 28, .width = 28, .pool = false},
        {.inputs = 64, .outputs = 48, .height = 60, .width = 61, .pool = true},
        {.inputs = 66, .outputs = 33, .height = 9, .width = 300, .pool = false},
        {.inputs = 20, .outputs = 33, .height = 33, .width = 270, .pool = true},
    };
    (void)state;
    same_bits(&twins, &shapes[0]);
    same_bits(&twins, &shapes[1]);
    for (size_t i = 0; nn_isa_available(NN_ISA_AMX) && i < sizeof(shapes) / sizeof(shapes[0]); i++) {
        same_bits(tile_kernels(), &shapes[i]);
    }
}

/* ---- numbers that are not finite, very small, very large ---- */

static const uint32_t not_finite[] = {0x7f800000, 0xff800000, 0x7fc00000, 0x7f800001, 0xffffffff, 0x7f80ffff};

static float bad_number(size_t i)
{
    float bad;
    memcpy(&bad, &not_finite[i], 4);
    return bad;
}

/* An input that is not finite makes all of its image NaN, and no other. */
static void input_spreads(const nn_rows_kernels *k, float bad, bool pool)
{
    nn_rows_plan shape = {.inputs = 70, .outputs = 17, .height = 5, .width = 6, .pool = pool};
    conv_fixture f = conv_new(k, &shape, 3, 2);
    nn_act middle = image_of(&f.call.in, f.call.in_image, 1);
    nn_act_at(&middle, random_below(5), random_below(5))[random_below(6) * NN_BLOCK + random_below(6)] = bad;
    run(&f, NULL);
    for (size_t n = 0; n < 3 * shape.outputs * f.call.out.height * f.call.out.width; n++) {
        size_t x = n % f.call.out.width, y = n / f.call.out.width % f.call.out.height,
               o = n / f.call.out.width / f.call.out.height % shape.outputs,
               image = n / f.call.out.width / f.call.out.height / shape.outputs;
        double is = output_of(&f, image, o, y, x);
        assert_true(image == 1 ? isnan(is) : isfinite(is));
    }
    for (size_t i = 0; i < 3 * NN_ROWS_POSITIONS; i++) { /* and the layer that follows is told */
        unsigned most = atomic_load(&f.next[i / NN_ROWS_POSITIONS].most[i % NN_ROWS_POSITIONS]);
        assert_true(i / NN_ROWS_POSITIONS == 1 ? most > 0x7f800000u : most < 0x7f800000u);
    }
    conv_free(&f);
}

/* A weight that is not finite makes its output NaN, and no other. */
static void weight_spreads(const nn_rows_kernels *k, float bad)
{
    nn_rows_plan shape = {.inputs = 70, .outputs = 20, .height = 5, .width = 6};
    conv_fixture f = conv_new(k, &shape, 2, 2);
    size_t of = random_below(20), at = random_below(70 * 9);
    floats(&f.raw)[(of / NN_BLOCK * 70 * 9 + at) * NN_BLOCK + of % NN_BLOCK] = bad;
    run(&f, NULL);
    for (size_t n = 0; n < 2 * shape.outputs * 30; n++) {
        double is = output_of(&f, n / 30 / shape.outputs, n / 30 % shape.outputs, n / 6 % 5, n % 6);
        assert_true(n / 30 % shape.outputs == of ? isnan(is) : isfinite(is));
    }
    conv_free(&f);
}

static void nan_and_infinity_do_not_become_numbers(void **state)
{
    (void)state;
    for (size_t i = 0; i < 2 * sizeof(not_finite) / sizeof(not_finite[0]); i++) {
        input_spreads(&twins, bad_number(i / 2), i % 2);
        weight_spreads(&twins, bad_number(i / 2));
        if (nn_isa_available(NN_ISA_AMX)) {
            input_spreads(tile_kernels(), bad_number(i / 2), i % 2);
            weight_spreads(tile_kernels(), bad_number(i / 2));
        }
    }
}

/* Inputs times `size`, no bias. */
static void of_size(const nn_rows_kernels *k, float size, double tolerance)
{
    nn_rows_plan shape = {.inputs = 70, .outputs = 33, .height = 5, .width = 9};
    conv_fixture f = conv_new(k, &shape, 2, 2);
    for (size_t i = 0; i < 2 * f.call.in_image; i++) {
        floats(&f.in)[i] *= size;
    }
    memset(f.bias.data, 0, nn_act_blocks(&f.call.out) * NN_BLOCK * 4);
    run(&f, NULL);
    compare_outputs(&f, tolerance, 3);
    conv_free(&f);
}

static void all_sizes_of_inputs(const nn_rows_kernels *k)
{
    of_size(k, 0, 0);
    of_size(k, 1e-35F, 1e-30); /* below what a unit is worth at least */
    of_size(k, 1e-20F, 1e-23);
    of_size(k, 1e20F, 1e17);
    of_size(k, 1e30F, 1e27);
}

static void inputs_may_be_zero_tiny_and_huge(void **state)
{
    (void)state;
    all_sizes_of_inputs(&twins);
    if (nn_isa_available(NN_ISA_AMX)) {
        all_sizes_of_inputs(tile_kernels());
    }
}

/* ---- accuracy ---- */

/* Relative L2 error, of what ReLU leaves. */
static double relative_error(const conv_fixture *f)
{
    double error = 0, size = 0;
    const nn_rows_plan *p = &f->plan;
    for (size_t n = 0; n < p->outputs * p->height * p->width; n++) {
        size_t x = n % p->width, y = n / p->width % p->height, o = n / p->width / p->height;
        double should = expected(f, 0, o, y, x), off = output_of(f, 0, o, y, x) - should;
        error += off * off;
        size += should * should;
    }
    return sqrt(error / size);
}

/* How a layer's numbers are distributed. `spread`: inputs of channel c times 2^(c % spread - spread / 2), its weights divided
 * by it. */
typedef struct distribution {
    bool
        tails; /* of inputs: cubes of normal numbers, not normal ones; of weights: Student's t with 4 degrees, not uniform */
    int spread;
} distribution;

/* Student's t with 4 degrees of freedom. */
static float student(void)
{
    double chi = 0;
    for (int i = 0; i < 4; i++) {
        double x = (double)fixture_normal(17, counter++, 1.0);
        chi += x * x;
    }
    return fixture_normal(17, counter++, 1.0) / (float)sqrt(chi / 4);
}

static int exponent_of(const distribution *d, size_t channel)
{
    return (int)channel % d->spread - d->spread / 2;
}

/* Of a layer from 64 to 32 channels, 28x28. */
static double error_of_layer(const nn_rows_kernels *k, const distribution *d)
{
    nn_rows_plan shape = {.inputs = 64, .outputs = 32, .height = 28, .width = 28};
    conv_fixture f = conv_new(k, &shape, 1, 2);
    memset(f.bias.data, 0, 32 * 4);
    for (size_t i = 0; i < f.call.in_image; i++) {
        size_t channel = i / nn_act_plane(&f.call.in) * NN_BLOCK + i % NN_BLOCK;
        float x = fabsf(fixture_normal(17, counter++, 1.0));
        floats(&f.in)[i] = ldexpf(d->tails ? x * x * x : x, exponent_of(d, channel));
    }
    for (size_t i = 0; i < 64 * 9 * 32; i++) {
        float x = d->tails ? student() : fixture_uniform(17, counter++, -1, 1);
        floats(&f.raw)[i] = ldexpf(x, -exponent_of(d, i / NN_BLOCK / 9 % 64));
    }
    for (size_t c = 0; c < 64; c++) {
        floats(&f.equal)[c] = ldexpf(1, -exponent_of(d, c));
    }
    run(&f, NULL);
    double error = relative_error(&f);
    conv_free(&f);
    return error;
}

static void need_error_below(double limit, distribution d)
{
    assert_true(error_of_layer(&twins, &d) < limit);
    for (int round = 0; nn_isa_available(NN_ISA_AMX) && round < 5; round++) {
        double error = error_of_layer(tile_kernels(), &d);
        if (!(error < limit)) {
            fail_msg("relative error %.3g, allowed is %.3g", error, limit);
        }
    }
}

#define ERROR_MOST       6e-7 /* sums in 32-bit floating point: 4e-7 to 5e-7 */
#define ERROR_MOST_TAILS 3e-6

static void layers_are_as_good_as_32_bits(void **state)
{
    (void)state;
    need_error_below(ERROR_MOST, (distribution){.spread = 1});
}

/* Thanks to `equal`. */
static void unequal_channels_lose_nothing(void **state)
{
    (void)state;
    need_error_below(ERROR_MOST, (distribution){.spread = 13});
}

/* Fixed point is as good as the greatest number allows. */
static void few_great_numbers_cost_little(void **state)
{
    (void)state;
    need_error_below(ERROR_MOST_TAILS, (distribution){.tails = true, .spread = 1});
    need_error_below(ERROR_MOST_TAILS, (distribution){.tails = true, .spread = 13});
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tile_kernels_equal_twins),
        cmocka_unit_test(the_greatest_sums_do_not_overflow),
        cmocka_unit_test(convolution_equals_definition),
        cmocka_unit_test(wide_rows_equal_definition),
        cmocka_unit_test(bits_depend_on_neither_threads_nor_group),
        cmocka_unit_test(nan_and_infinity_do_not_become_numbers),
        cmocka_unit_test(inputs_may_be_zero_tiny_and_huge),
        cmocka_unit_test(layers_are_as_good_as_32_bits),
        cmocka_unit_test(unequal_channels_lose_nothing),
        cmocka_unit_test(few_great_numbers_cost_little),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
