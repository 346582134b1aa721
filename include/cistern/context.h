/* The context: options, the store, the compute pool. */
#ifndef CISTERN_CONTEXT_H
#define CISTERN_CONTEXT_H

#include <cistern/cancel.h>
#include <cistern/options.h>

#ifdef __cplusplus
extern "C" {
#endif

#define CISTERN_VERSION_TEXT "0.1.0"

typedef struct cistern cistern;

/**
 * Make a context. Opens nothing: the store is opened by the first call that needs it.
 * @param options  copied; NULL: defaults only (environment and files are not read).
 * Threads: a context may be used by many threads at once.
 */
CISTERN_API cistern_status cistern_new(const cistern_options *options, cistern **out,
                                       cistern_error *err) CISTERN_MUST_CHECK;
/** Free it after everything that came from it (models, sessions). NULL allowed. */
CISTERN_API void cistern_free(cistern *c);

/** "0.1.0"; static. */
CISTERN_API const char *cistern_library_version(void);
/** The kernels that this context computes with: "amx", "avx512", "avx2" or "portable"; static. */
CISTERN_API const char *cistern_isa(const cistern *c);
/** Compute threads of this context. */
CISTERN_API unsigned cistern_threads(const cistern *c);
/** Requests made to any origin since the context was made, and bytes of bodies received. */
CISTERN_API void cistern_traffic(const cistern *c, uint64_t *requests, uint64_t *bytes);

/* Structures whose first member is `size` may grow at their end. Whoever makes one sets it to its own sizeof: callers of
 * options and of results that calls fill (begin with the _INIT, or with {.size = sizeof x}), the library of what it hands to
 * call-backs. So programs and libraries of different releases work together:
 *   options, smaller than the library's: what they lack has its default; larger: as long as what the library does not know is
 *   zero, else CISTERN_USAGE, so that nothing that was asked for is silently left out;
 *   results: filled as far as both know them, `size` and the rest stay as they were;
 *   without a size: CISTERN_USAGE, or 0 from functions that return whether there is one. */

/** Progress of a long call; on the caller's thread, at most 10 times a second and once at the end of each step. */
typedef struct cistern_progress {
    size_t size;      /* bytes of this structure */
    const char *step; /* "wait", "fetch", "copy", "hash", "import" */
    uint64_t done;    /* bytes */
    uint64_t total;   /* bytes; 0: not known */
    uint64_t resumed; /* bytes of `done` that were here before */
    int last;         /* whether the step is over */
} cistern_progress;
typedef void (*cistern_progress_fn)(void *user, const cistern_progress *progress);

/** What every long call takes; zero members mean "none". */
typedef struct cistern_call {
    size_t size;
    cistern_cancel *cancel;
    cistern_progress_fn progress;
    void *user;
} cistern_call;
#define CISTERN_CALL_INIT                                                                                    \
    {                                                                                                        \
        sizeof(cistern_call), NULL, NULL, NULL                                                               \
    }

#ifdef __cplusplus
}
#endif
#endif
