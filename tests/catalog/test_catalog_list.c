#include "catalog_fixture.h"
#include "catalog_list.h"
#include "catalog_tags.h"

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

static cistern_status collect(void *user, const char *name, cistern_error *err)
{
    (void)err;
    char *text = user;
    snprintf(text + strlen(text), 200 - strlen(text), "%s;", name);
    return strcmp(name, "stop") == 0 ? CISTERN_CANCELLED : CISTERN_OK;
}

static void models_are_listed_and_foreign_directories_are_not(void **state)
{
    fixture *f = *state;
    char text[200] = "";
    assert_ok(catalog_model_each(f->s, collect, text, &f->err), &f->err);
    assert_string_equal(text, "");
    fixture_add(f, "vgg19", NULL, "one", "1");
    fixture_add(f, "timm/vgg16", NULL, "one", "1");
    assert_int_equal(mkdirat(f->dir.fd, "models/half-made", 0700), 0);
    assert_int_equal(mkdirat(f->dir.fd, "models/NoName", 0700), 0);
    fixture_put(f, "models/file", "x", 1);
    assert_ok(catalog_model_each(f->s, collect, text, &f->err), &f->err);
    assert_string_equal(text, "timm/vgg16;vgg19;");
    fixture_add(f, "stop", NULL, "one", "1");
    text[0] = '\0';
    assert_int_equal(catalog_model_each(f->s, collect, text, &f->err), CISTERN_CANCELLED);
    assert_string_equal(text, "stop;");
}

static void a_model_has_one_lineage_for_ever(void **state)
{
    fixture *f = *state;
    catalog_model first, second, other;
    assert_ok(catalog_model_ensure(f->s, "vgg16", &first, &f->err), &f->err);
    assert_ok(catalog_model_ensure(f->s, "vgg16", &second, &f->err), &f->err);
    assert_ok(catalog_model_ensure(f->s, "vgg19", &other, &f->err), &f->err);
    assert_string_equal(first.lineage, second.lineage);
    assert_string_not_equal(first.lineage, other.lineage);
    assert_string_equal(first.home, store_id(f->s));
    assert_int_equal(strlen(first.lineage), 32);
}

static void a_hostile_model_document_is_damage_named_by_path(void **state)
{
    static const char *const bodies[] = {
        "",
        "{\"format\":1,\"name\":\"vgg19\",\"lineage\":\"0123456789abcdef0123456789abcdef\",\"home\":\"x\"}",
        "{\"format\":1,\"name\":\"vgg16\",\"lineage\":\"0123456789abcdef0123456789abcdef\",\"home\":\"x\"}",
        "{\"format\":2,\"name\":\"vgg16\"}"};
    fixture *f = *state;
    catalog_model model;
    fixture_add(f, "vgg16", NULL, "one", "1");
    for (size_t i = 0; i < sizeof bodies / sizeof bodies[0]; i++) {
        fixture_put(f, "models/vgg16/model.json", bodies[i], strlen(bodies[i]));
        assert_says(catalog_model_read(f->s, "vgg16", &model, &f->err), CISTERN_DAMAGED, &f->err,
                    "models/vgg16/model.json");
        assert_fails(catalog_model_ensure(f->s, "vgg16", &model, &f->err), CISTERN_DAMAGED, &f->err);
    }
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
        FIXTURE_TEST(foreign_entries_are_no_versions),
        FIXTURE_TEST(tags_are_told_from_names_alone),
        FIXTURE_TEST(models_are_listed_and_foreign_directories_are_not),
        FIXTURE_TEST(a_model_has_one_lineage_for_ever),
        FIXTURE_TEST(a_hostile_model_document_is_damage_named_by_path),
        FIXTURE_TEST(a_store_that_may_not_be_written_says_so),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
