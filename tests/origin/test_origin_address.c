/* What people type as an origin. */
#include <sys/stat.h>
#include "cistern_test.h"
#include "origin_address.h"
#include "temp_dir.h"

static temp_dir dir;
static char real[512]; /* the scratch directory with its own links resolved */

static int start(void **state)
{
    (void)state;
    temp_dir_make(&dir);
    char link[64];
    snprintf(link, sizeof link, "/proc/self/fd/%d", dir.fd);
    ssize_t n = readlink(link, real, sizeof real - 1);
    assert_true(n > 0);
    real[n] = '\0';
    assert_int_equal(mkdir(temp_dir_path(&dir, "d"), 0700), 0);
    assert_int_equal(symlink("d", temp_dir_path(&dir, "l")), 0);
    return 0;
}

static int stop(void **state)
{
    (void)state;
    temp_dir_remove(&dir);
    return 0;
}

static origin_address *parse(const char *text)
{
    origin_address *address = NULL;
    cistern_error err = CISTERN_ERROR_INIT;
    assert_ok(origin_address_parse(text, &address, &err), &err);
    return address;
}

static void a_url_keeps_its_secrets_to_itself(void **state)
{
    (void)state;
    origin_address *a = parse("HTTPS://me:secret@Host:443/m/./VGG16-397923AF.pth?sig=x#y");
    assert_int_equal(origin_address_kind(a), ORIGIN_HTTP);
    assert_string_equal(origin_address_normalised(a), "https://host/m/VGG16-397923AF.pth");
    assert_string_equal(origin_address_shown(a), "https://host/m/VGG16-397923AF.pth");
    assert_string_equal(origin_address_file_name(a), "VGG16-397923AF.pth");
    assert_null(origin_address_path(a));
    assert_string_equal(origin_address_prefix(a), "397923af");
    origin_address_free(a);
}

static void names_by_default(void **state)
{
    static const struct {
        const char *url, *name;
    } rows[] = {{"http://h/vgg16-397923af.pth", "vgg16"},
                {"http://h/VGG16_bn-6c64b313.PTH", "vgg16_bn"},
                {"http://h/a/b/model.safetensors?x=1", "model"},
                {"http://h/digits", "digits"},
                {"http://h/vgg-20240101.pth", "vgg"},
                {"http://h/vgg-20240101", "vgg"},
                {"http://h/vgg11-digits.v2.pth", "vgg11-digits.v2"},
                {"http://h/vgg-397923a.pth", "vgg-397923a"}, /* seven digits */
                {"http://h/vgg-0397923af.pth", "vgg-0397923af"}};
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char *name = NULL;
        cistern_error err = CISTERN_ERROR_INIT;
        origin_address *a = parse(rows[i].url);
        assert_ok(origin_address_default_name(a, &name, &err), &err);
        assert_string_equal(name, rows[i].name);
        free(name);
        origin_address_free(a);
    }
}

static void what_gives_no_name_asks_for_one(void **state)
{
    static const char *const urls[] = {"http://h",
                                       "http://h/",
                                       "http://h/a%20b.pth",
                                       "http://h/a%2fb.pth",
                                       "http://h/-12345678.pth",
                                       "http://h/.pth",
                                       "http://h/a--b.pth",
                                       "http://h/a_.pth",
                                       "http://h/mod%C3%A8le.pth",
                                       "http://h/hf.pth",
                                       "http://h/http"};
    (void)state;
    for (size_t i = 0; i < sizeof urls / sizeof urls[0]; i++) {
        char *name = NULL;
        cistern_error err = CISTERN_ERROR_INIT;
        origin_address *a = parse(urls[i]);
        assert_says(origin_address_default_name(a, &name, &err), CISTERN_USAGE, &err, "--as");
        assert_null(name);
        origin_address_free(a);
    }
}

