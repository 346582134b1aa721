/* The genuine files of tests/formats/foreign: cut at 200 places, and allocations that fail. */
#include <fcntl.h>
#include "base_map.h"
#include "foreign_read.h"

#define CUTS 200 /* places, of each file */

static forge load(const char *name)
{
    char path[1024];
    base_map map;
    forge f = {0};

    (void)snprintf(path, sizeof path, "%s/formats/foreign/%s", CISTERN_TEST_DATA, name);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    assert_ok(base_map_fd(fd, &map, NULL), NULL);
    close(fd);
    forge_put(&f, map.data, map.size);
    base_map_clear(&map);
    return f;
}

static bool is_list(const char *name)
{
    return strstr(name, ".index.json") != NULL;
}

/* Files of one version in tests/formats/foreign/<dir>; the first of them is cut. */
static void cut_everywhere(const char *dir, const char *const *names, size_t count)
{
    size_t whole = 0;

    for (int cut = CUTS; cut >= 0; cut--) {
        foreign v = {0};
        for (size_t i = 0; i < count; i++) {
            char path[256];
            (void)snprintf(path, sizeof path, "%s%s", dir, names[i]);
            forge f = load(path);
            f.len = i ? f.len : f.len * (size_t)cut / CUTS;
            foreign_add(&v, names[i], &f);
        }
        cistern_status st = foreign_read(&v);
        if (cut == CUTS) {
            assert_ok(st, &v.err);
            whole = model_index_count(v.index);
        } else if (st == CISTERN_OK &&
                   is_list(names[0])) { /* too little of it to be a list: a text beside weights */
            assert_int_equal(model_index_count(v.index), whole);
        } else if (st == CISTERN_OK) { /* a graph that ends between two nodes is a smaller one */
            if (model_index_count(v.index) >= whole)
                print_error("%s, cut at %d of %d\n", names[0], cut, CUTS);
            assert_true(model_index_count(v.index) < whole);
        } else {
            assert_fails(st, CISTERN_UNREADABLE, &v.err);
            assert_true(v.err.text[0] != 0);
        }
        foreign_free(&v);
    }
}

#define VARIABLES "variables.index", "variables.data-00000-of-00001"

static void cut_files_are_refused(void **state)
{
    static const char *const onnx[] = {"torch_script.onnx"}, *const fields[] = {"fields_half.onnx"},
                             *const graph[] = {"tf_slim.pb"},
                             *const external[] = {"model.onnx", "model.onnx.data"},
                             *const data[] = {"model.onnx.data", "model.onnx"}, *const index[] = {VARIABLES},
                             *const values[] = {"variables.data-00000-of-00001", "variables.index"},
                             *const list[] = {"model.safetensors.index.json",
                                              "model-00001-of-00002.safetensors",
                                              "model-00002-of-00002.safetensors"},
                             *const shard[] = {"model-00002-of-00002.safetensors",
                                               "model-00001-of-00002.safetensors",
                                               "model.safetensors.index.json"};

    (void)state;
    cut_everywhere("", onnx, 1);
    cut_everywhere("", fields, 1);
    cut_everywhere("", graph, 1);
    cut_everywhere("external/", external, 2);
    cut_everywhere("external/", data, 2);
    cut_everywhere("tf_keras2_bn/variables/", index, 2);
    cut_everywhere("tf_keras2_bn/variables/", values, 2);
    cut_everywhere("sharded/", list, 3);
    cut_everywhere("sharded/", shard, 3);
}

/* One operator of the batch norms that Keras 3 spells out is another: no guess is made. */
static void a_graph_that_is_not_known_is_kept_as_tensors_with_a_note(void **state)
{
    foreign v = {0};
    forge f = load("tf_frozen_bn.pb");

    for (size_t i = 0; i + 5 < f.len; i++) {
        if (memcmp(f.data + i, "Rsqrt", 5) == 0)
            f.data[i + 4] = 'x';
    }
    (void)state;
    foreign_add(&v, "g.pb", &f);
    assert_ok(foreign_read(&v), &v.err);
    assert_null(model_index_find(v.index, "features.0.weight"));
    assert_int_equal(model_index_note_count(v.index), 1);
    assert_non_null(strstr(model_index_note_peek(v.index, 0), "not laid out as a VGG: 'vgg11"));
    foreign_free(&v);
}

/* Weights and their places in the views: which axes, which order of flattening, which layer. */
static void views_point_to_the_same_bytes(void **state)
{
    foreign v = {0};
    forge f = load("tf_frozen.pb");
    const model_tensor *conv, *linear;

    (void)state;
    foreign_add(&v, "g.pb", &f);
    assert_ok(foreign_read(&v), &v.err);
    assert_int_equal(v.decoded.len, 0);
    conv = model_index_find(v.index, "features.0.weight");
    assert_non_null(conv);
    assert_true(conv->shape[0] == 4 && conv->shape[1] == 3 && conv->stride[0] == 1 && conv->stride[1] == 4 &&
                conv->stride[2] == 36 && conv->stride[3] == 12);
    linear = model_index_find(v.index, "classifier.0.weight");
    assert_non_null(linear);
    assert_true(linear->rank == 4 && linear->shape[0] == 12 && linear->shape[1] == 11 &&
                linear->shape[2] == 7);
    assert_true(linear->stride[0] == 1 && linear->stride[1] == 12 && linear->stride[3] == (uint64_t)12 * 11);
    assert_int_equal(model_index_head(v.index), MODEL_HEAD_PROBABILITIES);
    assert_int_equal(model_index_family(v.index), MODEL_FAMILY_KERAS);
    foreign_free(&v);
}

/* Names alone: slim's, and those of three ways in which Keras writes variables. */
static void layers_follow_from_variables_names(void **state)
{
    static const struct {
        const char *dir;
        bool norms;
    } cases[] = {{"tf_slim", false},     {"tf_export", false},   {"tf_saved", false},  {"tf_keras2", false},
                 {"tf_keras2_bn", true}, {"tf_export_bn", true}, {"tf_saved_bn", true}};
    double first = 0;

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        foreign v = {0};
        char path[256];
        (void)snprintf(path, sizeof path, "%s/variables/variables.index", cases[i].dir);
        forge index = load(path);
        (void)snprintf(path, sizeof path, "%s/variables/variables.data-00000-of-00001", cases[i].dir);
        forge data = load(path);
        foreign_add(&v, "variables.data-00000-of-00001", &data);
        foreign_add(&v, "variables.index", &index);
        assert_ok(foreign_read(&v), &v.err);
        assert_int_equal(model_index_note_count(v.index), 0);
        assert_int_equal(v.decoded.len, 0);
        double weight = foreign_value(&v, "features.0.weight", 7); /* the same numbers under the same names */
        first = i ? first : weight;
        if (!cases[i].norms)
            assert_true(weight >= first && weight <= first);
        assert_int_equal(model_index_find(v.index, "features.1.running_var") != NULL, cases[i].norms);
        foreign_free(&v);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cut_files_are_refused),
        cmocka_unit_test(a_graph_that_is_not_known_is_kept_as_tensors_with_a_note),
        cmocka_unit_test(views_point_to_the_same_bytes),
        cmocka_unit_test(layers_follow_from_variables_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
