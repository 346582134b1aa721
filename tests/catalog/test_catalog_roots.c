/* What the documents refer to, and pins. */
#include "catalog_fixture.h"

#include "catalog_pin.h"
#include "catalog_roots.h"

#define WEEK_NS ((int64_t)7 * 86400 * 1000000000)

static bool is_root(fixture *f, int64_t keep_ns, const char *text)
{
    catalog_roots roots;
    catalog_file file = fixture_file(text);
    base_digest digest;
    assert_true(base_digest_parse(file.sha256, &digest));
    catalog_roots_init(&roots);
    assert_ok(catalog_roots_read(f->s, keep_ns, &roots, &f->err), &f->err);
    bool has = base_digests_has(&roots.blobs, &digest);
    /* of one file the version's digest is the file's */
    assert_int_equal(has, base_digests_has(&roots.versions, &digest));
    catalog_roots_clear(&roots);
    return has;
}

static void live_versions_are_roots_whoever_they_belong_to(void **state)
{
    fixture *f = *state;
    catalog_roots roots;
    fixture_add(f, "vgg16", NULL, "one", "1");
    fixture_add(f, "vgg16", NULL, "two", "2");
    fixture_add(f, "team/vgg19", "release", "one", "release");
    assert_true(is_root(f, 0, "one") && is_root(f, 0, "two"));
    assert_false(is_root(f, 0, "three"));
    catalog_roots_init(&roots);
    assert_ok(catalog_roots_read(f->s, 0, &roots, &f->err), &f->err);
    assert_int_equal(roots.version_count, 3);
    assert_int_equal(roots.blobs.count, 2);
    catalog_roots_clear(&roots);
    assert_ok(fixture_remove(f, "vgg16", "1", false), &f->err);
    assert_true(is_root(f, 0, "one")); /* team/vgg19 has it still */
}

static void removed_versions_are_roots_for_a_while(void **state)
{
    fixture *f = *state;
    char path[600];
    struct timespec old[2] = {{.tv_sec = 1}, {.tv_sec = 1}};
    fixture_add(f, "vgg16", NULL, "one", "1");
    fixture_add(f, "vgg16", NULL, "two", "2");
    assert_ok(fixture_remove(f, "vgg16", "1", false), &f->err);
    assert_true(is_root(f, WEEK_NS, "one"));
    assert_false(is_root(f, 0, "one"));
    /* the file's age counts, not what stands in it */
    snprintf(path, sizeof path, "%s/models/vgg16/removed/1.json", f->dir.path);
    assert_int_equal(utimensat(AT_FDCWD, path, old, 0), 0);
    assert_false(is_root(f, WEEK_NS, "one"));
    assert_true(is_root(f, WEEK_NS, "two"));
}

static void a_pin_keeps_a_removed_version(void **state)
{
    fixture *f = *state;
    bool created = false, removed = false, has = false;
    fixture_add(f, "vgg16", NULL, "one", "1");
    fixture_add(f, "vgg16", NULL, "two", "2");
    assert_ok(catalog_pin_put(f->s, "vgg16", "1", "release", &created, &f->err), &f->err);
    assert_true(created);
    assert_ok(catalog_pin_put(f->s, "vgg16", "1", NULL, &created, &f->err), &f->err);
    assert_false(created);
    assert_ok(fixture_remove(f, "vgg16", "1", false), &f->err);
    assert_true(is_root(f, 0, "one"));
    assert_ok(catalog_pin_has(f->s, "vgg16", "2", &has, &f->err), &f->err);
    assert_false(has);
    assert_ok(catalog_pin_remove(f->s, "vgg16", "1", &removed, &f->err), &f->err);
    assert_true(removed);
    assert_ok(catalog_pin_remove(f->s, "vgg16", "1", &removed, &f->err), &f->err);
    assert_false(removed);
    assert_false(is_root(f, 0, "one"));
    assert_fails(catalog_pin_put(f->s, "nothing", "1", NULL, &created, &f->err), CISTERN_NOT_FOUND, &f->err);
    assert_fails(catalog_pin_put(f->s, "vgg16", "../1", NULL, &created, &f->err), CISTERN_USAGE, &f->err);
}

static void a_damaged_pin_still_pins(void **state)
{
    fixture *f = *state;
    bool created;
    fixture_add(f, "vgg16", NULL, "one", "1");
    assert_ok(catalog_pin_put(f->s, "vgg16", "1", NULL, &created, &f->err), &f->err);
    fixture_put(f, "models/vgg16/pins/1.json", "{", 1);
    assert_ok(fixture_remove(f, "vgg16", "1", true), &f->err);
    assert_true(is_root(f, 0, "one"));
}

static void refuses(fixture *f, const char *part)
{
    catalog_roots roots;
    catalog_roots_init(&roots);
    assert_says(catalog_roots_read(f->s, 0, &roots, &f->err), CISTERN_DAMAGED, &f->err, part);
    catalog_roots_clear(&roots);
}

static void what_cannot_be_read_ends_it(void **state)
{
    fixture *f = *state;
    fixture_add(f, "vgg16", NULL, "one", "1");
    fixture_add(f, "vgg19", NULL, "two", "1");
    fixture_put(f, "models/vgg19/versions/1.json", "{}", 2);
    refuses(f, "models/vgg19/versions/1.json");
    assert_ok(fixture_remove(f, "vgg19", "1", true), &f->err);
    assert_true(is_root(f, 0, "one")); /* what is of no account may be unreadable */
    fixture_put(f, "models/vgg16/versions/1.json", "", 0);
    refuses(f, "models/vgg16/versions/1.json");
}

static void versions_without_a_model_end_it(void **state)
{
    fixture *f = *state;
    char path[600];
    fixture_add(f, "vgg16", NULL, "one", "1");
    snprintf(path, sizeof path, "%s/models/vgg16/model.json", f->dir.path);
    assert_int_equal(unlink(path), 0);
    refuses(f, "vgg16");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        FIXTURE_TEST(live_versions_are_roots_whoever_they_belong_to),
        FIXTURE_TEST(removed_versions_are_roots_for_a_while),
        FIXTURE_TEST(a_pin_keeps_a_removed_version),
        FIXTURE_TEST(a_damaged_pin_still_pins),
        FIXTURE_TEST(what_cannot_be_read_ends_it),
        FIXTURE_TEST(versions_without_a_model_end_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
