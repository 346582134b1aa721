#include "catalog_fixture.h"
#include "base_json.h"

static void versions_are_numbered_from_1(void **state)
{
    fixture *f = *state;
    fixture_add(f, "vgg16", NULL, "one", "1");
    fixture_add(f, "vgg16", NULL, "two", "2");
    fixture_add(f, "timm/vgg16", NULL, "one", "1");
    assert_true(fixture_has(f, "models/timm--vgg16/versions/1.json"));
}

static void every_new_version_moves_latest(void **state)
{
    fixture *f = *state;
    fixture_add(f, "vgg16", NULL, "one", "1");
    assert_string_equal(fixture_at(f, "vgg16", "latest"), "1");
    fixture_add(f, "vgg16", "release", "two", "release");
    assert_string_equal(fixture_at(f, "vgg16", "latest"), "release");
    fixture_add(f, "vgg16", NULL, "three", "2");
    assert_string_equal(fixture_at(f, "vgg16", "latest"), "2");
}

static void the_same_bytes_are_the_same_version_and_move_nothing(void **state)
{
    fixture *f = *state;
    catalog_published done;
    fixture_add(f, "vgg16", NULL, "one", "1");
    fixture_add(f, "vgg16", NULL, "two", "2");
    assert_ok(fixture_publish(f->s, "vgg16", NULL, "one", NULL, &done, &f->err), &f->err);
    assert_false(done.created);
    assert_false(done.latest_moved);
    assert_string_equal(done.version.tag, "1");
    assert_string_equal(done.latest, "2");
    assert_int_equal(fixture_moves(f, "vgg16", "latest"), 2);
    catalog_version_clear(&done.version);
}

static void the_name_of_an_only_file_does_not_matter(void **state)
{
    fixture *f = *state;
    catalog_published done;
    model_facts facts;
    catalog_file file = fixture_file("one");
    catalog_publication p = {.name = "vgg16", .files = &file, .file_count = 1, .facts = &facts};
    model_facts_init(&facts);
    fixture_add(f, "vgg16", NULL, "one", "1");
    file.path = "copy-of-vgg16.pth";
    assert_ok(catalog_publish(f->s, &p, &done, &f->err), &f->err);
    assert_false(done.created);
    assert_string_equal(done.version.tag, "1");
    catalog_version_clear(&done.version);
    model_facts_clear(&facts);
}

static void among_several_files_names_do_matter(void **state)
{
    fixture *f = *state;
    catalog_published done;
    model_facts facts;
    catalog_file files[2] = {fixture_file("one"), fixture_file("two")};
    catalog_publication p = {.name = "vgg16", .files = files, .file_count = 2, .facts = &facts};
    model_facts_init(&facts);
    files[0].path = "a";
    files[1].path = "b";
    assert_ok(catalog_publish(f->s, &p, &done, &f->err), &f->err);
    catalog_version_clear(&done.version);
    files[1].path = "c";
    assert_ok(catalog_publish(f->s, &p, &done, &f->err), &f->err);
    assert_true(done.created);
    assert_string_equal(done.version.tag, "2");
    catalog_version_clear(&done.version);
    model_facts_clear(&facts);
}

static void publish_facts(fixture *f, const char *architecture, model_fact_source source,
                          const char *expected)
{
    catalog_published done;
    catalog_file file = fixture_file("one");
    model_facts facts;
    model_facts_init(&facts);
    assert_ok(model_facts_set_architecture(&facts, architecture, source, &f->err), &f->err);
    catalog_publication p = {.name = "vgg16", .files = &file, .file_count = 1, .facts = &facts};
    assert_ok(catalog_publish(f->s, &p, &done, &f->err), &f->err);
    assert_string_equal(done.version.tag, expected);
    catalog_version_clear(&done.version);
    model_facts_clear(&facts);
}

static void other_declared_facts_on_the_same_bytes_are_the_next_version(void **state)
{
    fixture *f = *state;
    publish_facts(f, "vgg16", MODEL_FACT_FLAG, "1");
    publish_facts(f, "vgg16", MODEL_FACT_FLAG, "1");
    publish_facts(f, "vgg19", MODEL_FACT_FLAG, "2");
    publish_facts(f, "vgg16", MODEL_FACT_FLAG, "1");
}

