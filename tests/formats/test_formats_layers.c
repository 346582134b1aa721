/* Layers of other frameworks as views under torchvision's names, and the file of what is decoded. */
#include "formats_limits.h"
#include "model_vgg.h"
#include "priv/formats_layers.h"
#include "weight_read.h"

#define CONVS 8 /* of vgg11 */

typedef struct fixture {
    formats_output out;
    forge file; /* what was decoded */
    formats_layer layers[64];
    size_t count;
    uint64_t end; /* bytes of the one file that are taken */
} fixture;

static cistern_status keep(void *user, const void *bytes, size_t n, cistern_error *err)
{
    (void)err;
    forge_put(user, bytes, n);
    return CISTERN_OK;
}

static int setup(void **state)
{
    static const uint64_t size = 1u << 24;
    fixture *f = calloc(1, sizeof *f);

    assert_non_null(f);
    assert_ok(model_index_new(&size, 1, &f->out.index, NULL), NULL);
    assert_ok(formats_decoded_new(&f->out.decoded, NULL), NULL);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    fixture *f = *state;

    formats_decoded_free(f->out.decoded);
    model_index_free(f->out.index);
    forge_free(&f->file);
    free(f);
    return 0;
}

static size_t tensor(fixture *f, uint32_t rank, const uint64_t *shape)
{
    char name[32];
    model_tensor t = {.name = name, .dtype = MODEL_F32, .rank = rank, .offset = f->end};
    uint64_t step = 1;

    (void)snprintf(name, sizeof name, "t%zu", model_index_count(f->out.index));
    for (uint32_t i = rank; i-- > 0;) {
        t.shape[i] = shape[i];
        t.stride[i] = step;
        step *= shape[i];
    }
    f->end += step * 4;
    assert_ok(model_index_add(f->out.index, &t, NULL), NULL);
    return model_index_count(f->out.index) - 1;
}

static size_t vector(fixture *f, uint64_t n)
{
    return tensor(f, 1, &n);
}

static formats_layer *add(fixture *f, formats_layer_op op)
{
    formats_layer *l = &f->layers[f->count++];

    *l = (formats_layer)FORMATS_LAYER_INIT;
    l->op = op;
    return l;
}

static formats_layer *conv(fixture *f, formats_axes axes, uint64_t in, uint64_t out, uint64_t side)
{
    const uint64_t hwio[4] = {side, side, in, out}, oihw[4] = {out, in, side, side};
    formats_layer *l = add(f, FORMATS_LAYER_CONV);

    l->axes = axes;
    l->weight = tensor(f, 4, axes == FORMATS_AXES_HWIO ? hwio : oihw);
    l->bias = vector(f, out);
    return l;
}

static formats_layer *linear(fixture *f, formats_axes axes, formats_flatten flatten, uint64_t in,
                             uint64_t out)
{
    const uint64_t in_out[2] = {in, out}, out_in[2] = {out, in};
    formats_layer *l = add(f, FORMATS_LAYER_LINEAR);

    l->axes = axes;
    l->flatten = flatten;
    l->weight = tensor(f, 2, axes == FORMATS_AXES_IN_OUT ? in_out : out_in);
    l->bias = vector(f, out);
    return l;
}

static void norm(fixture *f, uint64_t n, double epsilon)
{
    formats_layer *l = add(f, FORMATS_LAYER_BATCH_NORM);

    l->gamma = vector(f, n);
    l->beta = vector(f, n);
    l->mean = vector(f, n);
    l->var = vector(f, n);
    l->epsilon = epsilon;
}

/* vgg11's convolutions: channels 4, 5 … 11. */
static void convs(fixture *f, formats_axes axes, bool norms, double epsilon)
{
    for (uint64_t i = 0; i < CONVS; i++) {
        (void)conv(f, axes, i ? i + 3 : 3, i + 4, 3);
        if (norms)
            norm(f, i + 4, epsilon);
    }
}

