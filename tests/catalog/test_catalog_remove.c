#include "catalog_fixture.h"

static void three_versions(fixture *f)
{
    fixture_add(f, "vgg16", NULL, "one", "1");
    fixture_add(f, "vgg16", NULL, "two", "2");
    fixture_add(f, "vgg16", NULL, "three", "3");
}

static void a_removed_version_is_dead_and_its_document_stays(void **state)
{
    fixture *f = *state;
    catalog_tombstone t;
    bool found = false;
    three_versions(f);
    assert_ok(fixture_remove(f, "vgg16", "1", false), &f->err);
    assert_true(fixture_has(f, "models/vgg16/removed/1.json"));
    assert_true(fixture_has(f, "models/vgg16/versions/1.json"));
    catalog_tombstone_init(&t);
    assert_ok(catalog_tombstone_read(f->s, "vgg16", "1", &t, &found, &f->err), &f->err);
    assert_true(found);
    assert_string_equal(t.tag, "1");
    assert_string_equal(t.who, "remover@here");
    assert_string_equal(t.why, "bad labels");
    catalog_tombstone_clear(&t);
    assert_ok(catalog_tombstone_read(f->s, "vgg16", "2", &t, &found, &f->err), &f->err);
    assert_false(found);
}

static void what_an_alias_points_to_is_refused_by_its_name(void **state)
{
    fixture *f = *state;
    three_versions(f);
    assert_ok(fixture_move(f, "vgg16", "2", "production", NULL), &f->err);
    assert_says(fixture_remove(f, "vgg16", "2", false), CISTERN_CONFLICT, &f->err,
                "the alias production points to version 2 of vgg16");
    assert_says(fixture_remove(f, "vgg16", "3", false), CISTERN_CONFLICT, &f->err, "the alias latest points");
    assert_false(fixture_has(f, "models/vgg16/removed"));
    assert_ok(fixture_remove(f, "vgg16", "2", true), &f->err);
}

static void all_or_nothing_is_checked_before_anything_is_removed(void **state)
{
    fixture *f = *state;
    size_t count = 77;
    catalog_removal r = {.name = "vgg16", .tag = NULL, .force = false};
    three_versions(f);
    assert_says(catalog_remove(f->s, &r, &count, &f->err), CISTERN_CONFLICT, &f->err,
                "the alias latest points");
    assert_int_equal(count, 77);
    assert_false(fixture_has(f, "models/vgg16/removed"));
    r.force = true;
    assert_ok(catalog_remove(f->s, &r, &count, &f->err), &f->err);
    assert_int_equal(count, 3);
    assert_says(catalog_remove(f->s, &r, &count, &f->err), CISTERN_NOT_FOUND, &f->err, "has no versions");
}

static void what_is_not_there_cannot_be_removed(void **state)
{
    fixture *f = *state;
    three_versions(f);
    assert_says(fixture_remove(f, "vgg16", "9", false), CISTERN_NOT_FOUND, &f->err,
                "vgg16 has no version 9; it has 1, 2, 3 and alias latest");
    assert_says(fixture_remove(f, "vgg16", "latest", true), CISTERN_CONFLICT, &f->err,
                "'latest' is an alias");
    assert_fails(fixture_remove(f, "vgg19", "1", false), CISTERN_NOT_FOUND, &f->err);
    assert_fails(fixture_remove(f, "vgg16", "01", false), CISTERN_USAGE, &f->err);
    assert_ok(fixture_remove(f, "vgg16", "1", false), &f->err);
    assert_says(fixture_remove(f, "vgg16", "1", false), CISTERN_NOT_FOUND, &f->err,
                "was removed before, on 20");
}

static void a_hostile_tombstone_is_damage_named_by_path(void **state)
{
    fixture *f = *state;
    catalog_tombstone t;
    bool found = false;
    char tag[CATALOG_TAG_MAX + 1];
    three_versions(f);
    assert_ok(fixture_remove(f, "vgg16", "1", false), &f->err);
    fixture_edit(f, "models/vgg16/removed/1.json", "\"version\":\"1\"", "\"version\":\"2\"");
    catalog_tombstone_init(&t);
    assert_says(catalog_tombstone_read(f->s, "vgg16", "1", &t, &found, &f->err), CISTERN_DAMAGED, &f->err,
                "models/vgg16/removed/1.json");
    assert_fails(fixture_resolve(f, "vgg16:1", tag), CISTERN_DAMAGED, &f->err);
    assert_ok(fixture_resolve(f, "vgg16:2", tag), &f->err);
}

static int race_remove(store *s, int which)
{
    size_t count = 0;
    catalog_removal r = {.name = "vgg16", .tag = "1"};
    (void)which;
    cistern_status st = catalog_remove(s, &r, &count, NULL);
    return st == CISTERN_OK ? 100 + (int)count : cistern_status_exit_code(st);
}

static void of_many_that_remove_one_version_one_did(void **state)
{
    fixture *f = *state;
    int tally[256];
    three_versions(f);
    fixture_race(f, 16, race_remove, tally);
    assert_int_equal(tally[101], 1);
    assert_int_equal(tally[100] + tally[3], 15); /* too late to see, or to do it */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        FIXTURE_TEST(a_removed_version_is_dead_and_its_document_stays),
        FIXTURE_TEST(what_an_alias_points_to_is_refused_by_its_name),
        FIXTURE_TEST(all_or_nothing_is_checked_before_anything_is_removed),
        FIXTURE_TEST(what_is_not_there_cannot_be_removed),
        FIXTURE_TEST(a_hostile_tombstone_is_damage_named_by_path),
        FIXTURE_TEST(of_many_that_remove_one_version_one_did),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
