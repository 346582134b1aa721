/* What of a graph is taken for a VGG, and what is not: one ONNX model of a VGG-11, changed in one place each time. */
#include "foreign_read.h"
#include "formats_limits.h"
#include "model_said.h"
#include "priv/formats_constant.h"

#define CONVS 8

/* One change; all zero: none. */
typedef struct change {
    uint64_t stride, border, dilation, groups;      /* of the fourth convolution */
    uint64_t pool, pool_stride, pool_border;        /* of the second pooling */
    bool no_relu, relu_at_end, softmax, no_flatten; /* no_relu: behind the fourth convolution */
    bool norms;                                     /* batch norms, with this epsilon */
    float epsilon, other_epsilon;                   /* other: of the last */
    bool norm_after_relu;
    const char *first, *domain; /* an operator on the picture; the third convolution's domain */
    float alpha;                /* of the first Gemm; 0: not said */
    bool transpose_a, transpose_pictures, odd_transpose, matmul;
    unsigned ends, passes;  /* other ends before; Identity nodes behind the picture */
    bool residual, side;    /* side: 5x5 kernels in the fourth convolution */
    uint64_t average;       /* pixels of an average behind the last pooling, and its stride */
    float value;            /* of `first`'s constant, one for each channel; the three differ by it */
    bool value_first;       /* the constant stands in front of the picture */
    uint64_t rows, columns; /* pixels before an adaptive pooling by two products; 0: none */
    float spoil;            /* added to one number of its matrices */
    uint64_t size;          /* of the picture, as the graph says it; 0: it does not */
    bool half;              /* only one of the products */
    unsigned pictures;      /* other inputs before it */
} change;

typedef struct builder {
    forge graph;
    const change *c;
    char x[16]; /* the last output's name */
    unsigned number;
} builder;

static const uint64_t channels[CONVS + 1] = {3, 2, 3, 4, 5, 2, 3, 4, 2};
static const bool pool_after[CONVS] = {true, true, false, true, false, true, false, true};

static void put_tensor(builder *b, const char *name, const uint64_t *dims, size_t rank)
{
    size_t n = 4;

    for (size_t i = 0; i < rank; i++)
        n *= dims[i];
    forge t = onnx_raw(name, ONNX_FLOAT, dims, rank, n);
    pb_message(&b->graph, 5, &t);
}

static void put_floats(builder *b, const char *name, const uint64_t *dims, size_t rank, const float *values)
{
    size_t n = 1;

    for (size_t i = 0; i < rank; i++)
        n *= dims[i];
    forge t = onnx_raw(name, ONNX_FLOAT, dims, rank, 0), raw = {0};
    forge_put(&raw, values, n * sizeof *values);
    pb_bytes(&t, 9, raw.data, raw.len);
    forge_free(&raw);
    pb_message(&b->graph, 5, &t);
}

static void put_ints(forge *node, const char *name, const uint64_t *values, size_t n)
{
    forge a = {0};

    pb_text(&a, 1, name);
    for (size_t i = 0; i < n; i++)
        pb_number(&a, 8, values[i]);
    pb_message(node, 5, &a);
}

static void put_pair(forge *node, const char *name, uint64_t value, size_t n)
{
    uint64_t values[4] = {value, value, value, value};

    put_ints(node, name, values, n);
}

static void put_int(forge *node, const char *name, uint64_t value)
{
    forge a = {0};

    pb_text(&a, 1, name);
    pb_number(&a, 3, value);
    pb_message(node, 5, &a);
}

static void put_float(forge *node, const char *name, float value)
{
    forge a = {0};

    pb_text(&a, 1, name);
    pb_float(&a, 2, value);
    pb_message(node, 5, &a);
}

static forge begin_node(const builder *b, const char *type)
{
    forge node = {0};

    pb_text(&node, 1, b->x);
    pb_text(&node, 4, type);
    return node;
}

