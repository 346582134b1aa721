/* https: an authority of our own, made by the openssl program in the test, and what must not be trusted. */
#include "net_fixture.h"

static temp_dir certificates;
static net_fixture f;            /* https on localhost and 127.0.0.1 */
static origin_process expired;   /* the same authority, a certificate of the past */
static origin_process elsewhere; /* the same authority, a certificate for another host */
static origin_process plain;     /* http */

static void shell(const char *command)
{
    char text[2048];
    snprintf(text, sizeof text, "cd '%s' && { %s; } >log 2>&1 </dev/null", certificates.path, command);
    if (system(text) != 0)
        fail_msg("failed: %s", command);
}

/* An authority `name`.pem. */
static void make_authority(const char *name)
{
    char command[512];
    snprintf(command, sizeof command,
             "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout %s.key -out "
             "%s.pem -days 2 "
             "-subj '/CN=%s' -addext basicConstraints=critical,CA:TRUE",
             name, name, name);
    shell(command);
}

/* `name`.pem, signed by ca.pem, for `hosts`, with the further arguments of `openssl x509`. */
static void make_certificate(const char *name, const char *hosts, const char *more)
{
    char command[1024];
    snprintf(command, sizeof command,
             "openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout %s.key -out %s.csr "
             "-subj '/CN=%s' && "
             "printf 'subjectAltName=%s\\n' >%s.ext && "
             "openssl x509 -req -in %s.csr -CA ca.pem -CAkey ca.key -CAcreateserial -extfile %s.ext -out "
             "%s.pem %s",
             name, name, name, hosts, name, name, name, name, more);
    shell(command);
}

static void start_server(origin_process *out, const char *name)
{
    char cert[600], key[600];
    snprintf(cert, sizeof cert, "%s/%s.pem", certificates.path, name);
    snprintf(key, sizeof key, "%s/%s.key", certificates.path, name);
    const char *const args[] = {"--tls", cert, key, NULL};
    origin_process_start(out, f.dir.path, args);
}

static net_client *client_of(const char *authority, const char *proxy)
{
    net_options options = fixture_options();
    net_client *client = NULL;
    char path[600];
    snprintf(path, sizeof path, "%s/%s.pem", certificates.path, authority != NULL ? authority : "");
    options.ca_file = authority != NULL ? path : NULL;
    options.proxy = proxy;
    options.tries = 2;
    assert_int_equal(net_client_new(&options, &client, NULL), CISTERN_OK);
    return client;
}

static int start(void **state)
{
    (void)state;
    temp_dir_make(&certificates);
    make_authority("ca");
    make_authority("other");
    make_certificate("good", "DNS:localhost,IP:127.0.0.1", "-days 2");
    /* One day of the past: `openssl x509` can only count from now, `openssl ca` takes dates. */
    shell("cp good.csr old.csr; cp good.key old.key; mkdir -p db; : >db/index; echo 01 >db/serial; "
          "printf '[ca]\\ndefault_ca=d\\n[d]\\ndatabase=db/index\\nserial=db/serial\\nnew_certs_dir=db\\n"
          "default_md=sha256\\npolicy=p\\nx509_extensions=e\\n[p]\\ncommonName=supplied\\n[e]\\n"
          "subjectAltName=DNS:localhost,IP:127.0.0.1\\n' >ca.conf; "
          "openssl ca -batch -config ca.conf -in old.csr -cert ca.pem -keyfile ca.key -out old.pem "
          "-startdate 20200101000000Z -enddate 20200102000000Z");
    make_certificate("elsewhere", "DNS:elsewhere.example", "-days 2");
    temp_dir_make(&f.dir);
    f.bytes = fixture_bytes(FIXTURE_SIZE, 1);
    fixture_write(&f.dir, "a.bin", f.bytes, FIXTURE_SIZE);
    start_server(&f.origin, "good");
    start_server(&expired, "old");
    start_server(&elsewhere, "elsewhere");
    origin_process_start(&plain, f.dir.path, NULL);
    f.client = client_of("ca", NULL);
    return 0;
}

