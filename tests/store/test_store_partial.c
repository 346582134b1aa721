/* Journals and partials: what is believed of bytes from before, and what is done with them. */
#include "store_case.h"
#include "priv/store_partial.h"

#define MIB ((uint64_t)1 << 20)

static base_digest the_key(void)
{
    return case_digest("key", 3);
}

static void file_path(const store_case *c, uint64_t number, const char *suffix, char out[4 * CASE_PATH])
{
    char path[STORE_NAME_MAX];
    base_digest key = the_key();
    store_claim_path(&key, number, suffix, path);
    snprintf(out, 4 * CASE_PATH, "%s/%s", c->root, path);
}

static bool is_there(const store_case *c, uint64_t number, const char *suffix)
{
    char path[4 * CASE_PATH];
    file_path(c, number, suffix, path);
    return access(path, F_OK) == 0;
}

static store_partial_want want_of(uint64_t size, const char *validator)
{
    store_partial_want want = {.key = the_key(), .size = size};
    if (validator)
        want.validator = case_digest(validator, strlen(validator));
    return want;
}

static base_process dead_process(void)
{
    base_process p;
    base_process_self(&p);
    p.start_time++; /* nobody has this pid and this start time */
    return p;
}

/* Data of `number` with ranges [0, 1 MiB) synced and [2, 3 MiB) written, of 4 MiB. */
static void make_leftover(store_case *c, uint64_t number, const char *validator, const base_process *owner,
                          bool ended, const uint8_t *bytes)
{
    store_partial p;
    store_partial_want want = want_of(4 * MIB, validator);
    char dir[STORE_NAME_MAX];
    store_claim_dir(&want.key, dir);
    assert_ok(base_mkdirs(store_root_fd(c->s), dir, store_modes(c->s), err));
    assert_ok(store_partial_create(c->s, number, &want, &p, err));
    assert_ok(base_pwrite_full(p.fd, bytes, MIB, 0, err));
    assert_ok(base_pwrite_full(p.fd, bytes + 2 * MIB, MIB, 2 * MIB, err));
    if (owner) { /* the same journal, but of another process */
        base_identity id;
        assert_ok(base_identity_of(p.fd, &id, err));
        store_journal_head head = {.key = want.key,
                                   .validator = want.validator,
                                   .size = 4 * MIB,
                                   .inode = id.inode,
                                   .birth_ns = id.btime_ns,
                                   .owner = *owner};
        store_journal_close(&p.journal);
        assert_ok(store_journal_create(c->s, &want.key, number, &head, &p.journal, err));
    }
    assert_ok(store_journal_put(&p.journal, 's', 0, MIB, err));
    assert_ok(store_journal_put(&p.journal, 'w', 2 * MIB, MIB, err));
    if (ended)
        assert_ok(store_journal_put(&p.journal, 'e', 0, 0, err));
    close(p.fd);
    store_journal_close(&p.journal);
    store_ranges_clear(&p.present);
}

static void journal_is_what_was_put_and_a_torn_tail_ends_it(void **state)
{
    store_case *c = *state;
    uint8_t *bytes = case_bytes(4 * MIB, 1);
    char path[4 * CASE_PATH];
    base_buf good;
    base_digest key = the_key();
    make_leftover(c, 1, "v", NULL, true, bytes);
    file_path(c, 1, "journal", path);
    base_buf_init(&good, 10000);
    assert_ok(base_read_path(path, &good, err));
    assert_int_equal(good.len, 256 + 3 * 32);
    for (size_t n = 0; n <= good.len; n++) {
        store_journal_found found;
        unlink(path);
        case_write(path, good.data, n);
        cistern_status status = store_journal_read(c->s, &key, 1, &found, NULL);
        assert_int_equal(status, n < 256 ? CISTERN_NOT_FOUND : CISTERN_OK);
        if (status != CISTERN_OK)
            continue;
        size_t records = (n - 256) / 32;
        assert_int_equal(found.certain.count, records > 2 ? 2 : records);
        assert_int_equal(store_ranges_bytes(&found.certain), (records > 2 ? 2 : records) * MIB);
        assert_int_equal(found.ended, records == 3);
        assert_int_equal(found.head.size, 4 * MIB);
        store_journal_found_clear(&found);
    }
    for (size_t i = 0; i < good.len; i++) {
        store_journal_found found;
        good.data[i] ^= 0x20;
        unlink(path);
        case_write(path, good.data, good.len);
        cistern_status status = store_journal_read(c->s, &key, 1, &found, NULL);
        assert_int_equal(status, i < 256 ? CISTERN_NOT_FOUND : CISTERN_OK);
        if (status == CISTERN_OK) {
            assert_true(store_ranges_bytes(&found.certain) == (i - 256) / 32 * MIB);
            store_journal_found_clear(&found);
        }
        good.data[i] ^= 0x20;
    }
    base_buf_clear(&good);
    free(bytes);
}