static void head(fixture *f, formats_axes axes, formats_flatten flatten)
{
    (void)linear(f, axes, flatten, 11 * 49, 7);
    (void)linear(f, axes, flatten, 7, 6);
    (void)linear(f, axes, flatten, 6, 5);
}

static void emit(fixture *f)
{
    cistern_error err = CISTERN_ERROR_INIT;

    assert_ok(formats_layers_emit(&f->out, f->layers, f->count, &err), &err);
}

static void assert_vgg(fixture *f, const char *name, double epsilon)
{
    model_vgg_match m;
    cistern_error err = CISTERN_ERROR_INIT;

    emit(f);
    assert_int_equal(model_index_note_count(f->out.index), 0);
    assert_ok(model_vgg_match_index(f->out.index, NULL, &m, &err), &err);
    assert_string_equal(m.vgg->name, name);
    assert_true(m.epsilon == epsilon);
}

static void assert_none(fixture *f, const char *why)
{
    size_t before = model_index_count(f->out.index);

    emit(f);
    assert_int_equal(model_index_count(f->out.index), before);
    assert_int_equal(model_index_note_count(f->out.index), 1);
    if (!strstr(model_index_note_peek(f->out.index, 0), why))
        fail_msg("'%s' does not say '%s'", model_index_note_peek(f->out.index, 0), why);
}

static const model_tensor *find(const fixture *f, const char *name)
{
    const model_tensor *t = model_index_find(f->out.index, name);

    if (!t)
        fail_msg("no tensor '%s'", name);
    return t;
}

/* The place of element (a, b, c, d) of both is the same. */
static void kernels_of_tensorflow_are_seen_as_torchvisions(void **state)
{
    fixture *f = *state;

    convs(f, FORMATS_AXES_HWIO, false, 0);
    head(f, FORMATS_AXES_IN_OUT, FORMATS_FLATTEN_HWC);
    assert_vgg(f, "vgg11", 1e-5);
    const model_tensor *own = find(f, "t2"), *seen = find(f, "features.3.weight");
    assert_int_equal(own->offset, seen->offset);
    for (uint64_t i = 0; i < 3 * 3 * 4 * 5; i++) {
        uint64_t o = i % 5, c = i / 5 % 4, x = i / 20 % 3, y = i / 60;
        assert_int_equal(own->stride[0] * y + own->stride[1] * x + own->stride[2] * c + own->stride[3] * o,
                         seen->stride[0] * o + seen->stride[1] * c + seen->stride[2] * y +
                             seen->stride[3] * x);
    }
}

static void flattening_with_channels_last_becomes_four_axes(void **state)
{
    fixture *f = *state;

    convs(f, FORMATS_AXES_HWIO, false, 0);
    head(f, FORMATS_AXES_IN_OUT, FORMATS_FLATTEN_HWC);
    assert_vgg(f, "vgg11", 1e-5);
    const model_tensor *t = find(f, "classifier.0.weight");
    assert_int_equal(t->rank, 4);
    for (uint64_t i = 0; i < 7 * 11 * 49; i++) {
        uint64_t o = i % 7, c = i / 7 % 11, x = i / 77 % 7, y = i / 539;
        assert_int_equal(t->stride[0] * o + t->stride[1] * c + t->stride[2] * y + t->stride[3] * x,
                         ((y * 7 + x) * 11 + c) * 7 + o);
    }
    assert_int_equal(find(f, "classifier.3.weight")->stride[1], 6); /* [in, out], seen as [out, in] */
}

static void flattening_with_channels_first_stays_a_matrix(void **state)
{
    fixture *f = *state;

    convs(f, FORMATS_AXES_OIHW, true, 0);
    head(f, FORMATS_AXES_OUT_IN, FORMATS_FLATTEN_CHW);
    assert_vgg(f, "vgg11_bn", 1e-5);
    assert_int_equal(find(f, "classifier.0.weight")->rank, 2);
    assert_int_equal(find(f, "classifier.0.weight")->stride[0], 11 * 49);
}

