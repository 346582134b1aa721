/* What files say of their input, read in this process: every genuine file of tests/formats/input, cut at
 * 200 places too (test_formats_memory has allocations that fail); and the metadata of ONNX models that this program writes, right and wrong. */
#include <fcntl.h>
#include <math.h>
#include "base_map.h"
#include "foreign_read.h"
#include "model_said.h"

#define INPUT CISTERN_TEST_DATA "/formats/input/"
#define CUTS  200

static bool exists(const char *dir, const char *name)
{
    char path[1024];

    (void)snprintf(path, sizeof path, "%s%s", dir, name);
    return access(path, F_OK) == 0;
}

static forge load(const char *dir, const char *name)
{
    char path[1024];
    base_map map;
    forge f = {0};

    (void)snprintf(path, sizeof path, "%s%s", dir, name);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        print_error("%s is missing\n", path);
    assert_true(fd >= 0);
    assert_ok(base_map_fd(fd, &map, NULL), NULL);
    close(fd);
    forge_put(&f, map.data, map.size);
    base_map_clear(&map);
    return f;
}

/* ---- genuine files ---- */

static bool has_note(const model_index *index, const char *part)
{
    for (size_t i = 0; i < model_index_note_count(index); i++) {
        if (strstr(model_index_note_peek(index, i), part))
            return true;
    }
    return false;
}

/* A file, or the three of a SavedModel's directory. */
static void add(foreign *v, const char *name)
{
    static const char *const parts[] = {"variables/variables.index",
                                        "variables/variables.data-00000-of-00001", "saved_model.pb"};
    char dir[1024];
    forge f;

    (void)snprintf(dir, sizeof dir, INPUT "%s/", name);
    if (!exists(dir, parts[0])) {
        f = load(INPUT, name);
        foreign_add(v, name, &f);
        return;
    }
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        f = load(dir, parts[i]);
        foreign_add(v, parts[i], &f);
    }
}

/* "name | architecture | head | order and scale of the pictures it was tried with | epsilon | …" */
static void check_model(char *line)
{
    char *field[6], *rest = line;

    for (size_t i = 0; i < 6; i++) {
        char *bar = strstr(rest, " | ");
        assert_non_null(bar);
        *bar = 0;
        field[i] = rest;
        rest = bar + 3;
    }
    foreign v = {0};
    add(&v, field[0]);
    assert_ok(foreign_read(&v), &v.err);
    if (!model_index_find(v.index, "features.0.weight"))
        print_error("%s is none: %s\n", field[0],
                    model_index_note_count(v.index) ? model_index_note_peek(v.index, 0) : "");
    assert_non_null(model_index_find(v.index, "features.0.weight"));
    if (strcmp(model_head_text(model_index_head(v.index)), field[2]) != 0)
        print_error("%s: %s\n", field[0],
                    model_index_note_count(v.index) ? model_index_note_peek(v.index, 0) : "");
    assert_string_equal(model_head_text(model_index_head(v.index)), field[2]);
    double epsilon = strtod(field[5], NULL);
    if (strcmp(field[2], "unknown") != 0) { /* bare weights say nothing */
        assert_true(model_index_said(v.index)->normalised);
        assert_true(epsilon == 0 || fabs(model_index_epsilon(v.index) - epsilon) < 1e-7);
    }
    foreign_free(&v);
}

/* Not run, or (`named`) told by names alone, and a note says so. */
static void check_note(char *line, bool named)
{
    char *bar = strstr(line, " | ");

    assert_non_null(bar);
    *bar = 0;
    foreign v = {0};
    add(&v, line);
    assert_ok(foreign_read(&v), &v.err);
    assert_int_equal(model_index_find(v.index, "features.0.weight") != NULL, named);
    if (named)
        assert_false(model_index_said(v.index)->normalised);
    if (!has_note(v.index, bar + 3))
        print_error("%s has no note: %s\n", line, bar + 3);
    assert_true(has_note(v.index, bar + 3));
    foreign_free(&v);
}

static void genuine_files_say_what_they_want(void **state)
{
    static const char *const lists[] = {"input_first.txt", "input_keras.txt", "input_saved.txt",
                                        "input_torch.txt"};
    char line[4096];
    size_t models = 0, refused = 0, named = 0;

    (void)state;
    for (size_t i = 0; i < sizeof lists / sizeof lists[0]; i++) {
        forge text = load(INPUT, lists[i]);
        FILE *file = fmemopen(text.data, text.len, "r");
        assert_non_null(file);
        while (fgets(line, sizeof line, file)) {
            line[strcspn(line, "\n")] = 0;
            if (strncmp(line, "model ", 6) == 0) {
                models++;
                check_model(line + 6);
            } else if (strncmp(line, "refuse ", 7) == 0) {
                refused++;
                check_note(line + 7, false);
            } else if (strncmp(line, "named ", 6) == 0) {
                named++;
                check_note(line + 6, true);
            }
        }
        (void)fclose(file);
        forge_free(&text);
    }
    assert_int_equal(models, 30);
    assert_int_equal(refused, 14);
    assert_int_equal(named, 2);
}

static void cut_files_are_refused(void **state)
{
    static const char *const names[] = {"keras_preprocess.keras", "keras_first.keras",
                                        "keras2_preprocess.h5"};

    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        forge whole = load(INPUT, names[i]);
        for (size_t cut = 0; cut < CUTS; cut++) {
            foreign v = {0};
            forge f = {0};
            forge_put(&f, whole.data, whole.len * cut / CUTS);
            foreign_add(&v, names[i], &f);
            assert_fails(foreign_read(&v), CISTERN_UNREADABLE, &v.err);
            assert_true(v.err.text[0] != 0);
            foreign_free(&v);
        }
        forge_free(&whole);
    }
}

