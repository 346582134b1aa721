/* The convolution along rows from split numbers: the arithmetic and the schedule with the plain twins, on every machine; the
 * kernels for tile registers against their twins where the machine has these. Inputs and outputs end at a guard page. */
#include "nn_fixture.h"

#include "nn_isa.h"
#include "priv/nn_conv_rows.h"
#include "priv/nn_rows.h"
#include "priv/nn_session_priv.h"

#define ROUNDS    60
#define TOLERANCE 2e-6 /* of the sum of magnitudes: rounding in another order */

static const nn_rows_kernels twins = {nn_rows_begin__ref,
                                      nn_rows_end__ref,
                                      nn_rows_weights_split_16__ref,
                                      nn_rows_input_split_32__ref,
                                      nn_rows_multiply_split_32__ref,
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

static guard_page random_floats(size_t n)
{
    guard_page g = guard_page_make(n * sizeof(float));
    for (size_t i = 0; i < n; i++) {
        floats(&g)[i] = fixture_normal(11, counter++, 1.0);
    }
    return g;
}

static void free_all(guard_page **pages, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        guard_page_free(pages[i]);
    }
}

/* What the number at half `at` of a vector of 16-bit halves, and the two parts after it, stand for. */
static double joined(const float *h, size_t at, size_t part)
{
    double sum = 0;
    for (size_t p = 0; p < NN_ROWS_PARTS; p++) {
        uint16_t half;
        uint32_t bits;
        float x;
        memcpy(&half, (const uint8_t *)(h + p * part) + 2 * at, 2);
        bits = (uint32_t)half << 16;
        memcpy(&x, &bits, 4);
        sum += (double)x;
    }
    return sum;
}

/* Random numbers in split form, of all magnitudes that a network has. */
static guard_page random_split(size_t groups, size_t part)
{
    guard_page g = guard_page_make(groups * NN_ROWS_PARTS * part * sizeof(float));
    for (size_t i = 0; i < groups * part * 2; i++) {
        float x = ldexpf(fixture_normal(11, counter++, 1.0), (int)random_below(9) - 4);
        for (size_t p = 0; p < NN_ROWS_PARTS; p++) {
            uint32_t bits;
            memcpy(&bits, &x, 4);
            uint16_t half = (uint16_t)(bits >> 16);
            memcpy(g.data + ((i / (2 * part) * NN_ROWS_PARTS + p) * part * 2 + i % (2 * part)) * 2, &half, 2);
            bits &= 0xffff0000u;
            float cut;
            memcpy(&cut, &bits, 4);
            x -= cut;
        }
        assert_true(x == 0); /* three parts hold every bit */
    }
    return g;
}

static void compare_weights(const nn_rows_kernels *k)
{
    size_t channels = 1 + random_below(70), position = random_below(NN_ROWS_POSITIONS);
    size_t n = (nn_rows_blocks(channels) * 3 - 1) * NN_ROWS_U_DY + NN_ROWS_U_HALF;
    guard_page w = random_floats(channels * 9 * NN_BLOCK), fast = random_floats(n),
               plain = guard_page_of(fast.data, n * 4);
    k->weights(floats(&w), channels, position, floats(&fast));
    twins.weights(floats(&w), channels, position, floats(&plain));
    for (size_t i = 0; i < nn_rows_blocks(channels) * 3 * 2 * NN_ROWS_U_PART; i++) {
        size_t at = i / (2 * NN_ROWS_U_PART) * NN_ROWS_U_DY, half = i % (2 * NN_ROWS_U_PART);
        double a = joined(floats(&fast) + at, half, NN_ROWS_U_PART),
               b = joined(floats(&plain) + at, half, NN_ROWS_U_PART);
        assert_true(fabs(a - b) <= TOLERANCE * 9);
    }
    free_all((guard_page *[]){&w, &fast, &plain}, 3);
}

