/* ONNX models made by hand: every field that may hold elements, files beside the model, and what is refused. */
#include <math.h>
#include "foreign_read.h"
#include "formats_limits.h"

static const uint64_t dims[] = {2, 3};

/* An initializer "w" of 2 x 3 with one field for its elements. */
static void elements_of(uint64_t type, uint32_t field, const forge *bytes, const double *want)
{
    foreign v = {0};
    forge t = onnx_head("w", type, dims, 2), model;

    pb_bytes(&t, field, bytes->data, bytes->len);
    model = onnx_of(&t);
    foreign_add(&v, "m.onnx", &model);
    assert_ok(foreign_read(&v), &v.err);
    for (uint64_t i = 0; i < 6; i++)
        assert_true(fabs(foreign_value(&v, "w", i) - want[i]) < 1e-9);
    foreign_free(&v);
}

static void elements_in_every_field(void **state)
{
    static const double want[] = {1, -2, 0.5, 0, 3, -0.25}, whole[] = {1, 200, 0, 3, 127, 5};
    static const uint16_t halves[] = {0x3c00, 0xc000, 0x3800, 0, 0x4200, 0xb400};
    forge floats = {0}, doubles = {0}, ints = {0}, half = {0};

    (void)state;
    for (int i = 0; i < 6; i++) {
        float f = (float)want[i];
        forge_put(&floats, &f, sizeof f);
        forge_put(&doubles, &want[i], sizeof want[i]);
        pb_varint(&ints, (uint64_t)whole[i]);
        pb_varint(&half, halves[i]);
    }
    elements_of(ONNX_FLOAT, 9, &floats, want);
    elements_of(ONNX_FLOAT, 4, &floats, want);
    elements_of(ONNX_DOUBLE, 10, &doubles, want);
    elements_of(ONNX_DOUBLE, 9, &doubles, want);
    elements_of(ONNX_INT64, 7, &ints, whole);
    elements_of(ONNX_UINT8, 5, &ints, whole);
    elements_of(ONNX_HALF, 5, &half, want);
    forge_free(&floats);
    forge_free(&doubles);
    forge_free(&ints);
    forge_free(&half);
}

static void elements_one_by_one_and_in_pieces(void **state)
{
    foreign v = {0};
    forge t = onnx_head("w", ONNX_FLOAT, dims, 2), two = {0}, model;

    (void)state;
    for (int i = 0; i < 4; i++)
        pb_float(&t, 4, (float)i);
    for (int i = 4; i < 6; i++) {
        float f = (float)i;
        forge_put(&two, &f, sizeof f);
    }
    pb_message(&t, 4, &two);
    model = onnx_of(&t);
    foreign_add(&v, "m.onnx", &model);
    assert_ok(foreign_read(&v), &v.err);
    for (uint64_t i = 0; i < 6; i++)
        assert_true(fabs(foreign_value(&v, "w", i) - (double)i) < 1e-9);
    foreign_free(&v);
}

/* An initializer "w" and what is wrong with it. */
static void refused_tensor(forge *tensor, const char *part)
{
    foreign v = {0};
    forge model = onnx_of(tensor);

    foreign_add(&v, "m.onnx", &model);
    assert_message_has(foreign_read(&v), CISTERN_UNREADABLE, &v.err, part, __FILE__, __LINE__);
    assert_true(v.err.has_offset);
    foreign_free(&v);
}

