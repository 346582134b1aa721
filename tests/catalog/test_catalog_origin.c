#include "catalog_fixture.h"
#include "base_json.h"
#include "catalog_origin.h"

#define ORIGIN "https://host/vgg16-397923af.pth"

static void publish_from(fixture *f, const char *tag, const char *text, const char *origin)
{
    catalog_published done;
    assert_ok(fixture_publish(f->s, "vgg16", tag, text, origin, &done, &f->err), &f->err);
    catalog_version_clear(&done.version);
}

/* The tag of the hit, "" if there is none. */
static const char *hit(fixture *f, const char *origin)
{
    static char tag[CATALOG_TAG_MAX + 1];
    catalog_version v;
    bool found = false;
    catalog_version_init(&v);
    assert_ok(catalog_origin_find(f->s, "vgg16", origin, &v, &found, &f->err), &f->err);
    memcpy(tag, v.tag, sizeof tag);
    assert_int_equal(found, tag[0] != '\0');
    catalog_version_clear(&v);
    return tag;
}

static const char *hint_path(const char *origin)
{
    static char path[200];
    base_digest digest;
    char hex[BASE_SHA256_HEX];
    assert_int_equal(base_sha256_of(origin, strlen(origin), &digest, NULL), CISTERN_OK);
    base_digest_hex(&digest, hex);
    snprintf(path, sizeof path, "models/vgg16/origins/%s.json", hex);
    return path;
}

static void write_hint(fixture *f, const char *origin, const char *version, const char *validator)
{
    catalog_origin_file file = {.path = "vgg16.pth", .size = 3};
    snprintf(file.validator, sizeof file.validator, "%s", validator);
    assert_ok(catalog_origin_write(f->s, "vgg16", origin, version, &file, 1, &f->err), &f->err);
}

static void a_model_that_is_absent_has_no_hit(void **state)
{
    assert_string_equal(hit(*state, ORIGIN), "");
}

static void the_origin_of_a_manifest_is_a_hit(void **state)
{
    fixture *f = *state;
    publish_from(f, NULL, "one", ORIGIN);
    publish_from(f, NULL, "two", "https://elsewhere/x.pth");
    assert_string_equal(hit(f, ORIGIN), "1");
    assert_string_equal(hit(f, "https://host/other.pth"), "");
}

static void of_several_the_newest_is_the_hit(void **state)
{
    fixture *f = *state;
    publish_from(f, "release", "one", ORIGIN);
    publish_from(f, NULL, "two", ORIGIN);
    assert_string_equal(hit(f, ORIGIN), "1");
    publish_from(f, "again", "three", ORIGIN);
    assert_string_equal(hit(f, ORIGIN), "again");
    assert_ok(fixture_rollback(f, "vgg16", "latest"), &f->err); /* aliases do not matter */
    assert_string_equal(hit(f, ORIGIN), "again");
}

static void a_removed_version_is_no_hit(void **state)
{
    fixture *f = *state;
    publish_from(f, NULL, "one", ORIGIN);
    publish_from(f, NULL, "two", ORIGIN);
    assert_ok(fixture_remove(f, "vgg16", "2", true), &f->err);
    assert_string_equal(hit(f, ORIGIN), "1");
    assert_ok(fixture_remove(f, "vgg16", "1", true), &f->err);
    assert_string_equal(hit(f, ORIGIN), "");
}

static void a_hint_makes_a_hit_of_another_origins_version(void **state)
{
    fixture *f = *state;
    publish_from(f, NULL, "one", ORIGIN);
    write_hint(f, "https://mirror/vgg16.pth", "1", "\"abc\"");
    assert_string_equal(hit(f, "https://mirror/vgg16.pth"), "1");
}

static void a_hint_at_a_removed_or_absent_version_is_no_hit(void **state)
{
    fixture *f = *state;
    publish_from(f, NULL, "one", NULL);
    write_hint(f, ORIGIN, "1", "");
    assert_string_equal(hit(f, ORIGIN), "1");
    assert_ok(fixture_remove(f, "vgg16", "1", true), &f->err);
    assert_string_equal(hit(f, ORIGIN), "");
    write_hint(f, ORIGIN, "9", "");
    assert_string_equal(hit(f, ORIGIN), "");
}

static void a_hint_is_read_back(void **state)
{
    fixture *f = *state;
    catalog_origin_hint h;
    bool found = false;
    publish_from(f, NULL, "one", ORIGIN);
    write_hint(f, ORIGIN, "1", "\"etag with \\\" and \xc3\xa9\"");
    catalog_origin_hint_init(&h);
    assert_ok(catalog_origin_read(f->s, "vgg16", ORIGIN, &h, &found, &f->err), &f->err);
    assert_true(found);
    assert_string_equal(h.version, "1");
    assert_int_equal(h.file_count, 1);
    assert_string_equal(h.files[0].path, "vgg16.pth");
    assert_string_equal(h.files[0].validator, "\"etag with \\\" and \xc3\xa9\"");
    assert_int_equal(h.files[0].size, 3);
    catalog_origin_hint_clear(&h);
}

