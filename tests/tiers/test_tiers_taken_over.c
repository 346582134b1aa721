/* A process that is stopped in the middle of a fetch, taken over, and woken again: it finds what the other brought in. */
#include <dirent.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include "cistern_test.h"
#include "model_index.h"
#include "priv/store_object.h"
#include "temp_dir.h"
#include "tiers_fetch.h"

#define BYTES       ((size_t)3 << 20)
#define TAKEOVER_MS 1300u /* more than a beat */

typedef struct fixture {
    temp_dir dir;
    char origin[1200], store_path[1200];
} fixture;

static int setup(void **state)
{
    fixture *f = calloc(1, sizeof *f);
    assert_non_null(f);
    temp_dir_make(&f->dir);
    snprintf(f->store_path, sizeof f->store_path, "%s", temp_dir_path(&f->dir, "store"));
    snprintf(f->origin, sizeof f->origin, "file:%s", temp_dir_path(&f->dir, "m.bin"));
    FILE *out = fopen(f->origin + 5, "wb");
    assert_non_null(out);
    for (size_t i = 0; i < BYTES; i++)
        putc((int)(i * 7 % 251), out);
    assert_int_equal(fclose(out), 0);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    fixture *f = *state;
    temp_dir_remove(&f->dir);
    free(f);
    return 0;
}

typedef struct worker {
    fixture *f;
    const char *stop_at; /* a point of the store's; NULL: nowhere */
    bool stopped;
} worker;

static void stop_here(void *user, const char *point)
{
    worker *w = user;
    if (w->stop_at && !w->stopped && strcmp(point, w->stop_at) == 0) {
        w->stopped = true;
        kill(getpid(), SIGSTOP);
    }
}

static cistern_status commit(tiers_fetched *fetched, cistern_error *err)
{
    uint64_t size = BYTES;
    model_index *index = NULL;
    cistern_status st = model_index_new(&size, 1, &index, err);
    if (st == CISTERN_OK)
        st = tiers_commit(fetched, index, NULL, NULL, err);
    model_index_free(index);
    return st;
}

/* As the library does it. */
static cistern_status bring(tiers *t, const tiers_request *request, bool *out_again, cistern_error *err)
{
    for (int tries = 1;; tries++) {
        tiers_fetched *fetched = NULL;
        cistern_status st = tiers_fetch(t, request, NULL, &fetched, err);
        if (st == CISTERN_OK && !tiers_fetch_version(fetched))
            st = commit(fetched, err);
        bool lost = st != CISTERN_OK && fetched && tiers_fetch_taken_over(fetched);
        bool right = st == CISTERN_OK && strcmp(tiers_fetch_version(fetched)->tag, "1") == 0;
        tiers_fetch_end(fetched, st, err);
        if (st == CISTERN_OK)
            return right ? st : CISTERN_UNEXPECTED;
        if (!lost || tries == TIERS_TAKEN_OVER_MAX)
            return st;
        *out_again = true;
    }
}

/* Exit code 0: version 1, at the first try; 100: after the fetch was lost. */
static int run_worker(worker *w)
{
    tiers_options options = TIERS_OPTIONS_INIT;
    model_facts declared;
    tiers_request request = {.origin = w->f->origin, .name = "m", .config = "none", .declared = &declared};
    cistern_error err = CISTERN_ERROR_INIT;
    char text[CISTERN_ERROR_TEXT_MAX];
    tiers *t = NULL;
    store *s = NULL;
    bool again = false;
    model_facts_init(&declared);
    options.store_path = w->f->store_path;
    if (tiers_new(&options, &t, &err) != CISTERN_OK || tiers_local_for_writing(t, &s, &err) != CISTERN_OK)
        return 101;
    s->takeover_ms = TAKEOVER_MS;
    s->fault = stop_here;
    s->fault_user = w;
    cistern_status st = bring(t, &request, &again, &err);
    tiers_free(t);
    cistern_error_format(&err, text, sizeof text);
    if (st != CISTERN_OK)
        fprintf(stderr, "stopped at %s: %s\n", w->stop_at ? w->stop_at : "nothing", text);
    return st != CISTERN_OK ? (int)st : again ? 100 : 0;
}

static pid_t start(fixture *f, const char *stop_at)
{
    worker w = {f, stop_at, false};
    fflush(NULL);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0)
        _exit(run_worker(&w));
    return pid;
}

static int await(pid_t pid)
{
    int status = 0;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
}

static size_t partials(fixture *f)
{
    DIR *d = opendir(temp_dir_path(&f->dir, "store/partial"));
    size_t n = 0;
    assert_non_null(d);
    for (struct dirent *e; (e = readdir(d)) != NULL;)
        n += strlen(e->d_name) == 64;
    closedir(d);
    return n;
}

static void stop_take_over_wake(fixture *f, const char *point, bool lost)
{
    int status = 0;
    pid_t first = start(f, point);
    assert_int_equal(waitpid(first, &status, WUNTRACED), first);
    assert_true(WIFSTOPPED(status));
    assert_int_equal(await(start(f, NULL)), 0);
    assert_int_equal(kill(first, SIGCONT), 0);
    assert_int_equal(await(first), lost ? 100 : 0);
    assert_int_equal(partials(f), 0);
}

static void stopped_while_bytes_come(void **state)
{
    stop_take_over_wake(*state, "bytes_written", false); /* seen by the fetch itself, which looks again */
}

static void stopped_before_its_import(void **state)
{
    stop_take_over_wake(*state, "copied", false); /* the blob of the other is the same: nothing is lost */
}

static void stopped_while_publishing(void **state)
{
    stop_take_over_wake(*state, "before_link", false);
}

static void stopped_after_publishing(void **state)
{
    stop_take_over_wake(*state, "blob_linked", false);
}

/* The one that took over has died or is not ready either: there is no blob yet when the first one wakes. */
static void both_are_stopped_and_the_first_wakes_first(void **state)
{
    fixture *f = *state;
    int status = 0;
    pid_t first = start(f, "copied"), second;
    assert_int_equal(waitpid(first, &status, WUNTRACED), first);
    second = start(f, "copied");
    assert_int_equal(waitpid(second, &status, WUNTRACED), second);
    assert_true(WIFSTOPPED(status));
    assert_int_equal(kill(first, SIGCONT), 0); /* its bytes are gone; it takes over in its turn */
    assert_int_equal(await(first), 100);
    assert_int_equal(kill(second, SIGCONT), 0);
    assert_int_equal(await(second), 0);
    assert_int_equal(partials(f), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(stopped_while_bytes_come, setup, teardown),
        cmocka_unit_test_setup_teardown(stopped_before_its_import, setup, teardown),
        cmocka_unit_test_setup_teardown(stopped_while_publishing, setup, teardown),
        cmocka_unit_test_setup_teardown(stopped_after_publishing, setup, teardown),
        cmocka_unit_test_setup_teardown(both_are_stopped_and_the_first_wakes_first, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
