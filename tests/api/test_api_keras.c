/* Weights that Keras wrote (tests/formats/data/keras, tools/make_keras_goldens.py): in every kind and naming the logits are
 * those that Keras computed, to 1e-4 of the largest; and what must be decoded for it is decoded once.
 *
 * Each file fails its comparison without one of the cures: rows instead of columns (all), the channels-last flattening
 * (all but Theano's), kernels read as [out, in, y, x] (all), kernels not turned (theano), conv2d_10 before conv2d_2
 * (vgg16), an epsilon of 1e-5 (bn), biases and gammas that are absent (bare).
 */
#include <dirent.h>
#include <math.h>
#include <sys/stat.h>
#include "api_fixture.h"

#define KERAS     CISTERN_TEST_DATA "/formats/data/keras"
#define TOLERANCE 1e-4
#define CLASSES   5
#define SIDE      224
#define PIXELS    ((size_t)3 * SIDE * SIDE)
#define LINE      4096 /* bytes */

typedef struct golden {
    char *name, *kind, *architecture;
    double epsilon;
    double logits[CLASSES];
} golden;

/* tools/make_keras_goldens.py, picture(), channels first */
static float *make_picture(void)
{
    float *x = malloc(PIXELS * sizeof *x);

    assert_non_null(x);
    for (long c = 0; c < 3; c++) {
        for (long y = 0; y < SIDE; y++) {
            for (long i = 0; i < SIDE; i++)
                x[(c * SIDE + y) * SIDE + i] =
                    (float)((double)((c * 7919 + y * 104729 + i * 1299709) % 511) / 255.5 - 1);
        }
    }
    return x;
}

static void compare(cistern_model *m, const golden *g, const float *x)
{
    float out[CLASSES];
    double most = 0, worst = 0;
    cistern_session *s = NULL;
    cistern_error err = CISTERN_ERROR_INIT;

    assert_ok(cistern_session_new(m, NULL, &s, &err), &err);
    assert_int_equal(cistern_session_classes(s), CLASSES);
    assert_ok(cistern_session_run(s, x, 1, out, NULL, &err), &err);
    for (int i = 0; i < CLASSES; i++) {
        double d = fabs((double)out[i] - g->logits[i]);
        worst = d > worst || isnan(d) ? d : worst;
        most = fabs(g->logits[i]) > most ? fabs(g->logits[i]) : most;
    }
    cistern_session_free(s);
    if (!(worst <= TOLERANCE * most) || getenv("CISTERN_TEST_VERBOSE"))
        print_message("%s: %.2e of the largest logit\n", g->name, worst / most);
    assert_true(worst <= TOLERANCE * most);
}

static void check_facts(const cistern_model *m, const golden *g)
{
    cistern_facts f = {.size = sizeof f};

    cistern_version_facts(cistern_model_version(m), &f);
    assert_string_equal(f.kind, g->kind);
    assert_string_equal(f.architecture, g->architecture);
    assert_string_equal(f.preset, "keras"); /* BGR, 0 to 255 minus Caffe's mean */
}

static char *field(char **rest)
{
    char *begin = *rest, *bar = strstr(begin, " | ");

    assert_non_null(bar);
    *bar = 0;
    *rest = bar + 3;
    return begin;
}

static golden parse(char *line)
{
    golden g;
    char *rest = line + strlen("file ");

    g.name = field(&rest);
    g.kind = field(&rest);
    g.architecture = field(&rest);
    g.epsilon = strtod(field(&rest), NULL);
    for (int i = 0; i < CLASSES; i++)
        g.logits[i] = strtod(rest, &rest);
    assert_string_equal(rest, "\n");
    return g;
}

static const char *path_of(const char *name)
{
    static char path[1024];

    snprintf(path, sizeof path, "%s/%s", KERAS, name);
    return path;
}

typedef void (*golden_fn)(api_fixture *f, const golden *g, const float *x);

static size_t each(api_fixture *f, const char *list, golden_fn fn)
{
    char line[LINE];
    size_t count = 0;
    float *x = make_picture();
    FILE *file = fopen(path_of(list), "r");

    assert_non_null(file);
    while (fgets(line, sizeof line, file)) {
        if (line[0] == '#')
            continue;
        golden g = parse(line);
        fn(f, &g, x);
        count++;
    }
    fclose(file);
    free(x);
    return count;
}

static void open_path(api_fixture *f, const golden *g, const float *x)
{
    cistern_model *m = NULL;
    cistern_error err = CISTERN_ERROR_INIT;

    assert_ok(cistern_model_open_file(f->c, path_of(g->name), NULL, NULL, &m, &err), &err);
    check_facts(m, g);
    compare(m, g, x);
    cistern_model_free(m);
}

static void what_keras_3_wrote_gives_its_logits(void **state)
{
    assert_int_equal(each(*state, "keras3.txt", open_path), 23);
}

static void what_keras_2_wrote_gives_its_logits(void **state)
{
    assert_int_equal(each(*state, "legacy.txt", open_path), 4);
}

/* Which called the group of layers by another name, and left out numbers. */
static void what_tensorflow_2_13_wrote_gives_its_logits(void **state)
{
    assert_int_equal(each(*state, "tf213.txt", open_path), 1);
}

/* ---- decoded tensors in a store ---- */

static const char *add(cistern *c, const char *name)
{
    static char as[64];
    const char *paths[] = {path_of(name)};
    cistern_pull_options o = CISTERN_PULL_OPTIONS_INIT;
    cistern_version *v = NULL;
    cistern_error err = CISTERN_ERROR_INIT;

    snprintf(as, sizeof as, "%s", name);
    for (char *p = as; *p; p++)
        *p = *p == '.' || *p == '_' ? '-' : *p;
    o.as = as;
    assert_ok(cistern_add(c, paths, 1, &o, NULL, NULL, &v, &err), &err);
    cistern_version_free(v);
    return as;
}