/* As VGG16's second one, 4096 x 4096: its shape does not tell which axis is which. */
static void a_square_matrix_is_turned_too(void **state)
{
    static const formats_axes both[] = {FORMATS_AXES_IN_OUT, FORMATS_AXES_OUT_IN};
    fixture *f = *state;

    convs(f, FORMATS_AXES_OIHW, false, 0);
    (void)linear(f, FORMATS_AXES_OUT_IN, FORMATS_FLATTEN_CHW, 11 * 49, 7);
    (void)linear(f, both[0], FORMATS_FLATTEN_CHW, 7, 7);
    (void)linear(f, both[1], FORMATS_FLATTEN_CHW, 7, 7);
    emit(f);
    const model_tensor *turned = find(f, "classifier.3.weight"), *plain = find(f, "classifier.6.weight");
    assert_true(turned->stride[0] == 1 && turned->stride[1] == 7);
    assert_true(plain->stride[0] == 7 && plain->stride[1] == 1);
}

static void linear_layers_may_be_convolutions(void **state)
{
    fixture *f = *state;

    convs(f, FORMATS_AXES_HWIO, true, 1e-3);
    (void)conv(f, FORMATS_AXES_HWIO, 11, 7, 7);
    (void)conv(f, FORMATS_AXES_HWIO, 7, 6, 1);
    (void)conv(f, FORMATS_AXES_HWIO, 6, 5, 1);
    assert_vgg(f, "vgg11_bn", 1e-3);
    assert_int_equal(find(f, "classifier.0.weight")->rank, 4);
}

/* [3, 3, out, in] instead of [3, 3, in, out] has as many numbers; the neighbours' shapes tell. */
static void a_kernel_with_swapped_axes_is_named(void **state)
{
    fixture *f = *state;
    model_vgg_match m;
    cistern_error err = CISTERN_ERROR_INIT;

    convs(f, FORMATS_AXES_HWIO, false, 0);
    f->layers[1].weight = tensor(f, 4, (const uint64_t[4]){3, 3, 5, 4});
    emit(f);
    assert_says(model_vgg_match_index(f->out.index, NULL, &m, &err), CISTERN_UNREADABLE, &err,
                "tensor 'features.3.weight': shape [4, 5, 3, 3], expected [any, 4, 3, 3]");
}

static void poolings_decide_when_they_are_told(void **state)
{
    fixture *f = *state;

    for (uint64_t i = 0; i < CONVS; i++) {
        (void)conv(f, FORMATS_AXES_OIHW, i ? i + 3 : 3, i + 4, 3);
        if (i != 2 && i != 4 && i != 6)
            (void)add(f, FORMATS_LAYER_POOL);
    }
    assert_vgg(f, "vgg11", 1e-5);
}

static void poolings_elsewhere_are_no_vgg(void **state)
{
    fixture *f = *state;

    for (uint64_t i = 0; i < CONVS; i++) {
        (void)conv(f, FORMATS_AXES_OIHW, i ? i + 3 : 3, i + 4, 3);
        (void)add(f, FORMATS_LAYER_POOL);
    }
    assert_none(f, "8 convolutions and poolings in this order, VGGs have 8, 10, 13 or 16");
}

static void what_is_absent_and_neutral_is_one_number(void **state)
{
    fixture *f = *state;
    formats_sink sink = {keep, &f->file};

    convs(f, FORMATS_AXES_HWIO, true, 0);
    for (size_t i = 0; i < f->count; i++) {
        f->layers[i].bias = FORMATS_NO_TENSOR;
        f->layers[i].gamma = FORMATS_NO_TENSOR;
    }
    assert_vgg(f, "vgg11_bn", 1e-5);
    assert_ok(formats_decoded_write(f->out.decoded, f->out.index, &sink, NULL), NULL);
    const model_tensor *bias = find(f, "features.4.bias"), *gamma = find(f, "features.5.weight");
    assert_int_equal(bias->shape[0], 5);
    assert_int_equal(bias->stride[0], 0);
    assert_int_equal(bias->file, 1);
    assert_true(model_dtype_get(MODEL_F32, f->file.data + bias->offset) == 0);
    assert_true(model_dtype_get(MODEL_F32, f->file.data + gamma->offset) == 1);
}