static void digest_prefixes_of_names(void **state)
{
    static const struct {
        const char *url, *prefix;
    } rows[] = {{"http://h/vgg16-397923af.pth", "397923af"},
                {"http://h/x-0123abcd.pt", "0123abcd"},
                {"http://h/x-0123abcd.PT?a=b", "0123abcd"},
                {"http://h/x-0123abcd.bin", NULL},
                {"http://h/x-0123abc.pth", NULL},
                {"http://h/x-0123abcde.pth", NULL},
                {"http://h/x0123abcd.pth", NULL},
                {"http://h/x-0123abcg.pth", NULL},
                {"http://h/-0123abcd.pth", NULL},
                {"http://h/x-0123abcd.pth/", NULL},
                {"http://h/x?f=x-0123abcd.pth", NULL}};
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        origin_address *a = parse(rows[i].url);
        if (rows[i].prefix == NULL)
            assert_null(origin_address_prefix(a));
        else
            assert_string_equal(origin_address_prefix(a), rows[i].prefix);
        origin_address_free(a);
    }
}

/* One file of the scratch directory, in many spellings. */
static void one_file_has_one_address(void **state)
{
    char text[2048], wanted[1024];
    (void)state;
    snprintf(wanted, sizeof wanted, "file://%s/d/a%%20b%%25-0123abcd.pth", real);
    const char *const spellings[] = {"%s/d/a b%%-0123abcd.pth",
                                     "%s/l/a b%%-0123abcd.pth",
                                     "%s/l/../d/./a b%%-0123abcd.pth",
                                     "%s//d//a b%%-0123abcd.pth",
                                     "file:%s/d/a b%%-0123abcd.pth",
                                     "file://%s/d/a%%20b%%25-0123abcd.pth",
                                     "file://localhost%s/l/a%%20b%%25-0123abcd.pth"};
    for (size_t i = 0; i < sizeof spellings / sizeof spellings[0]; i++) {
        /* "%%" of the table is one percent sign; the directory stands for %s. */
        char *out = text;
        for (const char *c = spellings[i]; *c != '\0'; c++) {
            if (c[0] == '%' && c[1] == 's')
                out += sprintf(out, "%s", dir.path), c++;
            else if (c[0] == '%' && c[1] == '%')
                *out++ = '%', c++;
            else
                *out++ = *c;
        }
        *out = '\0';
        origin_address *a = parse(text);
        assert_int_equal(origin_address_kind(a), ORIGIN_FILE);
        assert_string_equal(origin_address_normalised(a), wanted);
        assert_string_equal(origin_address_file_name(a), "a b%-0123abcd.pth");
        assert_string_equal(origin_address_prefix(a), "0123abcd");
        snprintf(text, sizeof text, "%s/d/a b%%-0123abcd.pth", real);
        assert_string_equal(origin_address_path(a), text);
        assert_string_equal(origin_address_shown(a), text);
        origin_address_free(a);
    }
}

static void relative_paths_become_absolute(void **state)
{
    char before[512];
    (void)state;
    assert_non_null(getcwd(before, sizeof before));
    assert_int_equal(chdir(temp_dir_path(&dir, "d")), 0);
    const char *const spellings[] = {"x.pth", "./x.pth", "../l/x.pth", "file:x.pth"};
    for (size_t i = 0; i < 4; i++) {
        char wanted[1024];
        origin_address *a = parse(spellings[i]);
        snprintf(wanted, sizeof wanted, "%s/d/x.pth", real);
        assert_string_equal(origin_address_path(a), wanted);
        origin_address_free(a);
    }
    assert_int_equal(chdir(before), 0);
    origin_address *a = parse("/x.pth");
    assert_string_equal(origin_address_normalised(a), "file:///x.pth");
    origin_address_free(a);
}

static void a_path_may_look_like_anything(void **state)
{
    char before[512];
    origin_address *a = NULL;
    (void)state;
    assert_non_null(getcwd(before, sizeof before));
    assert_int_equal(chdir(dir.path), 0);
    assert_int_equal(origin_address_of_path("hf:x.pth", &a, NULL), CISTERN_OK);
    assert_int_equal(origin_address_kind(a), ORIGIN_FILE);
    assert_string_equal(origin_address_file_name(a), "hf:x.pth");
    origin_address_free(a);
    assert_int_equal(chdir(before), 0);
}

