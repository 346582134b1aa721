/* Headers from a file and from netrc: what is understood, and to whom it goes. */
#include <stdlib.h>

#include "net_fixture.h"
#include "net_header.h"

static void sections_and_headers_are_understood(void **state)
{
    static const char text[] = "# tokens\n\n[https://Models.Example:8443/]\nAuthorization: Bearer a=b;c\r\n"
                               "  X-Team :x\n";
    static const char good[] = "; tokens\n[https://Models.Example:8443]\nAuthorization: Bearer a=b;c\r\n"
                               "  X-Team:  blue sky \n\n[http://plain]\nX-Team: red";
    net_headers headers = {0};
    cistern_error err = CISTERN_ERROR_INIT;
    (void)state;
    assert_int_equal(net_headers_parse(text, strlen(text), "h", &headers, &err), CISTERN_USAGE);
    assert_message(&err, "h: line 5"); /* a blank before the colon is no header */
    assert_int_equal(net_headers_parse(good, strlen(good), "h", &headers, &err), CISTERN_OK);
    assert_int_equal(headers.count, 3);
    assert_string_equal(headers.items[0].line, "Authorization: Bearer a=b;c");
    assert_string_equal(headers.items[0].server.host, "models.example");
    assert_int_equal(headers.items[0].server.port, 8443);
    assert_string_equal(headers.items[1].line, "X-Team: blue sky");
    assert_string_equal(headers.items[2].line, "X-Team: red");
    assert_false(headers.items[2].server.tls);
    net_headers_clear(&headers);
}

static void what_is_wrong_is_named_by_its_line_and_never_shown(void **state)
{
    static const char *const texts[] = {
        "Authorization: Bearer hush\n",
        "[https://h]\nAuthorization Bearer hush\n",
        "[https://h]\nRange: hush\n",
        "[https://h]\nif-NONE-match: hush\n",
        "[https://h]\nX: hu\001sh\n",
        "[https://h]\nX:  \n",
        "[https://h/path]\nX: hush\n",
        "[https://u:hush@h]\nX: y\n",
        "[h]\nX: hush\n",
        "[https://h\nX: hush\n",
        "[https://h]\n: hush\n",
    };
    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        net_headers headers = {0};
        cistern_error err = CISTERN_ERROR_INIT;
        assert_int_equal(net_headers_parse(texts[i], strlen(texts[i]), "tokens", &headers, &err),
                         CISTERN_USAGE);
        assert_message(&err, "tokens: line ");
        assert_null(strstr(message(&err), "hush"));
        assert_null(headers.items);
    }
}

static void too_many_and_too_long_are_refused(void **state)
{
    net_headers headers = {0};
    cistern_error err = CISTERN_ERROR_INIT;
    char *text = malloc(NET_HEADER_LINE_MAX + 100);
    size_t used = (size_t)sprintf(text, "[https://h]\n");
    (void)state;
    for (int i = 0; i < NET_HEADERS_MAX + 1; i++)
        used += (size_t)sprintf(text + used, "X-%d: y\n", i);
    assert_int_equal(net_headers_parse(text, used, "t", &headers, &err), CISTERN_USAGE);
    assert_message(&err, "more than 64");
    used = (size_t)sprintf(text, "[https://h]\nX: ");
    memset(text + used, 'a', NET_HEADER_LINE_MAX);
    assert_int_equal(net_headers_parse(text, used + NET_HEADER_LINE_MAX, "t", &headers, &err), CISTERN_USAGE);
    assert_message(&err, "at most 8192");
    free(text);
}

/* One stat through a client that has this file as headers or as netrc. */
static cistern_status ask(net_fixture *f, const char *headers, const char *netrc, const char *host,
                          const char *path, cistern_error *err)
{
    net_options options = fixture_options();
    net_client *client = NULL;
    net_answer answer;
    options.headers_file = headers;
    options.netrc_file = netrc;
    options.tries = 1;
    assert_int_equal(net_client_new(&options, &client, NULL), CISTERN_OK);
    net_source *src = fixture_source_at(client, "http", host, f->origin.port, path);
    cistern_status status = net_source_stat(src, NULL, &answer, err);
    net_source_free(src);
    net_client_free(client);
    return status;
}

