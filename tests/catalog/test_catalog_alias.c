#include "catalog_fixture.h"
#include <pthread.h>

/* Versions 1 to 4 of vgg16; latest has been at each. */
static void four_versions(fixture *f)
{
    fixture_add(f, "vgg16", NULL, "one", "1");
    fixture_add(f, "vgg16", NULL, "two", "2");
    fixture_add(f, "vgg16", NULL, "three", "3");
    fixture_add(f, "vgg16", NULL, "four", "4");
}

static void an_alias_is_made_moved_and_read(void **state)
{
    fixture *f = *state;
    four_versions(f);
    assert_string_equal(fixture_at(f, "vgg16", "production"), "");
    assert_ok(fixture_move(f, "vgg16", "2", "production", NULL), &f->err);
    assert_ok(fixture_move(f, "vgg16", "3", "production", NULL), &f->err);
    assert_string_equal(fixture_at(f, "vgg16", "production"), "3");
    assert_true(fixture_has(f, "models/vgg16/aliases/production/00000002.json"));
}

static void a_move_onto_the_present_target_makes_no_document(void **state)
{
    fixture *f = *state;
    catalog_move m;
    bool moved = true;
    catalog_alias_change c = {.name = "vgg16", .alias = "production", .target = "2"};
    four_versions(f);
    assert_ok(fixture_move(f, "vgg16", "2", "production", NULL), &f->err);
    catalog_move_init(&m);
    assert_ok(catalog_alias_move(f->s, &c, &m, &moved, &f->err), &f->err);
    assert_false(moved);
    assert_int_equal(m.number, 1);
    assert_string_equal(m.who, "mover@here");
    catalog_move_clear(&m);
    assert_int_equal(fixture_moves(f, "vgg16", "production"), 1);
}

static void expect_is_a_compare_and_swap(void **state)
{
    fixture *f = *state;
    four_versions(f);
    assert_says(fixture_move(f, "vgg16", "2", "production", "1"), CISTERN_CONFLICT, &f->err,
                "does not exist yet, version 1 was expected");
    assert_ok(fixture_move(f, "vgg16", "2", "production", NULL), &f->err);
    assert_says(fixture_move(f, "vgg16", "3", "production", "1"), CISTERN_CONFLICT, &f->err,
                "vgg16:production is version 2 (move 1, by mover@here), 1 was expected");
    assert_says(fixture_move(f, "vgg16", "2", "production", "1"), CISTERN_CONFLICT, &f->err,
                "1 was expected");
    assert_ok(fixture_move(f, "vgg16", "3", "production", "2"), &f->err);
}

static void expecting_nothing_is_for_an_alias_that_is_new(void **state)
{
    fixture *f = *state;
    four_versions(f);
    assert_ok(fixture_move(f, "vgg16", "2", "production", ""), &f->err);
    assert_says(fixture_move(f, "vgg16", "3", "production", ""), CISTERN_CONFLICT, &f->err,
                "vgg16:production is version 2 (move 1, by mover@here), none was expected");
    assert_string_equal(fixture_at(f, "vgg16", "production"), "2");
}

static void only_live_versions_are_targets(void **state)
{
    fixture *f = *state;
    four_versions(f);
    assert_ok(fixture_move(f, "vgg16", "1", "canary", NULL), &f->err);
    assert_says(fixture_move(f, "vgg16", "canary", "production", NULL), CISTERN_CONFLICT, &f->err,
                "aliases name versions, never aliases");
    assert_says(fixture_move(f, "vgg16", "9", "production", NULL), CISTERN_NOT_FOUND, &f->err,
                "vgg16 has no version 9; it has 1, 2, 3, 4 and aliases canary, latest");
    assert_ok(fixture_remove(f, "vgg16", "2", false), &f->err);
    assert_says(fixture_move(f, "vgg16", "2", "production", NULL), CISTERN_NOT_FOUND, &f->err, "was removed");
    assert_fails(fixture_move(f, "vgg", "1", "production", NULL), CISTERN_NOT_FOUND, &f->err);
    assert_false(fixture_has(f, "models/vgg16/aliases/production"));
}

