/* Addresses of objects: what is taken and refused. URLs are compared with botocore's in test_cloud_sigv4.c. */
#include "cistern_test.h"
#include "cloud_s3_address.h"

static void a_key_is_taken_byte_for_byte(void **state)
{
    static const struct {
        const char *text, *bucket, *key, *version;
    } cases[] = {
        {"s3://b/k", "b", "k", NULL},
        {"S3://b/k", "b", "k", NULL},
        {"s3://my.bucket-1/a b+c%20d?e#f", "my.bucket-1", "a b+c%20d?e#f", NULL},
        {"s3://b//a//b", "b", "/a//b", NULL},
        {"s3://b/../x", "b", "../x", NULL},
        {"s3://b/k?versionId=v1", "b", "k", "v1"},
        {"s3://b/k?versionId=a?versionId=b", "b", "k?versionId=a", "b"},
        {"s3://b/k?versionid=v1", "b", "k?versionid=v1", NULL},
        {"s3://b/\xc3\xbc\xf0\x9f\x99\x82", "b", "\xc3\xbc\xf0\x9f\x99\x82", NULL},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        cloud_s3_address a, again;
        char *text = NULL, *second = NULL;
        cistern_error err = CISTERN_ERROR_INIT;
        assert_ok(cloud_s3_address_parse(cases[i].text, &a, &err), &err);
        assert_string_equal(a.bucket, cases[i].bucket);
        assert_string_equal(a.key, cases[i].key);
        assert_int_equal(a.version == NULL, cases[i].version == NULL);
        if (a.version != NULL)
            assert_string_equal(a.version, cases[i].version);
        assert_ok(cloud_s3_address_normalise(&a, &text, &err), &err);
        assert_string_equal(text + 1, cases[i].text + 1);
        assert_int_equal(text[0], 's');
        assert_ok(cloud_s3_address_parse(text, &again, &err), &err);
        assert_ok(cloud_s3_address_normalise(&again, &second, &err), &err);
        assert_string_equal(second, text);
        free(text);
        free(second);
        cloud_s3_address_clear(&a);
        cloud_s3_address_clear(&again);
    }
}