static int stop(void **state)
{
    (void)state;
    origin_process_stop(&expired);
    origin_process_stop(&elsewhere);
    origin_process_stop(&plain);
    fixture_stop(&f);
    temp_dir_remove(&certificates);
    return 0;
}

static cistern_status read_at(net_client *client, const char *scheme, const char *host, int port, kept *k,
                              net_answer *answer, cistern_error *err)
{
    net_source *src = fixture_source_at(client, scheme, host, port, "/a.bin");
    cistern_status status = net_source_read(src, NULL, NULL, kept_sink, k, NULL, answer, err);
    net_source_free(src);
    return status;
}

static void assert_trusted(net_client *client, const char *host, int port)
{
    kept k = {0};
    net_answer answer;
    cistern_error err = CISTERN_ERROR_INIT;
    assert_ok(read_at(client, "https", host, port, &k, &answer, &err), &err);
    assert_int_equal(k.n, FIXTURE_SIZE);
    assert_memory_equal(k.data, f.bytes, FIXTURE_SIZE);
    kept_clear(&k);
}

/* A client without a CA file: whether this system trusts anybody at all or not, it does not trust us. */
static void assert_system_does_not_trust_us(void)
{
    kept k = {0};
    net_answer answer;
    cistern_error err = CISTERN_ERROR_INIT;
    net_client *system = client_of(NULL, NULL);
    assert_int_equal(read_at(system, "https", "127.0.0.1", f.origin.port, &k, &answer, &err),
                     CISTERN_NETWORK);
    assert_message(&err, "--ca FILE");
    assert_false(answer.transient);
    assert_int_equal(k.calls, 0);
    net_client_free(system);
}

static void assert_not_trusted(net_client *client, int port, const char *words)
{
    kept k = {0};
    net_answer answer;
    cistern_error err = CISTERN_ERROR_INIT;
    assert_int_equal(read_at(client, "https", "127.0.0.1", port, &k, &answer, &err), CISTERN_NETWORK);
    assert_message(&err, "not trusted");
    assert_message(&err, "--ca");
    assert_message(&err, words);
    assert_false(answer.transient);
    assert_int_equal(k.calls, 0);
}

static void own_authority_is_trusted_when_named(void **state)
{
    (void)state;
    assert_trusted(f.client, "127.0.0.1", f.origin.port);
    assert_trusted(f.client, "localhost", f.origin.port);
}

static void unknown_authority_is_not_trusted(void **state)
{
    (void)state;
    net_client *other = client_of("other", NULL);
    assert_not_trusted(other, f.origin.port, "check the file");
    assert_system_does_not_trust_us();
    net_client_free(other);
}

static void expired_certificate_is_not_trusted(void **state)
{
    (void)state;
    assert_not_trusted(f.client, expired.port, "expired");
}

static void certificate_of_another_host_is_not_trusted(void **state)
{
    (void)state;
    assert_not_trusted(f.client, elsewhere.port, "127.0.0.1");
}

static void ca_file_of_the_environment_is_not_used(void **state)
{
    char path[600];
    (void)state;
    snprintf(path, sizeof path, "%s/ca.pem", certificates.path);
    assert_int_equal(setenv("SSL_CERT_FILE", path, 1), 0);
    assert_int_equal(setenv("CURL_CA_BUNDLE", path, 1), 0);
    assert_system_does_not_trust_us();
    unsetenv("SSL_CERT_FILE");
    unsetenv("CURL_CA_BUNDLE");
}

static void unreadable_ca_file_is_named(void **state)
{
    kept k = {0};
    net_answer answer;
    cistern_error err = CISTERN_ERROR_INIT;
    (void)state;
    net_client *client = client_of("no-such-file", NULL);
    assert_int_equal(read_at(client, "https", "127.0.0.1", f.origin.port, &k, &answer, &err), CISTERN_USAGE);
    assert_message(&err, "no-such-file.pem");
    net_client_free(client);
}

