/* A weight file that becomes shorter, or unreadable, while it is mapped.
 *
 * Whoever reads a page that is no longer there is sent SIGBUS, which ends the process. The store never cuts a file; other
 * programs, failing disks and `classify PATH` on a file that is being written again do.
 */
#ifndef CISTERN_GUARD_H
#define CISTERN_GUARD_H

#include <cistern/model.h>

#ifdef __cplusplus
extern "C" {
#endif

/**
 * Turn that signal into a status. Installs a handler of SIGBUS for the whole process, once, that puts zeros in the place of the
 * missing pages and marks the model: whatever computes with it goes on to its end and returns CISTERN_DAMAGED. A SIGBUS that is
 * about anything else goes to the handler that was there before. Called again, it
 * steps in front of the handler that came since, if one did. The library never does this by itself.
 * Threads: any. Forked children keep it.
 */
CISTERN_API cistern_status cistern_sigbus_guard(cistern_error *err) CISTERN_MUST_CHECK;

/** Whether the weights are still all there, as far as anybody has read them: for programs that read tensors themselves.
 *  @retval CISTERN_DAMAGED the guard has put zeros in the place of some; what was computed from them is worth nothing. */
CISTERN_API cistern_status cistern_model_check(const cistern_model *model,
                                               cistern_error *err) CISTERN_MUST_CHECK;

#ifdef __cplusplus
}
#endif
#endif
