/* SavedModels: genuine ones cut everywhere, and graphs made by hand beside a genuine checkpoint, each out of reach in one
 * way. What genuine ones say is tested with the other files of tests/formats/input (test_formats_input.c). */
#include <fcntl.h>
#include "base_map.h"
#include "foreign_read.h"
#include "formats_limits.h"
#include "model_said.h"

#define CUTS 200

static forge load(const char *dir, const char *name)
{
    char path[1024];
    base_map map;
    forge f = {0};

    (void)snprintf(path, sizeof path, "%s/formats/input/%s/%s", CISTERN_TEST_DATA, dir, name);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    assert_ok(base_map_fd(fd, &map, NULL), NULL);
    close(fd);
    forge_put(&f, map.data, map.size);
    base_map_clear(&map);
    return f;
}

/* A description beside a genuine checkpoint; frees it. */
static foreign beside(const char *dir, forge *saved)
{
    static const char *const names[] = {"variables/variables.index",
                                        "variables/variables.data-00000-of-00001"};
    foreign v = {0};

    for (size_t i = 0; i < 2; i++) {
        forge f = load(dir, names[i]);
        foreign_add(&v, names[i], &f);
    }
    foreign_add(&v, "saved_model.pb", saved);
    return v;
}

static bool has_note(const foreign *v, const char *part)
{
    for (size_t i = 0; i < model_index_note_count(v->index); i++) {
        if (strstr(model_index_note_peek(v->index, i), part))
            return true;
    }
    return false;
}

/* It is read, with this note, and (`named`) with layers by names or without any. */
static void noted(forge *saved, bool named, const char *part)
{
    foreign v = beside("saved_module", saved);

    assert_ok(foreign_read(&v), &v.err);
    if (!has_note(&v, part))
        print_error("no note '%s', but '%s'\n", part,
                    model_index_note_count(v.index) ? model_index_note_peek(v.index, 0) : "none");
    assert_true(has_note(&v, part));
    assert_int_equal(model_index_find(v.index, "features.0.weight") != NULL, named);
    foreign_free(&v);
}

/* ---- genuine ---- */

static void cut_descriptions_are_refused(void **state)
{
    static const char *const dirs[] = {"saved_export", "saved_keras2", "saved_v1"};

    (void)state;
    for (size_t i = 0; i < sizeof dirs / sizeof dirs[0]; i++) {
        forge whole = load(dirs[i], "saved_model.pb");
        for (size_t cut = 0; cut < CUTS; cut++) {
            forge f = {0};
            forge_put(&f, whole.data, whole.len * cut / CUTS);
            foreign v = beside(dirs[i], &f);
            assert_fails(foreign_read(&v), CISTERN_UNREADABLE, &v.err);
            assert_true(v.err.text[0] != 0);
            foreign_free(&v);
        }
        forge_free(&whole);
    }
}

/* Initial values lie in it, too, and are none of the network's tensors. */
static void only_constants_that_are_computed_with_become_tensors(void **state)
{
    forge saved = load("saved_v1", "saved_model.pb");
    foreign v = beside("saved_v1", &saved);

    (void)state;
    assert_ok(foreign_read(&v), &v.err);
    assert_non_null(model_index_find(v.index, "graph/Const"));
    assert_null(model_index_find(v.index, "graph/conv0/kernel/initial_value"));
    foreign_free(&v);
}

/* The checkpoint alone, as a way out that the notes name. */
static void a_checkpoint_alone_goes_by_names(void **state)
{
    foreign v = {0};

    (void)state;
    forge index = load("saved_resize", "variables/variables.index"),
          data = load("saved_resize", "variables/variables.data-00000-of-00001");
    foreign_add(&v, "variables.index", &index);
    foreign_add(&v, "variables.data-00000-of-00001", &data);
    assert_ok(foreign_read(&v), &v.err);
    assert_non_null(model_index_find(v.index, "features.0.weight"));
    foreign_free(&v);
}

/* ---- made by hand ---- */

