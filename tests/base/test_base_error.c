#include "cistern_test.h"
#include "base_error.h"
#include <errno.h>

static void every_status_has_name_text_and_exit_code(void **state)
{
    (void)state;
    assert_string_equal(cistern_status_name(CISTERN_OK), "OK");
    assert_string_equal(cistern_status_name(CISTERN_NOT_FOUND), "NOT_FOUND");
    assert_string_equal(cistern_status_text(CISTERN_NO_SPACE), "no space");
    static const struct {
        cistern_status status;
        int exit_code;
    } rows[] = {{CISTERN_OK, 0},          {CISTERN_UNEXPECTED, 1}, {CISTERN_USAGE, 2},
                {CISTERN_NOT_FOUND, 3},   {CISTERN_OFFLINE, 4},    {CISTERN_NETWORK, 5},
                {CISTERN_REFUSED, 6},     {CISTERN_CONFLICT, 7},   {CISTERN_NO_SPACE, 8},
                {CISTERN_TIMED_OUT, 9},   {CISTERN_NO_MEMORY, 1},  {CISTERN_DAMAGED, 65},
                {CISTERN_UNREADABLE, 66}, {CISTERN_DENIED, 77},    {CISTERN_CANCELLED, 130}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        assert_int_equal(cistern_status_exit_code(rows[i].status), rows[i].exit_code);
        assert_true(strlen(cistern_status_text(rows[i].status)) > 0);
    }
}

static void a_number_that_is_no_status_is_survived(void **state)
{
    (void)state;
    cistern_status strange = (cistern_status)42;
    assert_string_equal(cistern_status_name(strange), "UNKNOWN");
    assert_string_equal(cistern_status_text(strange), "unknown status");
    assert_int_equal(cistern_status_exit_code(strange), 1);
}

static void null_error_object_is_allowed(void **state)
{
    (void)state;
    char out[8] = "x";
    assert_int_equal(base_fail(NULL, CISTERN_DAMAGED, "%d", 1), CISTERN_DAMAGED);
    assert_int_equal(base_fail_at(NULL, CISTERN_DAMAGED, 5, "x"), CISTERN_DAMAGED);
    assert_int_equal(base_fail_errno(NULL, ENOSPC, "x"), CISTERN_NO_SPACE);
    assert_int_equal(base_fail_memory(NULL, 7), CISTERN_NO_MEMORY);
    assert_int_equal(base_frame(NULL, CISTERN_DENIED, "x"), CISTERN_DENIED);
    base_error_clear(NULL);
    assert_int_equal(cistern_error_format(NULL, out, sizeof out), 0);
    assert_string_equal(out, "");
}

static void frames_are_written_outermost_first(void **state)
{
    (void)state;
    cistern_error err = CISTERN_ERROR_INIT;
    char out[256];
    base_fail_at(&err, CISTERN_UNREADABLE, 77, "tensor '%s': %d dimensions", "a.weight", 5);
    base_frame(&err, CISTERN_UNREADABLE, "vgg16.pth");
    assert_int_equal(base_frame(&err, CISTERN_UNREADABLE, "cannot load %s", "vgg16:3"), CISTERN_UNREADABLE);
    const char *whole = "cannot load vgg16:3: vgg16.pth: tensor 'a.weight': 5 dimensions at byte 77";
    assert_int_equal(cistern_error_format(&err, out, sizeof out), strlen(whole));
    assert_string_equal(out, whole);
    assert_int_equal(err.has_offset, 1);
    assert_int_equal(err.offset, 77);
    assert_int_equal(err.frame_count, 2);
}

static void a_second_failure_replaces_the_first(void **state)
{
    (void)state;
    cistern_error err = CISTERN_ERROR_INIT;
    char out[256];
    base_fail_at(&err, CISTERN_DAMAGED, 9, "first");
    base_frame(&err, CISTERN_DAMAGED, "frame");
    base_fail_errno(&err, ENOENT, "second");
    cistern_error_format(&err, out, sizeof out);
    assert_string_equal(out, "second: No such file or directory");
    assert_int_equal(err.has_offset, 0);
    assert_int_equal(err.os_errno, ENOENT);
    base_error_clear(&err);
    assert_int_equal(err.status, CISTERN_OK);
    assert_int_equal(cistern_error_format(&err, out, sizeof out), 0);
}

static void a_frame_on_success_changes_nothing(void **state)
{
    (void)state;
    cistern_error err = CISTERN_ERROR_INIT;
    assert_int_equal(base_frame(&err, CISTERN_OK, "context"), CISTERN_OK);
    assert_int_equal(err.frame_count, 0);
}

static void full_frames_keep_the_innermost_and_the_outermost(void **state)
{
    (void)state;
    cistern_error err = CISTERN_ERROR_INIT;
    char out[512];
    base_fail(&err, CISTERN_DAMAGED, "bottom");
    for (int i = 0; i < CISTERN_ERROR_FRAMES + 3; i++)
        base_frame(&err, CISTERN_DAMAGED, "f%d", i);
    cistern_error_format(&err, out, sizeof out);
    assert_string_equal(out, "f8: f4: f3: f2: f1: f0: bottom");
}