static void a_name_that_is_taken_is_told(void **state)
{
    fixture *f = *state;
    model_tensor t = {.name = "features.0.bias", .dtype = MODEL_F32, .rank = 1, .shape = {4}, .stride = {1}};

    convs(f, FORMATS_AXES_OIHW, false, 0);
    assert_ok(model_index_add(f->out.index, &t, NULL), NULL);
    assert_none(f, "its own tensor 'features.0.bias' is another than the one that is meant by that name");
}

static void a_tensor_that_is_its_own_view_stays(void **state)
{
    fixture *f = *state;

    convs(f, FORMATS_AXES_OIHW, false, 0);
    model_tensor t = *model_index_peek(f->out.index, f->layers[0].bias);
    t.name = "features.0.bias";
    assert_ok(model_index_add(f->out.index, &t, NULL), NULL);
    f->layers[0].bias = model_index_count(f->out.index) - 1;
    assert_vgg(f, "vgg11", 1e-5);
}

static void other_models_get_a_note(void **state)
{
    fixture *f = *state;

    for (uint64_t i = 0; i < 7; i++)
        (void)conv(f, FORMATS_AXES_OIHW, i ? i + 3 : 3, i + 4, 3);
    assert_none(f, "7 convolutions in this order, VGGs have 8, 10, 13 or 16");
}

static void fewer_linear_layers_get_a_note(void **state)
{
    fixture *f = *state;

    convs(f, FORMATS_AXES_OIHW, false, 0);
    (void)linear(f, FORMATS_AXES_IN_OUT, FORMATS_FLATTEN_HWC, 11, 5);
    assert_none(f, "1 linear layers, a VGG has 3 or none");
}

static void layers_out_of_order_get_a_note(void **state)
{
    fixture *f = *state;

    norm(f, 4, 0);
    assert_none(f, "a batch norm that does not follow a convolution");
}

static void a_convolution_after_the_classifier_gets_a_note(void **state)
{
    fixture *f = *state;

    (void)linear(f, FORMATS_AXES_IN_OUT, FORMATS_FLATTEN_HWC, 11, 5);
    (void)conv(f, FORMATS_AXES_OIHW, 3, 4, 3);
    assert_none(f, "a convolution after a linear layer");
}

static void epsilons_that_differ_get_a_note(void **state)
{
    fixture *f = *state;

    convs(f, FORMATS_AXES_OIHW, true, 1e-3);
    f->layers[3].epsilon = 1e-5;
    assert_none(f, "its batch norms add different numbers to the variance");
}

static void a_picture_that_is_no_square_gets_a_note(void **state)
{
    fixture *f = *state;

    convs(f, FORMATS_AXES_HWIO, false, 0);
    (void)linear(f, FORMATS_AXES_IN_OUT, FORMATS_FLATTEN_HWC, 11 * 30, 7);
    (void)linear(f, FORMATS_AXES_IN_OUT, FORMATS_FLATTEN_HWC, 7, 6);
    (void)linear(f, FORMATS_AXES_IN_OUT, FORMATS_FLATTEN_HWC, 6, 5);
    assert_none(f, "330 inputs, which no square picture of 11 channels gives");
}

/* ---- decoded tensors ---- */

static cistern_status write_bytes(const void *what, formats_writer *w, cistern_error *err)
{
    const uint64_t *n = what;
    cistern_status st = CISTERN_OK;

    for (uint64_t i = 0; i < *n && !st; i++)
        st = formats_writer_put(w, "x", 1, err);
    return st;
}

static void add_bytes(fixture *f, const char *name, uint64_t size, uint64_t written)
{
    model_tensor t = {.name = name, .dtype = MODEL_U8, .rank = 1, .shape = {size}};

    assert_ok(
        formats_decoded_add(f->out.decoded, f->out.index, &t, write_bytes, &written, sizeof written, NULL),
        NULL);
}

