/* Bringing models into the store. */
#ifndef CISTERN_PULL_H
#define CISTERN_PULL_H

#include <cistern/version.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct cistern_pull_options {
    size_t size;
    const char *as;                        /* NAME[:VERSION]; NULL: made from the address */
    const char *sha256;                    /* expected digest: 64 hexadecimal digits; NULL: none */
    int update;                            /* ask the origin whether it changed */
    int ignore_name_digest;                /* do not check the "-<8 hex>" of a file's name */
    const char *architecture, *preprocess; /* declared facts; NULL: found out */
    const char *labels; /* path of a file with one label per line, or a JSON array; NULL: found out */
    const char *config; /* path or URL of a config.json, "none", or NULL: the one beside the file */
    const char *why;    /* a note kept in the history; NULL: none */
    /* declared facts of weights that do not tell them; NULL: found out */
    const char *bn_epsilon;  /* what batch norm adds to the variance, a decimal number */
    const char *data_format; /* "channels_last", "channels_first": the order in which Keras flattened */
} cistern_pull_options;
#define CISTERN_PULL_OPTIONS_INIT                                                                            \
    {                                                                                                        \
        sizeof(cistern_pull_options), NULL, NULL, 0, 0, NULL, NULL, NULL, NULL, NULL, NULL, NULL             \
    }

/** What a pull did. */
typedef enum cistern_pull_outcome {
    CISTERN_PULL_HIT = 0,       /* it was here; no request was made */
    CISTERN_PULL_FETCHED = 1,   /* bytes came from the origin and a version was made */
    CISTERN_PULL_UNCHANGED = 2, /* --update: the origin said that nothing changed */
    CISTERN_PULL_RECORDED = 3,  /* the bytes were here; a version was made of them */
    CISTERN_PULL_SAME = 4       /* the bytes came, and were those of a version that was here */
} cistern_pull_outcome;

typedef struct cistern_pull_result {
    size_t size;
    cistern_pull_outcome outcome;
    uint64_t requests, bytes_received; /* made for this call; bytes of bodies */
    uint64_t bytes_resumed;            /* bytes that an interrupted fetch had left */
    const char *note;                  /* e.g. "latest points to 4"; "" if none; borrowed from the version */
} cistern_pull_result;

/**
 * Bring a model into the store unless it is there.
 * @param origin   http(s)://…, s3://BUCKET/KEY, file:…, a path, or a reference (then: is it here; with update, its origin is asked).
 * @param options  NULL: defaults. @param call NULL: neither progress nor cancel. @param result NULL allowed.
 * @param out      the version; the caller frees it.
 * @retval CISTERN_USAGE, CISTERN_NOT_FOUND, CISTERN_OFFLINE, CISTERN_NETWORK (the partial is kept), CISTERN_REFUSED,
 *         CISTERN_CONFLICT, CISTERN_NO_SPACE, CISTERN_TIMED_OUT, CISTERN_DAMAGED, CISTERN_UNREADABLE (only with
 *         `architecture`, or where the file is no weight file), CISTERN_DENIED, CISTERN_CANCELLED
 */
CISTERN_API cistern_status cistern_pull(cistern *c, const char *origin, const cistern_pull_options *options,
                                        const cistern_call *call, cistern_pull_result *result,
                                        cistern_version **out, cistern_error *err) CISTERN_MUST_CHECK;

/** The same from local files that become one version; `options->as` is needed. */
CISTERN_API cistern_status cistern_add(cistern *c, const char *const *paths, size_t count,
                                       const cistern_pull_options *options, const cistern_call *call,
                                       cistern_pull_result *result, cistern_version **out,
                                       cistern_error *err) CISTERN_MUST_CHECK;

#ifdef __cplusplus
}
#endif
#endif
