/* What every cmocka program of the tree starts with. */
#ifndef CISTERN_TEST_H
#define CISTERN_TEST_H

/* cmocka wants these four before it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cistern/error.h>

/** Skip the running test; ./check repeats the reason at its end. Does not return. */
#define TEST_SKIP(reason)                                                                                    \
    do {                                                                                                     \
        printf("SKIP: %s\n", reason);                                                                        \
        skip();                                                                                              \
    } while (0)

/** The call under test succeeds; else its message is shown. */
#define assert_ok(status, err)              assert_status_is((status), CISTERN_OK, (err), __FILE__, __LINE__)
/** The call under test fails with exactly this status. */
#define assert_fails(status, expected, err) assert_status_is((status), (expected), (err), __FILE__, __LINE__)
/** The same, with `part` somewhere in the whole message. */
#define assert_says(status, expected, err, part)                                                             \
    assert_message_has((status), (expected), (err), (part), __FILE__, __LINE__)

static inline void assert_status_is(cistern_status status, cistern_status expected, const cistern_error *err,
                                    const char *file, int line)
{
    char text[2 * CISTERN_ERROR_TEXT_MAX];
    if (status == expected && (!err || status == CISTERN_OK || err->status == status))
        return;
    cistern_error_format(err, text, sizeof text);
    print_error("%s, expected %s; error object %s: %s\n", cistern_status_name(status),
                cistern_status_name(expected), err ? cistern_status_name(err->status) : "NULL", text);
    _fail(file, line);
}

static inline void assert_message_has(cistern_status status, cistern_status expected,
                                      const cistern_error *err, const char *part, const char *file, int line)
{
    char text[CISTERN_ERROR_TEXT_MAX + CISTERN_ERROR_FRAMES * CISTERN_ERROR_FRAME_MAX];
    assert_status_is(status, expected, err, file, line);
    cistern_error_format(err, text, sizeof text);
    for (const char *p = text; *p; p++)
        if (strncmp(p, part, strlen(part)) == 0)
            return;
    print_error("the message does not say '%s': %s\n", part, text);
    _fail(file, line);
}

#endif
