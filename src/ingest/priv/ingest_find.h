/* Where the import program is. */
#ifndef INGEST_FIND_H
#define INGEST_FIND_H

#include "base_error.h"

/**
 * The path of the import program, owned by the caller (free).
 * @param given  the caller's choice, or NULL: beside the real directory of the library or program that holds this code:
 *               ../libexec/cistern/cistern-import from bin or lib, ../../libexec/… from lib/<triplet>. Never by PATH.
 * @retval UNEXPECTED  "installation incomplete: …", with what was looked for.
 */
cistern_status ingest_find_program(const char *given, char **out, cistern_error *err) CISTERN_MUST_CHECK;

#endif
