/* SHA-256 by libcrypto; see base_sha256.h.
 *
 * By its plain functions, which OpenSSL 3 calls deprecated: those that it recommends look for a provider first and read
 * openssl.cnf, 0.7 ms in every process, several times what all the digests of opening a model take. The code that runs is the same.
 */
#define OPENSSL_SUPPRESS_DEPRECATED
#include "base_sha256.h"
#include "base_mem.h"
#include <openssl/sha.h>

struct base_sha256 {
    SHA256_CTX context;
    bool ended; /* what is asked of it now has the digest of nothing: all zeros, which counts as damaged */
};

cistern_status base_sha256_new(base_sha256 **out, cistern_error *err)
{
    base_sha256 *h = NULL;
    cistern_status status = base_calloc(1, sizeof *h, &h, err);
    if (status != CISTERN_OK)
        return status;
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
    (void)SHA256_Init(&h->context); /* these three cannot fail */
    h->ended = false;
}

void base_sha256_update(base_sha256 *h, const void *bytes, size_t n)
{
    if (n > 0)
        (void)SHA256_Update(&h->context, bytes, n);
}

void base_sha256_final(base_sha256 *h, base_digest *out)
{
    if (h->ended)
        memset(out, 0, sizeof *out);
    else
        (void)SHA256_Final(out->bytes, &h->context);
    h->ended = true;
}

cistern_status base_sha256_of(const void *bytes, size_t n, base_digest *out, cistern_error *err)
{
    base_sha256 *h;
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
