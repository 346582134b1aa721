#include "catalog_fixture.h"

static char tag[CATALOG_TAG_MAX + 1];

static void three_versions(fixture *f)
{
    fixture_add(f, "vgg16", NULL, "one", "1");
    fixture_add(f, "vgg16", NULL, "two", "2");
    fixture_add(f, "vgg16", NULL, "three", "3");
}

static void no_tag_means_latest(void **state)
{
    fixture *f = *state;
    three_versions(f);
    assert_ok(fixture_resolve(f, "vgg16", tag), &f->err);
    assert_string_equal(tag, "3");
    assert_ok(fixture_rollback(f, "vgg16", "latest"), &f->err);
    assert_ok(fixture_resolve(f, "vgg16", tag), &f->err);
    assert_string_equal(tag, "2");
}

static void a_tag_is_a_version_or_an_alias(void **state)
{
    fixture *f = *state;
    three_versions(f);
    assert_ok(fixture_move(f, "vgg16", "1", "production", NULL), &f->err);
    assert_ok(fixture_resolve(f, "vgg16:2", tag), &f->err);
    assert_string_equal(tag, "2");
    assert_ok(fixture_resolve(f, "vgg16:production", tag), &f->err);
    assert_string_equal(tag, "1");
}

static void the_alias_that_was_used_is_told(void **state)
{
    fixture *f = *state;
    catalog_reference ref = {"vgg16", "", ""};
    catalog_resolved r;
    three_versions(f);
    catalog_resolved_init(&r);
    assert_ok(catalog_resolve(f->s, &ref, &r, &f->err), &f->err);
    assert_string_equal(r.alias, "latest");
    assert_int_equal(r.move, 3);
    catalog_resolved_clear(&r);
}

static void a_digest_finds_its_version(void **state)
{
    fixture *f = *state;
    char text[200];
    catalog_file two = fixture_file("two");
    three_versions(f);
    snprintf(text, sizeof text, "vgg16@sha256:%s", two.sha256);
    assert_ok(fixture_resolve(f, text, tag), &f->err);
    assert_string_equal(tag, "2");
    snprintf(text, sizeof text, "vgg16@sha256:%.8s", two.sha256);
    assert_ok(fixture_resolve(f, text, tag), &f->err);
    assert_string_equal(tag, "2");
}

static void of_several_with_one_digest_the_newest_is_meant(void **state)
{
    fixture *f = *state;
    char text[200];
    catalog_file one = fixture_file("one");
    three_versions(f);
    fixture_add(f, "vgg16", "again", "one", "again");
    snprintf(text, sizeof text, "vgg16@sha256:%s", one.sha256);
    assert_ok(fixture_resolve(f, text, tag), &f->err);
    assert_string_equal(tag, "again");
    assert_ok(fixture_remove(f, "vgg16", "again", true), &f->err);
    assert_ok(fixture_resolve(f, text, tag), &f->err);
    assert_string_equal(tag, "1");
}

static void publish_digest(fixture *f, const char *sha256)
{
    catalog_published done;
    catalog_file file = {.path = "x", .size = 1};
    model_facts facts;
    model_facts_init(&facts);
    memcpy(file.sha256, sha256, strlen(sha256) + 1);
    catalog_publication p = {.name = "vgg16", .files = &file, .file_count = 1, .facts = &facts};
    assert_ok(catalog_publish(f->s, &p, &done, &f->err), &f->err);
    catalog_version_clear(&done.version);
}

static void a_short_digest_that_fits_two_is_refused(void **state)
{
    fixture *f = *state;
    publish_digest(f, "abcdef0123456789abcdef0123456789abcdef0123456789abcdef0123456789");
    publish_digest(f, "abcdef0199999999abcdef0123456789abcdef0123456789abcdef0123456789");
    assert_says(fixture_resolve(f, "vgg16@sha256:abcdef01", tag), CISTERN_USAGE, &f->err, "give more digits");
    assert_ok(fixture_resolve(f, "vgg16@sha256:abcdef012", tag), &f->err);
    assert_string_equal(tag, "1");
}

