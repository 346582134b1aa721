/* Finding credentials, region and endpoint; see cloud_s3_config.h. Source: botocore's configloader.py, credentials.py,
 * configprovider.py. */
#include "cloud_s3_config.h"
#include <stdlib.h>
#include <string.h>
#include "base_file.h"
#include "base_mem.h"
#include "base_wipe.h"
#include "priv/cloud_ini.h"

#define DEFAULT_PROFILE "default"
#define DEFAULT_REGION  "us-east-1"
#define NESTED_MAX      2048 /* bytes of a nested value: an endpoint's URL */

/* Both files and the profile's sections in them. */
typedef struct profile {
    const char *name;
    cloud_ini *config, *credentials; /* NULL: no such file */
    int in_config, in_credentials;   /* -1: not there */
} profile;

static bool given(const char *text)
{
    return text != NULL && text[0] != '\0';
}

static const char *or_none(const char *path)
{
    return given(path) ? path : "(no file)";
}

/* --- files --------------------------------------------------------------------------------------------------- */

static cistern_status read_file(const char *path, cloud_ini **out, cistern_error *err)
{
    base_buf text;
    *out = NULL;
    if (!given(path))
        return CISTERN_OK;
    base_buf_init(&text, CLOUD_INI_MAX);
    cistern_status status = base_read_path(path, &text, err);
    if (status == CISTERN_NOT_FOUND) {
        base_error_clear(err);
        return CISTERN_OK;
    }
    if (status == CISTERN_OK)
        status = cloud_ini_parse(text.data != NULL ? text.data : "", text.len, out, err);
    if (text.data != NULL)
        base_wipe(text.data, text.len);
    base_buf_clear(&text);
    return status == CISTERN_OK ? status : base_frame(err, status, "%s", path);
}

static void close_profile(profile *p)
{
    cloud_ini_free(p->config);
    cloud_ini_free(p->credentials);
}

static cistern_status open_profile(const cloud_s3_options *options, profile *out, cistern_error *err)
{
    profile p = {.name = given(options->profile) ? options->profile : DEFAULT_PROFILE,
                 .in_config = -1,
                 .in_credentials = -1};
    cistern_status status = read_file(options->config_file, &p.config, err);
    if (status == CISTERN_OK)
        status = read_file(options->credentials_file, &p.credentials, err);
    if (status == CISTERN_OK && p.config != NULL)
        p.in_config = cloud_ini_named_section(p.config, "profile", p.name);
    if (status == CISTERN_OK && p.credentials != NULL)
        p.in_credentials = cloud_ini_section(p.credentials, p.name);
    if (status == CISTERN_OK && given(options->profile) && p.in_config < 0 && p.in_credentials < 0)
        status = base_fail(err, CISTERN_USAGE, "there is no profile '%s' in '%s' or '%s'", p.name,
                           or_none(options->config_file), or_none(options->credentials_file));
    if (status != CISTERN_OK) {
        close_profile(&p);
        return status;
    }
    *out = p;
    return CISTERN_OK;
}

/* A key of the profile in either file. */
static const char *value_of(const profile *p, const char *key)
{
    const char *value =
        p->in_credentials >= 0 ? cloud_ini_value(p->credentials, p->in_credentials, key) : NULL;
    if (value == NULL && p->in_config >= 0)
        value = cloud_ini_value(p->config, p->in_config, key);
    return value;
}

/* --- credentials --------------------------------------------------------------------------------------------- */

static cistern_status keep_keys(cloud_s3_config *out, const char *id, const char *secret, const char *token,
                                cistern_error *err)
{
    out->anonymous = false;
    cistern_status status = base_strdup(id, &out->access_key_id, err);
    if (status == CISTERN_OK)
        status = base_strdup(secret, &out->secret_access_key, err);
    if (status == CISTERN_OK)
        status = base_strdup(token != NULL ? token : "", &out->session_token, err);
    return status;
}

