/* JSON documents: strict reading, canonical writing (jansson does the syntax).
 *
 * Canonical: UTF-8, keys sorted by bytes, no spaces, integers below 2^53 in magnitude, no other numbers,
 * one newline at the end. Reading refuses duplicate keys, bytes after the document, real numbers unless
 * allowed, and more than BASE_JSON_DEPTH levels. Unknown fields are kept by whoever rewrites a document.
 */
#ifndef BASE_JSON_H
#define BASE_JSON_H

#include <jansson.h>
#include "base_buf.h"

#define BASE_JSON_DEPTH   64
#define BASE_JSON_MAX     (4u << 20) /* bytes of one document */
#define BASE_JSON_INT_MAX ((json_int_t)1 << 53)

enum base_json_flags {
    BASE_JSON_STRICT = 0,
    BASE_JSON_REALS = 1 /* numbers such as 0.875 are welcome (foreign files) */
};

/** Parse an object. `what` names the document in messages. Owned by the caller (json_decref). @retval DAMAGED not such JSON. */
cistern_status base_json_parse(const void *bytes, size_t n, unsigned flags, const char *what, json_t **out,
                               cistern_error *err) CISTERN_MUST_CHECK;
/** Append the canonical bytes of `value`. @retval UNEXPECTED a number that is not allowed. */
cistern_status base_json_write(const json_t *value, base_buf *out, cistern_error *err) CISTERN_MUST_CHECK;

/* Typed look-ups; `what` names the document. @retval DAMAGED missing or of another type; the message names key and both types. */
cistern_status base_json_string(const json_t *object, const char *key, const char *what, const char **out,
                                cistern_error *err) CISTERN_MUST_CHECK;
cistern_status base_json_u64(const json_t *object, const char *key, const char *what, uint64_t *out,
                             cistern_error *err) CISTERN_MUST_CHECK;
/** The string or NULL when absent or of another type; borrowed. */
const char *base_json_peek_string(const json_t *object, const char *key);

/** The shortest decimal text that reads back as the same double / float (locale-independent). */
void base_double_text(double value, char out[32]);
void base_float_text(float value, char out[32]);
/** The reverse, independent of the locale: the whole text must be one finite number. */
bool base_double_parse(const char *text, double *out);

#endif
