/* Whole networks against PyTorch's outputs (tools/make_vgg_goldens.py says how they were made, and the file's form).
 *
 * Tolerance: the largest difference is at most 1e-4 of the largest value of the layer. That it separates right from wrong
 * is tested too: each "mutant" in the file is PyTorch's answer of a network with one mistake, and must not pass.
 *
 * The file is the first argument, else the committed one; so tests/long runs this same program at full size.
 */
#include "nn_fixture.h"

#define TOLERANCE  1e-4
#define IMAGES_MAX 8
#define LAYERS_MAX 16
#define LOGITS_MAX 1000

static const char *golden_path = CISTERN_TEST_DATA "/golden/vgg_small.golden";
static nn_isa tested_isa;

typedef struct golden_layer {
    char name[24];
    size_t channels, height, width, count;
    bool sample;
    float most;
    float *values;
    bool seen;
} golden_layer;

/* The image that is being compared. */
typedef struct golden_image {
    char net[64];
    size_t number;
    golden_layer layer[LAYERS_MAX];
    size_t layer_count;
    double worst; /* largest relative difference so far */
} golden_image;

static float *read_floats(FILE *file, size_t count)
{
    float *values = malloc((count ? count : 1) * sizeof(float));
    assert_non_null(values);
    assert_int_equal(fread(values, sizeof(float), count, file), count);
    return values;
}

/* The largest difference, as a part of the largest value. */
static double difference(const float *a, const float *b, size_t n, double most)
{
    double worst = 0;
    for (size_t i = 0; i < n; i++) {
        double d = fabs((double)a[i] - (double)b[i]);
        worst = d > worst || isnan(d) ? d : worst;
    }
    return isnan(worst) ? INFINITY : worst / most;
}

static double magnitude(const float *values, size_t n)
{
    double most = 1e-30;
    for (size_t i = 0; i < n; i++) {
        most = fabs((double)values[i]) > most ? fabs((double)values[i]) : most;
    }
    return most;
}

static double layer_difference(const golden_image *image, const golden_layer *g, const float *data)
{
    size_t total = g->channels * g->height * g->width;
    if (!g->sample) {
        return difference(data, g->values, total, magnitude(g->values, total));
    }
    char key[128];
    double worst = fabs(magnitude(data, total) - (double)g->most) / (double)g->most;
    snprintf(key, sizeof(key), "%s/%s/%zu", image->net, g->name, image->number);
    uint64_t seed = fixture_seed(key);
    for (size_t i = 0; i < g->count; i++) {
        double d = difference(&data[fixture_bits(seed, i) % total], &g->values[i], 1, (double)g->most);
        worst = d > worst ? d : worst;
    }
    return worst;
}

static void compare_layer(void *user, const char *name, size_t number, size_t channels, size_t height,
                          size_t width, const float *data)
{
    golden_image *image = user;
    assert_int_equal(number, 0);
    for (size_t i = 0; i < image->layer_count; i++) {
        golden_layer *g = &image->layer[i];
        if (strcmp(g->name, name) == 0) {
            assert_int_equal(g->channels, channels);
            assert_int_equal(g->height, height);
            assert_int_equal(g->width, width);
            double d = layer_difference(image, g, data);
            if (d > TOLERANCE) {
                print_error("%s image %zu %s: differs by %.3g of the largest value\n", image->net,
                            image->number, name, d);
                fail();
            }
            image->worst = d > image->worst ? d : image->worst;
            g->seen = true;
            return;
        }
    }
    print_error("%s: the golden file knows no layer %s\n", image->net, name);
    fail();
}

static void run_image(const nn_fixture *f, golden_image *image, size_t height, size_t width, base_pool *pool,
                      float *logits)
{
    cistern_error err = CISTERN_ERROR_INIT;
    nn_session_options options = NN_SESSION_OPTIONS_INIT;
    nn_session *session;
    options.height = height;
    options.width = width;
    options.pool = pool;
    options.isa = tested_isa;
    options.layer = compare_layer;
    options.layer_user = image;
    assert_ok(nn_session_new(f->net, &options, NULL, &session, &err), &err);
    guard_page x = nn_fixture_image(image->net, image->number, height, width);
    assert_ok(nn_session_run(session, (const float *)(const void *)x.data, 1, logits, NULL, &err), &err);
    for (size_t i = 0; i < image->layer_count; i++) {
        if (!image->layer[i].seen) {
            print_error("%s: the session showed no layer %s\n", image->net, image->layer[i].name);
            fail();
        }
    }
    guard_page_free(&x);
    nn_session_free(session);
}

static void read_net(const char *line, nn_recipe *out)
{
    char channels[128], *rest = channels;
    memset(out, 0, sizeof(*out));
    assert_int_equal(sscanf(line, "net %63s %15s %zu %zu %zu %127s", out->name, out->kind, &out->hidden[0],
                            &out->hidden[1], &out->classes, channels),
                     6);
    for (size_t i = 0; i < MODEL_VGG_CONVS_MAX && *rest; i++) {
        out->channels[i] = strtoul(rest, &rest, 10);
        rest += *rest == ',';
    }
}

