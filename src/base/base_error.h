/* Setting and passing on errors. The types are public (cistern/error.h); these are ours.
 *
 * Invariants
 *  1. An error is set once, at the bottom, by base_fail*; layers above only add frames.
 *  2. One line: control characters in values (names out of files, URLs) are escaped as \xNN.
 *  3. No credential and no signed URL ever enters a message: net redacts before it calls.
 */
#ifndef BASE_ERROR_H
#define BASE_ERROR_H

#include <stdbool.h>
#include <cistern/error.h>

/** Set err (may be NULL) and return status, so that `return base_fail(...)` reads well. */
cistern_status base_fail(cistern_error *err, cistern_status status, const char *fmt, ...)
    CISTERN_PRINTF(3, 4);

/** The same for a byte position in a file at fault; the offset is also put into the text as " at byte N". */
cistern_status base_fail_at(cistern_error *err, cistern_status status, uint64_t offset, const char *fmt, ...)
    CISTERN_PRINTF(4, 5);

/**
 * The same for a failed system call: the text gets ": <strerror>", and the status comes from the
 * errno (ENOSPC, EDQUOT: NO_SPACE; EACCES, EPERM, EROFS: DENIED; ENOENT, ENOTDIR: NOT_FOUND;
 * ENOMEM: NO_MEMORY; EINTR, ECANCELED: CANCELLED; all else UNEXPECTED).
 */
cistern_status base_fail_errno(cistern_error *err, int os_errno, const char *fmt, ...) CISTERN_PRINTF(3, 4);

/** Out of memory; needs none itself. */
cistern_status base_fail_memory(cistern_error *err, size_t bytes);

/* A failure is never OK; the compiler is told, or it would warn of results that are untouched on failure only. */
static inline cistern_status base_failed(cistern_status status)
{
    if (status == CISTERN_OK)
        __builtin_unreachable();
    return status;
}
#define base_fail(...)        base_failed(base_fail(__VA_ARGS__))
#define base_fail_at(...)     base_failed(base_fail_at(__VA_ARGS__))
#define base_fail_errno(...)  base_failed(base_fail_errno(__VA_ARGS__))
#define base_fail_memory(...) base_failed(base_fail_memory(__VA_ARGS__))

/** Add a context frame to an error that is being passed up; returns its status unchanged. */
cistern_status base_frame(cistern_error *err, cistern_status status, const char *fmt, ...)
    CISTERN_PRINTF(3, 4);

/** Forget an error (a fall-back succeeded). NULL allowed. */
void base_error_clear(cistern_error *err);

#endif