static void a_version_cannot_become_an_alias(void **state)
{
    fixture *f = *state;
    four_versions(f);
    fixture_add(f, "vgg16", "release", "five", "release");
    assert_says(fixture_move(f, "vgg16", "1", "release", NULL), CISTERN_CONFLICT, &f->err, "it is a version");
    assert_says(fixture_move(f, "vgg16", "1", "7", NULL), CISTERN_USAGE, &f->err, "version number");
    assert_ok(fixture_remove(f, "vgg16", "release", true), &f->err);
    assert_says(fixture_move(f, "vgg16", "1", "release", NULL), CISTERN_CONFLICT, &f->err,
                "never used again");
    assert_fails(fixture_rollback(f, "vgg16", "4"), CISTERN_CONFLICT, &f->err);
}

static void repeating_a_rollback_walks_back(void **state)
{
    fixture *f = *state;
    four_versions(f);
    assert_ok(fixture_rollback(f, "vgg16", "latest"), &f->err);
    assert_string_equal(fixture_at(f, "vgg16", "latest"), "3");
    assert_ok(fixture_rollback(f, "vgg16", "latest"), &f->err);
    assert_string_equal(fixture_at(f, "vgg16", "latest"), "2");
    assert_ok(fixture_rollback(f, "vgg16", "latest"), &f->err);
    assert_string_equal(fixture_at(f, "vgg16", "latest"), "1");
    assert_says(fixture_rollback(f, "vgg16", "latest"), CISTERN_NOT_FOUND, &f->err, "nothing to go back to");
    assert_int_equal(fixture_moves(f, "vgg16", "latest"), 7);
}

static void moves_by_hand_are_undone_one_by_one(void **state)
{
    fixture *f = *state;
    four_versions(f);
    assert_ok(fixture_move(f, "vgg16", "4", "production", NULL), &f->err);
    assert_ok(fixture_move(f, "vgg16", "1", "production", NULL), &f->err);
    assert_ok(fixture_move(f, "vgg16", "3", "production", NULL), &f->err);
    assert_ok(fixture_rollback(f, "vgg16", "production"), &f->err);
    assert_string_equal(fixture_at(f, "vgg16", "production"), "1");
    assert_ok(fixture_rollback(f, "vgg16", "production"), &f->err);
    assert_string_equal(fixture_at(f, "vgg16", "production"), "4");
    assert_fails(fixture_rollback(f, "vgg16", "production"), CISTERN_NOT_FOUND, &f->err);
}

static void a_rollback_copies_target_and_back(void **state)
{
    fixture *f = *state;
    catalog_move m;
    four_versions(f);
    catalog_move_init(&m);
    assert_ok(catalog_alias_rollback(f->s, "vgg16", "latest", "roller@here", "slow", &m, &f->err), &f->err);
    assert_int_equal(m.number, 5);
    assert_int_equal(m.back, 2); /* as move 3 has it */
    assert_true(m.rollback);
    assert_string_equal(m.why, "slow");
    catalog_move_clear(&m);
}

static void after_a_rollback_a_new_move_can_be_undone_too(void **state)
{
    fixture *f = *state;
    four_versions(f);
    assert_ok(fixture_rollback(f, "vgg16", "latest"), &f->err); /* 3 */
    fixture_add(f, "vgg16", NULL, "five", "5");
    assert_ok(fixture_rollback(f, "vgg16", "latest"), &f->err);
    assert_string_equal(fixture_at(f, "vgg16", "latest"), "3");
    assert_ok(fixture_rollback(f, "vgg16", "latest"), &f->err);
    assert_string_equal(fixture_at(f, "vgg16", "latest"), "2");
}

static void a_rollback_skips_what_was_removed(void **state)
{
    fixture *f = *state;
    four_versions(f);
    assert_ok(fixture_remove(f, "vgg16", "3", false), &f->err);
    assert_ok(fixture_remove(f, "vgg16", "2", false), &f->err);
    assert_ok(fixture_rollback(f, "vgg16", "latest"), &f->err);
    assert_string_equal(fixture_at(f, "vgg16", "latest"), "1");
    assert_fails(fixture_rollback(f, "vgg16", "latest"), CISTERN_NOT_FOUND, &f->err);
}

