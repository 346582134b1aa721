/* Fetching from a source: ranges, resumption, faults. The source is scripted and in memory. */
#include "fake_source.h"

#define MIB ((size_t)1 << 20)

typedef struct fetch_case {
    store_fetch_want want;
    store_fetch_got got;
    cistern_error error;
    cistern_status status;
} fetch_case;

static base_digest key_of(const char *origin)
{
    base_digest key;
    assert_ok(store_fetch_key(NULL, origin, &key, err));
    return key;
}

/* begin, copy, publish if that went well, end. */
static void fetch(store_case *c, fake_source *source, fetch_case *f)
{
    store_fetch *fetching = NULL;
    base_digest key = key_of("fake:source");
    if (f->want.sha256)
        assert_ok(store_fetch_key(f->want.sha256, NULL, &key, err));
    f->error = (cistern_error)CISTERN_ERROR_INIT;
    assert_ok(store_fetch_begin(c->s, &key, 0, NULL, &fetching, err));
    assert_non_null(fetching);
    f->status = store_fetch_copy(fetching, &source->base, &f->want, NULL, &f->got, &f->error);
    if (f->status == CISTERN_OK)
        assert_ok(store_fetch_publish(fetching, NULL, err));
    store_fetch_end(fetching, f->status, &f->error);
}

static void init_case(fetch_case *f)
{
    memset(f, 0, sizeof *f);
    f->want = (store_fetch_want)STORE_FETCH_WANT_INIT;
    f->want.piece = MIB;
}

static void assert_message(const fetch_case *f, cistern_status status, const char *piece)
{
    char text[2048];
    cistern_error_format(&f->error, text, sizeof text);
    if (f->status != status || strstr(text, piece) == NULL)
        fail_msg("%s: %s", cistern_status_name(f->status), text);
}

static void ranged_fetch_is_one_blob(void **state)
{
    store_case *c = *state;
    size_t n = 21 * MIB + 12345;
    uint8_t *bytes = case_bytes(n, 1);
    fake_source source;
    fetch_case f;
    fake_init(&source, bytes, n);
    source.meet = 4;
    init_case(&f);
    fetch(c, &source, &f);
    assert_int_equal(f.status, CISTERN_OK);
    assert_int_equal(f.got.file.size, n);
    assert_int_equal(f.got.transferred, n);
    assert_int_equal(f.got.requests, 22);
    assert_int_equal(source.most_running, 4);
    assert_true(case_has_blob(c, bytes, n));
    assert_int_equal(case_partials(c), 0);
    store_trust trust;
    int fd;
    assert_ok(store_blob_open(c->s, &f.got.file, NULL, &fd, &trust, err));
    assert_int_equal(trust, STORE_TRUST_RECORD); /* fetching took the record: nothing is hashed again */
    close(fd);
    assert_ok(store_blob_verify(c->s, &f.got.file, NULL, NULL, err));
    free(bytes);
}

static void sizes_around_the_edges(void **state)
{
    store_case *c = *state;
    static const size_t sizes[] = {0,       1,           31,      MIB - 1,     MIB,
                                   MIB + 1, 4 * MIB - 1, 4 * MIB, 4 * MIB + 1, 8 * MIB};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        uint8_t *bytes = case_bytes(sizes[i], 10 + i);
        fake_source source;
        fetch_case f;
        fake_init(&source, bytes, sizes[i]);
        init_case(&f);
        fetch(c, &source, &f);
        assert_int_equal(f.status, CISTERN_OK);
        assert_true(case_has_blob(c, bytes, sizes[i]));
        assert_ok(store_blob_verify(c->s, &f.got.file, NULL, NULL, err));
        store_chunks list;
        assert_ok(store_chunks_read(c->s, &f.got.file, &list, err));
        assert_int_equal(list.count, (sizes[i] + 4 * MIB - 1) / (4 * MIB));
        for (size_t k = 0; k < list.count; k++) {
            size_t left = sizes[i] - k * 4 * MIB;
            base_digest d = case_digest(bytes + k * 4 * MIB, left < 4 * MIB ? left : 4 * MIB);
            assert_true(base_digest_equal(&d, &list.digest[k]));
        }
        store_chunks_clear(&list);
        free(bytes);
    }
}

