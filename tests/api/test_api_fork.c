/* A context in a forked child: compute threads, connections and claims of its own; and one context under many threads. */
#include <dirent.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include "api_fixture.h"

#define SIDE    32
#define CLASSES 10
#define THREADS 6

#if defined(__SANITIZE_THREAD__)
#define NEEDS_THREADS_AFTER_FORK() TEST_SKIP("ThreadSanitizer starts no threads in a forked child")
#else
#define NEEDS_THREADS_AFTER_FORK() (void)0
#endif

static float input[3 * SIDE * SIDE];

typedef struct opened {
    cistern_model *m;
    cistern_session *s;
    float logits[CLASSES];
} opened;

static void open_and_run(cistern *c, opened *out)
{
    cistern_error err = CISTERN_ERROR_INIT;
    for (size_t i = 0; i < sizeof input / sizeof input[0]; i++)
        input[i] = (float)(i % 17) / 17.0f;
    assert_ok(cistern_model_open(c, "digits", NULL, &out->m, &err), &err);
    assert_ok(cistern_session_new(out->m, NULL, &out->s, &err), &err);
    assert_ok(cistern_session_run(out->s, input, 1, out->logits, NULL, &err), &err);
}

static void opened_free(opened *o)
{
    cistern_session_free(o->s);
    cistern_model_free(o->m);
}

static void pull_as(cistern *c, const char *origin, const char *as)
{
    cistern_pull_options o = CISTERN_PULL_OPTIONS_INIT;
    cistern_pull_result result = {.size = sizeof result};
    o.as = as;
    fixture_pull(c, origin, &o, &result);
}

/* Whether the thread of this name in /proc/self/task sleeps: it has started, and waits for work. */
static bool sleeps(const char *thread)
{
    char path[64], line[256] = "";
    snprintf(path, sizeof path, "/proc/self/task/%.20s/stat", thread);
    FILE *file = fopen(path, "re");
    if (!file)
        return true; /* it has ended */
    bool read = fgets(line, sizeof line, file) != NULL;
    fclose(file);
    const char *end = strrchr(line, ')');
    return read && end && end[1] == ' ' && end[2] == 'S';
}

/* AddressSanitizer's allocator, unlike glibc's, stays locked in a child if another thread was just allocating when it was made: as one does
 * that starts. */
static void wait_until_others_sleep(void)
{
    const struct timespec pause = {.tv_nsec = 1000000};
    for (bool all = false; !all; nanosleep(&pause, NULL)) {
        DIR *tasks = opendir("/proc/self/task");
        assert_non_null(tasks);
        all = true;
        for (struct dirent *e = readdir(tasks); e; e = readdir(tasks))
            all = all &&
                  (e->d_name[0] == '.' || strtol(e->d_name, NULL, 10) == (long)getpid() || sleeps(e->d_name));
        closedir(tasks);
    }
}

/* Run in a child; its assertions must not unwind into the parent's test, so it says yes or no. */
static void in_a_child(bool (*act)(api_fixture *, opened *), api_fixture *f, opened *o)
{
    int status = 0;
    fflush(NULL);
    wait_until_others_sleep();
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0)
        _exit(act(f, o) ? 0 : 1);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

static bool child_frees(api_fixture *f, opened *o)
{
    opened_free(o);
    cistern_free(f->c);
    return true;
}

/* Its memory may be being touched by the pool's other threads just then, which a child does not have. */
static void a_session_is_freed_at_once_here_and_in_a_child(void **state)
{
    api_fixture *f = *state;
    cistern_error err = CISTERN_ERROR_INIT;
    pull_as(f->c, f->url, "digits");
    for (int i = 0; i < 20; i++) {
        opened o = {NULL, NULL, {0}};
        assert_ok(cistern_model_open(f->c, "digits", NULL, &o.m, &err), &err);
        assert_ok(cistern_session_new(o.m, NULL, &o.s, &err), &err);
        if (i % 4 == 0)
            in_a_child(child_frees, f, &o);
        opened_free(&o);
    }
}

