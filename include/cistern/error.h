/* Status codes and the error object. A leaf: includes nothing of cistern's.
 *
 * Every fallible call returns a cistern_status and takes a `cistern_error *` as its last
 * parameter. The caller owns the error object; NULL is allowed where only the status matters.
 * Nothing here allocates, and nothing is kept per thread or per process.
 */
#ifndef CISTERN_ERROR_H
#define CISTERN_ERROR_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#define CISTERN_API               __attribute__((visibility("default")))
#define CISTERN_MUST_CHECK        __attribute__((warn_unused_result))
#define CISTERN_PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))
#else
#define CISTERN_API
#define CISTERN_MUST_CHECK
#define CISTERN_PRINTF(fmt, args)
#endif

/* name, value, process exit code, text. One code for each thing a caller can act on.
 * Values are never reused; the exit codes are those of the command line. */
#define CISTERN_STATUS_MAP(X)                                                                                \
    X(OK, 0, 0, "ok")                                                                                        \
    X(UNEXPECTED, 1, 1, "unexpected error")                                                                  \
    X(USAGE, 2, 2, "bad argument")                                                                           \
    X(NOT_FOUND, 3, 3, "not found")                                                                          \
    X(OFFLINE, 4, 4, "offline and not here")                                                                 \
    X(NETWORK, 5, 5, "network or remote failure")                                                            \
    X(REFUSED, 6, 6, "refused by the remote")                                                                \
    X(CONFLICT, 7, 7, "conflict")                                                                            \
    X(NO_SPACE, 8, 8, "no space")                                                                            \
    X(TIMED_OUT, 9, 9, "timed out waiting")                                                                  \
    X(NO_MEMORY, 10, 1, "out of memory")                                                                     \
    X(DAMAGED, 65, 65, "damaged or not what was expected")                                                   \
    X(UNREADABLE, 66, 66, "not a readable weight file or image")                                             \
    X(DENIED, 77, 77, "no permission here")                                                                  \
    X(CANCELLED, 130, 130, "interrupted")

typedef enum cistern_status {
#define CISTERN_STATUS_ENUM(name, value, exit_code, text) CISTERN_##name = value,
    CISTERN_STATUS_MAP(CISTERN_STATUS_ENUM)
#undef CISTERN_STATUS_ENUM
} cistern_status;

#define CISTERN_ERROR_TEXT_MAX  1024 /* bytes, with the terminating zero */
#define CISTERN_ERROR_FRAME_MAX 256  /* bytes, with the terminating zero */
#define CISTERN_ERROR_FRAMES    6

/** What went wrong: set once where it happened, one context frame added by each layer above. */
typedef struct cistern_error {
    cistern_status status;
    int os_errno;    /**< errno of the failed system call, else 0 */
    int has_offset;  /**< whether `offset` says something */
    uint64_t offset; /**< byte position in the file at fault */
    unsigned frame_count;
    char text[CISTERN_ERROR_TEXT_MAX];                         /**< UTF-8, one line */
    char frame[CISTERN_ERROR_FRAMES][CISTERN_ERROR_FRAME_MAX]; /**< innermost first */
} cistern_error;

#define CISTERN_ERROR_INIT                                                                                   \
    {                                                                                                        \
        CISTERN_OK, 0, 0, 0, 0, {0},                                                                         \
        {                                                                                                    \
            {                                                                                                \
                0                                                                                            \
            }                                                                                                \
        }                                                                                                    \
    }

/** The code's short name, e.g. "NOT_FOUND"; never NULL. Threads: any. */
CISTERN_API const char *cistern_status_name(cistern_status status);
/** The code's meaning in a few words, e.g. "not found"; never NULL. Threads: any. */
CISTERN_API const char *cistern_status_text(cistern_status status);
/** The exit code of the command line for this status, 0 to 255. Threads: any. */
CISTERN_API int cistern_status_exit_code(cistern_status status);

/**
 * Write the whole message, outermost frame first, joined by ": ", and end it with a zero.
 * @param err      borrowed; NULL gives "".
 * @param out      size bytes, cut (never in the middle of a character) if they do not suffice.
 * @return         bytes that the whole message needs, without the zero.
 * Threads: any, on distinct `out`.
 */
CISTERN_API size_t cistern_error_format(const cistern_error *err, char *out, size_t size);

#ifdef __cplusplus
}
#endif
#endif
