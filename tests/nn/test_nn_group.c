/* Groups of images through the later convolutions: nets wide enough that several chunks and superblocks occur. */
#include "nn_fixture.h"

#include "priv/nn_conv_winograd.h"
#include "priv/nn_session_priv.h"

#define IMAGES 11 /* a whole group and a part */

static nn_recipe wide(const char *kind)
{
    nn_recipe r = nn_recipe_small(kind);
    const size_t channels[MODEL_VGG_CONVS_MAX] = {16, 40, 70, 201, 230, 96, 33, 257};
    memcpy(r.channels, channels, sizeof(channels));
    return r;
}

static void fill(float *x, size_t floats)
{
    for (size_t i = 0; i < floats; i++) {
        x[i] = fixture_normal(23, i, 1.0);
    }
}

/* Each image of a batch has the bits that it has alone, whatever the number of threads. */
static void a_group_gives_each_image_the_bits_it_has_alone(void **state)
{
    (void)state;
    enum { HEIGHT = 50, WIDTH = 65, FLOATS = 3 * HEIGHT * WIDTH };
    static float x[IMAGES * FLOATS], together[IMAGES * 10], alone[10];
    cistern_error err = CISTERN_ERROR_INIT;
    nn_recipe recipe = wide("vgg11_bn");
    nn_fixture f = nn_fixture_new(&recipe, (fixture_form){.dtype = MODEL_F32});
    fill(x, IMAGES * FLOATS);
    for (int isa = NN_ISA_PORTABLE; isa <= NN_ISA_AMX; isa++) {
        nn_session_options o = NN_SESSION_OPTIONS_INIT;
        nn_session *group, *single;
        if (!nn_isa_available((nn_isa)isa)) {
            continue;
        }
        o.height = HEIGHT;
        o.width = WIDTH;
        o.isa = (nn_isa)isa;
        assert_ok(nn_session_new(f.net, &o, NULL, &single, &err), &err);
        o.max_batch = IMAGES;
        assert_ok(base_pool_new(3, &o.pool, &err), &err);
        assert_ok(nn_session_new(f.net, &o, NULL, &group, &err), &err);
        assert_ok(nn_session_run(group, x, IMAGES, together, NULL, &err), &err);
        for (size_t i = 0; i < IMAGES; i++) {
            assert_ok(nn_session_run(single, x + i * FLOATS, 1, alone, NULL, &err), &err);
            assert_memory_equal(alone, together + i * 10, sizeof(alone));
        }
        nn_session_free(group);
        nn_session_free(single);
        base_pool_free(o.pool);
    }
    nn_fixture_free(&f);
}

/* An image has the bits that it has alone, too, where its neighbours, or what the session ran before, are huge or not finite. */
static void an_image_does_not_feel_what_others_hold(void **state)
{
    (void)state;
    enum { HEIGHT = 33, WIDTH = 40, FLOATS = 3 * HEIGHT * WIDTH, FEW = 5, HUGE_ONE = 1, BAD_ONE = 3 };
    static float x[FEW * FLOATS], together[FEW * 10], alone[10];
    cistern_error err = CISTERN_ERROR_INIT;
    nn_recipe recipe = wide("vgg11");
    nn_fixture f = nn_fixture_new(&recipe, (fixture_form){.dtype = MODEL_F32});
    fill(x, FEW * FLOATS);
    for (size_t i = 0; i < FLOATS; i++) {
        x[HUGE_ONE * FLOATS + i] *= 1e12F;
    }
    x[BAD_ONE * FLOATS + FLOATS / 2] = NAN;
    for (int isa = NN_ISA_PORTABLE; isa <= NN_ISA_AMX; isa++) {
        nn_session_options o = NN_SESSION_OPTIONS_INIT;
        nn_session *session;
        if (!nn_isa_available((nn_isa)isa)) {
            continue;
        }
        o.height = HEIGHT;
        o.width = WIDTH;
        o.isa = (nn_isa)isa;
        o.max_batch = FEW;
        assert_ok(nn_session_new(f.net, &o, NULL, &session, &err), &err);
        for (size_t round = 0; round < 2; round++) {
            assert_ok(nn_session_run(session, x, FEW, together, NULL, &err), &err);
            for (size_t i = 0; i < FEW; i++) {
                if (i == BAD_ONE) {
                    assert_true(isnan(together[i * 10]) && isnan(together[i * 10 + 9]));
                    continue;
                }
                assert_ok(nn_session_run(session, x + i * FLOATS, 1, alone, NULL, &err), &err);
                assert_memory_equal(alone, together + i * 10, sizeof(alone));
                assert_true(isfinite(alone[0]));
            }
        }
        nn_session_free(session);
    }
    nn_fixture_free(&f);
}

