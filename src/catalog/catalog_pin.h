/* models/<name>/pins/<tag>.json: versions whose bytes `gc` spares even after they were removed.
 *
 * A pin is made by create-if-absent and taken away by unlinking: the only document here that is. It keeps bytes, nothing
 * else: the version's tag, aliases and tombstone mean what they meant.
 */
#ifndef CATALOG_PIN_H
#define CATALOG_PIN_H

#include "catalog_version.h"

/** @param why  NULL: none. @param out_created  false: it was pinned already. @retval NOT_FOUND, USAGE, DENIED … */
cistern_status catalog_pin_put(store *s, const char *name, const char *tag, const char *why,
                               bool *out_created, cistern_error *err) CISTERN_MUST_CHECK;
/** @param out_removed  false: it was not pinned. @retval DENIED … */
cistern_status catalog_pin_remove(store *s, const char *name, const char *tag, bool *out_removed,
                                  cistern_error *err) CISTERN_MUST_CHECK;
/** Whether there is a pin; a damaged one counts. */
cistern_status catalog_pin_has(const store *s, const char *name, const char *tag, bool *out,
                               cistern_error *err) CISTERN_MUST_CHECK;

#endif