static void a_rollback_leaves_a_removed_version(void **state)
{
    fixture *f = *state;
    four_versions(f);
    assert_ok(fixture_remove(f, "vgg16", "4", true), &f->err);
    assert_ok(fixture_rollback(f, "vgg16", "latest"), &f->err);
    assert_string_equal(fixture_at(f, "vgg16", "latest"), "3");
}

static void a_rollback_does_not_stay_where_it_is(void **state)
{
    fixture *f = *state;
    four_versions(f);
    assert_ok(fixture_move(f, "vgg16", "1", "production", NULL), &f->err);
    assert_ok(fixture_move(f, "vgg16", "2", "production", NULL), &f->err);
    assert_ok(fixture_move(f, "vgg16", "1", "production", NULL), &f->err);
    assert_ok(fixture_remove(f, "vgg16", "2", false), &f->err);
    assert_says(fixture_rollback(f, "vgg16", "production"), CISTERN_NOT_FOUND, &f->err,
                "nothing to go back to");
}

static void the_first_move_has_nothing_to_go_back_to(void **state)
{
    fixture *f = *state;
    fixture_add(f, "vgg16", NULL, "one", "1");
    assert_says(fixture_rollback(f, "vgg16", "latest"), CISTERN_NOT_FOUND, &f->err, "nothing to go back to");
    assert_says(fixture_rollback(f, "vgg16", "nosuch"), CISTERN_NOT_FOUND, &f->err,
                "vgg16 has no alias 'nosuch'");
}

static void a_gap_is_damage_and_writing_stops(void **state)
{
    fixture *f = *state;
    catalog_move m;
    four_versions(f);
    assert_int_equal(unlinkat(f->dir.fd, "models/vgg16/aliases/latest/00000002.json", 0), 0);
    catalog_move_init(&m);
    assert_says(catalog_alias_read(f->s, "vgg16", "latest", &m, &f->err), CISTERN_DAMAGED, &f->err,
                "models/vgg16/aliases/latest/00000002.json is missing");
    assert_fails(fixture_move(f, "vgg16", "1", "latest", NULL), CISTERN_DAMAGED, &f->err);
    assert_fails(fixture_rollback(f, "vgg16", "latest"), CISTERN_DAMAGED, &f->err);
    catalog_published done;
    assert_fails(fixture_publish(f->s, "vgg16", NULL, "five", NULL, &done, &f->err), CISTERN_DAMAGED,
                 &f->err);
    assert_false(fixture_has(f, "models/vgg16/aliases/latest/00000005.json"));
}

static void a_wrong_parent_is_damage_and_writing_stops(void **state)
{
    fixture *f = *state;
    catalog_move m;
    four_versions(f);
    fixture_edit(f, "models/vgg16/aliases/latest/00000003.json", "tester@here", "nobody@all");
    catalog_move_init(&m);
    assert_says(catalog_alias_read(f->s, "vgg16", "latest", &m, &f->err), CISTERN_DAMAGED, &f->err,
                "models/vgg16/aliases/latest/00000003.json has the SHA-256");
    assert_fails(fixture_move(f, "vgg16", "1", "latest", NULL), CISTERN_DAMAGED, &f->err);
    assert_fails(fixture_rollback(f, "vgg16", "latest"), CISTERN_DAMAGED, &f->err);
}

static void a_wrong_parent_further_down_is_found_by_a_rollback_and_by_walking(void **state)
{
    fixture *f = *state;
    four_versions(f);
    assert_ok(fixture_rollback(f, "vgg16", "latest"), &f->err); /* 5: back 2 */
    fixture_edit(f, "models/vgg16/aliases/latest/00000002.json", "tester@here", "nobody@all");
    assert_says(fixture_rollback(f, "vgg16", "latest"), CISTERN_DAMAGED, &f->err,
                "00000002.json has the SHA-256");
    assert_says(catalog_alias_walk(f->s, "vgg16", "latest", NULL, NULL, &f->err), CISTERN_DAMAGED, &f->err,
                "00000003.json: 'parent'");
}

