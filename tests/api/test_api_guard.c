/* Weight files that become shorter while they are mapped: with the guard a status, without it the end of the process. */
#include <signal.h>
#include <sched.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include "api_fixture.h"

#define SIDE    32 /* pixels of the bundled model's input */
#define CLASSES 10

static cistern_model *open_copy(api_fixture *f)
{
    cistern_model *m = NULL;
    cistern_error err = CISTERN_ERROR_INIT;
    fixture_copy(BUNDLED_FILE, temp_dir_path(&f->dir, "copy.pth"));
    fixture_copy(BUNDLED "/config.json", temp_dir_path(&f->dir, "config.json"));
    assert_ok(cistern_model_open_file(f->c, temp_dir_path(&f->dir, "copy.pth"), NULL, NULL, &m, &err), &err);
    return m;
}

static void cut(api_fixture *f, off_t bytes)
{
    assert_int_equal(truncate(temp_dir_path(&f->dir, "copy.pth"), bytes), 0);
}

static cistern_session *open_session(cistern_model *m)
{
    cistern_session *s = NULL;
    cistern_error err = CISTERN_ERROR_INIT;
    assert_ok(cistern_session_new(m, NULL, &s, &err), &err);
    return s;
}

static const float input[3 * SIDE * SIDE];

static void a_file_cut_before_a_run_is_damage(void **state)
{
    api_fixture *f = *state;
    cistern_error err = CISTERN_ERROR_INIT;
    float out[CLASSES];
    assert_ok(cistern_sigbus_guard(&err), &err);
    cistern_model *m = open_copy(f);
    cistern_session *s = open_session(m);
    assert_ok(cistern_session_run(s, input, 1, out, NULL, &err), &err);
    assert_ok(cistern_model_check(m, &err), &err);
    cut(f, 100);
    assert_says(cistern_session_run(s, input, 1, out, NULL, &err), CISTERN_DAMAGED, &err, "copy.pth");
    assert_fails(cistern_session_run(s, input, 1, out, NULL, NULL), CISTERN_DAMAGED, NULL); /* for good */
    assert_fails(cistern_model_check(m, NULL), CISTERN_DAMAGED, NULL);
    cistern_session_free(s);
    cistern_model_free(m);

    m = open_copy(f); /* a whole file at the same place of memory is another mapping */
    assert_ok(cistern_model_check(m, &err), &err);
    s = open_session(m);
    assert_ok(cistern_session_run(s, input, 1, out, NULL, &err), &err);
    cistern_session_free(s);
    cistern_model_free(m);
}

static void a_file_cut_before_packing_is_damage(void **state)
{
    api_fixture *f = *state;
    cistern_session *s = NULL;
    cistern_error err = CISTERN_ERROR_INIT;
    assert_ok(cistern_sigbus_guard(&err), &err);
    cistern_model *m = open_copy(f);
    cut(f, 0);
    assert_says(cistern_session_new(m, NULL, &s, &err), CISTERN_DAMAGED, &err, "copy.pth");
    assert_null(s);
    cistern_model_free(m);
}

static void tensors_read_by_the_program_become_zeros_and_are_told(void **state)
{
    api_fixture *f = *state;
    cistern_tensor t = {.size = sizeof t};
    cistern_error err = CISTERN_ERROR_INIT;
    unsigned char last[4];
    assert_ok(cistern_sigbus_guard(&err), &err);
    cistern_model *m = open_copy(f), *other = open_copy(f);
    assert_true(cistern_model_tensor_by_name(m, "classifier.6.bias", &t));
    cut(f, 0);
    memcpy(last, t.data, sizeof last);
    assert_memory_equal(last, "\0\0\0\0", sizeof last);
    assert_fails(cistern_model_check(m, NULL), CISTERN_DAMAGED, NULL);
    assert_ok(cistern_model_check(other, &err), &err); /* nobody has read it there */
    cistern_model_free(other);
    cistern_model_free(m);
}

/* Cut every derived file of packed weights; how many there were. */
static unsigned cut_packed(api_fixture *f)
{
    char path[1024];
    unsigned count = 0;
    DIR *derived = opendir(temp_dir_path(&f->dir, "store/derived"));
    assert_non_null(derived);
    for (struct dirent *of; (of = readdir(derived)) != NULL;) {
        snprintf(path, sizeof path, "%s/%s", temp_dir_path(&f->dir, "store/derived"), of->d_name);
        DIR *files = of->d_name[0] == '.' ? NULL : opendir(path);
        for (struct dirent *file; files && (file = readdir(files)) != NULL;) {
            snprintf(path, sizeof path, "%s/%s/%s", temp_dir_path(&f->dir, "store/derived"), of->d_name,
                     file->d_name);
            if (!strstr(file->d_name, "packed"))
                continue;
            assert_int_equal(chmod(path, 0600), 0);
            assert_int_equal(truncate(path, 0), 0);
            count++;
        }
        if (files)
            closedir(files);
    }
    closedir(derived);
    return count;
}

static cistern_session *open_stored(api_fixture *f, cistern_model **out_model)
{
    cistern_error err = CISTERN_ERROR_INIT;
    assert_ok(cistern_model_open(f->c, "digits", NULL, out_model, &err), &err);
    return open_session(*out_model);
}

