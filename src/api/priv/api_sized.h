/* Structures of the public API that begin with their size: callers and library may be of different releases.
 *
 *   a caller's size    options                                     results
 *   ours               taken                                       filled
 *   smaller (older)    what it lacks has its default               filled as far as it goes
 *   larger (newer)     taken if what we do not know is zero,       filled as far as we know; the rest stays as it was
 *                      else USAGE
 *   no size at all     USAGE                                       USAGE, or 0 ("there is none")
 */
#ifndef API_SIZED_H
#define API_SIZED_H

#include <stdbool.h>
#include "base_error.h"

#define API_SIZED_MAX 4096u /* bytes: more is a size that was never set */

/**
 * Take options.
 * @param given  NULL: defaults. @param out  of `size` bytes, holds the defaults, whose first member is that size.
 * @param what   the structure's name, for the message. @retval USAGE
 */
cistern_status api_sized_take(const void *given, void *out, size_t size, const char *what,
                              cistern_error *err) CISTERN_MUST_CHECK;

/** Whether a result can be filled. NULL: it is not wanted, which is fine. */
bool api_sized_usable(const void *out);
/** The same as a status, before anything is done. @retval USAGE */
cistern_status api_sized_check(const void *out, const char *what, cistern_error *err) CISTERN_MUST_CHECK;
/** Fill a usable one; its size stays as the caller set it. NULL allowed. */
void api_sized_give(const void *result, size_t size, void *out);

#endif