static void what_was_only_inferred_makes_no_version(void **state)
{
    fixture *f = *state;
    publish_facts(f, "vgg16", MODEL_FACT_FAMILY, "1");
    publish_facts(f, "vgg19", MODEL_FACT_PUBLISHED, "1");
    publish_facts(f, "vgg19", MODEL_FACT_CONFIG, "2");
    publish_facts(f, "vgg19", MODEL_FACT_FLAG, "2");
}

static void an_explicit_version_with_the_same_content_is_success(void **state)
{
    fixture *f = *state;
    catalog_published done;
    fixture_add(f, "vgg16", "7", "one", "7");
    assert_ok(fixture_publish(f->s, "vgg16", "7", "one", NULL, &done, &f->err), &f->err);
    assert_false(done.created);
    catalog_version_clear(&done.version);
}

static void an_explicit_version_with_other_content_is_a_conflict_that_shows_both_digests(void **state)
{
    fixture *f = *state;
    catalog_published done;
    catalog_file one = fixture_file("one"), two = fixture_file("two");
    fixture_add(f, "vgg16", "7", "one", "7");
    assert_says(fixture_publish(f->s, "vgg16", "7", "two", NULL, &done, &f->err), CISTERN_CONFLICT, &f->err,
                one.sha256);
    assert_says(fixture_publish(f->s, "vgg16", "7", "two", NULL, &done, &f->err), CISTERN_CONFLICT, &f->err,
                two.sha256);
    assert_string_equal(fixture_at(f, "vgg16", "latest"), "7");
}

static void a_new_name_for_known_content_is_a_version_of_its_own(void **state)
{
    fixture *f = *state;
    catalog_published done;
    fixture_add(f, "vgg16", NULL, "one", "1");
    fixture_add(f, "vgg16", "release", "one", "release");
    assert_ok(fixture_publish(f->s, "vgg16", NULL, "one", NULL, &done, &f->err), &f->err);
    assert_false(done.created);
    assert_string_equal(done.version.tag, "release"); /* the newest of the equal ones */
    catalog_version_clear(&done.version);
}

static void the_next_number_is_above_the_highest_ever_used(void **state)
{
    fixture *f = *state;
    fixture_add(f, "vgg16", "41", "one", "41");
    fixture_add(f, "vgg16", NULL, "two", "42");
    assert_ok(fixture_remove(f, "vgg16", "42", true), &f->err);
    fixture_add(f, "vgg16", NULL, "three", "43");
}

static void the_content_of_a_removed_version_comes_back_under_a_new_number(void **state)
{
    fixture *f = *state;
    fixture_add(f, "vgg16", NULL, "one", "1");
    assert_ok(fixture_remove(f, "vgg16", "1", true), &f->err);
    fixture_add(f, "vgg16", NULL, "one", "2");
    assert_string_equal(fixture_at(f, "vgg16", "latest"), "2");
}

static void a_removed_tag_is_never_used_again(void **state)
{
    fixture *f = *state;
    catalog_published done;
    fixture_add(f, "vgg16", "release", "one", "release");
    fixture_add(f, "vgg16", NULL, "two", "1");
    assert_ok(fixture_remove(f, "vgg16", "release", false), &f->err);
    assert_says(fixture_publish(f->s, "vgg16", "release", "one", NULL, &done, &f->err), CISTERN_CONFLICT,
                &f->err, "never used again");
    assert_says(catalog_publish_check(f->s, "vgg16", "release", &f->err), CISTERN_CONFLICT, &f->err,
                "never used again");
}

static void an_alias_cannot_become_a_version(void **state)
{
    fixture *f = *state;
    catalog_published done;
    fixture_add(f, "vgg16", NULL, "one", "1");
    assert_ok(fixture_move(f, "vgg16", "1", "production", NULL), &f->err);
    assert_says(fixture_publish(f->s, "vgg16", "production", "two", NULL, &done, &f->err), CISTERN_CONFLICT,
                &f->err, "'production' is an alias");
    assert_says(fixture_publish(f->s, "new", "latest", "two", NULL, &done, &f->err), CISTERN_CONFLICT,
                &f->err, "'latest' is an alias");
    assert_false(fixture_has(f, "models/new"));
}