static void what_is_no_file_of_this_machine(void **state)
{
    origin_address *a = NULL;
    char text[1024];
    cistern_error err = CISTERN_ERROR_INIT;
    (void)state;
    assert_says(origin_address_parse("file://host/x.pth", &a, &err), CISTERN_USAGE, &err, "another machine");
    assert_fails(origin_address_parse("file://", &a, &err), CISTERN_USAGE, &err);
    assert_fails(origin_address_parse("file:", &a, &err), CISTERN_USAGE, &err);
    assert_fails(origin_address_parse("file:///x%2", &a, &err), CISTERN_USAGE, &err);
    assert_fails(origin_address_parse("file:///x%00y", &a, &err), CISTERN_USAGE, &err);
    assert_says(origin_address_parse("file:///x?y", &a, &err), CISTERN_USAGE, &err, "%3F");
    assert_fails(origin_address_parse("/tmp/", &a, &err), CISTERN_USAGE, &err);
    assert_fails(origin_address_parse("/tmp/..", &a, &err), CISTERN_USAGE, &err);
    assert_fails(origin_address_parse("", &a, &err), CISTERN_USAGE, &err);
    snprintf(text, sizeof text, "%s/none/x.pth", dir.path);
    assert_says(origin_address_parse(text, &a, &err), CISTERN_NOT_FOUND, &err, "none");
    assert_null(a);
}

static void hubs_and_buckets_are_refused_by_name(void **state)
{
    static const char *const texts[] = {"hf:a/b", "gs://b/k", "az://a/c/k", "oci://r/m:1", "HF:a/b"};
    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        origin_address *a = NULL;
        cistern_error err = CISTERN_ERROR_INIT;
        assert_true(origin_address_is(texts[i]));
        assert_says(origin_address_parse(texts[i], &a, &err), CISTERN_USAGE, &err,
                    "not supported by this version");
    }
    origin_address *a = NULL;
    cistern_error err = CISTERN_ERROR_INIT;
    assert_says(origin_address_parse("ftp://h/x", &a, &err), CISTERN_USAGE, &err, "ftp");
}

static void published_names_stand_for_their_addresses(void **state)
{
    origin_address *a = NULL;
    cistern_error err = CISTERN_ERROR_INIT;
    char *name = NULL;
    (void)state;
    assert_ok(origin_address_parse("torchvision:vgg16", &a, &err), &err);
    assert_string_equal(origin_address_normalised(a),
                        "https://download.pytorch.org/models/vgg16-397923af.pth");
    assert_string_equal(origin_address_prefix(a), "397923af");
    assert_string_equal(origin_address_published(a)->model, "vgg16");
    assert_ok(origin_address_default_name(a, &name, &err), &err);
    assert_string_equal(name, "vgg16");
    free(name);
    origin_address_free(a);
    assert_ok(origin_address_parse("Torchvision:vgg16.IMAGENET1K_FEATURES", &a, &err), &err);
    assert_string_equal(origin_address_prefix(a), "88682ab5");
    assert_ok(origin_address_default_name(a, &name, &err), &err);
    assert_string_equal(name,
                        "vgg16_features-amdegroot"); /* not the name of the model that has a classifier */
    free(name);
    origin_address_free(a);
    assert_ok(origin_address_parse("https://DOWNLOAD.pytorch.org/models/vgg19-dcbb9e9d.pth#x", &a, &err),
              &err);
    assert_string_equal(origin_address_published(a)->model, "vgg19"); /* the address itself says the same */
    origin_address_free(a);
    assert_ok(origin_address_parse("https://download.pytorch.org/models/resnet18-f37072fd.pth", &a, &err),
              &err);
    assert_null(origin_address_published(a));
    origin_address_free(a);
    a = NULL;
    assert_says(origin_address_parse("torchvision:resnet50", &a, &err), CISTERN_NOT_FOUND, &err,
                "vgg11, vgg11_bn, vgg13");
    assert_says(origin_address_parse("keras:vgg11", &a, &err), CISTERN_NOT_FOUND, &err, "vgg19.notop");
    assert_null(a);
    assert_ok(origin_address_parse("keras:vgg16.notop", &a, &err), &err);
    assert_string_equal(origin_address_file_name(a), "vgg16_weights_tf_dim_ordering_tf_kernels_notop.h5");
    assert_null(origin_address_prefix(a));
    assert_ok(origin_address_default_name(a, &name, &err), &err);
    assert_string_equal(name, "vgg16_notop");
    free(name);
    origin_address_free(a);
}

