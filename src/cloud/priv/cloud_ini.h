/* Configuration files of AWS's tools, read as botocore reads them (Python's configparser, then one level of nesting).
 *
 * `[section]`, `key = value` or `key: value`, comments on lines of their own (`#`, `;`), values that go on in lines with more
 * indent. Keys count in lower case. A key or a section that comes twice is an error, as is a line that is none of these.
 * Values are never part of a message: they may be secrets.
 */
#ifndef CLOUD_INI_H
#define CLOUD_INI_H

#include "base_buf.h"

#define CLOUD_INI_MAX         (1u << 20) /* bytes of a file */
#define CLOUD_INI_ENTRIES_MAX 10000u     /* keys and sections of a file */

typedef struct cloud_ini cloud_ini; /* immutable */

/**
 * @param text  n bytes of a file.
 * @retval USAGE  not such a file; the message names the line. @retval NO_MEMORY
 */
cistern_status cloud_ini_parse(const char *text, size_t n, cloud_ini **out,
                               cistern_error *err) CISTERN_MUST_CHECK;
void cloud_ini_free(cloud_ini *ini); /* NULL allowed; wipes the values */

/** The section of exactly this name; -1: none. */
int cloud_ini_section(const cloud_ini *ini, const char *name);
/** The last section `[kind name]`, the name perhaps in quotes; -1: none. A default profile may be `[default]` too. */
int cloud_ini_named_section(const cloud_ini *ini, const char *kind, const char *name);
/** The value of a key; several lines are joined by '\n'. NULL: not there. Borrowed. */
const char *cloud_ini_value(const cloud_ini *ini, int section, const char *key);
/**
 * A key inside a value that is itself a list of `key = value` lines.
 * @param out  size bytes; untouched if it is not there. @param out_found  whether it was.
 * @retval USAGE  a line of that list without '='; the value is longer than size.
 */
cistern_status cloud_ini_nested(const char *value, const char *key, char *out, size_t size, bool *out_found,
                                cistern_error *err) CISTERN_MUST_CHECK;

#endif
