/* What S3 refuses becomes a status and one line that says what to do. */
#include <string.h>
#include "cistern_test.h"
#include "priv/cloud_s3_fault.h"

typedef struct answer {
    int code;
    const char *body;
    const char *region, *deleted, *date; /* fields; NULL: absent */
} answer;

static cloud_s3_config config;
static cloud_s3_address address;

static void use_keys(bool keys, bool found)
{
    static char id[] = "AKIDSECRET", secret[] = "shhh", token[] = "t0ken";
    config.anonymous = !keys;
    config.no_credentials = !keys && !found;
    config.access_key_id = keys ? id : NULL;
    config.secret_access_key = keys ? secret : NULL;
    config.session_token = keys ? token : NULL;
}

static cistern_status fault(const answer *a, bool *out_transient, cistern_error *err)
{
    const char *watched[NET_WATCH_MAX] = {"", "", "", "", "", ""};
    const cloud_s3_asked asked = {"s3://b/k", &address, &config, "us-east-1", "https://b.s3.amazonaws.com"};
    watched[CLOUD_S3_FIELD_REGION] = a->region != NULL ? a->region : "";
    watched[CLOUD_S3_FIELD_DELETED] = a->deleted != NULL ? a->deleted : "";
    watched[CLOUD_S3_FIELD_DATE] = a->date != NULL ? a->date : "";
    const net_failure failure = {.code = a->code,
                                 .shown = "https://b.s3.amazonaws.com/k",
                                 .watched = watched,
                                 .body = a->body != NULL ? a->body : "",
                                 .body_size = a->body != NULL ? strlen(a->body) : 0};
    return cloud_s3_fault(&asked, &failure, out_transient, err);
}

#define XML(code) "<?xml version=\"1.0\"?><Error><Code>" code "</Code><Message>So it is</Message></Error>"

typedef struct row {
    answer answer;
    cistern_status status;
    bool transient;
    const char *says;
} row;

static void check_rows(const row *rows, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        bool transient = !rows[i].transient;
        cistern_error err = CISTERN_ERROR_INIT;
        assert_says(fault(&rows[i].answer, &transient, &err), rows[i].status, &err, rows[i].says);
        assert_int_equal(transient, rows[i].transient);
    }
}

static void each_code_has_its_message(void **state)
{
    static const row rows[] = {
        {{404, XML("NoSuchBucket"), NULL, NULL, NULL},
         CISTERN_NOT_FOUND,
         false,
         "no bucket 'b' at https://b.s3"},
        {{404, XML("NoSuchKey"), NULL, NULL, NULL}, CISTERN_NOT_FOUND, false, "has no object of this key"},
        {{404, NULL, NULL, NULL, NULL}, CISTERN_NOT_FOUND, false, "has no object of this key"},
        {{403, XML("AccessDenied"), NULL, NULL, NULL}, CISTERN_REFUSED, false, "s3:ListBucket"},
        {{403, NULL, NULL, NULL, NULL}, CISTERN_REFUSED, false, "s3:GetObject"},
        {{400, XML("ExpiredToken"), NULL, NULL, NULL}, CISTERN_REFUSED, false, "has expired"},
        {{400, XML("InvalidToken"), NULL, NULL, NULL}, CISTERN_REFUSED, false, "AWS_SESSION_TOKEN"},
        {{403, XML("InvalidAccessKeyId"), NULL, NULL, NULL}, CISTERN_REFUSED, false, "key id is not known"},
        {{403, XML("SignatureDoesNotMatch"), NULL, NULL, NULL}, CISTERN_REFUSED, false, "secret access key"},
        {{403, XML("InvalidObjectState"), NULL, NULL, NULL}, CISTERN_REFUSED, false, "archived"},
        {{503, XML("SlowDown"), NULL, NULL, NULL}, CISTERN_NETWORK, true, "slow down (SlowDown: So it is)"},
        {{500, XML("InternalError"), NULL, NULL, NULL}, CISTERN_NETWORK, true, "S3 failed"},
        {{400, XML("RequestTimeout"), NULL, NULL, NULL}, CISTERN_NETWORK, true, "timed out"},
        {{400, XML("NewIn2027"), NULL, NULL, NULL}, CISTERN_NETWORK, false, "HTTP 400 (NewIn2027: So it is)"},
        {{403, XML("NewIn2027"), NULL, NULL, NULL}, CISTERN_REFUSED, false, "HTTP 403 (NewIn2027"},
        {{404, XML("NewIn2027"), NULL, NULL, NULL}, CISTERN_NOT_FOUND, false, "HTTP 404 (NewIn2027"},
        {{599, XML("NewIn2027"), NULL, NULL, NULL}, CISTERN_NETWORK, true, "HTTP 599 (NewIn2027"},
        {{405, XML("MethodNotAllowed"), NULL, "true", NULL}, CISTERN_NOT_FOUND, false, "marks a deletion"},
    };
    (void)state;
    use_keys(true, true);
    check_rows(rows, sizeof rows / sizeof rows[0]);
}

