/* A model: one resolved version, mapped. Immutable, reference-counted, usable from any thread. */
#ifndef CISTERN_MODEL_H
#define CISTERN_MODEL_H

#include <cistern/version.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct cistern_model cistern_model;

/** Open a version of the store by reference. Nothing is fetched and no weight is read: the files are mapped.
 *  @retval CISTERN_NOT_FOUND, CISTERN_DAMAGED, CISTERN_USAGE */
CISTERN_API cistern_status cistern_model_open(cistern *c, const char *reference, const cistern_call *call,
                                              cistern_model **out, cistern_error *err) CISTERN_MUST_CHECK;
/** Open a weight file, or the files of a directory as one model, that is in no store: it is read by the import program each
 *  time. `declared` may be NULL (architecture, preprocess, labels, config of it are used). @retval CISTERN_NOT_FOUND (says which command fetches it), CISTERN_UNREADABLE */
struct cistern_pull_options;
CISTERN_API cistern_status cistern_model_open_file(cistern *c, const char *path,
                                                   const struct cistern_pull_options *declared,
                                                   const cistern_call *call, cistern_model **out,
                                                   cistern_error *err) CISTERN_MUST_CHECK;
/** Whether a user's argument is a path (to open with cistern_model_open_file) rather than a reference: it begins with / ./ ../
 *  or ~, or names an existing file and ends in a known suffix. @retval CISTERN_USAGE both readings exist: both are named. */
CISTERN_API cistern_status cistern_argument_is_path(cistern *c, const char *text, int *out,
                                                    cistern_error *err) CISTERN_MUST_CHECK;
CISTERN_API cistern_model *cistern_model_ref(cistern_model *model); /* one more owner; returns model */
CISTERN_API void cistern_model_free(cistern_model *model);          /* one owner less; NULL allowed */

/** The version it was opened from (a file: name is its path, tag and digest are ""); borrowed. */
CISTERN_API const cistern_version *cistern_model_version(const cistern_model *model);

typedef struct cistern_tensor {
    size_t size;
    const char *name;
    const char *dtype; /* "F32" … */
    size_t rank;
    uint64_t shape[8];
    uint64_t stride[8]; /* elements */
    const void *data;   /* element (0, 0, …); in the mapping; any alignment; NULL without elements */
    const char *file;   /* which file of the version */
    uint64_t offset;    /* bytes from that file's start */
} cistern_tensor;
CISTERN_API size_t cistern_model_tensor_count(const cistern_model *model);
CISTERN_API int cistern_model_tensor(const cistern_model *model, size_t i,
                                     cistern_tensor *out); /* 0: none; borrowed from the model */
CISTERN_API int cistern_model_tensor_by_name(const cistern_model *model, const char *name,
                                             cistern_tensor *out);

#ifdef __cplusplus
}
#endif
#endif