static void put_twice_is_one_blob(void **state)
{
    store_case *c = *state;
    uint8_t *bytes = case_bytes(MIB, 2);
    char path[2 * CASE_PATH];
    struct stat before, after;
    store_file first = case_put(c, bytes, MIB);
    case_blob_name(c, &first.sha256, path);
    assert_int_equal(stat(path, &before), 0);
    store_file second = case_put(c, bytes, MIB);
    assert_int_equal(stat(path, &after), 0);
    assert_memory_equal(&first, &second, sizeof first);
    assert_int_equal(before.st_ino, after.st_ino);
    assert_int_equal(after.st_nlink, 1);
    assert_int_equal(after.st_mode & 07777, 0400);
    assert_int_equal(case_partials(c), 0);
    free(bytes);
}

static void expected_digest_is_honoured(void **state)
{
    store_case *c = *state;
    uint8_t *bytes = case_bytes(3 * MIB, 3);
    base_digest right = case_digest(bytes, 3 * MIB), wrong = case_digest("x", 1);
    char hex[BASE_SHA256_HEX];
    fake_source source;
    fetch_case f;
    fake_init(&source, bytes, 3 * MIB);
    init_case(&f);
    f.want.sha256 = &wrong;
    fetch(c, &source, &f);
    base_digest_hex(&right, hex);
    assert_message(&f, CISTERN_DAMAGED, hex);
    base_digest_hex(&wrong, hex);
    assert_message(&f, CISTERN_DAMAGED, hex);
    assert_int_equal(case_partials(c), 0);
    assert_int_equal(case_entries(c, "blobs"), 0);
    f.want.sha256 = &right;
    fetch(c, &source, &f);
    assert_int_equal(f.status, CISTERN_OK);
    free(bytes);
}

static void html_page_is_named_when_the_digest_is_wrong(void **state)
{
    store_case *c = *state;
    uint8_t *bytes = case_bytes(1000, 4);
    base_digest wrong = case_digest("x", 1);
    fake_source source;
    fetch_case f;
    fake_init(&source, bytes, 1000);
    source.content_type = "text/html; charset=utf-8";
    init_case(&f);
    f.want.sha256 = &wrong;
    fetch(c, &source, &f);
    assert_message(&f, CISTERN_DAMAGED, "HTML page");
    free(bytes);
}

static void wrong_length_costs_no_bytes(void **state)
{
    store_case *c = *state;
    uint8_t *bytes = case_bytes(MIB, 5);
    fake_source source;
    fetch_case f;
    fake_init(&source, bytes, MIB);
    init_case(&f);
    f.want.length_known = true;
    f.want.length = MIB + 1;
    fetch(c, &source, &f);
    assert_message(&f, CISTERN_DAMAGED, "1048577 expected");
    assert_int_equal(source.sent, 0);
    assert_int_equal(case_partials(c), 0);
    free(bytes);
}

static void cut_is_tried_again_from_there(void **state)
{
    store_case *c = *state;
    uint8_t *bytes = case_bytes(8 * MIB, 6);
    fake_source source;
    fetch_case f;
    fake_init(&source, bytes, 8 * MIB);
    source.cut_after = 300000;
    source.cut_times = 6;
    init_case(&f);
    fetch(c, &source, &f);
    assert_int_equal(f.status, CISTERN_OK);
    assert_int_equal(source.sent, 8 * MIB); /* not one byte twice */
    assert_int_equal(source.reads, 8 + 6);
    assert_true(case_has_blob(c, bytes, 8 * MIB));
    free(bytes);
}

