/* safetensors headers that lie, and the limits. */
#include "formats_limits.h"
#include "weight_read.h"

/* A header before `data` bytes is refused; `mark` in it shows where (a '^', which is taken out). */
static void header_refused(const char *marked, size_t data, const char *part, int line)
{
    char header[1024];
    const char *mark = strchr(marked, '^');
    size_t before = mark ? (size_t)(mark - marked) : 0;
    forge f = {0};

    (void)snprintf(header, sizeof header, "%.*s%s", (int)before, marked, mark ? mark + 1 : marked);
    safetensors_make(&f, header, data);
    weight_refused(&f, mark ? 8 + before : NO_OFFSET, part, __FILE__, line);
    forge_free(&f);
}
#define assert_header_refused(header, data, part) header_refused(header, data, part, __LINE__)

#define ENTRY(name, begin, end)                                                                              \
    "\"" name "\":{\"dtype\":\"U8\",\"shape\":[4],\"data_offsets\":[" begin "," end "]}"

static void good_ones_are_read(void **state)
{
    static const char *const good[] = {
        "{" ENTRY("a", "0", "4") "}",
        "{ \"a\" : {\t\"shape\" : [ 2 , 2 ] ,\n\"data_offsets\":[0,4] ,\"dtype\":\"U8\"} } \r\n  ",
        "{\"__metadata__\":{},\"a\":{\"dtype\":\"F32\",\"shape\":[],\"data_offsets\":[0,4]}}",
        "{\"__metadata__\":{\"format\":\"pt\",\"\\ud83d\\ude00\":\"\\n\"},\"\\u0061\":"
        "{\"dtype\":\"F32\",\"shape\":[1,1],\"data_offsets\":[0,4]}}",
    };

    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        forge f = {0};
        model_index *index = NULL;
        cistern_error err = CISTERN_ERROR_INIT;
        safetensors_make(&f, good[i], 4);
        assert_ok(weight_read(f.data, f.len, &index, &err), &err);
        assert_int_equal(model_index_find(index, "a")->offset, f.len - 4);
        assert_int_equal(model_index_note_count(index), 0);
        model_index_free(index);
        forge_free(&f);
    }
}

static void length_refused(uint64_t length, uint64_t offset, const char *part, int line)
{
    forge f = {0};

    safetensors_make(&f, "{" ENTRY("a", "0", "4") "}", 4);
    forge_set_le(&f, 0, length, 8);
    weight_refused(&f, offset, part, __FILE__, line);
    forge_free(&f);
}

/* 17 */
static void lengths_are_checked(void **state)
{
    forge f = {0};

    (void)state;
    safetensors_make(&f, "{" ENTRY("a", "0", "4") "}", 4);
    uint64_t size = f.len;
    forge_free(&f);
    length_refused(UINT64_MAX, 0, "a header of 18446744073709551615 bytes, at most 100000000 allowed",
                   __LINE__);
    length_refused(0, 8, "the header ends where '{' should be", __LINE__);
    length_refused(1, 9, "the header ends where '\"' should be", __LINE__);
    length_refused(FORMATS_SAFETENSORS_HEADER_MAX + 1, 0, "a header of 100000001 bytes", __LINE__);
    length_refused(size - 7, 0, "it is cut short", __LINE__);
    length_refused(size - 8, 9, "ends at byte 4 of the data, of which the file has 0: it is cut short",
                   __LINE__);
}

static void the_longest_header_is_read(void **state)
{
    static const char text[] = "{" ENTRY("a", "0", "4") "}";
    size_t n = FORMATS_SAFETENSORS_HEADER_MAX;
    forge f = {.data = malloc(n + 12), .len = n + 12, .capacity = n + 12};

    (void)state;
    assert_non_null(f.data);
    memset(f.data, ' ', f.len);
    forge_set_le(&f, 0, n, 8);
    memcpy(f.data + 8, text, sizeof text - 1);
    assert_accepted(&f, 1);
    forge_free(&f);
}

