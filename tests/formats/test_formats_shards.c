/* Lists of safetensors shards: held against the shards, never used to open anything. */
#include "foreign_read.h"
#include "formats_limits.h"

/* Two shards with one tensor each, and a list. */
static foreign shards(const char *list)
{
    foreign v = {0};
    forge a = {0}, b = {0}, text = {0};

    safetensors_make(&a, "{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}}", 8);
    safetensors_make(&b, "{\"b\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}}", 8);
    forge_put(&text, list, strlen(list));
    foreign_add(&v, "d/1.safetensors", &a);
    foreign_add(&v, "d/2.safetensors", &b);
    foreign_add(&v, "d/model.safetensors.index.json", &text);
    return v;
}

static void a_list_that_says_what_is_there(void **state)
{
    foreign v = shards("{\"metadata\": {\"total_size\": 16, \"x\": -1.5e3, \"y\": null, \"z\": \"t\"},\n"
                       " \"weight_map\": {\"a\": \"1.safetensors\", \"b\": \"2.safetensors\"}}\n");

    (void)state;
    assert_ok(foreign_read(&v), &v.err);
    assert_int_equal(model_index_count(v.index), 2);
    assert_string_equal(model_index_kind(v.index), "safetensors");
    foreign_free(&v);
}

static void lists_that_are_wrong(void **state)
{
    static const struct {
        const char *list, *part;
    } cases[] = {
        {"{\"weight_map\": {\"a\": \"2.safetensors\"}}",
         "tensor 'a' is not in the shard '2.safetensors' as this list says"},
        {"{\"weight_map\": {\"c\": \"2.safetensors\"}}", "tensor 'c' is not in the shard '2.safetensors'"},
        {"{\"weight_map\": {\"a\": \"3.safetensors\"}}",
         "tensor 'a' is in the shard '3.safetensors', which is not here: give all shards together"},
        {"{\"weight_map\": {\"a\": \"../d/1.safetensors\"}}",
         "which is not the bare name of a file beside this list"},
        {"{\"weight_map\": {\"a\": \"d/1.safetensors\"}}", "is not the bare name"},
        {"{\"weight_map\": {\"a\": \"/etc/hostname\"}}", "is not the bare name"},
        {"{\"weight_map\": {\"a\": \"..\"}}", "is not the bare name"},
        {"{\"weight_map\": {\"a\": \"\"}}", "is not the bare name"},
        {"{\"weight_map\": {\"a\": \"1.safetensors\", \"a\": \"1.safetensors\"}}",
         "tensor 'a' is in this list twice"},
        {"{\"weight_map\": {}, \"weight_map\": {}}", "a list of shards with two weight_maps"},
        {"{\"weight_map\": {\"a\": 1}}", "the header"},
        {"{\"weight_map\": [\"a\"]}", "the header"},
        {"{\"weight_map\": {\"a\": \"1.safetensors\"}", "the header"},
        {"{\"weight_map\": {\"a\": \"1.safetensors\"}} x", "the header"},
        {"{\"metadata\": [1], \"weight_map\": {}}", "neither a text nor a number in the list of shards"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        foreign v = shards(cases[i].list);
        assert_message_has(foreign_read(&v), CISTERN_UNREADABLE, &v.err, cases[i].part, __FILE__, __LINE__);
        assert_true(v.err.has_offset);
        foreign_free(&v);
    }
}

static void a_tensor_that_no_list_has(void **state)
{
    foreign v = {0};
    forge a = {0}, text = {0};

    (void)state;
    safetensors_make(&a,
                     "{\"a\":{\"dtype\":\"U8\",\"shape\":[4],\"data_offsets\":[0,4]},"
                     "\"b\":{\"dtype\":\"U8\",\"shape\":[4],\"data_offsets\":[4,8]}}",
                     8);
    FORGE(&text, "{\"weight_map\": {\"a\": \"1.safetensors\"}}");
    foreign_add(&v, "1.safetensors", &a);
    foreign_add(&v, "i.json", &text);
    assert_foreign_refused(&v, NO_OFFSET, "tensor 'b' is in the shard '1.safetensors', but not in this list");
}

static void the_offset_is_that_of_the_entry(void **state)
{
    foreign v = shards("{\"weight_map\": {\"a\": \"1.safetensors\", \"b\": \"/b\"}}");

    (void)state;
    assert_foreign_refused(&v, 38, "tensor 'b' is in '/b'");
}

/* Beside weights lie texts; anything else is refused. */
static void what_lies_beside_weights(void **state)
{
    static const struct {
        const char *bytes, *part;
    } cases[] = {
        {"# A model card\n", NULL},
        {"{\"a\": 1}\n", NULL},
        {"version https://git-lfs.github.com/spec/v1\noid sha256:00\n", "a Git LFS pointer"},
        {"", "the file is empty"},
        {"<html>", "an HTML page"},
        {"\x1f\x8b\x08", "compressed with gzip"},
        {"\x7f"
         "ELF\x02",
         "a program"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        foreign v = {0};
        forge a = {0}, b = {0};
        safetensors_make(&a, "{\"a\":{\"dtype\":\"U8\",\"shape\":[4],\"data_offsets\":[0,4]}}", 4);
        forge_put(&b, cases[i].bytes, strlen(cases[i].bytes));
        foreign_add(&v, "1.safetensors", &a);
        foreign_add(&v, "beside", &b);
        if (cases[i].part) {
            assert_message_has(foreign_read(&v), CISTERN_UNREADABLE, &v.err, cases[i].part, __FILE__,
                               __LINE__);
            assert_string_equal(v.err.frame_count ? v.err.frame[0] : "", "beside");
        } else {
            assert_ok(foreign_read(&v), &v.err);
        }
        foreign_free(&v);
    }
}

/* A list of wrong contents, with spaces up to this size: longer than the limit it is no list, and not looked into. */
static void a_list_as_long_as_allowed_and_one_byte_more(void **state)
{
    static const char list[] = "{\"weight_map\": {\"c\": \"1.safetensors\"}}";

    (void)state;
    for (size_t more = 0; more < 2; more++) {
        foreign v = {0};
        forge a = {0}, text = {0};
        size_t size = FORMATS_SHARD_LIST_MAX + more;
        safetensors_make(&a, "{\"a\":{\"dtype\":\"U8\",\"shape\":[4],\"data_offsets\":[0,4]}}", 4);
        text.data = malloc(size);
        assert_non_null(text.data);
        memset(text.data, ' ', size);
        memcpy(text.data, list, sizeof list - 1);
        text.len = text.capacity = size;
        foreign_add(&v, "1.safetensors", &a);
        foreign_add(&v, "i.json", &text);
        cistern_status st = foreign_read(&v);
        if (more)
            assert_ok(st, &v.err);
        else
            assert_says(st, CISTERN_UNREADABLE, &v.err, "tensor 'c' is not in the shard");
        foreign_free(&v);
    }
}

/* A list whose shard's name, or a key of its own, has so many bytes. */
static void list_says(bool key, int n, const char *part, int line)
{
    char name[512], list[1024];

    memset(name, 'n', sizeof name);
    name[n] = 0;
    if (key)
        (void)snprintf(list, sizeof list, "{\"%s\": 1, \"weight_map\": {\"c\": \"1.safetensors\"}}", name);
    else
        (void)snprintf(list, sizeof list, "{\"weight_map\": {\"a\": \"%s\"}}", name);
    foreign v = shards(list);
    assert_message_has(foreign_read(&v), CISTERN_UNREADABLE, &v.err, part, __FILE__, line);
    foreign_free(&v);
}

static void names_in_a_list_as_long_as_allowed_and_one_byte_more(void **state)
{
    (void)state;
    list_says(false, 255, "which is not here", __LINE__);
    list_says(false, 256, "a string in the header has more than 255 bytes", __LINE__);
    list_says(true, 64, "tensor 'c' is not in the shard", __LINE__);
    list_says(true, 65, "a string in the header has more than 64 bytes", __LINE__);
}

static void texts_alone_are_no_weights(void **state)
{
    foreign v = {0};
    forge a = {0}, b = {0};

    (void)state;
    FORGE(&a, "{}\n");
    FORGE(&b, "hello\n");
    foreign_add(&v, "a", &a);
    foreign_add(&v, "b", &b);
    assert_foreign_refused(&v, NO_OFFSET, "a JSON document, not a weight file");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_list_that_says_what_is_there),
        cmocka_unit_test(lists_that_are_wrong),
        cmocka_unit_test(a_tensor_that_no_list_has),
        cmocka_unit_test(the_offset_is_that_of_the_entry),
        cmocka_unit_test(what_lies_beside_weights),
        cmocka_unit_test(texts_alone_are_no_weights),
        cmocka_unit_test(names_in_a_list_as_long_as_allowed_and_one_byte_more),
        cmocka_unit_test(a_list_as_long_as_allowed_and_one_byte_more),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
