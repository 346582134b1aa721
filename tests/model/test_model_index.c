/* The tensor index: invariants on adding, and bytes of any origin on decoding. */
#include <math.h>
#include <stdlib.h>
#include "cistern_test.h"
#include "guard_page.h"
#include "model_index.h"

static model_tensor plain(const char *name, uint64_t offset, uint64_t rows, uint64_t columns)
{
    model_tensor t = {0};
    t.name = name;
    t.dtype = MODEL_F32;
    t.rank = 2;
    t.shape[0] = rows;
    t.shape[1] = columns;
    t.stride[0] = columns;
    t.stride[1] = 1;
    t.offset = offset;
    return t;
}

static model_index *index_of(uint64_t size)
{
    model_index *index = NULL;
    assert_int_equal(model_index_new(&size, 1, &index, NULL), CISTERN_OK);
    return index;
}

static void a_tensor_up_to_the_last_byte_is_taken_one_byte_more_is_not(void **state)
{
    model_index *index = index_of(24 + 5);
    model_tensor t = plain("a", 5, 2, 3);
    cistern_error err = CISTERN_ERROR_INIT;
    (void)state;
    assert_int_equal(model_index_add(index, &t, NULL), CISTERN_OK);
    t.name = "b";
    t.offset = 6;
    assert_int_equal(model_index_add(index, &t, &err), CISTERN_UNREADABLE);
    assert_non_null(strstr(err.text, "'b'"));
    assert_int_equal(model_index_count(index), 1);
    model_index_free(index);
}

static void products_that_overflow_are_refused(void **state)
{
    model_index *index = index_of(UINT64_MAX);
    model_tensor t = plain("a", 0, (uint64_t)1 << 33, (uint64_t)1 << 33);
    (void)state;
    assert_int_equal(model_index_add(index, &t, NULL), CISTERN_UNREADABLE);
    t = plain("a", UINT64_MAX - 3, 1, 1);
    assert_int_equal(model_index_add(index, &t, NULL), CISTERN_UNREADABLE);
    t = plain("a", 0, 2, 1);
    t.stride[0] = UINT64_MAX;
    assert_int_equal(model_index_add(index, &t, NULL), CISTERN_UNREADABLE);
    model_index_free(index);
}

static void a_name_must_be_unique_plain_text(void **state)
{
    static const char *const bad[] = {
        "", "a\nb", "\x7f", "\xc2\x85", "\xff", "\xc0\x80", "\xed\xa0\x80", "\xf4\x90\x80\x80", "\xe2\x82"};
    model_index *index = index_of(100);
    char name[MODEL_NAME_MAX + 2];
    model_tensor t = plain("na\xc3\xafve", 0, 1, 1);
    (void)state;
    assert_int_equal(model_index_add(index, &t, NULL), CISTERN_OK);
    assert_int_equal(model_index_add(index, &t, NULL), CISTERN_UNREADABLE);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        t.name = bad[i];
        assert_int_equal(model_index_add(index, &t, NULL), CISTERN_UNREADABLE);
    }
    memset(name, 'n', sizeof name);
    name[MODEL_NAME_MAX + 1] = 0;
    t.name = name;
    assert_int_equal(model_index_add(index, &t, NULL), CISTERN_UNREADABLE);
    name[MODEL_NAME_MAX] = 0;
    assert_int_equal(model_index_add(index, &t, NULL), CISTERN_OK);
    assert_int_equal(model_index_count(index), 2);
    model_index_free(index);
}

static void rank_file_and_dtype_have_limits(void **state)
{
    model_index *index = index_of(100);
    model_tensor t = plain("a", 0, 1, 1);
    (void)state;
    t.rank = MODEL_RANK_MAX + 1;
    assert_int_equal(model_index_add(index, &t, NULL), CISTERN_UNREADABLE);
    t.rank = MODEL_RANK_MAX;
    for (uint32_t d = 0; d < MODEL_RANK_MAX; d++)
        t.shape[d] = t.stride[d] = 1;
    assert_int_equal(model_index_add(index, &t, NULL), CISTERN_OK);
    t = plain("b", 0, 1, 1);
    t.file = 1;
    assert_int_equal(model_index_add(index, &t, NULL), CISTERN_UNREADABLE);
    t = plain("c", 0, 1, 1);
    t.dtype = (model_dtype)11;
    assert_int_equal(model_index_add(index, &t, NULL), CISTERN_UNREADABLE);
    model_index_free(index);
}