static void text_is_checked(void **state)
{
    forge f = {0};

    (void)state;
    safetensors_make(&f, "[]", 0);
    assert_refused(&f, 0, "not a weight file");
    forge_free(&f);
    assert_header_refused("{\"^\xff\":{}}", 0, "not UTF-8 text (byte 0xff)");
    assert_header_refused("{\"^\xc0\x80\":{}}", 0, "not UTF-8 text");
    assert_header_refused("{\"^\xed\xa0\x80\":{}}", 0, "not UTF-8 text");
    assert_header_refused("{\"^\xf4\x90\x80\x80\":{}}", 0, "not UTF-8 text");
    assert_header_refused("{\"a^\n\":{}}", 0, "not UTF-8 text (byte 0x0a)");
    assert_header_refused("{\"^\\ud800\":{}}", 0, "a bad escape");
    assert_header_refused("{\"^\\udc00\":{}}", 0, "a bad escape");
    assert_header_refused("{\"^\\ud800\\u0041\":{}}", 0, "a bad escape");
    assert_header_refused("{\"^\\x41\":{}}", 0, "a bad escape");
    assert_header_refused("{\"^\\u00g0\":{}}", 0, "a bad escape");
    assert_header_refused("{\"^a\\u0000b\":{}}", 0, "holds a zero");
    assert_header_refused("{\"^a", 0, "does not end");
    assert_header_refused("{\"a\"^=1}", 0, "the header has '=' where ':' should be");
    assert_header_refused("{\"a\"^\x01}", 0, "the header has a byte 0x01 where ':' should be");
    assert_header_refused("{\"a\":^[]}", 0, "the header has '[' where '{' should be");
    assert_header_refused("{}^}", 0, "the header goes on");
}

/* 18 */
static void the_data_are_covered_exactly(void **state)
{
    (void)state;
    assert_header_refused(
        "{" ENTRY("a", "0", "4") ",^" ENTRY("b", "2", "6") "}", 6,
        "begins at byte 2 of the data, where the ones before it end at byte 4: they overlap");
    assert_header_refused("{" ENTRY("a", "0", "4") ",^" ENTRY("b", "0", "4") "}", 4, "they overlap");
    assert_header_refused("{" ENTRY("a", "0", "4") ",^" ENTRY("b", "5", "9") "}", 9, "there is a hole");
    assert_header_refused("{^" ENTRY("a", "1", "5") "}", 5,
                          "begins at byte 1 of the data, where the ones before it "
                          "end at byte 0: there is a hole");
    assert_header_refused("{^" ENTRY("a", "4", "0") "}", 4,
                          "data_offsets [4, 0], but its shape takes 4 bytes");
    assert_header_refused("{^" ENTRY("a", "0", "5") "}", 5,
                          "data_offsets [0, 5], but its shape takes 4 bytes");
    assert_header_refused("{^" ENTRY("a", "0", "4") "}", 3,
                          "ends at byte 4 of the data, of which the file has 3");
    assert_header_refused(
        "{^\"a\":{\"dtype\":\"F32\",\"shape\":[2,9223372036854775808],\"data_offsets\":[0,0]}}", 0,
        "a shape whose size overflows");
    assert_header_refused(
        "{^\"a\":{\"dtype\":\"F64\",\"shape\":[2305843009213693952],\"data_offsets\":[0,0]}}", 0,
        "a shape whose size overflows");
    assert_header_refused("{}", 0, "holds no tensors");
}

static void trailing_bytes_are_refused(void **state)
{
    forge f = {0};

    (void)state;
    safetensors_make(&f, "{" ENTRY("a", "0", "4") "}", 7);
    assert_refused(&f, f.len - 3, "3 bytes after the last tensor");
    forge_free(&f);
}

