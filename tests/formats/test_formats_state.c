/* Which tensors of a pickle are the model's, and their names. */
#include "formats_limits.h"
#include "weight_read.h"

static const forge_tensor tensor = {"w", "FloatStorage", "0", 6, 0, 1, {6}, {1}};

static void put_tensor(forge *f)
{
    pickle_tensor(f, &tensor, false);
}

static model_index *index_of(forge *pickle)
{
    forge f = {0};
    model_index *index = NULL;
    cistern_error err = CISTERN_ERROR_INIT;

    pth_make(&f, pickle, 24);
    assert_ok(weight_read(f.data, f.len, &index, &err), &err);
    forge_free(pickle);
    forge_free(&f);
    return index;
}

/* { key: { … { "w": tensor } } }, `depth` keys around it. */
static forge wrapped(const char *key, unsigned depth)
{
    forge pickle = {0};

    FORGE(&pickle, "\x80\x02");
    for (unsigned i = 0; i < depth; i++) {
        FORGE(&pickle, "}");
        pickle_text(&pickle, key);
    }
    FORGE(&pickle, "}");
    pickle_text(&pickle, "w");
    put_tensor(&pickle);
    FORGE(&pickle, "s");
    for (unsigned i = 0; i < depth; i++)
        FORGE(&pickle, "s");
    FORGE(&pickle, ".");
    return pickle;
}

static void assert_only_name(forge pickle, const char *name)
{
    model_index *index = index_of(&pickle);

    assert_int_equal(model_index_count(index), 1);
    assert_string_equal(model_index_peek(index, 0)->name, name);
    model_index_free(index);
}

static void usual_wrappers_are_stepped_into(void **state)
{
    static const char *const usual[] = {"state_dict", "model_state_dict", "model", "net",
                                        "weights",    "params",           "ema",   "module"};

    (void)state;
    for (size_t i = 0; i < sizeof usual / sizeof usual[0]; i++)
        assert_only_name(wrapped(usual[i], 1), "w");
    assert_only_name(wrapped("mine", 1), "mine.w");
}

static void wrappers_have_a_limit(void **state)
{
    (void)state;
    assert_only_name(wrapped("model", FORMATS_WRAPPERS_MAX), "w");
    assert_only_name(wrapped("model", FORMATS_WRAPPERS_MAX + 1), "model.model.model.model.model.w");
}

/* {"net": {"depth": 16}, "weights": {"w": …}, "optimizer": {"state": [tensor]}} */
static void a_wrapper_without_tensors_is_passed_over(void **state)
{
    forge pickle = {0};

    (void)state;
    FORGE(&pickle, "\x80\x02}(");
    pickle_text(&pickle, "net");
    FORGE(&pickle, "}");
    pickle_text(&pickle, "depth");
    FORGE(&pickle, "K\x10s");
    pickle_text(&pickle, "optimizer");
    FORGE(&pickle, "}");
    pickle_text(&pickle, "state");
    FORGE(&pickle, "]");
    put_tensor(&pickle);
    FORGE(&pickle, "as");
    pickle_text(&pickle, "weights");
    FORGE(&pickle, "}");
    pickle_text(&pickle, "w");
    put_tensor(&pickle);
    FORGE(&pickle, "su.");
    assert_only_name(pickle, "w");
}

/* Tensors at the top: then all of it is the state_dict, "model" too. */
static void tensors_at_the_top_come_first(void **state)
{
    forge pickle = {0};

    (void)state;
    FORGE(&pickle, "\x80\x02}(");
    pickle_text(&pickle, "model");
    FORGE(&pickle, "}");
    pickle_text(&pickle, "w");
    put_tensor(&pickle);
    FORGE(&pickle, "s");
    pickle_text(&pickle, "v");
    put_tensor(&pickle);
    FORGE(&pickle, "u.");
    model_index *index = index_of(&pickle);
    assert_int_equal(model_index_count(index), 2);
    assert_non_null(model_index_find(index, "model.w"));
    assert_non_null(model_index_find(index, "v"));
    model_index_free(index);
}

