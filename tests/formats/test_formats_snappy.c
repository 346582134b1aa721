/* Snappy: what the library of that name packed, every element's form, and whatever does not fit. */
#include "priv/formats_snappy.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "cistern_test.h"
#include "guard_page.h"

/* text() below, by snappy_compress() of libsnappy 1.1.9. */
static const uint8_t packed[] = {
    /* clang-format off */
    0xe7, 0x05, 0x2c, 0x76, 0x67, 0x67, 0x5f, 0x31, 0x36, 0x2f, 0x63, 0x6f, 0x6e, 0x76, 0x30, 0x09,
    0x06, 0x30, 0x5f, 0x30, 0x2f, 0x77, 0x65, 0x69, 0x67, 0x68, 0x74, 0x73, 0x3a, 0x30, 0x3b, 0x1d,
    0x1f, 0x00, 0x31, 0x05, 0x1f, 0x08, 0x31, 0x5f, 0x31, 0x15, 0x1f, 0x0c, 0x37, 0x39, 0x31, 0x39,
    0x2e, 0x22, 0x00, 0x00, 0x32, 0x05, 0x22, 0x08, 0x32, 0x5f, 0x32, 0x15, 0x22, 0x10, 0x31, 0x35,
    0x38, 0x33, 0x38, 0x2e, 0x23, 0x00, 0x00, 0x33, 0x05, 0x23, 0x00, 0x33, 0x1d, 0x64, 0x10, 0x32,
    0x33, 0x37, 0x35, 0x37, 0x2e, 0x23, 0x00, 0x00, 0x34, 0x05, 0x23, 0x00, 0x34, 0x1d, 0x68, 0x10,
    0x33, 0x31, 0x36, 0x37, 0x36, 0x2e, 0x23, 0x00, 0x11, 0xaa, 0x19, 0x69, 0x10, 0x33, 0x39, 0x35,
    0x39, 0x35, 0x2e, 0x23, 0x00, 0x11, 0xae, 0x19, 0xcd, 0x10, 0x34, 0x37, 0x35, 0x31, 0x34, 0x2e,
    0x23, 0x00, 0x11, 0xaf, 0x19, 0xd1, 0x10, 0x35, 0x35, 0x34, 0x33, 0x33, 0x2e, 0x23, 0x00, 0x11,
    0xaf, 0x19, 0x69, 0x10, 0x36, 0x33, 0x33, 0x35, 0x32, 0x2e, 0x23, 0x00, 0x11, 0xaf, 0x19, 0x69,
    0x10, 0x37, 0x31, 0x32, 0x37, 0x31, 0x2e, 0x23, 0x00, 0x11, 0xaf, 0x19, 0x69, 0x21, 0x3a, 0x52,
    0x5d, 0x01, 0x19, 0x69, 0x18, 0x38, 0x37, 0x31, 0x30, 0x39, 0x3b, 0x00, 0xfe, 0x01, 0x00, 0xfe,
    0x01, 0x00, 0xfe, 0x01, 0x00, 0x11, 0x01, 0xf0, 0x65, 0x60, 0xce, 0x4a, 0xd4, 0x6c, 0x12, 0xc6,
    0x88, 0x58, 0x36, 0x22, 0x1c, 0x24, 0x3a, 0x5e, 0x90, 0xd0, 0x1e, 0x7a, 0xe4, 0x5c, 0xe2, 0x76,
    0x18, 0xc8, 0x86, 0x52, 0x2c, 0x14, 0x0a, 0x0e, 0x20, 0x40, 0x6e, 0xaa, 0xf4, 0x4c, 0xb2, 0x26,
    0xa8, 0x38, 0xd6, 0x82, 0x3c, 0x04, 0xda, 0xbe, 0xb0, 0xb0, 0xbe, 0xda, 0x04, 0x3c, 0x82, 0xd6,
    0x38, 0xa8, 0x26, 0xb2, 0x4c, 0xf4, 0xaa, 0x6e, 0x40, 0x20, 0x0e, 0x0a, 0x14, 0x2c, 0x52, 0x86,
    0xc8, 0x18, 0x76, 0xe2, 0x5c, 0xe4, 0x7a, 0x1e, 0xd0, 0x90, 0x5e, 0x3a, 0x24, 0x1c, 0x22, 0x36,
    0x58, 0x88, 0xc6, 0x12, 0x6c, 0xd4, 0x4a, 0xce, 0x60, 0x00, 0xae, 0x6a, 0x76, 0x67, 0x67, 0x62,
    0xcb, 0x02,
    /* clang-format on */
};
#define TEXT_BYTES 743u

