/* Packed weights: what lies where, what it is worth, and that it does not depend on who packs. Both kernels of fixed point
 * where the machine has both. Weights end at a guard page, and so does what is packed. */
#include "nn_fixture.h"

#include "base_pages.h"
#include "nn_isa.h"
#include "nn_pack.h"
#include "priv/nn_conv3x3.h"
#include "priv/nn_fold.h"
#include "priv/nn_net_priv.h"
#include "priv/nn_pack_fixed.h"
#include "priv/nn_pack_map.h"
#include "priv/nn_pack_raw.h"
#include "priv/nn_rows.h"
#include "priv/nn_rows_weights.h"
#include "priv/nn_winograd.h"

static uint64_t counter;

static size_t random_below(size_t n)
{
    return (size_t)(fixture_bits(17, counter++) % n);
}

/* One convolution without batch norm, its weights at the end of a guard page, in rows. */
typedef struct layer {
    nn_net_conv conv;
    guard_page weight, bias;
    guard_page scratch, equal, u, scale; /* and what is packed of it */
} layer;

static float *floats(const guard_page *g)
{
    return (float *)(void *)g->data;
}

static guard_page random_floats(size_t n)
{
    guard_page g = guard_page_make(n * sizeof(float));
    for (size_t i = 0; i < n; i++) {
        floats(&g)[i] = fixture_normal(13, counter++, 0.1);
    }
    return g;
}

static size_t blocks_of(size_t outputs)
{
    return (outputs + NN_BLOCK - 1) / NN_BLOCK;
}

static size_t pairs_of(size_t outputs)
{
    return (outputs + NN_ROWS_PAIR - 1) / NN_ROWS_PAIR;
}

static layer layer_new(size_t inputs, size_t outputs)
{
    layer l = {.conv = {.inputs = inputs, .outputs = outputs}};
    l.weight = random_floats(outputs * inputs * 9);
    l.bias = random_floats(outputs);
    l.conv.weight = (nn_tensor){
        {.dtype = MODEL_F32, .rank = 4, .shape = {outputs, inputs, 3, 3}, .stride = {inputs * 9, 9, 3, 1}},
        l.weight.data};
    l.conv.bias =
        (nn_tensor){{.dtype = MODEL_F32, .rank = 1, .shape = {outputs}, .stride = {1}}, l.bias.data};
    l.scratch = guard_page_make((nn_pack_fixed_scratch(&l.conv) + NN_BLOCK - 1) / NN_BLOCK * NN_BLOCK * 4);
    l.equal = guard_page_make(nn_rows_chunks(inputs) * NN_ROWS_CHANNELS * 4);
    l.u = guard_page_make(pairs_of(outputs) * nn_pack_pair_bytes(&l.conv));
    l.scale = guard_page_make(blocks_of(outputs) * NN_ROWS_POSITIONS * NN_BLOCK * 4);
    memset(l.u.data, 0x55, pairs_of(outputs) * nn_pack_pair_bytes(&l.conv)); /* every byte is written */
    return l;
}

static void layer_free(layer *l)
{
    guard_page *all[] = {&l->weight, &l->bias, &l->scratch, &l->equal, &l->u, &l->scale};
    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
        guard_page_free(all[i]);
    }
}

static void pack_layer(layer *l, nn_rows_weights_fn kernel)
{
    nn_pack_fixed_equal(&l->conv, floats(&l->scratch), floats(&l->equal));
    for (size_t pair = 0; pair < pairs_of(l->conv.outputs); pair++) {
        nn_pack_fixed_pair(&l->conv, kernel, pair, floats(&l->equal), floats(&l->scratch),
                           (int8_t *)l->u.data + pair * nn_pack_pair_bytes(&l->conv), floats(&l->scale));
    }
}

/* The kernels that this machine can run, the twin first. */
static size_t kernels(nn_rows_weights_fn out[2])
{
    size_t n = 0;
    out[n++] = nn_rows_weights_fixed_16__ref;
#if defined(__x86_64__)
    if (nn_isa_available(NN_ISA_AMX)) {
        out[n++] = nn_rows_weights_fixed_16__amx;
    }
#endif
    return n;
}