static void refusals_say_why(void **state)
{
    static const struct {
        const char *text, *says;
    } cases[] = {
        {"s3:b/k", "s3://BUCKET/KEY"},
        {"s3://", "no bucket"},
        {"s3:///k", "no bucket"},
        {"s3://b", "no key"},
        {"s3://b/", "no key"},
        {"s3://b/dir/", "not a directory"},
        {"s3://b:80/k", "no bucket's name"},
        {"s3://u@b/k", "no bucket's name"},
        {"s3://b/\xff", "UTF-8"},
        {"s3://b/\xc0\xaf", "UTF-8"},
        {"s3://b/\xed\xa0\x80", "UTF-8"},
        {"s3://b/\xf4\x90\x80\x80", "UTF-8"},
        {"s3://b/\xe2\x82", "UTF-8"},
        {"s3://b/a\nb", "control character"},
        {"s3://b/a\177", "control"},
        {"s3://b/k?versionId=", "version id"},
        {"s3://b/?versionId=v", "no key"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        cloud_s3_address a = {NULL, NULL, NULL};
        cistern_error err = CISTERN_ERROR_INIT;
        assert_says(cloud_s3_address_parse(cases[i].text, &a, &err), CISTERN_USAGE, &err, cases[i].says);
        assert_null(a.bucket);
    }
}

/* The longest that are allowed, and one byte more. */
static void limits(void **state)
{
    (void)state;
    for (size_t over = 0; over < 2; over++) {
        char text[4096] = "s3://b/";
        cloud_s3_address a;
        memset(text + 7, 'k', CLOUD_S3_KEY_MAX + over);
        assert_int_equal(cloud_s3_address_parse(text, &a, NULL), over ? CISTERN_USAGE : CISTERN_OK);
        if (!over)
            cloud_s3_address_clear(&a);
        memset(text, 0, sizeof text);
        memcpy(text, "s3://", 5);
        memset(text + 5, 'b', CLOUD_S3_BUCKET_MAX + over);
        memcpy(text + 5 + CLOUD_S3_BUCKET_MAX + over, "/k", 3);
        assert_int_equal(cloud_s3_address_parse(text, &a, NULL), over ? CISTERN_USAGE : CISTERN_OK);
        if (!over)
            cloud_s3_address_clear(&a);
    }
}

static void endpoints_that_are_none_are_refused(void **state)
{
    static const char *const bad[] = {"minio:9000", "ftp://h", "http://u:p@h", "http://h/?x=1", "http://"};
    cloud_s3_address a;
    char *url = NULL;
    cistern_error err = CISTERN_ERROR_INIT;
    (void)state;
    assert_ok(cloud_s3_address_parse("s3://Upper/k", &a, &err), &err);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_says(cloud_s3_address_url(&a, bad[i], "eu-west-1", CLOUD_S3_AUTO, &url, &err), CISTERN_USAGE,
                    &err, "the endpoint of S3");
    assert_says(cloud_s3_address_url(&a, NULL, "eu-west-1", CLOUD_S3_VIRTUAL, &url, &err), CISTERN_USAGE,
                &err, "--s3-addressing path");
    assert_null(url);
    cloud_s3_address_clear(&a);
}

static void signatures_stay_where_they_belong(void **state)
{
    static const struct {
        const char *start, *url;
        bool may;
    } cases[] = {
        {"http://h:9000/b/k", "http://h:9000/other", true},
        {"http://h:9000/b/k", "http://h:9001/b/k", false},
        {"http://h/b/k", "https://h/b/k", false},
        {"https://b.s3.amazonaws.com/k", "https://b.s3.eu-west-1.amazonaws.com/k", true},
        {"https://b.s3.amazonaws.com/k", "https://s3-eu-west-1.amazonaws.com/b/k", true},
        {"https://b.s3.amazonaws.com/k", "https://b.s3-us-west-2.amazonaws.com/k", true},
        {"https://s3.cn-north-1.amazonaws.com.cn/b/k", "https://b.s3.cn-north-1.amazonaws.com.cn/k", true},
        {"https://b.s3.amazonaws.com/k", "http://b.s3.eu-west-1.amazonaws.com/k", false},
        {"https://b.s3.amazonaws.com/k", "https://ec2-1-2-3-4.compute-1.amazonaws.com/k", false},
        {"https://b.s3.amazonaws.com/k", "https://s3.amazonaws.com.evil.example/k", false},
        {"https://b.s3.amazonaws.com/k", "https://evil.example/.s3.amazonaws.com", false},
        {"https://minio.example/b/k", "https://b.s3.amazonaws.com/k", false},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        net_url start = {0}, url = {0};
        assert_int_equal(net_url_parse(cases[i].start, &start, NULL), CISTERN_OK);
        assert_int_equal(net_url_parse(cases[i].url, &url, NULL), CISTERN_OK);
        assert_int_equal(cloud_s3_may_sign(&start, &url), cases[i].may);
        net_url_clear(&start);
        net_url_clear(&url);
    }
}

/* A bucket that looks like an address of a machine, or whose name no certificate covers. */
static void names_that_cannot_be_hosts_stay_in_the_path(void **state)
{
    static const char *const buckets[] = {"s3://192.168.1.1/k", "s3://a..b/k", "s3://Upper/k", "s3://a_b/k",
                                          "s3://ab/k"};
    (void)state;
    for (size_t i = 0; i < sizeof buckets / sizeof buckets[0]; i++) {
        cloud_s3_address a;
        char *url = NULL;
        cistern_error err = CISTERN_ERROR_INIT;
        assert_ok(cloud_s3_address_parse(buckets[i], &a, &err), &err);
        assert_fails(cloud_s3_address_url(&a, "http://h", "eu-west-1", CLOUD_S3_VIRTUAL, &url, &err),
                     CISTERN_USAGE, &err);
        assert_ok(cloud_s3_address_url(&a, NULL, "eu-west-1", CLOUD_S3_AUTO, &url, &err), &err);
        assert_int_equal(strncmp(url, "https://s3.eu-west-1.amazonaws.com/", 35), 0);
        free(url);
        cloud_s3_address_clear(&a);
    }
}

static void regions_are_names(void **state)
{
    (void)state;
    assert_true(cloud_s3_region_is_good("eu-west-1"));
    assert_true(cloud_s3_region_is_good("local"));
    assert_false(cloud_s3_region_is_good(""));
    assert_false(cloud_s3_region_is_good("-x"));
    assert_false(cloud_s3_region_is_good("a.evil.example/"));
    assert_false(cloud_s3_region_is_good("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_key_is_taken_byte_for_byte),
        cmocka_unit_test(refusals_say_why),
        cmocka_unit_test(limits),
        cmocka_unit_test(endpoints_that_are_none_are_refused),
        cmocka_unit_test(signatures_stay_where_they_belong),
        cmocka_unit_test(names_that_cannot_be_hosts_stay_in_the_path),
        cmocka_unit_test(regions_are_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