static cistern_status keys_of_options(const cloud_s3_options *options, cloud_s3_config *out,
                                      cistern_error *err)
{
    if (!given(options->access_key_id)) /* as botocore: a secret alone is nothing */
        return CISTERN_OK;
    if (!given(options->secret_access_key))
        return base_fail(err, CISTERN_USAGE,
                         "an access key id is given and no secret: set AWS_SECRET_ACCESS_KEY, or unset "
                         "AWS_ACCESS_KEY_ID");
    return keep_keys(out, options->access_key_id, options->secret_access_key, options->session_token, err);
}

static cistern_status keys_of_section(const cloud_ini *ini, int section, const char *name,
                                      cloud_s3_config *out, cistern_error *err)
{
    if (section < 0 || !out->anonymous)
        return CISTERN_OK;
    const char *id = cloud_ini_value(ini, section, "aws_access_key_id");
    const char *secret = cloud_ini_value(ini, section, "aws_secret_access_key");
    const char *token = cloud_ini_value(ini, section, "aws_security_token"); /* the old name comes first */
    if (token == NULL)
        token = cloud_ini_value(ini, section, "aws_session_token");
    if (id == NULL)
        return CISTERN_OK;
    if (secret == NULL)
        return base_fail(err, CISTERN_USAGE,
                         "the profile '%s' has an aws_access_key_id and no aws_secret_access_key", name);
    return keep_keys(out, id, secret, token, err);
}

/* What a profile may name in place of keys. */
static cistern_status refuse_other_ways(const profile *p, bool process, cistern_error *err)
{
    static const char *const always[] = {
        "role_arn",   "web_identity_token_file", "sso_start_url", "sso_session",
        "sso_region", "sso_account_id",          "sso_role_name", NULL};
    const char *found = NULL;
    for (const char *const *key = always; found == NULL && *key != NULL; key++)
        found = value_of(p, *key) != NULL ? *key : NULL;
    if (found == NULL && process && value_of(p, "credential_process") != NULL)
        found = "credential_process";
    if (found == NULL)
        return CISTERN_OK;
    return base_fail(
        err, CISTERN_USAGE,
        "the profile '%s' gets its credentials by '%s', which is not supported by this version: put them "
        "into the environment with: eval \"$(aws configure export-credentials --profile %s --format env)\"",
        p->name, found, p->name);
}

static cistern_status keys_of_profile(const profile *p, cloud_s3_config *out, cistern_error *err)
{
    if (!out->anonymous)
        return CISTERN_OK;
    cistern_status status = refuse_other_ways(p, false, err);
    if (status == CISTERN_OK)
        status = keys_of_section(p->credentials, p->in_credentials, p->name, out, err);
    if (status == CISTERN_OK && out->anonymous)
        status = refuse_other_ways(p, true, err);
    if (status == CISTERN_OK)
        status = keys_of_section(p->config, p->in_config, p->name, out, err);
    return status;
}

static cistern_status find_keys(const cloud_s3_options *options, const profile *p, cloud_s3_config *out,
                                cistern_error *err)
{
    cistern_status status = CISTERN_OK;
    out->anonymous = true;
    if (options->anonymous)
        return CISTERN_OK;
    if (options->profile_first)
        status = keys_of_profile(p, out, err);
    if (status == CISTERN_OK && out->anonymous)
        status = keys_of_options(options, out, err);
    if (status == CISTERN_OK)
        status = keys_of_profile(p, out, err);
    out->no_credentials = out->anonymous;
    return status;
}

/* --- region, endpoint, addressing ---------------------------------------------------------------------------- */

static cistern_status find_region(const cloud_s3_options *options, const profile *p, cloud_s3_config *out,
                                  cistern_error *err)
{
    const char *region = given(options->region) ? options->region : value_of(p, "region");
    if (!given(region))
        region = DEFAULT_REGION;
    if (!cloud_s3_region_is_good(region))
        return base_fail(err, CISTERN_USAGE,
                         "'%s' is no region's name: letters, digits and '-' are expected, as in eu-west-1",
                         region);
    return base_strdup(region, &out->region, err);
}