static void end_node(builder *b, forge *node)
{
    snprintf(b->x, sizeof b->x, "x%u", ++b->number);
    pb_text(node, 2, b->x);
    pb_message(&b->graph, 1, node);
}

static void simple(builder *b, const char *type)
{
    forge node = begin_node(b, type);

    end_node(b, &node);
}

static void input(builder *b, forge *node, const char *what, const uint64_t *dims, size_t rank)
{
    char name[32];

    snprintf(name, sizeof name, "%s%u", what, b->number);
    pb_text(node, 1, name);
    put_tensor(b, name, dims, rank);
}

static void norm(builder *b, uint64_t n, float epsilon)
{
    static const char *const parts[] = {"gamma", "beta", "mean", "var"};
    forge node = begin_node(b, "BatchNormalization");

    for (int i = 0; i < 4; i++)
        input(b, &node, parts[i], &n, 1);
    if (epsilon > 0)
        put_float(&node, "epsilon", epsilon);
    end_node(b, &node);
}

static void conv(builder *b, int i)
{
    static const change none = {0};
    const change *c = i == 3 ? b->c : &none;
    uint64_t side = c->side ? 5 : 3, dims[] = {channels[i + 1], channels[i], side, side};
    forge node = begin_node(b, "Conv");

    input(b, &node, "w", dims, 4);
    input(b, &node, "b", dims, 1);
    put_pair(&node, "strides", c->stride ? c->stride : 1, 2);
    put_pair(&node, "pads", c->border ? c->border - 1 : 1, 4);
    put_pair(&node, "dilations", c->dilation ? c->dilation : 1, 2);
    put_int(&node, "group", c->groups ? c->groups : 1);
    if (i == 2 && b->c->domain)
        pb_text(&node, 7, b->c->domain);
    end_node(b, &node);
    if (b->c->norms && !b->c->norm_after_relu)
        norm(b, channels[i + 1],
             i == CONVS - 1 && b->c->other_epsilon > 0 ? b->c->other_epsilon : b->c->epsilon);
    if (!c->no_relu)
        simple(b, "Relu");
    if (b->c->norms && b->c->norm_after_relu)
        norm(b, channels[i + 1], b->c->epsilon);
}

static void pool(builder *b, bool changed)
{
    const change *c = b->c;
    forge node = begin_node(b, "MaxPool");

    put_pair(&node, "kernel_shape", changed && c->pool ? c->pool : 2, 2);
    put_pair(&node, "strides", changed && c->pool_stride ? c->pool_stride : 2, 2);
    put_pair(&node, "pads", changed ? c->pool_border : 0, 4);
    end_node(b, &node);
}

static void transpose(builder *b)
{
    static const uint64_t last[] = {0, 2, 3, 1}, odd[] = {0, 3, 2, 1};
    forge node = begin_node(b, "Transpose");

    put_ints(&node, "perm", b->c->odd_transpose ? odd : last, 4);
    end_node(b, &node);
}

static void linear(builder *b, int i, uint64_t in, uint64_t out)
{
    uint64_t rows[] = {out, in}, columns[] = {in, out};
    forge node = begin_node(b, b->c->matmul ? "MatMul" : "Gemm");

    input(b, &node, "w", b->c->matmul ? columns : rows, 2);
    if (!b->c->matmul) {
        input(b, &node, "b", &out, 1);
        put_int(&node, "transB", 1);
        put_int(&node, "transA", i == 0 && b->c->transpose_a);
        if (i == 0 && b->c->alpha > 0)
            put_float(&node, "alpha", b->c->alpha);
    }
    end_node(b, &node);
    if (b->c->matmul) {
        node = begin_node(b, "Add");
        input(b, &node, "b", &out, 1);
        end_node(b, &node);
    }
}