static void compare_input(const nn_rows_kernels *k)
{
    size_t tiles = 1 + random_below(9), part = (tiles + random_below(3)) * NN_BLOCK, stride = 3 * part;
    size_t row = (tiles * NN_ROWS_OUT + 2) * NN_BLOCK, n = 5 * stride + 2 * part + tiles * NN_BLOCK;
    size_t x_block = random_below(2) ? row + random_below(3) * NN_BLOCK : 0;
    guard_page x = random_floats(x_block + row), fast = random_floats(n),
               plain = guard_page_of(fast.data, n * 4);
    k->input(floats(&x), x_block, tiles, floats(&fast), stride, part);
    twins.input(floats(&x), x_block, tiles, floats(&plain), stride, part);
    for (size_t i = 0; i < NN_ROWS_POSITIONS * tiles * NN_ROWS_CHANNELS; i++) {
        size_t at = i / (tiles * NN_ROWS_CHANNELS) * stride, half = i % (tiles * NN_ROWS_CHANNELS);
        double a = joined(floats(&fast) + at, half, part), b = joined(floats(&plain) + at, half, part);
        assert_true(fabs(a - b) <= TOLERANCE * 36);
    }
    free_all((guard_page *[]){&x, &fast, &plain}, 3);
}

/* A product whose inputs and sums end at guard pages, and the next position's weights. */
typedef struct product_fixture {
    nn_rows_product p;
    nn_rows_task task;
    guard_page u, v, m, w, next;
    size_t sums; /* floats of m */
} product_fixture;

static product_fixture random_product(void)
{
    product_fixture f = {.p = {.channels = 1 + random_below(70),
                               .columns = 1 + random_below(9),
                               .tiles = 1 + random_below(60),
                               .add = random_below(2) == 0}};
    nn_rows_product *p = &f.p;
    size_t padded = nn_rows_parts(p->tiles) * nn_rows_part(p->tiles), blocks = nn_rows_blocks(p->channels);
    p->v_part = (padded + 2 * p->columns) * NN_BLOCK;
    f.sums = padded * NN_ROWS_PAIR;
    f.u = random_split(blocks * 3 * 2, NN_ROWS_U_PART);
    f.v = random_split(blocks, p->v_part);
    f.m = random_floats(f.sums);
    p->u = floats(&f.u);
    p->v = floats(&f.v);
    p->m = floats(&f.m);
    p->soon[0] = p->soon[1] = p->u;
    p->soon_lines = random_below(99);
    for (size_t i = 0; i < blocks * 3 * 2 * NN_ROWS_PARTS * NN_ROWS_U_PART * 2; i++) {
        size_t at = i % (2 * NN_ROWS_U_PART), block = i / (2 * NN_ROWS_U_DY) / 3;
        if (block * NN_ROWS_CHANNELS + at / (2 * NN_BLOCK) + at % 2 * NN_BLOCK >= p->channels) {
            memset(f.u.data + 2 * i, 0, 2); /* a channel that does not exist */
        }
    }
    f.task.channels = 1 + random_below(70);
    f.task.position = random_below(NN_ROWS_POSITIONS);
    f.w = random_floats(2 * f.task.channels * 9 * NN_BLOCK);
    f.next = random_floats(nn_rows_blocks(f.task.channels) * 3 * NN_ROWS_U_DY);
    f.task.w[0] = floats(&f.w);
    f.task.w[1] = random_below(2) ? floats(&f.w) + f.task.channels * 9 * NN_BLOCK : NULL;
    f.task.u = floats(&f.next);
    return f;
}

static void product_free(product_fixture *f)
{
    free_all((guard_page *[]){&f->u, &f->v, &f->m, &f->w, &f->next}, 5);
}

static void compare_multiply(const nn_rows_kernels *k)
{
    product_fixture f = random_product();
    size_t next = nn_rows_blocks(f.task.channels) * 3 * NN_ROWS_U_DY;
    guard_page plain = guard_page_of(f.m.data, f.sums * 4), plain_next = guard_page_of(f.next.data, next * 4);
    nn_rows_product twin = f.p;
    nn_rows_task twin_task = f.task;
    twin.m = floats(&plain);
    twin_task.u = floats(&plain_next);
    if (random_below(4)) {
        f.p.task = &f.task;
        twin.task = &twin_task;
    }
    k->begin(f.p.tiles);
    k->multiply(&f.p);
    k->end();
    twins.multiply(&twin);
    for (size_t i = 0; i < f.p.tiles * NN_ROWS_PAIR; i++) {
        double scale = 40 * (3 * (double)f.p.channels + 3);
        assert_true(fabs((double)f.p.m[i] - (double)twin.m[i]) <= TOLERANCE * scale);
    }
    for (size_t i = 0; i < next / NN_ROWS_U_HALF * 2 * NN_ROWS_U_PART; i++) {
        size_t at = i / (2 * NN_ROWS_U_PART) * NN_ROWS_U_HALF, half = i % (2 * NN_ROWS_U_PART);
        if (at % NN_ROWS_U_DY && (!f.task.w[1] || !f.p.task)) { /* left alone */
            assert_memory_equal(f.task.u + at, twin_task.u + at, NN_ROWS_U_HALF * 4);
            continue;
        }
        double a = joined(f.task.u + at, half, NN_ROWS_U_PART),
               b = joined(twin_task.u + at, half, NN_ROWS_U_PART);
        assert_true(fabs(a - b) <= TOLERANCE * 9 || !f.p.task);
    }
    free_all((guard_page *[]){&plain, &plain_next}, 2);
    product_free(&f);
}

