/* What a file name says: the model's name and the beginning of the digest. Pure. */
#ifndef ORIGIN_NAME_H
#define ORIGIN_NAME_H

#include "base_error.h"
#include "origin_address.h"

/** The digits of `-<8 hex>.pth` or `.pt` at the end, in lower case; "" if there are none. */
void origin_name_prefix(const char *file_name, char out[ORIGIN_PREFIX_HEX + 1]);

/**
 * The model's name by default. @param shown  the whole address, for the message. @param out  owned by the caller.
 * @retval USAGE  it would be no NAME.
 */
cistern_status origin_name_default(const char *file_name, const char *shown, char **out,
                                   cistern_error *err) CISTERN_MUST_CHECK;

#endif