static void written_is_believed_under_the_same_boot_only(void **state)
{
    store_case *c = *state;
    uint8_t *bytes = case_bytes(4 * MIB, 1);
    base_digest key = the_key();
    base_process other = dead_process();
    store_journal_found found;
    other.boot_id[0] = other.boot_id[0] == '0' ? '1' : '0';
    make_leftover(c, 1, "v", &other, true, bytes);
    assert_ok(store_journal_read(c->s, &key, 1, &found, err));
    assert_int_equal(found.certain.count, 1);
    assert_int_equal(found.certain.item[0].end, MIB);
    store_journal_found_clear(&found);
    free(bytes);
}

static void ranges_merge(void **state)
{
    (void)state;
    store_ranges r = {0};
    assert_ok(store_ranges_add(&r, 5, 7, err));
    assert_ok(store_ranges_add(&r, 0, 2, err));
    assert_ok(store_ranges_add(&r, 2, 3, err));
    assert_ok(store_ranges_add(&r, 6, 6, err));
    assert_ok(store_ranges_add(&r, 6, 9, err));
    assert_ok(store_ranges_add(&r, 1, 2, err));
    store_ranges_merge(&r);
    assert_int_equal(r.count, 2);
    assert_int_equal(r.item[0].first, 0);
    assert_int_equal(r.item[0].end, 3);
    assert_int_equal(r.item[1].first, 5);
    assert_int_equal(r.item[1].end, 9);
    assert_int_equal(store_ranges_bytes(&r), 7);
    store_ranges_clear(&r);
}

static void assert_content(const store_partial *p, const uint8_t *bytes)
{
    uint8_t *found = malloc(MIB);
    assert_ok(base_pread_full(p->fd, found, MIB, 0, err));
    assert_memory_equal(found, bytes, MIB);
    assert_ok(base_pread_full(p->fd, found, MIB, 2 * MIB, err));
    assert_memory_equal(found, bytes + 2 * MIB, MIB);
    free(found);
}

static ino_t inode_of(const store_case *c, uint64_t number)
{
    char path[4 * CASE_PATH];
    struct stat st;
    file_path(c, number, "data", path);
    return stat(path, &st) == 0 ? st.st_ino : 0;
}

static void settled_is_adopted_in_place(void **state)
{
    store_case *c = *state;
    uint8_t *bytes = case_bytes(4 * MIB, 1);
    base_process dead = dead_process();
    for (int round = 0; round < 2; round++) { /* ended in peace, or proven dead */
        store_partial p;
        store_partial_want want = want_of(4 * MIB, "v");
        bool found = false;
        make_leftover(c, 1, "v", round == 0 ? NULL : &dead, round == 0, bytes);
        ino_t inode = inode_of(c, 1);
        assert_ok(store_partial_find(c->s, 2, &want, &p, &found, err));
        assert_true(found);
        assert_int_equal(inode_of(c, 2), inode);
        assert_false(is_there(c, 1, "data"));
        assert_false(is_there(c, 1, "journal"));
        assert_int_equal(store_ranges_bytes(&p.present), 2 * MIB);
        assert_content(&p, bytes);
        assert_ok(base_pwrite_full(p.fd, "x", 1, MIB, err));
        store_partial_drop(c->s, &want.key, &p);
        assert_false(is_there(c, 2, "data") || is_there(c, 2, "journal"));
    }
    free(bytes);
}

