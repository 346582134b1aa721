/* Tables: alignment, narrow terminals, hostile cells. */
#include "term_capture.h"
#include "term_table.h"

static const term_column columns[] = {{"NAME", false, true}, {"SIZE", true, false}, {"NOTE", false, true}};
static capture shared;

static const char *print(term_table *table, unsigned indent)
{
    assert_int_equal(term_table_print(table, indent, &shared.stream, NULL), CISTERN_OK);
    return capture_text(&shared);
}

static term_table *with_row(const char *name, const char *size, const char *note)
{
    term_table *table = NULL;
    assert_int_equal(term_table_new(columns, 3, &table, NULL), CISTERN_OK);
    term_table_put(table, name);
    term_table_put(table, size);
    term_table_put(table, note);
    return table;
}

static void columns_line_up_and_lines_end_without_spaces(void **state)
{
    (void)state;
    capture_begin(&shared, false, false, true);
    term_table *table = with_row("猫", "9 B", "");
    term_table_put(table, "vgg16");
    term_table_put(table, "553.4 MB");
    term_table_put(table, "x");
    assert_string_equal(print(table, 1), " NAME       SIZE  NOTE\n"
                                         " 猫          9 B\n"
                                         " vgg16  553.4 MB  x\n");
    term_table_free(table);
    capture_end(&shared);
}

static void without_titles_there_is_no_line_of_titles(void **state)
{
    (void)state;
    static const term_column plain[] = {{NULL, false, false}, {NULL, false, false}};
    term_table *table = NULL;
    capture_begin(&shared, false, false, true);
    assert_int_equal(term_table_new(plain, 2, &table, NULL), CISTERN_OK);
    term_table_put(table, "a");
    term_table_printf(table, "%d", 7);
    assert_string_equal(print(table, 0), "a  7\n");
    term_table_free(table);
    capture_end(&shared);
}

static void narrow_terminal_cuts_only_what_may_shrink(void **state)
{
    (void)state;
    char name[101], want[256];
    memset(name, 'n', 100);
    name[100] = '\0';
    capture_begin(&shared, true, false, true); /* 80 columns */
    term_table *table = with_row(name, "553.4 MB", "short");
    const char *line = strchr(print(table, 0), '\n') + 1;
    snprintf(want, sizeof want, "%.62s…  553.4 MB  short\n", name);
    assert_string_equal(line, want);
    term_table_free(table);
    capture_end(&shared);
}

static void nothing_is_cut_into_a_pipe(void **state)
{
    (void)state;
    char name[301];
    memset(name, 'n', 300);
    name[300] = '\0';
    capture_begin(&shared, false, false, true);
    term_table *table = with_row(name, "1", "2");
    assert_non_null(strstr(print(table, 0), name));
    term_table_free(table);
    capture_end(&shared);
}

static void hostile_cell_stays_one_cell(void **state)
{
    (void)state;
    capture_begin(&shared, false, false, true);
    term_table *table = with_row("a\nb\033]0;title\a", "1", "2");
    assert_non_null(strstr(print(table, 0), "a\\x0ab\\x1b]0;title\\x07  "));
    term_table_free(table);
    capture_end(&shared);
}

static void colour_does_not_move_columns(void **state)
{
    (void)state;
    capture_begin(&shared, true, true, true);
    term_table *table = NULL;
    assert_int_equal(term_table_new(columns, 3, &table, NULL), CISTERN_OK);
    term_table_put_styled(table, TERM_RED, "bad");
    term_table_put(table, "1");
    term_table_put(table, "z");
    assert_non_null(strstr(print(table, 0), "\033[31mbad\033[0m      1  z\n"));
    term_table_free(table);
    capture_end(&shared);
}

static void incomplete_row_is_left_out(void **state)
{
    (void)state;
    capture_begin(&shared, false, false, true);
    term_table *table = with_row("a", "1", "n");
    term_table_put(table, "half");
    assert_null(strstr(print(table, 0), "half"));
    term_table_free(table);
    capture_end(&shared);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(columns_line_up_and_lines_end_without_spaces),
        cmocka_unit_test(without_titles_there_is_no_line_of_titles),
        cmocka_unit_test(narrow_terminal_cuts_only_what_may_shrink),
        cmocka_unit_test(nothing_is_cut_into_a_pipe),
        cmocka_unit_test(hostile_cell_stays_one_cell),
        cmocka_unit_test(colour_does_not_move_columns),
        cmocka_unit_test(incomplete_row_is_left_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