typedef struct hand {
    forge nodes, functions, signatures;
    const char *restore;
} hand;

static void put_node(forge *to, uint32_t field, const char *name, const char *type, const char *const *inputs,
                     const char *function)
{
    forge n = {0};

    pb_text(&n, 1, name);
    pb_text(&n, 2, type);
    for (; inputs && *inputs; inputs++)
        pb_text(&n, 3, *inputs);
    if (function) {
        forge list = {0}, value = {0}, entry = {0};
        pb_text(&list, 1, function);
        pb_message(&value, 10, &list);
        pb_text(&entry, 1, "f");
        pb_message(&entry, 2, &value);
        pb_message(&n, 5, &entry);
    }
    pb_message(to, field, &n);
}

#define INPUTS(...) ((const char *const[]){__VA_ARGS__, NULL})

static void add_node(hand *h, const char *name, const char *type, const char *const *inputs,
                     const char *function)
{
    put_node(&h->nodes, 1, name, type, inputs, function);
}

/* A function of one argument 'x' whose results are `count` times 'y', the result of one node. */
static void add_function(hand *h, const char *name, const char *type, const char *calls, unsigned count)
{
    forge f = {0}, signature = {0}, argument = {0};

    pb_text(&signature, 1, name);
    pb_text(&argument, 1, "x");
    pb_message(&signature, 2, &argument);
    pb_message(&f, 1, &signature);
    put_node(&f, 3, "y", type, INPUTS("x"), calls);
    for (unsigned i = 0; i < count; i++) {
        forge entry = {0};
        pb_text(&entry, 1, i ? "b" : "a");
        pb_text(&entry, 2, "y:output:0");
        pb_message(&f, 4, &entry);
    }
    pb_message(&h->functions, 1, &f);
}

static void add_signature(hand *h, const char *name, const char *result, unsigned count)
{
    forge entry = {0}, signature = {0};

    for (unsigned i = 0; i < count; i++) {
        forge info = {0}, output = {0};
        pb_text(&info, 1, result);
        pb_text(&output, 1, i ? "b" : "a");
        pb_message(&output, 2, &info);
        pb_message(&signature, 2, &output);
    }
    pb_text(&entry, 1, name);
    pb_message(&entry, 2, &signature);
    pb_message(&h->signatures, 5, &entry);
}

static forge finish(hand *h)
{
    forge saved = {0}, meta = {0}, saver = {0};

    if (h->functions.len)
        pb_message(&h->nodes, 2, &h->functions);
    pb_message(&meta, 2, &h->nodes);
    if (h->restore) {
        pb_text(&saver, 3, h->restore);
        pb_message(&meta, 3, &saver);
    }
    forge_put(&meta, h->signatures.data, h->signatures.len);
    forge_free(&h->signatures);
    pb_number(&saved, 1, 1);
    pb_message(&saved, 2, &meta);
    *h = (hand){.restore = NULL};
    return saved;
}

/* A picture that goes through one call. */
static hand calling(const char *function)
{
    hand h = {.restore = NULL};

    add_node(&h, "image", "Placeholder", NULL, NULL);
    add_node(&h, "call", "StatefulPartitionedCall", INPUTS("image"), function);
    add_signature(&h, "serving_default", "call:0", 1);
    return h;
}

static void calls_as_deep_as_allowed_and_one_deeper(void **state)
{
    (void)state;
    for (unsigned deep = FORMATS_CALLS_MAX; deep <= FORMATS_CALLS_MAX + 1; deep++) {
        hand h = calling("f1");
        for (unsigned i = 1; i <= deep; i++) {
            char name[16], next[16];
            (void)snprintf(name, sizeof name, "f%u", i);
            (void)snprintf(next, sizeof next, "f%u", i + 1);
            add_function(&h, name, i < deep ? "PartitionedCall" : "Relu", i < deep ? next : NULL, 1);
        }
        forge saved = finish(&h);
        if (deep == FORMATS_CALLS_MAX)
            noted(&saved, false, "not laid out as a VGG: no convolutions in a row");
        else
            noted(&saved, true, "functions that call functions, too deep");
    }
}

