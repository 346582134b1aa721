/* Options of a context: named texts, each remembering where its value came from.
 *
 * The library reads the environment and configuration files only in cistern_options_load().
 *
 * name               meaning (unit; default)
 * store              directory of the local store ($XDG_DATA_HOME/cistern)
 * offline            yes|no: make no request (no)
 * wait               seconds to wait for another process's fetch; "forever" (forever)
 * ca                 PEM file of certificate authorities for https (the system's)
 * proxy              URL of an HTTP proxy (none)
 * no-proxy           host names that are reached without it, comma-separated (none)
 * tries              requests tried in all before giving up (5)
 * connect-timeout    seconds (10)
 * low-speed-limit    bytes per second below which a transfer counts as cut (1024)
 * low-speed-time     seconds below that rate (30)
 * parallel           ranged requests at once, 1 to 16 (4)
 * threads            compute threads; 0: as many as CPUs may be used (0)
 * isa                kernels: auto|portable|avx2|avx512|amx (auto)
 * import-program     path of cistern-import (found beside the library)
 * state              directory of identity records ($XDG_STATE_HOME/cistern)
 * cache              directory of packed weights for stores that may not be written ($XDG_CACHE_HOME/cistern)
 * s3-endpoint        URL of an S3 server that is not AWS's own; AWS_ENDPOINT_URL_S3, AWS_ENDPOINT_URL (AWS's)
 * s3-region          AWS_REGION, AWS_DEFAULT_REGION (the profile's, else us-east-1)
 * s3-profile         profile in the files below; AWS_PROFILE ("default", if it is there)
 * s3-addressing      auto|path|virtual: the bucket in the path or in the host name (the profile's, else auto)
 * s3-anonymous       yes|no: sign no request (no)
 * s3-requester-pays  yes|no: pay for requests to other people's buckets (no)
 * s3-config-file     AWS_CONFIG_FILE (~/.aws/config)
 * s3-credentials-file  AWS_SHARED_CREDENTIALS_FILE (~/.aws/credentials)
 * s3-access-key-id, s3-secret-access-key, s3-session-token   AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN;
 *                    shown as "***" (the profile's, else requests are anonymous)
 * torch-home         torch's home; TORCH_HOME ($XDG_CACHE_HOME/torch, ~/.cache/torch)
 * keras-home         Keras' home; KERAS_HOME (~/.keras)
 * netrc              path of a netrc file, whose user names and passwords go to its hosts (none)
 * headers-file       path of a file of sections "[https://host]" with lines "Name: value", sent to that server only (none)
 * keep-removed       how long removed versions keep their bytes; seconds, or with m, h, d behind the number (7d)
 * keep-partial       how long unfinished fetches that nobody goes on with are kept; likewise (7d)
 *
 * mirror             "PREFIX = REPLACEMENT", as often as wanted: addresses that begin with PREFIX (a URL, up to the end of a
 *                    segment) are asked at REPLACEMENT instead. In a file: the section [mirror], a pair on each line.
 */
#ifndef CISTERN_OPTIONS_H
#define CISTERN_OPTIONS_H

#include <cistern/error.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct cistern_options cistern_options;

/** Defaults only; nothing is read. */
CISTERN_API cistern_status cistern_options_new(cistern_options **out, cistern_error *err) CISTERN_MUST_CHECK;
CISTERN_API void cistern_options_free(cistern_options *options);

/**
 * Read, weakest first: /etc/cistern/config.ini; $XDG_CONFIG_HOME/cistern/config.ini (or the file named by
 * CISTERN_CONFIG); AWS's variables as named above; the environment (CISTERN_STORE, CISTERN_OFFLINE, CISTERN_WAIT, …: the option's name in upper case,
 * "-" as "_"). Values already set with cistern_options_set stay.
 * @retval CISTERN_USAGE  an unknown option or a bad value; the message names file and line.
 */
CISTERN_API cistern_status cistern_options_load(cistern_options *options,
                                                cistern_error *err) CISTERN_MUST_CHECK;

/** Set one option from a flag or a program. @retval CISTERN_USAGE unknown name or bad value. */
CISTERN_API cistern_status cistern_options_set(cistern_options *options, const char *name, const char *value,
                                               cistern_error *err) CISTERN_MUST_CHECK;

/** The i-th option in the order of the table above, then the mirrors ("mirror PREFIX"); false past the end. Texts borrowed until the next change.
 *  @param source  "default", "flag", "environment CISTERN_STORE", "/etc/cistern/config.ini:3" … Secrets are shown as "***". */
CISTERN_API int cistern_options_peek(const cistern_options *options, size_t i, const char **name,
                                     const char **value, const char **source);

/** Messages for people about what is going on. level 0: a warning, 1: a note, 2: detail. One line, UTF-8, borrowed.
 *  Called on threads that make calls, never after the context is freed. */
typedef void (*cistern_log_fn)(void *user, int level, const char *line);
CISTERN_API void cistern_options_set_log(cistern_options *options, cistern_log_fn fn, void *user);

#ifdef __cplusplus
}
#endif
#endif