static void what_is_refused_leaves_nothing(void **state)
{
    fixture *f = *state;
    catalog_published done;
    assert_fails(fixture_publish(f->s, "VGG", NULL, "one", NULL, &done, &f->err), CISTERN_USAGE, &f->err);
    assert_fails(fixture_publish(f->s, "vgg", "01", "one", NULL, &done, &f->err), CISTERN_USAGE, &f->err);
    assert_says(fixture_publish(f->s, "vgg", NULL, "one", "http://a/\x1b[2J", &done, &f->err), CISTERN_USAGE,
                &f->err, "origin is 'http://a/\\x1b[2J'");
    catalog_file file = fixture_file("one");
    model_facts facts;
    model_facts_init(&facts);
    catalog_publication p = {.name = "vgg", .files = &file, .file_count = 1, .facts = &facts, .why = "a\nb"};
    assert_says(catalog_publish(f->s, &p, &done, &f->err), CISTERN_USAGE, &f->err, "note (why)");
    p.why = NULL;
    p.who = "\xff";
    assert_says(catalog_publish(f->s, &p, &done, &f->err), CISTERN_USAGE, &f->err, "who is");
    model_facts_clear(&facts);
    assert_false(fixture_has(f, "models"));
}

static void the_document_holds_every_field_of_the_format(void **state)
{
    fixture *f = *state;
    catalog_published done;
    json_t *d = NULL;
    static const char *const keys[] = {"facts",  "files",    "format",  "id",   "lineage", "name",
                                       "origin", "sequence", "version", "when", "who"};
    assert_ok(fixture_publish(f->s, "vgg16", NULL, "one", "https://host/vgg16.pth", &done, &f->err), &f->err);
    char *text = fixture_get(f, "models/vgg16/versions/1.json");
    assert_ok(base_json_parse(text, strlen(text), BASE_JSON_STRICT, "it", &d, &f->err), &f->err);
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++)
        assert_non_null(json_object_get(d, keys[i]));
    assert_int_equal(json_object_size(d), sizeof keys / sizeof keys[0]);
    assert_string_equal(json_string_value(json_object_get(d, "origin")), "https://host/vgg16.pth");
    assert_string_equal(done.version.origin, "https://host/vgg16.pth");
    base_buf again;
    base_buf_init(&again, 1 << 20);
    assert_ok(base_json_write(d, &again, &f->err), &f->err);
    assert_string_equal(again.data, text);
    base_buf_clear(&again);
    json_decref(d);
    free(text);
    catalog_version_clear(&done.version);
}

static void hints_say_the_last_numbers(void **state)
{
    fixture *f = *state;
    fixture_add(f, "vgg16", NULL, "one", "1");
    fixture_add(f, "vgg16", NULL, "two", "2");
    char *versions = fixture_get(f, "models/vgg16/versions/head");
    char *moves = fixture_get(f, "models/vgg16/aliases/latest/head");
    assert_string_equal(versions, "2\n");
    assert_string_equal(moves, "2\n");
    free(versions);
    free(moves);
}

static void a_wrong_hint_changes_nothing(void **state)
{
    fixture *f = *state;
    fixture_add(f, "vgg16", NULL, "one", "1");
    fixture_put(f, "models/vgg16/versions/head", "77777\n", 6);
    fixture_put(f, "models/vgg16/aliases/latest/head", "garbage", 7);
    fixture_add(f, "vgg16", NULL, "two", "2");
    assert_string_equal(fixture_at(f, "vgg16", "latest"), "2");
}

