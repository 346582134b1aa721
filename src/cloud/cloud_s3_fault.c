/* What S3 refuses and why; see priv/cloud_s3_fault.h. Source: "Error responses" of the S3 API reference. */
#include "priv/cloud_s3_fault.h"
#include <stdio.h>
#include <string.h>
#include "net_client.h"
#include "priv/cloud_xml.h"

#define CODE_MAX    64  /* bytes with the zero of an error's code; S3's are below 50 */
#define MESSAGE_MAX 320 /* bytes with the zero of what the server says; longer ones are cut */
#define TEXT_MAX                                                                                             \
    2048 /* bytes with the zero that are looked through for secrets; longer texts are not shown */
#define TIME_MAX 64

const char *const cloud_s3_watch[] = {"x-amz-bucket-region",
                                      "x-amz-version-id",
                                      "x-amz-delete-marker",
                                      "date",
                                      "x-amz-checksum-sha256",
                                      "x-amz-checksum-type",
                                      NULL};

/* The failure, read. */
typedef struct fault {
    const cloud_s3_asked *asked;
    const net_failure *failure;
    char code[CODE_MAX];       /* of the document, else what the HTTP code means; "" unknown */
    char message[MESSAGE_MAX]; /* ": …" of the server, or "" */
} fault;

/* A hostile server could send back what it was sent. */
static bool holds_secret(const cloud_s3_config *config, const char *text)
{
    const char *const secrets[] = {config->secret_access_key, config->session_token, config->access_key_id};
    for (size_t i = 0; i < sizeof secrets / sizeof secrets[0]; i++)
        if (secrets[i] != NULL && secrets[i][0] != '\0' && strstr(text, secrets[i]) != NULL)
            return true;
    return strstr(text, "Signature=") != NULL;
}

/* Letters and digits only: it goes into messages and comparisons. */
static bool is_code(const char *text)
{
    size_t n = strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-");
    return n > 0 && text[n] == '\0';
}

/* Without a document (a proxy before the server, a HEAD) the code alone speaks. */
static const char *code_of_http(int code)
{
    return code == 401 || code == 403 ? "AccessDenied" : code == 404 ? "NotFound" : "";
}

static void read_fault(const cloud_s3_asked *asked, const net_failure *failure, fault *out)
{
    char text[TEXT_MAX];
    *out = (fault){.asked = asked, .failure = failure};
    bool document = cloud_xml_text(failure->body, failure->body_size, "Code", out->code, sizeof out->code) &&
                    is_code(out->code) && !holds_secret(asked->config, out->code);
    if (!document)
        snprintf(out->code, sizeof out->code, "%s", code_of_http(failure->code));
    if (document && cloud_xml_text(failure->body, failure->body_size, "Message", text, sizeof text) &&
        text[0] != '\0' && strlen(text) < sizeof text - 1 && !holds_secret(asked->config, text))
        snprintf(out->message, sizeof out->message, ": %.*s", MESSAGE_MAX - 3, text);
}

/* --- the wrong region ---------------------------------------------------------------------------------------- */

static void keep_region(const cloud_s3_config *config, const char *text, char out[CLOUD_S3_REGION_BYTES])
{
    if (cloud_s3_region_is_good(text) && !holds_secret(config, text))
        snprintf(out, CLOUD_S3_REGION_BYTES, "%s", text);
}

bool cloud_s3_fault_region(const cloud_s3_config *config, const net_failure *failure,
                           char out[CLOUD_S3_REGION_BYTES])
{
    char code[CODE_MAX], region[CLOUD_S3_REGION_BYTES];
    int http = failure->code;
    cloud_xml_text(failure->body, failure->body_size, "Code", code, sizeof code);
    bool told = strcmp(code, "PermanentRedirect") == 0 || strcmp(code, "TemporaryRedirect") == 0 ||
                strcmp(code, "AuthorizationHeaderMalformed") == 0 ||
                strcmp(code, "IllegalLocationConstraintException") == 0;
    bool silent = code[0] == '\0' && (http == 301 || http == 307 || http == 400) &&
                  failure->watched[CLOUD_S3_FIELD_REGION][0] != '\0';
    out[0] = '\0';
    if (!told && !silent)
        return false;
    keep_region(config, failure->watched[CLOUD_S3_FIELD_REGION], out);
    if (out[0] == '\0' && cloud_xml_text(failure->body, failure->body_size, "Region", region, sizeof region))
        keep_region(config, region, out);
    /* a malformed header may have other reasons than the region */
    return out[0] != '\0' || strcmp(code, "AuthorizationHeaderMalformed") != 0;
}