static void a_cancel_ends_copying_and_leaves_everything(void **state)
{
    store_case *c = *state;
    uint8_t *bytes = case_bytes(4 * MIB, 1);
    base_process other;
    base_cancel cancel;
    store_partial p = STORE_PARTIAL_NONE;
    store_partial_want want = want_of(4 * MIB, "v");
    bool found = false;
    base_process_self(&other); /* alive: its bytes are copied, not adopted */
    make_leftover(c, 1, "v", &other, false, bytes);
    atomic_init(&cancel.set, 1);
    want.cancel = &cancel;
    assert_status(store_partial_find(c->s, 2, &want, &p, &found, err), CISTERN_CANCELLED, "");
    assert_true(is_there(c, 1, "data") && is_there(c, 1, "journal"));
    assert_false(is_there(c, 2, "data") || is_there(c, 2, "journal"));
    free(bytes);
}

/* Its owner (this very process) lives: what it has open must never become ours. */
static void unsettled_is_copied(void **state)
{
    store_case *c = *state;
    uint8_t *bytes = case_bytes(4 * MIB, 1);
    store_partial p;
    store_partial_want want = want_of(4 * MIB, "v");
    bool found = false;
    char path[4 * CASE_PATH];
    make_leftover(c, 1, "v", NULL, false, bytes);
    file_path(c, 1, "data", path);
    int theirs = open(path, O_RDWR);
    ino_t inode = inode_of(c, 1);
    assert_ok(store_partial_find(c->s, 2, &want, &p, &found, err));
    assert_true(found);
    assert_true(inode_of(c, 2) != inode && inode_of(c, 2) != 0);
    assert_int_equal(pwrite(theirs, "late write", 10, 0), 10);
    assert_content(&p, bytes);
    store_partial_drop(c->s, &want.key, &p);
    close(theirs);
    free(bytes);
}

/* A journal of a higher number names the same inode: its owner was about to adopt it. */
static void inode_that_another_is_adopting_is_not_adopted(void **state)
{
    store_case *c = *state;
    uint8_t *bytes = case_bytes(4 * MIB, 1);
    store_partial p;
    store_partial_want want = want_of(4 * MIB, "v");
    store_journal_head head;
    store_journal_found before;
    store_journal theirs;
    bool found = false;
    make_leftover(c, 1, "v", NULL, true, bytes);
    assert_ok(store_journal_read(c->s, &want.key, 1, &before, err));
    head = before.head;
    base_process_self(&head.owner); /* alive */
    assert_ok(store_journal_create(c->s, &want.key, 2, &head, &theirs, err));
    ino_t inode = inode_of(c, 1);
    assert_ok(store_partial_find(c->s, 3, &want, &p, &found, err));
    assert_true(found);
    assert_true(inode_of(c, 3) != inode);
    assert_content(&p, bytes);
    store_partial_drop(c->s, &want.key, &p);
    store_journal_close(&theirs);
    store_journal_found_clear(&before);
    free(bytes);
}

static void other_object_is_deleted_if_settled_else_left(void **state)
{
    store_case *c = *state;
    uint8_t *bytes = case_bytes(4 * MIB, 1);
    static const struct {
        const char *validator;
        uint64_t size;
    } wants[] = {{"other", 4 * MIB}, {"v", 5 * MIB}, {NULL, 4 * MIB}};
    for (size_t i = 0; i < 3; i++) {
        for (int ended = 0; ended < 2; ended++) {
            store_partial p;
            store_partial_want want = want_of(wants[i].size, wants[i].validator);
            bool found = true;
            make_leftover(c, 1, "v", NULL, ended, bytes);
            assert_ok(store_partial_find(c->s, 2, &want, &p, &found, err));
            assert_false(found);
            assert_int_equal(is_there(c, 1, "data"), !ended);
        }
    }
    free(bytes);
}