static void a_tag_and_a_digest_must_agree(void **state)
{
    fixture *f = *state;
    char text[300];
    catalog_file one = fixture_file("one"), two = fixture_file("two");
    three_versions(f);
    snprintf(text, sizeof text, "vgg16:2@sha256:%s", two.sha256);
    assert_ok(fixture_resolve(f, text, tag), &f->err);
    snprintf(text, sizeof text, "vgg16:2@sha256:%s", one.sha256);
    assert_says(fixture_resolve(f, text, tag), CISTERN_DAMAGED, &f->err, one.sha256);
    assert_says(fixture_resolve(f, text, tag), CISTERN_DAMAGED, &f->err, two.sha256);
    snprintf(text, sizeof text, "vgg16:latest@sha256:%.12s", one.sha256);
    assert_fails(fixture_resolve(f, text, tag), CISTERN_DAMAGED, &f->err);
}

static void an_unknown_version_lists_what_exists(void **state)
{
    fixture *f = *state;
    three_versions(f);
    assert_ok(fixture_move(f, "vgg16", "1", "production", NULL), &f->err);
    assert_says(fixture_resolve(f, "vgg16:9", tag), CISTERN_NOT_FOUND, &f->err,
                "vgg16 has no version 9; it has 1, 2, 3 and aliases latest, production");
    assert_says(fixture_resolve(f, "vgg16:canary", tag), CISTERN_NOT_FOUND, &f->err,
                "vgg16 has no version or alias canary; it has 1, 2, 3 and");
    assert_says(fixture_resolve(f, "vgg16@sha256:00000000", tag), CISTERN_NOT_FOUND, &f->err,
                "no version of vgg16 has the digest sha256:00000000; it has 1, 2, 3 and");
}

static void of_many_versions_the_last_are_listed(void **state)
{
    fixture *f = *state;
    char text[16];
    for (int i = 1; i <= 20; i++) {
        snprintf(text, sizeof text, "%d", i);
        fixture_add(f, "vgg16", NULL, text, text);
    }
    assert_says(
        fixture_resolve(f, "vgg16:99", tag), CISTERN_NOT_FOUND, &f->err,
        "it has \xe2\x80\xa6, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20 and alias latest");
}

static void an_unknown_model_names_similar_ones(void **state)
{
    fixture *f = *state;
    assert_says(fixture_resolve(f, "vgg16", tag), CISTERN_NOT_FOUND, &f->err,
                "there is no model 'vgg16' here; fetch it with: cistern pull ADDRESS --as vgg16");
    three_versions(f);
    fixture_add(f, "timm/vgg16-bn", NULL, "one", "1");
    fixture_add(f, "resnet", NULL, "one", "1");
    assert_says(fixture_resolve(f, "vgg61", tag), CISTERN_NOT_FOUND, &f->err, "similar: vgg16;");
    assert_says(fixture_resolve(f, "vgg16-bn", tag), CISTERN_NOT_FOUND, &f->err,
                "similar: timm/vgg16-bn, vgg16;");
    assert_says(fixture_resolve(f, "squeezenet1", tag), CISTERN_NOT_FOUND, &f->err,
                "no model 'squeezenet1' here; fetch");
}

static void a_removed_version_says_when_and_by_whom(void **state)
{
    fixture *f = *state;
    char text[200];
    catalog_file two = fixture_file("two");
    three_versions(f);
    assert_ok(fixture_remove(f, "vgg16", "2", false), &f->err);
    assert_says(fixture_resolve(f, "vgg16:2", tag), CISTERN_NOT_FOUND, &f->err,
                "version 2 of vgg16 was removed on 20");
    assert_says(fixture_resolve(f, "vgg16:2", tag), CISTERN_NOT_FOUND, &f->err,
                "by remover@here: bad labels; it has 1, 3 and alias latest");
    snprintf(text, sizeof text, "vgg16@sha256:%s", two.sha256);
    assert_says(fixture_resolve(f, text, tag), CISTERN_NOT_FOUND, &f->err, "version 2 of vgg16 was removed");
}