static void hostile_moves_are_damage_named_by_path(void **state)
{
    static const char hex32[] = "0123456789abcdef0123456789abcdef";
    static const struct {
        const char *body, *says;
    } cases[] = {
        {"", "00000001.json"},
        {"[]", "a JSON array"},
        {"{\"format\":1,\"format\":1}", "00000001.json"},
        {"{\"format\":2}", "use a newer cistern"},
        {"{\"format\":0}", "format 0"},
        {"{\"format\":\"1\"}", "'format'"},
        {"{\"format\":1,\"name\":\"vgg19\"}", "it belongs elsewhere"},
        {"{\"format\":1,\"name\":\"vgg16\",\"alias\":\"latest\"}", "it belongs elsewhere"},
        {"{\"format\":1,\"name\":\"vgg16\",\"alias\":\"bad\",\"id\":\"xyz\"}", "32 lower-case hexadecimal"},
        {"{\"format\":1,\"name\":\"vgg16\",\"alias\":\"bad\",\"id\":\"%s\",\"target\":\"../../x\"}",
         "which is no version's name"},
        {"{\"format\":1,\"name\":\"vgg16\",\"alias\":\"bad\",\"id\":\"%s\",\"target\":\"1\",\"number\":2,"
         "\"back\":0,"
         "\"kind\":\"move\",\"who\":\"a\",\"when\":\"b\"}",
         "'number' is 2, 1 expected"},
        {"{\"format\":1,\"name\":\"vgg16\",\"alias\":\"bad\",\"id\":\"%s\",\"target\":\"1\",\"number\":1,"
         "\"back\":1,"
         "\"kind\":\"move\",\"who\":\"a\",\"when\":\"b\"}",
         "'back' is 1, a lower number than 1"},
        {"{\"format\":1,\"name\":\"vgg16\",\"alias\":\"bad\",\"id\":\"%s\",\"target\":\"1\",\"number\":1,"
         "\"back\":4294967296,\"kind\":\"move\",\"who\":\"a\",\"when\":\"b\"}",
         "'back' is 4294967296"},
        {"{\"format\":1,\"name\":\"vgg16\",\"alias\":\"bad\",\"id\":\"%s\",\"target\":\"1\",\"number\":1,"
         "\"back\":0,"
         "\"kind\":\"jump\",\"who\":\"a\",\"when\":\"b\"}",
         "'kind' is 'jump'"},
        {"{\"format\":1,\"name\":\"vgg16\",\"alias\":\"bad\",\"id\":\"%s\",\"target\":\"1\",\"number\":1,"
         "\"back\":0,"
         "\"kind\":\"move\",\"parent\":\"0000000000000000000000000000000000000000000000000000000000000000\","
         "\"who\":\"a\",\"when\":\"b\"}",
         "without 'parent'"},
        {"{\"format\":1,\"name\":\"vgg16\",\"alias\":\"bad\",\"id\":\"%s\",\"target\":\"1\",\"number\":1,"
         "\"back\":0,"
         "\"kind\":\"move\",\"who\":\"\\u001b[2J\",\"when\":\"b\"}",
         "control character"},
    };
    fixture *f = *state;
    fixture_add(f, "vgg16", NULL, "one", "1");
    assert_ok(fixture_move(f, "vgg16", "1", "bad", NULL), &f->err);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char text[1024] = "";
        catalog_move m;
        const char *at = strstr(cases[i].body, "%s");
        if (at)
            snprintf(text, sizeof text, "%.*s%s%s", (int)(at - cases[i].body), cases[i].body, hex32, at + 2);
        else
            snprintf(text, sizeof text, "%s", cases[i].body);
        fixture_put(f, "models/vgg16/aliases/bad/00000001.json", text, strlen(text));
        catalog_move_init(&m);
        assert_says(catalog_alias_read(f->s, "vgg16", "bad", &m, &f->err), CISTERN_DAMAGED, &f->err,
                    cases[i].says);
        assert_says(catalog_alias_read(f->s, "vgg16", "bad", &m, &f->err), CISTERN_DAMAGED, &f->err,
                    "models/vgg16/aliases/bad/00000001.json");
        assert_int_equal(m.number, 0);
    }
}

