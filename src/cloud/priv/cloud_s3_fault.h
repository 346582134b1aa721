/* The one place where S3's error documents become statuses and messages. */
#ifndef CLOUD_S3_FAULT_H
#define CLOUD_S3_FAULT_H

#include "cloud_s3_address.h"
#include "cloud_s3_config.h"
#include "net_http.h"

#define CLOUD_S3_REGION_BYTES 33

/** The fields of an answer that are looked at, in the order of net_failure.watched. */
enum cloud_s3_field {
    CLOUD_S3_FIELD_REGION,        /* x-amz-bucket-region */
    CLOUD_S3_FIELD_VERSION,       /* x-amz-version-id */
    CLOUD_S3_FIELD_DELETED,       /* x-amz-delete-marker */
    CLOUD_S3_FIELD_DATE,          /* date */
    CLOUD_S3_FIELD_CHECKSUM,      /* x-amz-checksum-sha256 */
    CLOUD_S3_FIELD_CHECKSUM_TYPE, /* x-amz-checksum-type */
};
extern const char *const cloud_s3_watch[]; /* their names, ended by NULL */

/** Who asked for what. */
typedef struct cloud_s3_asked {
    const char *shown; /* the object's address */
    const cloud_s3_address *address;
    const cloud_s3_config *config;
    const char *region;
    const char *server; /* "https://host[:port]" of the request */
} cloud_s3_asked;

/**
 * Set err.
 * @param out_transient  whether another try may help.
 * @retval OK  the answer has no document of S3 and its code says nothing of S3: the words for HTTP's codes fit.
 */
cistern_status cloud_s3_fault(const cloud_s3_asked *asked, const net_failure *failure, bool *out_transient,
                              cistern_error *err) CISTERN_MUST_CHECK;

/**
 * The region where the bucket is, if a failure says that it was asked for in the wrong one.
 * @param config  a region that repeats one of its secrets is none.
 * @param out     "" if it is no such failure, or it does not say where.
 * @return whether it is such a failure.
 */
bool cloud_s3_fault_region(const cloud_s3_config *config, const net_failure *failure,
                           char out[CLOUD_S3_REGION_BYTES]);

#endif
