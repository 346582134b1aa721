/* Credentials, region and endpoint are those that botocore finds (data/aws_config.json, made by
 * tools/make_aws_config_goldens.py). */
#include "cloud_golden.h"
#include "cloud_s3_config.h"
#include "temp_dir.h"

static temp_dir dir;

static int make_dir(void **state)
{
    (void)state;
    temp_dir_make(&dir);
    return 0;
}

static int remove_dir(void **state)
{
    (void)state;
    temp_dir_remove(&dir);
    return 0;
}

static void write_text(const char *name, const char *text)
{
    FILE *file = fopen(temp_dir_path(&dir, name), "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(text, 1, strlen(text), file), strlen(text));
    assert_int_equal(fclose(file), 0);
}

static cloud_s3_options options_of(const char *config, const char *credentials)
{
    cloud_options all = CLOUD_OPTIONS_INIT;
    write_text("config", config);
    write_text("credentials", credentials);
    all.s3.config_file = temp_dir_path(&dir, "config");
    all.s3.credentials_file = temp_dir_path(&dir, "credentials");
    return all.s3;
}

static const char *first_of(const char *a, const char *b)
{
    return a[0] != '\0' ? a : b;
}

/* A case's files, profile and environment, as the options that they become. */
static cloud_s3_options options_of_case(const json_t *object)
{
    const json_t *environment = json_object_get(object, "environment");
    const char *profile = golden_text(object, "profile");
    cloud_s3_options options = options_of(golden_text(object, "config"), golden_text(object, "credentials"));
    options.access_key_id = golden_text(environment, "AWS_ACCESS_KEY_ID");
    options.secret_access_key = golden_text(environment, "AWS_SECRET_ACCESS_KEY");
    options.session_token = golden_text(environment, "AWS_SESSION_TOKEN");
    options.endpoint = first_of(golden_text(environment, "AWS_ENDPOINT_URL_S3"),
                                golden_text(environment, "AWS_ENDPOINT_URL"));
    options.profile_first = profile[0] != '\0';
    options.profile = first_of(profile, golden_text(environment, "AWS_PROFILE"));
    return options;
}

static const char *or_empty(const char *text)
{
    return text != NULL ? text : "";
}

static void check_answer(const cloud_s3_config *config, const json_t *answer)
{
    static const char *const styles[] = {"auto", "virtual", "path"};
    assert_string_equal(or_empty(config->access_key_id), golden_text(answer, "access_key_id"));
    assert_string_equal(or_empty(config->secret_access_key), golden_text(answer, "secret_access_key"));
    assert_string_equal(or_empty(config->session_token), golden_text(answer, "session_token"));
    assert_string_equal(config->region, golden_text(answer, "region"));
    assert_string_equal(or_empty(config->endpoint), golden_text(answer, "endpoint"));
    assert_string_equal(styles[config->style], golden_text(answer, "style"));
    assert_int_equal(config->anonymous, config->access_key_id == NULL);
    assert_int_equal(config->no_credentials, config->anonymous);
}

static void the_same_as_botocore(void **state)
{
    json_t *goldens = golden_load("aws_config.json"), *object;
    size_t i, refused = 0;
    (void)state;
    json_array_foreach(json_object_get(goldens, "cases"), i, object)
    {
        const json_t *answer = json_object_get(object, "answer");
        cloud_s3_options options = options_of_case(object);
        cloud_s3_config config;
        cistern_error err = CISTERN_ERROR_INIT;
        cistern_status status = cloud_s3_config_read(&options, &config, &err);
        bool expected = json_object_get(answer, "error") == NULL;
        if ((status == CISTERN_OK) != expected)
            fail_msg("%s: %s", golden_text(object, "name"), err.text);
        if (!expected) {
            assert_int_equal(status, CISTERN_USAGE);
            refused++;
            continue;
        }
        check_answer(&config, answer);
        cloud_s3_config_clear(&config);
    }
    assert_true(i > 45 && refused >= 11);
    json_decref(goldens);
}

static void other_ways_to_credentials_are_refused_by_name(void **state)
{
    static const char *const ways[] = {"role_arn", "sso_session", "sso_start_url", "web_identity_token_file",
                                       "credential_process"};
    (void)state;
    for (size_t i = 0; i < sizeof ways / sizeof ways[0]; i++) {
        char text[256], says[64];
        cloud_s3_config config;
        cistern_error err = CISTERN_ERROR_INIT;
        snprintf(text, sizeof text, "[profile p]\n%s = whatever\n", ways[i]);
        snprintf(says, sizeof says, "'%s', which is not supported", ways[i]);
        cloud_s3_options options = options_of(text, "");
        options.profile = "p";
        assert_says(cloud_s3_config_read(&options, &config, &err), CISTERN_USAGE, &err, says);
        assert_null(strstr(err.text, "whatever"));
        options.anonymous = true; /* then no credentials are looked for */
        assert_ok(cloud_s3_config_read(&options, &config, &err), &err);
        assert_true(config.anonymous);
        assert_false(config.no_credentials);
        cloud_s3_config_clear(&config);
    }
}

/* As botocore: a process comes after the credentials file, a role before it. */
static void keys_beside_other_ways(void **state)
{
    static const char keys[] = "[p]\naws_access_key_id=A\naws_secret_access_key=S\n";
    cloud_s3_config config;
    cistern_error err = CISTERN_ERROR_INIT;
    (void)state;
    cloud_s3_options options = options_of("[profile p]\ncredential_process = x\n", keys);
    options.profile = "p";
    assert_ok(cloud_s3_config_read(&options, &config, &err), &err);
    assert_string_equal(config.access_key_id, "A");
    cloud_s3_config_clear(&config);
    options = options_of("[profile p]\nrole_arn = x\nsource_profile = p\n", keys);
    options.profile = "p";
    assert_says(cloud_s3_config_read(&options, &config, &err), CISTERN_USAGE, &err, "role_arn");
}

static void files_that_are_absent_are_none(void **state)
{
    cloud_options all = CLOUD_OPTIONS_INIT;
    cloud_s3_config config;
    cistern_error err = CISTERN_ERROR_INIT;
    (void)state;
    assert_ok(cloud_s3_config_read(&all.s3, &config, &err), &err);
    assert_true(config.no_credentials);
    assert_string_equal(config.region, "us-east-1");
    cloud_s3_config_clear(&config);
    all.s3.config_file = all.s3.credentials_file = "/nonexistent/file";
    assert_ok(cloud_s3_config_read(&all.s3, &config, &err), &err);
    cloud_s3_config_clear(&config);
    all.s3.config_file = all.s3.credentials_file = NULL;
    all.s3.profile = "p";
    assert_says(cloud_s3_config_read(&all.s3, &config, &err), CISTERN_USAGE, &err, "'(no file)'");
    all.s3.config_file = "/nonexistent/file";
    assert_says(cloud_s3_config_read(&all.s3, &config, &err), CISTERN_USAGE, &err,
                "no profile 'p' in '/nonexistent");
}

static void bad_values_are_refused(void **state)
{
    cloud_s3_config config;
    cistern_error err = CISTERN_ERROR_INIT;
    (void)state;
    cloud_s3_options options = options_of("", "");
    options.region = "eu/../x";
    assert_says(cloud_s3_config_read(&options, &config, &err), CISTERN_USAGE, &err, "eu-west-1");
    options.region = NULL;
    options.addressing = "host";
    assert_says(cloud_s3_config_read(&options, &config, &err), CISTERN_USAGE, &err, "auto, path or virtual");
    options = options_of("", "[default]\naws_access_key_id = AKIDSHOWN\naws_secret_access_key\n");
    assert_says(cloud_s3_config_read(&options, &config, &err), CISTERN_USAGE, &err, "line 3");
    assert_null(strstr(err.text, "AKIDSHOWN"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_same_as_botocore),
        cmocka_unit_test(other_ways_to_credentials_are_refused_by_name),
        cmocka_unit_test(keys_beside_other_ways),
        cmocka_unit_test(files_that_are_absent_are_none),
        cmocka_unit_test(bad_values_are_refused),
    };
    return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