/* Where a weight lies: its high digit. */
static size_t place(size_t inputs, size_t o, size_t c, size_t dy, size_t position)
{
    size_t chunk = c / NN_ROWS_CHANNELS, in = c % NN_ROWS_CHANNELS;
    return o / NN_ROWS_PAIR * nn_rows_chunks(inputs) * NN_ROWS_U_CHUNK + chunk * NN_ROWS_U_CHUNK +
           position * NN_ROWS_U_POSITION + dy * NN_ROWS_U_DY + o / NN_BLOCK % 2 * NN_ROWS_U_HALF +
           in % NN_BLOCK * 64 + o % NN_BLOCK * 4 + in / NN_BLOCK;
}

static int32_t joined(const uint8_t *u, size_t at)
{
    const int8_t *digit = (const int8_t *)u + at;
    return 65536 * digit[0] + 256 * digit[NN_ROWS_U_DIGIT] + digit[2 * NN_ROWS_U_DIGIT];
}

/* The definition of a transformed weight; the sum of the magnitudes of its terms. */
static double transformed(const double g[3], size_t position, double *terms)
{
    const double a = (double)NN_WINOGRAD_A, b = (double)NN_WINOGRAD_B;
    const double points[5] = {0, a, -a, b, -b};
    double product = 1, p = position < 5 ? points[position] : 0;
    if (position == 5) {
        *terms = fabs(g[2]);
        return g[2];
    }
    for (size_t i = 0; i < 5; i++) {
        product *= i == position ? 1 : p - points[i];
    }
    *terms = (fabs(g[0]) + fabs(p * g[1]) + fabs(p * p * g[2])) / fabs(product);
    return (g[0] + p * g[1] + p * p * g[2]) / product;
}

/* Whether an integer, its scale and its channel's 2^e stand for a weight: rounded to 24 bits of the greatest, and once more
 * by the scale; the kernel rounds three times in 32 bits besides, each time at most 2^-24 of what is added. */
static void check_weight(const double g[3], size_t position, int32_t n, float scale, float equal)
{
    double terms, should = transformed(g, position, &terms), unit = (double)scale / 65536 * (double)equal;
    assert_true(n >= -NN_ROWS_MOST && n <= NN_ROWS_MOST);
    if (!(fabs(n * unit - should) <= unit * 1.001 + terms * 4 * 0x1p-24)) {
        fail_msg("position %zu: %d units of %.9g are %.9g, not %.9g", position, n, unit, n * unit, should);
    }
}

/* All folded weights of a convolution against what was packed. */
static void check_packed(const nn_net_conv *conv, const uint8_t *u, const float *scale, const float *equal)
{
    for (size_t i = 0; i < conv->outputs * conv->inputs; i++) {
        size_t o = i / conv->inputs, c = i % conv->inputs;
        nn_fold fold = nn_fold_of(conv, o);
        double taps[9];
        nn_fold_taps(conv, &fold, o, c, 1, taps);
        for (size_t k = 0; k < 3 * NN_ROWS_POSITIONS; k++) {
            size_t dy = k / NN_ROWS_POSITIONS, position = k % NN_ROWS_POSITIONS;
            check_weight(taps + 3 * dy, position, joined(u, place(conv->inputs, o, c, dy, position)),
                         scale[(o / NN_BLOCK * NN_ROWS_POSITIONS + position) * NN_BLOCK + o % NN_BLOCK],
                         equal[c]);
        }
    }
}

/* Channels and outputs that do not exist: zero. */
static void check_padding(const nn_net_conv *conv, const uint8_t *u)
{
    size_t channels = nn_rows_chunks(conv->inputs) * NN_ROWS_CHANNELS,
           outputs = pairs_of(conv->outputs) * NN_ROWS_PAIR;
    for (size_t i = 0; i < channels * outputs * 3 * NN_ROWS_POSITIONS; i++) {
        size_t position = i % NN_ROWS_POSITIONS, dy = i / NN_ROWS_POSITIONS % 3;
        size_t c = i / NN_ROWS_POSITIONS / 3 % channels, o = i / NN_ROWS_POSITIONS / 3 / channels;
        if (c >= conv->inputs || o >= conv->outputs) {
            assert_int_equal(joined(u, place(conv->inputs, o, c, dy, position)), 0);
        }
    }
}