static model_index *sample(uint64_t *size)
{
    model_index *index;
    *size = 4096;
    index = index_of(*size);
    for (int i = 0; i < 200; i++) {
        char name[32];
        model_tensor t = plain(name, (uint64_t)i, 2, 3);
        snprintf(name, sizeof name, "layer.%d.weight", i);
        t.stride[0] = (uint64_t)(i % 5); /* views and broadcasts too */
        assert_int_equal(model_index_add(index, &t, NULL), CISTERN_OK);
    }
    model_index_note(index, "3 trailing bytes ignored");
    assert_int_equal(model_index_set_kind(index, "Keras HDF5", MODEL_FAMILY_KERAS, NULL), CISTERN_OK);
    assert_int_equal(model_index_set_epsilon(index, 0.0625, NULL), CISTERN_OK);
    model_index_set_head(index, MODEL_HEAD_PROBABILITIES);
    return index;
}

static void what_is_encoded_decodes_to_the_same(void **state)
{
    uint64_t size;
    model_index *index = sample(&size), *back = NULL;
    base_buf one, two;
    (void)state;
    base_buf_init(&one, 1 << 20);
    base_buf_init(&two, 1 << 20);
    assert_int_equal(model_index_encode(index, &one, NULL), CISTERN_OK);
    assert_int_equal(model_index_decode(one.data, one.len, &size, 1, &back, NULL), CISTERN_OK);
    assert_int_equal(model_index_encode(back, &two, NULL), CISTERN_OK);
    assert_int_equal(one.len, two.len);
    assert_memory_equal(one.data, two.data, one.len);
    assert_int_equal(model_index_count(back), 200);
    assert_string_equal(model_index_kind(back), "Keras HDF5");
    assert_int_equal(model_index_family(back), MODEL_FAMILY_KERAS);
    assert_true(model_index_epsilon(back) == 0.0625);
    assert_int_equal(model_index_head(back), MODEL_HEAD_PROBABILITIES);
    assert_string_equal(model_index_note_peek(back, 0), "3 trailing bytes ignored");
    assert_int_equal(model_index_find(back, "layer.199.weight")->offset, 199);
    assert_null(model_index_find(back, "layer.200.weight"));
    base_buf_clear(&one);
    base_buf_clear(&two);
    model_index_free(index);
    model_index_free(back);
}

static void every_truncation_is_damage_and_no_byte_is_read_past_the_end(void **state)
{
    uint64_t size;
    model_index *index = sample(&size), *back = NULL;
    base_buf bytes;
    (void)state;
    base_buf_init(&bytes, 1 << 20);
    assert_int_equal(model_index_encode(index, &bytes, NULL), CISTERN_OK);
    for (size_t n = 0; n < bytes.len; n += 1 + n / 64) {
        guard_page g = guard_page_of(bytes.data, n);
        assert_int_equal(model_index_decode(g.data, n, &size, 1, &back, NULL), CISTERN_DAMAGED);
        guard_page_free(&g);
    }
    assert_int_equal(base_buf_put(&bytes, "x", 1, NULL), CISTERN_OK);
    assert_int_equal(model_index_decode(bytes.data, bytes.len, &size, 1, &back, NULL), CISTERN_DAMAGED);
    size++;
    assert_int_equal(model_index_decode(bytes.data, bytes.len - 1, &size, 1, &back, NULL), CISTERN_DAMAGED);
    base_buf_clear(&bytes);
    model_index_free(index);
}