static void another_home_is_not_written(void **state)
{
    fixture *f = *state;
    catalog_published done;
    fixture_add(f, "vgg16", NULL, "one", "1");
    fixture_edit(f, "models/vgg16/model.json", store_id(f->s), "0123456789abcdef0123456789abcdef");
    assert_says(fixture_publish(f->s, "vgg16", NULL, "two", NULL, &done, &f->err), CISTERN_NETWORK, &f->err,
                "0123456789abcdef0123456789abcdef");
    assert_fails(fixture_move(f, "vgg16", "1", "production", NULL), CISTERN_NETWORK, &f->err);
    assert_fails(fixture_rollback(f, "vgg16", "latest"), CISTERN_NETWORK, &f->err);
    assert_fails(fixture_remove(f, "vgg16", "1", true), CISTERN_NETWORK, &f->err);
    assert_fails(catalog_publish_check_home(f->s, "vgg16", &f->err), CISTERN_NETWORK, &f->err);
    assert_ok(catalog_publish_check_home(f->s, "vgg19", &f->err), &f->err);
    assert_ok(catalog_publish_check(f->s, "vgg16", NULL, &f->err), &f->err);
}

static void files_are_sorted_and_checked(void **state)
{
    fixture *f = *state;
    catalog_published done;
    model_facts facts;
    catalog_file files[2] = {fixture_file("b"), fixture_file("a")};
    catalog_publication p = {.name = "m", .files = files, .file_count = 2, .facts = &facts};
    model_facts_init(&facts);
    files[0].path = "b/two.bin";
    files[1].path = "a/one.bin";
    assert_ok(catalog_publish(f->s, &p, &done, &f->err), &f->err);
    assert_string_equal(done.version.files[0].path, "a/one.bin");
    assert_int_equal(done.version.size, 2);
    catalog_version_clear(&done.version);
    files[0].path = "A/One.bin";
    assert_says(catalog_publish(f->s, &p, &done, &f->err), CISTERN_USAGE, &f->err, "where case is folded");
    files[0].path = "../x";
    assert_says(catalog_publish(f->s, &p, &done, &f->err), CISTERN_USAGE, &f->err, "must be relative");
    files[0].path = "ok";
    files[0].sha256[63] = 'X';
    assert_says(catalog_publish(f->s, &p, &done, &f->err), CISTERN_USAGE, &f->err, "64 hexadecimal digits");
    p.file_count = 0;
    assert_fails(catalog_publish(f->s, &p, &done, &f->err), CISTERN_USAGE, &f->err);
    model_facts_clear(&facts);
}

static int race_add(store *s, int which)
{
    char text[32];
    catalog_published done;
    snprintf(text, sizeof text, "bytes %d", which);
    cistern_status st = fixture_publish(s, "vgg16", NULL, text, NULL, &done, NULL);
    if (st != CISTERN_OK)
        return cistern_status_exit_code(st);
    int code = done.created ? 100 : 101;
    catalog_version_clear(&done.version);
    return code;
}

static void of_32_processes_none_is_lost_and_the_numbers_are_dense(void **state)
{
    fixture *f = *state;
    int tally[256];
    char path[64];
    fixture_race(f, 32, race_add, tally);
    assert_int_equal(tally[100], 32);
    for (int i = 1; i <= 32; i++) {
        snprintf(path, sizeof path, "models/vgg16/versions/%d.json", i);
        assert_true(fixture_has(f, path));
    }
    assert_false(fixture_has(f, "models/vgg16/versions/33.json"));
    assert_string_equal(fixture_at(f, "vgg16", "latest"), "32");
    assert_ok(catalog_alias_walk(f->s, "vgg16", "latest", NULL, NULL, &f->err), &f->err);
}

static int race_same(store *s, int which)
{
    (void)which;
    return race_add(s, 0);
}

static void of_32_processes_with_the_same_bytes_one_makes_the_version(void **state)
{
    fixture *f = *state;
    int tally[256];
    fixture_race(f, 32, race_same, tally);
    assert_int_equal(tally[100], 1);
    assert_int_equal(tally[101], 31);
    assert_false(fixture_has(f, "models/vgg16/versions/2.json"));
    assert_int_equal(fixture_moves(f, "vgg16", "latest"), 1);
}