static void lost_for_good_is_kept_and_resumed(void **state)
{
    store_case *c = *state;
    uint8_t *bytes = case_bytes(8 * MIB, 7);
    fake_source source;
    fetch_case f;
    fake_init(&source, bytes, 8 * MIB);
    source.cut_after = 700000;
    source.cut_times = 1000;
    source.options.tries = 1;
    init_case(&f);
    f.want.parallel = 2;
    fetch(c, &source, &f);
    assert_message(&f, CISTERN_NETWORK, "the same command goes on from there");
    assert_int_equal(case_partials(c), 0 + 1);
    uint64_t sent = source.sent;
    assert_true(sent >= 700000);
    source.cut_times = 0;
    fetch(c, &source, &f);
    assert_int_equal(f.status, CISTERN_OK);
    assert_true(f.got.resumed > 0);
    assert_int_equal(source.sent, 8 * MIB); /* what came before the cut is not sent again */
    assert_int_equal(f.got.resumed + f.got.transferred, 8 * MIB);
    assert_true(case_has_blob(c, bytes, 8 * MIB));
    assert_int_equal(case_partials(c), 0);
    free(bytes);
}

static void changed_midway_is_a_clean_restart(void **state)
{
    store_case *c = *state;
    for (size_t size = 7 * MIB; size <= 8 * MIB; size += MIB) { /* of another size, and of the same */
        uint8_t *bytes = case_bytes(8 * MIB, 8), *other = case_bytes(size, 9 + size);
        fake_source source;
        fetch_case f;
        fake_init(&source, bytes, 8 * MIB);
        source.change_at = 4;
        source.changed_bytes = other;
        source.changed_size = size;
        init_case(&f);
        fetch(c, &source, &f);
        assert_int_equal(f.status, CISTERN_OK);
        assert_int_equal(f.got.file.size, size);
        assert_true(case_has_blob(c, other, size));
        assert_int_equal(case_entries(c, "blobs/sha256"), size == 7 * MIB ? 1 : 2); /* and no mixture */
        assert_string_equal(f.got.stat.etag, "\"two\"");
        free(bytes);
        free(other);
    }
}

/* It changes at every request: at last one plain request, which cannot mix two states. */
static void changing_all_the_time_ends_with_one_plain_request(void **state)
{
    store_case *c = *state;
    uint8_t *bytes = case_bytes(8 * MIB, 8);
    fake_source source;
    fetch_case f;
    fake_init(&source, bytes, 8 * MIB);
    source.change_at = 1;
    source.changed_bytes = bytes;
    source.changed_size = 8 * MIB;
    source.flickers = true;
    init_case(&f);
    fetch(c, &source, &f);
    assert_int_equal(f.status, CISTERN_OK);
    assert_int_equal(source.stats, 3 + 1);
    assert_true(case_has_blob(c, bytes, 8 * MIB));
    free(bytes);
}

static void changed_between_two_commands_is_a_clean_restart(void **state)
{
    store_case *c = *state;
    uint8_t *bytes = case_bytes(8 * MIB, 8), *other = case_bytes(8 * MIB, 9);
    fake_source source;
    fetch_case f;
    fake_init(&source, bytes, 8 * MIB);
    source.cut_after = MIB / 2;
    source.cut_times = 1;
    source.options.tries = 1;
    init_case(&f);
    fetch(c, &source, &f);
    assert_int_equal(f.status, CISTERN_NETWORK);
    fake_init(&source, other, 8 * MIB);
    source.etag = "\"two\"";
    fetch(c, &source, &f);
    assert_int_equal(f.status, CISTERN_OK);
    assert_int_equal(f.got.resumed, 0);
    assert_true(case_has_blob(c, other, 8 * MIB));
    assert_int_equal(case_partials(c), 0);
    free(bytes);
    free(other);
}

static void ranges_ignored_is_one_plain_request(void **state)
{
    store_case *c = *state;
    uint8_t *bytes = case_bytes(8 * MIB, 10);
    fake_source source;
    fetch_case f;
    fake_init(&source, bytes, 8 * MIB);
    source.ignores_ranges = true;
    init_case(&f);
    fetch(c, &source, &f);
    assert_int_equal(f.status, CISTERN_OK);
    assert_int_equal(source.sent, 8 * MIB);
    assert_true(case_has_blob(c, bytes, 8 * MIB));
    free(bytes);
}

