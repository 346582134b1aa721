/* Text from documents, servers and file names on its way to a terminal.
 *
 * Invariants
 *  1. What leaves term_text_escape is UTF-8 without control characters, so that nothing printed can move the
 *     cursor, set a title, change the direction of writing or start a second line.
 *  2. The locale is never looked at: text is UTF-8.
 */
#ifndef TERM_TEXT_H
#define TERM_TEXT_H

#include <stddef.h>
#include <stdint.h>

/**
 * Decode one character.
 * @param n    bytes that there are, at least 1.
 * @param out  the character; untouched when it is not UTF-8 (overlong forms and surrogates are not).
 * @return     its bytes, 0 if it is not UTF-8. Threads: any.
 */
size_t term_text_decode(const char *text, size_t n, uint32_t *out);

/**
 * Copy text with control characters, direction marks and bytes that are not UTF-8 written as \xNN (bytes).
 * @param out  size bytes; a zero is always put (size 0: nothing is written); cut between characters.
 * @return     bytes that the whole result needs, without the zero. Threads: any.
 */
size_t term_text_escape(const char *text, size_t n, char *out, size_t size);

/** Columns that escaped text takes on a terminal. Threads: any. */
size_t term_text_columns(const char *text);

/** Bytes of the longest beginning of escaped text that takes at most `columns`. Threads: any. */
size_t term_text_fit(const char *text, size_t columns);

#endif
