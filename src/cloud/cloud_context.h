/* How clouds are reached: what options say, kept. Makes no request and reads nothing.
 *
 * Invariants
 *  1. The environment is never looked at: its values come as options.
 *  2. Secrets are wiped when the context is freed, and are never part of a message.
 */
#ifndef CLOUD_CONTEXT_H
#define CLOUD_CONTEXT_H

#include <stdbool.h>
#include <stddef.h>
#include "base_error.h"

/** Of S3. Texts may be NULL or "": not given. */
typedef struct cloud_s3_options {
    const char *access_key_id;
    const char *secret_access_key;
    const char *session_token;
    const char *profile;     /* of the files below; not given: "default", which may be absent */
    bool profile_first;      /* its credentials come before those above: it was named on purpose */
    const char *region;      /* not given: the profile's, else us-east-1, corrected by the service's answer */
    const char *endpoint;    /* URL; not given: the profile's, else AWS's own */
    const char *addressing;  /* "auto", "path", "virtual"; not given: the profile's, else auto */
    const char *config_file; /* ~/.aws/config; may be absent */
    const char *credentials_file; /* ~/.aws/credentials; may be absent */
    bool anonymous;               /* sign nothing */
    bool requester_pays;
} cloud_s3_options;

typedef struct cloud_options {
    size_t size; /* sizeof(cloud_options) */
    cloud_s3_options s3;
} cloud_options;

#define CLOUD_OPTIONS_INIT                                                                                   \
    {                                                                                                        \
        sizeof(cloud_options),                                                                               \
        {                                                                                                    \
            NULL, NULL, NULL, NULL, false, NULL, NULL, NULL, NULL, NULL, false, false                        \
        }                                                                                                    \
    }

typedef struct cloud_context cloud_context;

/**
 * @param options  copied; NULL: CLOUD_OPTIONS_INIT.
 * @param out      freed with cloud_context_free, after every source made with it.
 * @retval NO_MEMORY
 * Threads: a context may be used by several at once.
 */
cistern_status cloud_context_new(const cloud_options *options, cloud_context **out,
                                 cistern_error *err) CISTERN_MUST_CHECK;
void cloud_context_free(cloud_context *context); /* NULL allowed */
/** The options in force, every text there ("" where not given); borrowed. */
const cloud_s3_options *cloud_context_s3(const cloud_context *context);

/** Where a bucket turned out to be, so that it is asked there at once. @param out  "" if it is not known; 33 bytes. */
void cloud_context_region(cloud_context *context, const char *bucket, char out[33]);
/** Remember it; forgets another bucket when many were remembered. */
void cloud_context_learn(cloud_context *context, const char *bucket, const char *region);

#endif
