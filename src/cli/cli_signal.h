/* ^C and its relatives.
 *
 *     outside a call   SIGINT, SIGTERM, SIGHUP   the process ends at once with 130 (the store survives that anywhere)
 *     inside a call    the first                 the call is cancelled; it returns within 100 ms and says what was kept
 *                      the second                the process ends at once with 130
 * SIGPIPE is ignored while running, so that a reader that has gone is seen as a failed write.
 */
#ifndef CLI_SIGNAL_H
#define CLI_SIGNAL_H

#include <stdbool.h>
#include <cistern/cancel.h>

/** Install the handlers. */
void cli_signal_install(void);
/** A call that watches `cancel` begins, and has ended. */
void cli_signal_hold(cistern_cancel *cancel);
void cli_signal_release(void);
/** Whether a call was interrupted, ever. */
bool cli_signal_asked(void);
/** End the process by SIGPIPE, as a program does whose reader has gone. */
void cli_signal_die_of_pipe(void);

#endif