static void values_that_no_release_wrote_are_damage(void **state)
{
    static const struct {
        size_t at, n;
        uint64_t value;
    } bad[] = {{8, 4, 7},
               {28, 4, 4},
               {32, 8, 0x7ff8000000000000},
               {32, 8, 0xbff0000000000000},
               {32, 8, 0x4000000000000000}}; /* family; head; epsilon: NaN, -1, 2 */
    uint64_t size;
    model_index *index = sample(&size), *back = NULL;
    base_buf bytes;
    (void)state;
    base_buf_init(&bytes, 1 << 20);
    assert_int_equal(model_index_encode(index, &bytes, NULL), CISTERN_OK);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        char kept[8];
        memcpy(kept, bytes.data + bad[i].at, bad[i].n);
        memcpy(bytes.data + bad[i].at, &bad[i].value, bad[i].n);
        assert_int_equal(model_index_decode(bytes.data, bytes.len, &size, 1, &back, NULL), CISTERN_DAMAGED);
        memcpy(bytes.data + bad[i].at, kept, bad[i].n);
    }
    assert_int_equal(model_index_decode(bytes.data, bytes.len, &size, 1, &back, NULL), CISTERN_OK);
    model_index_free(back);
    base_buf_clear(&bytes);
    model_index_free(index);
}

static void epsilon_is_above_zero_and_at_most_one(void **state)
{
    model_index *index = index_of(1);
    (void)state;
    assert_true(model_index_epsilon(index) == 1e-5);
    assert_int_equal(model_index_set_epsilon(index, 0, NULL), CISTERN_UNREADABLE);
    assert_int_equal(model_index_set_epsilon(index, NAN, NULL), CISTERN_UNREADABLE);
    assert_int_equal(model_index_set_epsilon(index, nextafter(1, 2), NULL), CISTERN_UNREADABLE);
    assert_true(model_index_epsilon(index) == 1e-5);
    assert_int_equal(model_index_set_epsilon(index, 1, NULL), CISTERN_OK);
    assert_true(model_index_epsilon(index) == 1);
    model_index_free(index);
}

/* The kind is ours, notes may hold what a file says: they are cut, and there are no more than sixteen. */
static void kind_and_notes_as_long_as_allowed_and_one_more(void **state)
{
    model_index *index = index_of(1);
    char text[300];
    (void)state;
    memset(text, 'k', sizeof text);
    text[64] = 0;
    assert_int_equal(model_index_set_kind(index, text, MODEL_FAMILY_TORCH, NULL), CISTERN_UNEXPECTED);
    text[63] = 0;
    assert_int_equal(model_index_set_kind(index, text, MODEL_FAMILY_TORCH, NULL), CISTERN_OK);
    memset(text, 'n', sizeof text);
    text[256] = 0;
    model_index_note(index, text);
    text[255] = 0;
    assert_string_equal(model_index_note_peek(index, 0), text);
    model_index_note(index, text);
    assert_string_equal(model_index_note_peek(index, 1), text);
    for (int i = 2; i < 20; i++)
        model_index_note(index, "more");
    assert_int_equal(model_index_note_count(index), 16);
    model_index_free(index);
}

static void flipped_bytes_never_give_a_tensor_outside_its_file(void **state)
{
    uint64_t size;
    model_index *index = sample(&size);
    base_buf bytes;
    size_t decoded = 0;
    (void)state;
    base_buf_init(&bytes, 1 << 20);
    assert_int_equal(model_index_encode(index, &bytes, NULL), CISTERN_OK);
    srand(7);
    for (int round = 0; round < 3000; round++) {
        size_t at = (size_t)rand() % bytes.len;
        char old = bytes.data[at];
        model_index *back = NULL;
        bytes.data[at] = (char)rand();
        if (model_index_decode(bytes.data, bytes.len, &size, 1, &back, NULL) == CISTERN_OK) {
            decoded++;
            for (size_t i = 0; i < model_index_count(back); i++) {
                uint64_t extent = 0;
                assert_true(model_tensor_extent(model_index_peek(back, i), &extent));
                assert_true(model_index_peek(back, i)->offset + extent <= size);
            }
            model_index_free(back);
        }
        bytes.data[at] = old;
    }
    assert_true(decoded > 0);
    base_buf_clear(&bytes);
    model_index_free(index);
}

static void plain_means_row_by_row(void **state)
{
    model_tensor t = plain("a", 0, 4, 3);
    (void)state;
    assert_true(model_tensor_plain(&t));
    t.stride[0] = 4;
    assert_false(model_tensor_plain(&t));
    t.shape[0] = 1; /* a stride over one element does not matter */
    assert_true(model_tensor_plain(&t));
}

