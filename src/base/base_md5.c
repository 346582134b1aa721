/* MD5 of a file; see base_md5.h. */
#include "base_md5.h"

#include <stdlib.h>
#include "base_crypto.h"
#include "base_file.h"
#include "base_mem.h"

#define PIECE (1u << 20) /* bytes read at a time */

static cistern_status hash(const base_crypto *crypto, EVP_MD_CTX *context, int fd, uint64_t size,
                           const base_run *run, cistern_error *err)
{
    unsigned char *piece = malloc(PIECE);
    cistern_status status = piece != NULL ? CISTERN_OK : base_fail_memory(err, PIECE);
    for (uint64_t at = 0; status == CISTERN_OK && at < size;) {
        size_t n = size - at < PIECE ? (size_t)(size - at) : PIECE;
        status = base_cancelled(run != NULL ? run->cancel : NULL)
                     ? base_fail(err, CISTERN_CANCELLED, "interrupted")
                     : base_pread_full(fd, piece, n, at, err);
        if (status == CISTERN_OK && crypto->EVP_DigestUpdate(context, piece, n) != 1)
            status = base_fail(err, CISTERN_UNEXPECTED, "MD5 failed");
        at += n;
    }
    free(piece);
    return status;
}

cistern_status base_md5_of_file(int fd, uint64_t size, const base_run *run, char out[BASE_MD5_HEX],
                                cistern_error *err)
{
    static const char digits[] = "0123456789abcdef";
    unsigned char bytes[EVP_MAX_MD_SIZE];
    base_crypto crypto;
    bool loaded = base_crypto_load(&crypto);
    EVP_MD_CTX *context = loaded ? crypto.EVP_MD_CTX_new() : NULL;
    cistern_status status = CISTERN_OK;
    if (!loaded)
        return base_fail(err, CISTERN_UNEXPECTED, "%s", BASE_CRYPTO_MISSING);
    if (context == NULL)
        return base_fail_memory(err, 0);
    if (crypto.EVP_DigestInit_ex(context, crypto.EVP_md5(), NULL) != 1)
        status = base_fail(err, CISTERN_UNEXPECTED, "this system's libcrypto refuses MD5");
    if (status == CISTERN_OK)
        status = hash(&crypto, context, fd, size, run, err);
    if (status == CISTERN_OK && crypto.EVP_DigestFinal_ex(context, bytes, NULL) != 1)
        status = base_fail(err, CISTERN_UNEXPECTED, "MD5 failed");
    crypto.EVP_MD_CTX_free(context);
    for (size_t i = 0; status == CISTERN_OK && i < 16; i++) {
        out[2 * i] = digits[bytes[i] >> 4];
        out[2 * i + 1] = digits[bytes[i] & 15];
    }
    if (status == CISTERN_OK)
        out[32] = '\0';
    return status;
}