static void known_digest_takes_bytes_without_a_validator(void **state)
{
    store_case *c = *state;
    uint8_t *bytes = case_bytes(4 * MIB, 1);
    store_partial p;
    store_partial_want want = want_of(STORE_SIZE_UNKNOWN, NULL);
    bool found = false;
    want.digest_known = true;
    make_leftover(c, 1, NULL, NULL, true, bytes);
    assert_ok(store_partial_find(c->s, 2, &want, &p, &found, err));
    assert_true(found);
    store_partial_drop(c->s, &want.key, &p);
    /* But not when both sides have one and they differ. */
    want.validator = case_digest("other", 5);
    make_leftover(c, 3, "v", NULL, true, bytes);
    assert_ok(store_partial_find(c->s, 4, &want, &p, &found, err));
    assert_false(found);
    free(bytes);
}

static void linked_data_is_complete_and_read_only(void **state)
{
    store_case *c = *state;
    uint8_t *bytes = case_bytes(4 * MIB, 1);
    store_partial p;
    store_partial_want want = want_of(4 * MIB, "v");
    char path[4 * CASE_PATH];
    bool found = false;
    make_leftover(c, 1, "v", NULL, true, bytes);
    file_path(c, 1, "data", path);
    assert_int_equal(link(path, case_path(c, "published")), 0);
    assert_ok(store_partial_find(c->s, 2, &want, &p, &found, err));
    assert_true(found);
    assert_true(p.complete);
    assert_int_equal(pwrite(p.fd, "x", 1, 0), -1);
    assert_int_equal(errno, EBADF);
    store_partial_drop(c->s, &want.key, &p);
    free(bytes);
}

static void another_users_bytes_need_a_known_digest(void **state)
{
    store_case *c = *state;
    uint8_t *bytes = case_bytes(4 * MIB, 1);
    store_partial p;
    store_partial_want want = want_of(4 * MIB, "v");
    char path[4 * CASE_PATH];
    bool found = true;
    if (geteuid() != 0) {
        print_message("skipped: needs root\n");
        free(bytes);
        skip();
    }
    make_leftover(c, 1, "v", NULL, false, bytes);
    file_path(c, 1, "data", path);
    assert_int_equal(chown(path, 12345, 12345), 0);
    assert_ok(store_partial_find(c->s, 2, &want, &p, &found, err));
    assert_false(found);
    want.digest_known = true;
    assert_ok(store_partial_find(c->s, 2, &want, &p, &found, err));
    assert_true(found);
    store_partial_drop(c->s, &want.key, &p);
    free(bytes);
}

static void data_without_its_journal_is_garbage(void **state)
{
    store_case *c = *state;
    uint8_t *bytes = case_bytes(4 * MIB, 1);
    store_partial p;
    store_partial_want want = want_of(4 * MIB, "v");
    char path[4 * CASE_PATH], copy[4 * CASE_PATH];
    bool found = true;
    make_leftover(c, 1, "v", NULL, true, bytes);
    file_path(c, 1, "journal", path);
    assert_int_equal(unlink(path), 0);
    assert_ok(store_partial_find(c->s, 2, &want, &p, &found, err));
    assert_false(found);
    assert_false(is_there(c, 1, "data"));
    /* A journal of another inode is none. */
    make_leftover(c, 1, "v", NULL, true, bytes);
    file_path(c, 1, "data", path);
    file_path(c, 1, "copy", copy);
    case_write(copy, bytes, 4 * MIB);
    assert_int_equal(rename(copy, path), 0);
    assert_ok(store_partial_find(c->s, 2, &want, &p, &found, err));
    assert_false(found);
    assert_false(is_there(c, 1, "data"));
    free(bytes);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, case_setup, case_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(journal_is_what_was_put_and_a_torn_tail_ends_it),
        TEST(written_is_believed_under_the_same_boot_only),
        cmocka_unit_test(ranges_merge),
        TEST(settled_is_adopted_in_place),
        TEST(unsettled_is_copied),
        TEST(a_cancel_ends_copying_and_leaves_everything),
        TEST(inode_that_another_is_adopting_is_not_adopted),
        TEST(other_object_is_deleted_if_settled_else_left),
        TEST(known_digest_takes_bytes_without_a_validator),
        TEST(linked_data_is_complete_and_read_only),
        TEST(another_users_bytes_need_a_known_digest),
        TEST(data_without_its_journal_is_garbage),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
