/* A process that ends at every step between two changes on disk: nothing bad under a trusted name, and the next one
 * goes on. The steps are those of store_options.fault. */
#include <signal.h>
#include "fake_source.h"

#define MIB     ((size_t)1 << 20)
#define SIZE    (3 * MIB + 777)
#define CRASHED (1000 + SIGKILL)

typedef struct crash {
    store_case *c;
    fake_source *source; /* shared memory: it counts over all processes */
    base_digest digest;
    bool digest_known, local;
    atomic_int steps;            /* until the end; of the child */
    _Atomic(const char *) point; /* the last step; a literal, so every process of one program sees the same */
} crash;

static void step(void *user, const char *point)
{
    crash *k = user;
    atomic_store(&k->point, point);
    if (atomic_fetch_sub(&k->steps, 1) == 1)
        kill(getpid(), SIGKILL);
}

static int pull(void *arg)
{
    crash *k = arg;
    store *s = NULL;
    store_fetch *fetch = NULL;
    store_fetch_got got;
    store_fetch_want want = STORE_FETCH_WANT_INIT;
    base_digest key;
    store_options options = k->c->options;
    cistern_error error = CISTERN_ERROR_INIT;
    options.fault = step;
    options.fault_user = k;
    want.piece = MIB / 2;
    want.parallel = 2;
    want.sha256 = k->digest_known ? &k->digest : NULL;
    cistern_status status = store_open(k->c->root, &options, &s, &error);
    if (status == CISTERN_OK)
        status = store_fetch_key(want.sha256, "fake:source", &key, &error);
    if (status == CISTERN_OK)
        status = store_fetch_begin(s, &key, STORE_WAIT_FOREVER, NULL, &fetch, &error);
    bool here = false;
    if (status == CISTERN_OK)
        status = store_blob_has(s, &k->digest, SIZE, &here, &error);
    if (status == CISTERN_OK && !here) {
        int fd = k->local ? open(case_path(k->c, "local.bin"), O_RDONLY) : -1;
        status = k->local ? store_fetch_add(fetch, fd, "local.bin", &want, NULL, &got, &error)
                          : store_fetch_copy(fetch, &k->source->base, &want, NULL, &got, &error);
        if (status == CISTERN_OK)
            status = store_fetch_publish(fetch, NULL, &error);
        if (fd >= 0)
            close(fd);
    }
    store_fetch_end(fetch, status, &error);
    store_free(s);
    if (status != CISTERN_OK)
        fprintf(stderr, "%s\n", error.text);
    return (int)status;
}

static crash *make_crash(store_case *c, const uint8_t *bytes)
{
    crash *k = case_shared(c, sizeof *k);
    fake_source *source = case_shared(c, sizeof *source);
    fake_init(source, bytes, SIZE);
    source->step = MIB / 4;
    k->c = c;
    k->source = source;
    k->digest = case_digest(bytes, SIZE);
    c->options.takeover_ms = 3600000; /* everything must be proven */
    return k;
}

/* Every file under blobs/ has the SHA-256 that its name says. */
static void assert_blobs_good(const store_case *c)
{
    char top[2 * CASE_PATH];
    snprintf(top, sizeof top, "%s/blobs/sha256", c->root);
    DIR *fans = opendir(top);
    for (struct dirent *fan; fans && (fan = readdir(fans)) != NULL;) {
        char dir[4 * CASE_PATH];
        if (fan->d_name[0] == '.')
            continue;
        snprintf(dir, sizeof dir, "%s/%s", top, fan->d_name);
        DIR *blobs = opendir(dir);
        for (struct dirent *blob; blobs && (blob = readdir(blobs)) != NULL;) {
            char path[6 * CASE_PATH], hex[BASE_SHA256_HEX];
            base_buf bytes;
            if (blob->d_name[0] == '.')
                continue;
            snprintf(path, sizeof path, "%s/%s", dir, blob->d_name);
            base_buf_init(&bytes, 2 * SIZE);
            assert_ok(base_read_path(path, &bytes, err));
            base_digest d = case_digest(bytes.data, bytes.len);
            base_digest_hex(&d, hex);
            assert_string_equal(hex, blob->d_name);
            base_buf_clear(&bytes);
        }
        closedir(blobs);
    }
    if (fans)
        closedir(fans);
}

static void forget_everything(store_case *c)
{
    static const char *const dirs[] = {"blobs", "chunks", "partial", "damaged"};
    for (size_t i = 0; i < 4; i++) {
        char path[2 * CASE_PATH];
        snprintf(path, sizeof path, "%s/%s", c->root, dirs[i]);
        case_remove_tree(path);
    }
}

/* Runs the child with so many steps to live; true: it died of it. */
static bool run_for(crash *k, int steps)
{
    k->steps = steps;
    int code = case_child(pull, k);
    if (code != 0 && code != CRASHED)
        fail_msg("steps %d, at %s: code %d", steps, atomic_load(&k->point), code);
    return code == CRASHED;
}

/* One life and then another that must finish. */
static void crash_everywhere(crash *k, const uint8_t *bytes)
{
    int died = 0;
    for (int steps = 1;; steps++) {
        forget_everything(k->c);
        k->source->sent = 0;
        if (!run_for(k, steps))
            break;
        died++;
        assert_blobs_good(k->c);
        if (run_for(k, 0))
            fail_msg("died without being told");
        assert_true(case_has_blob(k->c, bytes, SIZE));
        assert_blobs_good(k->c);
        assert_int_equal(case_entries(k->c, "damaged"), 0);
        /* Two workers, each with at most one piece of half a MiB after its last record. */
        assert_true(k->source->sent <= SIZE + MIB);
    }
    assert_true(died > 15);
}