/* Without a strong validator and an expected digest the bytes of two answers could be of two objects. */
static void no_strong_validator_is_one_plain_request(void **state)
{
    store_case *c = *state;
    static const char *const etags[] = {"", "W/\"weak\""};
    for (size_t i = 0; i < 2; i++) {
        uint8_t *bytes = case_bytes(4 * MIB, 11 + i);
        fake_source source;
        fetch_case f;
        fake_init(&source, bytes, 4 * MIB);
        source.etag = etags[i];
        source.cut_after = 3 * MIB;
        source.cut_times = 1;
        init_case(&f);
        fetch(c, &source, &f);
        assert_int_equal(f.status, CISTERN_OK);
        assert_int_equal(source.most_running, 1);
        assert_int_equal(source.reads, 2);
        assert_int_equal(source.sent, 7 * MIB); /* from byte 0 again */
        assert_true(case_has_blob(c, bytes, 4 * MIB));
        free(bytes);
    }
}

static void no_validator_and_cut_for_good_keeps_nothing(void **state)
{
    store_case *c = *state;
    uint8_t *bytes = case_bytes(4 * MIB, 13);
    fake_source source;
    fetch_case f;
    fake_init(&source, bytes, 4 * MIB);
    source.etag = "";
    source.cut_after = 3 * MIB;
    source.cut_times = 1000;
    init_case(&f);
    fetch(c, &source, &f);
    assert_int_equal(f.status, CISTERN_NETWORK);
    assert_int_equal(source.reads, 5); /* the tries are counted although each of them brought bytes */
    assert_int_equal(case_partials(c), 0);
    free(bytes);
}

static void no_validator_but_digest_resumes(void **state)
{
    store_case *c = *state;
    uint8_t *bytes = case_bytes(8 * MIB, 14);
    base_digest digest = case_digest(bytes, 8 * MIB);
    fake_source source;
    fetch_case f;
    fake_init(&source, bytes, 8 * MIB);
    source.etag = "";
    source.cut_after = MIB / 2;
    source.cut_times = 1;
    source.options.tries = 1;
    init_case(&f);
    f.want.sha256 = &digest;
    fetch(c, &source, &f);
    assert_int_equal(f.status, CISTERN_NETWORK);
    fetch(c, &source, &f);
    assert_int_equal(f.status, CISTERN_OK);
    assert_true(f.got.resumed > 0);
    free(bytes);
}

/* The file was replaced between two commands, and only the expected digest can show it. */
static void wrong_bytes_from_before_are_thrown_away(void **state)
{
    store_case *c = *state;
    uint8_t *old = case_bytes(8 * MIB, 15), *bytes = case_bytes(8 * MIB, 16);
    base_digest digest = case_digest(bytes, 8 * MIB);
    fake_source source;
    fetch_case f;
    fake_init(&source, old, 8 * MIB);
    source.etag = "";
    source.cut_after = MIB / 2;
    source.cut_times = 1;
    source.options.tries = 1;
    init_case(&f);
    f.want.sha256 = &digest;
    fetch(c, &source, &f);
    assert_int_equal(f.status, CISTERN_NETWORK);
    source.bytes = bytes;
    fetch(c, &source, &f);
    assert_int_equal(f.status, CISTERN_OK);
    assert_true(case_has_blob(c, bytes, 8 * MIB));
    assert_int_equal(case_partials(c), 0);
    free(old);
    free(bytes);
}

static void unknown_size_is_one_plain_request(void **state)
{
    store_case *c = *state;
    uint8_t *bytes = case_bytes(5 * MIB + 3, 17);
    fake_source source;
    fetch_case f;
    fake_init(&source, bytes, 5 * MIB + 3);
    source.no_size = true;
    init_case(&f);
    fetch(c, &source, &f);
    assert_int_equal(f.status, CISTERN_OK);
    assert_int_equal(f.got.file.size, 5 * MIB + 3);
    assert_true(case_has_blob(c, bytes, 5 * MIB + 3));
    free(bytes);
}

