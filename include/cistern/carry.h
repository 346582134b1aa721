/* Other people's layouts: a directory with metadata.json, other tools' caches. Adopting, and giving back. */
#ifndef CISTERN_CARRY_H
#define CISTERN_CARRY_H

#include <cistern/pull.h>

#ifdef __cplusplus
extern "C" {
#endif

/** What became of one file or version; borrowed for the call-back. */
typedef struct cistern_carried {
    size_t size;
    const char *file;      /* its path in the other layout; "" where it came to none */
    const char *reference; /* "vgg16:3@sha256:…", or "" */
    cistern_status status;
    const char *message;          /* "" when OK */
    cistern_pull_outcome outcome; /* of an adoption */
    int was_there;                /* of giving back: the same bytes had that name */
} cistern_carried;
typedef void (*cistern_carried_fn)(void *user, const cistern_carried *carried);

/**
 * Adopt a directory with metadata.json, {"1": "file", "2": "file", …}: each becomes the version of that number.
 * All of it is read and checked before anything is stored.
 * @param options  `as` is the model's name, without a version, and needed; facts hold for every version.
 * @param fn       for each version, in the order of numbers; a failure does not keep the others away. NULL allowed.
 * @retval CISTERN_NOT_FOUND no directory, no metadata.json, or a file that it names. @retval CISTERN_DAMAGED it is not of that
 *         form, or a path leaves the directory. @retval CISTERN_CONFLICT a number has other content here. The first failure.
 */
CISTERN_API cistern_status cistern_import_directory(cistern *c, const char *directory,
                                                    const cistern_pull_options *options,
                                                    const cistern_call *call, cistern_carried_fn fn,
                                                    void *user, cistern_error *err) CISTERN_MUST_CHECK;

/**
 * Adopt what another tool has downloaded.
 * @param tool  "torch": hub/checkpoints in its home (option torch-home); files of the table of published weights, and others
 *              whose names begin with vgg and end in digits of their SHA-256, which are compared; with `all`, every file
 *              with such digits. "keras": models in its home (option keras-home); published files, by their MD5.
 *              What is published gets its published address for its origin, so that pulling it makes no request.
 * @param out_left  files that were left alone; NULL allowed.
 * @retval CISTERN_NOT_FOUND there is no cache. @retval CISTERN_DAMAGED  a file is not what its name says. The first failure.
 * @retval CISTERN_USAGE  no such tool, or its home is not known.
 */
CISTERN_API cistern_status cistern_import_cache(cistern *c, const char *tool, int all,
                                                const cistern_call *call, cistern_carried_fn fn, void *user,
                                                size_t *out_left, cistern_error *err) CISTERN_MUST_CHECK;

typedef enum cistern_place {
    CISTERN_PLACE_COPY = 0, /* sharing the bytes where the file system can, else a copy */
    CISTERN_PLACE_HARDLINK = 1,
    CISTERN_PLACE_SYMLINK = 2
} cistern_place;

typedef struct cistern_place_options {
    size_t size;
    cistern_place how;
    int force; /* replace files that have other bytes */
} cistern_place_options;
#define CISTERN_PLACE_OPTIONS_INIT                                                                           \
    {                                                                                                        \
        sizeof(cistern_place_options), CISTERN_PLACE_COPY, 0                                                 \
    }

/**
 * Write a version (a reference), or every numbered version of a name, into a directory with metadata.json, made if absent.
 * What is there stays; the same bytes are used as they are.
 * @param options  NULL: defaults.
 * @retval CISTERN_NOT_FOUND, CISTERN_CONFLICT (other bytes are there), CISTERN_USAGE (a named version; several files)
 */
CISTERN_API cistern_status cistern_export(cistern *c, const char *reference, const char *directory,
                                          const cistern_place_options *options, const cistern_call *call,
                                          cistern_carried_fn fn, void *user,
                                          cistern_error *err) CISTERN_MUST_CHECK;

/**
 * Put versions where another tool looks for them. @param tool  "torch" or "keras".
 * @param references  count of them; 0: of each file that the tool's own models are published as, the newest version here.
 * @retval CISTERN_NOT_FOUND, CISTERN_CONFLICT, CISTERN_USAGE (no such tool; several files; a hard link to another file system)
 */
CISTERN_API cistern_status cistern_link_cache(cistern *c, const char *tool, const char *const *references,
                                              size_t count, const cistern_place_options *options,
                                              const cistern_call *call, cistern_carried_fn fn, void *user,
                                              cistern_error *err) CISTERN_MUST_CHECK;

#ifdef __cplusplus
}
#endif
#endif