/* The derived file of this kind of the store's only version; "" if there is none. */
static const char *derived(api_fixture *f, const char *kind)
{
    static char path[1024];
    char top[512], dir[1024] = "";
    const struct dirent *e;

    path[0] = 0;
    snprintf(top, sizeof top, "%s", temp_dir_path(&f->dir, "store/derived"));
    DIR *d = opendir(top);
    while (d && (e = readdir(d))) {
        if (strlen(e->d_name) == 64)
            snprintf(dir, sizeof dir, "%s/%s", top, e->d_name);
        assert_int_not_equal(strncmp(e->d_name, ".tmp-", 5), 0);
    }
    if (d)
        closedir(d);
    d = dir[0] ? opendir(dir) : NULL;
    while (d && (e = readdir(d))) {
        if (strncmp(e->d_name, kind, strlen(kind)) == 0)
            snprintf(path, sizeof path, "%s/%.100s", dir, e->d_name);
    }
    if (d)
        closedir(d);
    return path;
}

static ino_t inode_of(const char *path)
{
    struct stat info;

    assert_int_equal(stat(path, &info), 0);
    return info.st_ino;
}

static void open_stored(api_fixture *f, const char *reference, const golden *g, const float *x)
{
    cistern_model *m = NULL;
    cistern_error err = CISTERN_ERROR_INIT;

    assert_ok(cistern_model_open(f->c, reference, NULL, &m, &err), &err);
    compare(m, g, x);
    cistern_model_free(m);
}

/* One file that needs decoding: chunks, gzip, shuffle, and kernels that are turned. */
static void with_odd_chunks(api_fixture *f,
                            void (*fn)(api_fixture *, const char *, const golden *, const float *))
{
    char line[LINE];
    float *x = make_picture();
    FILE *file = fopen(path_of("keras3.txt"), "r");

    assert_non_null(file);
    while (fgets(line, sizeof line, file)) {
        if (strncmp(line, "file keras2_odd_chunks.h5 ", 26) == 0)
            break;
    }
    fclose(file);
    golden g = parse(line);
    fn(f, add(f->c, g.name), &g, x);
    free(x);
}

static void check_once(api_fixture *f, const char *reference, const golden *g, const float *x)
{
    char path[1024];

    snprintf(path, sizeof path, "%s", derived(f, "tensors-1-any"));
    assert_string_not_equal(path, "");
    ino_t tensors = inode_of(path), index = inode_of(derived(f, "tensor_index-"));
    open_stored(f, reference, g, x);
    open_stored(f, reference, g, x);
    assert_int_equal(inode_of(path), tensors);
    assert_int_equal(inode_of(derived(f, "tensor_index-")), index);
}

static void tensors_are_decoded_once(void **state)
{
    with_odd_chunks(*state, check_once);
}

static void check_rebuilt(api_fixture *f, const char *reference, const golden *g, const float *x)
{
    char path[1024];

    snprintf(path, sizeof path, "%s", derived(f, "tensors-1-any"));
    assert_int_equal(unlink(path), 0);
    open_stored(f, reference, g, x); /* the index alone is of no use */
    assert_int_equal(access(path, R_OK), 0);
    assert_int_equal(chmod(path, 0600), 0);
    assert_int_equal(truncate(path, 5000), 0);
    open_stored(f, reference, g, x); /* a file of another length is none */
    struct stat info;
    assert_int_equal(stat(path, &info), 0);
    assert_true(info.st_size > 5000);
}

static void decoded_tensors_that_are_lost_are_made_again(void **state)
{
    with_odd_chunks(*state, check_rebuilt);
}

static void check_read_only(api_fixture *f, const char *reference, const golden *g, const float *x)
{
    char dir[1024];

    snprintf(dir, sizeof dir, "%s", derived(f, "tensors-1-any"));
    assert_int_equal(unlink(dir), 0);
    *strrchr(dir, '/') = 0;
    fixture_write_text(temp_dir_path(&f->dir, "store/derived/.keep"), "");
    assert_int_equal(chmod(temp_dir_path(&f->dir, "store/derived"), 0500), 0);
    assert_int_equal(chmod(dir, 0500), 0);
    f->log[0] = 0;
    open_stored(f, reference, g, x);
    if (geteuid() != 0) /* whom modes do not stop */
        assert_non_null(strstr(f->log, "could not be kept"));
    assert_int_equal(chmod(temp_dir_path(&f->dir, "store/derived"), 0700), 0);
    assert_int_equal(chmod(dir, 0700), 0);
}

static void where_nothing_can_be_kept_tensors_are_decoded_in_memory(void **state)
{
    with_odd_chunks(*state, check_read_only);
}

static void plain_tensors_are_used_where_they_lie(void **state)
{
    api_fixture *f = *state;

    (void)add(f->c, "keras3_model.h5");
    assert_string_equal(derived(f, "tensors-"), "");
    assert_string_not_equal(derived(f, "tensor_index-"), "");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)
    const struct CMUnitTest tests[] = {
        TEST(what_keras_3_wrote_gives_its_logits),
        TEST(what_keras_2_wrote_gives_its_logits),
        TEST(what_tensorflow_2_13_wrote_gives_its_logits),
        TEST(tensors_are_decoded_once),
        TEST(decoded_tensors_that_are_lost_are_made_again),
        TEST(where_nothing_can_be_kept_tensors_are_decoded_in_memory),
        TEST(plain_tensors_are_used_where_they_lie),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