static void a_header_goes_to_its_own_server_only(void **state)
{
    net_fixture f = {0};
    char text[256], path[512], got[64], faults[256];
    cistern_error err = CISTERN_ERROR_INIT;
    (void)state;
    fixture_start(&f, NULL);
    snprintf(text, sizeof text, "[http://127.0.0.1:%d]\nX-Token: hush\n[http://127.0.0.1]\nX-Other: no\n",
             f.origin.port);
    fixture_write(&f.dir, "headers", text, strlen(text));
    snprintf(path, sizeof path, "%s", temp_dir_path(&f.dir, "headers"));
    assert_int_equal(ask(&f, path, NULL, "127.0.0.1", "/a.bin", &err), CISTERN_OK);
    assert_true(origin_process_header(&f.origin, -1, "x-token", got, sizeof got));
    assert_string_equal(got, "hush");
    assert_false(origin_process_header(&f.origin, -1, "x-other", got, sizeof got)); /* another port */
    /* another name of the same machine is another server, also behind a redirect */
    assert_int_equal(ask(&f, path, NULL, "localhost", "/a.bin", &err), CISTERN_OK);
    assert_false(origin_process_header(&f.origin, -1, "x-token", got, sizeof got));
    snprintf(faults, sizeof faults, "{\"/r.bin\":{\"redirect\":\"http://localhost:%d/a.bin\"}}",
             f.origin.port);
    origin_process_faults(&f.origin, faults);
    origin_process_reset(&f.origin);
    assert_int_equal(ask(&f, path, NULL, "127.0.0.1", "/r.bin", &err), CISTERN_OK);
    assert_true(origin_process_header(&f.origin, 0, "x-token", got, sizeof got));
    assert_false(origin_process_header(&f.origin, 1, "x-token", got, sizeof got));
    fixture_stop(&f);
}

static void a_headers_file_that_is_not_there_is_told_at_the_first_request(void **state)
{
    net_fixture f = {0};
    cistern_error err = CISTERN_ERROR_INIT;
    (void)state;
    fixture_start(&f, NULL);
    assert_int_equal(ask(&f, "/nowhere/tokens", NULL, "127.0.0.1", "/a.bin", &err), CISTERN_NOT_FOUND);
    assert_message(&err, "/nowhere/tokens");
    assert_int_equal(ask(&f, NULL, "/nowhere/netrc", "127.0.0.1", "/a.bin", &err), CISTERN_NOT_FOUND);
    assert_message(&err, "netrc /nowhere/netrc");
    assert_int_equal(origin_process_count(&f.origin, NULL, "requests"), 0);
    fixture_stop(&f);
}

static void netrc_is_used_for_its_host_and_only_when_asked_for(void **state)
{
    static const char text[] = "machine 127.0.0.1 login me password sesame\n";
    net_fixture f = {0};
    char path[512], got[64];
    cistern_error err = CISTERN_ERROR_INIT;
    (void)state;
    fixture_start(&f, NULL);
    fixture_write(&f.dir, "netrc", text, strlen(text));
    snprintf(path, sizeof path, "%s", temp_dir_path(&f.dir, "netrc"));
    origin_process_faults(&f.origin, "{\"/a.bin\":{\"require_auth\":\"me:sesame\"}}");
    assert_int_equal(ask(&f, NULL, NULL, "127.0.0.1", "/a.bin", &err), CISTERN_REFUSED);
    assert_int_equal(ask(&f, NULL, path, "127.0.0.1", "/a.bin", &err), CISTERN_OK);
    assert_int_equal(ask(&f, NULL, path, "localhost", "/a.bin", &err), CISTERN_REFUSED);
    assert_false(origin_process_header(&f.origin, -1, "authorization", got, sizeof got));
    fixture_stop(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sections_and_headers_are_understood),
        cmocka_unit_test(what_is_wrong_is_named_by_its_line_and_never_shown),
        cmocka_unit_test(too_many_and_too_long_are_refused),
        cmocka_unit_test(a_header_goes_to_its_own_server_only),
        cmocka_unit_test(a_headers_file_that_is_not_there_is_told_at_the_first_request),
        cmocka_unit_test(netrc_is_used_for_its_host_and_only_when_asked_for),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