/* torch.nn.AdaptiveAvgPool2d(7) of n: output i is the mean from floor(i n / 7) to ceil((i + 1) n / 7). */
static void means(float *m, uint64_t n, bool rows)
{
    for (uint64_t i = 0; i < 7; i++) {
        uint64_t begin = i * n / 7, end = ((i + 1) * n + 6) / 7;
        for (uint64_t k = 0; k < n; k++)
            m[rows ? i * n + k : k * 7 + i] = k >= begin && k < end ? 1.0f / (float)(end - begin) : 0;
    }
}

/* columns from the right, then rows from the left */
static void adaptive(builder *b)
{
    static float m[7 * (FORMATS_CONSTANT_MAX / 7 + 1)];
    uint64_t right[] = {b->c->columns, 7}, left[] = {7, b->c->rows};
    forge node = begin_node(b, "MatMul");

    means(m, b->c->columns, false);
    m[3] += b->c->spoil;
    put_floats(b, "columns", right, 2, m);
    pb_text(&node, 1, "columns");
    end_node(b, &node);
    if (b->c->half)
        return;
    means(m, b->c->rows, true);
    put_floats(b, "rows", left, 2, m);
    node = (forge){0};
    pb_text(&node, 1, "rows");
    pb_text(&node, 1, b->x);
    pb_text(&node, 4, "MatMul");
    end_node(b, &node);
}

static void features(builder *b)
{
    char before[sizeof b->x];

    for (int i = 0, pools = 0; i < CONVS; i++) {
        memcpy(before, b->x, sizeof before);
        conv(b, i);
        if (b->c->residual && i == 2) {
            forge node = begin_node(b, "Add");
            pb_text(&node, 1, before);
            end_node(b, &node);
        }
        if (pool_after[i])
            pool(b, pools++ == 1);
    }
    if (b->c->average) {
        forge node = begin_node(b, "AveragePool");
        put_pair(&node, "kernel_shape", b->c->average, 2);
        put_pair(&node, "strides", b->c->average, 2);
        end_node(b, &node);
    }
    if (b->c->columns)
        adaptive(b);
}

/* ValueInfoProto: {name, type {tensor_type {elem_type, shape {dim {dim_value}}}}} */
static void picture_size(builder *b, const char *name, uint64_t size)
{
    forge info = {0}, type = {0}, tensor = {0}, shape = {0};
    const uint64_t dims[] = {1, 3, size, size};

    for (int i = 0; i < 4; i++) {
        forge dim = {0};
        pb_number(&dim, 1, dims[i]);
        pb_message(&shape, 1, &dim);
    }
    pb_number(&tensor, 1, ONNX_FLOAT);
    pb_message(&tensor, 2, &shape);
    pb_message(&type, 1, &tensor);
    pb_text(&info, 1, name);
    pb_message(&info, 2, &type);
    pb_message(&b->graph, 11, &info);
}

static forge build(const change *c)
{
    builder b = {.c = c, .x = "picture"};

    for (unsigned i = 0; i < c->ends; i++) {
        forge node = begin_node(&b, "Relu");
        end_node(&b, &node);
        memcpy(b.x, "picture", sizeof "picture");
    }
    for (unsigned i = 0; i < c->passes; i++)
        simple(&b, "Identity");
    if (c->first) {
        forge node = {0};
        uint64_t dims[] = {1, 3, 1, 1};
        const float values[] = {c->value, 2 * c->value, 3 * c->value};
        put_floats(&b, "constant", dims, 4, values);
        pb_text(&node, 1, c->value_first ? "constant" : b.x);
        pb_text(&node, 1, c->value_first ? b.x : "constant");
        pb_text(&node, 4, c->first);
        end_node(&b, &node);
    }
    for (unsigned i = 0; i < c->pictures; i++)
        picture_size(&b, "another", 64);
    if (c->size)
        picture_size(&b, "picture", c->size);
    features(&b);
    if (c->transpose_pictures || c->odd_transpose)
        transpose(&b);
    if (!c->no_flatten)
        simple(&b, "Flatten");
    linear(&b, 0, (uint64_t)2 * 49, 5);
    simple(&b, "Relu");
    linear(&b, 1, 5, 6);
    simple(&b, "Relu");
    linear(&b, 2, 6, 7);
    if (c->relu_at_end)
        simple(&b, "Relu");
    if (c->softmax)
        simple(&b, "Softmax");
    return onnx_model(&b.graph);
}

