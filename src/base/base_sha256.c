/* SHA-256; see base_sha256.h: of small documents by libmd, of anything else by libcrypto, whose code uses the CPU's instructions for it and is
 * several times faster, but takes longer to load than opening a model takes to hash its documents.
 *
 * libcrypto by its plain functions, which OpenSSL 3 calls deprecated: those that it recommends look for a provider first and read
 * openssl.cnf, 0.7 ms in every process. The code that runs is the same.
 */
#include "base_sha256.h"

#include <sha2.h>
#include "base_crypto.h"
#include "base_mem.h"

#define SMALL_MOST                                                                                           \
    ((size_t)128 << 10) /* bytes: libmd takes half a millisecond for them; loading libcrypto takes one */

struct base_sha256 {
    base_crypto crypto;
    SHA256_CTX context;
    bool ended; /* what is asked of it now has the digest of nothing: all zeros, which counts as damaged */
};

cistern_status base_sha256_new(base_sha256 **out, cistern_error *err)
{
    base_sha256 *h = NULL;
    cistern_status status = base_calloc(1, sizeof *h, &h, err);
    if (status != CISTERN_OK)
        return status;
    if (!base_crypto_load(&h->crypto)) {
        free(h);
        return base_fail(err, CISTERN_UNEXPECTED, "%s", BASE_CRYPTO_MISSING);
    }
    base_sha256_reset(h);
    *out = h;
    return CISTERN_OK;
}

void base_sha256_free(base_sha256 *h)
{
    free(h);
}

void base_sha256_reset(base_sha256 *h)
{
    (void)h->crypto.SHA256_Init(&h->context); /* these three cannot fail */
    h->ended = false;
}

void base_sha256_update(base_sha256 *h, const void *bytes, size_t n)
{
    if (n > 0)
        (void)h->crypto.SHA256_Update(&h->context, bytes, n);
}

void base_sha256_final(base_sha256 *h, base_digest *out)
{
    if (h->ended)
        memset(out, 0, sizeof *out);
    else
        (void)h->crypto.SHA256_Final(out->bytes, &h->context);
    h->ended = true;
}

static void digest_of_small(const void *bytes, size_t n, base_digest *out)
{
    SHA2_CTX context;
    SHA256Init(&context);
    if (n > 0)
        SHA256Update(&context, bytes, n);
    SHA256Final(out->bytes, &context);
}

cistern_status base_sha256_of(const void *bytes, size_t n, base_digest *out, cistern_error *err)
{
    base_sha256 *h;
    if (n <= SMALL_MOST) {
        digest_of_small(bytes, n, out);
        return CISTERN_OK;
    }
    cistern_status status = base_sha256_new(&h, err);
    if (status != CISTERN_OK)
        return status;
    base_sha256_update(h, bytes, n);
    base_sha256_final(h, out);
    base_sha256_free(h);
    return CISTERN_OK;
}

void base_digest_hex(const base_digest *d, char out[BASE_SHA256_HEX])
{
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < BASE_SHA256_BYTES; i++) {
        out[2 * i] = digits[d->bytes[i] >> 4];
        out[2 * i + 1] = digits[d->bytes[i] & 15];
    }
    out[BASE_SHA256_HEX - 1] = '\0';
}

static int hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return -1;
}

bool base_digest_parse(const char *text, base_digest *out)
{
    base_digest d;
    if (!text)
        return false;
    for (size_t i = 0; i < BASE_SHA256_BYTES; i++) {
        int high = hex_value(text[2 * i]);
        int low = high < 0 ? -1 : hex_value(text[2 * i + 1]); /* never read past an early zero */
        if (low < 0)
            return false;
        d.bytes[i] = (uint8_t)(high << 4 | low);
    }
    if (text[BASE_SHA256_HEX - 1] != '\0')
        return false;
    *out = d;
    return true;
}

bool base_digest_equal(const base_digest *a, const base_digest *b)
{
    return memcmp(a->bytes, b->bytes, BASE_SHA256_BYTES) == 0;
}
