/* Mirrors: which address is asked in place of which. */
#include <stdlib.h>

#include "net_fixture.h"
#include "net_mirror.h"

static const net_mirror pairs[] = {
    {"https://download.pytorch.org/", "http://mirror.lan:8080/torch/"},
    {"https://download.pytorch.org/models", "http://user:secret@fast.lan/m"},
    {"https://host/a", "https://b"},
    {"http://plain", "http://other/x/"},
};

static void asks(const char *url, const char *want)
{
    char *out = NULL;
    assert_int_equal(net_mirror_apply(pairs, 4, url, &out, NULL), CISTERN_OK);
    if (want)
        assert_string_equal(out, want);
    else
        assert_null(out);
    free(out);
}

static void longest_prefix_wins_and_ends_with_a_segment(void **state)
{
    (void)state;
    asks("https://download.pytorch.org/whl/x.whl", "http://mirror.lan:8080/torch/whl/x.whl");
    asks("https://download.pytorch.org/models/vgg16-397923af.pth",
         "http://user:secret@fast.lan/m/vgg16-397923af.pth");
    asks("https://download.pytorch.org/models", "http://user:secret@fast.lan/m");
    asks("https://download.pytorch.org/models2/x", "http://mirror.lan:8080/torch/models2/x");
    asks("https://download.pytorch.org.example/models/x", NULL);
    asks("http://download.pytorch.org/models/x", NULL);
    asks("https://host/ab", NULL);
    asks("https://host/a/b?c=d", "https://b/b?c=d");
    asks("https://host/a?c=d", "https://b?c=d");
    asks("http://plain/y", "http://other/x/y");
    asks("http://plain:81/y", NULL);
}

static void pairs_are_checked(void **state)
{
    char *prefix = NULL;
    cistern_error err = CISTERN_ERROR_INIT;
    (void)state;
    assert_int_equal(net_mirror_check("HTTPS://Host:443/a/../b", "http://m", &prefix, &err), CISTERN_OK);
    assert_string_equal(prefix, "https://host/b");
    free(prefix);
    prefix = NULL;
    assert_int_equal(net_mirror_check("ftp://host/", "http://m/", &prefix, &err), CISTERN_USAGE);
    assert_int_equal(net_mirror_check("https://host/", "/srv/mirror", &prefix, &err), CISTERN_USAGE);
    assert_int_equal(net_mirror_check("https://host/?a", "http://m/", &prefix, &err), CISTERN_USAGE);
    assert_int_equal(net_mirror_check("https://host/", "http://m/#a", &prefix, &err), CISTERN_USAGE);
    assert_int_equal(net_mirror_check("https://u:p@host/", "http://m/", &prefix, &err), CISTERN_USAGE);
    assert_null(prefix);
}

static net_client *client_with(const net_mirror *mirrors, size_t count)
{
    net_options options = fixture_options();
    net_client *client = NULL;
    options.tries = 1;
    options.mirrors = mirrors;
    options.mirror_count = count;
    assert_int_equal(net_client_new(&options, &client, NULL), CISTERN_OK);
    return client;
}

static void requests_go_to_the_mirror_without_the_secrets_of_the_address(void **state)
{
    net_fixture f = {0};
    char replacement[64];
    net_source *source = NULL;
    net_answer answer;
    cistern_error err = CISTERN_ERROR_INIT;
    (void)state;
    fixture_start(&f, NULL);
    snprintf(replacement, sizeof replacement, "http://127.0.0.1:%d", f.origin.port);
    net_mirror pair = {"https://published.example/models/", replacement};
    net_client *client = client_with(&pair, 1);
    assert_int_equal(net_http_source_new(client,
                                         "https://me:pass@published.example/models/a.bin?X-Amz-Signature=s",
                                         &source, &err),
                     CISTERN_OK);
    assert_string_equal(net_source_published(source), "https://published.example/models/a.bin");
    assert_int_equal(net_source_stat(source, NULL, &answer, &err), CISTERN_OK);
    assert_int_equal(answer.stat.size, FIXTURE_SIZE);
    assert_string_equal(answer.stat.file_name, "a.bin");
    net_source_free(source);
    char *stats = origin_process_control(&f.origin, "GET", "/__stats", "");
    assert_non_null(strstr(stats, "\"/a.bin\""));
    assert_null(strstr(stats, "Signature"));
    assert_null(strstr(stats, "authorization"));
    free(stats);
    net_client_free(client);
    fixture_stop(&f);
}

static void failures_name_both_addresses(void **state)
{
    net_fixture f = {0};
    char replacement[64], text[2048];
    net_source *source = NULL;
    net_answer answer;
    cistern_error err = CISTERN_ERROR_INIT;
    (void)state;
    fixture_start(&f, NULL);
    snprintf(replacement, sizeof replacement, "http://u:hush@127.0.0.1:%d/none/", f.origin.port);
    net_mirror pair = {"https://published.example", replacement};
    net_client *client = client_with(&pair, 1);
    assert_int_equal(net_http_source_new(client, "https://published.example/a.bin", &source, &err),
                     CISTERN_OK);
    assert_int_equal(net_source_stat(source, NULL, &answer, &err), CISTERN_NOT_FOUND);
    cistern_error_format(&err, text, sizeof text);
    assert_non_null(strstr(text, "https://published.example/a.bin, through its mirror"));
    assert_non_null(strstr(text, "/none/a.bin"));
    assert_null(strstr(text, "redirected"));
    assert_null(strstr(text, "hush"));
    net_source_free(source);
    net_client_free(client);
    fixture_stop(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(longest_prefix_wins_and_ends_with_a_segment),
        cmocka_unit_test(pairs_are_checked),
        cmocka_unit_test(requests_go_to_the_mirror_without_the_secrets_of_the_address),
        cmocka_unit_test(failures_name_both_addresses),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