static void digits_stand_for_the_weights(void **state)
{
    static const size_t sizes[][2] = {{64, 32}, {1, 1}, {65, 17}, {128, 48}, {130, 70}, {70, 16}};
    nn_rows_weights_fn all[2];
    size_t n = kernels(all);
    (void)state;
    for (size_t i = 0; i < n * sizeof(sizes) / sizeof(sizes[0]); i++) {
        layer l = layer_new(sizes[i / n][0], sizes[i / n][1]);
        pack_layer(&l, all[i % n]);
        check_packed(&l.conv, l.u.data, floats(&l.scale), floats(&l.equal));
        check_padding(&l.conv, l.u.data);
        layer_free(&l);
    }
}

/* The greatest of each output and position uses all 24 bits. */
static void the_greatest_weight_is_the_greatest_number(void **state)
{
    nn_rows_weights_fn all[2];
    size_t n = kernels(all);
    (void)state;
    for (size_t i = 0; i < n * NN_ROWS_POSITIONS; i++) {
        layer l = layer_new(40, 32);
        pack_layer(&l, all[i / NN_ROWS_POSITIONS]);
        for (size_t o = 0; o < l.conv.outputs; o++) {
            int32_t most = 0;
            for (size_t c = 0; c < l.conv.inputs * 3; c++) {
                int32_t its =
                    abs(joined(l.u.data, place(l.conv.inputs, o, c / 3, c % 3, i % NN_ROWS_POSITIONS)));
                most = its > most ? its : most;
            }
            assert_in_range(most, NN_ROWS_MOST - 1, NN_ROWS_MOST);
        }
        layer_free(&l);
    }
}

/* Weights of a channel, times 2^e. */
static void multiply_channel(layer *l, size_t c, int e)
{
    for (size_t i = 0; i < l->conv.outputs * 9; i++) {
        float *w = floats(&l->weight) + (i / 9 * l->conv.inputs + c) * 9 + i % 9;
        *w = ldexpf(*w, e);
    }
}

/* Channels of different size become channels of one size, and integers stay what they were. */
static void sizes_of_channels_are_taken_out(void **state)
{
    nn_rows_weights_fn all[2];
    size_t n = kernels(all);
    (void)state;
    for (size_t i = 0; i < n; i++) {
        layer l = layer_new(67, 32);
        pack_layer(&l, all[i]);
        guard_page u = guard_page_of(l.u.data, nn_pack_pair_bytes(&l.conv)),
                   equal = guard_page_of(l.equal.data, 2 * NN_ROWS_CHANNELS * 4);
        for (size_t c = 0; c < l.conv.inputs; c++) { /* the median stays, at 2^0 */
            multiply_channel(&l, c, (int)(c % 13) - 6);
        }
        pack_layer(&l, all[i]);
        for (size_t c = 0; c < 2 * NN_ROWS_CHANNELS; c++) {
            int e = c < l.conv.inputs ? (int)(c % 13) - 6 : 0;
            assert_true(floats(&l.equal)[c] == ldexpf(floats(&equal)[c], e));
        }
        assert_memory_equal(u.data, l.u.data, nn_pack_pair_bytes(&l.conv));
        check_packed(&l.conv, l.u.data, floats(&l.scale), floats(&l.equal));
        guard_page_free(&u);
        guard_page_free(&equal);
        layer_free(&l);
    }
}

