/* The progress line: what it says, how wide it gets, when it keeps silent. */
#include "term_capture.h"
#include "term_progress.h"
#include "term_text.h"

#define TOTAL 553433881u

static capture shared;
static term_progress progress;

static void begin(bool terminal, bool enabled)
{
    capture_begin(&shared, terminal, false, false);
    term_progress_init(&progress, &shared.stream, "vgg16", enabled);
}

/* Ten MB in each tenth of a second. */
static void draw_to(unsigned tenths, uint64_t resumed)
{
    for (unsigned i = 0; i <= tenths; i++) {
        term_progress_state at = {"fetch", resumed + (uint64_t)10000000 * i, TOTAL, resumed};
        term_progress_draw(&progress, &at, 1000 + 100 * i);
    }
}

static void says_share_sizes_rate_and_time_left(void **state)
{
    (void)state;
    char line[TERM_PROGRESS_LINE_MAX];
    begin(true, true);
    draw_to(20, 0);
    term_progress_state at = {"fetch", 200000000, TOTAL, 0};
    term_progress_line(&progress, &at, 3000, 100, line);
    assert_string_equal(
        line,
        "vgg16  ##############..........................   36 %  200.0/553.4 MB  100.0 MB/s  3.5 s left");
    capture_end(&shared);
}

static void resumed_bytes_have_their_own_part_and_no_rate(void **state)
{
    (void)state;
    char line[TERM_PROGRESS_LINE_MAX];
    begin(true, true);
    draw_to(10, 276800000);
    term_progress_state at = {"fetch", 376800000, TOTAL, 276800000};
    term_progress_line(&progress, &at, 2000, 120, line);
    assert_non_null(strstr(line, "vgg16  ====================#######.............   68 %"));
    assert_non_null(strstr(line, "100.0 MB/s  1.8 s left  (276.8 MB resumed)"));
    capture_end(&shared);
}

static void never_wider_than_the_terminal(void **state)
{
    (void)state;
    char line[TERM_PROGRESS_LINE_MAX];
    begin(true, true);
    draw_to(10, 1000000);
    term_progress_state at = {"fetch", 101000000, TOTAL, 1000000};
    for (unsigned columns = 1; columns < 200; columns++) {
        term_progress_line(&progress, &at, 2000, columns, line);
        assert_true(term_text_columns(line) < columns || columns == 1);
    }
    capture_end(&shared);
}

static void unknown_total_shows_bytes_and_time(void **state)
{
    (void)state;
    char line[TERM_PROGRESS_LINE_MAX];
    begin(true, true);
    term_progress_state at = {"fetch", 0, 0, 0};
    term_progress_draw(&progress, &at, 1000);
    at.done = 5000000;
    term_progress_draw(&progress, &at, 2000);
    term_progress_line(&progress, &at, 2000, 80, line);
    assert_string_equal(line, "vgg16  5.0 MB  5.0 MB/s  1.0 s");
    capture_end(&shared);
}

static void done_beyond_total_fills_the_bar(void **state)
{
    (void)state;
    char line[TERM_PROGRESS_LINE_MAX];
    begin(true, true);
    term_progress_state at = {"hash", 200, 100, 150};
    term_progress_line(&progress, &at, 1000, 80, line);
    assert_non_null(strstr(line, "hash vgg16  ===="));
    assert_null(strchr(line, '.'));
    capture_end(&shared);
}

static void hostile_title_is_escaped_and_cut(void **state)
{
    (void)state;
    char line[TERM_PROGRESS_LINE_MAX];
    capture_begin(&shared, true, false, false);
    term_progress_init(&progress, &shared.stream, "a\033[2J-a-very-long-name-that-goes-on-and-on-and-on.pth",
                       true);
    term_progress_state at = {"fetch", 1, 2, 0};
    term_progress_line(&progress, &at, 1, 80, line);
    assert_null(strchr(line, '\033'));
    assert_true(strncmp(line, "a\\x1b[2J-a-very-long-name-th  ", 30) == 0);
    capture_end(&shared);
}

static void silent_where_there_is_no_terminal(void **state)
{
    (void)state;
    begin(false, true);
    draw_to(5, 0);
    term_progress_clear(&progress);
    assert_string_equal(capture_text(&shared), "");
    capture_end(&shared);
}

static void clear_leaves_an_empty_line(void **state)
{
    (void)state;
    begin(true, true);
    draw_to(1, 0);
    term_progress_clear(&progress);
    const char *text = capture_text(&shared);
    assert_string_equal(text + strlen(text) - 4, "\r\033[K");
    capture_end(&shared);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(says_share_sizes_rate_and_time_left),
        cmocka_unit_test(resumed_bytes_have_their_own_part_and_no_rate),
        cmocka_unit_test(never_wider_than_the_terminal),
        cmocka_unit_test(unknown_total_shows_bytes_and_time),
        cmocka_unit_test(done_beyond_total_fills_the_bar),
        cmocka_unit_test(hostile_title_is_escaped_and_cut),
        cmocka_unit_test(silent_where_there_is_no_terminal),
        cmocka_unit_test(clear_leaves_an_empty_line),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
