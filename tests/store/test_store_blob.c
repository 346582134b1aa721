/* Blobs: what is believed, what is noticed. */
#include <time.h>
#include "store_case.h"

#define MIB ((size_t)1 << 20)

static store_trust open_trust(const store_case *c, const store_file *file)
{
    store_trust trust = STORE_TRUST_SAMPLED;
    int fd = -1;
    assert_ok(store_blob_open(c->s, file, NULL, &fd, &trust, err));
    assert_true(fd >= 0);
    close(fd);
    return trust;
}

/* Change bytes through the file system, keeping size and mtime: only the ctime tells. */
static void damage(const store_case *c, const store_file *file, off_t at)
{
    char path[2 * CASE_PATH];
    struct stat st;
    case_blob_name(c, &file->sha256, path);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(chmod(path, 0600), 0);
    int fd = open(path, O_RDWR);
    uint8_t byte;
    assert_int_equal(pread(fd, &byte, 1, at), 1);
    byte ^= 1;
    assert_int_equal(pwrite(fd, &byte, 1, at), 1);
    const struct timespec times[2] = {st.st_atim, st.st_mtim};
    assert_int_equal(futimens(fd, times), 0);
    close(fd);
    assert_int_equal(chmod(path, 0400), 0);
}

static void absent_is_not_found(void **state)
{
    store_case *c = *state;
    store_file file = {.sha256 = case_digest("x", 1), .size = 1};
    bool here = true;
    uint64_t size;
    int fd;
    assert_ok(store_blob_has(c->s, &file.sha256, 1, &here, err));
    assert_false(here);
    assert_status(store_blob_open(c->s, &file, NULL, &fd, NULL, err), CISTERN_NOT_FOUND, "blobs/");
    assert_status(store_blob_stat(c->s, &file.sha256, &size, err), CISTERN_NOT_FOUND, "blobs/");
    store_damage found;
    assert_status(store_blob_verify(c->s, &file, NULL, &found, err), CISTERN_NOT_FOUND, "blobs/");
    assert_true(found.missing);
}

static void record_is_believed_until_something_changes(void **state)
{
    store_case *c = *state;
    uint8_t *bytes = case_bytes(2 * MIB, 1);
    store_file file = case_put(c, bytes, 2 * MIB);
    char path[2 * CASE_PATH], linked[2 * CASE_PATH];
    bool recorded = false;
    assert_ok(store_blob_recorded(c->s, &file, &recorded, err));
    assert_true(recorded);
    assert_int_equal(open_trust(c, &file), STORE_TRUST_RECORD);
    /* Nothing was changed but the ctime: hashed once, then believed again. */
    case_blob_name(c, &file.sha256, path);
    snprintf(linked, sizeof linked, "%s/linked", c->top);
    assert_int_equal(link(path, linked), 0);
    assert_int_equal(open_trust(c, &file), STORE_TRUST_HASHED);
    assert_int_equal(open_trust(c, &file), STORE_TRUST_RECORD);
    /* A copy in its place is another inode. */
    case_write(case_path(c, "copy"), bytes, 2 * MIB);
    assert_int_equal(rename(case_path(c, "copy"), path), 0);
    assert_int_equal(open_trust(c, &file), STORE_TRUST_HASHED);
    assert_int_equal(open_trust(c, &file), STORE_TRUST_RECORD);
    c->options.verify_always = true;
    case_reopen(c);
    assert_int_equal(open_trust(c, &file), STORE_TRUST_HASHED);
    free(bytes);
}

static void damaged_chunk_is_named(void **state)
{
    store_case *c = *state;
    uint8_t *bytes = case_bytes(13 * MIB, 2);
    store_file file = case_put(c, bytes, 13 * MIB);
    store_damage found = {0};
    int fd;
    damage(c, &file, (off_t)(9 * MIB));
    assert_status(store_blob_open(c->s, &file, NULL, &fd, NULL, err), CISTERN_DAMAGED,
                  "chunk 2 (bytes 8388608 to 12582911) is wrong, 1 of 4 chunks");
    damage(c, &file, (off_t)(13 * MIB - 1));
    assert_status(store_blob_verify(c->s, &file, NULL, &found, err), CISTERN_DAMAGED, "2 of 4 chunks");
    assert_true(found.chunk_known);
    assert_int_equal(found.chunk, 2);
    assert_int_equal(found.offset, 8 * MIB);
    assert_int_equal(found.length, 4 * MIB);
    assert_int_equal(found.chunks_bad, 2);
    /* Without the list the whole digest still decides. */
    store_file blind = file;
    memset(&blind.chunks, 0, sizeof blind.chunks);
    assert_status(store_blob_verify(c->s, &blind, NULL, &found, err), CISTERN_DAMAGED, "SHA-256");
    free(bytes);
}

