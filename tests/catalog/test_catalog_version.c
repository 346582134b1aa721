#include "catalog_fixture.h"
#include "base_json.h"

#define PATH  "models/vgg16/versions/1.json"
#define HEX64 "397923af8e79cdbb6a7127f12361acd7a2f83e06b05044ddf496e83de57a5bf0"

static cistern_status read_version(fixture *f, const char *tag, catalog_version *out, bool *found)
{
    catalog_version_init(out);
    return catalog_version_read(f->s, "vgg16", tag, out, found, &f->err);
}

/* The document of version 1 with one member set (value NULL: removed). */
static void put_with(fixture *f, const char *key, json_t *value)
{
    json_t *d = NULL;
    base_buf bytes;
    char *text = fixture_get(f, PATH);
    assert_ok(base_json_parse(text, strlen(text), BASE_JSON_STRICT, "it", &d, &f->err), &f->err);
    if (value)
        json_object_set_new(d, key, value);
    else
        json_object_del(d, key);
    base_buf_init(&bytes, 16u << 20);
    assert_ok(base_json_write(d, &bytes, &f->err), &f->err);
    fixture_put(f, PATH, bytes.data, bytes.len);
    base_buf_clear(&bytes);
    json_decref(d);
    free(text);
}

static void one_file_gives_its_digest(void **state)
{
    char digest[BASE_SHA256_HEX];
    catalog_file file = {.path = "a", .sha256 = HEX64};
    (void)state;
    assert_ok(catalog_version_digest(&file, 1, digest, NULL), NULL);
    assert_string_equal(digest, HEX64);
}

/* printf x > "b/x"; printf y > "a y"; printf x > "c"; sha256sum … | LC_ALL=C sort | sha256sum */
static void several_files_give_the_digest_of_their_sorted_sha256sum_lines(void **state)
{
    char digest[BASE_SHA256_HEX];
    catalog_file files[3];
    (void)state;
    files[0] = fixture_file("x");
    files[0].path = "c";
    files[1] = fixture_file("y");
    files[1].path = "a y";
    files[2] = fixture_file("x");
    files[2].path = "b/x";
    assert_ok(catalog_version_digest(files, 3, digest, NULL), NULL);
    assert_string_equal(digest, "558574704c69653480ecc2dccc21df11955931cc680fe883d74d0eb8b6888fd8");
}

static void what_was_published_is_read_back(void **state)
{
    fixture *f = *state;
    catalog_version v;
    catalog_published done;
    bool found = false;
    char text[CATALOG_REFERENCE_TEXT_MAX];
    catalog_file file = fixture_file("one");
    assert_ok(fixture_publish(f->s, "vgg16", NULL, "one", "file:/x.pth", &done, &f->err), &f->err);
    assert_ok(read_version(f, "1", &v, &found), &f->err);
    assert_true(found);
    assert_string_equal(v.name, "vgg16");
    assert_string_equal(v.tag, "1");
    assert_string_equal(v.digest, file.sha256);
    assert_int_equal(v.file_count, 1);
    assert_string_equal(v.files[0].path, "vgg16.pth");
    assert_string_equal(v.files[0].chunks_sha256, file.sha256);
    assert_int_equal(v.size, 3);
    assert_string_equal(v.origin, "file:/x.pth");
    assert_string_equal(v.who, "tester@here");
    assert_string_equal(v.id, done.version.id);
    catalog_version_text(&v, text);
    assert_int_equal(strncmp(text, "vgg16:1@sha256:", 15), 0);
    catalog_version_clear(&v);
    catalog_version_clear(&done.version);
}

static void facts_come_back_with_their_sources(void **state)
{
    fixture *f = *state;
    catalog_published done;
    catalog_file file = fixture_file("one");
    model_facts facts, back;
    bool same = false;
    model_facts_init(&facts);
    assert_ok(model_facts_set_architecture(&facts, "vgg13_bn", MODEL_FACT_FLAG, &f->err), &f->err);
    assert_ok(model_facts_set_preset(&facts, "torchvision", MODEL_FACT_FLAG, &f->err), &f->err);
    catalog_publication p = {.name = "vgg16", .files = &file, .file_count = 1, .facts = &facts};
    assert_ok(catalog_publish(f->s, &p, &done, &f->err), &f->err);
    assert_ok(catalog_version_facts(&done.version, &back, &f->err), &f->err);
    assert_true(model_facts_equal(&facts, &back));
    assert_int_equal(back.architecture_source, MODEL_FACT_FLAG);
    assert_ok(catalog_version_same_declared(&done.version, &facts, &same, &f->err), &f->err);
    assert_true(same);
    model_facts_clear(&facts);
    model_facts_init(&facts);
    assert_ok(catalog_version_same_declared(&done.version, &facts, &same, &f->err), &f->err);
    assert_false(same);
    model_facts_clear(&facts);
    model_facts_clear(&back);
    catalog_version_clear(&done.version);
}