/* Sizes far from the others' count as far; what has none is left alone. */
static void odd_channels_have_a_size_within_limits(void **state)
{
    (void)state;
    layer l = layer_new(64, 32);
    for (size_t i = 0; i < l.conv.outputs * 9; i++) {
        floats(&l.weight)[(i / 9 * l.conv.inputs + 1) * 9 + i % 9] = 0;
    }
    floats(&l.weight)[2 * 9] = NAN;
    floats(&l.weight)[3 * 9] = -INFINITY;
    multiply_channel(&l, 4, 90);
    multiply_channel(&l, 5, -90);
    multiply_channel(&l, 6, -145); /* denormal */
    nn_pack_fixed_equal(&l.conv, floats(&l.scratch), floats(&l.equal));
    const float *e = floats(&l.equal);
    assert_true(e[1] == 1 && e[2] == 1 && e[3] == 1);
    assert_true(e[4] == 0x1p20f && e[5] == 0x1p-20f && e[6] == 0x1p-20f);
    for (size_t c = 7; c < 64; c++) {
        assert_true(e[c] == 1 || e[c] == 0.5f || e[c] == 2);
    }
    memset(l.weight.data, 0, l.conv.outputs * l.conv.inputs * 36); /* nothing has a size */
    nn_pack_fixed_equal(&l.conv, floats(&l.scratch), floats(&l.equal));
    for (size_t c = 0; c < 64; c++) {
        assert_true(e[c] == 1);
    }
    layer_free(&l);
}

static void zero_weights_are_worth_nothing(void **state)
{
    nn_rows_weights_fn all[2];
    size_t n = kernels(all);
    (void)state;
    for (size_t i = 0; i < n; i++) {
        layer l = layer_new(20, 16);
        memset(l.weight.data + 5 * 20 * 36, 0, 20 * 36); /* all of output 5 */
        pack_layer(&l, all[i]);
        check_packed(&l.conv, l.u.data, floats(&l.scale), floats(&l.equal));
        for (size_t k = 0; k < NN_ROWS_POSITIONS * NN_BLOCK; k++) {
            float scale = floats(&l.scale)[k];
            assert_true(k % NN_BLOCK == 5 ? scale == 0 : scale > 0);
        }
        layer_free(&l);
    }
}

/* Their outputs have no scale at the positions where they take part, and zeros; no other output notices. */
static void weights_that_are_not_finite_have_no_scale(void **state)
{
    const float bad[] = {NAN, INFINITY, -INFINITY};
    nn_rows_weights_fn all[2];
    size_t n = kernels(all);
    (void)state;
    for (size_t i = 0; i < 3 * 3 * n; i++) {
        size_t tap = i / 3 % 3, o = 3, c = 17 + random_below(48); /* the left, middle or right of a row */
        layer l = layer_new(65, 16);
        floats(&l.weight)[(o * 65 + c) * 9 + 3 + tap] = bad[i % 3];
        pack_layer(&l, all[i / 9]);
        for (size_t k = 0; k < NN_ROWS_POSITIONS * NN_BLOCK; k++) {
            size_t position = k / NN_BLOCK;
            bool counts = k % NN_BLOCK == o && (position == 0 ? tap == 0 : position < 5 || tap == 2);
            assert_true(counts ? isnan(floats(&l.scale)[k]) : floats(&l.scale)[k] > 0);
            for (size_t other = 0; other < 65 * 3 && counts; other++) {
                assert_int_equal(joined(l.u.data, place(65, o, other / 3, other % 3, position)), 0);
            }
        }
        layer_free(&l);
    }
}

/* What 32 bits cannot hold once it is transformed is not finite either: 1.138 times the weight, at position 0. */
static void overflowing_weights_have_no_scale(void **state)
{
    nn_rows_weights_fn all[2];
    size_t n = kernels(all);
    (void)state;
    for (size_t i = 0; i < n; i++) {
        layer l = layer_new(1, 16); /* the only channel is the median one: nothing divides it */
        for (size_t o = 0; o < 16 * 9; o++) {
            floats(&l.weight)[o] = o == 2 * 9 ? 3.3e38f : 2.9e38f;
        }
        pack_layer(&l, all[i]);
        for (size_t o = 0; o < 16; o++) {
            assert_true(isnan(floats(&l.scale)[o]) == (o == 2) && floats(&l.scale)[5 * NN_BLOCK + o] > 0);
        }
        layer_free(&l);
    }
}

