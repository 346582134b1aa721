/* What a user's argument is: a path, or else an address or a reference. */
#ifndef API_ARGUMENT_H
#define API_ARGUMENT_H

#include "priv/api_types.h"

/**
 * A path begins with / ./ ../ or ~, or names an existing file and ends in a known suffix.
 * @retval USAGE  it is such a file, and a model of that name is in the store too: both are named.
 */
cistern_status api_argument_is_path(cistern *c, const char *text, bool *out,
                                    cistern_error *err) CISTERN_MUST_CHECK;

#endif