/* 27 */
static void sizes_that_do_not_fit(void **state)
{
    static const uint64_t huge[] = {(uint64_t)1 << 40}, over[] = {(uint64_t)1 << 62, 16},
                          minus[] = {UINT64_MAX};
    static const uint64_t nine[] = {1, 1, 1, 1, 1, 1, 1, 1, 1};
    forge t;

    (void)state;
    t = onnx_raw("w", ONNX_FLOAT, huge, 1, 0);
    refused_tensor(&t, "tensor 'w' has 0 elements, its shape 1099511627776");
    t = onnx_raw("w", ONNX_FLOAT, over, 2, 4);
    refused_tensor(&t, "tensor 'w' has a shape whose size overflows");
    t = onnx_raw("w", ONNX_FLOAT, minus, 1, 4);
    refused_tensor(&t, "tensor 'w' has a shape whose size overflows");
    t = onnx_raw("w", ONNX_FLOAT, nine, 9, 4);
    refused_tensor(&t, "field 1 has more than 8 numbers");
    t = onnx_raw("w", ONNX_FLOAT, dims, 2, 23);
    refused_tensor(&t, "tensor 'w' has 23 raw bytes, but its shape takes 24");
    t = onnx_raw("w", ONNX_FLOAT, dims, 2, 24);
    pb_float(&t, 4, 1);
    refused_tensor(&t, "tensor 'w' has raw bytes and elements as well");
    t = onnx_head("w", ONNX_FLOAT, dims, 2);
    pb_bytes(&t, 4, "abcde", 5);
    refused_tensor(&t, "field 4 has 5 bytes, which is no multiple of 4");
    t = onnx_head("w", ONNX_FLOAT, dims, 2);
    pb_float(&t, 4, 1);
    refused_tensor(&t, "tensor 'w' has 1 elements, its shape 6");
    t = onnx_head("", ONNX_FLOAT, dims, 2);
    refused_tensor(&t, "a tensor's name has 0 bytes");
}

static void the_offset_of_what_is_wrong(void **state)
{
    foreign v = {0};
    forge t = onnx_raw("w", ONNX_FLOAT, dims, 2, 23), model = onnx_of(&t);

    (void)state;
    foreign_add(&v, "m.onnx", &model);
    /* 2 version, 6 producer, 2 graph, 2 initializer; 4 dims, 2 type, 3 name */
    assert_foreign_refused(&v, 2 + 6 + 2 + 2 + 4 + 2 + 3, "23 raw bytes");
}

static void a_tensor_that_is_there_twice(void **state)
{
    foreign v = {0};
    forge a = onnx_raw("w", ONNX_FLOAT, dims, 2, 24), b = onnx_raw("w", ONNX_FLOAT, dims, 2, 24), graph = {0},
          model;

    (void)state;
    pb_message(&graph, 5, &a);
    pb_message(&graph, 5, &b);
    model = onnx_model(&graph);
    foreign_add(&v, "m.onnx", &model);
    assert_foreign_refused(&v, NO_OFFSET, "tensor 'w' is there twice");
}

static void the_last_of_a_scalar_said_twice_counts(void **state)
{
    foreign v = {0};
    forge t = onnx_raw("w", ONNX_INT64, dims, 2, 24), model;

    (void)state;
    pb_number(&t, 2, ONNX_FLOAT);
    model = onnx_of(&t);
    foreign_add(&v, "m.onnx", &model);
    assert_ok(foreign_read(&v), &v.err);
    assert_int_equal(model_index_peek(v.index, 0)->dtype, MODEL_F32);
    foreign_free(&v);
}

static void types_that_the_index_has_not_are_left_out_with_a_note(void **state)
{
    foreign v = {0};
    forge a = onnx_raw("w", ONNX_FLOAT, dims, 2, 24), b = onnx_head("s", ONNX_STRING, dims, 2), graph = {0},
          model;

    (void)state;
    pb_message(&graph, 5, &a);
    pb_message(&graph, 5, &b);
    model = onnx_model(&graph);
    foreign_add(&v, "m.onnx", &model);
    assert_ok(foreign_read(&v), &v.err);
    assert_int_equal(model_index_count(v.index), 1);
    assert_string_equal(model_index_note_peek(v.index, 0),
                        "1 tensor of types that are not read was left out");
    foreign_free(&v);
}

static void quantised_models_are_refused_by_name(void **state)
{
    static const char *const types[] = {"QLinearConv", "DequantizeLinear", "ConvInteger", "MatMulInteger"};

    (void)state;
    for (size_t i = 0; i < 4; i++) {
        foreign v = {0};
        forge node = {0}, graph = {0}, model;
        char part[128];
        pb_text(&node, 2, "y");
        pb_text(&node, 4, types[i]);
        pb_message(&graph, 1, &node);
        model = onnx_model(&graph);
        foreign_add(&v, "m.onnx", &model);
        (void)snprintf(part, sizeof part, "a quantised ONNX model (operator %s)", types[i]);
        assert_foreign_refused(&v, 2 + 6 + 2 + 2, part);
    }
}