/* One convolution, with weights prepared or not and odd sizes of blocks, against the definition in 64-bit floating point. */
typedef struct layer {
    size_t inputs, outputs, height, width, images;
    bool pool;
} layer;

typedef struct buffers {
    float *x, *out, *w, *bias, *shared, *own;
} buffers;

static float *aligned_floats(size_t n)
{
    void *p = NULL;
    assert_int_equal(posix_memalign(&p, 64, (n ? n : 1) * sizeof(float)), 0);
    memset(p, 0x55, (n ? n : 1) * sizeof(float)); /* what was there must not matter */
    return p;
}

static double definition(const layer *l, const buffers *b, const nn_act *in, size_t in_image, size_t image,
                         size_t k, size_t y, size_t x)
{
    double sum = (double)b->bias[k];
    for (size_t c = 0; c < l->inputs; c++) {
        const float *w = b->w + ((k / NN_BLOCK * l->inputs + c) * 9) * NN_BLOCK + k % NN_BLOCK;
        const float *at = b->x + image * in_image + c / NN_BLOCK * nn_act_plane(in) + c % NN_BLOCK;
        for (size_t tap = 0; tap < 9; tap++) {
            sum += (double)w[tap * NN_BLOCK] *
                   (double)at[(y + tap / 3) * nn_act_row(in) + (x + tap % 3) * NN_BLOCK];
        }
    }
    return sum < 0 ? 0 : sum;
}

static double expected(const layer *l, const buffers *b, const nn_act *in, size_t in_image, size_t image,
                       size_t k, size_t y, size_t x)
{
    double most = 0;
    if (!l->pool) {
        return definition(l, b, in, in_image, image, k, y, x);
    }
    for (size_t i = 0; i < 4; i++) {
        most = fmax(most, definition(l, b, in, in_image, image, k, 2 * y + i / 2, 2 * x + i % 2));
    }
    return most;
}

/* Every pixel of every channel, and zeros in the border. */
static void check_outputs(const layer *l, const buffers *b, const nn_act *in, const nn_act *out,
                          size_t in_image, size_t out_image)
{
    for (size_t image = 0; image < l->images; image++) {
        nn_act act = *out;
        act.data = b->out + image * out_image;
        for (size_t k = 0; k < l->outputs; k++) {
            for (size_t y = 0; y < out->height + 2; y++) {
                for (size_t x = 0; x < out->width + 2; x++) {
                    bool border = y == 0 || x == 0 || y > out->height || x > out->width;
                    double want = border ? 0 : expected(l, b, in, in_image, image, k, y - 1, x - 1);
                    float got = act.data[k / NN_BLOCK * nn_act_plane(&act) + y * nn_act_row(&act) +
                                         x * NN_BLOCK + k % NN_BLOCK];
                    if (!(fabs((double)got - want) <= (border ? 0 : 1e-4))) {
                        fail_msg("image %zu channel %zu (%zu, %zu): %.9g, expected %.9g", image, k, y, x,
                                 (double)got, want);
                    }
                }
            }
        }
    }
}

