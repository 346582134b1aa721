/* Collectors and those who hold a blob; ends of a collector at every step. */
#include "store_case.h"

#include "base_disk.h"
#include "store_collect.h"
#include "store_condemn.h"

static base_digest only_digest(const store_case *c)
{
    base_digests all;
    base_digests_init(&all);
    assert_ok(store_collect_list(c->s, &all, err));
    assert_int_equal(all.count, 1);
    base_digest d = all.item[0];
    base_digests_clear(&all);
    return d;
}

static void list_has_blobs_and_lone_chunk_lists(void **state)
{
    store_case *c = *state;
    base_digests all;
    char path[2 * CASE_PATH];
    store_file one = case_put(c, "one", 3), two = case_put(c, "two", 3);
    case_blob_name(c, &one.sha256, path);
    assert_int_equal(unlink(path), 0);
    base_digests_init(&all);
    assert_ok(store_collect_list(c->s, &all, err));
    assert_int_equal(all.count, 2);
    assert_true(base_digests_has(&all, &one.sha256) && base_digests_has(&all, &two.sha256));
    base_digests_clear(&all);
}

static void deleted_with_chunk_list_and_marker(void **state)
{
    store_case *c = *state;
    store_condemned item;
    store_file file = case_put(c, "bytes", 5);
    assert_ok(store_collect_condemn(c->s, &file.sha256, &item, err));
    assert_false(item.busy);
    assert_int_equal(case_entries(c, "gc/condemned"), 1);
    assert_status(store_condemn_wait(c->s, &file.sha256, 50, NULL, err), CISTERN_CONFLICT, "collector");
    assert_ok(store_collect_delete(c->s, &item, store_collect_clock(), err));
    assert_int_equal(case_entries(c, "gc/condemned"), 0);
    base_digests all;
    base_digests_init(&all);
    assert_ok(store_collect_list(c->s, &all, err));
    assert_int_equal(all.count, 0);
}

static void spared_is_as_before(void **state)
{
    store_case *c = *state;
    store_condemned item;
    int fd;
    store_file file = case_put(c, "bytes", 5);
    assert_ok(store_collect_condemn(c->s, &file.sha256, &item, err));
    store_collect_spare(c->s, &item);
    assert_int_equal(case_entries(c, "gc/condemned"), 0);
    assert_ok(store_blob_open(c->s, &file, NULL, &fd, NULL, err));
    close(fd);
}

static void too_late_is_spared(void **state)
{
    store_case *c = *state;
    store_condemned item;
    store_file file = case_put(c, "bytes", 5);
    assert_ok(store_collect_condemn(c->s, &file.sha256, &item, err));
    assert_status(store_collect_delete(c->s, &item, store_collect_clock() - STORE_COLLECT_LIMIT_MS - 1, err),
                  CISTERN_TIMED_OUT, "60 s");
    assert_true(case_has_blob(c, "bytes", 5));
    assert_int_equal(case_entries(c, "gc/condemned"), 0);
}

static void an_open_blob_is_busy_until_it_is_closed(void **state)
{
    store_case *c = *state;
    store_condemned item;
    int fd;
    store_file file = case_put(c, "bytes", 5);
    assert_ok(store_blob_open(c->s, &file, NULL, &fd, NULL, err));
    assert_ok(store_collect_condemn(c->s, &file.sha256, &item, err));
    assert_true(item.busy);
    assert_int_equal(case_entries(c, "gc/condemned"), 0);
    close(fd);
    assert_ok(store_collect_condemn(c->s, &file.sha256, &item, err));
    assert_false(item.busy);
    store_collect_spare(c->s, &item);
}

static void a_fetch_holds_what_it_published(void **state)
{
    store_case *c = *state;
    store_condemned item;
    store_fetch_want want = STORE_FETCH_WANT_INIT;
    store_fetch_got got;
    /* once its own inode, once the one that was there already */
    for (int round = 0; round < 2; round++) {
        store_fetch *fetch = NULL;
        base_digest key = case_digest(&round, sizeof round);
        case_write(case_path(c, "source.bin"), "bytes", 5);
        int fd = open(case_path(c, "source.bin"), O_RDONLY);
        assert_ok(store_fetch_begin(c->s, &key, 0, NULL, &fetch, err));
        assert_ok(store_fetch_add(fetch, fd, "source.bin", &want, NULL, &got, err));
        assert_ok(store_fetch_publish(fetch, NULL, err));
        assert_ok(store_collect_condemn(c->s, &got.file.sha256, &item, err));
        assert_true(item.busy);
        store_fetch_end(fetch, CISTERN_OK, NULL);
        close(fd);
    }
    assert_ok(store_collect_condemn(c->s, &got.file.sha256, &item, err));
    assert_false(item.busy);
    store_collect_spare(c->s, &item);
}