static void compare_output(const nn_rows_kernels *k)
{
    size_t width = 1 + random_below(30), pool = random_below(2), each = pool ? 2 : 4;
    size_t tiles = (width + each - 1) / each, row = tiles * NN_ROWS_PAIR, stride = 2 * row + NN_BLOCK;
    guard_page m = random_floats(5 * stride + (pool ? 2 : 1) * row - NN_BLOCK),
               bias = random_floats(NN_BLOCK);
    guard_page fast = random_floats(width * NN_BLOCK), plain = random_floats(width * NN_BLOCK);
    k->output(floats(&m), stride, pool ? row : 0, floats(&bias), floats(&fast), width);
    twins.output(floats(&m), stride, pool ? row : 0, floats(&bias), floats(&plain), width);
    for (size_t i = 0; i < width * NN_BLOCK; i++) {
        assert_true(fabs((double)floats(&fast)[i] - (double)floats(&plain)[i]) <= TOLERANCE * 20);
    }
    free_all((guard_page *[]){&m, &bias, &fast, &plain}, 4);
}

static void need_tiles(void)
{
    if (!nn_isa_available(NN_ISA_AMX)) {
        TEST_SKIP("this machine has no AMX with bf16, or this process may not use it");
    }
}

static const nn_rows_kernels *tile_kernels(void)
{
    return nn_kernels_of(NN_ISA_AMX)->rows;
}

static void tile_kernels_equal_twins(void **state)
{
    (void)state;
    need_tiles();
    for (int round = 0; round < ROUNDS; round++) {
        compare_weights(tile_kernels());
        compare_input(tile_kernels());
        compare_multiply(tile_kernels());
        compare_output(tile_kernels());
    }
}

/* Six of nine products of parts are as good as 32-bit multiplication: against the joined numbers in 64 bits. */
static void six_products_are_accurate(const nn_rows_kernels *k)
{
    for (int round = 0; round < 10; round++) {
        product_fixture f = random_product();
        f.p.add = false;
        k->begin(f.p.tiles);
        k->multiply(&f.p);
        k->end();
        double error = 0, size = 0;
        for (size_t i = 0; i < f.p.tiles * NN_ROWS_PAIR; i++) {
            size_t t = i / NN_ROWS_PAIR, o = i % NN_ROWS_PAIR;
            double sum = 0;
            for (size_t c = 0; c < f.p.channels * 3; c++) {
                size_t dy = c % 3, in = c / 3 % NN_ROWS_CHANNELS, block = c / 3 / NN_ROWS_CHANNELS;
                sum +=
                    joined(f.p.v + block * NN_ROWS_PARTS * f.p.v_part + (dy * f.p.columns + t) * NN_BLOCK,
                           in % NN_BLOCK * 2 + in / NN_BLOCK, f.p.v_part) *
                    joined(f.p.u + (block * 3 + dy) * NN_ROWS_U_DY + o / NN_BLOCK * NN_ROWS_U_HALF,
                           in % NN_BLOCK * 2 * NN_BLOCK + o % NN_BLOCK * 2 + in / NN_BLOCK, NN_ROWS_U_PART);
            }
            error += (sum - (double)f.p.m[i]) * (sum - (double)f.p.m[i]);
            size += sum * sum;
        }
        assert_true(sqrt(error / size) < 1e-6); /* a plain sum in order: the twin */
        product_free(&f);
    }
}

static void split_products_are_as_good_as_32_bits(void **state)
{
    (void)state;
    six_products_are_accurate(&twins);
    if (nn_isa_available(NN_ISA_AMX)) {
        six_products_are_accurate(tile_kernels());
    }
}

