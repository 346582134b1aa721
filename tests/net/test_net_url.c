/* URLs: what is accepted, the normalised form, what is never shown. */
#include "net_fixture.h"
#include "net_url.h"

static char *normalised(const char *text)
{
    net_url url;
    char *out = NULL;
    cistern_error err = CISTERN_ERROR_INIT;
    assert_ok(net_url_parse(text, &url, &err), &err);
    assert_ok(net_url_normalise(&url, &out, &err), &err);
    net_url_clear(&url);
    return out;
}

#define assert_normalised(text, wanted)                                                                      \
    do {                                                                                                     \
        char *got_ = normalised(text);                                                                       \
        assert_string_equal(got_, wanted);                                                                   \
        free(got_);                                                                                          \
    } while (0)

static void the_same_address_has_one_form(void **state)
{
    (void)state;
    assert_normalised("HTTP://Example.ORG/A/b.pth", "http://example.org/A/b.pth");
    assert_normalised("http://h:80/x", "http://h/x");
    assert_normalised("https://h:443/x", "https://h/x");
    assert_normalised("https://h:80/x", "https://h:80/x");
    assert_normalised("http://h:/x", "http://h/x");
    assert_normalised("http://h", "http://h/");
    assert_normalised("http://h?a=1", "http://h/?a=1");
    assert_normalised("http://h/x#part", "http://h/x");
    assert_normalised("http://h/x?", "http://h/x");
    assert_normalised("http://[::1]:8080/x", "http://[::1]:8080/x");
}

static void path_is_kept_but_for_dots_and_needless_escapes(void **state)
{
    (void)state;
    assert_normalised("http://h/a/./b/../c", "http://h/a/c");
    assert_normalised("http://h/a/..", "http://h/");
    assert_normalised("http://h/a/.", "http://h/a/");
    assert_normalised("http://h/../../a", "http://h/a");
    assert_normalised("http://h/a//b/", "http://h/a//b/");
    assert_normalised("http://h/%7Euser/%41%2e%2E/x", "http://h/~user/A../x");
    assert_normalised("http://h/a/%2e%2E/x", "http://h/x");
    assert_normalised("http://h/a%2fb%c3%a9", "http://h/a%2Fb%C3%A9");
    assert_normalised("http://h/\xc3\xa9 x", "http://h/%C3%A9%20x");
}

static void secrets_are_in_no_normalised_form(void **state)
{
    (void)state;
    assert_normalised("http://user:secret@h/x", "http://h/x");
    assert_normalised("https://b.s3/x?versionId=7&X-Amz-Signature=abc&X-Amz-Date=1&part=2",
                      "https://b.s3/x?versionId=7&part=2");
    assert_normalised("https://g/x?x-goog-signature=ab&generation=5", "https://g/x?generation=5");
    assert_normalised("https://a/x?sv=1&se=2026&sp=r&st=1&sr=b&sig=abc&keep=1", "https://a/x?keep=1");
    assert_normalised("https://a/x?sr=b&se=2", "https://a/x?sr=b&se=2");
    assert_normalised("https://c/x?Expires=1&Signature=s&Key-Pair-Id=K&Policy=p", "https://c/x");
    assert_normalised("https://c/x?Expires=1", "https://c/x?Expires=1");
    assert_normalised("https://c/x?AWSAccessKeyId=1&access_token=2&TOKEN=3&%74oken=4&a", "https://c/x?a");
    assert_normalised("https://c/x?&&a=1&&b=2&", "https://c/x?a=1&b=2");
}

static void a_key_is_hidden_but_still_tells_objects_apart(void **state)
{
    (void)state;
    char *a = normalised("https://h/get?key=one.pth&v=1"), *b = normalised("https://h/get?key=two.pth&v=1");
    assert_string_not_equal(a, b);
    assert_null(strstr(a, "one.pth"));
    assert_non_null(strstr(a, "&v=1"));
    free(a);
    free(b);
}

static void request_keeps_query_and_drops_user_info_and_fragment(void **state)
{
    (void)state;
    net_url url;
    char *text = NULL;
    assert_int_equal(net_url_parse("https://u:p@H:444/a/../b c?sig=x&y=%zz"
                                   "#f",
                                   &url, NULL),
                     CISTERN_USAGE); /* %zz */
    assert_int_equal(net_url_parse("https://u%40:p%3a@H:444/a/../b c?sig=x#f", &url, NULL), CISTERN_OK);
    assert_string_equal(url.user, "u@");
    assert_string_equal(url.password, "p:");
    assert_int_equal(url.port, 444);
    assert_true(url.tls);
    assert_int_equal(net_url_request(&url, &text, NULL), CISTERN_OK);
    assert_string_equal(text, "https://h:444/a/../b%20c?sig=x");
    free(text);
    net_url_clear(&url);
}

