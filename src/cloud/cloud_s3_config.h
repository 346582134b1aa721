/* Credentials, region and endpoint of S3, from options and AWS's own files; the order is botocore's.
 *
 * credentials   the options, else the profile in the credentials file, else in the config file; the profile first where it
 *               was named on purpose. Nothing anywhere: anonymous.
 * region        the option, else the profile's `region`, else us-east-1 (found wrong, the service's answer corrects it).
 * endpoint      the option, else `[services NAME] s3 = endpoint_url`, else the profile's `endpoint_url`, else AWS's.
 * addressing    the option, else the profile's `s3 = addressing_style`, else auto.
 * Where a profile is in both files, the credentials file's keys win.
 * A profile that gets its credentials by other means (roles, single sign-on, a process) is refused by what it names.
 */
#ifndef CLOUD_S3_CONFIG_H
#define CLOUD_S3_CONFIG_H

#include "cloud_context.h"
#include "cloud_s3_address.h"
#include "cloud_sigv4.h"

typedef struct cloud_s3_config {
    bool anonymous;
    bool no_credentials; /* anonymous because none were found */
    char *access_key_id, *secret_access_key, *session_token;
    char *region;
    char *endpoint; /* NULL: AWS's own */
    cloud_s3_style style;
} cloud_s3_config;

/**
 * Find out.
 * @param out  cleared with cloud_s3_config_clear.
 * @retval USAGE  half a pair of keys, a profile that is named and nowhere, a file that cannot be understood (with its line), a
 * profile that needs what is not supported. @retval DENIED a file that may not be read. @retval NO_MEMORY
 */
cistern_status cloud_s3_config_read(const cloud_s3_options *options, cloud_s3_config *out,
                                    cistern_error *err) CISTERN_MUST_CHECK;
void cloud_s3_config_clear(cloud_s3_config *config); /* wipes the keys */

#endif