/* Down to where 32-bit floating point ends: nothing overflows, and what is lost is less than its least normal number. */
static void tiny_weights_keep_what_they_can(void **state)
{
    const int sizes[] = {-80, -100, -104, -110, -120, -124};
    nn_rows_weights_fn all[2];
    size_t n = kernels(all);
    (void)state;
    for (size_t i = 0; i < n * 6; i++) {
        layer l = layer_new(16, 16);
        for (size_t c = 0; c < 16; c++) {
            multiply_channel(&l, c, sizes[i / n]);
        }
        pack_layer(&l, all[i % n]);
        for (size_t k = 0; k < 16 * NN_ROWS_POSITIONS; k++) {
            assert_true(floats(&l.scale)[k] >= 0x1p-110f && isfinite(floats(&l.scale)[k]));
        }
        for (size_t k = 0; k < 16 * 16 * 3; k++) {
            size_t o = k / 48, c = k / 3 % 16, dy = k % 3;
            double taps[3], terms;
            for (size_t d = 0; d < 3; d++) {
                taps[d] = (double)floats(&l.weight)[(o * 16 + c) * 9 + dy * 3 + d];
            }
            double got = joined(l.u.data, place(16, o, c, dy, 1)) * (double)floats(&l.scale)[NN_BLOCK + o] /
                         65536 * (double)floats(&l.equal)[c];
            assert_true(fabs(got - transformed(taps, 1, &terms)) <= 0x1p-125 + ldexp(1, sizes[i / n] - 22));
        }
        layer_free(&l);
    }
}

/* Kernel and twin agree within a unit of the last digit, and a rounding of what is added. */
static void kernel_equals_twin(void **state)
{
    nn_rows_weights_fn all[2];
    (void)state;
    if (kernels(all) < 2) {
        TEST_SKIP("this machine has no AMX with int8, or this process may not use it");
    }
    for (int round = 0; round < 20; round++) {
        layer a = layer_new(1 + random_below(150), 1 + random_below(40)), b = a;
        b.u = guard_page_make(pairs_of(a.conv.outputs) * nn_pack_pair_bytes(&a.conv));
        b.scale = guard_page_make(blocks_of(a.conv.outputs) * NN_ROWS_POSITIONS * NN_BLOCK * 4);
        pack_layer(&a, all[0]);
        pack_layer(&b, all[1]);
        for (size_t i = 0; i < blocks_of(a.conv.outputs) * NN_ROWS_POSITIONS * NN_BLOCK; i++) {
            assert_true(fabsf(floats(&a.scale)[i] - floats(&b.scale)[i]) <=
                        8 * 0x1p-24f * floats(&a.scale)[i]);
        }
        for (size_t at = 0; at < pairs_of(a.conv.outputs) * nn_pack_pair_bytes(&a.conv); at++) {
            if (at % NN_ROWS_U_HALF < NN_ROWS_U_DIGIT) {
                assert_true(abs(joined(a.u.data, at) - joined(b.u.data, at)) <= 8);
            }
        }
        guard_page_free(&b.u);
        guard_page_free(&b.scale);
        layer_free(&a);
    }
}

/* A net with odd numbers of blocks, and inputs that are no multiple of 64. */
static nn_recipe recipe_of(const char *kind)
{
    nn_recipe r = nn_recipe_small(kind);
    r.channels[0] = 66;
    r.channels[1] = 130;
    r.channels[2] = 64;
    return r;
}

typedef struct packed {
    size_t size;
    uint8_t *mem;
} packed;

static packed pack(const nn_net *net, nn_layout layout, base_pool *pool, int fill)
{
    packed p;
    assert_ok(nn_pack_size(net, layout, &p.size, NULL), NULL);
    assert_ok(base_pages_new(p.size, &p.mem, NULL), NULL);
    memset(p.mem, fill, p.size);
    assert_ok(nn_pack(net, layout, pool, p.mem, p.size, NULL, NULL), NULL);
    return p;
}