static void lasting_failure_is_not_tried_again(void **state)
{
    store_case *c = *state;
    uint8_t *bytes = case_bytes(1000, 18);
    fake_source source;
    fetch_case f;
    fake_init(&source, bytes, 1000);
    source.failure = CISTERN_REFUSED;
    init_case(&f);
    fetch(c, &source, &f);
    assert_message(&f, CISTERN_REFUSED, "fake failure");
    assert_int_equal(source.stats, 1);
    assert_int_equal(source.reads, 0);
    assert_int_equal(case_partials(c), 0);
    free(bytes);
}

/* Parsing found it unreadable: a second try does not fetch it again. */
static void unreadable_is_kept_complete(void **state)
{
    store_case *c = *state;
    uint8_t *bytes = case_bytes(6 * MIB, 19);
    for (int known = 0; known < 2; known++) {
        base_digest key, digest = case_digest(bytes, 6 * MIB);
        store_fetch_want want = STORE_FETCH_WANT_INIT;
        store_fetch_got got;
        fake_source source;
        fake_init(&source, bytes, 6 * MIB);
        want.sha256 = known ? &digest : NULL;
        assert_ok(store_fetch_key(want.sha256, "fake:source", &key, err));
        for (int round = 0; round < 3; round++) {
            store_fetch *fetching = NULL;
            assert_ok(store_fetch_begin(c->s, &key, 0, NULL, &fetching, err));
            assert_ok(store_fetch_copy(fetching, &source.base, &want, NULL, &got, err));
            uint8_t byte;
            assert_ok(base_pread_full(store_fetch_fd(fetching), &byte, 1, 6 * MIB - 1, err));
            assert_int_equal(byte, bytes[6 * MIB - 1]);
            assert_int_equal(got.transferred, round == 0 ? 6 * MIB : 0);
            assert_int_equal(got.resumed, round == 0 ? 0 : 6 * MIB);
            assert_true(base_digest_equal(&got.file.sha256, &digest));
            if (round == 2)
                store_fetch_drop(fetching);
            store_fetch_end(fetching, CISTERN_UNREADABLE, NULL);
            assert_int_equal(case_partials(c), round == 2 ? 0 : 1);
        }
        assert_int_equal(source.sent, 6 * MIB);
        assert_int_equal(source.stats, known ? 1 : 3); /* a known digest needs no request at all */
    }
    free(bytes);
}

struct late_cancel {
    fake_source *source;
    base_cancel *cancel;
};

static void *set_after_the_cut(void *arg)
{
    struct late_cancel *late = arg;
    while (atomic_load(&late->source->cut_times) > 0 || atomic_load(&late->source->running) > 0)
        base_sleep_ms(1);
    atomic_store(&late->cancel->set, 1);
    return NULL;
}

static void cancel_comes_through_and_keeps_what_is_there(void **state)
{
    store_case *c = *state;
    uint8_t *bytes = case_bytes(8 * MIB, 20);
    base_digest key = key_of("fake:source");
    base_cancel cancel = {.set = 0};
    base_run run = {.cancel = &cancel};
    store_fetch *fetching = NULL;
    store_fetch_want want = STORE_FETCH_WANT_INIT;
    store_fetch_got got;
    fake_source source;
    fetch_case f;
    fake_init(&source, bytes, 8 * MIB);
    source.cut_after = 2 * MIB + 5;
    source.cut_times = 1;
    source.options.backoff_first_ms = 60000; /* it will be waiting when the cancel comes */
    source.options.backoff_max_ms = 60000;
    want.parallel = 1;
    assert_ok(store_fetch_begin(c->s, &key, 0, NULL, &fetching, err));
    base_thread canceller;
    struct late_cancel late = {&source, &cancel};
    assert_ok(base_thread_start(&canceller, set_after_the_cut, &late, err));
    assert_status(store_fetch_copy(fetching, &source.base, &want, &run, &got, err), CISTERN_CANCELLED,
                  "interrupted");
    base_thread_join(&canceller);
    store_fetch_end(fetching, CISTERN_CANCELLED, NULL);
    source.cut_times = 0;
    init_case(&f);
    fetch(c, &source, &f);
    assert_int_equal(f.status, CISTERN_OK);
    assert_true(f.got.resumed >= 2 * MIB);
    free(bytes);
}

