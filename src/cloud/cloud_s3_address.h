/* Addresses of objects in S3: s3://BUCKET/KEY, with ?versionId=ID for one version of it.
 *
 * The key is taken byte for byte, as every S3 tool does: `%`, `+`, `?`, `#`, spaces and `//` are letters of it. Only
 * `?versionId=` at the end is no part of it. The normalised form is the same text with the scheme in lower case: where the
 * bucket is reached (endpoint, region) is not part of what an object is called.
 */
#ifndef CLOUD_S3_ADDRESS_H
#define CLOUD_S3_ADDRESS_H

#include <stdbool.h>
#include "net_url.h"

#define CLOUD_S3_KEY_MAX     1024 /* bytes of a key: a limit of S3 */
#define CLOUD_S3_BUCKET_MAX  255  /* bytes of a bucket's name: 63 since 2018, 255 before */
#define CLOUD_S3_VERSION_MAX 1024 /* bytes of a version id: a limit of S3 */

typedef struct cloud_s3_address {
    char *bucket;
    char *key;
    char *version; /* NULL: the current one */
} cloud_s3_address;

/**
 * @param text  "s3://…"; the scheme in either case.
 * @retval USAGE  no bucket, no key, a directory (ends in '/'), not UTF-8, a control character, too long; the message says
 * which. @retval NO_MEMORY
 */
cistern_status cloud_s3_address_parse(const char *text, cloud_s3_address *out,
                                      cistern_error *err) CISTERN_MUST_CHECK;
void cloud_s3_address_clear(cloud_s3_address *address);
/** The form that is stored, compared and shown; owned by the caller. It can be parsed again. */
cistern_status cloud_s3_address_normalise(const cloud_s3_address *address, char **out,
                                          cistern_error *err) CISTERN_MUST_CHECK;

/** How a bucket stands in a URL. */
typedef enum cloud_s3_style {
    CLOUD_S3_AUTO,    /* VIRTUAL for AWS's own endpoints and names that a certificate covers, else PATH */
    CLOUD_S3_VIRTUAL, /* https://bucket.host/key */
    CLOUD_S3_PATH     /* https://host/bucket/key */
} cloud_s3_style;

/**
 * The URL of an object.
 * @param endpoint  URL of a server that is not AWS's own, with or without a path; NULL: AWS's.
 * @param region    of AWS, decides its host name; letters, digits and '-' only.
 * @param out       owned by the caller. Every byte of the key but letters, digits and -._~/ is percent-encoded.
 * @retval USAGE  the endpoint is no URL, or VIRTUAL with a bucket that is no host name. @retval NO_MEMORY
 */
cistern_status cloud_s3_address_url(const cloud_s3_address *address, const char *endpoint, const char *region,
                                    cloud_s3_style style, char **out, cistern_error *err) CISTERN_MUST_CHECK;

/** Whether a request that began at `start` may be signed for `url`: the same server, or both are endpoints of AWS's S3. */
bool cloud_s3_may_sign(const net_url *start, const net_url *url);

/** Whether it can be a region's name: letters, digits and '-', at most 32. */
bool cloud_s3_region_is_good(const char *region);

#endif