static void both_clocks_are_named(void **state)
{
    static const row rows[] = {
        {{403,
          "<Error><Code>RequestTimeTooSkewed</Code><RequestTime>20260131T120000Z</RequestTime>"
          "<ServerTime>2026-01-31T14:00:00Z</ServerTime></Error>",
          NULL, NULL, NULL},
         CISTERN_REFUSED,
         false,
         "this machine says 20260131T120000Z, the server 2026-01-31T14:00:00Z"},
        {{403, XML("RequestTimeTooSkewed"), NULL, NULL, "Sat, 31 Jan 2026 14:00:00 GMT"},
         CISTERN_REFUSED,
         false,
         "the server Sat, 31 Jan 2026 14:00:00 GMT"},
        {{403, XML("RequestTimeTooSkewed"), NULL, NULL, NULL}, CISTERN_REFUSED, false, "the server unknown"},
    };
    (void)state;
    use_keys(true, true);
    check_rows(rows, sizeof rows / sizeof rows[0]);
}

static void without_keys_it_is_said_how_to_give_them(void **state)
{
    static const row none = {
        {403, XML("AccessDenied"), NULL, NULL, NULL}, CISTERN_REFUSED, false, "AWS_ACCESS_KEY_ID"};
    static const row wanted = {
        {403, XML("AccessDenied"), NULL, NULL, NULL}, CISTERN_REFUSED, false, "leave --s3-anonymous out"};
    (void)state;
    use_keys(false, false);
    check_rows(&none, 1);
    use_keys(false, true);
    check_rows(&wanted, 1);
}

static void the_right_region_is_found(void **state)
{
    static const struct {
        answer answer;
        bool wrong;
        const char *region;
    } cases[] = {
        {{301, XML("PermanentRedirect"), "eu-west-1", NULL, NULL}, true, "eu-west-1"},
        {{301, NULL, "eu-west-1", NULL, NULL}, true, "eu-west-1"},
        {{400, NULL, "eu-west-1", NULL, NULL}, true, "eu-west-1"},
        {{400, "<Error><Code>AuthorizationHeaderMalformed</Code><Region>eu-west-2</Region></Error>", NULL,
          NULL, NULL},
         true,
         "eu-west-2"},
        {{400, XML("AuthorizationHeaderMalformed"), NULL, NULL, NULL}, false, ""},
        {{301, XML("PermanentRedirect"), NULL, NULL, NULL}, true, ""},
        {{301, XML("PermanentRedirect"), "evil.example/x?", NULL, NULL}, true, ""},
        {{400, XML("ExpiredToken"), "eu-west-1", NULL, NULL}, false, ""},
        {{403, XML("AccessDenied"), "eu-west-1", NULL, NULL}, false, ""},
        {{404, NULL, "eu-west-1", NULL, NULL}, false, ""},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const answer *a = &cases[i].answer;
        const char *watched[NET_WATCH_MAX] = {a->region != NULL ? a->region : "", "", "", "", "", ""};
        const net_failure failure = {.code = a->code,
                                     .shown = "",
                                     .watched = watched,
                                     .body = a->body != NULL ? a->body : "",
                                     .body_size = a->body != NULL ? strlen(a->body) : 0};
        char region[CLOUD_S3_REGION_BYTES] = "old";
        assert_int_equal(cloud_s3_fault_region(&config, &failure, region), cases[i].wrong);
        assert_string_equal(region, cases[i].region);
    }
}