static foreign read_changed(const change *c)
{
    foreign v = {0};
    forge model = build(c);

    foreign_add(&v, "m.onnx", &model);
    assert_ok(foreign_read(&v), &v.err);
    return v;
}

static void the_unchanged_graph_is_a_vgg11(void **state)
{
    static const change none = {0};
    foreign v = read_changed(&none);

    (void)state;
    assert_int_equal(model_index_note_count(v.index), 0);
    assert_non_null(model_index_find(v.index, "features.18.weight"));
    assert_int_equal(model_index_find(v.index, "classifier.0.weight")->rank, 2);
    assert_int_equal(model_index_head(v.index), MODEL_HEAD_LOGITS);
    foreign_free(&v);
}

static void what_a_vgg_has_not_leaves_tensors_and_a_note(void **state)
{
    static const struct {
        change c;
        const char *note;
    } cases[] = {
        {{.stride = 2}, "(Conv): its stride, border, dilation or groups are not a VGG's"},
        {{.border = 1}, "its stride, border, dilation or groups"},
        {{.dilation = 2}, "its stride, border, dilation or groups"},
        {{.groups = 2}, "its stride, border, dilation or groups"},
        {{.side = true}, "its stride, border, dilation or groups"},
        {{.pool = 3}, "(MaxPool): its size, stride or border is not a VGG's"},
        {{.pool_stride = 1}, "its size, stride or border"},
        {{.pool_border = 1}, "its size, stride or border"},
        {{.average = 2},
         "(AveragePool): an average of 2x2, which is no adaptive pooling to 7x7 of a picture of 0x0"},
        {{.average = 2, .size = 224},
         "an average of 2x2, which is no adaptive pooling to 7x7 of a picture of 224x224"},
        {{.average = 3, .size = 448}, "an average of 3x3"},
        {{.rows = 3, .columns = 3, .spoil = 0.01f},
         "(MatMul): a product with a matrix that is not that of an adaptive"},
        {{.rows = 3, .columns = 3, .half = true}, "(Flatten): follows half an adaptive pooling"},
        {{.no_relu = true}, "no ReLU before it"},
        {{.relu_at_end = true}, "a ReLU behind the last linear layer"},
        {{.relu_at_end = true, .softmax = true}, "a softmax that does not follow a linear layer"},
        {{.no_flatten = true}, "(Gemm): works on what was not flattened"},
        {{.norms = true, .norm_after_relu = true}, "a batch norm where a VGG has none"},
        {{.norms = true, .other_epsilon = 0.5f}, "its batch norms add different numbers to the variance"},
        {{.first = "Mul"}, "the picture is multiplied with what is not above 0"},
        {{.first = "Div"}, "the picture is multiplied with what is not above 0"},
        {{.first = "Mul", .value = -1}, "the picture is multiplied with what is not above 0"},
        {{.first = "Sub", .value = 1, .value_first = true},
         "(Sub): the picture is subtracted from a constant"},
        {{.first = "Div", .value = 1, .value_first = true},
         "(Div): the picture is subtracted from a constant, or divides"},
        {{.first = "Pow", .value = 1}, "(Pow): an operator that a VGG has not"},
        {{.first = "Relu"}, "(Relu): an operator that is not known in front of the first convolution"},
        {{.domain = "com.example"}, "(Conv): an operator that a VGG has not"},
        {{.alpha = 0.5f}, "(Gemm): its first input is transposed, or its result scaled"},
        {{.transpose_a = true}, "its first input is transposed"},
        {{.odd_transpose = true}, "exchanges axes in a way that is not known"},
        {{.residual = true}, "(Add): joins two branches"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        foreign v = read_changed(&cases[i].c);
        const char *note = model_index_note_count(v.index) ? model_index_note_peek(v.index, 0) : "";
        if (!strstr(note, cases[i].note))
            print_error("'%s', not '%s'\n", note, cases[i].note);
        assert_non_null(strstr(note, cases[i].note));
        assert_null(model_index_find(v.index, "features.0.weight"));
        foreign_free(&v);
    }
}

static void what_a_graph_does_to_the_picture_is_what_it_says_of_it(void **state)
{
    static const struct {
        change c;
        float mean, std; /* of the second channel */
        bool bgr, bytes;
    } cases[] = {
        {{.first = "Sub", .value = 40}, 80, 1, true, true},
        {{.first = "Sub", .value = 0.2f}, 0.4f, 1, true, false},
        {{.first = "Add", .value = -40}, 80, 1, true, true},
        {{.first = "Add", .value = 0.2f}, -0.4f, 1, false, false},
        {{.first = "Add", .value = 0.2f, .value_first = true}, -0.4f, 1, false, false},
        {{.first = "Mul", .value = 0.25f}, 0, 2, false, true},
        {{.first = "Div", .value = 60}, 0, 120, false, true},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        foreign v = read_changed(&cases[i].c);
        const model_said *said = model_index_said(v.index);
        assert_non_null(model_index_find(v.index, "features.0.weight"));
        assert_true(said->normalised);
        assert_float_equal(said->how.mean[1], cases[i].mean, 1e-4f);
        assert_float_equal(said->how.std[1], cases[i].std, 1e-4f);
        assert_int_equal(said->how.colour, cases[i].bgr ? MODEL_BGR : MODEL_RGB);
        assert_int_equal(said->how.scale, cases[i].bytes ? MODEL_SCALE_255 : MODEL_SCALE_1);
        assert_non_null(strstr(model_index_note_peek(v.index, 0), "it normalises its pictures itself"));
        foreign_free(&v);
    }
}

static void adaptive_poolings_of_every_size(void **state)
{
    (void)state;
    for (uint64_t n = 1; n < 60; n += n < 16 ? 1 : 11) {
        const change c = {.rows = n, .columns = 61 - n, .size = n < 8 ? 0 : 32 * n};
        foreign v = read_changed(&c);
        assert_int_equal(model_index_note_count(v.index), 0);
        assert_non_null(model_index_find(v.index, "classifier.6.weight"));
        assert_int_equal(model_index_said(v.index)->height, c.size);
        foreign_free(&v);
    }
    const change twice = {.average = 2, .size = 448}, thrice = {.average = 3, .size = 703};
    foreign v = read_changed(&twice), w = read_changed(&thrice);
    assert_non_null(model_index_find(v.index, "classifier.6.weight"));
    assert_non_null(model_index_find(w.index, "classifier.6.weight"));
    foreign_free(&v);
    foreign_free(&w);
}

static void the_largest_matrix_that_is_compared_and_a_larger_one(void **state)
{
    (void)state;
    for (unsigned more = 0; more < 2; more++) {
        const change c = {.rows = 7, .columns = FORMATS_CONSTANT_MAX / 7 + more};
        foreign v = read_changed(&c);
        assert_int_equal(model_index_find(v.index, "features.0.weight") == NULL, more);
        foreign_free(&v);
    }
}

static void as_many_pictures_as_are_looked_at_and_one_more(void **state)
{
    (void)state;
    for (unsigned more = 0; more < 2; more++) {
        const change c = {.size = 96, .pictures = FORMATS_PICTURES_MAX - 1 + more};
        foreign v = read_changed(&c);
        assert_non_null(model_index_find(v.index, "features.0.weight"));
        assert_int_equal(model_index_said(v.index)->width, more ? 0 : 96);
        foreign_free(&v);
    }
}

static void epsilon_is_the_graphs(void **state)
{
    static const change said = {.norms = true, .epsilon = 0.125f}, silent = {.norms = true};
    foreign v = read_changed(&said);

    (void)state;
    assert_non_null(model_index_find(v.index, "features.26.running_var"));
    assert_true(model_index_epsilon(v.index) > 0.1249 && model_index_epsilon(v.index) < 0.1251);
    foreign_free(&v);
    v = read_changed(&silent);
    assert_true(model_index_epsilon(v.index) < 1.01e-5 && model_index_epsilon(v.index) > 0.99e-5);
    foreign_free(&v);
}

static void chains_as_long_as_allowed_and_one_operator_more(void **state)
{
    unsigned own =
        3 * CONVS - 3 + 1 + 5; /* convolutions with ReLU, 5 poolings, flatten, 3 linear layers with 2 ReLUs */

    (void)state;
    for (unsigned more = 0; more < 2; more++) {
        change c = {.passes = FORMATS_CHAIN_MAX - own + more};
        foreign v = read_changed(&c);
        assert_int_equal(model_index_find(v.index, "features.0.weight") == NULL, more);
        if (more)
            assert_non_null(strstr(model_index_note_peek(v.index, 0), "more than 1024 operators in a row"));
        foreign_free(&v);
    }
}

static void as_many_ends_as_are_tried_and_one_more(void **state)
{
    (void)state;
    for (unsigned more = 0; more < 2; more++) {
        change c = {.ends = FORMATS_ENDS_MAX - 1 + more};
        foreign v = read_changed(&c);
        assert_int_equal(model_index_find(v.index, "features.0.weight") == NULL, more);
        if (more)
            assert_non_null(strstr(model_index_note_peek(v.index, 0), "no convolutions in a row"));
        foreign_free(&v);
    }
}

static void a_softmax_is_marked(void **state)
{
    static const change softmax = {.softmax = true};
    foreign v = read_changed(&softmax);

    (void)state;
    assert_int_equal(model_index_head(v.index), MODEL_HEAD_PROBABILITIES);
    assert_non_null(model_index_find(v.index, "features.0.weight"));
    foreign_free(&v);
}

static void matrices_are_rows_or_columns_and_channels_first_or_last(void **state)
{
    static const change columns = {.matmul = true}, last = {.transpose_pictures = true};
    foreign v = read_changed(&columns);
    const model_tensor *t = model_index_find(v.index, "classifier.0.weight");

    (void)state;
    assert_non_null(t);
    assert_true(t->rank == 2 && t->shape[0] == 5 && t->shape[1] == 98 && t->stride[0] == 1 &&
                t->stride[1] == 5);
    assert_non_null(model_index_find(v.index, "classifier.6.bias"));
    assert_int_equal(v.decoded.len, 0); /* its biases were found: none is made up */
    foreign_free(&v);
    v = read_changed(&last);
    t = model_index_find(v.index, "classifier.0.weight");
    assert_non_null(t);
    assert_true(t->rank == 4 && t->shape[1] == 2 && t->stride[1] == 1 && t->stride[3] == 2 &&
                t->stride[2] == 14);
    foreign_free(&v);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_unchanged_graph_is_a_vgg11),
        cmocka_unit_test(what_a_vgg_has_not_leaves_tensors_and_a_note),
        cmocka_unit_test(epsilon_is_the_graphs),
        cmocka_unit_test(what_a_graph_does_to_the_picture_is_what_it_says_of_it),
        cmocka_unit_test(adaptive_poolings_of_every_size),
        cmocka_unit_test(the_largest_matrix_that_is_compared_and_a_larger_one),
        cmocka_unit_test(as_many_pictures_as_are_looked_at_and_one_more),
        cmocka_unit_test(chains_as_long_as_allowed_and_one_operator_more),
        cmocka_unit_test(as_many_ends_as_are_tried_and_one_more),
        cmocka_unit_test(a_softmax_is_marked),
        cmocka_unit_test(matrices_are_rows_or_columns_and_channels_first_or_last),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