typedef struct meddler {
    const store_case *c;
    const store_file *file;
    bool done;
} meddler;

static void change_what_was_hashed(void *user, const base_progress *p)
{
    meddler *m = user;
    if (!m->done && p->done > 0)
        damage(m->c, m->file, 0);
    m->done = true;
}

/* Changed behind the hashing, its size and mtime as before: what was hashed was right, but it is not recorded. */
static void changed_while_hashed_is_not_recorded(void **state)
{
    store_case *c = *state;
    uint8_t *bytes = case_bytes(13 * MIB, 12);
    store_file file = case_put(c, bytes, 13 * MIB);
    meddler m = {.c = c, .file = &file};
    base_run run = {.progress = change_what_was_hashed, .progress_user = &m};
    store_trust trust;
    int fd;
    case_remove_tree(c->state);
    assert_ok(store_blob_open(c->s, &file, &run, &fd, &trust, err));
    close(fd);
    assert_true(m.done);
    assert_int_equal(trust, STORE_TRUST_HASHED);
    assert_status(store_blob_open(c->s, &file, NULL, &fd, &trust, err), CISTERN_DAMAGED, "chunk 0");
    free(bytes);
}

static void wrong_size_is_damaged_and_counts_as_absent(void **state)
{
    store_case *c = *state;
    uint8_t *bytes = case_bytes(MIB, 3);
    store_file file = case_put(c, bytes, MIB);
    char path[2 * CASE_PATH];
    bool here = true;
    int fd;
    case_blob_name(c, &file.sha256, path);
    assert_int_equal(chmod(path, 0600), 0);
    assert_int_equal(truncate(path, 1000), 0);
    assert_status(store_blob_open(c->s, &file, NULL, &fd, NULL, err), CISTERN_DAMAGED,
                  "it has 1000 bytes, 1048576 expected");
    assert_ok(store_blob_has(c->s, &file.sha256, MIB, &here, err));
    assert_false(here);
    free(bytes);
}

static void link_fifo_or_directory_in_place_of_a_blob(void **state)
{
    store_case *c = *state;
    uint8_t *bytes = case_bytes(MIB, 4);
    store_file file = case_put(c, bytes, MIB);
    char path[2 * CASE_PATH];
    int fd;
    case_blob_name(c, &file.sha256, path);
    for (int kind = 0; kind < 3; kind++) {
        bool here = true;
        assert_int_equal(kind == 0 ? rename(path, case_path(c, "moved")) : remove(path), 0);
        assert_int_equal(kind == 0   ? symlink(case_path(c, "moved"), path)
                         : kind == 1 ? mkfifo(path, 0600)
                                     : mkdir(path, 0700),
                         0);
        assert_status(store_blob_open(c->s, &file, NULL, &fd, NULL, err), CISTERN_DAMAGED, "blobs/");
        assert_status(store_blob_verify(c->s, &file, NULL, NULL, err), CISTERN_DAMAGED, "blobs/");
        assert_ok(store_blob_has(c->s, &file.sha256, MIB, &here, err));
        assert_false(here);
    }
    free(bytes);
}

static void record_that_others_may_write_is_not_believed(void **state)
{
    store_case *c = *state;
    uint8_t *bytes = case_bytes(MIB, 5);
    store_file file = case_put(c, bytes, MIB);
    char hex[BASE_SHA256_HEX], record[4 * CASE_PATH];
    base_digest_hex(&file.sha256, hex);
    snprintf(record, sizeof record, "%s/identity/%s/%s", c->state, store_id(c->s), hex);
    assert_int_equal(chmod(record, 0666), 0);
    assert_int_equal(open_trust(c, &file), STORE_TRUST_HASHED);
    assert_int_equal(open_trust(c, &file), STORE_TRUST_RECORD);
    if (geteuid() == 0) {
        assert_int_equal(chown(record, 12345, 12345), 0);
        assert_int_equal(open_trust(c, &file), STORE_TRUST_HASHED);
    }
    case_write(record, "cistern identity 1 garbage\n", 27);
    assert_int_equal(open_trust(c, &file), STORE_TRUST_HASHED);
    free(bytes);
}