static void an_absent_version_or_model_is_not_found_and_no_error(void **state)
{
    fixture *f = *state;
    catalog_version v;
    bool found = true;
    assert_ok(read_version(f, "1", &v, &found), &f->err);
    assert_false(found);
    fixture_add(f, "vgg16", NULL, "one", "1");
    found = true;
    assert_ok(read_version(f, "2", &v, &found), &f->err);
    assert_false(found);
    assert_int_equal(f->err.status, CISTERN_OK);
}

static void unknown_fields_are_kept(void **state)
{
    fixture *f = *state;
    catalog_version v;
    bool found = false;
    fixture_add(f, "vgg16", NULL, "one", "1");
    put_with(f, "signatures", json_pack("[s]", "abc"));
    assert_ok(read_version(f, "1", &v, &found), &f->err);
    assert_int_equal(json_array_size(json_object_get(v.document, "signatures")), 1);
    catalog_version_clear(&v);
}

static void damaged(fixture *f, const char *says)
{
    catalog_version v;
    bool found = false;
    assert_says(read_version(f, "1", &v, &found), CISTERN_DAMAGED, &f->err, says);
    assert_says(read_version(f, "1", &v, &found), CISTERN_DAMAGED, &f->err, PATH);
    assert_null(v.document);
    assert_false(found);
}

static json_t *files_with(const char *path, const char *sha256, json_t *size)
{
    return json_pack("[{s:s, s:s, s:o}]", "path", path, "sha256", sha256, "size", size);
}