static void rewriting_a_hint_keeps_unknown_fields(void **state)
{
    fixture *f = *state;
    publish_from(f, NULL, "one", ORIGIN);
    write_hint(f, ORIGIN, "1", "\"a\"");
    fixture_edit(f, hint_path(ORIGIN), "{\"files\"", "{\"checked_by\":\"a newer one\",\"files\"");
    write_hint(f, ORIGIN, "1", "\"b\"");
    char *text = fixture_get(f, hint_path(ORIGIN));
    assert_non_null(strstr(text, "a newer one"));
    assert_non_null(strstr(text, "\\\"b\\\""));
    assert_null(strstr(text, "\\\"a\\\""));
    free(text);
}

static void a_damaged_hint_counts_as_none_and_is_overwritten(void **state)
{
    static const char *const bodies[] = {
        "",
        "{",
        "{\"format\":9}",
        "{\"format\":1,\"origin\":\"https://evil/\",\"version\":\"1\",\"files\":[]}",
        "{\"format\":1,\"origin\":\"https://evil/"
        "\",\"version\":\"1\",\"files\":[{\"path\":\"x\",\"size\":1}]}",
        "{\"format\":1,\"origin\":\"" ORIGIN "\",\"version\":\"../1\",\"files\":[]}",
        "{\"format\":1,\"origin\":\"" ORIGIN
        "\",\"version\":\"1\",\"files\":[{\"path\":\"../x\",\"size\":1}]}",
        "{\"format\":1,\"origin\":\"" ORIGIN "\",\"version\":\"1\",\"files\":[{\"path\":\"x\",\"size\":-1}]}",
    };
    fixture *f = *state;
    publish_from(f, NULL, "one", NULL);
    write_hint(f, ORIGIN, "1", "");
    for (size_t i = 0; i < sizeof bodies / sizeof bodies[0]; i++) {
        catalog_origin_hint h;
        bool found = true;
        fixture_put(f, hint_path(ORIGIN), bodies[i], strlen(bodies[i]));
        catalog_origin_hint_init(&h);
        assert_ok(catalog_origin_read(f->s, "vgg16", ORIGIN, &h, &found, &f->err), &f->err);
        assert_false(found);
        assert_string_equal(hit(f, ORIGIN), "");
    }
    write_hint(f, ORIGIN, "1", "");
    assert_string_equal(hit(f, ORIGIN), "1");
}

static void whether_a_version_is_from_an_origin(void **state)
{
    fixture *f = *state;
    catalog_published done;
    bool matches = false;
    assert_ok(fixture_publish(f->s, "vgg16", NULL, "one", ORIGIN, &done, &f->err), &f->err);
    assert_ok(catalog_origin_matches(f->s, &done.version, ORIGIN, &matches, &f->err), &f->err);
    assert_true(matches);
    assert_ok(catalog_origin_matches(f->s, &done.version, "https://m/x", &matches, &f->err), &f->err);
    assert_false(matches);
    write_hint(f, "https://m/x", "1", "");
    assert_ok(catalog_origin_matches(f->s, &done.version, "https://m/x", &matches, &f->err), &f->err);
    assert_true(matches);
    catalog_version_clear(&done.version);
}

static void the_same_files_are_found_whatever_their_facts(void **state)
{
    fixture *f = *state;
    catalog_version v;
    bool found = false;
    catalog_file one = fixture_file("one"), none = fixture_file("none");
    publish_from(f, NULL, "one", NULL);
    publish_from(f, NULL, "two", NULL);
    catalog_version_init(&v);
    assert_ok(catalog_version_find_files(f->s, "vgg16", &one, 1, &v, &found, &f->err), &f->err);
    assert_true(found);
    assert_string_equal(v.tag, "1");
    catalog_version_clear(&v);
    assert_ok(catalog_version_find_files(f->s, "vgg16", &none, 1, &v, &found, &f->err), &f->err);
    assert_false(found);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        FIXTURE_TEST(a_model_that_is_absent_has_no_hit),
        FIXTURE_TEST(the_origin_of_a_manifest_is_a_hit),
        FIXTURE_TEST(of_several_the_newest_is_the_hit),
        FIXTURE_TEST(a_removed_version_is_no_hit),
        FIXTURE_TEST(a_hint_makes_a_hit_of_another_origins_version),
        FIXTURE_TEST(a_hint_at_a_removed_or_absent_version_is_no_hit),
        FIXTURE_TEST(a_hint_is_read_back),
        FIXTURE_TEST(rewriting_a_hint_keeps_unknown_fields),
        FIXTURE_TEST(a_damaged_hint_counts_as_none_and_is_overwritten),
        FIXTURE_TEST(whether_a_version_is_from_an_origin),
        FIXTURE_TEST(the_same_files_are_found_whatever_their_facts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