/* 19 */
static void nothing_is_said_twice(void **state)
{
    (void)state;
    assert_header_refused("{" ENTRY("a", "0", "4") "," ENTRY("a", "4", "8") "}", 8,
                          "tensor 'a' is there twice");
    assert_header_refused("{\"a\":{\"dtype\":\"U8\",^\"dtype\":\"U8\"}}", 0,
                          "tensor 'a' has two fields 'dtype'");
    assert_header_refused("{\"__metadata__\":{},^\"__metadata__\":{}}", 0, "__metadata__ twice");
    assert_header_refused("{\"__metadata__\":{\"a\":^1}}", 0, "the header has '1' where '\"' should be");
    assert_header_refused("{\"a\":{^\"size\":1}}", 0,
                          "a field 'size'; dtype, shape and data_offsets are known");
    assert_header_refused("{\"a\":{\"dtype\":^\"UUUUUUUUUUUUUUU\"}}", 0,
                          "has dtype 'UUUUUUUUUUUUUUU', which");
    assert_header_refused("{\"a\":{\"dtype\":\"^UUUUUUUUUUUUUUUU\"}}", 0, "has more than 15 bytes");
    assert_header_refused("{^\"a\":{\"dtype\":\"U8\",\"shape\":[]}}", 0, "tensor 'a' has no data_offsets");
    assert_header_refused("{^\"a\":{\"shape\":[],\"data_offsets\":[0,0]}}", 0, "tensor 'a' has no dtype");
    assert_header_refused("{\"a\":{\"dtype\":^\"F8_E4M3\"}}", 0,
                          "tensor 'a' has dtype 'F8_E4M3', which this version does not read");
}

static void numbers_are_plain(void **state)
{
    static const char *const bad[] = {"1e3", "-0", "1.0", "0x10", "01", "+1", "\"1\"", "null", ""};
    char header[128];

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        (void)snprintf(header, sizeof header, "{\"a\":{\"shape\":[^%s]}}", bad[i]);
        if (*bad[i])
            assert_header_refused(header, 0, "not a natural number in plain digits");
    }
    assert_header_refused("{\"a\":{\"shape\":[^18446744073709551616]}}", 0, "larger than 64 bits");
    assert_header_refused("{\"a\":{\"shape\":[1,^]}}", 0, "not a natural number");
    assert_header_refused("{\"a\":{\"shape\":[1 ^2]}}", 0, "where ']' should be");
}

static void eight_dimensions_and_no_more(void **state)
{
    forge f = {0};

    (void)state;
    safetensors_make(&f, "{\"a\":{\"dtype\":\"U8\",\"shape\":[1,1,1,1,1,1,1,4],\"data_offsets\":[0,4]}}", 4);
    assert_accepted(&f, 1);
    forge_free(&f);
    assert_header_refused("{\"a\":{\"shape\":[1,1,1,1,1,1,1,4,^1]}}", 4, "more than 8 dimensions");
}

static forge of_tensors(size_t n)
{
    forge f = {0};
    char entry[128];

    forge_zeros(&f, 8);
    for (size_t i = 0; i < n; i++) {
        (void)snprintf(entry, sizeof entry,
                       "%c\"t%zu\":{\"dtype\":\"U8\",\"shape\":[0],\"data_offsets\":[0,0]}", i ? ',' : '{',
                       i);
        forge_put(&f, entry, strlen(entry));
    }
    FORGE(&f, "}");
    forge_set_le(&f, 0, f.len - 8, 8);
    return f;
}

/* 20 */
static void tensors_have_a_limit(void **state)
{
    forge f = of_tensors(MODEL_TENSORS_MAX);

    (void)state;
    assert_accepted(&f, MODEL_TENSORS_MAX);
    forge_free(&f);
    f = of_tensors(MODEL_TENSORS_MAX + 1);
    assert_refused(&f, NO_OFFSET, "more than 65536 tensors");
    forge_free(&f);
}

