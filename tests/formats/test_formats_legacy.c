/* PyTorch's legacy stream, broken in each of its parts. */
#include "weight_read.h"

/* What a stream is made of; zero means as it should be. */
typedef struct recipe {
    bool big_endian;
    int64_t numel;       /* of the first block, instead of 6 */
    const char *keys[3]; /* instead of "7", "10" */
    size_t key_count;
    size_t cut;  /* bytes taken from the end */
    size_t more; /* bytes added */
} recipe;

typedef struct places {
    size_t object, keys, first, second; /* bytes of the file */
    size_t persid[2];                   /* the BINPERSID of each storage */
} places;

static const forge_tensor tensors[2] = {{"a", "FloatStorage", "7", 6, 0, 2, {2, 3}, {3, 1}},
                                        {"b", "LongStorage", "10", 1, 0, 0, {0}, {0}}};

static forge stream_of(const recipe *r, places *at)
{
    static const char *const keys[] = {"7", "10"};
    forge f = {0};

    stream_start(&f, !r->big_endian);
    at->object = f.len;
    pickle_state(&f, tensors, 2, true);
    at->keys = f.len;
    stream_keys(&f, r->key_count ? r->keys : keys, r->key_count ? r->key_count : 2);
    at->first = f.len;
    forge_le(&f, (uint64_t)(r->numel ? r->numel : 6), 8);
    forge_zeros(&f, 24);
    at->second = f.len;
    forge_le(&f, 1, 8);
    forge_le(&f, 99, 8);
    forge_zeros(&f, r->more);
    f.len -= r->cut;
    size_t scan = at->object;
    for (int i = 0; i < 2; i++) {
        while (memcmp(f.data + scan, "NtQ", 3) != 0)
            scan++;
        at->persid[i] = scan += 2;
    }
    return f;
}

static void a_good_one_is_read(void **state)
{
    recipe r = {0};
    places at;
    forge f = stream_of(&r, &at);
    model_index *index = NULL;
    cistern_error err = CISTERN_ERROR_INIT;

    (void)state;
    assert_ok(weight_read(f.data, f.len, &index, &err), &err);
    assert_int_equal(model_index_find(index, "a")->offset, at.first + 8);
    assert_int_equal(model_index_find(index, "b")->offset, at.second + 8);
    assert_int_equal(model_index_note_count(index), 0);
    model_index_free(index);
    forge_free(&f);
}

/* The list's order counts, not the names' and not the object's. */
static void storages_follow_the_list(void **state)
{
    forge f = {0};
    static const char *const keys[] = {"10", "7"};
    model_index *index = NULL;

    (void)state;
    stream_start(&f, true);
    pickle_state(&f, tensors, 2, true);
    stream_keys(&f, keys, 2);
    size_t first = f.len;
    forge_le(&f, 1, 8);
    forge_le(&f, 99, 8);
    forge_le(&f, 6, 8);
    forge_zeros(&f, 24);
    assert_ok(weight_read(f.data, f.len, &index, NULL), NULL);
    assert_int_equal(model_index_find(index, "b")->offset, first + 8);
    assert_int_equal(model_index_find(index, "a")->offset, first + 24);
    model_index_free(index);
    forge_free(&f);
}

static void refused(const recipe *r, size_t places_offset, size_t add, const char *part, int line)
{
    places at;
    forge f = stream_of(r, &at);

    weight_refused(&f, *(size_t *)((char *)&at + places_offset) + add, part, __FILE__, line);
    forge_free(&f);
}
#define assert_stream_refused(r, place, add, part) refused(r, offsetof(places, place), add, part, __LINE__)

/* 8 */
static void counts_are_those_of_the_object(void **state)
{
    recipe r = {.numel = INT64_MAX};

    (void)state;
    assert_stream_refused(&r, first, 0,
                          "storage '7' has 9223372036854775807 elements here, 6 where it is used");
    r.numel = -1;
    assert_stream_refused(&r, first, 0, "storage '7' has -1 elements here, 6 where it is used");
    r.numel = 5;
    assert_stream_refused(&r, first, 0, "storage '7' has 5 elements here, 6 where it is used");
}

static void cut_storages_are_seen(void **state)
{
    recipe r = {.cut = 4};

    (void)state;
    assert_stream_refused(&r, second, 8, "cut short: storage '10' needs 8 bytes here, the file has 4");
    r.cut = 12;
    assert_stream_refused(&r, second, 0, "cut short: storage '10' begins here, the file ends");
    r.cut = 16;
    assert_stream_refused(&r, second, 0, "cut short: storage '10' begins here, the file ends");
    r.cut = 28;
    assert_stream_refused(&r, first, 8, "cut short: storage '7' needs 24 bytes here, the file has 12");
}

static void the_list_and_the_object_agree(void **state)
{
    recipe r = {.keys = {"7", "10", "8"}, .key_count = 3};

    (void)state;
    assert_stream_refused(&r, second, 16, "storage '8' is listed, but no tensor uses it");
    r = (recipe){.keys = {"7", "7"}, .key_count = 2};
    assert_stream_refused(&r, second, 0, "storage '7' is listed twice");
    r = (recipe){.keys = {"7"}, .key_count = 1};
    assert_stream_refused(&r, persid[1], 0, "storage '10' is used, but not in the file");
}

