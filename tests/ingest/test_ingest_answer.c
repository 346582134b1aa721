/* The answer's frame: what goes in comes out, and nothing else is taken for an answer. */
#include "cistern_test.h"
#include "guard_page.h"
#include "priv/ingest_answer.h"

static const uint64_t file_size = 100;

static base_buf error_answer(const cistern_error *what)
{
    base_buf answer;

    base_buf_init(&answer, INGEST_ANSWER_MAX);
    assert_ok(ingest_answer_put_error(what, &answer, NULL), NULL);
    return answer;
}

static cistern_error some_error(void)
{
    cistern_error what = CISTERN_ERROR_INIT;
    cistern_status st = base_fail_at(&what, CISTERN_UNREADABLE, 77, "broken");

    st = base_frame(&what, st, "data.pkl");
    assert_fails(base_frame(&what, st, "w.pth"), CISTERN_UNREADABLE, &what);
    return what;
}

static cistern_status read_answer(const void *bytes, size_t n, cistern_error *err)
{
    guard_page g = guard_page_of(bytes, n);
    model_index *index = NULL;
    cistern_status st = ingest_answer_read(g.data, n, &file_size, 1, &index, err);

    model_index_free(index);
    guard_page_free(&g);
    return st;
}

static void errors_come_through(void **state)
{
    cistern_error what = some_error(), err = CISTERN_ERROR_INIT;
    base_buf answer = error_answer(&what);
    char before[512], after[512];

    (void)state;
    assert_fails(read_answer(answer.data, answer.len, &err), CISTERN_UNREADABLE, &err);
    cistern_error_format(&what, before, sizeof before);
    cistern_error_format(&err, after, sizeof after);
    assert_string_equal(before, after);
    assert_string_equal(after, "w.pth: data.pkl: broken at byte 77");
    assert_true(err.has_offset);
    assert_int_equal(err.offset, 77);
    assert_fails(read_answer(answer.data, answer.len, NULL), CISTERN_UNREADABLE, NULL);
    base_buf_clear(&answer);
}

static void the_longest_error_comes_through(void **state)
{
    cistern_error what = CISTERN_ERROR_INIT, err = CISTERN_ERROR_INIT;

    (void)state;
    what.status = CISTERN_UNREADABLE;
    memset(what.text, 'x', sizeof what.text - 1);
    what.frame_count = CISTERN_ERROR_FRAMES;
    for (unsigned i = 0; i < what.frame_count; i++)
        memset(what.frame[i], 'a' + (int)i, sizeof what.frame[i] - 1);
    base_buf answer = error_answer(&what);
    assert_fails(read_answer(answer.data, answer.len, &err), CISTERN_UNREADABLE, &err);
    assert_string_equal(err.text, what.text);
    assert_int_equal(err.frame_count, CISTERN_ERROR_FRAMES);
    assert_string_equal(err.frame[5], what.frame[5]);
    base_buf_clear(&answer);
}

static void cut_answers_are_refused(void **state)
{
    cistern_error what = some_error(), err = CISTERN_ERROR_INIT;
    base_buf answer = error_answer(&what);

    (void)state;
    for (size_t n = 0; n < answer.len; n++)
        assert_says(read_answer(answer.data, n, &err), CISTERN_UNREADABLE, &err, "gave no valid answer");
    base_buf_clear(&answer);
}

/* A byte of a good answer is changed; the offsets are those of the frame in ingest_answer.h. */
static void changed_answers_are_refused(void **state)
{
    static const struct {
        size_t at;
        char value;
        const char *part;
    } changes[] = {
        {0, 'X', "it begins wrongly"},  {8, 3, "an unknown kind"},        {12, 1, "its length is wrong"},
        {16, 1, "its length is wrong"}, {23, 1, "its length is wrong"},   {24, 0, "a malformed error"},
        {24, 3, "a malformed error"},   {28, 2, "a malformed error"},     {40, 1, "a malformed error"},
        {42, 1, "a malformed error"},   {44 + 17, 7, "a malformed error"}};

    (void)state;
    for (size_t i = 0; i < sizeof changes / sizeof changes[0]; i++) {
        cistern_error what = some_error(), err = CISTERN_ERROR_INIT;
        base_buf answer = error_answer(&what);
        answer.data[changes[i].at] = changes[i].value;
        assert_says(read_answer(answer.data, answer.len, &err), CISTERN_UNREADABLE, &err, changes[i].part);
        base_buf_clear(&answer);
    }
}

static void an_index_is_checked_against_sizes_of_our_own(void **state)
{
    model_index *index = NULL, *back = NULL;
    model_tensor t = {.name = "w", .dtype = MODEL_F32, .rank = 1, .shape = {25}, .stride = {1}};
    cistern_error err = CISTERN_ERROR_INIT;
    base_buf answer;
    uint64_t smaller = 99;

    (void)state;
    assert_ok(model_index_new(&file_size, 1, &index, NULL), NULL);
    assert_ok(model_index_add(index, &t, NULL), NULL);
    base_buf_init(&answer, INGEST_ANSWER_MAX);
    assert_ok(ingest_answer_put_index(index, &answer, NULL), NULL);
    assert_ok(ingest_answer_read(answer.data, answer.len, &file_size, 1, &back, &err), &err);
    assert_int_equal(model_index_count(back), 1);
    model_index_free(back);
    back = NULL;
    assert_says(ingest_answer_read(answer.data, answer.len, &smaller, 1, &back, &err), CISTERN_UNREADABLE,
                &err, "no valid answer about this file");
    assert_null(back);
    model_index_free(index);
    base_buf_clear(&answer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(errors_come_through),
        cmocka_unit_test(the_longest_error_comes_through),
        cmocka_unit_test(cut_answers_are_refused),
        cmocka_unit_test(changed_answers_are_refused),
        cmocka_unit_test(an_index_is_checked_against_sizes_of_our_own),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
