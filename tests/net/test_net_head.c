/* The head of an answer: hostile lines, each ending at a guard page. */
#include "guard_page.h"
#include "net_fixture.h"
#include "priv/net_head.h"

/* Hand over a line whose last byte is the last one that may be read. */
static void feed(net_head *head, const char *line, size_t n)
{
    guard_page g = guard_page_of(line, n);
    net_head_line(head, (const char *)g.data, n);
    guard_page_free(&g);
}

static net_head head_of(const char *line)
{
    net_head head = {0};
    feed(&head, line, strlen(line));
    return head;
}

static void a_status_line_begins_anew(void **state)
{
    (void)state;
    net_head head = head_of("ETag: \"x\"\r\n");
    assert_string_equal(head.etag, "\"x\"");
    feed(&head, "HTTP/1.1 206 Partial\r\n", 22);
    assert_int_equal(head.code, 206);
    assert_string_equal(head.etag, "");
    assert_int_equal(head_of("HTTP/2 404").code, 404);
    assert_int_equal(head_of("HTTP/1.1").code, 0);
    assert_int_equal(head_of("HTTP/1.1 ").code, 0);
    assert_int_equal(head_of("HTTP/1.1 99999999999999999999999 x").code, 0);
}

static void only_etags_that_can_be_sent_back_are_kept(void **state)
{
    static const char *const good[] = {"\"abc\"", "W/\"abc\"", "\"\"", "bare-Word_1", "\"a,b\""};
    static const char *const bad[] = {"*", "\"a\"b\"", "\"a b\"",   "two words", "\"",
                                      "",  "W/",       "\"a\x01\"", "\"\xff\"",  "a\"b"};
    char line[NET_ETAG_MAX + 64];
    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        snprintf(line, sizeof line, "etag:%s\r\n", good[i]);
        assert_string_equal(head_of(line).etag, good[i]);
    }
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        snprintf(line, sizeof line, "ETag: %s\r\n", bad[i]);
        assert_string_equal(head_of(line).etag, "");
    }
    memset(line, 'a', sizeof line);
    memcpy(line, "ETag: ", 6);
    line[6 + NET_ETAG_MAX - 1] = '\0';
    assert_int_equal(strlen(head_of(line).etag), NET_ETAG_MAX - 1);
    line[6 + NET_ETAG_MAX - 1] = 'a';
    line[6 + NET_ETAG_MAX] = '\0';
    assert_string_equal(head_of(line).etag, "");
}

static void content_ranges_are_exact_or_bad(void **state)
{
    static const char *const bad[] = {"",
                                      "bytes",
                                      "bytes ",
                                      "bytes 0-",
                                      "bytes -5/10",
                                      "bytes 5-4/10",
                                      "bytes 0-9/9",
                                      "bytes 0-9",
                                      "bytes 0-9/10x",
                                      "bytes 0-9/-",
                                      "items 0-9/10",
                                      "bytes 0-18446744073709551616/18446744073709551617",
                                      "bytes 99999999999999999999-1/2",
                                      "bytes */",
                                      "bytes 0-9/10, 20-29/30"};
    char line[160];
    (void)state;
    net_head head = head_of("Content-Range: bytes 5-9/10\r\n");
    assert_int_equal(head.range_kind, NET_RANGE_BYTES);
    assert_true(head.range_first == 5 && head.range_last == 9 && head.range_total_known &&
                head.range_total == 10);
    head = head_of("content-range:BYTES 5-9/*");
    assert_int_equal(head.range_kind, NET_RANGE_BYTES);
    assert_false(head.range_total_known);
    head = head_of("Content-Range: bytes */0");
    assert_int_equal(head.range_kind, NET_RANGE_UNSATISFIED);
    assert_true(head.range_total_known && head.range_total == 0);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        snprintf(line, sizeof line, "Content-Range: %s", bad[i]);
        if (head_of(line).range_kind != NET_RANGE_BAD)
            fail_msg("accepted: %s", line);
    }
}

