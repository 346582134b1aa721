/* A token that stops long calls. */
#ifndef CISTERN_CANCEL_H
#define CISTERN_CANCEL_H

#include <cistern/error.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct cistern_cancel cistern_cancel;

/** Make a token; free it with cistern_cancel_free, after every call that uses it has returned. */
CISTERN_API cistern_status cistern_cancel_new(cistern_cancel **out, cistern_error *err) CISTERN_MUST_CHECK;
CISTERN_API void cistern_cancel_free(cistern_cancel *cancel);

/** Ask every call that was given this token to return CISTERN_CANCELLED within 100 ms.
 *  Threads: any; may be called from a signal handler. */
CISTERN_API void cistern_cancel_set(cistern_cancel *cancel);
/** Make the token usable again. Not while a call uses it. */
CISTERN_API void cistern_cancel_reset(cistern_cancel *cancel);

#ifdef __cplusplus
}
#endif
#endif