/* A stream without tensors, up to its list of storages, which is this pickle. */
static void list_refused(const char *pickle, size_t n, const char *part, int line)
{
    forge f = {0};

    stream_start(&f, true);
    FORGE(&f, "\x80\x02}.");
    size_t at = f.len;
    forge_put(&f, pickle, n);
    weight_refused(&f, at, part, __FILE__, line);
    forge_free(&f);
}

static void a_list_that_is_none_is_refused(void **state)
{
    (void)state;
    list_refused("\x80\x02}.", 4, "PyTorch's list of storages is a dict", __LINE__);
    list_refused("\x80\x02]K\x07"
                 "a.",
                 7, "a storage's key is an integer, not a string", __LINE__);
}

/* 9 */
static void big_endian_files_are_refused(void **state)
{
    recipe r = {.big_endian = true};
    forge f = {0};

    (void)state;
    places at;
    forge whole = stream_of(&r, &at);
    assert_refused(&whole, 21, "big-endian file: only little-endian ones are read");
    forge_free(&whole);
    FORGE(&f, "\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.\x80\x02M\xe9\x03.\x80\x02}.");
    assert_refused(&f, 21, "PyTorch's stream does not say its byte order");
    forge_free(&f);
}

static void other_pickles_are_told(void **state)
{
    forge f = {0};

    (void)state;
    FORGE(&f, "\x80\x02}.");
    assert_refused(&f, NO_OFFSET, "a pickle that torch.save did not write (it begins with a dict");
    forge_free(&f);
    FORGE(&f, "\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.\x80\x02M\xe8\x03.");
    assert_refused(&f, 15, "not version 1001 of PyTorch's stream format");
    forge_free(&f);
    FORGE(&f, "\x80\x04\x95\x0d\0\0\0\0\0\0\0\x8c\x05"
              "numpy\x94\x8c\x01"
              "x\x93.");
    assert_refused(&f, 22, "holds code: the pickle asks for \"numpy.x\"");
    forge_free(&f);
}

/* A view of a storage, in files of PyTorch before 0.4. */
static forge with_view(int64_t start, int64_t size, size_t *persid)
{
    forge f = {0};
    static const char *const keys[] = {"7"};

    stream_start(&f, true);
    FORGE(&f, "\x80\x02}");
    pickle_text(&f, "w");
    pickle_global(&f, "torch._utils", "_rebuild_tensor");
    FORGE(&f, "((");
    pickle_text(&f, "storage");
    pickle_global(&f, "torch", "FloatStorage");
    pickle_text(&f, "7");
    pickle_text(&f, "cpu");
    pickle_int(&f, 6);
    FORGE(&f, "(");
    pickle_text(&f, "8");
    pickle_int(&f, start);
    pickle_int(&f, size);
    FORGE(&f, "tt");
    *persid = f.len;
    FORGE(&f, "QK\0K\x02\x85K\x01\x85tRs.");
    stream_keys(&f, keys, 1);
    forge_le(&f, 6, 8);
    forge_zeros(&f, 24);
    return f;
}

static void views_stay_in_their_storage(void **state)
{
    size_t persid;
    forge f = with_view(4, 2, &persid);
    model_index *index = NULL;

    (void)state;
    assert_ok(weight_read(f.data, f.len, &index, NULL), NULL);
    assert_int_equal(model_index_find(index, "w")->offset, f.len - 8);
    model_index_free(index);
    forge_free(&f);
    f = with_view(5, 2, &persid);
    assert_refused(&f, persid, "a view of elements 5 to 5 + 2 leaves storage '7', which has 6");
    forge_free(&f);
    f = with_view(INT64_MAX, INT64_MAX, &persid);
    assert_refused(&f, persid, "leaves storage '7', which has 6");
    forge_free(&f);
    f = with_view(0, 1, &persid); /* the tensor has two elements, its view one */
    assert_refused(&f, persid + 10, "a tensor reaches to element 2 of storage '7', which has 1");
    forge_free(&f);
}

static void trailing_bytes_are_noted(void **state)
{
    recipe r = {.more = 3};
    places at;
    forge f = stream_of(&r, &at);
    model_index *index = NULL;

    (void)state;
    assert_ok(weight_read(f.data, f.len, &index, NULL), NULL);
    assert_int_equal(model_index_note_count(index), 1);
    assert_string_equal(model_index_note_peek(index, 0), "3 bytes after the last storage ignored");
    model_index_free(index);
    forge_free(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_good_one_is_read),
        cmocka_unit_test(storages_follow_the_list),
        cmocka_unit_test(counts_are_those_of_the_object),
        cmocka_unit_test(cut_storages_are_seen),
        cmocka_unit_test(the_list_and_the_object_agree),
        cmocka_unit_test(a_list_that_is_none_is_refused),
        cmocka_unit_test(big_endian_files_are_refused),
        cmocka_unit_test(other_pickles_are_told),
        cmocka_unit_test(views_stay_in_their_storage),
        cmocka_unit_test(trailing_bytes_are_noted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