static void the_file_is_what_safetensors_readers_read(void **state)
{
    fixture *f = *state;
    formats_sink sink = {keep, &f->file};
    model_index *again = NULL;
    cistern_error err = CISTERN_ERROR_INIT;

    add_bytes(f, "a \"quoted\\name\"", 3, 3);
    add_bytes(f, "b", 64, 64);
    add_bytes(f, "empty", 0, 0);
    add_bytes(f, "\xc3\xa9", 1, 1);
    assert_ok(formats_decoded_write(f->out.decoded, f->out.index, &sink, &err), &err);
    assert_ok(weight_read(f->file.data, f->file.len, &again, &err), &err);
    for (size_t i = 0; i < 4; i++) {
        const model_tensor *t = model_index_peek(f->out.index, i), *u = model_index_find(again, t->name);
        assert_non_null(u);
        assert_int_equal(t->offset, u->offset);
        assert_int_equal(t->offset % 64, 0);
        assert_int_equal(t->shape[0], u->shape[0]);
        assert_int_equal(t->file, 1);
    }
    assert_int_equal(model_index_file_size(f->out.index, 1), f->file.len);
    model_index_free(again);
}

static void too_many_bytes_are_refused(void **state)
{
    fixture *f = *state;
    formats_sink sink = {keep, &f->file};
    cistern_error err = CISTERN_ERROR_INIT;

    add_bytes(f, "a", 3, 4);
    assert_says(formats_decoded_write(f->out.decoded, f->out.index, &sink, &err), CISTERN_UNREADABLE, &err,
                "tensor 'a' unpacks to more bytes than its shape takes");
}

static void too_few_bytes_are_refused(void **state)
{
    fixture *f = *state;
    formats_sink sink = {keep, &f->file};
    cistern_error err = CISTERN_ERROR_INIT;

    add_bytes(f, "a", 3, 2);
    assert_says(formats_decoded_write(f->out.decoded, f->out.index, &sink, &err), CISTERN_UNREADABLE, &err,
                "tensor 'a' lacks 1 of its 3 bytes");
}

static void the_budget_has_an_end(void **state)
{
    fixture *f = *state;
    cistern_error err = CISTERN_ERROR_INIT;
    uint64_t n = 0;
    model_tensor t = {.name = "a", .dtype = MODEL_U8, .rank = 1, .shape = {FORMATS_DECODED_MAX}};

    assert_ok(formats_decoded_add(f->out.decoded, f->out.index, &t, write_bytes, &n, sizeof n, &err), &err);
    t.name = "b";
    t.shape[0] = 1;
    assert_says(formats_decoded_add(f->out.decoded, f->out.index, &t, write_bytes, &n, sizeof n, &err),
                CISTERN_UNREADABLE, &err, "with it the decoded tensors take more than 4294967296 bytes");
    t.shape[0] = UINT64_MAX;
    assert_fails(formats_decoded_add(f->out.decoded, f->out.index, &t, write_bytes, &n, sizeof n, &err),
                 CISTERN_UNREADABLE, &err);
}

static cistern_status nothing(const void *what, formats_writer *w, cistern_error *err)
{
    (void)what;
    (void)w;
    (void)err;
    return CISTERN_OK;
}

static void add_empty(fixture *f, const char *name)
{
    model_tensor t = {.name = name, .dtype = MODEL_U8, .rank = 1};

    assert_ok(formats_decoded_add(f->out.decoded, f->out.index, &t, nothing, "", 0, NULL), NULL);
}

#define ENTRY "\"\":{\"dtype\":\"U8\",\"shape\":[0],\"data_offsets\":[0,0]}"

