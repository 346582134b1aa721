/* SHA-256; see base_sha256.h: by libcrypto, whose code is several times faster than what is here; but the first OWN_MOST bytes by what
 * is here, as most runs are over small documents and loading libcrypto takes longer than those. Both work on the same state,
 * libcrypto's, which is a public structure.
 *
 * libcrypto by its plain functions, which OpenSSL 3 calls deprecated: those that it recommends look for a provider first and read
 * openssl.cnf, 0.7 ms in every process. The code that runs is the same.
 */
#include "base_sha256.h"
#include "base_crypto.h"
#include "base_mem.h"

#define OWN_MOST ((uint64_t)128 << 10) /* bytes: half a millisecond of the plain code; loading takes one */
#define BLOCK    ((size_t)64)

struct base_sha256 {
    SHA256_CTX context;
    uint64_t size; /* bytes so far */
    base_crypto crypto;
    enum { NOT_TRIED, LOADED, MISSING } library; /* whether `crypto` is usable */
    bool ended; /* what is asked of it now has the digest of nothing: all zeros, which counts as damaged */
};

/* Source: FIPS 180-4, section 4.2.2: of the cube roots of the first 64 primes. */
static const uint32_t constants[64] = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2};
/* Section 5.3.3. */
static const uint32_t first_state[8] = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
                                        0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};

static uint32_t rotate(uint32_t x, unsigned n)
{
    return x >> n | x << (32 - n);
}

/* One block. Source: FIPS 180-4, section 6.2.2. */
static void compress(SHA_LONG state[8], const uint8_t *block)
{
    uint32_t w[64], s[8];
    for (size_t i = 0; i < 16; i++)
        w[i] = (uint32_t)block[4 * i] << 24 | (uint32_t)block[4 * i + 1] << 16 |
               (uint32_t)block[4 * i + 2] << 8 | block[4 * i + 3];
    for (size_t i = 16; i < 64; i++)
        w[i] = w[i - 16] + w[i - 7] + (rotate(w[i - 15], 7) ^ rotate(w[i - 15], 18) ^ w[i - 15] >> 3) +
               (rotate(w[i - 2], 17) ^ rotate(w[i - 2], 19) ^ w[i - 2] >> 10);
    memcpy(s, state, sizeof s);
    for (size_t i = 0; i < 64; i++) {
        uint32_t one = s[7] + (rotate(s[4], 6) ^ rotate(s[4], 11) ^ rotate(s[4], 25)) +
                       ((s[4] & s[5]) ^ (~s[4] & s[6])) + constants[i] + w[i];
        uint32_t two = (rotate(s[0], 2) ^ rotate(s[0], 13) ^ rotate(s[0], 22)) +
                       ((s[0] & s[1]) ^ (s[0] & s[2]) ^ (s[1] & s[2]));
        memmove(s + 1, s, 7 * sizeof *s);
        s[4] += one;
        s[0] = one + two;
    }
    for (size_t i = 0; i < 8; i++)
        state[i] += s[i];
}

/* As libcrypto does: whole blocks at once, what is left over in `data`, `num` bytes of it; bits counted in two halves. */
static void own_update(SHA256_CTX *c, const uint8_t *bytes, size_t n)
{
    uint8_t *kept = (uint8_t *)c->data;
    uint64_t bits = ((uint64_t)c->Nh << 32 | c->Nl) + (uint64_t)n * 8;
    c->Nl = (SHA_LONG)bits;
    c->Nh = (SHA_LONG)(bits >> 32);
    while (n > 0) {
        if (c->num == 0 && n >= BLOCK) {
            compress(c->h, bytes);
            bytes += BLOCK;
            n -= BLOCK;
            continue;
        }
        size_t some = BLOCK - c->num < n ? BLOCK - c->num : n;
        memcpy(kept + c->num, bytes, some);
        c->num += (unsigned)some;
        bytes += some;
        n -= some;
        if (c->num == BLOCK) {
            compress(c->h, kept);
            c->num = 0;
        }
    }
}

static void own_final(SHA256_CTX *c, uint8_t out[BASE_SHA256_BYTES])
{
    static const uint8_t padding[BLOCK] = {0x80};
    uint64_t bits = (uint64_t)c->Nh << 32 | c->Nl;
    uint8_t length[8];
    for (size_t i = 0; i < 8; i++)
        length[i] = (uint8_t)(bits >> (56 - 8 * i));
    own_update(c, padding, 1 + (2 * BLOCK - 8 - 1 - c->num) % BLOCK);
    own_update(c, length, sizeof length);
    for (size_t i = 0; i < BASE_SHA256_BYTES; i++)
        out[i] = (uint8_t)(c->h[i / 4] >> (24 - 8 * (i % 4)));
}

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
    memset(&h->context, 0, sizeof h->context);
    h->size = 0;
    h->ended = false;
    memcpy(h->context.h, first_state, sizeof first_state);
    h->context.md_len = BASE_SHA256_BYTES;
}

void base_sha256_update(base_sha256 *h, const void *bytes, size_t n)
{
    if (n == 0)
        return;
    h->size += n;
    if (h->size > OWN_MOST && h->library == NOT_TRIED)
        h->library = base_crypto_load(&h->crypto) ? LOADED : MISSING;
    if (h->size > OWN_MOST && h->library == LOADED)
        (void)h->crypto.SHA256_Update(&h->context, bytes, n); /* cannot fail */
    else
        own_update(&h->context, bytes, n);
}

void base_sha256_final(base_sha256 *h, base_digest *out)
{
    if (h->ended)
        memset(out, 0, sizeof *out);
    else
        own_final(&h->context, out->bytes);
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
