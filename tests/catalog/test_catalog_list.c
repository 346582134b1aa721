#include "catalog_fixture.h"
#include "catalog_list.h"

static void versions_stand_in_the_order_of_their_making(void **state)
{
    static const char *const expected[] = {"2", "beta", "3", "10"};
    fixture *f = *state;
    catalog_listing l;
    fixture_add(f, "vgg16", "2", "one", "2");
    fixture_add(f, "vgg16", "beta", "two", "beta");
    fixture_add(f, "vgg16", NULL, "three", "3");
    fixture_add(f, "vgg16", "10", "four", "10");
    assert_ok(fixture_remove(f, "vgg16", "3", false), &f->err);
    catalog_listing_init(&l);
    assert_ok(catalog_list(f->s, "vgg16", &l, &f->err), &f->err);
    assert_int_equal(l.version_count, 4);
    assert_int_equal(l.live_count, 3);
    for (size_t i = 0; i < 4; i++)
        assert_string_equal(l.versions[i].version.tag, expected[i]);
    assert_true(l.versions[2].removed);
    assert_false(l.versions[3].removed);
    catalog_listing_clear(&l);
}

static void aliases_are_listed_with_their_moves(void **state)
{
    fixture *f = *state;
    catalog_listing l;
    fixture_add(f, "vgg16", NULL, "one", "1");
    fixture_add(f, "vgg16", NULL, "two", "2");
    assert_ok(fixture_move(f, "vgg16", "1", "production", NULL), &f->err);
    catalog_listing_init(&l);
    assert_ok(catalog_list(f->s, "vgg16", &l, &f->err), &f->err);
    assert_int_equal(l.alias_count, 2);
    assert_string_equal(l.aliases[0].alias, "latest");
    assert_string_equal(l.aliases[0].move.target, "2");
    assert_string_equal(l.aliases[1].alias, "production");
    assert_string_equal(l.aliases[1].move.target, "1");
    catalog_listing_clear(&l);
}

static void damage_is_listed_and_hides_nothing(void **state)
{
    fixture *f = *state;
    catalog_listing l;
    fixture_add(f, "vgg16", NULL, "one", "1");
    fixture_add(f, "vgg16", NULL, "two", "2");
    assert_ok(fixture_move(f, "vgg16", "1", "production", NULL), &f->err);
    fixture_put(f, "models/vgg16/versions/1.json", "{}", 2);
    fixture_put(f, "models/vgg16/aliases/latest/00000002.json", "{}", 2);
    catalog_listing_init(&l);
    assert_ok(catalog_list(f->s, "vgg16", &l, &f->err), &f->err);
    assert_int_equal(l.version_count, 2);
    assert_int_equal(l.live_count, 1);
    assert_string_equal(l.versions[0].version.tag, "2");
    assert_null(l.versions[0].fault);
    assert_string_equal(l.versions[1].version.tag, "1");
    assert_non_null(l.versions[1].fault);
    assert_int_equal(l.versions[1].fault->status, CISTERN_DAMAGED);
    assert_non_null(l.aliases[0].fault);
    assert_null(l.aliases[1].fault);
    catalog_listing_clear(&l);
}

static void a_store_that_may_not_be_written_says_so(void **state)
{
    fixture *f = *state;
    store *reader = NULL;
    store_options options = STORE_OPTIONS_INIT;
    catalog_published done;
    catalog_move m;
    bool moved;
    size_t count;
    catalog_alias_change c = {.name = "vgg16", .alias = "production", .target = "1"};
    catalog_removal r = {.name = "vgg16", .tag = "1", .force = true};
    fixture_add(f, "vgg16", NULL, "one", "1");
    options.read_only = true;
    assert_ok(store_open(f->dir.path, &options, &reader, &f->err), &f->err);
    catalog_move_init(&m);
    assert_fails(fixture_publish(reader, "vgg16", NULL, "two", NULL, &done, &f->err), CISTERN_DENIED,
                 &f->err);
    assert_fails(catalog_publish_check_home(reader, "vgg16", &f->err), CISTERN_DENIED, &f->err);
    assert_ok(catalog_publish_check(reader, "vgg16", "7", &f->err), &f->err);
    assert_fails(catalog_alias_move(reader, &c, &m, &moved, &f->err), CISTERN_DENIED, &f->err);
    assert_fails(catalog_alias_rollback(reader, "vgg16", "latest", NULL, NULL, &m, &f->err), CISTERN_DENIED,
                 &f->err);
    assert_fails(catalog_remove(reader, &r, &count, &f->err), CISTERN_DENIED, &f->err);
    store_free(reader);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        FIXTURE_TEST(versions_stand_in_the_order_of_their_making),
        FIXTURE_TEST(aliases_are_listed_with_their_moves),
        FIXTURE_TEST(damage_is_listed_and_hides_nothing),
        FIXTURE_TEST(a_store_that_may_not_be_written_says_so),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
