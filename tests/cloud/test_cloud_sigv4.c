/* Signatures and URLs equal botocore's, byte for byte (data/sigv4.json, made by tools/make_sigv4_goldens.py). */
#include <inttypes.h>
#include "cloud_golden.h"
#include "cloud_s3_address.h"
#include "cloud_sigv4.h"

#define CANONICAL_MAX 65536

static json_t *goldens;

static int load(void **state)
{
    (void)state;
    goldens = golden_load("sigv4.json");
    return 0;
}

static int unload(void **state)
{
    (void)state;
    json_decref(goldens);
    return 0;
}

static cloud_s3_style style_of(const char *text)
{
    return strcmp(text, "virtual") == 0 ? CLOUD_S3_VIRTUAL
           : strcmp(text, "path") == 0  ? CLOUD_S3_PATH
                                        : CLOUD_S3_AUTO;
}

/* The case's request as it is signed. */
static void fill(const json_t *object, const net_url *url, net_field *fields, cloud_sigv4_request *out)
{
    const char *name;
    json_t *value;
    size_t n = 0;
    json_object_foreach(json_object_get(object, "fields"), name, value) fields[n++] =
        (net_field){name, json_string_value(value)};
    *out = (cloud_sigv4_request){.method = golden_text(object, "method"),
                                 .url = url,
                                 .fields = fields,
                                 .field_count = n,
                                 .payload = golden_text(object, "payload"),
                                 .time = golden_text(object, "time"),
                                 .region = golden_text(object, "region"),
                                 .service = "s3"};
}

static void check_signature(const json_t *object, const char *text)
{
    net_url url = {0};
    net_field fields[CLOUD_SIGV4_FIELDS_MAX];
    cloud_sigv4_request request;
    char *authorization = NULL;
    base_buf canonical;
    cistern_error err = CISTERN_ERROR_INIT;
    base_buf_init(&canonical, CANONICAL_MAX);
    assert_ok(net_url_parse(text, &url, &err), &err);
    fill(object, &url, fields, &request);
    const cloud_key key = {golden_text(goldens, "access_key_id"), golden_text(goldens, "secret_access_key"),
                           golden_text(object, "token")};
    assert_ok(cloud_sigv4_canonical(&request, &canonical, &err), &err);
    assert_string_equal(canonical.data, golden_text(object, "canonical"));
    assert_ok(cloud_sigv4_authorization(&request, &key, &authorization, &err), &err);
    assert_string_equal(authorization, golden_text(object, "authorization"));
    free(authorization);
    base_buf_clear(&canonical);
    net_url_clear(&url);
}

static void assert_same_url(const char *ours, const char *theirs)
{
    net_url a = {0}, b = {0};
    cistern_error err = CISTERN_ERROR_INIT;
    assert_ok(net_url_parse(ours, &a, &err), &err);
    assert_ok(net_url_parse(theirs, &b, &err), &err);
    assert_true(net_url_same_server(&a, &b));
    assert_string_equal(a.path, b.path);
    assert_string_equal(a.query != NULL ? a.query : "", b.query != NULL ? b.query : "");
    net_url_clear(&a);
    net_url_clear(&b);
}

/* From the address as it is typed to the signature. */
static void objects_are_asked_for_as_botocore_does(void **state)
{
    size_t i, count = 0;
    json_t *object;
    (void)state;
    json_array_foreach(json_object_get(goldens, "cases"), i, object)
    {
        char text[4096];
        char *url = NULL;
        cloud_s3_address address;
        cistern_error err = CISTERN_ERROR_INIT;
        if (strcmp(golden_text(object, "kind"), "object") != 0)
            continue;
        const char *version = golden_text(object, "version"), *endpoint = golden_text(object, "endpoint");
        snprintf(text, sizeof text, "s3://%s/%s%s%s", golden_text(object, "bucket"),
                 golden_text(object, "key"), version[0] != '\0' ? "?versionId=" : "", version);
        assert_ok(cloud_s3_address_parse(text, &address, &err), &err);
        assert_ok(cloud_s3_address_url(&address, endpoint[0] != '\0' ? endpoint : NULL,
                                       golden_text(object, "region"), style_of(golden_text(object, "style")),
                                       &url, &err),
                  &err);
        assert_same_url(url, golden_text(object, "url"));
        check_signature(object, url);
        free(url);
        cloud_s3_address_clear(&address);
        count++;
    }
    assert_true(count > 80);
}

static void requests_are_signed_as_botocore_does(void **state)
{
    size_t i, count = 0;
    json_t *object;
    (void)state;
    json_array_foreach(json_object_get(goldens, "cases"), i, object)
    {
        if (strcmp(golden_text(object, "kind"), "request") != 0)
            continue;
        check_signature(object, golden_text(object, "url"));
        count++;
    }
    assert_true(count > 25);
}

static void limits_are_refused(void **state)
{
    net_field fields[CLOUD_SIGV4_FIELDS_MAX + 1];
    char text[1024] = "https://h/k?a=1";
    net_url url = {0};
    base_buf out;
    cistern_error err = CISTERN_ERROR_INIT;
    (void)state;
    base_buf_init(&out, CANONICAL_MAX);
    for (size_t i = 0; i <= CLOUD_SIGV4_FIELDS_MAX; i++)
        fields[i] = (net_field){"x", "1"};
    for (size_t i = 0; i < 64; i++)
        snprintf(text + strlen(text), sizeof text - strlen(text), "&a=%zu", i);
    assert_ok(net_url_parse(text, &url, &err), &err);
    cloud_sigv4_request request = {
        "GET", &url, fields, CLOUD_SIGV4_FIELDS_MAX + 1, CLOUD_SIGV4_NO_PAYLOAD, "20260131T000000Z",
        "r",   "s3"};
    assert_says(cloud_sigv4_canonical(&request, &out, &err), CISTERN_USAGE, &err, "25 fields");
    request.field_count = 0;
    base_buf_clear(&out);
    assert_says(cloud_sigv4_canonical(&request, &out, &err), CISTERN_USAGE, &err, "64 parameters");
    base_buf_clear(&out);
    net_url_clear(&url);
}

static void time_is_utc_in_the_basic_form(void **state)
{
    char text[CLOUD_SIGV4_TIME];
    (void)state;
    cloud_sigv4_now(text);
    assert_int_equal(strlen(text), 16);
    assert_int_equal(text[8], 'T');
    assert_int_equal(text[15], 'Z');
    assert_int_equal(strspn(text, "0123456789"), 8);
    assert_int_equal(strspn(text + 9, "0123456789"), 6);
    assert_true(strcmp(text, "20250101T000000Z") > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(objects_are_asked_for_as_botocore_does),
        cmocka_unit_test(requests_are_signed_as_botocore_does),
        cmocka_unit_test(limits_are_refused),
        cmocka_unit_test(time_is_utc_in_the_basic_form),
    };
    return cmocka_run_group_tests(tests, load, unload);
}
