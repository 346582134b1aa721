/* Sources that are files: ranges, validators, and files that change or are none. */
#include "net_file.h"
#include "net_fixture.h"

#define SIZE 3000000u /* bytes: more than two pieces */

static temp_dir dir;
static uint8_t *bytes;
static net_source *src;

static int start(void **state)
{
    (void)state;
    temp_dir_make(&dir);
    bytes = fixture_bytes(SIZE, 3);
    fixture_write(&dir, "a b.pth", bytes, SIZE);
    assert_int_equal(net_file_source_new(temp_dir_path(&dir, "a b.pth"), &src, NULL), CISTERN_OK);
    return 0;
}

static int stop(void **state)
{
    (void)state;
    net_source_free(src);
    temp_dir_remove(&dir);
    free(bytes);
    return 0;
}

static void stat_tells_size_and_a_strong_validator(void **state)
{
    net_answer answer;
    cistern_error err = CISTERN_ERROR_INIT;
    (void)state;
    assert_ok(net_source_stat(src, NULL, &answer, &err), &err);
    assert_true(answer.stat.size_known);
    assert_int_equal(answer.stat.size, SIZE);
    assert_true(answer.stat.accepts_ranges);
    assert_non_null(net_stat_validator(&answer.stat));
    assert_string_equal(answer.stat.file_name, "a b.pth");
    assert_string_equal(net_source_shown(src), temp_dir_path(&dir, "a b.pth"));
}

static void reads_everything_and_ranges(void **state)
{
    const net_range ranges[] = {{0, 0, SIZE}, {100, SIZE - 2, 0}, {SIZE - 1, NET_RANGE_END, SIZE}};
    kept k = {0};
    net_answer answer;
    cistern_error err = CISTERN_ERROR_INIT;
    (void)state;
    assert_ok(net_source_read(src, NULL, NULL, kept_sink, &k, NULL, &answer, &err), &err);
    assert_int_equal(k.n, SIZE);
    assert_memory_equal(k.data, bytes, SIZE);
    assert_true(answer.end_proven);
    char etag[NET_ETAG_MAX];
    snprintf(etag, sizeof etag, "%s", answer.stat.etag);
    kept_clear(&k);
    for (size_t i = 0; i < 3; i++) {
        size_t last = ranges[i].last == NET_RANGE_END ? SIZE - 1 : (size_t)ranges[i].last;
        assert_ok(net_source_read(src, &ranges[i], etag, kept_sink, &k, NULL, &answer, &err), &err);
        assert_int_equal(k.n, last - ranges[i].first + 1);
        assert_memory_equal(k.data, bytes + ranges[i].first, k.n);
        kept_clear(&k);
    }
}

static void an_empty_file_is_read(void **state)
{
    kept k = {0};
    net_answer answer;
    net_source *empty = NULL;
    (void)state;
    fixture_write(&dir, "empty", "", 0);
    assert_int_equal(net_file_source_new(temp_dir_path(&dir, "empty"), &empty, NULL), CISTERN_OK);
    assert_int_equal(net_source_read(empty, NULL, NULL, kept_sink, &k, NULL, &answer, NULL), CISTERN_OK);
    assert_true(answer.stat.size_known && answer.stat.size == 0 && k.n == 0);
    net_source_free(empty);
}

static void a_range_that_is_not_there(void **state)
{
    const net_range behind = {SIZE, SIZE, 0}, other_total = {0, 5, SIZE + 1};
    kept k = {0};
    net_answer answer;
    (void)state;
    assert_int_equal(net_source_read(src, &behind, NULL, kept_sink, &k, NULL, &answer, NULL),
                     CISTERN_NETWORK);
    assert_false(answer.transient);
    assert_int_equal(net_source_read(src, &other_total, NULL, kept_sink, &k, NULL, &answer, NULL),
                     CISTERN_CONFLICT);
    assert_true(answer.changed);
    assert_int_equal(k.calls, 0);
}

static void another_file_under_the_name_is_a_change(void **state)
{
    kept k = {0};
    net_answer answer;
    (void)state;
    fixture_write(&dir, "new", bytes, SIZE); /* same bytes, another inode */
    assert_int_equal(net_source_stat(src, NULL, &answer, NULL), CISTERN_OK);
    const net_stat before = answer.stat;
    assert_int_equal(net_source_revalidate(src, before.etag, NULL, NULL, &answer, NULL), CISTERN_OK);
    assert_true(answer.unchanged);
    assert_int_equal(rename(temp_dir_path(&dir, "new"), temp_dir_path(&dir, "a b.pth")), 0);
    assert_int_equal(net_source_read(src, NULL, before.etag, kept_sink, &k, NULL, &answer, NULL),
                     CISTERN_CONFLICT);
    assert_true(answer.changed);
    assert_int_equal(k.calls, 0);
    assert_int_equal(net_source_revalidate(src, before.etag, NULL, NULL, &answer, NULL), CISTERN_OK);
    assert_false(answer.unchanged);
    assert_string_not_equal(answer.stat.etag, before.etag);
}