static void packed_weights_that_are_cut_are_damage_and_are_made_again(void **state)
{
    api_fixture *f = *state;
    cistern_pull_options o = CISTERN_PULL_OPTIONS_INIT;
    cistern_pull_result result = {.size = sizeof result};
    cistern_error err = CISTERN_ERROR_INIT;
    cistern_model *m = NULL;
    float first[CLASSES], out[CLASSES];
    assert_ok(cistern_sigbus_guard(&err), &err);
    o.as = "digits";
    fixture_pull(f->c, f->url, &o, &result);
    cistern_session *s = open_stored(f, &m);
    assert_ok(cistern_session_run(s, input, 1, first, NULL, &err), &err);
    cistern_session_free(s);
    cistern_model_free(m); /* which waits for them to be kept */

    s = open_stored(f, &m);
    assert_int_equal(cut_packed(f), 1);
    assert_fails(cistern_session_run(s, input, 1, out, NULL, NULL), CISTERN_DAMAGED, NULL);
    assert_fails(cistern_model_check(m, NULL), CISTERN_DAMAGED, NULL);
    cistern_session_free(s);
    cistern_model_free(m);

    s = open_stored(f, &m);
    assert_ok(cistern_session_run(s, input, 1, out, NULL, &err), &err);
    assert_memory_equal(out, first, sizeof out);
    cistern_session_free(s);
    cistern_model_free(m);
}

typedef struct cutter {
    api_fixture *f;
    atomic_int runs;
} cutter;

static void *cut_during_a_run(void *user)
{
    cutter *c = user;
    while (atomic_load(&c->runs) < 3)
        sched_yield();
    if (truncate(temp_dir_path(&c->f->dir, "copy.pth"), 4096) != 0)
        abort();
    return NULL;
}

static void a_file_cut_while_runs_go_on_ends_them_with_damage(void **state)
{
    cutter c = {.f = *state};
    cistern_error err = CISTERN_ERROR_INIT;
    cistern_status st = CISTERN_OK;
    float out[CLASSES];
    pthread_t thread;
    assert_ok(cistern_sigbus_guard(&err), &err);
    cistern_model *m = open_copy(c.f);
    cistern_session *s = open_session(m);
    assert_int_equal(pthread_create(&thread, NULL, cut_during_a_run, &c), 0);
    while (st == CISTERN_OK) {
        st = cistern_session_run(s, input, 1, out, NULL, &err);
        atomic_fetch_add(&c.runs, 1);
    }
    assert_fails(st, CISTERN_DAMAGED, &err);
    pthread_join(thread, NULL);
    cistern_session_free(s);
    cistern_model_free(m);
}

/* What a child does: the signal that ended it, 0 where it ended by itself. */
static int fate_of(api_fixture *f, void (*act)(api_fixture *))
{
    int status = 0;
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        struct sigaction plain;
        memset(&plain, 0, sizeof plain);
        plain.sa_handler = SIG_DFL; /* a sanitizer has a handler of its own */
        sigaction(SIGBUS, &plain, NULL);
        act(f);
        _exit(0);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return WIFSIGNALED(status) ? WTERMSIG(status) : 0;
}

static void read_a_cut_file(api_fixture *f)
{
    cistern_tensor t = {.size = sizeof t};
    cistern_model *m = open_copy(f);
    volatile unsigned char byte;
    if (!cistern_model_tensor_by_name(m, "classifier.6.bias", &t))
        return;
    cut(f, 0);
    byte = *(const volatile unsigned char *)t.data;
    (void)byte;
}

static void read_a_cut_file_with_the_guard(api_fixture *f)
{
    if (cistern_sigbus_guard(NULL) == CISTERN_OK)
        read_a_cut_file(f);
    else
        abort();
}

static void send_the_signal(api_fixture *f)
{
    (void)f;
    if (cistern_sigbus_guard(NULL) == CISTERN_OK)
        kill(getpid(), SIGBUS);
}

static void read_a_foreign_page(api_fixture *f)
{
    int fd = open(temp_dir_path(&f->dir, "foreign"), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    volatile const unsigned char *page;
    volatile unsigned char byte;
    if (cistern_sigbus_guard(NULL) != CISTERN_OK || fd < 0)
        return;
    page = mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 0); /* of an empty file */
    byte = *page;
    (void)byte;
}

static void only_guarded_mappings_are_saved(void **state)
{
    api_fixture *f = *state;
    assert_int_equal(fate_of(f, read_a_cut_file), SIGBUS); /* what the guard is for */
    assert_int_equal(fate_of(f, read_a_cut_file_with_the_guard), 0);
    assert_int_equal(fate_of(f, send_the_signal), SIGBUS);
    assert_int_equal(fate_of(f, read_a_foreign_page), SIGBUS);
}

static void leave_quietly(int number)
{
    (void)number;
    _exit(0);
}

static void read_a_foreign_page_with_a_handler(api_fixture *f)
{
    struct sigaction own;
    memset(&own, 0, sizeof own);
    own.sa_handler = leave_quietly;
    sigaction(SIGBUS, &own, NULL);
    read_a_foreign_page(f);
    abort();
}

static void the_handler_that_was_there_gets_what_is_not_ours(void **state)
{
    assert_int_equal(fate_of(*state, read_a_foreign_page_with_a_handler), 0);
}

#define T(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(only_guarded_mappings_are_saved), /* first: its children install the guard, this process has not yet */
        T(the_handler_that_was_there_gets_what_is_not_ours),
        T(a_file_cut_before_a_run_is_damage),
        T(a_file_cut_before_packing_is_damage),
        T(tensors_read_by_the_program_become_zeros_and_are_told),
        T(packed_weights_that_are_cut_are_damage_and_are_made_again),
        T(a_file_cut_while_runs_go_on_ends_them_with_damage),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
