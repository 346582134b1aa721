/* MODEL on the command line: a reference into the store, or the path of a weight file.
 * Which of the two is the library's rule (cistern_argument_is_path): what begins with / ./ ../ or ~, or names an existing
 * file and ends in a known suffix, is a path.
 */
#ifndef CLI_MODEL_H
#define CLI_MODEL_H

#include "cli.h"

/**
 * Open it.
 * @param declared  facts from flags; for a path only. NULL: none.
 * @param out       the caller frees it.
 * @retval CISTERN_USAGE  both readings exist; or facts were declared for a reference.
 */
cistern_status cli_model_open(cli *c, const char *text, const cistern_pull_options *declared,
                              cistern_model **out, cistern_error *err) CISTERN_MUST_CHECK;

/**
 * Write out what was printed, then free a session and its model: a first run may still be writing its packed weights, which ^C ends.
 * @param session, model  NULL allowed.
 * @param code  so far.
 * @return      code, or that of an interruption after saying so.
 */
int cli_model_close(cli *c, cistern_session *session, cistern_model *model, int code);

#endif
