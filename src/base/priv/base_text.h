/* Making one clean line out of bytes that may be anything. */
#ifndef BASE_TEXT_H
#define BASE_TEXT_H

#include <stddef.h>

/** Bytes of the well-formed UTF-8 character at `text` (`n` bytes are there); 0 if there is none. */
size_t base_text_char(const char *text, size_t n);

/**
 * Write `n` bytes as one line: control characters, line separators and what is not UTF-8 become \xNN.
 * Cut before the first character that does not fit; always ends with a zero.
 * @param out   size bytes, size > 0; must not overlap `text`.
 * @return      bytes written, without the zero.
 */
size_t base_text_line(char *out, size_t size, const char *text, size_t n);

#endif