static void an_alias_at_a_removed_version_says_so(void **state)
{
    fixture *f = *state;
    three_versions(f);
    assert_ok(fixture_remove(f, "vgg16", "3", true), &f->err);
    assert_says(fixture_resolve(f, "vgg16", tag), CISTERN_NOT_FOUND, &f->err,
                "vgg16:latest is version 3, which was removed on");
    assert_says(fixture_resolve(f, "vgg16", tag), CISTERN_NOT_FOUND, &f->err,
                "cistern tag vgg16:VERSION latest");
}

static void an_alias_at_nothing_is_damage(void **state)
{
    fixture *f = *state;
    three_versions(f);
    assert_int_equal(unlinkat(f->dir.fd, "models/vgg16/versions/3.json", 0), 0);
    assert_says(fixture_resolve(f, "vgg16", tag), CISTERN_DAMAGED, &f->err,
                "models/vgg16/aliases/latest/00000003.json names version 3, which is not there");
}

static void a_damaged_version_does_not_hide_the_others(void **state)
{
    fixture *f = *state;
    char text[200];
    catalog_file one = fixture_file("one");
    three_versions(f);
    fixture_put(f, "models/vgg16/versions/2.json", "{", 1);
    assert_ok(fixture_resolve(f, "vgg16", tag), &f->err);
    snprintf(text, sizeof text, "vgg16@sha256:%s", one.sha256);
    assert_ok(fixture_resolve(f, text, tag), &f->err);
    assert_says(fixture_resolve(f, "vgg16:2", tag), CISTERN_DAMAGED, &f->err, "models/vgg16/versions/2.json");
    assert_says(fixture_resolve(f, "vgg16@sha256:00000000", tag), CISTERN_DAMAGED, &f->err,
                "models/vgg16/versions/2.json");
}

static void a_model_without_versions_says_so(void **state)
{
    fixture *f = *state;
    catalog_model model;
    assert_ok(catalog_model_ensure(f->s, "vgg16", &model, &f->err), &f->err);
    assert_says(fixture_resolve(f, "vgg16:1", tag), CISTERN_NOT_FOUND, &f->err, "it has no versions");
}

static void a_version_is_what_a_tag_means_should_both_exist(void **state)
{
    fixture *f = *state;
    three_versions(f);
    fixture_add(f, "vgg16", "both", "four", "both");
    char *move = fixture_get(f, "models/vgg16/aliases/latest/00000001.json");
    assert_int_equal(mkdirat(f->dir.fd, "models/vgg16/aliases/both", 0700), 0);
    fixture_put(f, "models/vgg16/aliases/both/00000001.json", move, strlen(move));
    fixture_edit(f, "models/vgg16/aliases/both/00000001.json", "\"alias\":\"latest\"", "\"alias\":\"both\"");
    assert_ok(fixture_resolve(f, "vgg16:both", tag), &f->err);
    assert_string_equal(tag, "both");
    free(move);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        FIXTURE_TEST(no_tag_means_latest),
        FIXTURE_TEST(a_tag_is_a_version_or_an_alias),
        FIXTURE_TEST(the_alias_that_was_used_is_told),
        FIXTURE_TEST(a_digest_finds_its_version),
        FIXTURE_TEST(of_several_with_one_digest_the_newest_is_meant),
        FIXTURE_TEST(a_short_digest_that_fits_two_is_refused),
        FIXTURE_TEST(a_tag_and_a_digest_must_agree),
        FIXTURE_TEST(an_unknown_version_lists_what_exists),
        FIXTURE_TEST(of_many_versions_the_last_are_listed),
        FIXTURE_TEST(an_unknown_model_names_similar_ones),
        FIXTURE_TEST(a_removed_version_says_when_and_by_whom),
        FIXTURE_TEST(an_alias_at_a_removed_version_says_so),
        FIXTURE_TEST(an_alias_at_nothing_is_damage),
        FIXTURE_TEST(a_damaged_version_does_not_hide_the_others),
        FIXTURE_TEST(a_model_without_versions_says_so),
        FIXTURE_TEST(a_version_is_what_a_tag_means_should_both_exist),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
