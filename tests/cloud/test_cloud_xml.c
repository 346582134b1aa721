/* Elements out of error documents, whatever a server sends. */
#include "cistern_test.h"
#include "guard_page.h"
#include "priv/cloud_xml.h"

/* The element "Code" of bytes that end at a guard page, into exactly size bytes that do so, too. */
static bool code_of(const char *bytes, size_t n, char *out, size_t size)
{
    guard_page in = guard_page_of(bytes, n), room = guard_page_make(size);
    bool found = cloud_xml_text((const char *)in.data, n, "Code", (char *)room.data, size);
    memcpy(out, room.data, size);
    guard_page_free(&in);
    guard_page_free(&room);
    return found;
}

static void texts_and_entities(void **state)
{
    static const struct {
        const char *xml, *text;
    } cases[] = {
        {"<Error><Code>NoSuchKey</Code></Error>", "NoSuchKey"},
        {"<Code></Code>", ""},
        {"<Code>a&amp;b&lt;c&gt;d&quot;e&apos;f</Code>", "a&b<c>d\"e'f"},
        {"<Code>&#65;&#x42;&#x1b;&#10;&#8364;</Code>", "AB???"},
        {"<Code>&bogus;&#;&#x;&#12345678901;&</Code>", "&bogus;&#;&#x;&#12345678901;&"},
        {"<Code>a\033[2J\nb\177</Code>", "a [2J b "},
        {"<Codex>1</Codex><Code>2</Code><Code>3</Code>", "2"},
        {"<Error><Message>&lt;Code&gt;fake&lt;/Code&gt;</Message><Code>real</Code></Error>", "real"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char out[64];
        assert_true(code_of(cases[i].xml, strlen(cases[i].xml), out, sizeof out));
        assert_string_equal(out, cases[i].text);
    }
}

static void what_is_no_element_is_none(void **state)
{
    static const char *const cases[] = {"",
                                        "<Code>",
                                        "<Code>x",
                                        "x</Code>",
                                        "</Code><Code>",
                                        "<Code/>",
                                        "<Code>x</Cod>",
                                        "<Code a=\"b\">x</Code>",
                                        "<Code><b>x</b></Code>",
                                        "<code>x</code>",
                                        "<"};
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char out[16] = "old";
        assert_false(code_of(cases[i], strlen(cases[i]), out, sizeof out));
        assert_string_equal(out, "");
    }
}

static void every_cut_and_every_size(void **state)
{
    static const char xml[] = "<Error><Code>No&amp;Such&#65;Key</Code></Error>";
    (void)state;
    for (size_t n = 0; n <= strlen(xml); n++) {
        for (size_t size = 1; size < 20; size++) {
            char out[32];
            bool found = code_of(xml, n, out, size);
            assert_int_equal(found, n >= strlen(xml) - strlen("</Error>"));
            assert_int_equal(strncmp(out, found ? "No&SuchAKey" : "", size - 1), 0);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(texts_and_entities),
        cmocka_unit_test(what_is_no_element_is_none),
        cmocka_unit_test(every_cut_and_every_size),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
