#include "catalog_fixture.h"
#include "catalog_tags.h"

static void foreign_entries_are_no_versions(void **state)
{
    fixture *f = *state;
    catalog_tags t;
    fixture_add(f, "vgg16", NULL, "one", "1");
    fixture_put(f, "models/vgg16/versions/README", "x", 1);
    fixture_put(f, "models/vgg16/versions/01.json", "x", 1);
    fixture_put(f, "models/vgg16/versions/UPPER.json", "x", 1);
    fixture_put(f, "models/vgg16/versions/.json", "x", 1);
    fixture_put(f, "models/vgg16/versions/2.json~", "x", 1);
    catalog_tags_init(&t);
    assert_ok(catalog_tags_read(f->s, "vgg16", &t, &f->err), &f->err);
    assert_int_equal(t.version_count, 1);
    assert_int_equal(t.highest, 1);
    catalog_tags_clear(&t);
}

static void tags_are_told_from_names_alone(void **state)
{
    fixture *f = *state;
    catalog_tags t;
    char text[64];
    fixture_add(f, "vgg16", "9", "a", "9");
    fixture_add(f, "vgg16", "10", "b", "10");
    fixture_add(f, "vgg16", "beta", "c", "beta");
    assert_ok(fixture_remove(f, "vgg16", "10", false), &f->err);
    catalog_tags_init(&t);
    assert_ok(catalog_tags_read(f->s, "vgg16", &t, &f->err), &f->err);
    assert_int_equal(t.version_count, 3);
    assert_int_equal(t.live_count, 2);
    assert_int_equal(t.highest, 10);
    assert_int_equal(t.documents, 4);
    assert_true(catalog_tags_has_live(&t, "9"));
    assert_true(catalog_tags_has_removed(&t, "10"));
    assert_false(catalog_tags_has_live(&t, "10"));
    assert_false(catalog_tags_has_live(&t, "latest"));
    assert_true(catalog_tags_has_alias(&t, "latest"));
    catalog_tags_text(&t, text, sizeof text);
    assert_string_equal(text, "9, beta and alias latest");
    catalog_tags_text(&t, text, 8); /* cut, never over the end */
    assert_int_equal(strlen(text), 7);
    catalog_tags_clear(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        FIXTURE_TEST(foreign_entries_are_no_versions),
        FIXTURE_TEST(tags_are_told_from_names_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