static void a_function_that_calls_itself_has_an_end(void **state)
{
    hand h = calling("f");

    (void)state;
    add_function(&h, "f", "PartitionedCall", "f", 1);
    forge saved = finish(&h);
    noted(&saved, true, "too deep");
}

static void graphs_out_of_reach_are_told_and_names_are_gone_by(void **state)
{
    static const char missing[] = "it calls a function that is not there, or has several results";
    hand h = {.restore = NULL};
    forge saved;

    (void)state;
    saved = finish(&h);
    noted(&saved, true, "it has no signature serving_default");
    add_signature(&h, "train", "y:0", 1);
    saved = finish(&h);
    noted(&saved, true, "it has no signature serving_default");
    add_signature(&h, "serving_default", "y:0", 2);
    saved = finish(&h);
    noted(&saved, true, "serving_default has several results");
    add_signature(&h, "serving_default", "y:0", 1);
    saved = finish(&h);
    noted(&saved, true, "its result is none of its operators'");
    h = calling("elsewhere");
    add_function(&h, "f", "Relu", NULL, 1);
    saved = finish(&h);
    noted(&saved, true, missing);
    h = calling("f");
    add_function(&h, "f", "Relu", NULL, 2);
    saved = finish(&h);
    noted(&saved, true, missing);
    h = calling("f");
    add_function(&h, "f", "Relu", NULL, 0);
    saved = finish(&h);
    noted(&saved, true, missing);
}

/* More is handed over than is taken, or less. */
static void calls_that_do_not_fit_their_function(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 2; i++) {
        hand h = {.restore = NULL};
        add_node(&h, "image", "Placeholder", NULL, NULL);
        add_node(&h, "call", "PartitionedCall", i ? INPUTS("image", "image") : INPUTS("^image"), "f");
        add_signature(&h, "serving_default", "call:0", 1);
        add_function(&h, "f", "Relu", NULL, 1);
        forge saved = finish(&h);
        noted(&saved, true, "it calls a function that is not there");
    }
}

/* A variable that is handed over and that nothing restores. */
static void variables_that_are_not_found(void **state)
{
    hand h = {.restore = "none"};

    (void)state;
    add_node(&h, "unknown", "VarHandleOp", NULL, NULL);
    add_node(&h, "call", "StatefulPartitionedCall", INPUTS("unknown"), "f");
    add_signature(&h, "serving_default", "call:0", 1);
    add_function(&h, "f", "Relu", NULL, 1);
    forge saved = finish(&h);
    noted(&saved, true, "a variable of it is not found in the checkpoint");
}

/* What restores is wrong in one place each; nothing is followed, nothing crashes. */
static void restoring_that_is_not_understood(void **state)
{
    static const char *const assigned[] = {"nowhere", "y", "x", "names"};

    (void)state;
    for (size_t i = 0; i < sizeof assigned / sizeof assigned[0]; i++) {
        hand h = calling("f");
        forge f = {0}, signature = {0}, argument = {0};
        h.restore = "restore:0";
        add_function(&h, "f", "Relu", NULL, 1);
        add_node(&h, "restore", "PartitionedCall", INPUTS("image"), "r");
        pb_text(&signature, 1, "r");
        pb_text(&argument, 1, "x");
        pb_message(&signature, 2, &argument);
        pb_message(&f, 1, &signature);
        put_node(&f, 3, "names", "RestoreV2", INPUTS("x"), NULL); /* without names */
        put_node(&f, 3, "y", "Identity", INPUTS("y:output:4294967295"), NULL);
        put_node(&f, 3, "assign", "AssignVariableOp", INPUTS("x", assigned[i]), NULL);
        pb_message(&h.functions, 1, &f);
        forge saved = finish(&h);
        noted(&saved, false, "not laid out as a VGG: no convolutions in a row");
    }
}