static void what_is_no_url_is_refused_and_not_quoted(void **state)
{
    static const char *const bad[] = {"",
                                      "ftp://h/x",
                                      "http:/h/x",
                                      "http://",
                                      "http:///x",
                                      "http://h:0/x",
                                      "http://h:65536/x",
                                      "http://h:99999999999999999999/x",
                                      "http://h:8a/x",
                                      "http://h h/x",
                                      "http://h\\x",
                                      "http://[::1/x",
                                      "http://[::g]/x",
                                      "http://\xc3\xa9/x",
                                      "http://u:hunter2%@h/x",
                                      "http://h/%",
                                      "http://h/%4",
                                      "http://h/a\nb",
                                      "http://h/\x7f"};
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        net_url url = {0};
        cistern_error err = CISTERN_ERROR_INIT;
        if (net_url_parse(bad[i], &url, &err) != CISTERN_USAGE)
            fail_msg("accepted: %s", bad[i]);
        assert_null(url.host);
        assert_silent(&err, "hunter2");
    }
}

static void a_url_longer_than_allowed_is_refused(void **state)
{
    (void)state;
    char *text = malloc(NET_URL_MAX + 2);
    net_url url;
    memset(text, 'a', NET_URL_MAX + 1);
    memcpy(text, "http://h/", 9);
    text[NET_URL_MAX + 1] = '\0';
    assert_int_equal(net_url_parse(text, &url, NULL), CISTERN_USAGE);
    text[NET_URL_MAX] = '\0';
    assert_int_equal(net_url_parse(text, &url, NULL), CISTERN_OK);
    net_url_clear(&url);
    free(text);
}

static void redaction_never_shows_what_it_cannot_read(void **state)
{
    char out[64];
    (void)state;
    net_url_redact("http://u:p@h/x?sig=1", out, sizeof out);
    assert_string_equal(out, "http://h/x");
    net_url_redact("http//u:p@h/x", out, sizeof out);
    assert_string_equal(out, "(unreadable URL)");
    net_url_redact("http://h/aaaaaaaaaaaaaaaaaaaaaaaaa", out, 12);
    assert_string_equal(out, "http://h/aa");
}

static void credentials_stay_on_their_server(void **state)
{
    static const char *const others[] = {"https://h/x", "http://h:81/x", "http://h.evil/x"};
    net_url a, b;
    (void)state;
    assert_int_equal(net_url_parse("http://h/x", &a, NULL), CISTERN_OK);
    assert_int_equal(net_url_parse("http://u:p@H:80/y", &b, NULL), CISTERN_OK);
    assert_true(net_url_same_server(&a, &b));
    net_url_clear(&b);
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(net_url_parse(others[i], &b, NULL), CISTERN_OK);
        assert_false(net_url_same_server(&a, &b));
        net_url_clear(&b);
    }
    net_url_clear(&a);
}

static void a_file_name_is_one_harmless_component(void **state)
{
    static const struct {
        const char *url, *name;
    } rows[] = {{"http://h/d/vgg16-397923af.pth?x=1", "vgg16-397923af.pth"},
                {"http://h/a%20b", "a b"},
                {"http://h/", ""},
                {"http://h/x%2f..%2fetc", "x_.._etc"},
                {"http://h/%2e%2e", ""},
                {"http://h/%1b[2J\xc3\xa9", "_[2J__"}};
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char name[NET_NAME_MAX];
        net_url url;
        assert_int_equal(net_url_parse(rows[i].url, &url, NULL), CISTERN_OK);
        net_url_file_name(&url, name, sizeof name);
        assert_string_equal(name, rows[i].name);
        net_url_clear(&url);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_same_address_has_one_form),
        cmocka_unit_test(path_is_kept_but_for_dots_and_needless_escapes),
        cmocka_unit_test(secrets_are_in_no_normalised_form),
        cmocka_unit_test(a_key_is_hidden_but_still_tells_objects_apart),
        cmocka_unit_test(request_keeps_query_and_drops_user_info_and_fragment),
        cmocka_unit_test(what_is_no_url_is_refused_and_not_quoted),
        cmocka_unit_test(a_url_longer_than_allowed_is_refused),
        cmocka_unit_test(redaction_never_shows_what_it_cannot_read),
        cmocka_unit_test(credentials_stay_on_their_server),
        cmocka_unit_test(a_file_name_is_one_harmless_component),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