static void a_link_in_place_of_a_move_is_not_followed(void **state)
{
    fixture *f = *state;
    catalog_move m;
    four_versions(f);
    assert_int_equal(
        symlinkat("../latest/00000001.json", f->dir.fd, "models/vgg16/aliases/latest/00000005.json"), 0);
    catalog_move_init(&m);
    assert_fails(catalog_alias_read(f->s, "vgg16", "latest", &m, &f->err), CISTERN_DAMAGED, &f->err);
}

static void unknown_fields_and_foreign_entries_do_no_harm(void **state)
{
    fixture *f = *state;
    catalog_move m;
    four_versions(f);
    assert_ok(fixture_move(f, "vgg16", "2", "production", NULL), &f->err);
    fixture_edit(f, "models/vgg16/aliases/production/00000001.json", "{\"alias\"",
                 "{\"added_later\":{\"x\":1},\"alias\"");
    fixture_put(f, "models/vgg16/aliases/production/notes.txt", "x", 1);
    fixture_put(f, "models/vgg16/aliases/production/00000000.json", "x", 1);
    fixture_put(f, "models/vgg16/aliases/production/.tmp-0123", "x", 1);
    catalog_move_init(&m);
    assert_ok(catalog_alias_read(f->s, "vgg16", "production", &m, &f->err), &f->err);
    assert_non_null(json_object_get(m.document, "added_later"));
    catalog_move_clear(&m);
    assert_ok(fixture_move(f, "vgg16", "3", "production", "2"), &f->err);
}

static void an_alias_directory_without_a_move_is_no_alias(void **state)
{
    fixture *f = *state;
    four_versions(f);
    assert_int_equal(mkdirat(f->dir.fd, "models/vgg16/aliases/half", 0700), 0);
    assert_string_equal(fixture_at(f, "vgg16", "half"), "");
    fixture_add(f, "vgg16", "half", "five", "half");
}

static int race_expect(store *s, int which)
{
    catalog_move m;
    bool moved = false;
    catalog_alias_change c = {
        .name = "vgg16", .alias = "production", .target = which % 2 ? "2" : "3", .expect = "1"};
    catalog_move_init(&m);
    cistern_status st = catalog_alias_move(s, &c, &m, &moved, NULL);
    catalog_move_clear(&m);
    return st == CISTERN_OK && !moved ? 200 : cistern_status_exit_code(st);
}

static void of_32_that_expect_the_same_exactly_one_wins(void **state)
{
    fixture *f = *state;
    int tally[256];
    four_versions(f);
    assert_ok(fixture_move(f, "vgg16", "1", "production", NULL), &f->err);
    for (uint32_t round = 0; round < 3; round++) {
        fixture_race(f, 32, race_expect, tally);
        assert_int_equal(tally[0], 1);
        assert_int_equal(tally[7], 31);
        assert_int_equal(fixture_moves(f, "vgg16", "production"), 2 + 2 * round);
        assert_ok(fixture_move(f, "vgg16", "1", "production", NULL), &f->err);
    }
}

static int race_move(store *s, int which)
{
    char target[8];
    catalog_move m;
    bool moved = false;
    catalog_alias_change c = {.name = "vgg16", .alias = "production", .target = target};
    snprintf(target, sizeof target, "%d", which % 4 + 1);
    catalog_move_init(&m);
    cistern_status st = catalog_alias_move(s, &c, &m, &moved, NULL);
    catalog_move_clear(&m);
    return st == CISTERN_OK ? 100 + moved : cistern_status_exit_code(st);
}