static void lengths_that_overflow_are_unknown(void **state)
{
    (void)state;
    net_head head = head_of("Content-Length: 18446744073709551615");
    assert_true(head.length_known && head.length == UINT64_MAX);
    assert_false(head_of("Content-Length: 18446744073709551616").length_known);
    assert_false(head_of("Content-Length: 5x").length_known);
    assert_false(head_of("Content-Length: -5").length_known);
    assert_false(head_of("Content-Length:").length_known);
}

static void encodings_other_than_identity_are_seen(void **state)
{
    (void)state;
    assert_true(head_of("Content-Encoding: gzip\r\n").encoded);
    assert_string_equal(head_of("Content-Encoding: gzip\r\n").encoding, "gzip");
    assert_false(head_of("Content-Encoding: Identity\r\n").encoded);
    assert_false(head_of("Content-Encoding:\r\n").encoded);
}

static void a_suggested_name_is_harmless(void **state)
{
    (void)state;
    assert_string_equal(head_of("Content-Disposition: attachment; filename=\"a b.pth\"").disposition,
                        "a b.pth");
    assert_string_equal(head_of("Content-Disposition: attachment; filename=a.pth; x=1").disposition, "a.pth");
    assert_string_equal(head_of("Content-Disposition: inline; filename=\"../../etc/passwd\"").disposition,
                        ".._.._etc_passwd");
    assert_string_equal(head_of("Content-Disposition: inline; filename=\"..\"").disposition, "");
    assert_string_equal(head_of("Content-Disposition: inline; filename=").disposition, "");
    assert_string_equal(head_of("Content-Disposition: inline; filename=\"").disposition, "");
}

static void lines_of_any_bytes_do_no_harm(void **state)
{
    static const char *const names[] = {"ETag:",
                                        "Content-Range: bytes ",
                                        "Content-Length:",
                                        "Content-Disposition: filename=\"",
                                        "HTTP/",
                                        "Content-Encoding:",
                                        ""};
    uint8_t *noise = fixture_bytes(1 << 16, 7);
    (void)state;
    for (size_t i = 0; i + 64 < 1 << 16; i += 61) {
        char line[128];
        const char *name = names[i % 7];
        size_t n = strlen(name);
        memcpy(line, name, n);
        memcpy(line + n, noise + i, i % 64);
        net_head head = {0};
        feed(&head, line, n + i % 64);
        assert_true(strlen(head.etag) < sizeof head.etag &&
                    strlen(head.disposition) < sizeof head.disposition);
    }
    free(noise);
}

static void fields_that_were_asked_for_are_seen(void **state)
{
    static const char *const watch[] = {"x-a", "date", NULL};
    char longer[NET_FIELD_MAX + 16];
    net_head head = {.watch = watch};
    (void)state;
    feed(&head, "HTTP/1.1 307 x\r\n", 16);
    feed(&head, "X-A:  one two \r\n", 16);
    feed(&head, "X-AB: no\r\n", 10);
    feed(&head, "Date: then\r\n", 12);
    assert_string_equal(head.watched[0], "one two");
    assert_string_equal(head.watched[1], "then");
    feed(&head, "HTTP/1.1 200 x\r\n", 16); /* they are of one head only */
    assert_string_equal(head.watched[0], "");
    assert_ptr_equal(head.watch, watch);
    feed(&head, "x-a: \x1b[2J\r\n", 11);
    assert_string_equal(head.watched[0], "");
    memset(longer, 'v', sizeof longer);
    memcpy(longer, "x-a: ", 5);
    feed(&head, longer, NET_FIELD_MAX + 5);
    assert_string_equal(head.watched[0], "");
    feed(&head, longer, NET_FIELD_MAX + 4);
    assert_int_equal(strlen(head.watched[0]), NET_FIELD_MAX - 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_status_line_begins_anew),
        cmocka_unit_test(only_etags_that_can_be_sent_back_are_kept),
        cmocka_unit_test(content_ranges_are_exact_or_bad),
        cmocka_unit_test(lengths_that_overflow_are_unknown),
        cmocka_unit_test(encodings_other_than_identity_are_seen),
        cmocka_unit_test(a_suggested_name_is_harmless),
        cmocka_unit_test(fields_that_were_asked_for_are_seen),
        cmocka_unit_test(lines_of_any_bytes_do_no_harm),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
