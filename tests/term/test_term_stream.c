/* Streams: errors that stick, colour, escaping of long texts. */
#include "term_capture.h"
#include <errno.h>
#include <fcntl.h>

static capture shared;

static void full_disk_is_told_once_and_stays(void **state)
{
    (void)state;
    term_stream s;
    cistern_error err = CISTERN_ERROR_INIT;
    int fd = open("/dev/full", O_WRONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    term_stream_init(&s, fd, true, true);
    term_stream_put(&s, "x");
    assert_int_equal(term_stream_flush(&s, "standard output", &err), CISTERN_NO_SPACE);
    assert_string_equal(err.text, "cannot write to standard output: No space left on device");
    assert_int_equal(term_stream_flush(&s, "standard output", NULL), CISTERN_NO_SPACE);
    close(fd);
}

static void more_than_the_buffer_arrives_in_order(void **state)
{
    (void)state;
    char want[30001];
    capture_begin(&shared, false, false, true);
    for (int i = 0; i < 3000; i++) {
        snprintf(want + (size_t)10 * (size_t)i, 11, "%09d\n", i);
        term_stream_printf(&shared.stream, "%09d\n", i);
    }
    assert_string_equal(capture_text(&shared), want);
    capture_end(&shared);
}

static void long_text_is_escaped_without_splitting_a_character(void **state)
{
    (void)state;
    char text[3001] = "";
    for (size_t i = 0; i < 1000; i++)
        memcpy(text + 3 * i, "猫", 4);
    capture_begin(&shared, false, false, true);
    term_stream_put_text(&shared.stream, text);
    assert_string_equal(capture_text(&shared), text);
    capture_end(&shared);
}

static void many_stray_bytes_are_each_escaped(void **state)
{
    (void)state;
    char text[501];
    memset(text, 0x80, 500);
    text[500] = '\0';
    capture_begin(&shared, false, false, true);
    term_stream_put_text(&shared.stream, text);
    assert_int_equal(strlen(capture_text(&shared)), 2000);
    capture_end(&shared);
}

static void colour_only_where_it_is_wanted(void **state)
{
    (void)state;
    capture_begin(&shared, true, true, true);
    term_stream_put_styled(&shared.stream, TERM_GREEN, "ok\a");
    assert_string_equal(capture_text(&shared), "\033[32mok\\x07\033[0m");
    capture_end(&shared);
    capture_begin(&shared, true, false, true);
    term_stream_put_styled(&shared.stream, TERM_GREEN, "ok");
    assert_string_equal(capture_text(&shared), "ok");
    capture_end(&shared);
    capture_begin(&shared, false, true, true);
    term_stream_put_styled(&shared.stream, TERM_GREEN, "ok");
    assert_string_equal(capture_text(&shared), "ok");
    capture_end(&shared);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(full_disk_is_told_once_and_stays),
        cmocka_unit_test(more_than_the_buffer_arrives_in_order),
        cmocka_unit_test(long_text_is_escaped_without_splitting_a_character),
        cmocka_unit_test(many_stray_bytes_are_each_escaped),
        cmocka_unit_test(colour_only_where_it_is_wanted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
