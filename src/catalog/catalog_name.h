/* Names, tags and references: what a user may type, and how a name is spelled in a store.
 *
 * Grammar
 *   reference = NAME [ ":" TAG ] [ "@sha256:" HEX ]
 *   NAME      = part *( "/" part ), at most 128 bytes; part = [a-z0-9]+ ( [._-] [a-z0-9]+ )*
 *   TAG       = [a-z0-9_] [a-z0-9._-]{0,127}; digits only: a version number, 1 to 99999999, no leading zero
 *   HEX       = 64 lower-case hexadecimal digits, or the first 8 or more of them (for look-up only)
 * Invariants
 *  1. A stored name is the name with each "/" as "--", which no name contains: the two are one to one, and a
 * stored name is one path component of at most CATALOG_STORED_NAME_MAX bytes that never begins with ".".
 *  2. Nothing that passed a check here contains "/" (tags, stored names), "..", a control character or upper
 * case. Pure: no store, no files, no allocation. Threads: any.
 */
#ifndef CATALOG_NAME_H
#define CATALOG_NAME_H

#include <stdbool.h>
#include "base_error.h"
#include "base_sha256.h"

#define CATALOG_NAME_MAX        128       /* bytes, without the zero */
#define CATALOG_STORED_NAME_MAX 256       /* bytes, without the zero: every "/" doubled */
#define CATALOG_TAG_MAX         128       /* bytes, without the zero */
#define CATALOG_NUMBER_MAX      99999999u /* of versions and of alias moves: eight digits */
#define CATALOG_DIGEST_PREFIX   8         /* hexadecimal digits that a shortened digest must have */
#define CATALOG_LATEST          "latest"  /* the alias that every new version moves and that no tag means */

/** What a user typed, taken apart. */
typedef struct catalog_reference {
    char name[CATALOG_NAME_MAX + 1];
    char tag[CATALOG_TAG_MAX + 1]; /* "": none was given */
    char digest[BASE_SHA256_HEX];  /* "": none was given; else 8 to 64 lower-case hexadecimal digits */
} catalog_reference;

#define CATALOG_REFERENCE_TEXT_MAX (CATALOG_NAME_MAX + CATALOG_TAG_MAX + 80) /* with the zero */

/** Check a model's name. @retval USAGE  not one; the message says which rule and, where there is one, the
 * right spelling. */
cistern_status catalog_name_check(const char *name, cistern_error *err) CISTERN_MUST_CHECK;
/** Check a version's or alias's name. @retval USAGE  as above. */
cistern_status catalog_tag_check(const char *tag, cistern_error *err) CISTERN_MUST_CHECK;
/** Check a note for the history (NULL: none) before anything is done that it belongs to. @retval USAGE  too long, or not
 *  UTF-8 without control characters. */
cistern_status catalog_note_check(const char *why, cistern_error *err) CISTERN_MUST_CHECK;
/** The same as a question, for names that come out of a store. */
bool catalog_name_valid(const char *name);
bool catalog_tag_valid(const char *tag);

/** Whether a valid tag is a version number; *out is its value, 1 to CATALOG_NUMBER_MAX. */
bool catalog_tag_number(const char *tag, uint32_t *out);

/**
 * Take a reference apart.
 * @retval USAGE  not a reference; each mistake has its own message.
 */
cistern_status catalog_reference_parse(const char *text, catalog_reference *out,
                                       cistern_error *err) CISTERN_MUST_CHECK;

/** "NAME[:TAG][@sha256:HEX]", the reverse. */
void catalog_reference_text(const catalog_reference *ref, char out[CATALOG_REFERENCE_TEXT_MAX]);

/** The path component under models/ of a valid name. */
void catalog_name_encode(const char *name, char out[CATALOG_STORED_NAME_MAX + 1]);
/** The name of a path component under models/; false: it is none of ours (ignored by every reader). */
bool catalog_name_decode(const char *stored, char out[CATALOG_NAME_MAX + 1]);

#endif
