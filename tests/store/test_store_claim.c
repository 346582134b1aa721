/* Many processes and one file: claims, waiting, take-over. Sources live in memory that all processes share. */
#include <signal.h>
#include "fake_source.h"
#include "priv/store_claim.h"

#define MIB         ((size_t)1 << 20)
#define SIZE        (6 * MIB)
#define PROCESSES   8
#define PATIENCE_MS 120000 /* of a test that would hang */

typedef struct shared {
    store_case *c;
    fake_source source;
    atomic_int owners, most_owners; /* at one time */
    atomic_int looked_again, fetched, failed_same;
    atomic_int waiting; /* processes that have seen another's claim */
    atomic_int phase;
} shared;

static shared *make_shared(store_case *c, const uint8_t *bytes)
{
    shared *sh = case_shared(c, sizeof *sh);
    sh->c = c;
    fake_init(&sh->source, bytes, SIZE);
    return sh;
}

static base_digest the_key(void)
{
    base_digest key;
    assert_ok(store_fetch_key(NULL, "fake:source", &key, err));
    return key;
}

static void enter(shared *sh)
{
    int owners = atomic_fetch_add(&sh->owners, 1) + 1;
    if (owners > atomic_load(&sh->most_owners))
        atomic_store(&sh->most_owners, owners);
}

static void count_waiting(void *user, int level, const char *line)
{
    shared *sh = user;
    (void)level;
    if (strncmp(line, "waiting for another process", 27) == 0)
        atomic_fetch_add(&sh->waiting, 1);
}

static void wait_until_waiting(const shared *sh, int processes)
{
    for (int i = 0; i < PATIENCE_MS && atomic_load(&sh->waiting) < processes; i++)
        base_sleep_ms(1);
    assert_int_equal(atomic_load(&sh->waiting), processes);
}

/* As the program does: win or look again; whoever wins looks first. */
static int pull(void *arg)
{
    shared *sh = arg;
    store *s = NULL;
    store_fetch *fetch = NULL;
    store_fetch_got got;
    store_fetch_want want = STORE_FETCH_WANT_INIT;
    base_digest key = the_key(), digest = case_digest(sh->source.bytes, SIZE);
    cistern_error error = CISTERN_ERROR_INIT;
    if (store_open(sh->c->root, &sh->c->options, &s, &error) != CISTERN_OK)
        return 1;
    base_log log = {.fn = count_waiting, .user = sh};
    base_run run = {.log = &log};
    want.piece = MIB;
    bool here = false;
    cistern_status status = CISTERN_OK;
    while (status == CISTERN_OK && !here) {
        status = store_fetch_begin(s, &key, STORE_WAIT_FOREVER, &run, &fetch, &error);
        if (status == CISTERN_OK && store_blob_has(s, &digest, SIZE, &here, NULL) != CISTERN_OK)
            return 2;
        if (status != CISTERN_OK || !fetch) {
            atomic_fetch_add(&sh->looked_again, 1);
            continue;
        }
        if (!here) {
            enter(sh);
            status = store_fetch_copy(fetch, &sh->source.base, &want, NULL, &got, &error);
            if (status == CISTERN_OK)
                status = store_fetch_publish(fetch, NULL, &error);
            atomic_fetch_sub(&sh->owners, 1);
            if (status == CISTERN_OK)
                atomic_fetch_add(&sh->fetched, 1);
        }
        store_fetch_end(fetch, status, &error);
        fetch = NULL;
    }
    store_free(s);
    if (status == sh->source.failure && strstr(error.text, "fake failure"))
        atomic_fetch_add(&sh->failed_same, 1);
    return (int)status;
}

/* The same, but only when the test says so: it forks before it has threads of its own. */
static int pull_when_told(void *arg)
{
    shared *sh = arg;
    while (atomic_load(&sh->phase) == 0)
        base_sleep_ms(2);
    return pull(arg);
}

static pid_t start(int (*fn)(void *), void *arg)
{
    fflush(NULL);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0)
        _exit(fn(arg));
    return pid;
}

static int await(pid_t pid)
{
    int status = 0;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
}

static void eight_processes_make_one_transfer(void **state)
{
    store_case *c = *state;
    uint8_t *bytes = case_bytes(SIZE, 1);
    shared *sh = make_shared(c, bytes);
    pid_t pid[PROCESSES];
    sh->source.step_ms = 5;
    for (int i = 0; i < PROCESSES; i++)
        pid[i] = start(pull, sh);
    for (int i = 0; i < PROCESSES; i++)
        assert_int_equal(await(pid[i]), 0);
    assert_int_equal(sh->source.sent, SIZE);
    assert_int_equal(sh->source.stats, 1);
    assert_int_equal(sh->fetched, 1);
    assert_int_equal(sh->most_owners, 1);
    assert_true(case_has_blob(c, bytes, SIZE));
    assert_int_equal(case_partials(c), 0);
    free(bytes);
}