static void try_layer(const layer *l, nn_isa isa)
{
    nn_winograd_plan plan =
        nn_winograd_plan_of(l->inputs, l->outputs, l->height, l->width, l->pool, l->images, 2);
    nn_act in = {NULL, l->inputs, l->height, l->width};
    nn_act out = {NULL, l->outputs, l->pool ? l->height / 2 : l->height, l->pool ? l->width / 2 : l->width};
    size_t in_image = nn_act_blocks(&in) * nn_act_plane(&in),
           out_image = nn_act_blocks(&out) * nn_act_plane(&out);
    buffers b = {aligned_floats(l->images * in_image),
                 aligned_floats(l->images * out_image),
                 aligned_floats(nn_act_blocks(&out) * NN_BLOCK * l->inputs * 9),
                 aligned_floats(nn_act_blocks(&out) * NN_BLOCK),
                 aligned_floats(plan.shared_floats),
                 aligned_floats(2 * plan.own_floats + NN_BLOCK)};
    for (size_t i = 0; i < l->images * in_image; i++) {
        b.x[i] = fixture_normal(29, i, 1.0);
    }
    for (size_t image = 0; image < l->images; image++) {
        for (size_t block = 0; block < nn_act_blocks(&in); block++) {
            nn_act act = in;
            act.data = b.x + image * in_image;
            nn_act_close(&act, block, 0, in.height);
        }
    }
    for (size_t i = 0; i < nn_act_blocks(&out) * NN_BLOCK * l->inputs * 9; i++) {
        b.w[i] = fixture_normal(31, i, sqrt(2.0 / (9.0 * (double)l->inputs)));
    }
    for (size_t i = 0; i < nn_act_blocks(&out) * NN_BLOCK; i++) {
        b.bias[i] = fixture_normal(37, i, 0.1);
    }
    in.data = b.x;
    out.data = b.out;
    base_pool *pool;
    assert_ok(base_pool_new(2, &pool, NULL), NULL);
    nn_winograd_call call = {.plan = &plan,
                             .kernels = &nn_kernels_of(isa)->winograd,
                             .weight = b.w,
                             .bias = b.bias,
                             .in = in,
                             .out = out,
                             .in_image = in_image,
                             .out_image = out_image,
                             .images = l->images,
                             .shared = b.shared,
                             .own = b.own,
                             .own_stride = (plan.own_floats + NN_BLOCK - 1) / NN_BLOCK * NN_BLOCK};
    nn_winograd_run(&call, pool);
    check_outputs(l, &b, &in, &out, in_image, out_image);
    base_pool_free(pool);
    float *all[] = {b.x, b.out, b.w, b.bias, b.shared, b.own};
    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
        free(all[i]);
    }
}

static void layers_equal_the_definition(void **state)
{
    (void)state;
    static const layer layers[] = {
        {16, 32, 64, 64, 1, false}, /* prepared, whole tiles */
        {17, 33, 50, 49, 2, true},  /* edges, odd pooling, a pair without its second block */
        {3, 5, 47, 61, 1, false},
        {65, 7, 5, 7, 3, true},
        {130, 40, 1, 1, 1, false},
        {16, 16, 2, 3, 2, true},
        {48, 100, 23, 22, 2, false},
        {200, 64, 9, 10, 5, true},   /* several chunks, a superblock of several images */
        {100, 70, 33, 34, 1, false}, /* several chunks and superblocks */
        {100, 40, 60, 61, 1, true},  /* the same, prepared */
    };
    for (size_t i = 0; i < sizeof(layers) / sizeof(layers[0]); i++) {
        for (int isa = NN_ISA_PORTABLE; isa <= NN_ISA_AMX; isa++) {
            if (nn_isa_available((nn_isa)isa)) {
                try_layer(&layers[i], (nn_isa)isa);
            }
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_group_gives_each_image_the_bits_it_has_alone),
        cmocka_unit_test(an_image_does_not_feel_what_others_hold),
        cmocka_unit_test(layers_equal_the_definition),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
