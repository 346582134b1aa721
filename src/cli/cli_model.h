/* MODEL on the command line: a reference into the store, or the path of a weight file.
 *
 *     begins with / ./ ../ or ~                       a path
 *     names an existing file, ends in a known suffix  a path; if it is a model of the store as well: usage, naming both
 *     else                                            a reference; one that is unknown but ends in a known suffix was
 *                                                     meant as a path, and the message says so
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

#endif