static void models_without_tensors_are_refused(void **state)
{
    foreign v = {0};
    forge node = {0}, graph = {0}, model;

    (void)state;
    pb_text(&node, 2, "y");
    pb_text(&node, 4, "Relu");
    pb_message(&graph, 1, &node);
    model = onnx_model(&graph);
    foreign_add(&v, "m.onnx", &model);
    assert_foreign_refused(&v, NO_OFFSET, "an ONNX file that holds no tensors");
}

static void sparse_and_segmented_tensors_are_refused(void **state)
{
    foreign v = {0};
    forge sparse = {0}, graph = {0}, model, t = onnx_raw("w", ONNX_FLOAT, dims, 2, 24);

    (void)state;
    pb_message(&graph, 15, &sparse);
    model = onnx_model(&graph);
    foreign_add(&v, "m.onnx", &model);
    assert_foreign_refused(&v, 2 + 6 + 2, "a sparse tensor");
    pb_text(&t, 3, "");
    refused_tensor(&t, "a tensor in segments");
}

/* ---- 26: files beside the model ---- */

/* A model whose tensor of 24 bytes is elsewhere, and a file of 32 bytes beside it. */
static foreign with_external(const char *location, const char *offset, const char *length)
{
    foreign v = {0};
    forge t = onnx_head("w", ONNX_FLOAT, dims, 2), model, data = {0};

    if (location)
        onnx_external(&t, "location", location);
    if (offset)
        onnx_external(&t, "offset", offset);
    if (length)
        onnx_external(&t, "length", length);
    onnx_external(&t, "checksum", "none");
    pb_number(&t, 14, 1);
    model = onnx_of(&t);
    for (int i = 0; i < 8; i++) {
        float f = (float)i;
        forge_put(&data, &f, sizeof f);
    }
    foreign_add(&v, "dir/m.onnx", &model);
    foreign_add(&v, "dir/m.data", &data);
    return v;
}

static void tensors_in_a_file_beside_the_model(void **state)
{
    foreign v = with_external("m.data", "8", "24");

    (void)state;
    assert_ok(foreign_read(&v), &v.err);
    assert_int_equal(model_index_peek(v.index, 0)->file, 1);
    assert_true(fabs(foreign_value(&v, "w", 0) - 2) < 1e-9);
    foreign_free(&v);
    v = with_external("m.data", NULL, NULL);
    assert_ok(foreign_read(&v), &v.err);
    assert_true(fabs(foreign_value(&v, "w", 5) - 5) < 1e-9);
    foreign_free(&v);
}

static void locations_that_are_no_bare_names(void **state)
{
    static const char *const names[] = {
        "a/../../secret", "../m.data", "/etc/hostname", "dir/m.data", "..", ".", "", "a\\m.data"};

    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        foreign v = with_external(names[i], NULL, NULL);
        assert_message_has(foreign_read(&v), CISTERN_UNREADABLE, &v.err,
                           "which is not the bare name of a file beside this one", __FILE__, __LINE__);
        foreign_free(&v);
    }
}