static void redirect_from_https_to_http_is_refused(void **state)
{
    kept k = {0};
    char fault[160];
    net_answer answer;
    cistern_error err = CISTERN_ERROR_INIT;
    (void)state;
    snprintf(fault, sizeof fault, "{\"/a.bin\":{\"redirect\":\"http://127.0.0.1:%d/a.bin?Signature=s\"}}",
             plain.port);
    origin_process_faults(&f.origin, fault);
    origin_process_reset(&plain);
    assert_int_equal(read_at(f.client, "https", "127.0.0.1", f.origin.port, &k, &answer, &err),
                     CISTERN_REFUSED);
    assert_message(&err, "from https to http");
    assert_silent(&err, "Signature");
    assert_false(answer.transient);
    assert_int_equal(k.calls, 0);
    assert_int_equal(origin_process_count(&plain, NULL, "requests"), 0);
    /* also when the way began with http */
    snprintf(fault, sizeof fault, "{\"/x\":{\"redirect\":\"https://127.0.0.1:%d/a.bin\"}}", f.origin.port);
    origin_process_faults(&plain, fault);
    net_source *src = fixture_source_at(f.client, "http", "127.0.0.1", plain.port, "/x");
    assert_int_equal(net_source_stat(src, NULL, &answer, &err), CISTERN_REFUSED);
    origin_process_faults(&f.origin, "{}");
    assert_int_equal(net_source_stat(src, NULL, &answer, &err), CISTERN_OK); /* http to https is followed */
    net_source_free(src);
}

static void https_through_a_tunnel_of_the_proxy(void **state)
{
    char proxy[64];
    (void)state;
    snprintf(proxy, sizeof proxy, "http://127.0.0.1:%d", plain.port);
    net_client *client = client_of("ca", proxy);
    origin_process_reset(&plain);
    assert_trusted(client, "localhost", f.origin.port);
    assert_int_equal(origin_process_count(&plain, NULL, "proxied"), 1);
    net_client_free(client);
}

static void a_server_that_speaks_no_tls(void **state)
{
    kept k = {0};
    net_answer answer;
    cistern_error err = CISTERN_ERROR_INIT;
    (void)state;
    assert_int_equal(read_at(f.client, "https", "127.0.0.1", plain.port, &k, &answer, &err), CISTERN_NETWORK);
    assert_message(&err, "TLS");
    assert_true(answer.transient);
}

static void cut_inside_tls_is_worth_another_try(void **state)
{
    kept k = {0};
    net_answer answer;
    cistern_error err = CISTERN_ERROR_INIT;
    (void)state;
    origin_process_faults(&f.origin, "{\"/a.bin\":{\"cut_after\":1000}}");
    cistern_status status = read_at(f.client, "https", "127.0.0.1", f.origin.port, &k, &answer, &err);
    assert_int_equal(status, CISTERN_NETWORK);
    assert_int_equal(k.n, 1000);
    assert_true(answer.transient);
    origin_process_faults(&f.origin, "{}");
    kept_clear(&k);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(own_authority_is_trusted_when_named),
        cmocka_unit_test(unknown_authority_is_not_trusted),
        cmocka_unit_test(expired_certificate_is_not_trusted),
        cmocka_unit_test(certificate_of_another_host_is_not_trusted),
        cmocka_unit_test(ca_file_of_the_environment_is_not_used),
        cmocka_unit_test(unreadable_ca_file_is_named),
        cmocka_unit_test(redirect_from_https_to_http_is_refused),
        cmocka_unit_test(https_through_a_tunnel_of_the_proxy),
        cmocka_unit_test(a_server_that_speaks_no_tls),
        cmocka_unit_test(cut_inside_tls_is_worth_another_try),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
