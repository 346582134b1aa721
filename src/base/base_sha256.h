/* SHA-256 (libcrypto, and libmd for small documents), streaming, and its hexadecimal text. */
#ifndef BASE_SHA256_H
#define BASE_SHA256_H

#include <stdbool.h>
#include "base_error.h"

#define BASE_SHA256_BYTES 32
#define BASE_SHA256_HEX   65 /* 64 lower-case digits and a zero */

typedef struct base_digest {
    uint8_t bytes[BASE_SHA256_BYTES];
} base_digest;

typedef struct base_sha256 base_sha256; /* one running hash; one thread at a time */

cistern_status base_sha256_new(base_sha256 **out, cistern_error *err) CISTERN_MUST_CHECK;
void base_sha256_free(base_sha256 *h);
/** Start again; a fresh one is already started. */
void base_sha256_reset(base_sha256 *h);
void base_sha256_update(base_sha256 *h, const void *bytes, size_t n);
/** The digest of everything so far; ends this run (reset before further use). */
void base_sha256_final(base_sha256 *h, base_digest *out);
/** One call for bytes in memory. */
cistern_status base_sha256_of(const void *bytes, size_t n, base_digest *out,
                              cistern_error *err) CISTERN_MUST_CHECK;

void base_digest_hex(const base_digest *d, char out[BASE_SHA256_HEX]);
/** Exactly 64 lower-case hexadecimal digits, nothing else; false leaves *out untouched. */
bool base_digest_parse(const char *text, base_digest *out);
bool base_digest_equal(const base_digest *a, const base_digest *b);

#endif
