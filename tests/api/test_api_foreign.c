/* Weights that other frameworks wrote (tests/formats/foreign, tools/make_onnx_goldens.py, make_tf_goldens.py): one set of
 * numbers in every kind gives the logits that the writer gave, to 1e-4 of the largest. */
#include <dirent.h>
#include <math.h>
#include <sys/stat.h>
#include "api_fixture.h"

#define FOREIGN   CISTERN_TEST_DATA "/formats/foreign"
#define TOLERANCE 1e-4
#define CLASSES   14
#define SIDE      224
#define PIXELS    ((size_t)3 * SIDE * SIDE)
#define LINE      4096 /* bytes */

typedef struct golden {
    char *name, *kind, *preset, *architecture, *head;
    double logits[CLASSES];
} golden;

/* tools/narrow_vgg.py, noise(99) * 2 */
static void fill_picture(float *x)
{
    for (size_t i = 0; i < PIXELS; i++) {
        uint32_t h = (uint32_t)(i + 99u * 1000003u);
        h = (h ^ h >> 16) * 0x85ebca6bu;
        h = (h ^ h >> 13) * 0xc2b2ae35u;
        h ^= h >> 16;
        x[i] = (float)((double)h / 2147483648.0 - 1) * 2;
    }
}

static cistern_model *open_model(cistern *c, const golden *g)
{
    char path[1024], name[160];
    const char *paths[] = {path};
    struct stat info;
    cistern_model *m = NULL;
    cistern_error err = CISTERN_ERROR_INIT;

    snprintf(path, sizeof path, "%s/%s", FOREIGN, g->name);
    assert_int_equal(stat(path, &info), 0);
    snprintf(name, sizeof name, "%s", g->name);
    for (char *p = name; *p; p++)
        *p = *p == '.' || *p == '_' ? '-' : *p;
    cistern_pull_options o = CISTERN_PULL_OPTIONS_INIT;
    cistern_version *v = NULL;
    o.as = name;
    assert_ok(cistern_add(c, paths, 1, &o, NULL, NULL, &v, &err), &err);
    cistern_version_free(v);
    assert_ok(cistern_model_open(c, name, NULL, &m, &err), &err);
    return m;
}

static double difference(cistern_model *m, const golden *g, const float *x)
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
    return worst / most;
}

static void check_model(cistern *c, const golden *g, const float *x)
{
    cistern_model *m = open_model(c, g);
    cistern_facts f = {.size = sizeof f};

    cistern_version_facts(cistern_model_version(m), &f);
    double d = difference(m, g, x);
    if (!(d <= TOLERANCE) || getenv("CISTERN_TEST_VERBOSE"))
        print_message("%s (%s, %s): %.2e\n", g->name, f.kind, f.architecture, d);
    assert_true(d <= TOLERANCE);
    assert_string_equal(f.kind, g->kind);
    assert_string_equal(f.architecture, g->architecture);
    assert_string_equal(f.head, g->head);
    assert_string_equal(f.preset, g->preset);
    cistern_model_free(m);
}

static char *field(char **rest)
{
    char *begin = *rest, *bar = strstr(begin, " | ");

    assert_non_null(bar);
    *bar = 0;
    *rest = bar + 3;
    return begin;
}

static const char *preset_of(const char *family)
{
    return strcmp(family, "keras") == 0        ? "keras"
           : strcmp(family, "tensorflow") == 0 ? "tf-slim"
                                               : "torchvision";
}

static golden parse(char *line)
{
    golden g;
    char *rest = line + strlen("model ");

    g.name = field(&rest);
    g.kind = field(&rest);
    g.preset = (char *)(uintptr_t)preset_of(field(&rest));
    g.architecture = field(&rest);
    g.head = field(&rest);
    for (int i = 0; i < CLASSES; i++)
        g.logits[i] = strtod(rest, &rest);
    assert_string_equal(rest, "\n");
    return g;
}

static size_t check_list(cistern *c, const char *list, const float *x)
{
    char path[1024], line[LINE];
    size_t count = 0;

    snprintf(path, sizeof path, "%s/%s", FOREIGN, list);
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    while (fgets(line, sizeof line, file)) {
        if (line[0] == '#')
            continue;
        golden g = parse(line);
        check_model(c, &g, x);
        count++;
    }
    fclose(file);
    return count;
}

static void every_kind_gives_the_logits_of_its_writer(void **state)
{
    api_fixture *f = *state;
    cistern *c = fixture_context(f, NULL);
    float *x = malloc(PIXELS * sizeof *x);

    assert_non_null(x);
    fill_picture(x);
    assert_int_equal(check_list(c, "onnx_now.txt", x), 11);
    assert_int_equal(check_list(c, "onnx_old.txt", x), 3);
    assert_int_equal(check_list(c, "tf.txt", x), 16);
    free(x);
    cistern_free(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(every_kind_gives_the_logits_of_its_writer, fixture_setup,
                                        fixture_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
