/* MD5 of files: known answers, a short file, cancelling. */
#include <stdio.h>
#include <unistd.h>

#include "base_md5.h"
#include "cistern_test.h"

static int file_with(const char *text)
{
    FILE *file = tmpfile();
    int fd;
    assert_non_null(file);
    fputs(text, file);
    fflush(file);
    fd = dup(fileno(file));
    fclose(file);
    return fd;
}

/* RFC 1321, appendix A.5. */
static void known_answers(void **state)
{
    static const char *const answers[][2] = {
        {"", "d41d8cd98f00b204e9800998ecf8427e"},
        {"abc", "900150983cd24fb0d6963f7d28e17f72"},
        {"12345678901234567890123456789012345678901234567890123456789012345678901234567890",
         "57edf4a22be3c955ac49da2e2107b67a"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof answers / sizeof answers[0]; i++) {
        char hex[BASE_MD5_HEX];
        int fd = file_with(answers[i][0]);
        assert_int_equal(base_md5_of_file(fd, strlen(answers[i][0]), NULL, hex, NULL), CISTERN_OK);
        assert_string_equal(hex, answers[i][1]);
        close(fd);
    }
}

static void shorter_file_is_damaged(void **state)
{
    char hex[BASE_MD5_HEX] = "untouched";
    int fd = file_with("abc");
    (void)state;
    assert_int_equal(base_md5_of_file(fd, 4, NULL, hex, NULL), CISTERN_DAMAGED);
    assert_string_equal(hex, "untouched");
    close(fd);
}

static void cancelled_before_the_first_piece(void **state)
{
    base_cancel cancel = {1};
    base_run run = {.cancel = &cancel};
    char hex[BASE_MD5_HEX];
    int fd = file_with("abc");
    (void)state;
    assert_int_equal(base_md5_of_file(fd, 3, &run, hex, NULL), CISTERN_CANCELLED);
    close(fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(known_answers),
        cmocka_unit_test(shorter_file_is_damaged),
        cmocka_unit_test(cancelled_before_the_first_piece),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