static void fixed_point_has_batch_norm_folded_in(void **state)
{
    (void)state;
    nn_recipe recipe = recipe_of("vgg11_bn");
    nn_fixture f = nn_fixture_new(&recipe, (fixture_form){.dtype = MODEL_F32});
    nn_pack_map map;
    packed p = pack(f.net, NN_LAYOUT_ROWS24, NULL, 0x77);
    assert_ok(nn_pack_map_of(f.net, NN_LAYOUT_ROWS24, &map, NULL), NULL);
    assert_int_equal(map.conv_scale[0], NN_NOT_PACKED);
    assert_int_equal(map.conv_equal[0], NN_NOT_PACKED);
    for (size_t i = 1; i < f.net->conv_count; i++) {
        const nn_net_conv *conv = &f.net->conv[i];
        check_packed(conv, p.mem + map.conv_weight[i],
                     (const float *)(const void *)(p.mem + map.conv_scale[i]),
                     (const float *)(const void *)(p.mem + map.conv_equal[i]));
        check_padding(conv, p.mem + map.conv_weight[i]);
        for (size_t o = 0; o < conv->outputs; o++) {
            float bias;
            memcpy(&bias, p.mem + map.conv_bias[i] + o * 4, 4);
            assert_true(bias == (float)nn_fold_of(conv, o).bias);
        }
    }
    base_pages_free(p.mem, p.size);
    nn_fixture_free(&f);
}

/* The first convolution is the same in both layouts; the others have nothing but their place. */
static void the_first_convolution_is_direct_in_every_layout(void **state)
{
    (void)state;
    nn_recipe recipe = recipe_of("vgg11");
    nn_fixture f = nn_fixture_new(&recipe, (fixture_form){.dtype = MODEL_F32});
    nn_pack_map a, b;
    packed direct = pack(f.net, NN_LAYOUT_DIRECT16, NULL, 0), rows = pack(f.net, NN_LAYOUT_ROWS24, NULL, 0);
    assert_ok(nn_pack_map_of(f.net, NN_LAYOUT_DIRECT16, &a, NULL), NULL);
    assert_ok(nn_pack_map_of(f.net, NN_LAYOUT_ROWS24, &b, NULL), NULL);
    assert_memory_equal(direct.mem + a.conv_weight[0], rows.mem + b.conv_weight[0], 80 * 3 * 9 * 4);
    for (size_t i = 0; i < f.net->conv_count; i++) {
        const nn_net_conv *conv = &f.net->conv[i];
        assert_memory_equal(direct.mem + a.conv_bias[i], rows.mem + b.conv_bias[i], conv->outputs * 4);
        assert_int_equal(a.conv_scale[i], NN_NOT_PACKED);
        if (i > 0) {
            assert_int_equal(b.conv_scale[i] - b.conv_weight[i],
                             pairs_of(conv->outputs) * nn_rows_chunks(conv->inputs) * 110592);
        }
    }
    base_pages_free(direct.mem, direct.size);
    base_pages_free(rows.mem, rows.size);
    nn_fixture_free(&f);
}

/* Whatever way weights lie in their file, packed they are the same: copied, transposed or converted. */
static void every_form_packs_to_the_same_bytes(void **state)
{
    const fixture_form forms[] = {{.dtype = MODEL_F32, .shift = 1},
                                  {.dtype = MODEL_F32, .reversed = true},
                                  {.dtype = MODEL_F32, .as_keras = true},
                                  {.dtype = MODEL_F64}};
    const nn_layout layouts[] = {NN_LAYOUT_DIRECT16, NN_LAYOUT_ROWS24};
    nn_recipe recipe = recipe_of("vgg11");
    (void)state;
    for (size_t i = 0; i < 2 * 4; i++) {
        nn_layout layout = layouts[i % 2];
        nn_fixture rows = nn_fixture_new(&recipe, (fixture_form){.dtype = MODEL_F32});
        nn_fixture other = nn_fixture_new(&recipe, forms[i / 2]);
        nn_pack_map map;
        packed a = pack(rows.net, layout, NULL, 0), b = pack(other.net, layout, NULL, 0xff);
        assert_ok(nn_pack_map_of(rows.net, layout, &map, NULL), NULL);
        assert_memory_equal(a.mem, b.mem, map.linear_bias[0]); /* all convolutions lie before */
        base_pages_free(a.mem, a.size);
        base_pages_free(b.mem, b.size);
        nn_fixture_free(&rows);
        nn_fixture_free(&other);
    }
}

