/* The walker over protocol buffers: what it hands out, and what it refuses (inputs that end at a guard page). */
#include "guard_page.h"
#include "cistern_test.h"
#include "formats_limits.h"
#include "protobuf_forge.h"
#include "priv/formats_protobuf.h"

typedef struct window {
    guard_page page;
    formats_protobuf p;
    cistern_error err;
} window;

static void window_open(window *w, const forge *f)
{
    w->err = (cistern_error)CISTERN_ERROR_INIT;
    w->page = guard_page_of(f->data, f->len);
    formats_protobuf_init(&w->p, w->page.data, 0, f->len, &w->err);
}

/* The first field of these bytes is refused at `offset`. */
static void refused(forge *f, uint64_t offset, const char *part)
{
    window w;
    formats_field field;
    bool more;

    window_open(&w, f);
    assert_says(formats_protobuf_next(&w.p, &field, &more), CISTERN_UNREADABLE, &w.err, part);
    assert_true(w.err.has_offset);
    assert_int_equal(w.err.offset, offset);
    guard_page_free(&w.page);
    forge_free(f);
}

static void fields_of_every_wire_type(void **state)
{
    forge f = {0};
    window w;
    formats_field field;
    bool more;
    double value;

    (void)state;
    pb_number(&f, 1, UINT64_MAX);
    pb_tag(&f, 2, 1);
    forge_le(&f, 0x0102030405060708, 8);
    pb_text(&f, (1u << 29) - 1, "abc");
    pb_float(&f, 4, -1.5f);
    window_open(&w, &f);
    assert_ok(formats_protobuf_next(&w.p, &field, &more), &w.err);
    assert_true(more && field.number == 1 && field.wire == FORMATS_WIRE_VARINT && field.value == UINT64_MAX);
    assert_ok(formats_protobuf_next(&w.p, &field, &more), &w.err);
    assert_true(field.number == 2 && field.value == 0x0102030405060708 && field.at == 11);
    assert_ok(formats_protobuf_next(&w.p, &field, &more), &w.err);
    assert_true(field.number == (1u << 29) - 1 && field.value == 3);
    assert_memory_equal(w.page.data + field.begin, "abc", 3);
    assert_ok(formats_protobuf_next(&w.p, &field, &more), &w.err);
    assert_ok(formats_protobuf_float(&w.p, &field, &value), &w.err);
    assert_true(value > -1.6 && value < -1.4);
    assert_ok(formats_protobuf_next(&w.p, &field, &more), &w.err);
    assert_false(more);
    guard_page_free(&w.page);
    forge_free(&f);
}

/* The only field. */
static void accepted(forge *f, uint32_t number, uint64_t value)
{
    window w;
    formats_field field;
    bool more;

    window_open(&w, f);
    assert_ok(formats_protobuf_next(&w.p, &field, &more), &w.err);
    assert_true(more);
    assert_int_equal(field.number, number);
    assert_true(field.value == value);
    guard_page_free(&w.page);
    forge_free(f);
}

/* 25: varints */
static void numbers_that_do_not_end_or_are_too_large(void **state)
{
    forge f = {0};

    (void)state;
    FORGE(&f, "\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"); /* 11 bytes */
    refused(&f, 1, "a number of more than 64 bits");
    FORGE(&f, "\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02"); /* 65 bits */
    refused(&f, 1, "a number of more than 64 bits");
    FORGE(&f, "\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"); /* 64 bits in 10 bytes */
    accepted(&f, 1, UINT64_MAX);
    FORGE(&f, "\x08\xff");
    refused(&f, 1, "a number does not end inside its message");
    FORGE(&f, "\x08");
    refused(&f, 1, "a number does not end inside its message");
    FORGE(&f, "\x80");
    refused(&f, 0, "a number does not end inside its message");
}

static void lengths_beyond_the_message(void **state)
{
    forge f = {0};

    (void)state;
    FORGE(&f, "\x12\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01"); /* 2^63 */
    refused(&f, 0, "field 2 has 9223372036854775808 bytes, of which 0 are left");
    FORGE(&f, "\x12\x03"
              "ab");
    refused(&f, 0, "field 2 has 3 bytes, of which 2 are left");
    FORGE(&f, "\x15"
              "abc");
    refused(&f, 0, "field 2 takes 4 bytes, of which 3 are left");
    FORGE(&f, "\x11"
              "abcdefg");
    refused(&f, 0, "field 2 takes 8 bytes, of which 7 are left");
}