static void holding_says_whether_the_name_is_still_there(void **state)
{
    store_case *c = *state;
    store_condemned item;
    bool held = false;
    char path[2 * CASE_PATH];
    store_file file = case_put(c, "bytes", 5);
    case_blob_name(c, &file.sha256, path);
    int fd = open(path, O_RDONLY);
    assert_ok(store_blob_hold(c->s, &file.sha256, fd, NULL, &held, err));
    assert_true(held);
    base_disk_unlock(fd);
    assert_ok(store_collect_condemn(c->s, &file.sha256, &item, err));
    assert_ok(store_collect_delete(c->s, &item, store_collect_clock(), err));
    assert_ok(store_blob_hold(c->s, &file.sha256, fd, NULL, &held, err));
    assert_false(held);
    close(fd);
}

static void a_settled_fetch_puts_its_chunk_list_back(void **state)
{
    store_case *c = *state;
    store_fetch_want want = STORE_FETCH_WANT_INIT;
    store_fetch_got got;
    store_fetch *fetch = NULL;
    base_digest key = case_digest("key", 3);
    store_chunks list;
    case_write(case_path(c, "source.bin"), "bytes", 5);
    int fd = open(case_path(c, "source.bin"), O_RDONLY);
    assert_ok(store_fetch_begin(c->s, &key, 0, NULL, &fetch, err));
    assert_ok(store_fetch_add(fetch, fd, "source.bin", &want, NULL, &got, err));
    assert_ok(store_fetch_publish(fetch, NULL, err));
    char hex[BASE_SHA256_HEX], path[2 * CASE_PATH];
    base_digest_hex(&got.file.sha256, hex);
    snprintf(path, sizeof path, "%s/chunks/sha256/%.2s/%s", c->root, hex, hex);
    assert_int_equal(unlink(path), 0);
    assert_ok(store_fetch_settle(fetch, err));
    assert_ok(store_chunks_read(c->s, &got.file, &list, err));
    store_chunks_clear(&list);
    store_fetch_end(fetch, CISTERN_OK, NULL);
    close(fd);
}

/* -- ends at every step ----------------------------------------------------------------------------------- */

typedef struct dying {
    store_case *c;
    const char *point;
} dying;

static void die_at(void *user, const char *point)
{
    if (strcmp(point, ((dying *)user)->point) == 0)
        _exit(7);
}

static int collect_and_die(void *arg)
{
    dying *d = arg;
    store_condemned item;
    d->c->options.fault = die_at;
    d->c->options.fault_user = d;
    store *s = NULL;
    if (store_open(d->c->root, &d->c->options, &s, NULL) != CISTERN_OK)
        return 1;
    base_digest digest = only_digest(d->c);
    if (store_collect_condemn(s, &digest, &item, NULL) != CISTERN_OK)
        return 2;
    if (store_collect_delete(s, &item, store_collect_clock(), NULL) != CISTERN_OK)
        return 3;
    return 0;
}

static void a_killed_collector_stops_nobody(void **state)
{
    static const char *const points[] = {"condemned", "blob_deleted", "belongings_deleted"};
    store_case *c = *state;
    for (size_t i = 0; i < 3; i++) {
        dying d = {c, points[i]};
        size_t removed = 0;
        store_file file = case_put(c, "bytes", 5);
        assert_int_equal(case_child(collect_and_die, &d), 7);
        assert_int_equal(case_entries(c, "gc/condemned"), 1);
        /* the publisher's wait takes the marker of the dead down */
        assert_ok(store_condemn_wait(c->s, &file.sha256, 0, NULL, err));
        assert_int_equal(case_entries(c, "gc/condemned"), 0);
        case_put(c, "bytes", 5);
        assert_true(case_has_blob(c, "bytes", 5));
        assert_int_equal(case_child(collect_and_die, &d), 7);
        assert_ok(store_condemn_sweep(c->s, &removed, err));
        assert_int_equal(removed, 1);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(list_has_blobs_and_lone_chunk_lists, case_setup, case_teardown),
        cmocka_unit_test_setup_teardown(deleted_with_chunk_list_and_marker, case_setup, case_teardown),
        cmocka_unit_test_setup_teardown(spared_is_as_before, case_setup, case_teardown),
        cmocka_unit_test_setup_teardown(too_late_is_spared, case_setup, case_teardown),
        cmocka_unit_test_setup_teardown(an_open_blob_is_busy_until_it_is_closed, case_setup, case_teardown),
        cmocka_unit_test_setup_teardown(a_fetch_holds_what_it_published, case_setup, case_teardown),
        cmocka_unit_test_setup_teardown(holding_says_whether_the_name_is_still_there, case_setup,
                                        case_teardown),
        cmocka_unit_test_setup_teardown(a_settled_fetch_puts_its_chunk_list_back, case_setup, case_teardown),
        cmocka_unit_test_setup_teardown(a_killed_collector_stops_nobody, case_setup, case_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