static void many_tensors_of_one_range_are_refused(void **state)
{
    forge f = {0};
    char entry[128];

    (void)state;
    forge_zeros(&f, 8);
    for (int i = 0; i < 50000; i++) {
        (void)snprintf(entry, sizeof entry,
                       "%c\"t%d\":{\"dtype\":\"U8\",\"shape\":[160000],\"data_offsets\":[0,160000]}",
                       i ? ',' : '{', i);
        forge_put(&f, entry, strlen(entry));
    }
    FORGE(&f, "}");
    forge_set_le(&f, 0, f.len - 8, 8);
    forge_zeros(&f, 160000);
    cistern_error err = CISTERN_ERROR_INIT;
    model_index *index = NULL;
    assert_says(weight_read(f.data, f.len, &index, &err), CISTERN_UNREADABLE, &err, "they overlap");
    forge_free(&f);
}

/* The hash by which the index finds names (FNV-1a), its low bits. */
static uint64_t low_bits(const char *name)
{
    uint64_t h = 1469598103934665603ull;

    for (; *name; name++)
        h = (h ^ (uint8_t)*name) * 1099511628211ull;
    return (h ^ h >> 32) & 4095;
}

/* 1,100 names that share the low 12 bits of their hash, all that the index uses at that size. */
static void names_chosen_to_collide_are_refused(void **state)
{
    forge f = {0};
    char name[24], entry[128];

    (void)state;
    forge_zeros(&f, 8);
    for (unsigned i = 0, n = 0; n < 1100; i++) {
        (void)snprintf(name, sizeof name, "%x", i);
        if (low_bits(name) != 5)
            continue;
        (void)snprintf(entry, sizeof entry,
                       "%c\"%s\":{\"dtype\":\"U8\",\"shape\":[0],\"data_offsets\":[0,0]}", n++ ? ',' : '{',
                       name);
        forge_put(&f, entry, strlen(entry));
    }
    FORGE(&f, "}");
    forge_set_le(&f, 0, f.len - 8, 8);
    assert_refused(&f, NO_OFFSET, "names chosen to slow down its reader");
    forge_free(&f);
}

static void other_frameworks_are_noted(void **state)
{
    forge f = {0};
    model_index *index = NULL;

    (void)state;
    safetensors_make(&f, "{\"__metadata__\":{\"format\":\"mlx\"}," ENTRY("a", "0", "4") "}", 4);
    assert_ok(weight_read(f.data, f.len, &index, NULL), NULL);
    assert_int_equal(model_index_note_count(index), 1);
    model_index_free(index);
    forge_free(&f);
}

/* A length of 640 begins like a pickle of protocol 2. */
static void a_length_is_not_taken_for_a_pickle(void **state)
{
    char header[641];
    forge f = {0};

    (void)state;
    (void)snprintf(header, sizeof header, "%-640s", "{" ENTRY("a", "0", "4") "}");
    safetensors_make(&f, header, 4);
    assert_int_equal(f.data[0], 0x80);
    assert_int_equal(f.data[1], 2);
    assert_accepted(&f, 1);
    forge_free(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(good_ones_are_read),
        cmocka_unit_test(lengths_are_checked),
        cmocka_unit_test(the_longest_header_is_read),
        cmocka_unit_test(text_is_checked),
        cmocka_unit_test(the_data_are_covered_exactly),
        cmocka_unit_test(trailing_bytes_are_refused),
        cmocka_unit_test(nothing_is_said_twice),
        cmocka_unit_test(numbers_are_plain),
        cmocka_unit_test(eight_dimensions_and_no_more),
        cmocka_unit_test(tensors_have_a_limit),
        cmocka_unit_test(many_tensors_of_one_range_are_refused),
        cmocka_unit_test(names_chosen_to_collide_are_refused),
        cmocka_unit_test(other_frameworks_are_noted),
        cmocka_unit_test(a_length_is_not_taken_for_a_pickle),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
