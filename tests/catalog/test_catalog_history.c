#include "catalog_fixture.h"
#include "catalog_history.h"

/* The history in one line: "+1 latest:1 +2 latest:1>2 -1 …". */
static void assert_history(fixture *f, const char *alias, const char *expected)
{
    char text[4096] = "";
    size_t n = 0;
    catalog_history h;
    catalog_history_init(&h);
    assert_ok(catalog_history_read(f->s, "vgg16", alias, &h, &f->err), &f->err);
    for (size_t i = 0; i < h.count; i++) {
        const catalog_event *e = &h.events[i];
        const char *space = i > 0 ? " " : "";
        assert_non_null(e->who);
        assert_int_equal(strlen(e->when), 20);
        switch (e->kind) {
        case CATALOG_EVENT_ADDED:
            n += (size_t)snprintf(text + n, sizeof text - n, "%s+%s", space, e->tag);
            break;
        case CATALOG_EVENT_REMOVED:
            n += (size_t)snprintf(text + n, sizeof text - n, "%s-%s", space, e->tag);
            break;
        case CATALOG_EVENT_MOVED:
            n += (size_t)snprintf(text + n, sizeof text - n, "%s%s:%s%s%s%s", space, e->alias, e->from,
                                  e->from[0] ? ">" : "", e->tag, e->rollback ? "!" : "");
            break;
        }
    }
    assert_string_equal(text, expected);
    catalog_history_clear(&h);
}

static void a_life(fixture *f)
{
    fixture_add(f, "vgg16", NULL, "one", "1");
    fixture_add(f, "vgg16", NULL, "two", "2");
    assert_ok(fixture_move(f, "vgg16", "1", "production", NULL), &f->err);
    fixture_add(f, "vgg16", "beta", "three", "beta");
    assert_ok(fixture_move(f, "vgg16", "2", "production", NULL), &f->err);
    assert_ok(fixture_remove(f, "vgg16", "1", false), &f->err);
    assert_ok(fixture_rollback(f, "vgg16", "latest"), &f->err);
    fixture_add(f, "vgg16", NULL, "four", "3");
}

static const char LIFE[] = "+1 latest:1 +2 latest:1>2 production:1 +beta latest:2>beta production:1>2 -1 "
                           "latest:beta>2! +3 latest:2>3";

static void events_stand_in_the_order_in_which_they_happened(void **state)
{
    fixture *f = *state;
    a_life(f);
    assert_history(f, NULL, LIFE);
}

static void clocks_that_run_backwards_change_nothing(void **state)
{
    fixture *f = *state;
    fixture_add(f, "vgg16", NULL, "one", "1");
    fixture_edit(f, "models/vgg16/versions/1.json", "\"when\":\"20", "\"when\":\"99");
    fixture_add(f, "vgg16", NULL, "two", "2");
    assert_history(f, NULL, "+1 latest:1 +2 latest:1>2");
}

static void one_alias_has_a_history_of_its_own(void **state)
{
    fixture *f = *state;
    catalog_history h;
    a_life(f);
    assert_history(f, "production", "production:1 production:1>2");
    assert_history(f, "latest", "latest:1 latest:1>2 latest:2>beta latest:beta>2! latest:2>3");
    catalog_history_init(&h);
    assert_says(catalog_history_read(f->s, "vgg16", "canary", &h, &f->err), CISTERN_NOT_FOUND, &f->err,
                "vgg16 has no alias 'canary'");
    assert_fails(catalog_history_read(f->s, "vgg19", NULL, &h, &f->err), CISTERN_NOT_FOUND, &f->err);
}

static void a_move_without_sequence_follows_its_target(void **state)
{
    fixture *f = *state;
    fixture_add(f, "vgg16", NULL, "one", "1");
    fixture_add(f, "vgg16", NULL, "two", "2");
    assert_ok(fixture_move(f, "vgg16", "2", "production", NULL), &f->err);
    fixture_edit(f, "models/vgg16/aliases/production/00000001.json", "\"sequence\":2,", "");
    assert_history(f, NULL, "+1 latest:1 +2 latest:1>2 production:2");
}

static void who_and_why_are_told(void **state)
{
    fixture *f = *state;
    catalog_history h;
    a_life(f);
    catalog_history_init(&h);
    assert_ok(catalog_history_read(f->s, "vgg16", NULL, &h, &f->err), &f->err);
    assert_string_equal(h.events[0].who, "tester@here");
    assert_int_equal(strlen(h.events[0].digest), 64);
    assert_string_equal(h.events[8].who, "remover@here");
    assert_string_equal(h.events[8].why, "bad labels");
    assert_string_equal(h.events[9].who, "roller@here");
    assert_string_equal(h.events[9].why, "it was slow");
    catalog_history_clear(&h);
}

static void a_damaged_chain_or_version_is_said(void **state)
{
    fixture *f = *state;
    catalog_history h;
    a_life(f);
    catalog_history_init(&h);
    fixture_put(f, "models/vgg16/versions/2.json", "{", 1);
    assert_says(catalog_history_read(f->s, "vgg16", NULL, &h, &f->err), CISTERN_DAMAGED, &f->err,
                "models/vgg16/versions/2.json");
    fixture_edit(f, "models/vgg16/aliases/latest/00000002.json", "tester@here", "nobody@all");
    assert_says(catalog_history_read(f->s, "vgg16", "latest", &h, &f->err), CISTERN_DAMAGED, &f->err,
                "models/vgg16/aliases/latest/00000003.json");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        FIXTURE_TEST(events_stand_in_the_order_in_which_they_happened),
        FIXTURE_TEST(clocks_that_run_backwards_change_nothing),
        FIXTURE_TEST(one_alias_has_a_history_of_its_own),
        FIXTURE_TEST(a_move_without_sequence_follows_its_target),
        FIXTURE_TEST(who_and_why_are_told),
        FIXTURE_TEST(a_damaged_chain_or_version_is_said),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