/* A convolution by rows of a group of images, everything allocated to its last byte. */
typedef struct conv_fixture {
    nn_rows_plan plan;
    nn_rows_call call;
    guard_page in, out, weight, bias, own;
} conv_fixture;

static conv_fixture conv_new(const nn_rows_kernels *k, const nn_rows_plan *shape, size_t images)
{
    conv_fixture f = {.plan = nn_rows_plan_of(k, shape, images, 2)};
    size_t in, out;
    f.call.in = (nn_act){NULL, shape->inputs, shape->height, shape->width};
    f.call.out = (nn_act){NULL, shape->outputs, shape->height / (shape->pool ? 2 : 1),
                          shape->width / (shape->pool ? 2 : 1)};
    assert_ok(nn_act_bytes(shape->inputs, shape->height, shape->width, &in, NULL), NULL);
    assert_ok(nn_act_bytes(shape->outputs, f.call.out.height, f.call.out.width, &out, NULL), NULL);
    f.call.in_image = in / 4;
    f.call.out_image = out / 4;
    f.in = random_floats(images * in / 4);
    f.out = random_floats(images * out / 4);
    f.weight = random_floats(nn_act_blocks(&f.call.out) * NN_BLOCK * shape->inputs * 9);
    f.bias = random_floats(nn_act_blocks(&f.call.out) * NN_BLOCK);
    f.own = guard_page_make(2 * f.plan.own_floats * 4);
    memset(f.own.data, 0xff, 2 * f.plan.own_floats * 4); /* NaN: nothing may be read that was not written */
    f.call.in.data = floats(&f.in);
    f.call.out.data = floats(&f.out);
    f.call.weight = floats(&f.weight);
    f.call.bias = floats(&f.bias);
    f.call.own = floats(&f.own);
    f.call.own_stride = f.plan.own_floats;
    f.call.images = images;
    for (size_t i = 0; i < images; i++) {
        for (size_t b = 0; b < nn_act_blocks(&f.call.in); b++) {
            nn_act image = f.call.in;
            image.data += i * f.call.in_image;
            nn_act_close(&image, b, 0, image.height);
            for (size_t at = 0; b == shape->inputs / NN_BLOCK && at < nn_act_plane(&image); at++) {
                if (b * NN_BLOCK + at % NN_BLOCK >= shape->inputs) {
                    image.data[b * nn_act_plane(&image) + at] = 0; /* a channel that does not exist */
                }
            }
        }
    }
    return f;
}

static void run(conv_fixture *f, base_pool *pool)
{
    f->call.plan = &f->plan;
    nn_rows_run(&f->call, pool);
}

static void conv_free(conv_fixture *f)
{
    free_all((guard_page *[]){&f->in, &f->out, &f->weight, &f->bias, &f->own}, 5);
}

/* The definition. */
static double convolved(const conv_fixture *f, size_t image, size_t o, size_t y, size_t x)
{
    const nn_act *in = &f->call.in;
    double sum = (double)f->call.bias[o];
    for (size_t c = 0; c < in->channels; c++) {
        for (size_t tap = 0; tap < 9; tap++) {
            size_t at = image * f->call.in_image + c / NN_BLOCK * nn_act_plane(in) +
                        (y + tap / 3) * nn_act_row(in) + (x + tap % 3) * NN_BLOCK + c % NN_BLOCK;
            sum +=
                (double)in->data[at] *
                (double)
                    f->call.weight[((o / NN_BLOCK * in->channels + c) * 9 + tap) * NN_BLOCK + o % NN_BLOCK];
        }
    }
    return sum < 0 ? 0 : sum;
}

static double expected(const conv_fixture *f, size_t image, size_t o, size_t y, size_t x)
{
    double most = 0;
    if (!f->plan.pool) {
        return convolved(f, image, o, y, x);
    }
    for (size_t q = 0; q < 4; q++) {
        double value = convolved(f, image, o, 2 * y + q / 2, 2 * x + q % 2);
        most = value > most ? value : most;
    }
    return most;
}