static void lasting_failure_is_shared_with_those_who_wait(void **state)
{
    store_case *c = *state;
    uint8_t *bytes = case_bytes(SIZE, 1);
    shared *sh = make_shared(c, bytes);
    base_digest key = the_key();
    store_fetch *fetch = NULL;
    pid_t pid[4];
    sh->source.failure = CISTERN_NOT_FOUND;
    for (int i = 0; i < 4; i++)
        pid[i] = start(pull_when_told, sh);
    assert_ok(store_fetch_begin(c->s, &key, 0, NULL, &fetch, err));
    sh->phase = 1;
    wait_until_waiting(sh, 4);
    cistern_error why = CISTERN_ERROR_INIT;
    base_fail(&why, CISTERN_NOT_FOUND, "fake failure");
    store_fetch_end(fetch, CISTERN_NOT_FOUND, &why);
    for (int i = 0; i < 4; i++)
        assert_int_equal(await(pid[i]), CISTERN_NOT_FOUND);
    assert_int_equal(sh->failed_same, 4);
    assert_int_equal(sh->source.stats, 0);
    assert_int_equal(case_partials(c), 0);
    free(bytes);
}

/* What rests on the process that failed (its end, credentials, options, rights) is not true of the next one. */
static void what_is_the_owners_own_failure_is_left_to_the_next(void **state)
{
    static const cistern_status own[] = {CISTERN_CANCELLED, CISTERN_REFUSED, CISTERN_OFFLINE,
                                         CISTERN_CONFLICT, CISTERN_NO_MEMORY};
    store_case *c = *state;
    uint8_t *bytes = case_bytes(SIZE, 1);
    base_digest key = the_key();
    for (size_t i = 0; i < sizeof own / sizeof own[0]; i++) {
        shared *sh = make_shared(c, bytes);
        store_fetch *fetch = NULL;
        pid_t pid = start(pull_when_told, sh);
        assert_ok(store_fetch_begin(c->s, &key, 0, NULL, &fetch, err));
        sh->phase = 1;
        wait_until_waiting(sh, 1);
        store_fetch_end(fetch, own[i], NULL);
        assert_int_equal(await(pid), 0);
        assert_int_equal(sh->fetched, i == 0); /* later ones find it */
    }
    free(bytes);
}

static int begin_and_wait(void *arg)
{
    store_case *c = arg;
    store *s = NULL;
    store_fetch *fetch = NULL;
    base_digest key = the_key();
    cistern_error error = CISTERN_ERROR_INIT;
    char pid[32];
    if (store_open(c->root, &c->options, &s, NULL) != CISTERN_OK)
        return 1;
    cistern_status status = store_fetch_begin(s, &key, 150, NULL, &fetch, &error);
    store_free(s);
    snprintf(pid, sizeof pid, "pid %ld", (long)getppid());
    return status == CISTERN_TIMED_OUT && fetch == NULL && strstr(error.text, pid) ? 0 : 2;
}

static void waiting_ends_in_time_and_names_the_other(void **state)
{
    store_case *c = *state;
    base_digest key = the_key();
    store_fetch *fetch = NULL;
    assert_ok(store_fetch_begin(c->s, &key, 0, NULL, &fetch, err));
    assert_int_equal(await(start(begin_and_wait, c)), 0);
    store_fetch_end(fetch, CISTERN_OK, NULL);
}

static int fetch_until_killed(void *arg)
{
    shared *sh = arg;
    sh->source.step_ms = 20;
    return pull(sh);
}

/* It stands still from then on, so that it is met before its end at any speed. */
static pid_t start_and_hold(shared *sh, uint64_t bytes)
{
    atomic_store(&sh->source.hold_at, bytes);
    pid_t pid = start(fetch_until_killed, sh);
    for (int i = 0; i < PATIENCE_MS && atomic_load(&sh->source.sent) < bytes; i++)
        base_sleep_ms(1);
    assert_true(atomic_load(&sh->source.sent) >= bytes);
    return pid;
}

static void dead_owner_is_taken_over_at_once_and_resumed(void **state)
{
    store_case *c = *state;
    uint8_t *bytes = case_bytes(SIZE, 1);
    shared *sh = make_shared(c, bytes);
    c->options.takeover_ms = 3600000; /* only a proof of death helps */
    pid_t pid = start_and_hold(sh, 5 * MIB);
    kill(pid, SIGKILL);
    sh->source.hold_at = 0;
    assert_int_equal(await(pid), 1000 + SIGKILL);
    assert_int_equal(case_partials(c), 1);
    sh->source.step_ms = 0;
    assert_int_equal(await(start(pull, sh)), 0);
    assert_true(case_has_blob(c, bytes, SIZE));
    assert_true(sh->source.sent <=
                SIZE + 4 * (MIB / 4 +
                            65536)); /* four workers, each at most 256 KiB and a step after its last record */
    assert_int_equal(case_partials(c), 0);
    free(bytes);
}