static void read_layer(FILE *file, const char *line, golden_image *image)
{
    golden_layer *g = &image->layer[image->layer_count++];
    char mode[16];
    assert_in_range(image->layer_count, 1, LAYERS_MAX);
    memset(g, 0, sizeof(*g));
    assert_int_equal(sscanf(line, "layer %23s %zu %zu %zu %15s %zu", g->name, &g->channels, &g->height,
                            &g->width, mode, &g->count),
                     6);
    g->sample = strcmp(mode, "sample") == 0;
    if (g->sample) {
        assert_int_equal(fread(&g->most, sizeof(float), 1, file), 1);
    }
    g->values = read_floats(file, g->count);
}

/* A mutant's logits must be further from ours than the tolerance allows. */
static void refuse_mutant(FILE *file, const char *line, const golden_image *image, const float *logits)
{
    char name[32];
    size_t count;
    assert_int_equal(sscanf(line, "mutant %31s %zu", name, &count), 2);
    float *mutant = read_floats(file, count);
    double d = difference(logits, mutant, count, magnitude(mutant, count));
    if (d <= TOLERANCE) {
        print_error("%s image %zu: the mutant '%s' passes (differs by %.3g)\n", image->net, image->number,
                    name, d);
        fail();
    }
    free(mutant);
}

/* What is known while the file is walked. */
typedef struct walk {
    FILE *file;
    base_pool *pool;
    nn_recipe recipe;
    nn_fixture fixture;
    golden_image image;
    size_t height, width, images, mutants;
    bool pending; /* an image whose layers are being read */
    float logits[LOGITS_MAX];
} walk;

static void finish_image(walk *w)
{
    if (!w->pending) {
        return;
    }
    w->pending = false;
    assert_in_range(w->recipe.classes, 1, LOGITS_MAX);
    run_image(&w->fixture, &w->image, w->height, w->width, w->pool, w->logits);
    print_message("    %-18s %3zu x %-3zu differs by at most %.1e\n", w->image.net, w->height, w->width,
                  w->image.worst);
    for (size_t i = 0; i < w->image.layer_count; i++) {
        free(w->image.layer[i].values);
    }
    w->images++;
}

static void walk_line(walk *w, const char *line)
{
    if (strncmp(line, "layer ", 6) == 0) {
        read_layer(w->file, line, &w->image);
        return;
    }
    finish_image(w);
    if (strncmp(line, "net ", 4) == 0) {
        if (w->fixture.net) {
            nn_fixture_free(&w->fixture);
        }
        read_net(line, &w->recipe);
        w->fixture = nn_fixture_new(&w->recipe, (fixture_form){.dtype = MODEL_F32});
    } else if (strncmp(line, "image ", 6) == 0) {
        w->image = (golden_image){.layer_count = 0};
        snprintf(w->image.net, sizeof(w->image.net), "%s", w->recipe.name);
        assert_int_equal(sscanf(line, "image %zu %zu %zu", &w->image.number, &w->height, &w->width), 3);
        w->pending = true;
    } else {
        refuse_mutant(w->file, line, &w->image, w->logits);
        w->mutants++;
    }
}

static void compare_file(nn_isa isa)
{
    static walk w;
    char line[512];
    if (!nn_isa_available(isa)) {
        TEST_SKIP("this machine does not have that instruction set");
    }
    tested_isa = isa;
    memset(&w, 0, sizeof(w));
    w.file = fopen(golden_path, "rb");
    if (!w.file) {
        fail_msg("cannot open %s", golden_path);
    }
    assert_ok(base_pool_new(2, &w.pool, NULL), NULL);
    while (fgets(line, sizeof(line), w.file)) {
        walk_line(&w, line);
    }
    finish_image(&w);
    assert_true(w.images > 0 && w.mutants > 0);
    nn_fixture_free(&w.fixture);
    base_pool_free(w.pool);
    fclose(w.file);
}

static void portable_equals_pytorch_and_mutants_do_not(void **state)
{
    (void)state;
    compare_file(NN_ISA_PORTABLE);
}

static void avx2_equals_pytorch_and_mutants_do_not(void **state)
{
    (void)state;
    compare_file(NN_ISA_AVX2);
}

static void avx512_equals_pytorch_and_mutants_do_not(void **state)
{
    (void)state;
    compare_file(NN_ISA_AVX512);
}

static void amx_equals_pytorch_and_mutants_do_not(void **state)
{
    (void)state;
    compare_file(NN_ISA_AMX);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(portable_equals_pytorch_and_mutants_do_not),
        cmocka_unit_test(avx2_equals_pytorch_and_mutants_do_not),
        cmocka_unit_test(avx512_equals_pytorch_and_mutants_do_not),
        cmocka_unit_test(amx_equals_pytorch_and_mutants_do_not),
    };
    if (argc > 1) {
        golden_path = argv[1];
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