static cistern_status region_fault(const fault *f, cistern_error *err)
{
    char region[CLOUD_S3_REGION_BYTES];
    const cloud_s3_asked *a = f->asked;
    cloud_s3_fault_region(a->config, f->failure, region);
    if (region[0] == '\0')
        return base_fail(err, CISTERN_NETWORK,
                         "%s: the bucket is not in the region %s, and the server does not say where: name it "
                         "with --s3-region",
                         a->shown, a->region);
    if (strcmp(region, a->region) == 0)
        return base_fail(
            err, CISTERN_NETWORK,
            "%s: the server %s sends to the region %s, where it was asked: is the endpoint right? "
            "(--s3-endpoint)",
            a->shown, a->server, region);
    return base_fail(err, CISTERN_NETWORK,
                     "%s: the bucket is in the region %s, it was asked for in %s: use --s3-region %s",
                     a->shown, region, a->region, region);
}

/* --- refusals ------------------------------------------------------------------------------------------------ */

#define HOW_TO_GIVE "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE (or --s3-profile NAME)"

static cistern_status access_denied(const fault *f, cistern_error *err)
{
    const cloud_s3_asked *a = f->asked;
    if (a->config->no_credentials)
        return base_fail(
            err, CISTERN_REFUSED,
            "%s: access refused (%s%s): no credentials were found and it was asked for without: " HOW_TO_GIVE,
            a->shown, f->code, f->message);
    if (a->config->anonymous)
        return base_fail(err, CISTERN_REFUSED,
                         "%s: access refused (%s%s) to an anonymous request: it is not public; leave "
                         "--s3-anonymous out",
                         a->shown, f->code, f->message);
    return base_fail(
        err, CISTERN_REFUSED,
        "%s: access refused (%s%s): either these credentials may not read it (s3:GetObject%s), or it "
        "does not exist, which S3 tells only who may list the bucket (s3:ListBucket)",
        a->shown, f->code, f->message, a->address->version != NULL ? "Version" : "");
}

/* Digits and what stands between them. */
static bool is_time(const char *text)
{
    size_t n = strspn(text, "0123456789TZ:.+- ");
    return n >= 8 && text[n] == '\0';
}

/* As the server wrote it in its document, else in its Date. */
static cistern_status clock_fault(const fault *f, cistern_error *err)
{
    char ours[TIME_MAX], theirs[TIME_MAX];
    const net_failure *failure = f->failure;
    const char *date = failure->watched[CLOUD_S3_FIELD_DATE];
    if (!cloud_xml_text(failure->body, failure->body_size, "RequestTime", ours, sizeof ours) ||
        !is_time(ours))
        cloud_sigv4_now(ours);
    if (!cloud_xml_text(failure->body, failure->body_size, "ServerTime", theirs, sizeof theirs) ||
        !is_time(theirs))
        snprintf(theirs, sizeof theirs, "%s",
                 date[0] != '\0' && !holds_secret(f->asked->config, date) ? date : "unknown");
    return base_fail(
        err, CISTERN_REFUSED,
        "%s: the clocks differ too much (%s): this machine says %s, the server %s: set this machine's "
        "clock",
        f->asked->shown, f->code, ours, theirs);
}

static cistern_status no_bucket(const fault *f, cistern_error *err)
{
    return base_fail(err, CISTERN_NOT_FOUND,
                     "%s: there is no bucket '%s' at %s: check its name and the endpoint", f->asked->shown,
                     f->asked->address->bucket, f->asked->server);
}

static cistern_status no_key(const fault *f, cistern_error *err)
{
    return base_fail(err, CISTERN_NOT_FOUND, "%s: the bucket '%s' has no object of this key: check the key",
                     f->asked->shown, f->asked->address->bucket);
}

static cistern_status no_version(const fault *f, cistern_error *err)
{
    return base_fail(err, CISTERN_NOT_FOUND, "%s: the object has no such version%s", f->asked->shown,
                     f->failure->watched[CLOUD_S3_FIELD_DELETED][0] != '\0' ? " (it marks a deletion)" : "");
}

static cistern_status not_found(const fault *f, cistern_error *err)
{
    return f->asked->address->version != NULL ? no_version(f, err) : no_key(f, err);
}

static cistern_status simple(const fault *f, cistern_status status, const char *advice, cistern_error *err)
{
    return base_fail(err, status, "%s: %s (%s%s)", f->asked->shown, advice, f->code, f->message);
}