static void numbers_of_every_type_read_right(void **state)
{
    const uint16_t half[] = {0x3c00, 0xc000, 0x0001, 0x7c00, 0x03ff};
    const double half_value[] = {1.0, -2.0, 0x1p-24, HUGE_VAL, 1023 * 0x1p-24};
    uint16_t bfloat = 0x3fc0;
    int64_t big = -5;
    (void)state;
    for (size_t i = 0; i < 5; i++)
        assert_true(model_dtype_get(MODEL_F16, &half[i]) == half_value[i]);
    assert_true(model_dtype_get(MODEL_BF16, &bfloat) == 1.5);
    assert_true(model_dtype_get(MODEL_I64, &big) == -5.0);
}

/* Decoded tensors: their file has a size only when all of them are known. */
static void a_file_that_is_added_is_settled_later(void **state)
{
    const uint64_t size = 100;
    uint64_t sizes[2] = {100, 0};
    model_index *index = NULL, *again = NULL;
    model_tensor t = {.name = "a", .dtype = MODEL_U8, .rank = 1, .shape = {10}, .stride = {1}};
    cistern_error err = CISTERN_ERROR_INIT;
    uint32_t number = 0;
    base_buf bytes;
    (void)state;
    assert_ok(model_index_new(&size, 1, &index, &err), &err);
    assert_ok(model_index_add(index, &t, &err), &err);
    assert_ok(model_index_add_file(index, 1000, &number, &err), &err);
    assert_int_equal(number, 1);
    t.name = "b";
    t.file = number;
    t.offset = 64;
    assert_ok(model_index_add(index, &t, &err), &err);
    assert_ok(model_index_settle_file(index, number, 128, 202, &err), &err);
    assert_int_equal(model_index_find(index, "a")->offset, 0);
    assert_int_equal(model_index_find(index, "b")->offset, 192);
    base_buf_init(&bytes, MODEL_INDEX_BYTES_MAX);
    assert_ok(model_index_encode(index, &bytes, &err), &err);
    assert_fails(model_index_decode(bytes.data, bytes.len, sizes, 1, &again, &err), CISTERN_DAMAGED, &err);
    sizes[1] = 202;
    assert_ok(model_index_decode(bytes.data, bytes.len, sizes, 2, &again, &err), &err);
    assert_int_equal(model_index_find(again, "b")->file, 1);
    model_index_free(again);
    base_buf_clear(&bytes);
    assert_says(model_index_settle_file(index, number, 1, 202, &err), CISTERN_UNREADABLE, &err,
                "tensor 'b': reaches beyond the file's 202 bytes");
    assert_fails(model_index_settle_file(index, number, UINT64_MAX, 202, &err), CISTERN_UNREADABLE, &err);
    model_index_free(index);
}

static void files_have_a_limit(void **state)
{
    static uint64_t sizes[MODEL_FILES_MAX];
    model_index *index = NULL;
    uint32_t number;
    cistern_error err = CISTERN_ERROR_INIT;
    (void)state;
    assert_ok(model_index_new(sizes, MODEL_FILES_MAX - 1, &index, &err), &err);
    assert_ok(model_index_add_file(index, 1, &number, &err), &err);
    assert_says(model_index_add_file(index, 1, &number, &err), CISTERN_UNREADABLE, &err,
                "more than 4096 files, those of decoded tensors included");
    model_index_free(index);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_tensor_up_to_the_last_byte_is_taken_one_byte_more_is_not),
        cmocka_unit_test(products_that_overflow_are_refused),
        cmocka_unit_test(a_name_must_be_unique_plain_text),
        cmocka_unit_test(rank_file_and_dtype_have_limits),
        cmocka_unit_test(what_is_encoded_decodes_to_the_same),
        cmocka_unit_test(every_truncation_is_damage_and_no_byte_is_read_past_the_end),
        cmocka_unit_test(values_that_no_release_wrote_are_damage),
        cmocka_unit_test(epsilon_is_above_zero_and_at_most_one),
        cmocka_unit_test(kind_and_notes_as_long_as_allowed_and_one_more),
        cmocka_unit_test(flipped_bytes_never_give_a_tensor_outside_its_file),
        cmocka_unit_test(a_file_that_is_added_is_settled_later),
        cmocka_unit_test(files_have_a_limit),
        cmocka_unit_test(plain_means_row_by_row),
        cmocka_unit_test(numbers_of_every_type_read_right),
    };
    return cmocka_run_group_tests_name("model_index", tests, NULL, NULL);
}