/* Keys that are neither text nor a number give no names. */
static void members_without_a_name_are_left_out(void **state)
{
    forge pickle = {0};

    (void)state;
    FORGE(&pickle, "\x80\x02}(N");
    put_tensor(&pickle);
    FORGE(&pickle, "K\x05");
    put_tensor(&pickle);
    FORGE(&pickle, "u.");
    assert_only_name(pickle, "5");
}

/* An object of class m.C, its state begun: { … */
static void put_module(forge *f)
{
    pickle_global(f, "m", "C");
    FORGE(f, ")\x81}(");
}

/* { key: { name: */
static void put_part(forge *f, const char *key, const char *name)
{
    pickle_text(f, key);
    FORGE(f, "}");
    pickle_text(f, name);
}

/* A module with a parameter, a buffer, a child with a parameter, and tensors in places that are no module's. */
static void tensors_of_a_module_are_where_modules_keep_them(void **state)
{
    forge pickle = {0};

    (void)state;
    FORGE(&pickle, "\x80\x02");
    put_module(&pickle);
    pickle_text(&pickle, "other");
    put_tensor(&pickle);
    put_part(&pickle, "_cache", "x");
    put_tensor(&pickle);
    FORGE(&pickle, "s");
    put_part(&pickle, "_parameters", "w");
    put_tensor(&pickle);
    FORGE(&pickle, "s");
    put_part(&pickle, "_buffers", "none");
    FORGE(&pickle, "Ns");
    put_part(&pickle, "_modules", "child");
    put_module(&pickle);
    put_part(&pickle, "_parameters", "w");
    put_tensor(&pickle);
    FORGE(&pickle, "s");
    put_part(&pickle, "_buffers", "b");
    put_tensor(&pickle);
    FORGE(&pickle, "sub"
                   "sub.");
    model_index *index = index_of(&pickle);
    assert_int_equal(model_index_count(index), 3);
    assert_non_null(model_index_find(index, "w"));
    assert_non_null(model_index_find(index, "child.w"));
    assert_non_null(model_index_find(index, "child.b"));
    assert_int_equal(model_index_note_count(index), 1);
    model_index_free(index);
}

static void assert_refused_for(forge *pickle, const char *text)
{
    forge f = {0};
    model_index *index = NULL;
    cistern_error err = CISTERN_ERROR_INIT;

    pth_make(&f, pickle, 24);
    assert_says(weight_read(f.data, f.len, &index, &err), CISTERN_UNREADABLE, &err, text);
    forge_free(pickle);
    forge_free(&f);
}

static void a_module_inside_itself_ends_the_reading(void **state)
{
    forge pickle = {0};

    (void)state;
    FORGE(&pickle, "\x80\x02");
    pickle_global(&pickle, "m", "C");
    FORGE(&pickle, ")\x81q\x01}");
    put_part(&pickle, "_modules", "me");
    FORGE(&pickle, "h\x01ssb.");
    assert_refused_for(&pickle, "nested more than 32 deep");
}

/* The states are short to write and long to look through: what is passed over counts. */
static void looking_through_states_is_counted(void **state)
{
    forge pickle = {0};

    (void)state;
    FORGE(&pickle, "\x80\x02](");
    put_module(&pickle);
    for (int i = 0; i < 2000; i++)
        FORGE(&pickle, "NN");
    FORGE(&pickle, "ubq\x01");
    for (int i = 0; i < 1000; i++)
        FORGE(&pickle, "h\x01");
    FORGE(&pickle, "e.");
    assert_refused_for(&pickle, "more than 2097152 members");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(usual_wrappers_are_stepped_into),
        cmocka_unit_test(wrappers_have_a_limit),
        cmocka_unit_test(a_wrapper_without_tensors_is_passed_over),
        cmocka_unit_test(tensors_at_the_top_come_first),
        cmocka_unit_test(members_without_a_name_are_left_out),
        cmocka_unit_test(tensors_of_a_module_are_where_modules_keep_them),
        cmocka_unit_test(a_module_inside_itself_ends_the_reading),
        cmocka_unit_test(looking_through_states_is_counted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
