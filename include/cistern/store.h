/* Care of the store and of its versions' names. */
#ifndef CISTERN_STORE_H
#define CISTERN_STORE_H

#include <cistern/version.h>

#ifdef __cplusplus
extern "C" {
#endif

/** Make the store if the directory is absent or empty; success if it is a store already. @retval CISTERN_DAMAGED it is neither. */
CISTERN_API cistern_status cistern_init(cistern *c, cistern_error *err) CISTERN_MUST_CHECK;

/** Path of a version's file (its bytes as published, read only); `file` NULL: its only one. Written with a zero into out.
 *  @retval CISTERN_USAGE out is too small, or several files and none named. @retval CISTERN_NOT_FOUND */
CISTERN_API cistern_status cistern_path(cistern *c, const char *reference, const char *file, char *out,
                                        size_t size, cistern_error *err) CISTERN_MUST_CHECK;

/** Move an alias to the version that a reference means. @param expect the version that it must point to now, or NULL; "" : must not exist.
 *  @param why kept in the history, or NULL. @retval CISTERN_CONFLICT expect does not hold, or the alias is the name of a version */
CISTERN_API cistern_status cistern_tag(cistern *c, const char *reference, const char *alias,
                                       const char *expect, const char *why, cistern_version **out,
                                       cistern_error *err) CISTERN_MUST_CHECK;
/** Undo the last move of an alias (NULL: latest). Repeating it walks back. @retval CISTERN_NOT_FOUND nothing to go back to */
CISTERN_API cistern_status cistern_rollback(cistern *c, const char *name, const char *alias, const char *why,
                                            cistern_version **out, cistern_error *err) CISTERN_MUST_CHECK;

/** Remove a version (a tag or a digest is needed) or, with `all`, every version of a name. Bytes stay until they are collected.
 *  @param force  also when an alias points to it. @param out_count versions removed; NULL allowed. */
CISTERN_API cistern_status cistern_remove(cistern *c, const char *reference, int all, int force,
                                          const char *why, size_t *out_count,
                                          cistern_error *err) CISTERN_MUST_CHECK;

/** One file's result of cistern_verify. */
typedef struct cistern_verify_result {
    size_t size;
    const char *reference, *path, *sha256; /* borrowed for the call-back */
    uint64_t bytes;
    cistern_status status; /* OK, DAMAGED, NOT_FOUND (its blob is absent) … */
    const char *message;   /* "" when OK; names the damaged chunk */
    int repaired;          /* cistern_repair: it was not what it should be, and is again (status OK) */
    uint64_t received;     /* for that, bytes that came from its origin */
    int derived; /* no file of the version, but one that was made here from it (tensor index, decoded tensors, packed
                    weights): `path` is beneath the store, `sha256` and `bytes` are those of its content when it was made */
} cistern_verify_result;
typedef void (*cistern_verify_fn)(void *user, const cistern_verify_result *result);
/** Read and hash every byte of one version (reference) or of all (NULL), and of what was made from it. @retval CISTERN_DAMAGED some file is not what it was. */
CISTERN_API cistern_status cistern_verify(cistern *c, const char *reference, const cistern_call *call,
                                          cistern_verify_fn fn, void *user,
                                          cistern_error *err) CISTERN_MUST_CHECK;

/** The same, and what is damaged or absent is made whole from the origin that its version records: only the damaged chunks
 *  are fetched, the whole digest is checked, the damaged file is set aside. What was made here is removed and made again. @retval as cistern_verify for what could not be
 *  repaired; its result's message says why. */
CISTERN_API cistern_status cistern_repair(cistern *c, const char *reference, const cistern_call *call,
                                          cistern_verify_fn fn, void *user,
                                          cistern_error *err) CISTERN_MUST_CHECK;

#ifdef __cplusplus
}
#endif
#endif