/* Dies after so many changes on disk. */
static void die_at(void *user, const char *point)
{
    int *left = user;
    (void)point;
    if (--*left == 0)
        _exit(99);
}

/* Publish in a child that dies after `steps` changes on disk; whether it died. */
static bool publish_and_die(fixture *f, const char *text, int steps)
{
    int status = 0;
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        store *s = NULL;
        catalog_published done;
        store_options options = STORE_OPTIONS_INIT;
        options.fault = die_at;
        options.fault_user = &steps;
        if (store_open(f->dir.path, &options, &s, NULL) != CISTERN_OK ||
            fixture_publish(s, "vgg16", NULL, text, NULL, &done, NULL) != CISTERN_OK)
            _exit(1);
        _exit(0);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status) && (WEXITSTATUS(status) == 99 || WEXITSTATUS(status) == 0));
    return WEXITSTATUS(status) == 99;
}

static void killed_between_any_two_steps_a_repetition_completes_it(void **state)
{
    fixture *f = *state;
    char text[32], tag[16];
    int steps = 1, version = 0;
    bool died = true;
    for (; died; steps++) {
        assert_in_range(steps, 1, 20);
        snprintf(text, sizeof text, "bytes %d", steps);
        died = publish_and_die(f, text, steps);
        catalog_published done;
        assert_ok(fixture_publish(f->s, "vgg16", NULL, text, NULL, &done, &f->err), &f->err);
        snprintf(tag, sizeof tag, "%d", ++version);
        assert_string_equal(done.version.tag, tag); /* no number was lost */
        assert_string_equal(done.latest, tag);
        catalog_version_clear(&done.version);
    }
    assert_true(steps > 4); /* model.json, version, move, hints */
    assert_ok(catalog_alias_walk(f->s, "vgg16", "latest", NULL, NULL, &f->err), &f->err);
    assert_int_equal(fixture_moves(f, "vgg16", "latest"), version);
}

static void a_version_that_latest_never_got_to_is_settled(void **state)
{
    fixture *f = *state;
    catalog_version v;
    bool found = false, moved = false;
    fixture_add(f, "vgg16", NULL, "one", "1");
    assert_true(publish_and_die(f, "two", 1)); /* after the version document */
    assert_true(fixture_has(f, "models/vgg16/versions/2.json"));
    assert_string_equal(fixture_at(f, "vgg16", "latest"), "1");
    catalog_version_init(&v);
    assert_ok(catalog_version_read(f->s, "vgg16", "2", &v, &found, &f->err), &f->err);
    assert_true(found);
    assert_ok(catalog_publish_settle(f->s, &v, &moved, &f->err), &f->err);
    assert_true(moved);
    assert_string_equal(fixture_at(f, "vgg16", "latest"), "2");
    assert_ok(fixture_rollback(f, "vgg16", "latest"), &f->err);
    assert_ok(catalog_publish_settle(f->s, &v, &moved, &f->err), &f->err);
    assert_false(moved); /* it was there once: a rollback stays */
    assert_string_equal(fixture_at(f, "vgg16", "latest"), "1");
    catalog_version_clear(&v);
}

static void a_settled_version_does_not_overtake_a_newer_one(void **state)
{
    fixture *f = *state;
    catalog_version v;
    bool found = false, moved = false;
    fixture_add(f, "vgg16", NULL, "one", "1");
    assert_true(publish_and_die(f, "two", 1));
    fixture_add(f, "vgg16", NULL, "three", "3");
    catalog_version_init(&v);
    assert_ok(catalog_version_read(f->s, "vgg16", "2", &v, &found, &f->err), &f->err);
    assert_ok(catalog_publish_settle(f->s, &v, &moved, &f->err), &f->err);
    assert_false(moved);
    assert_ok(fixture_rollback(f, "vgg16", "latest"), &f->err);
    assert_ok(catalog_publish_settle(f->s, &v, &moved, &f->err), &f->err);
    assert_false(moved);
    assert_string_equal(fixture_at(f, "vgg16", "latest"), "1");
    catalog_version_clear(&v);
}