typedef struct progress_seen {
    int calls, lasts;
    uint64_t most;
    bool fell;
    pthread_t thread;
} progress_seen;

static void see_progress(void *user, const base_progress *p)
{
    progress_seen *seen = user;
    seen->calls++;
    seen->lasts += p->last;
    seen->fell = seen->fell || p->done < seen->most || !pthread_equal(seen->thread, pthread_self());
    seen->most = p->done;
}

static void progress_rises_on_the_callers_thread(void **state)
{
    store_case *c = *state;
    uint8_t *bytes = case_bytes(8 * MIB, 21);
    base_digest key = key_of("fake:source");
    progress_seen seen = {.thread = pthread_self()};
    base_run run = {.progress = see_progress, .progress_user = &seen};
    store_fetch *fetching = NULL;
    store_fetch_want want = STORE_FETCH_WANT_INIT;
    store_fetch_got got;
    fake_source source;
    fake_init(&source, bytes, 8 * MIB);
    source.step_ms = 2;
    assert_ok(store_fetch_begin(c->s, &key, 0, NULL, &fetching, err));
    assert_ok(store_fetch_copy(fetching, &source.base, &want, &run, &got, err));
    store_fetch_end(fetching, CISTERN_OK, NULL);
    assert_true(seen.calls >= 2);
    assert_int_equal(seen.lasts, 1);
    assert_int_equal(seen.most, 8 * MIB);
    assert_false(seen.fell);
    free(bytes);
}

/* -- local files -------------------------------------------------------------------------------------------- */

static void added_file_that_changes_is_a_conflict(void **state)
{
    store_case *c = *state;
    uint8_t *bytes = case_bytes(3 * MIB, 22);
    base_digest key = key_of("file");
    store_fetch *fetching = NULL;
    store_fetch_want want = STORE_FETCH_WANT_INIT;
    store_fetch_got got;
    const char *path = case_path(c, "changing.bin");
    case_write(path, bytes, 3 * MIB);
    int fd = open(path, O_RDWR);
    void change_it(void *user, const base_progress *p);
    base_run run = {.progress = change_it, .progress_user = &fd};
    assert_ok(store_fetch_begin(c->s, &key, 0, NULL, &fetching, err));
    assert_status(store_fetch_add(fetching, fd, "changing.bin", &want, &run, &got, err), CISTERN_CONFLICT,
                  "changed while");
    store_fetch_end(fetching, CISTERN_CONFLICT, NULL);
    assert_int_equal(case_partials(c), 0);
    assert_int_equal(case_entries(c, "blobs"), 0);
    close(fd);
    free(bytes);
}

void change_it(void *user, const base_progress *p);
void change_it(void *user, const base_progress *p)
{
    (void)p;
    assert_int_equal(pwrite(*(int *)user, "changed", 7, 100), 7);
}

static void added_file_leaves_nothing_when_refused(void **state)
{
    store_case *c = *state;
    uint8_t *bytes = case_bytes(MIB, 23);
    base_digest key = key_of("file"), wrong = case_digest("x", 1);
    store_fetch_want want = STORE_FETCH_WANT_INIT;
    store_fetch_got got;
    const char *path = case_path(c, "a.bin");
    case_write(path, bytes, MIB);
    int fd = open(path, O_RDONLY);
    for (int round = 0; round < 2; round++) {
        store_fetch *fetching = NULL;
        assert_ok(store_fetch_begin(c->s, &key, 0, NULL, &fetching, err));
        want.sha256 = round == 0 ? &wrong : NULL;
        if (round == 0)
            assert_status(store_fetch_add(fetching, fd, "a.bin", &want, NULL, &got, err), CISTERN_DAMAGED,
                          "expected");
        else
            assert_ok(store_fetch_add(fetching, fd, "a.bin", &want, NULL, &got, err));
        store_fetch_end(fetching, round == 0 ? CISTERN_DAMAGED : CISTERN_UNREADABLE, NULL);
        assert_int_equal(case_partials(c), 0);
    }
    close(fd);
    free(bytes);
}