static void still_owner_is_taken_over_and_does_no_harm_when_it_wakes(void **state)
{
    store_case *c = *state;
    uint8_t *bytes = case_bytes(SIZE, 1);
    shared *sh = make_shared(c, bytes);
    c->options.takeover_ms = 2500; /* more than two beats */
    pid_t pid = start_and_hold(sh, 4 * MIB);
    kill(pid, SIGSTOP);
    sh->source.hold_at = 0;
    uint64_t sent = sh->source.sent;
    sh->source.step_ms = 0;
    assert_int_equal(await(start(pull, sh)), 0);
    assert_true(sh->source.sent - sent < SIZE); /* the certain ranges were copied */
    assert_true(case_has_blob(c, bytes, SIZE));
    kill(pid, SIGCONT);
    int code = await(pid);
    assert_true(code == 0 || code == CISTERN_CONFLICT);
    assert_true(case_has_blob(c, bytes, SIZE));
    assert_int_equal(case_partials(c), 0);
    free(bytes);
}

static void beating_owner_is_not_taken_over(void **state)
{
    store_case *c = *state;
    uint8_t *bytes = case_bytes(SIZE, 1);
    shared *sh = make_shared(c, bytes);
    base_digest key = the_key();
    store_fetch *fetch = NULL;
    c->options.takeover_ms = 2500;
    pid_t pid = start(pull_when_told, sh);
    assert_ok(store_fetch_begin(c->s, &key, 0, NULL, &fetch, err));
    sh->phase = 1;
    base_sleep_ms(4000);
    assert_int_equal(waitpid(pid, NULL, WNOHANG), 0);
    assert_int_equal(sh->source.stats, 0);
    store_fetch_end(fetch, CISTERN_OK, NULL);
    assert_int_equal(await(pid), 0);
    free(bytes);
}

/* A claim of another machine, or garbage, proves nothing: only its counter speaks. */
static void unreadable_claim_is_taken_over_when_it_stands_still(void **state)
{
    store_case *c = *state;
    base_digest key = the_key();
    char dir[STORE_NAME_MAX], path[2 * CASE_PATH];
    c->options.takeover_ms = 400;
    case_reopen(c);
    store_claim_dir(&key, dir);
    for (int round = 0; round < 2; round++) {
        uint8_t junk[3000];
        store_fetch *fetch = NULL;
        memset(junk, 'x', sizeof junk);
        assert_ok(base_mkdirs(store_root_fd(c->s), dir, store_modes(c->s), err));
        snprintf(path, sizeof path, "%s/%s/7.claim", c->root, dir);
        case_write(path, junk, round == 0 ? sizeof junk : 0);
        uint64_t before = base_monotonic_ms();
        assert_status(store_fetch_begin(c->s, &key, 0, NULL, &fetch, err), CISTERN_TIMED_OUT,
                      "still fetching");
        assert_ok(store_fetch_begin(c->s, &key, 60000, NULL, &fetch, err));
        assert_true(base_monotonic_ms() - before >= 400);
        assert_non_null(fetch);
        store_fetch_end(fetch, CISTERN_OK, NULL);
        assert_int_equal(access(path, F_OK), -1);
        assert_int_equal(case_partials(c), 0);
    }
}

typedef struct rival {
    const store_case *c;
    char path[4 * CASE_PATH];
    bool made;
} rival;

static void make_rival(void *user, const char *point)
{
    rival *r = user;
    if (strcmp(point, "claim_created") == 0 && !r->made)
        case_write(r->path, "somebody", 8);
    r->made = true;
}

/* Two that do not see each other's claim in time: it is looked again after creating, and ours is withdrawn. */
static void claim_beside_another_is_withdrawn(void **state)
{
    store_case *c = *state;
    static const int numbers[] = {9, 1}; /* the other's is higher than ours, or it is the lower one */
    base_digest key = the_key();
    char dir[STORE_NAME_MAX];
    store_claim_dir(&key, dir);
    for (int i = 0; i < 2; i++) {
        rival r = {.c = c};
        store_fetch *fetch = NULL;
        char other[4 * CASE_PATH];
        snprintf(r.path, sizeof r.path, "%s/%s/%d.claim", c->root, dir, numbers[i]);
        snprintf(other, sizeof other, "%s/%s/4.data", c->root, dir);
        c->options.takeover_ms = 3600000;
        c->options.fault = make_rival;
        c->options.fault_user = &r;
        case_reopen(c);
        assert_ok(base_mkdirs(store_root_fd(c->s), dir, store_modes(c->s), err));
        case_write(other, "x", 1); /* so that ours will be 5 */
        assert_status(store_fetch_begin(c->s, &key, 0, NULL, &fetch, err), CISTERN_TIMED_OUT,
                      "still fetching");
        assert_null(fetch);
        assert_int_equal(case_entries(c, dir), 2); /* the other's claim, and the data */
        assert_int_equal(unlink(r.path), 0);
        assert_int_equal(unlink(other), 0);
    }
}