static void of_32_that_expect_nothing_all_succeed_and_the_chain_holds(void **state)
{
    fixture *f = *state;
    int tally[256];
    four_versions(f);
    fixture_race(f, 32, race_move, tally);
    assert_int_equal(tally[100] + tally[101], 32);
    assert_int_equal(fixture_moves(f, "vgg16", "production"), tally[101]);
    assert_ok(catalog_alias_walk(f->s, "vgg16", "production", NULL, NULL, &f->err), &f->err);
}

static int race_rollback(store *s, int which)
{
    catalog_move m;
    (void)which;
    catalog_move_init(&m);
    cistern_status st = catalog_alias_rollback(s, "vgg16", "latest", NULL, NULL, &m, NULL);
    catalog_move_clear(&m);
    return cistern_status_exit_code(st);
}

static void racing_rollbacks_undo_one_move_each_or_say_conflict(void **state)
{
    fixture *f = *state;
    int tally[256];
    four_versions(f);
    fixture_race(f, 8, race_rollback, tally);
    assert_int_equal(tally[0] + tally[7] + tally[3], 8);
    assert_in_range(tally[0], 1, 3);
    assert_int_equal(fixture_moves(f, "vgg16", "latest"), 4 + tally[0]);
}

/* A thread on the one store of all. */
typedef struct mover {
    store *s;
    int which, code;
} mover;

static void *move_in_thread(void *user)
{
    mover *m = user;
    m->code = race_expect(m->s, m->which);
    return NULL;
}

static void threads_may_share_a_store(void **state)
{
    fixture *f = *state;
    mover movers[8];
    pthread_t threads[8];
    int won = 0;
    four_versions(f);
    assert_ok(fixture_move(f, "vgg16", "1", "production", NULL), &f->err);
    for (int i = 0; i < 8; i++) {
        movers[i] = (mover){f->s, i, 0};
        assert_int_equal(pthread_create(&threads[i], NULL, move_in_thread, &movers[i]), 0);
    }
    for (int i = 0; i < 8; i++) {
        pthread_join(threads[i], NULL);
        assert_true(movers[i].code == 0 || movers[i].code == 7);
        won += movers[i].code == 0;
    }
    assert_int_equal(won, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        FIXTURE_TEST(an_alias_is_made_moved_and_read),
        FIXTURE_TEST(a_move_onto_the_present_target_makes_no_document),
        FIXTURE_TEST(expect_is_a_compare_and_swap),
        FIXTURE_TEST(expecting_nothing_is_for_an_alias_that_is_new),
        FIXTURE_TEST(only_live_versions_are_targets),
        FIXTURE_TEST(a_version_cannot_become_an_alias),
        FIXTURE_TEST(repeating_a_rollback_walks_back),
        FIXTURE_TEST(moves_by_hand_are_undone_one_by_one),
        FIXTURE_TEST(a_rollback_copies_target_and_back),
        FIXTURE_TEST(after_a_rollback_a_new_move_can_be_undone_too),
        FIXTURE_TEST(a_rollback_skips_what_was_removed),
        FIXTURE_TEST(a_rollback_leaves_a_removed_version),
        FIXTURE_TEST(a_rollback_does_not_stay_where_it_is),
        FIXTURE_TEST(the_first_move_has_nothing_to_go_back_to),
        FIXTURE_TEST(a_gap_is_damage_and_writing_stops),
        FIXTURE_TEST(a_wrong_parent_is_damage_and_writing_stops),
        FIXTURE_TEST(a_wrong_parent_further_down_is_found_by_a_rollback_and_by_walking),
        FIXTURE_TEST(hostile_moves_are_damage_named_by_path),
        FIXTURE_TEST(a_link_in_place_of_a_move_is_not_followed),
        FIXTURE_TEST(unknown_fields_and_foreign_entries_do_no_harm),
        FIXTURE_TEST(an_alias_directory_without_a_move_is_no_alias),
        FIXTURE_TEST(of_32_that_expect_the_same_exactly_one_wins),
        FIXTURE_TEST(of_32_that_expect_nothing_all_succeed_and_the_chain_holds),
        FIXTURE_TEST(racing_rollbacks_undo_one_move_each_or_say_conflict),
        FIXTURE_TEST(threads_may_share_a_store),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