/* Changes the file while it is being read: by one byte, or by cutting it. */
typedef struct vandal {
    kept k;
    bool cut;
} vandal;

static cistern_status vandal_sink(void *user, const void *piece, size_t n, cistern_error *err)
{
    vandal *v = user;
    if (v->k.n == 0 && v->cut)
        assert_int_equal(truncate(temp_dir_path(&dir, "a b.pth"), 1500000), 0);
    if (v->k.n == 0 && !v->cut) {
        FILE *file = fopen(temp_dir_path(&dir, "a b.pth"), "r+b");
        assert_non_null(file);
        fputc('x', file);
        fclose(file);
    }
    return kept_sink(&v->k, piece, n, err);
}

static void a_file_that_is_changed_while_it_is_read(void **state)
{
    (void)state;
    for (int cut = 0; cut < 2; cut++) {
        vandal v = {.cut = cut == 1};
        net_answer answer;
        fixture_write(&dir, "a b.pth", bytes, SIZE);
        struct timespec old[2] = {{1000000000, 0}, {1000000000, 0}};
        assert_int_equal(utimensat(AT_FDCWD, temp_dir_path(&dir, "a b.pth"), old, 0), 0);
        assert_int_equal(net_source_read(src, NULL, NULL, vandal_sink, &v, NULL, &answer, NULL),
                         CISTERN_CONFLICT);
        assert_true(answer.changed);
        kept_clear(&v.k);
    }
    fixture_write(&dir, "a b.pth", bytes, SIZE);
}

static void what_is_no_regular_file(void **state)
{
    static const struct {
        const char *name;
        cistern_status status;
    } rows[] = {{"none", CISTERN_NOT_FOUND},
                {"", CISTERN_USAGE},
                {"fifo", CISTERN_USAGE},
                {"a b.pth/x", CISTERN_NOT_FOUND}};
    (void)state;
    assert_int_equal(mkfifo(temp_dir_path(&dir, "fifo"), 0600), 0);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        net_answer answer;
        cistern_error err = CISTERN_ERROR_INIT;
        net_source *none = NULL;
        assert_int_equal(net_file_source_new(temp_dir_path(&dir, rows[i].name), &none, NULL), CISTERN_OK);
        assert_int_equal(net_source_stat(none, NULL, &answer, &err), rows[i].status);
        assert_message(&err, dir.path);
        assert_false(answer.transient);
        net_source_free(none);
    }
}

static void a_link_is_followed(void **state)
{
    net_answer answer;
    net_source *link = NULL;
    (void)state;
    assert_int_equal(symlink("a b.pth", temp_dir_path(&dir, "current.pth")), 0);
    assert_int_equal(net_file_source_new(temp_dir_path(&dir, "current.pth"), &link, NULL), CISTERN_OK);
    assert_int_equal(net_source_stat(link, NULL, &answer, NULL), CISTERN_OK);
    assert_int_equal(answer.stat.size, SIZE);
    net_source_free(link);
}

static void cancel_and_a_refusing_sink_end_it(void **state)
{
    base_cancel cancel = {1};
    const base_run run = {.cancel = &cancel};
    kept k = {.fail = CISTERN_NO_SPACE, .fail_at = SIZE / 2};
    net_answer answer;
    (void)state;
    assert_int_equal(net_source_read(src, NULL, NULL, kept_sink, &k, &run, &answer, NULL), CISTERN_CANCELLED);
    assert_int_equal(k.calls, 0);
    assert_int_equal(net_source_read(src, NULL, NULL, kept_sink, &k, NULL, &answer, NULL), CISTERN_NO_SPACE);
    assert_int_equal(answer.received, k.n);
    kept_clear(&k);
}

static void count_last(void *user, const base_progress *p)
{
    assert_int_equal(p->total, SIZE);
    assert_true(!p->last || p->done == SIZE);
    *(unsigned *)user += p->last;
}

static void progress_ends_once(void **state)
{
    unsigned last = 0;
    kept k = {0};
    net_answer answer;
    const base_run run = {.progress = count_last, .progress_user = &last};
    (void)state;
    assert_int_equal(net_source_read(src, NULL, NULL, kept_sink, &k, &run, &answer, NULL), CISTERN_OK);
    assert_int_equal(last, 1);
    kept_clear(&k);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(stat_tells_size_and_a_strong_validator),
        cmocka_unit_test(reads_everything_and_ranges),
        cmocka_unit_test(an_empty_file_is_read),
        cmocka_unit_test(a_range_that_is_not_there),
        cmocka_unit_test(another_file_under_the_name_is_a_change),
        cmocka_unit_test(a_file_that_is_changed_while_it_is_read),
        cmocka_unit_test(what_is_no_regular_file),
        cmocka_unit_test(a_link_is_followed),
        cmocka_unit_test(cancel_and_a_refusing_sink_end_it),
        cmocka_unit_test(progress_ends_once),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