static void directory_is_not_added(void **state)
{
    store_case *c = *state;
    base_digest key = key_of("file");
    store_fetch *fetching = NULL;
    store_fetch_want want = STORE_FETCH_WANT_INIT;
    store_fetch_got got;
    int fd = open(c->top, O_RDONLY);
    assert_ok(store_fetch_begin(c->s, &key, 0, NULL, &fetching, err));
    assert_status(store_fetch_add(fetching, fd, "top", &want, NULL, &got, err), CISTERN_USAGE,
                  "not a regular file");
    store_fetch_end(fetching, CISTERN_USAGE, NULL);
    close(fd);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, case_setup, case_teardown)

static void keep_warning(void *user, int level, const char *line)
{
    if (level == 0)
        snprintf(user, 512, "%s", line);
}

static void an_end_that_proves_nothing_is_told(void **state)
{
    store_case *c = *state;
    uint8_t *bytes = case_bytes(10000, 3);
    base_digest digest = case_digest(bytes, 10000);
    for (int round = 0; round < 3; round++) { /* unproven; proven; unproven, but the digest is known */
        char warning[512] = "";
        base_log log = {keep_warning, warning};
        base_run run = {.log = &log};
        fake_source source;
        store_fetch *fetching = NULL;
        store_fetch_got got;
        store_fetch_want want = STORE_FETCH_WANT_INIT;
        base_digest key = key_of(round ? "fake:b" : "fake:a");
        fake_init(&source, bytes, 10000);
        source.etag = "";
        source.no_size = true;
        source.end_unproven = round != 1;
        want.sha256 = round == 2 ? &digest : NULL;
        assert_ok(store_fetch_begin(c->s, &key, 0, NULL, &fetching, err));
        assert_ok(store_fetch_copy(fetching, &source.base, &want, &run, &got, err));
        store_fetch_end(fetching, CISTERN_CANCELLED, NULL);
        if (round == 0)
            assert_non_null(strstr(warning, "cannot be proven; give --sha256"));
        else
            assert_string_equal(warning, "");
    }
    free(bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(ranged_fetch_is_one_blob),
        TEST(sizes_around_the_edges),
        TEST(put_twice_is_one_blob),
        TEST(expected_digest_is_honoured),
        TEST(html_page_is_named_when_the_digest_is_wrong),
        TEST(wrong_length_costs_no_bytes),
        TEST(cut_is_tried_again_from_there),
        TEST(lost_for_good_is_kept_and_resumed),
        TEST(changed_midway_is_a_clean_restart),
        TEST(changing_all_the_time_ends_with_one_plain_request),
        TEST(changed_between_two_commands_is_a_clean_restart),
        TEST(ranges_ignored_is_one_plain_request),
        TEST(no_strong_validator_is_one_plain_request),
        TEST(no_validator_and_cut_for_good_keeps_nothing),
        TEST(no_validator_but_digest_resumes),
        TEST(wrong_bytes_from_before_are_thrown_away),
        TEST(unknown_size_is_one_plain_request),
        TEST(lasting_failure_is_not_tried_again),
        TEST(unreadable_is_kept_complete),
        TEST(cancel_comes_through_and_keeps_what_is_there),
        TEST(progress_rises_on_the_callers_thread),
        TEST(added_file_that_changes_is_a_conflict),
        TEST(added_file_leaves_nothing_when_refused),
        TEST(directory_is_not_added),
        TEST(an_end_that_proves_nothing_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
