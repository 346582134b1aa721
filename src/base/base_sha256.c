/* SHA-256 by libcrypto; see base_sha256.h.
 *
 * Invariant: should libcrypto ever fail in the middle of a run, the digest is all zeros, which is nobody's
 * digest, so that whatever it is compared with counts as damaged.
 */
#include "base_sha256.h"
#include "base_mem.h"
#include <openssl/evp.h>

struct base_sha256 {
    EVP_MD *algorithm; /* fetched once: a fetch searches the providers under a lock */
    EVP_MD_CTX *context;
    bool failed;
};

cistern_status base_sha256_new(base_sha256 **out, cistern_error *err)
{
    base_sha256 *h = NULL;
    cistern_status status = base_calloc(1, sizeof *h, &h, err);
    if (status != CISTERN_OK)
        return status;
    h->algorithm = EVP_MD_fetch(NULL, "SHA256", NULL);
    h->context = EVP_MD_CTX_new();
    if (h->algorithm && h->context)
        base_sha256_reset(h);
    if (!h->algorithm || !h->context || h->failed) {
        base_sha256_free(h);
        return base_fail(err, CISTERN_UNEXPECTED, "libcrypto offers no SHA-256");
    }
    *out = h;
    return CISTERN_OK;
}

void base_sha256_free(base_sha256 *h)
{
    if (!h)
        return;
    EVP_MD_CTX_free(h->context);
    EVP_MD_free(h->algorithm);
    free(h);
}

void base_sha256_reset(base_sha256 *h)
{
    h->failed = EVP_DigestInit_ex2(h->context, h->algorithm, NULL) != 1;
}

void base_sha256_update(base_sha256 *h, const void *bytes, size_t n)
{
    if (n > 0 && EVP_DigestUpdate(h->context, bytes, n) != 1)
        h->failed = true;
}

void base_sha256_final(base_sha256 *h, base_digest *out)
{
    unsigned length = 0;
    if (h->failed || EVP_DigestFinal_ex(h->context, out->bytes, &length) != 1 || length != BASE_SHA256_BYTES)
        memset(out, 0, sizeof *out);
    h->failed = true; /* until the next reset */
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
