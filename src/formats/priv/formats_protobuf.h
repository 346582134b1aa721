/* Protocol buffers, field by field, in place.
 *
 * Invariants
 *  1. A walker sees one message: a range of the file. It never reads outside of it, and every step consumes a byte.
 *  2. Wire types 0, 1, 2 and 5 are known; groups (3, 4), field number 0 and numbers above 2^29 - 1 are refused.
 *  3. Nothing is allocated. Messages inside messages are walkers of their own, at most FORMATS_PROTOBUF_DEPTH_MAX deep.
 * What is not known is skipped by whoever asks for fields; repeated fields come one by one, in the file's order, so that
 * a scalar said twice counts as it was said last and a message said twice is merged.
 * Source: protobuf.dev, "Encoding".
 */
#ifndef FORMATS_PROTOBUF_H
#define FORMATS_PROTOBUF_H

#include <stdbool.h>
#include <stddef.h>
#include "base_error.h"

typedef enum formats_wire {
    FORMATS_WIRE_VARINT = 0,
    FORMATS_WIRE_FIXED64 = 1,
    FORMATS_WIRE_BYTES = 2,
    FORMATS_WIRE_FIXED32 = 5,
} formats_wire;

typedef struct formats_protobuf {
    const uint8_t *bytes; /* of the whole file, borrowed */
    uint64_t pos, end;    /* bytes of the file */
    uint32_t depth;
    cistern_error *err;
} formats_protobuf;

typedef struct formats_field {
    uint32_t number;
    formats_wire wire;
    uint64_t at;    /* byte of the file where the field begins */
    uint64_t begin; /* byte of the file where what it holds begins */
    uint64_t value; /* of a number: its 64 bits; of bytes: how many */
} formats_field;

/** A range of the file that is used as text; no zero behind it. */
typedef struct formats_text {
    const char *at;
    size_t len;
} formats_text;

/** A walker over bytes `begin` to `end` of the file. */
void formats_protobuf_init(formats_protobuf *p, const uint8_t *bytes, uint64_t begin, uint64_t end,
                           cistern_error *err);
/**
 * The next field.
 * @param out_more  false: the message is over, *out untouched.
 * @retval UNREADABLE  a varint of more than 10 bytes or that does not end, a length beyond the message, invariant 2.
 */
cistern_status formats_protobuf_next(formats_protobuf *p, formats_field *out,
                                     bool *out_more) CISTERN_MUST_CHECK;
/** A walker over the message in a field. @retval UNREADABLE  it holds no bytes; too deep. */
cistern_status formats_protobuf_enter(const formats_protobuf *p, const formats_field *field,
                                      formats_protobuf *out) CISTERN_MUST_CHECK;

/** The bytes in a field as text. @retval UNREADABLE  it holds none. */
cistern_status formats_protobuf_text(const formats_protobuf *p, const formats_field *field,
                                     formats_text *out) CISTERN_MUST_CHECK;
/** The last text with this number in the rest of a message; *out untouched where there is none. */
cistern_status formats_protobuf_last_text(formats_protobuf *p, uint32_t number,
                                          formats_text *out) CISTERN_MUST_CHECK;
/** A whole number. @retval UNREADABLE  the field is none. */
cistern_status formats_protobuf_number(const formats_protobuf *p, const formats_field *field,
                                       uint64_t *out) CISTERN_MUST_CHECK;
/** A float as a double. @retval UNREADABLE  the field is none. */
cistern_status formats_protobuf_float(const formats_protobuf *p, const formats_field *field,
                                      double *out) CISTERN_MUST_CHECK;
/**
 * Whole numbers, packed or one by one: each is appended to out[*count] while it is below `max`.
 * @retval UNREADABLE  more than max of them; not such a field.
 */
cistern_status formats_protobuf_numbers(const formats_protobuf *p, const formats_field *field, uint64_t *out,
                                        size_t max, size_t *count) CISTERN_MUST_CHECK;

bool formats_text_is(formats_text text, const char *what);
/** <0, 0, >0: by bytes, a prefix first. */
int formats_text_compare(formats_text a, formats_text b);

#endif