static void regions_are_named(void **state)
{
    static const row rows[] = {
        {{301, XML("PermanentRedirect"), "eu-west-1", NULL, NULL},
         CISTERN_NETWORK,
         false,
         "--s3-region eu-west-1"},
        {{301, XML("PermanentRedirect"), NULL, NULL, NULL}, CISTERN_NETWORK, false, "does not say where"},
        {{301, XML("PermanentRedirect"), "us-east-1", NULL, NULL}, CISTERN_NETWORK, false, "--s3-endpoint"},
    };
    (void)state;
    use_keys(true, true);
    check_rows(rows, sizeof rows / sizeof rows[0]);
}

/* What a server says is shown unless it repeats what only we and the service may know. */
static void a_server_that_repeats_secrets_is_not_quoted(void **state)
{
    static const char *const echoes[] = {"AKIDSECRET", "shhh", "t0ken", "Credential=x, Signature=0123"};
    (void)state;
    use_keys(true, true);
    for (size_t i = 0; i < sizeof echoes / sizeof echoes[0]; i++) {
        char body[256];
        bool transient;
        cistern_error err = CISTERN_ERROR_INIT;
        snprintf(body, sizeof body, "<Error><Code>SlowDown</Code><Message>you sent %s</Message></Error>",
                 echoes[i]);
        const answer a = {503, body, NULL, NULL, NULL};
        assert_says(fault(&a, &transient, &err), CISTERN_NETWORK, &err, "(SlowDown)");
        assert_null(strstr(err.text, echoes[i]));
        snprintf(body, sizeof body, "<Error><Code>%s</Code></Error>", echoes[i]);
        (void)!fault(&(answer){403, body, NULL, NULL, NULL}, &transient, &err);
        assert_null(strstr(err.text, echoes[i]));
        (void)!fault(&(answer){301, XML("PermanentRedirect"), echoes[i], NULL, NULL}, &transient, &err);
        assert_null(strstr(err.text, echoes[i]));
        (void)!fault(&(answer){403, XML("RequestTimeTooSkewed"), NULL, NULL, echoes[i]}, &transient, &err);
        assert_null(strstr(err.text, echoes[i]));
    }
}

static void an_answer_that_is_not_of_s3_is_left_to_http(void **state)
{
    static const answer answers[] = {{500, NULL, NULL, NULL, NULL},
                                     {400, "<html>Bad gateway</html>", NULL, NULL, NULL},
                                     {400, "<Error><Code>a b</Code></Error>", NULL, NULL, NULL}};
    (void)state;
    use_keys(true, true);
    for (size_t i = 0; i < sizeof answers / sizeof answers[0]; i++) {
        bool transient;
        cistern_error err = CISTERN_ERROR_INIT;
        assert_int_equal(fault(&answers[i], &transient, &err), CISTERN_OK);
    }
}

int main(void)
{
    static char bucket[] = "b", key[] = "k";
    address.bucket = bucket;
    address.key = key;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_code_has_its_message),
        cmocka_unit_test(both_clocks_are_named),
        cmocka_unit_test(without_keys_it_is_said_how_to_give_them),
        cmocka_unit_test(the_right_region_is_found),
        cmocka_unit_test(regions_are_named),
        cmocka_unit_test(a_server_that_repeats_secrets_is_not_quoted),
        cmocka_unit_test(an_answer_that_is_not_of_s3_is_left_to_http),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
