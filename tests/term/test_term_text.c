/* Escaping and measuring of untrusted text. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>
#include "term_text.h"

static void check(const char *in, const char *want)
{
    char out[256];
    size_t n = term_text_escape(in, strlen(in), out, sizeof out);
    assert_string_equal(out, want);
    assert_int_equal(n, strlen(want));
}

static void control_characters_are_written_out(void **state)
{
    (void)state;
    check("a\033[2Jb\r\nc\td\x7f", "a\\x1b[2Jb\\x0d\\x0ac\\x09d\\x7f");
    check("\xc2\x9b"
          "31m",
          "\\xc2\\x9b31m"); /* the one-character form of ESC [ */
}

static void direction_marks_are_written_out(void **state)
{
    (void)state;
    check("cat\xe2\x80\xaegpj.exe", "cat\\xe2\\x80\\xaegpj.exe");
}

static void letters_of_any_script_pass(void **state)
{
    (void)state;
    check("Häuser 猫 \xf0\x9f\x90\x88", "Häuser 猫 \xf0\x9f\x90\x88");
}

static void bytes_that_are_not_utf8_are_written_out(void **state)
{
    (void)state;
    check("a\xff"
          "b",
          "a\\xffb");
    check("\xc0\xaf", "\\xc0\\xaf");          /* overlong */
    check("\xed\xa0\x80", "\\xed\\xa0\\x80"); /* a surrogate */
    check("x\xe2\x82", "x\\xe2\\x82");        /* cut short */
}

static void cut_falls_between_characters(void **state)
{
    (void)state;
    char out[4];
    assert_int_equal(term_text_escape("aä\033", 4, out, sizeof out), 7);
    assert_string_equal(out, "aä");
    assert_int_equal(term_text_escape("abc", 3, NULL, 0), 3);
}

static void columns_are_those_of_a_terminal(void **state)
{
    (void)state;
    assert_int_equal(term_text_columns("tabby"), 5);
    assert_int_equal(term_text_columns("ä"), 1);
    assert_int_equal(term_text_columns("a\xcc\x88"), 1); /* a with a combining mark */
    assert_int_equal(term_text_columns("猫cat"), 5);
    assert_int_equal(term_text_fit("猫猫", 3), 3);
    assert_int_equal(term_text_fit("abc", 9), 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(control_characters_are_written_out),
        cmocka_unit_test(direction_marks_are_written_out),
        cmocka_unit_test(letters_of_any_script_pass),
        cmocka_unit_test(bytes_that_are_not_utf8_are_written_out),
        cmocka_unit_test(cut_falls_between_characters),
        cmocka_unit_test(columns_are_those_of_a_terminal),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