static void temporaries_of_the_killed_are_removed(void **state)
{
    store_case *c = *state;
    base_digest key = the_key();
    char dir[STORE_NAME_MAX], path[4 * CASE_PATH];
    store_fetch *fetch = NULL;
    store_claim_dir(&key, dir);
    assert_ok(base_mkdirs(store_root_fd(c->s), dir, store_modes(c->s), err));
    snprintf(path, sizeof path, "%s/%s/.tmp-00112233445566778899aabbccddeeff", c->root, dir);
    case_write(path, "x", 1);
    assert_ok(store_fetch_begin(c->s, &key, 0, NULL, &fetch, err));
    store_fetch_end(fetch, CISTERN_OK, NULL);
    assert_int_equal(case_entries(c, "partial"), 1); /* only CACHEDIR.TAG */
}

static int begin_end_often(void *arg)
{
    shared *sh = arg;
    store *s = NULL;
    base_digest key = the_key();
    if (store_open(sh->c->root, &sh->c->options, &s, NULL) != CISTERN_OK)
        return 1;
    for (int i = 0; i < 12; i++) {
        store_fetch *fetch = NULL;
        if (store_fetch_begin(s, &key, STORE_WAIT_FOREVER, NULL, &fetch, NULL) != CISTERN_OK)
            return 2;
        if (!fetch)
            continue;
        enter(sh);
        base_sleep_ms(3);
        atomic_fetch_sub(&sh->owners, 1);
        atomic_fetch_add(&sh->fetched, 1);
        store_fetch_end(fetch, CISTERN_OK, NULL);
    }
    store_free(s);
    return 0;
}

static void no_two_owners_at_one_time(void **state)
{
    store_case *c = *state;
    uint8_t *bytes = case_bytes(8, 1);
    shared *sh = make_shared(c, bytes);
    pid_t pid[PROCESSES];
    for (int i = 0; i < PROCESSES; i++)
        pid[i] = start(begin_end_often, sh);
    for (int i = 0; i < PROCESSES; i++)
        assert_int_equal(await(pid[i]), 0);
    assert_int_equal(sh->most_owners, 1);
    assert_true(sh->fetched > 0);
    assert_int_equal(case_partials(c), 0);
    free(bytes);
}

static void random_kills_never_leave_a_bad_blob(void **state)
{
    store_case *c = *state;
    uint8_t *bytes = case_bytes(SIZE, 1);
    shared *sh = make_shared(c, bytes);
    int kills = 0;
    unsigned seed = 12345;
    sh->source.step_ms = 5; /* a whole fetch takes far longer than the longest life below */
    for (int round = 0; round < 60; round++) {
        pid_t pid = start(pull, sh);
        seed = seed * 1103515245u + 12345u;
        base_sleep_ms(seed / 65536u % 40u);
        kill(pid, SIGKILL);
        int code = await(pid);
        kills += code == 1000 + SIGKILL;
        base_digest digest = case_digest(bytes, SIZE);
        bool here = false;
        assert_ok(store_blob_has(c->s, &digest, SIZE, &here, err));
        if (!here)
            continue;
        char path[2 * CASE_PATH];
        assert_true(case_has_blob(c, bytes, SIZE));
        case_blob_name(c, &digest, path);
        assert_int_equal(unlink(path), 0);
    }
    assert_true(kills > 10);
    sh->source.step_ms = 0;
    assert_int_equal(await(start(pull, sh)), 0);
    assert_true(case_has_blob(c, bytes, SIZE));
    free(bytes);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, case_setup, case_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(eight_processes_make_one_transfer),
        TEST(lasting_failure_is_shared_with_those_who_wait),
        TEST(what_is_the_owners_own_failure_is_left_to_the_next),
        TEST(waiting_ends_in_time_and_names_the_other),
        TEST(dead_owner_is_taken_over_at_once_and_resumed),
        TEST(still_owner_is_taken_over_and_does_no_harm_when_it_wakes),
        TEST(beating_owner_is_not_taken_over),
        TEST(unreadable_claim_is_taken_over_when_it_stands_still),
        TEST(claim_beside_another_is_withdrawn),
        TEST(temporaries_of_the_killed_are_removed),
        TEST(no_two_owners_at_one_time),
        TEST(random_kills_never_leave_a_bad_blob),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