static void groups_and_field_numbers_that_are_none(void **state)
{
    forge f = {0};

    (void)state;
    FORGE(&f, "\x0b");
    refused(&f, 0, "field 1 has wire type 3; 0, 1, 2 and 5 are read");
    FORGE(&f, "\x0c");
    refused(&f, 0, "field 1 has wire type 4");
    FORGE(&f, "\x0e");
    refused(&f, 0, "field 1 has wire type 6");
    FORGE(&f, "\x00\x01");
    refused(&f, 0, "field number 0, from 1 to 536870911 allowed");
    pb_number(&f, 536870911, 7);
    accepted(&f, 536870911, 7);
    pb_varint(&f, (uint64_t)1 << 32);
    refused(&f, 0, "field number 536870912, from 1 to 536870911 allowed");
}

static void messages_as_deep_as_allowed_and_one_deeper(void **state)
{
    forge f = {0};
    window w;
    formats_field field;
    formats_protobuf outer, inner;
    bool more;

    (void)state;
    for (unsigned i = 0; i <= FORMATS_PROTOBUF_DEPTH_MAX; i++) {
        forge next = {0};
        pb_message(&next, 1, &f);
        f = next;
    }
    window_open(&w, &f);
    outer = w.p;
    for (unsigned i = 0; i < FORMATS_PROTOBUF_DEPTH_MAX; i++) {
        assert_ok(formats_protobuf_next(&outer, &field, &more), &w.err);
        assert_ok(formats_protobuf_enter(&outer, &field, &inner), &w.err);
        outer = inner;
    }
    assert_ok(formats_protobuf_next(&outer, &field, &more), &w.err);
    assert_says(formats_protobuf_enter(&outer, &field, &inner), CISTERN_UNREADABLE, &w.err,
                "messages inside messages more than 8 deep");
    guard_page_free(&w.page);
    forge_free(&f);
}

static void numbers_packed_and_one_by_one(void **state)
{
    forge f = {0}, packed = {0};
    window w;
    formats_field field;
    uint64_t out[4];
    size_t count = 0;
    bool more;

    (void)state;
    pb_varint(&packed, 1);
    pb_varint(&packed, 300);
    pb_message(&f, 7, &packed);
    pb_number(&f, 7, 5);
    pb_number(&f, 7, 6);
    pb_number(&f, 7, 7);
    window_open(&w, &f);
    for (int i = 0; i < 3; i++) {
        assert_ok(formats_protobuf_next(&w.p, &field, &more), &w.err);
        assert_ok(formats_protobuf_numbers(&w.p, &field, out, 4, &count), &w.err);
    }
    assert_int_equal(count, 4);
    assert_true(out[0] == 1 && out[1] == 300 && out[2] == 5 && out[3] == 6);
    assert_ok(formats_protobuf_next(&w.p, &field, &more), &w.err);
    assert_says(formats_protobuf_numbers(&w.p, &field, out, 4, &count), CISTERN_UNREADABLE, &w.err,
                "field 7 has more than 4 numbers");
    guard_page_free(&w.page);
    forge_free(&f);
}

static void fields_of_another_wire_type_are_refused(void **state)
{
    forge f = {0};
    window w;
    formats_field field;
    formats_protobuf inner;
    formats_text text;
    uint64_t number;
    size_t count = 0;
    double value;
    bool more;

    (void)state;
    pb_float(&f, 3, 1);
    pb_text(&f, 4, "x");
    window_open(&w, &f);
    assert_ok(formats_protobuf_next(&w.p, &field, &more), &w.err);
    assert_says(formats_protobuf_enter(&w.p, &field, &inner), CISTERN_UNREADABLE, &w.err,
                "field 3 has wire type 5, which is not that of a message");
    assert_says(formats_protobuf_text(&w.p, &field, &text), CISTERN_UNREADABLE, &w.err, "not that of text");
    assert_says(formats_protobuf_number(&w.p, &field, &number), CISTERN_UNREADABLE, &w.err,
                "not that of a number");
    assert_says(formats_protobuf_numbers(&w.p, &field, &number, 1, &count), CISTERN_UNREADABLE, &w.err,
                "not that of numbers");
    assert_ok(formats_protobuf_next(&w.p, &field, &more), &w.err);
    assert_says(formats_protobuf_float(&w.p, &field, &value), CISTERN_UNREADABLE, &w.err,
                "not that of a float");
    guard_page_free(&w.page);
    forge_free(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fields_of_every_wire_type),
        cmocka_unit_test(numbers_that_do_not_end_or_are_too_large),
        cmocka_unit_test(lengths_beyond_the_message),
        cmocka_unit_test(groups_and_field_numbers_that_are_none),
        cmocka_unit_test(messages_as_deep_as_allowed_and_one_deeper),
        cmocka_unit_test(numbers_packed_and_one_by_one),
        cmocka_unit_test(fields_of_another_wire_type_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