/* Names such as a table has, zeros, bytes without a pattern, a name from the beginning. */
static void text(uint8_t out[TEXT_BYTES])
{
    size_t n = 0;

    for (int i = 0; i < 12; i++)
        n += (size_t)snprintf((char *)out + n, TEXT_BYTES - n, "vgg_16/conv%d/conv%d_%d/weights:%d;", i % 5,
                              i % 5, i % 3, i * 7919);
    memset(out + n, 0, 200);
    n += 200;
    for (int i = 0; i < 100; i++)
        out[n++] = (uint8_t)(i * 89 + i * i * 7);
    memcpy(out + n, "vgg_16/conv0/conv0_0/weights", 28);
}

static void what_the_library_packed_is_unpacked(void **state)
{
    uint8_t want[TEXT_BYTES], got[TEXT_BYTES];
    uint64_t size = 0;

    (void)state;
    text(want);
    assert_true(formats_snappy_size(packed, sizeof packed, &size));
    assert_int_equal(size, TEXT_BYTES);
    assert_true(formats_snappy_unpack(packed, sizeof packed, got, sizeof got));
    assert_memory_equal(got, want, sizeof want);
}

/* From bytes that end at a guard page, into as many. */
static bool unpacks(const void *bytes, size_t n, uint8_t *out, size_t size)
{
    guard_page in = guard_page_of(bytes, n);
    bool ok = formats_snappy_unpack(in.data, n, out, size);

    guard_page_free(&in);
    return ok;
}

static void cut_or_changed_anywhere_it_stays_inside(void **state)
{
    uint8_t got[TEXT_BYTES], changed[sizeof packed];

    (void)state;
    for (size_t n = 0; n < sizeof packed; n++)
        assert_false(unpacks(packed, n, got, sizeof got));
    for (size_t i = 0; i < sizeof packed; i++) {
        memcpy(changed, packed, sizeof packed);
        changed[i] ^= 0xff;
        (void)unpacks(changed, sizeof changed, got, sizeof got); /* whatever comes, no byte outside */
    }
}

static void every_form_of_element(void **state)
{
    static const struct {
        const char *bytes;
        size_t n;
        const char *want; /* NULL: refused */
    } cases[] = {
        {"\x03\x08"
         "abc",
         5, "abc"},
        {"\x03\xf0\x02"
         "abc",
         6, "abc"}, /* length in one byte */
        {"\x03\xf4\x02\x00"
         "abc",
         7, "abc"}, /* in two */
        {"\x03\xf8\x02\x00\x00"
         "abc",
         8, "abc"}, /* in three */
        {"\x03\xfc\x02\x00\x00\x00"
         "abc",
         9, "abc"}, /* in four */
        {"\x07\x08"
         "abc\x01\x03",
         7, "abcabca"}, /* 4 bytes from 3 back */
        {"\x05\x08"
         "abc\x06\x02\x00",
         8, "abcbc"}, /* 2 bytes from 2 back */
        {"\x05\x08"
         "abc\x07\x01\x00\x00\x00",
         10, "abccc"}, /* 2 bytes from 1 back: a run */
        {"\x05\x08"
         "abc\x06\x04\x00",
         8, NULL}, /* from before the first byte */
        {"\x05\x08"
         "abc\x06\x00\x00",
         8, NULL}, /* from no distance */
        {"\x04\x08"
         "abc\x06\x02\x00",
         8, NULL}, /* more than is said */
        {"\x06\x08"
         "abc\x06\x02\x00",
         8, NULL}, /* less */
        {"\x03\x0c"
         "abc",
         5, NULL}, /* a literal beyond the end */
        {"\x03\xfc\xff\xff\xff\xff"
         "abc",
         9, NULL},
        {"\xff\xff\xff\xff\xff\x01", 6, NULL}, /* a length above 32 bits */
        {"", 0, NULL},
    };
    uint8_t got[16];

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        uint64_t size = 0;
        bool ok = formats_snappy_size((const uint8_t *)cases[i].bytes, cases[i].n, &size) &&
                  size <= sizeof got && unpacks(cases[i].bytes, cases[i].n, got, (size_t)size);
        assert_int_equal(ok, cases[i].want != NULL);
        if (ok)
            assert_memory_equal(got, cases[i].want, strlen(cases[i].want));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_the_library_packed_is_unpacked),
        cmocka_unit_test(cut_or_changed_anywhere_it_stays_inside),
        cmocka_unit_test(every_form_of_element),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