/* One text for each tensor of the largest index, and one more. */
static void as_many_names_to_restore_as_tensors_are_allowed_and_one_more(void **state)
{
    (void)state;
    for (size_t count = MODEL_TENSORS_MAX; count <= MODEL_TENSORS_MAX + 1u; count++) {
        hand h = calling("f");
        forge f = {0}, signature = {0}, argument = {0}, tensor = {0}, value = {0}, entry = {0}, node = {0};
        h.restore = "restore";
        add_function(&h, "f", "Relu", NULL, 1);
        add_node(&h, "restore", "PartitionedCall", INPUTS("image"), "r");
        pb_text(&signature, 1, "r");
        pb_text(&argument, 1, "x");
        pb_message(&signature, 2, &argument);
        pb_message(&f, 1, &signature);
        pb_number(&tensor, 1, 7);
        for (size_t i = 0; i < count; i++)
            pb_text(&tensor, 8, "");
        pb_message(&value, 8, &tensor);
        pb_text(&entry, 1, "value");
        pb_message(&entry, 2, &value);
        pb_text(&node, 1, "names");
        pb_text(&node, 2, "Const");
        pb_message(&node, 5, &entry);
        pb_message(&f, 3, &node);
        put_node(&f, 3, "all", "RestoreV2", INPUTS("x", "names:output:0"), NULL);
        put_node(&f, 3, "assign", "AssignVariableOp", INPUTS("x", "all:tensors:0"), NULL);
        pb_message(&h.functions, 1, &f);
        forge saved = finish(&h);
        if (count == MODEL_TENSORS_MAX) {
            noted(&saved, false, "not laid out as a VGG: no convolutions in a row");
            continue;
        }
        foreign v = beside("saved_module", &saved);
        assert_foreign_refused(&v, NO_OFFSET, "65537 tensors to restore, at most 65536 are allowed");
    }
}

static void names_that_are_there_twice_are_refused(void **state)
{
    hand h = calling("f");
    foreign v;

    (void)state;
    add_function(&h, "f", "Relu", NULL, 1);
    add_function(&h, "f", "Relu", NULL, 1);
    forge saved = finish(&h);
    v = beside("saved_module", &saved);
    assert_foreign_refused(&v, NO_OFFSET, "its graph makes 'f' twice");
    h = calling("f");
    add_node(&h, "image", "Placeholder", NULL, NULL);
    saved = finish(&h);
    v = beside("saved_module", &saved);
    assert_foreign_refused(&v, NO_OFFSET, "its graph makes 'image' twice");
}

static void two_descriptions_are_not_looked_at(void **state)
{
    forge one = load("saved_module", "saved_model.pb"), other = load("saved_module", "saved_model.pb");
    foreign v = beside("saved_module", &one);

    (void)state;
    foreign_add(&v, "b/saved_model.pb", &other);
    assert_ok(foreign_read(&v), &v.err);
    assert_true(has_note(&v, "its graph is not looked at: there are several SavedModels or checkpoints"));
    assert_non_null(model_index_find(v.index, "features.0.weight"));
    assert_false(model_index_said(v.index)->normalised);
    foreign_free(&v);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cut_descriptions_are_refused),
        cmocka_unit_test(only_constants_that_are_computed_with_become_tensors),
        cmocka_unit_test(a_checkpoint_alone_goes_by_names),
        cmocka_unit_test(calls_as_deep_as_allowed_and_one_deeper),
        cmocka_unit_test(a_function_that_calls_itself_has_an_end),
        cmocka_unit_test(graphs_out_of_reach_are_told_and_names_are_gone_by),
        cmocka_unit_test(calls_that_do_not_fit_their_function),
        cmocka_unit_test(variables_that_are_not_found),
        cmocka_unit_test(restoring_that_is_not_understood),
        cmocka_unit_test(as_many_names_to_restore_as_tensors_are_allowed_and_one_more),
        cmocka_unit_test(names_that_are_there_twice_are_refused),
        cmocka_unit_test(two_descriptions_are_not_looked_at),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