/* `[services NAME]` with `s3 =` and an indented endpoint_url. */
static cistern_status endpoint_of_services(const profile *p, char *out, size_t size, bool *out_found,
                                           cistern_error *err)
{
    const char *services = value_of(p, "services");
    *out_found = false;
    if (services == NULL)
        return CISTERN_OK;
    int section = p->config != NULL ? cloud_ini_named_section(p->config, "services", services) : -1;
    if (section < 0)
        return base_fail(err, CISTERN_USAGE, "the profile '%s' names [services %s], which is not there",
                         p->name, services);
    const char *s3 = cloud_ini_value(p->config, section, "s3");
    return s3 != NULL ? cloud_ini_nested(s3, "endpoint_url", out, size, out_found, err) : CISTERN_OK;
}

static cistern_status find_endpoint(const cloud_s3_options *options, const profile *p, cloud_s3_config *out,
                                    cistern_error *err)
{
    char nested[NESTED_MAX];
    bool found = false;
    const char *ignore = value_of(p, "ignore_configured_endpoint_urls");
    if (given(options->endpoint))
        return base_strdup(options->endpoint, &out->endpoint, err);
    if (ignore != NULL && strcmp(ignore, "true") == 0)
        return CISTERN_OK;
    cistern_status status = endpoint_of_services(p, nested, sizeof nested, &found, err);
    if (status != CISTERN_OK)
        return status;
    const char *endpoint = found && nested[0] != '\0' ? nested : value_of(p, "endpoint_url");
    return given(endpoint) ? base_strdup(endpoint, &out->endpoint, err) : CISTERN_OK;
}

static cistern_status find_style(const cloud_s3_options *options, const profile *p, cloud_s3_config *out,
                                 cistern_error *err)
{
    char style[NESTED_MAX] = "auto";
    bool found = false;
    const char *s3 = value_of(p, "s3");
    cistern_status status = CISTERN_OK;
    if (given(options->addressing))
        snprintf(style, sizeof style, "%s", options->addressing);
    else if (s3 != NULL)
        status = cloud_ini_nested(s3, "addressing_style", style, sizeof style, &found, err);
    if (status != CISTERN_OK)
        return base_frame(err, status, "s3 of the profile '%s'", p->name);
    if (strcmp(style, "virtual") == 0)
        out->style = CLOUD_S3_VIRTUAL;
    else if (strcmp(style, "path") == 0)
        out->style = CLOUD_S3_PATH;
    else if (strcmp(style, "auto") == 0)
        out->style = CLOUD_S3_AUTO;
    else
        return base_fail(err, CISTERN_USAGE,
                         "the addressing style is '%s': auto, path or virtual is expected", style);
    return CISTERN_OK;
}

cistern_status cloud_s3_config_read(const cloud_s3_options *options, cloud_s3_config *out, cistern_error *err)
{
    cloud_s3_config config = {.anonymous = true};
    profile p;
    cistern_status status = open_profile(options, &p, err);
    if (status != CISTERN_OK)
        return status;
    status = find_keys(options, &p, &config, err);
    if (status == CISTERN_OK)
        status = find_region(options, &p, &config, err);
    if (status == CISTERN_OK)
        status = find_endpoint(options, &p, &config, err);
    if (status == CISTERN_OK)
        status = find_style(options, &p, &config, err);
    close_profile(&p);
    if (status != CISTERN_OK) {
        cloud_s3_config_clear(&config);
        return status;
    }
    *out = config;
    return CISTERN_OK;
}

static void wipe(char *secret)
{
    if (secret != NULL)
        base_wipe(secret, strlen(secret));
    free(secret);
}

void cloud_s3_config_clear(cloud_s3_config *config)
{
    wipe(config->access_key_id);
    wipe(config->secret_access_key);
    wipe(config->session_token);
    free(config->region);
    free(config->endpoint);
    *config = (cloud_s3_config){.anonymous = true};
}
