/* Tokens of the JSON in a safetensors header, read in place with constant memory. */
#ifndef FORMATS_HEADER_H
#define FORMATS_HEADER_H

#include <stdbool.h>
#include <stddef.h>
#include "base_error.h"

typedef struct formats_header {
    const uint8_t *bytes; /* borrowed */
    size_t len;
    size_t pos;
    uint64_t origin; /* byte of the file where the header begins, for messages */
    cistern_error *err;
} formats_header;

/** Where the next token begins (white space is skipped), counted in the file. */
uint64_t formats_header_at(formats_header *h);
/** Whether the next token is `c`; if so it is taken. */
bool formats_header_try(formats_header *h, char c);
cistern_status formats_header_expect(formats_header *h, char c) CISTERN_MUST_CHECK;
/**
 * A string, unescaped to UTF-8 with a zero behind it.
 * @param out  `max` + 1 bytes, or NULL to check it only (then of any length).
 * @retval UNREADABLE  no string, more than max bytes, bad UTF-8, a lone surrogate, a control character.
 */
cistern_status formats_header_string(formats_header *h, char *out, size_t max) CISTERN_MUST_CHECK;
/** A natural number in plain digits: no sign, point, exponent or leading zero. */
cistern_status formats_header_natural(formats_header *h, uint64_t *out) CISTERN_MUST_CHECK;
/** That nothing but white space is left. */
cistern_status formats_header_end(formats_header *h) CISTERN_MUST_CHECK;

#endif