/* Copies are exact: each weight where the layout says. */
static void direct_weights_are_the_files(void **state)
{
    (void)state;
    layer l = layer_new(21, 37);
    float *raw = floats(&l.scratch);
    for (size_t block = 0; block < 3; block++) {
        nn_pack_raw_block(&l.conv, block, raw);
        for (size_t i = 0; i < 21 * 9 * NN_BLOCK; i++) {
            size_t o = block * NN_BLOCK + i % NN_BLOCK;
            float should = o < 37 ? floats(&l.weight)[o * 21 * 9 + i / NN_BLOCK] : 0;
            assert_memory_equal(&raw[i], &should, 4);
        }
    }
    layer_free(&l);
}

static void threads_do_not_change_bytes(void **state)
{
    const nn_layout layouts[] = {NN_LAYOUT_DIRECT16, NN_LAYOUT_ROWS24};
    nn_recipe recipe = recipe_of("vgg13");
    nn_fixture f = nn_fixture_new(&recipe, (fixture_form){.dtype = MODEL_F32});
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        packed alone = pack(f.net, layouts[i], NULL, 0);
        for (unsigned threads = 2; threads <= 5; threads++) {
            base_pool *pool;
            assert_ok(base_pool_new(threads, &pool, NULL), NULL);
            packed together = pack(f.net, layouts[i], pool, 0xff);
            assert_memory_equal(alone.mem, together.mem, alone.size);
            base_pages_free(together.mem, together.size);
            base_pool_free(pool);
        }
        base_pages_free(alone.mem, alone.size);
    }
    nn_fixture_free(&f);
}

static void cancelled_packing_says_so(void **state)
{
    (void)state;
    nn_recipe recipe = recipe_of("vgg11");
    nn_fixture f = nn_fixture_new(&recipe, (fixture_form){.dtype = MODEL_F32});
    cistern_error err = CISTERN_ERROR_INIT;
    base_cancel cancel;
    packed p = pack(f.net, NN_LAYOUT_ROWS24, NULL, 0);
    atomic_init(&cancel.set, 1);
    assert_fails(nn_pack(f.net, NN_LAYOUT_ROWS24, NULL, p.mem, p.size, &cancel, &err), CISTERN_CANCELLED,
                 &err);
    base_pages_free(p.mem, p.size);
    nn_fixture_free(&f);
}

static void layouts_of_instruction_sets(void **state)
{
    (void)state;
    nn_isa best;
    assert_ok(nn_isa_resolve(NN_ISA_AUTO, &best, NULL), NULL);
    assert_int_equal(nn_layout_for(NN_ISA_AUTO), nn_layout_for(best));
    assert_int_equal(nn_layout_for(NN_ISA_PORTABLE), NN_LAYOUT_DIRECT16);
    assert_int_equal(nn_layout_for(NN_ISA_AVX2), NN_LAYOUT_DIRECT16);
    assert_int_equal(nn_layout_for(NN_ISA_AVX512), NN_LAYOUT_DIRECT16);
    assert_int_equal(nn_layout_for(NN_ISA_AMX), NN_LAYOUT_ROWS24);
    assert_string_equal(nn_layout_text(NN_LAYOUT_DIRECT16), "direct16");
    assert_string_equal(nn_layout_text(NN_LAYOUT_ROWS24), "rows24");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(digits_stand_for_the_weights),
        cmocka_unit_test(the_greatest_weight_is_the_greatest_number),
        cmocka_unit_test(sizes_of_channels_are_taken_out),
        cmocka_unit_test(odd_channels_have_a_size_within_limits),
        cmocka_unit_test(zero_weights_are_worth_nothing),
        cmocka_unit_test(weights_that_are_not_finite_have_no_scale),
        cmocka_unit_test(overflowing_weights_have_no_scale),
        cmocka_unit_test(tiny_weights_keep_what_they_can),
        cmocka_unit_test(kernel_equals_twin),
        cmocka_unit_test(fixed_point_has_batch_norm_folded_in),
        cmocka_unit_test(the_first_convolution_is_direct_in_every_layout),
        cmocka_unit_test(every_form_packs_to_the_same_bytes),
        cmocka_unit_test(direct_weights_are_the_files),
        cmocka_unit_test(threads_do_not_change_bytes),
        cmocka_unit_test(cancelled_packing_says_so),
        cmocka_unit_test(layouts_of_instruction_sets),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
