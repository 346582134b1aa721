/* libcrypto, loaded when it is first needed: a program that only opens and runs a model hashes a few small documents, and mapping
 * and relocating libcrypto would be a fourth of its start (docs/start.md).
 *
 * The table's members are libcrypto's functions by their own names; whoever needs it has one of their own. The library stays loaded.
 */
#ifndef BASE_CRYPTO_H
#define BASE_CRYPTO_H

#define OPENSSL_SUPPRESS_DEPRECATED
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/sha.h>
#include <stdbool.h>

#define BASE_CRYPTO_MISSING                                                                                  \
    "libcrypto.so.3 cannot be loaded, and it is needed: install it (Debian: apt install libssl3)"

/* Every function that is used. The plain ones of SHA-256: see base_sha256.c. */
#define BASE_CRYPTO_FUNCTIONS(X)                                                                             \
    X(SHA256_Init)                                                                                           \
    X(SHA256_Update)                                                                                         \
    X(SHA256_Final)                                                                                          \
    X(EVP_MD_CTX_new)                                                                                        \
    X(EVP_MD_CTX_free)                                                                                       \
    X(EVP_DigestInit_ex)                                                                                     \
    X(EVP_DigestUpdate)                                                                                      \
    X(EVP_DigestFinal_ex)                                                                                    \
    X(EVP_md5)                                                                                               \
    X(EVP_sha256)                                                                                            \
    X(HMAC)

typedef struct base_crypto {
#define MEMBER(name) __typeof__(&name) name;
    BASE_CRYPTO_FUNCTIONS(MEMBER)
#undef MEMBER
} base_crypto;

/** @return false: it is not installed, or too old. Loads it at the first call of the process; later ones look it up (a few us).
 *  Threads: any. */
bool base_crypto_load(base_crypto *out);

#endif