static void errno_decides_the_status(void **state)
{
    (void)state;
    static const struct {
        int os_errno;
        cistern_status status;
    } rows[] = {{ENOSPC, CISTERN_NO_SPACE},     {EDQUOT, CISTERN_NO_SPACE},  {EACCES, CISTERN_DENIED},
                {EPERM, CISTERN_DENIED},        {EROFS, CISTERN_DENIED},     {ENOENT, CISTERN_NOT_FOUND},
                {ENOTDIR, CISTERN_NOT_FOUND},   {ENOMEM, CISTERN_NO_MEMORY}, {EINTR, CISTERN_CANCELLED},
                {ECANCELED, CISTERN_CANCELLED}, {EIO, CISTERN_UNEXPECTED},   {9999, CISTERN_UNEXPECTED}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        cistern_error err = CISTERN_ERROR_INIT;
        assert_fails(base_fail_errno(&err, rows[i].os_errno, "x"), rows[i].status, &err);
    }
    cistern_error err = CISTERN_ERROR_INIT;
    base_fail_errno(&err, 9999, "x");
    assert_string_equal(err.text, "x: error number 9999");
}

static void control_characters_and_broken_utf8_are_escaped(void **state)
{
    (void)state;
    cistern_error err = CISTERN_ERROR_INIT;
    base_fail(&err, CISTERN_USAGE, "name '%s'", "a\nb\033[31m\xff\xc2\x9b\xe2\x80\xa8 \xc3\xa9\x7f");
    assert_string_equal(err.text, "name 'a\\x0ab\\x1b[31m\\xff\\xc2\\x9b\\xe2\\x80\\xa8 \xc3\xa9\\x7f'");
}

static bool ends_whole(const char *text)
{
    size_t n = strlen(text);
    return n > 0 && (unsigned char)text[n - 1] == 0xac && (unsigned char)text[n - 2] == 0x82;
}

static void long_texts_and_frames_are_cut_between_characters(void **state)
{
    (void)state;
    char euros[4096];
    for (size_t lead = 0; lead < 3; lead++) {
        cistern_error err = CISTERN_ERROR_INIT;
        memset(euros, 'x', lead);
        for (size_t i = 0; i < 1200; i++)
            memcpy(euros + lead + 3 * i, "\xe2\x82\xac", 4);
        base_fail(&err, CISTERN_USAGE, "%s", euros);
        base_frame(&err, CISTERN_USAGE, "%s", euros);
        assert_true(strlen(err.text) >= CISTERN_ERROR_TEXT_MAX - 4);
        assert_true(strlen(err.frame[0]) >= CISTERN_ERROR_FRAME_MAX - 4);
        assert_true(ends_whole(err.text));
        assert_true(ends_whole(err.frame[0]));
        assert_null(strchr(err.text, '\\'));
    }
}

static void what_went_wrong_survives_a_long_name(void **state)
{
    (void)state;
    char name[3000];
    cistern_error err = CISTERN_ERROR_INIT;
    memset(name, 'n', sizeof name - 1);
    name[sizeof name - 1] = '\0';
    base_fail_errno(&err, ENOSPC, "cannot write '%s'", name);
    assert_non_null(strstr(err.text, ": No space left on device"));
    base_fail_at(&err, CISTERN_DAMAGED, UINT64_MAX, "%s", name);
    assert_non_null(strstr(err.text, " at byte 18446744073709551615"));
}

static void a_message_may_quote_the_error_it_replaces(void **state)
{
    (void)state;
    cistern_error err = CISTERN_ERROR_INIT;
    base_fail(&err, CISTERN_NETWORK, "cut");
    base_fail(&err, CISTERN_DAMAGED, "after 5 tries: %s", err.text);
    assert_string_equal(err.text, "after 5 tries: cut");
}

static void format_cuts_between_characters_and_says_what_it_needs(void **state)
{
    (void)state;
    cistern_error err = CISTERN_ERROR_INIT;
    base_fail(&err, CISTERN_USAGE, "\xc3\xa9\xc3\xa9");
    base_frame(&err, CISTERN_USAGE, "ab");
    const char *expected[] = {
        "", "", "a", "ab", "ab:", "ab: ", "ab: ", "ab: \xc3\xa9", "ab: \xc3\xa9", "ab: \xc3\xa9\xc3\xa9"};
    for (size_t size = 1; size < 10; size++) {
        char out[10];
        memset(out, '#', sizeof out);
        assert_int_equal(cistern_error_format(&err, out, size), 8);
        assert_string_equal(out, expected[size]);
    }
    assert_int_equal(cistern_error_format(&err, NULL, 0), 8);
}

static void a_frame_changes_the_status_on_purpose_only(void **state)
{
    (void)state;
    cistern_error err = CISTERN_ERROR_INIT;
    base_fail(&err, CISTERN_NOT_FOUND, "x");
    assert_fails(base_frame(&err, CISTERN_DAMAGED, "manifest"), CISTERN_DAMAGED, &err);
    cistern_error fresh = CISTERN_ERROR_INIT;
    base_frame(&fresh, CISTERN_DENIED, "top");
    assert_string_equal(fresh.text, "no permission here");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_status_has_name_text_and_exit_code),
        cmocka_unit_test(a_number_that_is_no_status_is_survived),
        cmocka_unit_test(null_error_object_is_allowed),
        cmocka_unit_test(frames_are_written_outermost_first),
        cmocka_unit_test(a_second_failure_replaces_the_first),
        cmocka_unit_test(a_frame_on_success_changes_nothing),
        cmocka_unit_test(full_frames_keep_the_innermost_and_the_outermost),
        cmocka_unit_test(errno_decides_the_status),
        cmocka_unit_test(control_characters_and_broken_utf8_are_escaped),
        cmocka_unit_test(long_texts_and_frames_are_cut_between_characters),
        cmocka_unit_test(what_went_wrong_survives_a_long_name),
        cmocka_unit_test(a_message_may_quote_the_error_it_replaces),
        cmocka_unit_test(format_cuts_between_characters_and_says_what_it_needs),
        cmocka_unit_test(a_frame_changes_the_status_on_purpose_only),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
