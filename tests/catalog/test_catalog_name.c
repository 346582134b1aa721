#include "cistern_test.h"
#include "catalog_name.h"

#define HEX64 "397923af8e79cdbb6a7127f12361acd7a2f83e06b05044ddf496e83de57a5bf0"

static void names_of_the_grammar_are_accepted(void **state)
{
    static const char *const names[] = {"vgg16",   "a",        "0",     "timm/vgg16", "a/b/c",
                                        "a.b_c-d", "vgg16-bn", "http2", "hf/model",   "file.old"};
    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        cistern_error err = CISTERN_ERROR_INIT;
        assert_ok(catalog_name_check(names[i], &err), &err);
    }
}

static void each_mistake_in_a_name_has_its_own_message(void **state)
{
    static const struct {
        const char *name, *says;
    } cases[] = {
        {"", "missing"},
        {"VGG16", "write vgg16"},
        {"Timm/VGG", "write timm/vgg"},
        {"vgg 16", "wrong at byte 3: only a-z"},
        {"vgg\n16", "\\x0a"},
        {"vgg--16", "wrong at byte 3: '.', '_' and '-' stand singly"},
        {"vgg._16", "stand singly"},
        {"-vgg", "wrong at byte 0"},
        {"vgg-", "wrong at byte 3"},
        {"a/-b", "wrong at byte 2"},
        {"a./b", "wrong at byte 1"},
        {"/a", "a part between slashes is empty"},
        {"a/", "a part between slashes is empty"},
        {"a//b", "a part between slashes is empty"},
        {"..", "wrong at byte 0"},
        {"a/../b", "wrong at byte 2"},
        {"http", "begins an address"},
        {"torchvision", "begins an address"},
        {"oci", "begins an address"},
        {"v\xc3\xa9", "wrong at byte 1"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        cistern_error err = CISTERN_ERROR_INIT;
        assert_says(catalog_name_check(cases[i].name, &err), CISTERN_USAGE, &err, cases[i].says);
    }
}

static void a_name_has_at_most_128_bytes(void **state)
{
    char name[200];
    cistern_error err = CISTERN_ERROR_INIT;
    (void)state;
    memset(name, 'a', sizeof name);
    name[128] = '\0';
    assert_ok(catalog_name_check(name, &err), &err);
    name[128] = 'a';
    name[129] = '\0';
    assert_says(catalog_name_check(name, &err), CISTERN_USAGE, &err, "129 bytes, at most 128");
}

static void every_reserved_name_is_refused(void **state)
{
    static const char *const names[] = {"torchvision", "keras", "hf", "http", "https",
                                        "s3",          "gs",    "az", "file", "oci"};
    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        assert_false(catalog_name_valid(names[i]));
}

static void a_slash_is_stored_as_two_hyphens_and_comes_back(void **state)
{
    char stored[CATALOG_STORED_NAME_MAX + 1], name[CATALOG_NAME_MAX + 1];
    (void)state;
    catalog_name_encode("timm/vgg16-bn/a", stored);
    assert_string_equal(stored, "timm--vgg16-bn--a");
    assert_true(catalog_name_decode(stored, name));
    assert_string_equal(name, "timm/vgg16-bn/a");
}

static void the_longest_name_is_stored_whole(void **state)
{
    char name[CATALOG_NAME_MAX + 1], stored[CATALOG_STORED_NAME_MAX + 1], back[CATALOG_NAME_MAX + 1];
    (void)state;
    for (size_t i = 0; i < CATALOG_NAME_MAX - 1; i++)
        name[i] = i % 2 ? '/' : 'a';
    name[CATALOG_NAME_MAX - 1] = '\0';
    assert_true(catalog_name_valid(name));
    catalog_name_encode(name, stored);
    assert_true(catalog_name_decode(stored, back));
    assert_string_equal(back, name);
}

static void foreign_directory_names_are_no_models(void **state)
{
    static const char *const stored[] = {"",    ".",     "..",  ".tmp-1", "a/b",   "--a",
                                         "a--", "a---b", "VGG", "http",   "a----b"};
    char name[CATALOG_NAME_MAX + 1];
    (void)state;
    for (size_t i = 0; i < sizeof stored / sizeof stored[0]; i++)
        assert_false(catalog_name_decode(stored[i], name));
}

static void tags_of_the_grammar_are_accepted(void **state)
{
    static const char *const tags[] = {"1",    "42",         "99999999", "latest", "_x",
                                       "v1.0", "2024-06-01", "a..b",     "1a",     "0x"};
    (void)state;
    for (size_t i = 0; i < sizeof tags / sizeof tags[0]; i++) {
        cistern_error err = CISTERN_ERROR_INIT;
        assert_ok(catalog_tag_check(tags[i], &err), &err);
    }
}

static void each_mistake_in_a_tag_has_its_own_message(void **state)
{
    static const struct {
        const char *tag, *says;
    } cases[] = {
        {"", "missing"},           {"Production", "write production"},
        {"-x", "begins with '-'"}, {".x", "begins with '.'"},
        {"a/b", "byte 1"},         {"a:b", "byte 1"},
        {"0", "begin at 1"},       {"000", "begin at 1"},
        {"007", "write 7"},        {"100000000", "at most 99999999"},
        {"a b", "byte 1"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        cistern_error err = CISTERN_ERROR_INIT;
        assert_says(catalog_tag_check(cases[i].tag, &err), CISTERN_USAGE, &err, cases[i].says);
    }
}

static void a_tag_has_at_most_128_bytes(void **state)
{
    char tag[200];
    (void)state;
    memset(tag, 'x', sizeof tag);
    tag[128] = '\0';
    assert_true(catalog_tag_valid(tag));
    tag[128] = 'x';
    tag[129] = '\0';
    assert_false(catalog_tag_valid(tag));
}

static void digits_are_a_number_and_nothing_else_is(void **state)
{
    uint32_t number = 7;
    (void)state;
    assert_true(catalog_tag_number("99999999", &number));
    assert_int_equal(number, 99999999);
    assert_false(catalog_tag_number("1a", &number));
    assert_false(catalog_tag_number("", &number));
    assert_false(catalog_tag_number("01", &number));
    assert_false(catalog_tag_number("100000000", &number));
    assert_int_equal(number, 99999999);
}

static void references_are_taken_apart(void **state)
{
    static const struct {
        const char *text, *name, *tag, *digest;
    } cases[] = {
        {"vgg16", "vgg16", "", ""},
        {"timm/vgg16:3", "timm/vgg16", "3", ""},
        {"vgg16:production@sha256:" HEX64, "vgg16", "production", HEX64},
        {"vgg16@sha256:397923af", "vgg16", "", "397923af"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        catalog_reference ref;
        char text[CATALOG_REFERENCE_TEXT_MAX];
        cistern_error err = CISTERN_ERROR_INIT;
        assert_ok(catalog_reference_parse(cases[i].text, &ref, &err), &err);
        assert_string_equal(ref.name, cases[i].name);
        assert_string_equal(ref.tag, cases[i].tag);
        assert_string_equal(ref.digest, cases[i].digest);
        catalog_reference_text(&ref, text);
        assert_string_equal(text, cases[i].text);
    }
}

static void each_mistake_in_a_reference_has_its_own_message(void **state)
{
    static const struct {
        const char *text, *says;
    } cases[] = {
        {"", "name of the model is missing"},
        {":3", "name of the model is missing"},
        {"vgg16:", "version or alias after ':' is missing"},
        {"VGG16:3", "write vgg16"},
        {"vgg16:Latest", "write latest"},
        {"vgg16:3:4", "wrong at byte 1"},
        {"vgg16@", "after '@' comes sha256:"},
        {"vgg16@md5:abc", "after '@' comes sha256:"},
        {"vgg16@sha256:", "0 digits, at least 8"},
        {"vgg16@sha256:1234567", "7 digits, at least 8"},
        {"vgg16@sha256:" HEX64 "0", "65 digits, a SHA-256 has 64"},
        {"vgg16@sha256:ABCDEF0123", "write sha256:abcdef0123"},
        {"vgg16@sha256:../../etc/x", "other than 0-9 and a-f"},
        {"https://host/x.pth", "begins an address"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        catalog_reference ref = {"untouched", "", ""};
        cistern_error err = CISTERN_ERROR_INIT;
        assert_says(catalog_reference_parse(cases[i].text, &ref, &err), CISTERN_USAGE, &err, cases[i].says);
        assert_string_equal(ref.name, "untouched");
    }
}

static void overlong_parts_of_a_reference_are_refused_not_cut(void **state)
{
    char text[1000];
    catalog_reference ref;
    (void)state;
    memset(text, 'a', sizeof text);
    text[999] = '\0';
    assert_int_equal(catalog_reference_parse(text, &ref, NULL), CISTERN_USAGE);
    text[5] = ':';
    assert_int_equal(catalog_reference_parse(text, &ref, NULL), CISTERN_USAGE);
    text[5 + CATALOG_TAG_MAX + 1] = '\0';
    assert_int_equal(catalog_reference_parse(text, &ref, NULL), CISTERN_OK);
}

static void a_note_is_one_line_of_text(void **state)
{
    char text[5000];
    cistern_error err = CISTERN_ERROR_INIT;
    (void)state;
    assert_ok(catalog_note_check(NULL, &err), &err);
    assert_ok(catalog_note_check("better labels \xe2\x9c\x93", &err), &err);
    assert_says(catalog_note_check("a\nb", &err), CISTERN_USAGE, &err, "a\\x0ab");
    assert_fails(catalog_note_check("\xc3", &err), CISTERN_USAGE, &err);
    memset(text, 'x', sizeof text);
    text[4096] = '\0';
    assert_ok(catalog_note_check(text, &err), &err);
    text[4096] = 'x';
    text[4097] = '\0';
    assert_says(catalog_note_check(text, &err), CISTERN_USAGE, &err, "4097 bytes, at most 4096");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_of_the_grammar_are_accepted),
        cmocka_unit_test(each_mistake_in_a_name_has_its_own_message),
        cmocka_unit_test(a_name_has_at_most_128_bytes),
        cmocka_unit_test(every_reserved_name_is_refused),
        cmocka_unit_test(a_slash_is_stored_as_two_hyphens_and_comes_back),
        cmocka_unit_test(the_longest_name_is_stored_whole),
        cmocka_unit_test(foreign_directory_names_are_no_models),
        cmocka_unit_test(tags_of_the_grammar_are_accepted),
        cmocka_unit_test(each_mistake_in_a_tag_has_its_own_message),
        cmocka_unit_test(a_tag_has_at_most_128_bytes),
        cmocka_unit_test(digits_are_a_number_and_nothing_else_is),
        cmocka_unit_test(references_are_taken_apart),
        cmocka_unit_test(each_mistake_in_a_reference_has_its_own_message),
        cmocka_unit_test(a_note_is_one_line_of_text),
        cmocka_unit_test(overlong_parts_of_a_reference_are_refused_not_cut),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