static unsigned threads_of_this_process(void)
{
    unsigned count = 0;
    DIR *tasks = opendir("/proc/self/task");
    for (struct dirent *task; tasks && (task = readdir(tasks)) != NULL;)
        count += task->d_name[0] != '.';
    if (tasks)
        closedir(tasks);
    return count;
}

static bool child_runs(api_fixture *f, opened *o)
{
    float again[CLASSES];
    cistern_session *own = NULL;
    bool same = cistern_session_run(o->s, input, 1, again, NULL, NULL) == CISTERN_OK &&
                memcmp(again, o->logits, sizeof again) == 0;
    same =
        same && threads_of_this_process() >= cistern_threads(f->c); /* computed by as many as in the parent */
    same = same && cistern_session_new(o->m, NULL, &own, NULL) == CISTERN_OK &&
           cistern_session_run(own, input, 1, again, NULL, NULL) == CISTERN_OK &&
           memcmp(again, o->logits, sizeof again) == 0;
    cistern_session_free(own);
    opened_free(o);
    cistern_free(f->c); /* must not wait for threads of the parent */
    return same;
}

static void a_session_runs_in_a_forked_child_and_in_its_parent(void **state)
{
    api_fixture *f = *state;
    opened o = {NULL, NULL, {0}};
    float again[CLASSES];
    cistern_error err = CISTERN_ERROR_INIT;
    NEEDS_THREADS_AFTER_FORK();
    pull_as(f->c, f->url, "digits");
    open_and_run(f->c, &o);
    in_a_child(child_runs, f, &o);
    assert_ok(cistern_session_run(o.s, input, 1, again, NULL, &err), &err);
    assert_memory_equal(again, o.logits, sizeof again);
    in_a_child(child_runs, f, &o);
    opened_free(&o);
}

static cistern_features *layer_of(cistern_model *m)
{
    cistern_features *layer = NULL;
    cistern_error err = CISTERN_ERROR_INIT;
    assert_ok(cistern_features_new(m, "classifier.3", NULL, &layer, &err), &err);
    return layer;
}

static cistern_features *layer;
static float hidden[2][1 << 12];

static bool child_runs_a_layer(api_fixture *f, opened *o)
{
    bool same = cistern_features_run(layer, input, 1, hidden[1], NULL, NULL) == CISTERN_OK &&
                memcmp(hidden[0], hidden[1], sizeof hidden[0]) == 0;
    cistern_features_free(layer);
    opened_free(o);
    cistern_free(f->c);
    return same;
}

static void so_does_a_single_layer(void **state)
{
    api_fixture *f = *state;
    opened o = {NULL, NULL, {0}};
    cistern_error err = CISTERN_ERROR_INIT;
    uint64_t shape[3];
    NEEDS_THREADS_AFTER_FORK();
    pull_as(f->c, f->url, "digits");
    open_and_run(f->c, &o);
    layer = layer_of(o.m);
    assert_int_equal(cistern_features_shape(layer, shape), 1);
    assert_true(shape[0] <= sizeof hidden[0] / sizeof hidden[0][0]);
    assert_ok(cistern_features_run(layer, input, 1, hidden[0], NULL, &err), &err);
    in_a_child(child_runs_a_layer, f, &o);
    cistern_features_free(layer);
    opened_free(&o);
}