static void without_a_place_for_records_ends_are_compared(void **state)
{
    store_case *c = *state;
    uint8_t *bytes = case_bytes(13 * MIB, 6);
    store_file file = case_put(c, bytes, 13 * MIB);
    int fd;
    c->options.state_dir = NULL;
    case_reopen(c);
    assert_int_equal(open_trust(c, &file), STORE_TRUST_SAMPLED);
    store_file blind = file;
    memset(&blind.chunks, 0, sizeof blind.chunks);
    assert_int_equal(open_trust(c, &blind), STORE_TRUST_HASHED); /* nothing to compare with */
    damage(c, &file, (off_t)(13 * MIB - 1));
    assert_status(store_blob_open(c->s, &file, NULL, &fd, NULL, err), CISTERN_DAMAGED, "chunk 3");
    damage(c, &file, (off_t)(13 * MIB - 1));
    damage(c, &file, 0);
    assert_status(store_blob_open(c->s, &file, NULL, &fd, NULL, err), CISTERN_DAMAGED, "chunk 0");
    free(bytes);
}

static void damaged_blob_is_set_aside_when_the_right_bytes_come(void **state)
{
    store_case *c = *state;
    uint8_t *bytes = case_bytes(5 * MIB, 7);
    store_file file = case_put(c, bytes, 5 * MIB);
    damage(c, &file, 77);
    store_file again = case_put(c, bytes, 5 * MIB);
    assert_memory_equal(&again, &file, sizeof file);
    assert_true(case_has_blob(c, bytes, 5 * MIB));
    assert_int_equal(case_entries(c, "damaged"), 1);
    assert_int_equal(open_trust(c, &file), STORE_TRUST_RECORD);
    free(bytes);
}

static void opened_blob_outlives_its_name(void **state)
{
    store_case *c = *state;
    uint8_t *bytes = case_bytes(MIB, 8), byte;
    store_file file = case_put(c, bytes, MIB);
    char path[2 * CASE_PATH];
    int fd;
    assert_ok(store_blob_open(c->s, &file, NULL, &fd, NULL, err));
    case_blob_name(c, &file.sha256, path);
    assert_int_equal(unlink(path), 0);
    assert_ok(base_pread_full(fd, &byte, 1, MIB - 1, err));
    assert_int_equal(byte, bytes[MIB - 1]);
    close(fd);
    free(bytes);
}

typedef struct hashing {
    store_case *c;
    store_file file;
} hashing;

static int open_hashed(void *arg)
{
    hashing *h = arg;
    store_trust trust;
    int fd;
    if (store_blob_open(h->c->s, &h->file, NULL, &fd, &trust, NULL) != CISTERN_OK)
        return 100;
    return trust == STORE_TRUST_HASHED;
}

/* Many processes open a blob without a record at once: one hashes, the others wait for its record. */
static void many_openers_hash_once(void **state)
{
    store_case *c = *state;
    uint8_t *bytes = case_bytes(24 * MIB, 9);
    hashing h = {.c = c, .file = case_put(c, bytes, 24 * MIB)};
    pid_t pid[6];
    int hashed = 0;
    case_remove_tree(c->state);
    fflush(NULL);
    for (int i = 0; i < 6; i++) {
        pid[i] = fork();
        if (pid[i] == 0)
            _exit(open_hashed(&h));
    }
    for (int i = 0; i < 6; i++) {
        int status;
        waitpid(pid[i], &status, 0);
        assert_true(WIFEXITED(status) && WEXITSTATUS(status) <= 1);
        hashed += WEXITSTATUS(status);
    }
    assert_int_equal(hashed, 1);
    free(bytes);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, case_setup, case_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(absent_is_not_found),
        TEST(record_is_believed_until_something_changes),
        TEST(damaged_chunk_is_named),
        TEST(changed_while_hashed_is_not_recorded),
        TEST(wrong_size_is_damaged_and_counts_as_absent),
        TEST(link_fifo_or_directory_in_place_of_a_blob),
        TEST(record_that_others_may_write_is_not_believed),
        TEST(without_a_place_for_records_ends_are_compared),
        TEST(damaged_blob_is_set_aside_when_the_right_bytes_come),
        TEST(opened_blob_outlives_its_name),
        TEST(many_openers_hash_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