/* What another process does between two steps of ours. */
typedef struct interruption {
    fixture *f;
    int after; /* changes on disk */
} interruption;

static void publish_three(void *user, const char *point)
{
    interruption *i = user;
    (void)point;
    if (--i->after == 0)
        fixture_add(i->f, "vgg16", NULL, "three", "3");
}

static void latest_is_not_moved_back_by_a_slower_publisher(void **state)
{
    fixture *f = *state;
    store *slow = NULL;
    catalog_published done;
    interruption i = {f, 1}; /* after our version document */
    store_options options = STORE_OPTIONS_INIT;
    options.fault = publish_three;
    options.fault_user = &i;
    fixture_add(f, "vgg16", NULL, "one", "1");
    assert_ok(store_open(f->dir.path, &options, &slow, &f->err), &f->err);
    assert_ok(fixture_publish(slow, "vgg16", NULL, "two", NULL, &done, &f->err), &f->err);
    assert_true(done.created);
    assert_string_equal(done.version.tag, "2");
    assert_false(done.latest_moved);
    assert_string_equal(done.latest, "3");
    assert_string_equal(fixture_at(f, "vgg16", "latest"), "3");
    catalog_version_clear(&done.version);
    store_free(slow);
}

static void of_two_versions_made_at_once_each_gets_its_move(void **state)
{
    fixture *f = *state;
    catalog_published done;
    fixture_add(f, "vgg16", NULL, "one", "1");
    assert_true(publish_and_die(f, "two", 1));
    fixture_edit(f, "models/vgg16/versions/2.json", "\"sequence\":2",
                 "\"sequence\":1"); /* neither saw the other */
    assert_ok(fixture_publish(f->s, "vgg16", NULL, "two", NULL, &done, &f->err), &f->err);
    assert_true(done.latest_moved);
    assert_string_equal(done.latest, "2");
    catalog_version_clear(&done.version);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        FIXTURE_TEST(versions_are_numbered_from_1),
        FIXTURE_TEST(every_new_version_moves_latest),
        FIXTURE_TEST(the_same_bytes_are_the_same_version_and_move_nothing),
        FIXTURE_TEST(the_name_of_an_only_file_does_not_matter),
        FIXTURE_TEST(among_several_files_names_do_matter),
        FIXTURE_TEST(other_declared_facts_on_the_same_bytes_are_the_next_version),
        FIXTURE_TEST(what_was_only_inferred_makes_no_version),
        FIXTURE_TEST(an_explicit_version_with_the_same_content_is_success),
        FIXTURE_TEST(an_explicit_version_with_other_content_is_a_conflict_that_shows_both_digests),
        FIXTURE_TEST(a_new_name_for_known_content_is_a_version_of_its_own),
        FIXTURE_TEST(the_next_number_is_above_the_highest_ever_used),
        FIXTURE_TEST(the_content_of_a_removed_version_comes_back_under_a_new_number),
        FIXTURE_TEST(a_removed_tag_is_never_used_again),
        FIXTURE_TEST(an_alias_cannot_become_a_version),
        FIXTURE_TEST(what_is_refused_leaves_nothing),
        FIXTURE_TEST(the_document_holds_every_field_of_the_format),
        FIXTURE_TEST(hints_say_the_last_numbers),
        FIXTURE_TEST(a_wrong_hint_changes_nothing),
        FIXTURE_TEST(another_home_is_not_written),
        FIXTURE_TEST(files_are_sorted_and_checked),
        FIXTURE_TEST(of_32_processes_none_is_lost_and_the_numbers_are_dense),
        FIXTURE_TEST(of_32_processes_with_the_same_bytes_one_makes_the_version),
        FIXTURE_TEST(killed_between_any_two_steps_a_repetition_completes_it),
        FIXTURE_TEST(a_version_that_latest_never_got_to_is_settled),
        FIXTURE_TEST(a_settled_version_does_not_overtake_a_newer_one),
        FIXTURE_TEST(latest_is_not_moved_back_by_a_slower_publisher),
        FIXTURE_TEST(of_two_versions_made_at_once_each_gets_its_move),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
