/* Models that say themselves what their input is (tests/formats/input, tools/make_input_goldens.py): a plain picture that
 * is prepared as the facts say gives the logits that the writer gave for it, to 1e-4 of the largest; what is no VGG says
 * which layer or operator is to blame. */
#include <math.h>
#include <stdlib.h>
#include "api_fixture.h"

#define INPUT     CISTERN_TEST_DATA "/formats/input"
#define TOLERANCE 1e-4
#define CLASSES   14
#define SIDE      224
#define PLANE     ((size_t)SIDE * SIDE)
#define LINE      4096 /* bytes */

typedef struct golden {
    const char *name, *architecture, *head, *order, *unit;
    double epsilon, logits[CLASSES];
} golden;

/* Whole numbers from 0 to 255, red first: narrow_vgg.noise(98), (noise + 1) * 128. */
static double pixel(size_t channel, size_t i)
{
    uint32_t h = (uint32_t)(channel * PLANE + i + 98u * 1000003u);

    h = (h ^ h >> 16) * 0x85ebca6bu;
    h = (h ^ h >> 13) * 0xc2b2ae35u;
    h ^= h >> 16;
    float noise = (float)((double)h / 2147483648.0 - 1);
    return floor(((double)noise + 1) * 128);
}

/* What a program hands to the network that follows the facts. */
static void prepare(const cistern_facts *f, float *x)
{
    double unit = strcmp(f->scale, "255") == 0 ? 1 : 255;

    for (size_t c = 0; c < 3; c++) {
        size_t from = strcmp(f->colour, "bgr") == 0 ? 2 - c : c;
        for (size_t i = 0; i < PLANE; i++)
            x[c * PLANE + i] = (float)((pixel(from, i) / unit - (double)f->mean[c]) / (double)f->std[c]);
    }
}

static double difference(cistern_model *m, const golden *g, const cistern_facts *f)
{
    float out[CLASSES], *x = malloc(3 * PLANE * sizeof *x);
    double most = 0, worst = 0;
    cistern_session *s = NULL;
    cistern_error err = CISTERN_ERROR_INIT;

    assert_non_null(x);
    prepare(f, x);
    assert_ok(cistern_session_new(m, NULL, &s, &err), &err);
    assert_int_equal(cistern_session_classes(s), CLASSES);
    assert_ok(cistern_session_run(s, x, 1, out, NULL, &err), &err);
    for (int i = 0; i < CLASSES; i++) {
        double d = fabs((double)out[i] - g->logits[i]);
        worst = d > worst || isnan(d) ? d : worst;
        most = fabs(g->logits[i]) > most ? fabs(g->logits[i]) : most;
    }
    cistern_session_free(s);
    free(x);
    return worst / most;
}

/* What a file of weights alone does not say is declared. */
static cistern_pull_options declared_of(const golden *g, char epsilon[32])
{
    cistern_pull_options o = CISTERN_PULL_OPTIONS_INIT;

    if (!strstr(g->name, ".weights.h5"))
        return o;
    snprintf(epsilon, 32, "%g", g->epsilon);
    o.bn_epsilon = epsilon;
    o.data_format = "channels_first";
    return o;
}

static void check_model(cistern *c, const golden *g)
{
    char path[1024], epsilon[32];
    cistern_model *m = NULL;
    cistern_facts f = {.size = sizeof f};
    cistern_error err = CISTERN_ERROR_INIT;
    cistern_pull_options o = declared_of(g, epsilon);

    snprintf(path, sizeof path, "%s/%s", INPUT, g->name);
    assert_ok(cistern_model_open_file(c, path, &o, NULL, &m, &err), &err);
    cistern_version_facts(cistern_model_version(m), &f);
    if (o.data_format) /* it is known to want no preparation, which no preset says */
        f.mean[0] = f.mean[1] = f.mean[2] = 0;
    double d = difference(m, g, &f);
    if (!(d <= TOLERANCE) || getenv("CISTERN_TEST_VERBOSE"))
        print_message("%s (%s, %s from 0 to %s): %.2e\n", g->name, f.architecture, f.colour, f.scale, d);
    assert_true(d <= TOLERANCE);
    assert_string_equal(f.architecture, g->architecture);
    assert_string_equal(f.head, g->head);
    assert_string_equal(f.scale, g->unit);
    assert_true(fabs(f.bn_epsilon - g->epsilon) <= 1e-6 * g->epsilon);
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

static golden parse(char *rest)
{
    golden g;

    g.name = field(&rest);
    g.architecture = field(&rest);
    g.head = field(&rest);
    g.order = field(&rest);
    g.unit = field(&rest);
    g.epsilon = strtod(field(&rest), NULL);
    for (int i = 0; i < CLASSES; i++)
        g.logits[i] = strtod(rest, &rest);
    return g;
}

/* The note that is kept with the model, and that it is not run. */
static void check_refused(cistern *c, const api_fixture *f, char *rest)
{
    char path[1024];
    const char *name = field(&rest);
    cistern_model *m = NULL;
    cistern_session *s = NULL;
    cistern_facts facts = {.size = sizeof facts};
    cistern_error err = CISTERN_ERROR_INIT;

    rest[strcspn(rest, "\n")] = 0;
    snprintf(path, sizeof path, "%s/%s", INPUT, name);
    assert_ok(cistern_model_open_file(c, path, NULL, NULL, &m, &err), &err);
    cistern_version_facts(cistern_model_version(m), &facts);
    assert_string_equal(facts.architecture, "unknown");
    assert_int_equal(cistern_session_new(m, NULL, &s, &err), CISTERN_UNREADABLE);
    if (!strstr(f->log, rest))
        print_error("%s: '%s', not '%s'\n", name, f->log, rest);
    assert_non_null(strstr(f->log, rest));
    cistern_model_free(m);
}

static size_t check_part(api_fixture *f, cistern *c, const char *part)
{
    char path[1024], line[LINE];
    size_t count = 0;

    snprintf(path, sizeof path, "%s/input_%s.txt", INPUT, part);
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    while (fgets(line, sizeof line, file)) {
        f->log[0] = 0;
        if (strncmp(line, "refuse ", 7) == 0)
            check_refused(c, f, line + 7);
        if (strncmp(line, "model ", 6) == 0) {
            golden g = parse(line + 6);
            check_model(c, &g);
        }
        count += line[0] != '#';
    }
    fclose(file);
    return count;
}

static void models_say_what_their_input_is(void **state)
{
    api_fixture *f = *state;
    cistern *c = fixture_context(f, NULL);

    assert_int_equal(check_part(f, c, "keras"), 27);
    assert_int_equal(check_part(f, c, "saved"), 8);
    assert_int_equal(check_part(f, c, "torch"), 8);
    assert_int_equal(check_part(f, c, "first"), 3);
    cistern_free(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(models_say_what_their_input_is, fixture_setup, fixture_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