static void places_beyond_the_file_beside(void **state)
{
    static const struct {
        const char *offset, *length, *part;
    } cases[] = {
        {"9", NULL, "tensor 'w' is at byte 9 of 'm.data', beyond the end of its 32 bytes"},
        {"18446744073709551615", NULL, "is at byte 18446744073709551615 of 'm.data', beyond the end"},
        {"18446744073709551616", NULL, "an offset in another file that is no natural number of 64 bits"},
        {"-1", NULL, "an offset in another file that is no natural number"},
        {"", NULL, "an offset in another file that is no natural number"},
        {"0", "23", "tensor 'w' has 23 bytes in 'm.data', but its shape takes 24"},
        {"0", "1e2", "a length in another file that is no natural number"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        foreign v = with_external("m.data", cases[i].offset, cases[i].length);
        assert_message_has(foreign_read(&v), CISTERN_UNREADABLE, &v.err, cases[i].part, __FILE__, __LINE__);
        assert_true(v.err.has_offset);
        foreign_free(&v);
    }
}

static void a_file_beside_that_is_not_given(void **state)
{
    foreign v = with_external("other.data", NULL, NULL);

    (void)state;
    assert_message_has(
        foreign_read(&v), CISTERN_UNREADABLE, &v.err,
        "tensor 'w' is in the file 'other.data', which is not here: give it together with this one", __FILE__,
        __LINE__);
    foreign_free(&v);
}

/* ---- the graph ---- */

static void two_nodes_of_one_name_are_refused(void **state)
{
    foreign v = {0};
    forge t = onnx_raw("w", ONNX_FLOAT, dims, 2, 24), graph = {0}, model;

    (void)state;
    pb_message(&graph, 5, &t);
    for (int i = 0; i < 2; i++) {
        forge node = {0};
        pb_text(&node, 2, "y");
        pb_text(&node, 4, "Relu");
        pb_message(&graph, 1, &node);
    }
    model = onnx_model(&graph);
    foreign_add(&v, "m.onnx", &model);
    assert_foreign_refused(&v, NO_OFFSET, "its graph makes 'y' twice");
}

static void graphs_that_go_round_in_circles_end(void **state)
{
    foreign v = {0};
    forge t = onnx_raw("w", ONNX_FLOAT, dims, 2, 24), graph = {0}, model;
    static const char *const ends[][2] = {{"a", "b"}, {"b", "a"}, {"b", "end"}};

    (void)state;
    pb_message(&graph, 5, &t);
    for (int i = 0; i < 3; i++) {
        forge node = {0};
        pb_text(&node, 1, ends[i][0]);
        pb_text(&node, 2, ends[i][1]);
        pb_text(&node, 4, "Identity");
        pb_message(&graph, 1, &node);
    }
    model = onnx_model(&graph);
    foreign_add(&v, "m.onnx", &model);
    assert_ok(foreign_read(&v), &v.err);
    assert_non_null(strstr(model_index_note_peek(v.index, 0), "more than 1024 operators in a row"));
    foreign_free(&v);
}

static void as_many_nodes_as_allowed_and_one_more(void **state)
{
    (void)state;
    for (unsigned more = 0; more < 2; more++) {
        foreign v = {0};
        forge t = onnx_raw("w", ONNX_FLOAT, dims, 2, 24), graph = {0}, model;
        pb_message(&graph, 5, &t);
        for (unsigned i = 1; i < FORMATS_NODES_MAX + more; i++)
            FORGE(&graph, "\x0a\x00");
        model = onnx_model(&graph);
        foreign_add(&v, "m.onnx", &model);
        if (more)
            assert_foreign_refused(&v, NO_OFFSET, "more than 131072 nodes and constants in its graph");
        else
            assert_ok(foreign_read(&v), &v.err);
        foreign_free(&v);
    }
}

static void names_that_could_be_bound_step_aside(void **state)
{
    foreign v = {0};
    forge t = onnx_raw("model.features.0.weight", ONNX_FLOAT, dims, 2, 24), model = onnx_of(&t);

    (void)state;
    foreign_add(&v, "m.onnx", &model);
    assert_ok(foreign_read(&v), &v.err);
    assert_string_equal(model_index_peek(v.index, 0)->name, "model.features.0.weight@onnx");
    foreign_free(&v);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(elements_in_every_field),
        cmocka_unit_test(elements_one_by_one_and_in_pieces),
        cmocka_unit_test(sizes_that_do_not_fit),
        cmocka_unit_test(the_offset_of_what_is_wrong),
        cmocka_unit_test(a_tensor_that_is_there_twice),
        cmocka_unit_test(the_last_of_a_scalar_said_twice_counts),
        cmocka_unit_test(types_that_the_index_has_not_are_left_out_with_a_note),
        cmocka_unit_test(quantised_models_are_refused_by_name),
        cmocka_unit_test(models_without_tensors_are_refused),
        cmocka_unit_test(sparse_and_segmented_tensors_are_refused),
        cmocka_unit_test(tensors_in_a_file_beside_the_model),
        cmocka_unit_test(locations_that_are_no_bare_names),
        cmocka_unit_test(places_beyond_the_file_beside),
        cmocka_unit_test(a_file_beside_that_is_not_given),
        cmocka_unit_test(two_nodes_of_one_name_are_refused),
        cmocka_unit_test(graphs_that_go_round_in_circles_end),
        cmocka_unit_test(as_many_nodes_as_allowed_and_one_more),
        cmocka_unit_test(names_that_could_be_bound_step_aside),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
