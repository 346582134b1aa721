/* Convolutions along rows in fixed point: the arithmetic and the schedule with the plain twins, on every machine, and with
 * the kernels for tile registers where it has these. Against the definition in 64 bits; everything ends at a guard page. */
#include "nn_rows_fixture.h"

#include "priv/nn_conv_rows.h"

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
        if (i < 6) { /* both infinities and a NaN */
            input_spreads(&twins, bad_number(i / 2), i % 2);
            weight_spreads(&twins, bad_number(i / 2));
        }
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
    assert_true(d.tails || error_of_layer(&twins, &d) < limit); /* these are slow */
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