static void ends_anywhere_in_a_fetch(void **state)
{
    store_case *c = *state;
    uint8_t *bytes = case_bytes(SIZE, 1);
    crash *k = make_crash(c, bytes);
    crash_everywhere(k, bytes);
    assert_string_equal(atomic_load(&k->point), "outcome_written");
    assert_int_equal(case_partials(c), 0);
    free(bytes);
}

static void ends_anywhere_in_a_fetch_with_a_known_digest(void **state)
{
    store_case *c = *state;
    uint8_t *bytes = case_bytes(SIZE, 1);
    crash *k = make_crash(c, bytes);
    k->digest_known = true;
    crash_everywhere(k, bytes);
    free(bytes);
}

static void ends_anywhere_in_a_plain_fetch(void **state)
{
    store_case *c = *state;
    uint8_t *bytes = case_bytes(SIZE, 1);
    crash *k = make_crash(c, bytes);
    k->source->etag = "";
    int died = 0;
    for (int steps = 1;; steps++) {
        forget_everything(c);
        if (!run_for(k, steps))
            break;
        died++;
        assert_blobs_good(c);
        assert_false(run_for(k, 0));
        assert_true(case_has_blob(c, bytes, SIZE));
    }
    assert_true(died > 10);
    free(bytes);
}

static void ends_anywhere_in_an_add(void **state)
{
    store_case *c = *state;
    uint8_t *bytes = case_bytes(SIZE, 1);
    crash *k = make_crash(c, bytes);
    k->local = true;
    case_write(case_path(c, "local.bin"), bytes, SIZE);
    int died = 0;
    for (int steps = 1;; steps++) {
        forget_everything(c);
        if (!run_for(k, steps))
            break;
        died++;
        assert_blobs_good(c);
        assert_false(run_for(k, 0));
        assert_true(case_has_blob(c, bytes, SIZE));
    }
    assert_true(died > 8);
    free(bytes);
}

/* The second life ends too, at every step of its own: adoption of what the first left is among them. */
static void ends_again_while_going_on(void **state)
{
    store_case *c = *state;
    uint8_t *bytes = case_bytes(SIZE, 1);
    crash *k = make_crash(c, bytes);
    static const int first[] = {4, 9, 13};
    for (size_t i = 0; i < sizeof first / sizeof first[0]; i++) {
        for (int steps = 1;; steps++) {
            forget_everything(c);
            assert_true(run_for(k, first[i]));
            if (!run_for(k, steps))
                break;
            assert_blobs_good(c);
            assert_false(run_for(k, 0));
            assert_true(case_has_blob(c, bytes, SIZE));
            assert_blobs_good(c);
        }
    }
    assert_int_equal(case_partials(c), 0);
    free(bytes);
}

/* The only journal of `partial/<key>/`. */
static void journal_path(const store_case *c, char out[6 * CASE_PATH])
{
    char dir[4 * CASE_PATH];
    base_digest key;
    char hex[BASE_SHA256_HEX];
    assert_ok(store_fetch_key(NULL, "fake:source", &key, err));
    base_digest_hex(&key, hex);
    snprintf(dir, sizeof dir, "%s/partial/%s", c->root, hex);
    DIR *d = opendir(dir);
    assert_non_null(d);
    out[0] = '\0';
    for (struct dirent *e; (e = readdir(d)) != NULL;)
        if (strstr(e->d_name, ".journal"))
            snprintf(out, 6 * CASE_PATH, "%s/%s", dir, e->d_name);
    closedir(d);
    assert_true(out[0] != '\0');
}

static void torn_journal_costs_bytes_only(void **state)
{
    store_case *c = *state;
    uint8_t *bytes = case_bytes(SIZE, 1);
    crash *k = make_crash(c, bytes);
    for (int cut = 0; cut < 5 * 32 + 256; cut += 29) {
        char path[6 * CASE_PATH];
        struct stat st;
        forget_everything(c);
        assert_true(run_for(k, 11)); /* some records are there */
        journal_path(c, path);
        assert_int_equal(stat(path, &st), 0);
        off_t keep = st.st_size > cut ? st.st_size - cut : 0;
        assert_int_equal(truncate(path, keep), 0);
        if (cut % 2 == 0 && keep > 20) { /* and a flipped bit before the tear */
            int fd = open(path, O_RDWR);
            uint8_t byte;
            assert_int_equal(pread(fd, &byte, 1, keep - 20), 1);
            byte ^= 0x10;
            assert_int_equal(pwrite(fd, &byte, 1, keep - 20), 1);
            close(fd);
        }
        assert_false(run_for(k, 0));
        assert_true(case_has_blob(c, bytes, SIZE));
        assert_int_equal(case_partials(c), 0);
    }
    free(bytes);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, case_setup, case_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(ends_anywhere_in_a_fetch),       TEST(ends_anywhere_in_a_fetch_with_a_known_digest),
        TEST(ends_anywhere_in_a_plain_fetch), TEST(ends_anywhere_in_an_add),
        TEST(ends_again_while_going_on),      TEST(torn_journal_costs_bytes_only),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
