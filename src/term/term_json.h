/* Writing JSON, value by value, straight to a stream.
 *
 * Invariants
 *  1. What comes out is one JSON value: commas and nesting are kept here. Ending more than was begun is a fault of ours
 *     (asserted).
 *  2. Output is valid UTF-8 whatever the bytes of a text: what is not UTF-8 becomes U+FFFD. DEL, the C1 controls and line
 *     separators are written as \uNNNN, so that a terminal cannot be hurt by JSON either.
 *  3. Numbers read back as the same number: floats by their shortest decimal; NaN and infinity are null.
 */
#ifndef TERM_JSON_H
#define TERM_JSON_H

#include <stdint.h>
#include "term_stream.h"

#define TERM_JSON_DEPTH 16

typedef struct term_json {
    term_stream *stream;
    unsigned depth;
    bool some[TERM_JSON_DEPTH];  /* whether the level has a value already */
    char close[TERM_JSON_DEPTH]; /* '}' or ']' */
} term_json;

void term_json_init(term_json *j, term_stream *stream);
/* Each: key NULL inside an array and for the outermost value. */
void term_json_object(term_json *j, const char *key);
void term_json_array(term_json *j, const char *key);
void term_json_end(term_json *j); /* of the innermost object or array; after the outermost a newline */
void term_json_text(term_json *j, const char *key, const char *value); /* NULL: null */
/** The text, or null where it is empty. */
void term_json_text_or_null(term_json *j, const char *key, const char *value);
void term_json_bool(term_json *j, const char *key, bool value);
void term_json_u64(term_json *j, const char *key, uint64_t value);
void term_json_float(term_json *j, const char *key, float value);
void term_json_double(term_json *j, const char *key, double value);

#endif