static bool grandchild_runs(api_fixture *f, opened *o)
{
    float again[CLASSES];
    int status = 0;
    pid_t pid;
    if (cistern_session_run(o->s, input, 1, again, NULL, NULL) != CISTERN_OK || (pid = fork()) < 0)
        return false;
    if (pid == 0)
        _exit(child_runs(f, o) ? 0 : 1);
    return waitpid(pid, &status, 0) == pid && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

static void so_does_a_child_of_the_child(void **state)
{
    api_fixture *f = *state;
    opened o = {NULL, NULL, {0}};
    NEEDS_THREADS_AFTER_FORK();
    pull_as(f->c, f->url, "digits");
    open_and_run(f->c, &o);
    in_a_child(grandchild_runs, f, &o);
    opened_free(&o);
}

static bool asks_whether_it_changed(cistern *c, const char *url)
{
    cistern_pull_options options = CISTERN_PULL_OPTIONS_INIT;
    cistern_pull_result result = {.size = sizeof result};
    cistern_version *v = NULL;
    options.as = "digits";
    options.update = 1;
    bool ok = cistern_pull(c, url, &options, NULL, &result, &v, NULL) == CISTERN_OK;
    cistern_version_free(v);
    return ok && result.outcome == CISTERN_PULL_UNCHANGED && result.requests == 1;
}

static bool child_asks(api_fixture *f, opened *o)
{
    (void)o;
    bool ok = asks_whether_it_changed(f->c, f->url);
    cistern_free(f->c);
    return ok;
}

static void a_child_does_not_speak_on_its_parents_connections(void **state)
{
    api_fixture *f = *state;
    pull_as(f->c, f->url, "digits");
    long long connections = origin_process_count(&f->origin, NULL, "connections");
    assert_true(asks_whether_it_changed(f->c, f->url)); /* on one that was kept */
    assert_int_equal(origin_process_count(&f->origin, NULL, "connections"), connections);
    in_a_child(child_asks, f, NULL);
    assert_int_equal(origin_process_count(&f->origin, NULL, "connections"), connections + 1);
    assert_true(asks_whether_it_changed(f->c, f->url)); /* the parent's is still good */
    assert_int_equal(origin_process_count(&f->origin, NULL, "connections"), connections + 1);
}

typedef struct one_of_many {
    cistern *c;
    opened *first;
    bool same;
} one_of_many;

static void *use_everything(void *user)
{
    one_of_many *one = user;
    cistern_model *m = NULL;
    cistern_session *s = NULL;
    cistern_list *list = NULL;
    float out[CLASSES];
    one->same = true;
    for (int i = 0; i < 4 && one->same; i++) {
        one->same = cistern_model_open(one->c, "digits", NULL, &m, NULL) == CISTERN_OK &&
                    cistern_session_new(m, NULL, &s, NULL) == CISTERN_OK &&
                    cistern_session_run(s, input, 1, out, NULL, NULL) == CISTERN_OK &&
                    memcmp(out, one->first->logits, sizeof out) == 0 &&
                    cistern_list_versions(one->c, NULL, &list, NULL) == CISTERN_OK &&
                    cistern_list_count(list) == 1;
        cistern_list_free(list);
        cistern_session_free(s);
        cistern_model_free(m);
        list = NULL;
        s = NULL;
        m = NULL;
    }
    return NULL;
}

static void one_context_serves_many_threads(void **state)
{
    api_fixture *f = *state;
    opened o = {NULL, NULL, {0}};
    one_of_many all[THREADS];
    pthread_t threads[THREADS];
    cistern *fresh;
    pull_as(f->c, f->url, "digits");
    open_and_run(f->c, &o);
    fresh = fixture_context(f, NULL); /* which makes its pool under all of them */
    for (size_t i = 0; i < THREADS; i++) {
        all[i] = (one_of_many){fresh, &o, false};
        assert_int_equal(pthread_create(&threads[i], NULL, use_everything, &all[i]), 0);
    }
    for (size_t i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
        assert_true(all[i].same);
    }
    cistern_free(fresh);
    opened_free(&o);
}

#define T(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(a_session_is_freed_at_once_here_and_in_a_child),
        T(a_session_runs_in_a_forked_child_and_in_its_parent),
        T(so_does_a_single_layer),
        T(so_does_a_child_of_the_child),
        T(a_child_does_not_speak_on_its_parents_connections),
        T(one_context_serves_many_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