typedef struct code_row {
    const char *code;
    cistern_status status;
    bool transient;
    cistern_status (*say)(const fault *f, cistern_error *err); /* or NULL: */
    const char *advice;
} code_row;

static const code_row code_rows[] = {
    {"NoSuchBucket", CISTERN_NOT_FOUND, false, no_bucket, NULL},
    {"NoSuchKey", CISTERN_NOT_FOUND, false, not_found, NULL},
    {"NotFound", CISTERN_NOT_FOUND, false, not_found, NULL},
    {"NoSuchVersion", CISTERN_NOT_FOUND, false, no_version, NULL},
    {"AccessDenied", CISTERN_REFUSED, false, access_denied, NULL},
    {"Forbidden", CISTERN_REFUSED, false, access_denied, NULL},
    {"ExpiredToken", CISTERN_REFUSED, false, NULL,
     "the session token has expired: get new credentials and run it again; what was fetched is kept"},
    {"TokenRefreshRequired", CISTERN_REFUSED, false, NULL,
     "the session token has expired: get new credentials and run it again; what was fetched is kept"},
    {"InvalidToken", CISTERN_REFUSED, false, NULL,
     "the session token is not valid: does AWS_SESSION_TOKEN belong to these keys?"},
    {"InvalidAccessKeyId", CISTERN_REFUSED, false, NULL,
     "the access key id is not known there: check it, and the endpoint"},
    {"InvalidClientTokenId", CISTERN_REFUSED, false, NULL,
     "the access key id is not known there: check it, and the endpoint"},
    {"XAdminUserNotFound", CISTERN_REFUSED, false, NULL,
     "the access key id is not known there: check it, and the endpoint"}, /* of the VersityGW */
    {"SignatureDoesNotMatch", CISTERN_REFUSED, false, NULL,
     "the signature does not match: check the secret access key; else a proxy on the way changes requests"},
    {"RequestTimeTooSkewed", CISTERN_REFUSED, false, clock_fault, NULL},
    {"RequestExpired", CISTERN_REFUSED, false, clock_fault, NULL},
    {"InvalidObjectState", CISTERN_REFUSED, false, NULL, "the object is archived: restore it first"},
    {"AllAccessDisabled", CISTERN_REFUSED, false, NULL, "all access to it is disabled"},
    {"AccountProblem", CISTERN_REFUSED, false, NULL, "there is a problem with the account"},
    {"SlowDown", CISTERN_NETWORK, true, NULL, "S3 asks to slow down"},
    {"ServiceUnavailable", CISTERN_NETWORK, true, NULL, "S3 is overloaded or in maintenance"},
    {"InternalError", CISTERN_NETWORK, true, NULL, "S3 failed"},
    {"RequestTimeout", CISTERN_NETWORK, true, NULL, "S3 timed out"},
    {"RequestLimitExceeded", CISTERN_NETWORK, true, NULL, "too many requests"},
    {"Throttling", CISTERN_NETWORK, true, NULL, "too many requests"},
};

cistern_status cloud_s3_fault(const cloud_s3_asked *asked, const net_failure *failure, bool *out_transient,
                              cistern_error *err)
{
    char region[CLOUD_S3_REGION_BYTES];
    fault f;
    read_fault(asked, failure, &f);
    *out_transient = false;
    if (cloud_s3_fault_region(asked->config, failure, region))
        return region_fault(&f, err);
    if (failure->code == 405 && failure->watched[CLOUD_S3_FIELD_DELETED][0] != '\0')
        return no_version(&f, err);
    for (size_t i = 0; i < sizeof code_rows / sizeof code_rows[0]; i++) {
        const code_row *row = &code_rows[i];
        if (strcmp(row->code, f.code) != 0)
            continue;
        *out_transient = row->transient;
        return row->say != NULL ? row->say(&f, err) : simple(&f, row->status, row->advice, err);
    }
    if (f.code[0] == '\0')
        return CISTERN_OK;
    *out_transient = failure->code >= 500 || failure->code == 429;
    cistern_status status = failure->code == 401 || failure->code == 403   ? CISTERN_REFUSED
                            : failure->code == 404 || failure->code == 410 ? CISTERN_NOT_FOUND
                                                                           : CISTERN_NETWORK;
    return base_fail(err, status, "%s: HTTP %d (%s%s)", asked->shown, failure->code, f.code, f.message);
}
