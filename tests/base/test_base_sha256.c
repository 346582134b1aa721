#include "cistern_test.h"
#include "base_crypto.h"
#include "base_sha256.h"

/* FIPS 180-4 examples as published by NIST; the last is a million times 'a'. */
#define EMPTY   "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
#define ABC     "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
#define MILLION "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0"

static void assert_hex(const base_digest *d, const char *expected)
{
    char hex[BASE_SHA256_HEX];
    base_digest_hex(d, hex);
    assert_string_equal(hex, expected);
}

static void known_answers(void **state)
{
    (void)state;
    cistern_error err = CISTERN_ERROR_INIT;
    base_digest d;
    assert_ok(base_sha256_of("", 0, &d, &err), &err);
    assert_hex(&d, EMPTY);
    assert_ok(base_sha256_of(NULL, 0, &d, &err), &err);
    assert_hex(&d, EMPTY);
    assert_ok(base_sha256_of("abc", 3, &d, &err), &err);
    assert_hex(&d, ABC);
}

static void streaming_equals_one_call_and_reset_starts_again(void **state)
{
    (void)state;
    cistern_error err = CISTERN_ERROR_INIT;
    base_sha256 *h = NULL;
    base_digest d;
    char block[997];
    memset(block, 'a', sizeof block);
    assert_ok(base_sha256_new(&h, &err), &err);
    for (int round = 0; round < 2; round++) {
        for (size_t done = 0; done < 1000000;) {
            size_t n = 1000000 - done < sizeof block ? 1000000 - done : sizeof block;
            base_sha256_update(h, block, n);
            done += n;
        }
        base_sha256_final(h, &d);
        assert_hex(&d, MILLION);
        base_sha256_reset(h);
    }
    base_sha256_update(h, "abc", 3);
    base_sha256_final(h, &d);
    assert_hex(&d, ABC);
    base_sha256_final(h, &d); /* without a reset: nobody's digest, never a plausible one */
    assert_hex(&d, "0000000000000000000000000000000000000000000000000000000000000000");
    base_sha256_free(h);
    base_sha256_free(NULL);
}

/* What libcrypto makes of it in one piece. */
static void by_libcrypto(const uint8_t *bytes, size_t n, base_digest *out)
{
    base_crypto crypto;
    assert_true(base_crypto_load(&crypto));
    EVP_MD_CTX *context = crypto.EVP_MD_CTX_new();
    assert_non_null(context);
    assert_int_equal(crypto.EVP_DigestInit_ex(context, crypto.EVP_sha256(), NULL), 1);
    assert_int_equal(crypto.EVP_DigestUpdate(context, bytes, n), 1);
    assert_int_equal(crypto.EVP_DigestFinal_ex(context, out->bytes, NULL), 1);
    crypto.EVP_MD_CTX_free(context);
}

/* In pieces of `piece` bytes. */
static void assert_as_libcrypto(const uint8_t *bytes, size_t n, size_t piece)
{
    base_sha256 *h = NULL;
    base_digest d, expected;
    assert_ok(base_sha256_new(&h, NULL), NULL);
    for (size_t at = 0; at < n; at += piece)
        base_sha256_update(h, bytes + at, n - at < piece ? n - at : piece);
    base_sha256_final(h, &d);
    base_sha256_free(h);
    by_libcrypto(bytes, n, &expected);
    assert_memory_equal(d.bytes, expected.bytes, sizeof d.bytes);
    assert_ok(base_sha256_of(bytes, n, &d, NULL), NULL);
    assert_memory_equal(d.bytes, expected.bytes, sizeof d.bytes);
}

/* In pieces by libcrypto; in one call by libmd, up to 128 KiB. */
static void every_length_is_as_libcrypto_has_it(void **state)
{
    (void)state;
    const size_t most = 300000;
    uint8_t *bytes = malloc(most);
    assert_non_null(bytes);
    for (size_t i = 0; i < most; i++)
        bytes[i] = (uint8_t)(i * 31 + (i >> 8) * 7);
    for (size_t n = 0; n < 300; n++)
        assert_as_libcrypto(bytes, n, 1 + n % 140);
    for (size_t n = 131072 - 70; n < 131072 + 70; n++)
        assert_as_libcrypto(bytes, n, 4093);
    const size_t pieces[] = {1, 63, 64, 65, 1000, 65536, 131072, 131073, 300000};
    for (size_t i = 0; i < sizeof pieces / sizeof pieces[0]; i++)
        assert_as_libcrypto(bytes, most, pieces[i]);
    free(bytes);
}

static void only_64_lower_case_digits_are_a_digest(void **state)
{
    (void)state;
    base_digest d, other;
    char text[80];
    memset(&d, 0x5a, sizeof d);
    other = d;
    const char *wrong[] = {"", "ba7816bf", ABC "0", ABC " ", " " ABC, "sha256:" ABC};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        assert_false(base_digest_parse(wrong[i], &d));
    for (size_t i = 0; i < 64; i++) {
        memcpy(text, ABC, 65);
        text[i] = 'A';
        assert_false(base_digest_parse(text, &d));
        text[i] = 'g';
        assert_false(base_digest_parse(text, &d));
        text[i] = '\0'; /* one to 63 digits */
        assert_false(base_digest_parse(text, &d));
    }
    assert_false(base_digest_parse(NULL, &d));
    assert_true(base_digest_equal(&d, &other));
    assert_true(base_digest_parse(ABC, &d));
    assert_hex(&d, ABC);
    assert_false(base_digest_equal(&d, &other));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(known_answers),
        cmocka_unit_test(streaming_equals_one_call_and_reset_starts_again),
        cmocka_unit_test(every_length_is_as_libcrypto_has_it),
        cmocka_unit_test(only_64_lower_case_digits_are_a_digest),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