/* Tensors of no bytes, whose header takes FORMATS_DECODED_HEADER_MAX bytes, and `more`. */
static cistern_status header_at_its_end(fixture *f, size_t more, cistern_error *err)
{
    char name[MODEL_NAME_MAX + 1];
    size_t quotes = MODEL_NAME_MAX - 7, each = 7 + 2 * quotes + sizeof ENTRY - 1 + 1;
    size_t room = FORMATS_DECODED_HEADER_MAX - 8 - 2, count = room / each - 1, last;
    formats_sink sink = {keep, &f->file};

    memset(name, '"', sizeof name - 1);
    name[MODEL_NAME_MAX] = 0;
    for (size_t i = 0; i < count; i++) {
        char number[8];
        (void)snprintf(number, sizeof number, "%07zu", i);
        memcpy(name, number, 7);
        add_empty(f, name);
    }
    last =
        room - count * each - (sizeof ENTRY - 1) + more; /* bytes of its name, between one and two names' */
    for (size_t n = 0; n < 2; n++) {                     /* so it becomes two */
        size_t bytes = n ? last : each / 2 - sizeof ENTRY;
        last -= n ? 0 : bytes + sizeof ENTRY;
        size_t doubled = bytes > MODEL_NAME_MAX ? bytes - MODEL_NAME_MAX : 0, len = bytes - doubled;
        memset(name, n ? 'x' : 'y', len);
        memset(name, '"', doubled);
        name[len] = 0;
        add_empty(f, name);
    }
    return formats_decoded_write(f->out.decoded, f->out.index, &sink, err);
}

static void names_that_fill_the_header(void **state)
{
    fixture *f = *state;
    cistern_error err = CISTERN_ERROR_INIT;

    assert_ok(header_at_its_end(f, 0, &err), &err);
    assert_int_equal(f->file.len, FORMATS_DECODED_HEADER_MAX);
}

static void names_that_are_one_byte_too_much_for_the_header(void **state)
{
    fixture *f = *state;
    cistern_error err = CISTERN_ERROR_INIT;

    assert_says(header_at_its_end(f, 1, &err), CISTERN_UNREADABLE, &err,
                "names and shapes of the decoded tensors take more than 50331648 bytes");
    assert_int_equal(f->file.len, 0);
}

static cistern_status full(void *user, const void *bytes, size_t n, cistern_error *err)
{
    (void)user;
    (void)bytes;
    (void)n;
    if (err)
        *err = (cistern_error){.status = CISTERN_NO_SPACE, .text = "full"};
    return CISTERN_NO_SPACE;
}

static void what_the_sink_says_comes_through(void **state)
{
    fixture *f = *state;
    formats_sink sink = {full, NULL};
    cistern_error err = CISTERN_ERROR_INIT;

    add_bytes(f, "a", 3, 3);
    assert_fails(formats_decoded_write(f->out.decoded, f->out.index, &sink, &err), CISTERN_NO_SPACE, &err);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(kernels_of_tensorflow_are_seen_as_torchvisions),
        TEST(flattening_with_channels_last_becomes_four_axes),
        TEST(flattening_with_channels_first_stays_a_matrix),
        TEST(a_square_matrix_is_turned_too),
        TEST(linear_layers_may_be_convolutions),
        TEST(a_kernel_with_swapped_axes_is_named),
        TEST(poolings_decide_when_they_are_told),
        TEST(poolings_elsewhere_are_no_vgg),
        TEST(what_is_absent_and_neutral_is_one_number),
        TEST(a_name_that_is_taken_is_told),
        TEST(a_tensor_that_is_its_own_view_stays),
        TEST(other_models_get_a_note),
        TEST(fewer_linear_layers_get_a_note),
        TEST(layers_out_of_order_get_a_note),
        TEST(a_convolution_after_the_classifier_gets_a_note),
        TEST(epsilons_that_differ_get_a_note),
        TEST(a_picture_that_is_no_square_gets_a_note),
        TEST(the_file_is_what_safetensors_readers_read),
        TEST(too_many_bytes_are_refused),
        TEST(too_few_bytes_are_refused),
        TEST(the_budget_has_an_end),
        TEST(names_that_fill_the_header),
        TEST(names_that_are_one_byte_too_much_for_the_header),
        TEST(what_the_sink_says_comes_through),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