static void compare_convolution(const nn_rows_kernels *k, base_pool *pool)
{
    nn_rows_plan shape = {.inputs = 1 + random_below(70),
                          .outputs = 1 + random_below(50),
                          .height = 2 + random_below(9),
                          .width = 2 + random_below(19),
                          .pool = random_below(2) == 0};
    size_t images = 1 + random_below(3);
    conv_fixture f = conv_new(k, &shape, images);
    run(&f, pool);
    const nn_act *out = &f.call.out;
    for (size_t n = 0; n < images * shape.outputs * out->height * out->width; n += 1 + random_below(5)) {
        size_t x = n % out->width, y = n / out->width % out->height,
               o = n / out->width / out->height % shape.outputs,
               image = n / out->width / out->height / shape.outputs;
        nn_act its = *out;
        its.data += image * f.call.out_image;
        double is = (double)nn_act_at(&its, o / NN_BLOCK, y)[x * NN_BLOCK + o % NN_BLOCK];
        double should = expected(&f, image, o, y, x);
        if (!(fabs(is - should) <= 2e-5 * sqrt(9.0 * (double)shape.inputs))) {
            fail_msg(
                "%zu to %zu channels, %zu x %zu, pool %d, image %zu output %zu (%zu, %zu): %.9g, not %.9g",
                shape.inputs, shape.outputs, shape.height, shape.width, shape.pool, image, o, y, x, is,
                should);
        }
    }
    conv_free(&f);
}

static void convolution_equals_definition(void **state)
{
    base_pool *pool;
    (void)state;
    assert_ok(base_pool_new(2, &pool, NULL), NULL);
    for (int round = 0; round < 25; round++) {
        compare_convolution(&twins, pool);
    }
    for (int round = 0; nn_isa_available(NN_ISA_AMX) && round < 100; round++) {
        compare_convolution(tile_kernels(), pool);
    }
    base_pool_free(pool);
}

/* What is not finite must not come out as an ordinary number. */
static void spreads(const nn_rows_kernels *k, float bad)
{
    nn_rows_plan shape = {.inputs = 40, .outputs = 17, .height = 5, .width = 6};
    conv_fixture f = conv_new(k, &shape, 1);
    nn_act_at(&f.call.in, 1, 2)[3 * NN_BLOCK + 4] = bad;
    run(&f, NULL);
    for (size_t o = 0; o < shape.outputs; o++) {
        for (size_t y = 1; y < 4; y++) {
            for (size_t x = 2; x < 5; x++) {
                assert_false(isfinite(nn_act_at(&f.call.out, o / NN_BLOCK, y)[x * NN_BLOCK + o % NN_BLOCK]));
            }
        }
    }
    conv_free(&f);
}

static void nan_and_infinity_do_not_become_numbers(void **state)
{
    static const uint32_t bits[] = {0x7f800000, 0xff800000, 0x7fc00000, 0x7f800001, 0xffffffff, 0x7f80ffff};
    (void)state;
    for (size_t i = 0; i < sizeof(bits) / sizeof(bits[0]); i++) {
        float bad;
        memcpy(&bad, &bits[i], 4);
        spreads(&twins, bad);
        if (nn_isa_available(NN_ISA_AMX)) {
            spreads(tile_kernels(), bad);
        }
    }
}

/* Numbers whose parts are too small for the tile unit lose what is below 2^-126, no more. */
static void tiny_numbers_vanish_quietly(void **state)
{
    (void)state;
    need_tiles();
    nn_rows_plan shape = {.inputs = 32, .outputs = 16, .height = 4, .width = 4};
    conv_fixture f = conv_new(tile_kernels(), &shape, 1);
    for (size_t i = 0; i < f.call.in_image; i++) {
        f.call.in.data[i] *= 0x1p-120f;
    }
    memset(f.bias.data, 0, NN_BLOCK * 4);
    run(&f, NULL);
    for (size_t n = 0; n < 16 * NN_BLOCK; n++) {
        double is =
            (double)nn_act_at(&f.call.out, 0, n / NN_BLOCK / 4)[n / NN_BLOCK % 4 * NN_BLOCK + n % NN_BLOCK];
        double should = convolved(&f, 0, n % NN_BLOCK, n / NN_BLOCK / 4, n / NN_BLOCK % 4);
        assert_true(fabs(is - should) <= 9 * 32 * 0x1p-120);
    }
    conv_free(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tile_kernels_equal_twins),
        cmocka_unit_test(split_products_are_as_good_as_32_bits),
        cmocka_unit_test(convolution_equals_definition),
        cmocka_unit_test(nan_and_infinity_do_not_become_numbers),
        cmocka_unit_test(tiny_numbers_vanish_quietly),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