/* PyTorch's way to turn the channels round, other in one byte: it is not followed then. */
static void points_that_do_something_else_are_refused(void **state)
{
    static const struct {
        uint8_t what[24];
        size_t len, at; /* the byte that becomes */
        uint8_t value;
        const char *why;
    } cases[] = {
        {{2, 0, 0, 0, 0, 0, 0, 0, 1}, 24, 16, 1, "takes something else of the picture than its channels"},
        {{2, 0, 0, 0, 0, 0, 0, 0, 1}, 24, 0, 1, "takes something else of the picture than its channels"},
        {{0x40, 1, 0x40, 0, 0x40, 2, 0x40, 3}, 8, 1, 0, "exchanges the picture's axes"},
        {{0x40, 1, 0x40, 0, 0x40, 2, 0x40, 3}, 8, 5, 3, "exchanges the picture's axes"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        foreign v = {0};
        forge f = load(INPUT, "torch_gather_dynamo.onnx");
        size_t at = 0;
        while (at + 24 < f.len && memcmp(f.data + at, cases[i].what, cases[i].len) != 0)
            at++;
        assert_true(at + 24 < f.len);
        f.data[at + cases[i].at] = cases[i].value;
        foreign_add(&v, "m.onnx", &f);
        assert_ok(foreign_read(&v), &v.err);
        if (!has_note(v.index, cases[i].why))
            print_error("case %zu: %s\n", i,
                        model_index_note_count(v.index) ? model_index_note_peek(v.index, 0) : "");
        assert_true(has_note(v.index, cases[i].why));
        assert_null(model_index_find(v.index, "features.0.weight"));
        foreign_free(&v);
    }
}

/* ---- metadata of ONNX ---- */

typedef struct pair {
    const char *key, *value;
} pair;

/* A genuine model with these at its end, where the last of a field counts. */
static void with_metadata(foreign *v, const char *producer, const pair *pairs, size_t count)
{
    forge f = load(CISTERN_TEST_DATA "/formats/foreign/", "torch_script.onnx");

    pb_text(&f, 2, producer);
    for (size_t i = 0; i < count; i++) {
        forge entry = {0};
        pb_text(&entry, 1, pairs[i].key);
        pb_text(&entry, 2, pairs[i].value);
        pb_message(&f, 14, &entry);
    }
    foreign_add(v, "m.onnx", &f);
    assert_ok(foreign_read(v), &v->err);
}

static const pair right[] = {
    {"preprocessing", "caffe"},           {"colour", "bgr"},      {"scale", "255"},
    {"mean", "103.939 116.779 123.68"},   {"std", "1 1 1"},       {"labels", "imagenet-1k"},
    {"interpolation", "bilinear pillow"}, {"resize", "short 256"}};
#define RIGHT (sizeof right / sizeof right[0])

static void metadata_of_our_own_is_believed(void **state)
{
    foreign v = {0};

    (void)state;
    with_metadata(&v, "cistern", right, RIGHT);
    const model_said *said = model_index_said(v.index);
    assert_true(said->normalised);
    assert_true(said->resized);
    assert_string_equal(model_colour_text(said->how.colour), "bgr");
    assert_true(said->how.mean[0] == 103.939f && said->how.std[2] == 1);
    assert_int_equal(said->how.resize_short, 256);
    assert_string_equal(said->preset, "caffe");
    foreign_free(&v);
    with_metadata(&v, "pytorch", right, RIGHT); /* another's words of the same spelling */
    assert_false(model_index_said(v.index)->normalised);
    foreign_free(&v);
}

static void metadata_that_is_wrong_says_nothing(void **state)
{
    static const struct {
        size_t at;
        const char *value;
        bool normalised, resized; /* what is still believed */
    } cases[] = {
        {1, "purple", false, false},       {2, "7", false, false},         {3, "1 2", false, false},
        {3, "1 2 3 4", false, false},      {3, "1 2 x", false, false},     {4, "0 1 1", false, false},
        {4, "1 1 nan", false, false},      {6, "bilinear", true, false},   {6, "square pillow", true, false},
        {6, "bilinear x", true, false},    {7, "short", true, false},      {7, "short -1", true, false},
        {7, "short 65537", true, false},   {7, "squash 224", true, false}, {7, "round 224", true, false},
        {7, "squash 224 192", true, true},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        foreign v = {0};
        pair pairs[RIGHT];
        memcpy(pairs, right, sizeof pairs);
        pairs[cases[i].at].value = cases[i].value;
        with_metadata(&v, "cistern", pairs, RIGHT);
        const model_said *said = model_index_said(v.index);
        if (said->normalised != cases[i].normalised || said->resized != cases[i].resized)
            print_error("'%s' is taken as %d, %d\n", cases[i].value, said->normalised, said->resized);
        assert_int_equal(said->normalised, cases[i].normalised);
        assert_int_equal(said->resized, cases[i].resized);
        foreign_free(&v);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(genuine_files_say_what_they_want),
        cmocka_unit_test(cut_files_are_refused),
        cmocka_unit_test(points_that_do_something_else_are_refused),
        cmocka_unit_test(metadata_of_our_own_is_believed),
        cmocka_unit_test(metadata_that_is_wrong_says_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