static void hostile_fields_are_damage_named_by_path(void **state)
{
    fixture *f = *state;
    const struct {
        const char *key;
        json_t *value;
        const char *says;
    } cases[] = {
        {"name", json_string("vgg19"), "it belongs elsewhere"},
        {"name", json_integer(5), "'name'"},
        {"version", json_string("2"), "it belongs elsewhere"},
        {"version", NULL, "'version'"},
        {"id", json_string("short"), "32 lower-case"},
        {"id", json_string("0123456789ABCDEF0123456789ABCDEF"), "32 lower-case"},
        {"lineage", json_string("../../../../../../../../../../x"), "32 lower-case"},
        {"sequence", json_integer(-1), "'sequence'"},
        {"sequence", json_string("1"), "'sequence'"},
        {"who", json_string("a\nb"), "control character"},
        {"who", NULL, "'who'"},
        {"when", json_array(), "'when'"},
        {"origin", json_integer(1), "'origin'"},
        {"facts", json_array(), "'facts' is no object"},
        {"facts", NULL, "'facts' is no object"},
        {"files", json_object(), "no list of 1 to 4096"},
        {"files", json_array(), "no list of 1 to 4096"},
        {"files", json_pack("[i]", 1), "is no object"},
        {"files", files_with("x", "", json_integer(1)), "64 lower-case"},
        {"files", files_with("x", "sha256:../../x", json_integer(1)), "64 lower-case"},
        {"files", files_with("x", HEX64 "0", json_integer(1)), "64 lower-case"},
        {"files", files_with("x", &HEX64[1], json_integer(1)), "64 lower-case"},
        {"files",
         files_with("x", "397923AF8E79CDBB6A7127F12361ACD7A2F83E06B05044DDF496E83DE57A5BF0", json_integer(1)),
         "64 lower-case"},
        {"files", files_with("../x", HEX64, json_integer(1)), "must be relative"},
        {"files", files_with("/etc/passwd", HEX64, json_integer(1)), "must be relative"},
        {"files", files_with("a//b", HEX64, json_integer(1)), "must be relative"},
        {"files", files_with("a/./b", HEX64, json_integer(1)), "must be relative"},
        {"files", files_with("", HEX64, json_integer(1)), "empty"},
        {"files", files_with("a\\b", HEX64, json_integer(1)), "backslash"},
        {"files", files_with("a\x1b[2J", HEX64, json_integer(1)), "control character"},
        {"files", files_with("x", HEX64, json_integer(-1)), "'size'"},
        {"files", files_with("x", HEX64, json_string("1")), "'size'"},
        {"format", json_integer(2), "use a newer cistern"},
        {"format", NULL, "'format'"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        temp_dir_remove(&f->dir);
        store_free(f->s);
        temp_dir_make(&f->dir);
        assert_ok(store_init(f->dir.path, STORE_HOME, STORE_SHARING_USER, NULL, &f->s, NULL, &f->err),
                  &f->err);
        fixture_add(f, "vgg16", NULL, "one", "1");
        put_with(f, cases[i].key, cases[i].value);
        damaged(f, cases[i].says);
    }
}

static void text_of_any_language_is_kept_and_control_characters_are_not(void **state)
{
    fixture *f = *state;
    catalog_version v;
    bool found = false;
    fixture_add(f, "vgg16", NULL, "one", "1");
    put_with(f, "who", json_string("J\xc3\xbcrgen \xc2\xa9 \xe6\xa8\xa1\xe5\x9e\x8b"));
    assert_ok(read_version(f, "1", &v, &found), &f->err);
    assert_string_equal(v.who, "J\xc3\xbcrgen \xc2\xa9 \xe6\xa8\xa1\xe5\x9e\x8b");
    catalog_version_clear(&v);
    put_with(f, "who",
             json_string("a\xc2\x9b"
                         "31m")); /* U+009B begins an escape sequence of one character */
    damaged(f, "control character");
    put_with(f, "who", json_string("a\x7f"));
    damaged(f, "control character");
}

static void two_paths_that_fold_to_one_are_damage(void **state)
{
    fixture *f = *state;
    fixture_add(f, "vgg16", NULL, "one", "1");
    put_with(f, "files",
             json_pack("[{s:s, s:s, s:i}, {s:s, s:s, s:i}]", "path", "Model.pth", "sha256", HEX64, "size", 1,
                       "path", "model.PTH", "sha256", HEX64, "size", 1));
    damaged(f, "where case is folded");
}

static void too_many_files_are_damage(void **state)
{
    fixture *f = *state;
    json_t *files = json_array();
    for (int i = 0; i <= CATALOG_FILES_MAX; i++) {
        char path[16];
        snprintf(path, sizeof path, "%d", i);
        json_array_append_new(files, json_pack("{s:s, s:s, s:i}", "path", path, "sha256", HEX64, "size", 1));
    }
    fixture_add(f, "vgg16", NULL, "one", "1");
    put_with(f, "files", files);
    damaged(f, "no list of 1 to 4096");
}

static void hostile_bytes_are_damage_named_by_path(void **state)
{
    fixture *f = *state;
    char *deep = malloc(200001);
    size_t big = ((size_t)4 << 20) + 1;
    char *huge = malloc(big);
    assert_non_null(deep);
    assert_non_null(huge);
    memset(deep, '[', 200000);
    memset(huge, ' ', big);
    fixture_add(f, "vgg16", NULL, "one", "1");
    fixture_put(f, PATH, "", 0);
    damaged(f, PATH);
    fixture_put(f, PATH, "{\"format\":1", 11);
    damaged(f, PATH);
    fixture_put(f, PATH, "{\"format\":1}{}", 14);
    damaged(f, PATH);
    fixture_put(f, PATH, "{\"format\":1,\"name\":\"a\",\"name\":\"vgg16\"}", 38);
    damaged(f, PATH);
    fixture_put(f, PATH, "{\"format\":1e0}", 14);
    damaged(f, PATH);
    fixture_put(f, PATH, "{\"format\":1,\"name\":\"\xff\"}", 23);
    damaged(f, PATH);
    fixture_put(f, PATH, deep, 200000);
    damaged(f, PATH);
    fixture_put(f, PATH, huge, big);
    damaged(f, PATH);
    free(deep);
    free(huge);
}

static void read_anything(fixture *f)
{
    catalog_version v;
    bool found = false;
    cistern_status st = read_version(f, "1", &v, &found);
    assert_true(st == CISTERN_OK || st == CISTERN_DAMAGED || st == CISTERN_CONFLICT);
    if (st == CISTERN_OK) { /* then all of it holds */
        assert_true(found && v.file_count == 1 && strlen(v.digest) == 64 && strlen(v.id) == 32);
        assert_ok(catalog_path_check(v.files[0].path, &f->err), &f->err);
    } else {
        assert_null(v.document);
    }
    catalog_version_clear(&v);
}

static void any_flipped_bit_or_cut_is_refused_or_harmless(void **state)
{
    fixture *f = *state;
    fixture_add(f, "vgg16", NULL, "one", "1");
    char *text = fixture_get(f, PATH);
    size_t n = strlen(text);
    assert_int_equal(fchmodat(f->dir.fd, PATH, 0600, 0), 0);
    int fd = openat(f->dir.fd, PATH, O_RDWR | O_CLOEXEC);
    assert_true(fd >= 0);
    for (size_t i = 0; i < n; i++) {
        for (int bit = 0; bit < 8; bit++) {
            char flipped = (char)(text[i] ^ (1 << bit));
            assert_int_equal(pwrite(fd, &flipped, 1, (off_t)i), 1);
            read_anything(f);
        }
        assert_int_equal(pwrite(fd, &text[i], 1, (off_t)i), 1);
    }
    assert_int_equal(ftruncate(fd, (off_t)n - 1), 0);
    read_anything(f); /* only the newline at the end is missing */
    for (size_t i = n - 1; i > 0; i--) {
        assert_int_equal(ftruncate(fd, (off_t)i - 1), 0);
        damaged(f, PATH);
    }
    close(fd);
    free(text);
}

static void a_document_of_another_lineage_is_a_conflict(void **state)
{
    fixture *f = *state;
    catalog_version v;
    bool found = false;
    fixture_add(f, "vgg16", NULL, "one", "1");
    put_with(f, "lineage", json_string("0123456789abcdef0123456789abcdef"));
    assert_says(read_version(f, "1", &v, &found), CISTERN_CONFLICT, &f->err, "another model of the name");
}

static void bad_facts_are_damage_when_they_are_asked_for(void **state)
{
    fixture *f = *state;
    catalog_version v;
    model_facts facts;
    bool found = false;
    fixture_add(f, "vgg16", NULL, "one", "1");
    put_with(f, "facts", json_pack("{s:s}", "classes", "many"));
    assert_ok(read_version(f, "1", &v, &found), &f->err);
    assert_says(catalog_version_facts(&v, &facts, &f->err), CISTERN_DAMAGED, &f->err, PATH);
    catalog_version_clear(&v);
}

static void a_directory_in_place_of_a_document_is_damage(void **state)
{
    fixture *f = *state;
    catalog_version v;
    bool found = false;
    fixture_add(f, "vgg16", NULL, "one", "1");
    assert_int_equal(mkdirat(f->dir.fd, "models/vgg16/versions/2.json", 0700), 0);
    assert_fails(read_version(f, "2", &v, &found), CISTERN_DAMAGED, &f->err);
    assert_int_equal(mkfifoat(f->dir.fd, "models/vgg16/versions/3.json", 0600), 0);
    assert_fails(read_version(f, "3", &v, &found), CISTERN_DAMAGED, &f->err);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_file_gives_its_digest),
        cmocka_unit_test(several_files_give_the_digest_of_their_sorted_sha256sum_lines),
        FIXTURE_TEST(what_was_published_is_read_back),
        FIXTURE_TEST(facts_come_back_with_their_sources),
        FIXTURE_TEST(an_absent_version_or_model_is_not_found_and_no_error),
        FIXTURE_TEST(unknown_fields_are_kept),
        FIXTURE_TEST(hostile_fields_are_damage_named_by_path),
        FIXTURE_TEST(text_of_any_language_is_kept_and_control_characters_are_not),
        FIXTURE_TEST(two_paths_that_fold_to_one_are_damage),
        FIXTURE_TEST(too_many_files_are_damage),
        FIXTURE_TEST(hostile_bytes_are_damage_named_by_path),
        FIXTURE_TEST(any_flipped_bit_or_cut_is_refused_or_harmless),
        FIXTURE_TEST(a_document_of_another_lineage_is_a_conflict),
        FIXTURE_TEST(bad_facts_are_damage_when_they_are_asked_for),
        FIXTURE_TEST(a_directory_in_place_of_a_document_is_damage),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