static void addresses_and_references_are_told_apart(void **state)
{
    static const char *const addresses[] = {"http://h/x", "HTTPS://h", "file:x", "/x", "./x", "../x", "~/x"};
    static const char *const others[] = {"vgg16", "vgg16:3", "team/vgg16:latest", "x.pth", "httpd:3",
                                         "",      ".x"};
    (void)state;
    for (size_t i = 0; i < 7; i++) {
        assert_true(origin_address_is(addresses[i]));
        assert_false(origin_address_is(others[i]));
    }
}

static void the_config_lies_beside(void **state)
{
    static const struct {
        const char *url, *config;
    } rows[] = {{"http://h/m/vgg.pth", "http://h/m/config.json"},
                {"http://h/m/", "http://h/m/config.json"},
                {"http://h", "http://h/config.json"},
                {"http://h#a/b", "http://h/config.json"},
                {"http://u:p@h/m/vgg.pth#x/y", "http://h/m/config.json"},
                {"http://h/m/vgg.pth?", "http://h/m/config.json"},
                {"http://h/m/vgg.pth?a=/b", NULL},
                {"http://h/m/vgg.pth?sig=s", NULL}};
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        origin_address *a = parse(rows[i].url), *config = NULL;
        cistern_error err = CISTERN_ERROR_INIT;
        assert_ok(origin_address_config(a, &config, &err), &err);
        if (rows[i].config == NULL)
            assert_null(config);
        else
            assert_string_equal(origin_address_normalised(config), rows[i].config);
        origin_address_free(config);
        origin_address_free(a);
    }
    char text[1024];
    origin_address *config = NULL;
    snprintf(text, sizeof text, "%s/l/x?y#z.pth", dir.path);
    origin_address *a = parse(text);
    assert_int_equal(origin_address_config(a, &config, NULL), CISTERN_OK);
    snprintf(text, sizeof text, "%s/d/config.json", real);
    assert_string_equal(origin_address_path(config), text);
    origin_address_free(config);
    origin_address_free(a);
}

static void sources_of_all_kinds(void **state)
{
    origin_access access = {NULL, NULL};
    net_source *src = NULL;
    net_answer answer;
    char text[1024];
    (void)state;
    assert_int_equal(net_client_new(NULL, &access.client, NULL), CISTERN_OK);
    FILE *file = fopen(temp_dir_path(&dir, "five"), "wb");
    assert_non_null(file);
    fputs("12345", file);
    fclose(file);
    snprintf(text, sizeof text, "%s/five", dir.path);
    origin_address *a = parse(text);
    assert_int_equal(origin_address_source(a, &access, &src, NULL), CISTERN_OK);
    assert_int_equal(net_source_stat(src, NULL, &answer, NULL), CISTERN_OK);
    assert_int_equal(answer.stat.size, 5);
    net_source_free(src);
    origin_address_free(a);
    a = parse("http://u:p@h/x?token=1");
    assert_int_equal(origin_address_source(a, &access, &src, NULL), CISTERN_OK);
    assert_string_equal(net_source_shown(src), "http://h/x");
    net_source_free(src);
    origin_address_free(a);
    a = parse("S3://b/dir/x.pth");
    assert_int_equal(origin_address_source(a, &access, &src, NULL), CISTERN_OK);
    assert_string_equal(net_source_shown(src), "s3://b/dir/x.pth");
    net_source_free(src);
    origin_address_free(a);
    net_client_free(access.client);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_url_keeps_its_secrets_to_itself),
        cmocka_unit_test(names_by_default),
        cmocka_unit_test(what_gives_no_name_asks_for_one),
        cmocka_unit_test(digest_prefixes_of_names),
        cmocka_unit_test(one_file_has_one_address),
        cmocka_unit_test(relative_paths_become_absolute),
        cmocka_unit_test(a_path_may_look_like_anything),
        cmocka_unit_test(what_is_no_file_of_this_machine),
        cmocka_unit_test(hubs_and_buckets_are_refused_by_name),
        cmocka_unit_test(published_names_stand_for_their_addresses),
        cmocka_unit_test(addresses_and_references_are_told_apart),
        cmocka_unit_test(the_config_lies_beside),
        cmocka_unit_test(sources_of_all_kinds),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
