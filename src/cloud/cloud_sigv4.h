/* AWS signature version 4 in the Authorization field, as S3 wants it.
 *
 * Source: "Signature Version 4 signing process" of the AWS documentation, and botocore's S3SigV4Auth, whose signatures
 * these equal byte for byte: the path is signed as it stands (no dots resolved, no second escaping), the query's
 * parameters are sorted as they stand. It knows no clock: the time is given.
 */
#ifndef CLOUD_SIGV4_H
#define CLOUD_SIGV4_H

#include "base_buf.h"
#include "net_http.h"

#define CLOUD_SIGV4_TIME       17 /* bytes of "20260131T120000Z" with the zero */
#define CLOUD_SIGV4_FIELDS_MAX 24
#define CLOUD_SIGV4_NO_PAYLOAD                                                                               \
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855" /* SHA-256 of nothing */

/** Who signs; texts are borrowed. None of them ever enters a message. */
typedef struct cloud_key {
    const char *access_key_id;
    const char *secret_access_key;
    const char *session_token; /* "": none */
} cloud_key;

/** What is signed; texts are borrowed. */
typedef struct cloud_sigv4_request {
    const char *method;
    const net_url *url;      /* path and query percent-encoded, as they are sent */
    const net_field *fields; /* all that are signed but Host, names in lower case, in any order, each once */
    size_t field_count;
    const char *payload; /* SHA-256 of the body, or UNSIGNED-PAYLOAD; the value of x-amz-content-sha256 */
    const char *time;    /* the value of x-amz-date */
    const char *region;
    const char *service; /* "s3" */
} cloud_sigv4_request;

/** Append the canonical request. @retval USAGE  more than CLOUD_SIGV4_FIELDS_MAX fields. @retval NO_MEMORY */
cistern_status cloud_sigv4_canonical(const cloud_sigv4_request *request, base_buf *out,
                                     cistern_error *err) CISTERN_MUST_CHECK;

/** The value of the Authorization field; owned by the caller. @retval as cloud_sigv4_canonical; UNEXPECTED (libcrypto) */
cistern_status cloud_sigv4_authorization(const cloud_sigv4_request *request, const cloud_key *key, char **out,
                                         cistern_error *err) CISTERN_MUST_CHECK;

/** The time now, for `time`. */
void cloud_sigv4_now(char out[CLOUD_SIGV4_TIME]);

#endif
