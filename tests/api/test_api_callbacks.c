/* Messages, progress and cancelling, as a program that embeds the library meets them. */
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <sys/time.h>
#include "api_fixture.h"

#define SIDE    32
#define CLASSES 10
#define SLOW    "{\"*\":{\"rate\":300000}}" /* bytes per second: the bundled model takes some seconds */

typedef struct watch {
    cistern_cancel *cancel;
    pthread_t thread;
    bool elsewhere, open;
    unsigned reports, ends, out_of_order;
    uint64_t last_done;
    char steps[256];
} watch;

static void on_progress(void *user, const cistern_progress *p)
{
    watch *w = user;
    w->elsewhere = w->elsewhere || !pthread_equal(w->thread, pthread_self());
    w->out_of_order += p->size < sizeof *p || !p->step || (p->total > 0 && p->done > p->total);
    w->reports++;
    w->open = !p->last;
    w->last_done = p->done;
    if (p->last) {
        size_t n = strlen(w->steps);
        w->ends++;
        snprintf(w->steps + n, sizeof w->steps - n, "%s ", p->step);
    }
}

static cistern_call call_of(watch *w)
{
    cistern_call call = CISTERN_CALL_INIT;
    w->thread = pthread_self();
    assert_ok(cistern_cancel_new(&w->cancel, NULL), NULL);
    call.cancel = w->cancel;
    call.progress = on_progress;
    call.user = w;
    return call;
}

static cistern_status pull(api_fixture *f, const cistern_call *call, cistern_error *err)
{
    cistern_pull_options o = CISTERN_PULL_OPTIONS_INIT;
    cistern_version *v = NULL;
    o.as = "digits";
    cistern_status st = cistern_pull(f->c, f->url, &o, call, NULL, &v, err);
    cistern_version_free(v);
    return st;
}

static void each_step_ends_once_on_the_callers_thread(void **state)
{
    api_fixture *f = *state;
    watch w = {.cancel = NULL};
    cistern_error err = CISTERN_ERROR_INIT;
    cistern_call call = call_of(&w);
    origin_process_faults(&f->origin, SLOW);
    assert_ok(pull(f, &call, &err), &err);
    assert_false(w.elsewhere);
    assert_false(w.open); /* what began has ended */
    assert_int_equal(w.out_of_order, 0);
    assert_true(w.ends > 0 && w.reports > w.ends); /* it was told about before its end */
    assert_non_null(strstr(w.steps, "fetch "));
    cistern_cancel_free(w.cancel);
}

static void a_hit_reports_nothing_that_is_not_done(void **state)
{
    api_fixture *f = *state;
    watch w = {.cancel = NULL};
    cistern_error err = CISTERN_ERROR_INIT;
    assert_ok(pull(f, NULL, &err), &err);
    cistern_call call = call_of(&w);
    assert_ok(pull(f, &call, &err), &err);
    assert_null(strstr(w.steps, "fetch"));
    cistern_cancel_free(w.cancel);
}

/* Sets the token once the origin has sent something. */
typedef struct canceller {
    api_fixture *f;
    cistern_cancel *cancel;
} canceller;

static void *cancel_when_it_runs(void *user)
{
    canceller *c = user;
    while (origin_process_count(&c->f->origin, NULL, "bytes") < 100000)
        continue;
    cistern_cancel_set(c->cancel);
    return NULL;
}

static void another_thread_cancels_and_the_next_call_goes_on(void **state)
{
    api_fixture *f = *state;
    watch w = {.cancel = NULL};
    cistern_error err = CISTERN_ERROR_INIT;
    pthread_t thread;
    cistern_call call = call_of(&w);
    canceller c = {f, w.cancel};
    origin_process_faults(
        &f->origin, "{\"*\":{\"stall_after\":200000}}"); /* no more comes, however late it is cancelled */
    assert_int_equal(pthread_create(&thread, NULL, cancel_when_it_runs, &c), 0);
    assert_fails(pull(f, &call, &err), CISTERN_CANCELLED, &err);
    pthread_join(thread, NULL);
    assert_fails(pull(f, &call, NULL), CISTERN_CANCELLED, NULL); /* the token is still set */
    origin_process_faults(&f->origin, "{}");
    cistern_cancel_reset(w.cancel);
    err = (cistern_error)CISTERN_ERROR_INIT;
    assert_ok(pull(f, &call, &err), &err);
    cistern_cancel_free(w.cancel);
}

static cistern_cancel *token_of_the_handler;

static void on_alarm(int number)
{
    (void)number;
    cistern_cancel_set(token_of_the_handler);
}

static void a_signal_handler_cancels(void **state)
{
    api_fixture *f = *state;
    watch w = {.cancel = NULL};
    cistern_error err = CISTERN_ERROR_INIT;
    struct sigaction handler, before;
    struct itimerval soon = {{0, 0}, {0, 200000}};
    cistern_call call = call_of(&w);
    token_of_the_handler = w.cancel;
    memset(&handler, 0, sizeof handler);
    handler.sa_handler = on_alarm;
    assert_int_equal(sigaction(SIGALRM, &handler, &before), 0);
    origin_process_faults(&f->origin, "{\"*\":{\"stall_head\":true}}"); /* an answer that never comes */
    assert_int_equal(setitimer(ITIMER_REAL, &soon, NULL), 0);
    assert_fails(pull(f, &call, &err), CISTERN_CANCELLED, &err);
    sigaction(SIGALRM, &before, NULL);
    cistern_cancel_free(w.cancel);
}

static void a_run_is_cancelled_and_the_session_runs_again(void **state)
{
    api_fixture *f = *state;
    static const float input[3 * SIDE * SIDE];
    float out[CLASSES], again[CLASSES];
    cistern_error err = CISTERN_ERROR_INIT;
    cistern_model *m = NULL;
    cistern_session *s = NULL;
    cistern_cancel *cancel = NULL;
    assert_ok(pull(f, NULL, &err), &err);
    assert_ok(cistern_model_open(f->c, "digits", NULL, &m, &err), &err);
    assert_ok(cistern_session_new(m, NULL, &s, &err), &err);
    assert_ok(cistern_cancel_new(&cancel, &err), &err);
    assert_ok(cistern_session_run(s, input, 1, out, cancel, &err), &err);
    cistern_cancel_set(cancel);
    assert_fails(cistern_session_run(s, input, 1, again, cancel, &err), CISTERN_CANCELLED, &err);
    cistern_cancel_reset(cancel);
    err = (cistern_error)CISTERN_ERROR_INIT;
    assert_ok(cistern_session_run(s, input, 1, again, cancel, &err), &err);
    assert_memory_equal(out, again, sizeof out);
    cistern_cancel_free(cancel);
    cistern_session_free(s);
    cistern_model_free(m);
}

typedef struct heard {
    pthread_t thread;
    bool elsewhere;
    unsigned warnings, lines;
} heard;

static void on_log(void *user, int level, const char *line)
{
    heard *h = user;
    h->elsewhere = h->elsewhere || !pthread_equal(h->thread, pthread_self());
    h->warnings += level == 0 && strstr(line, "VGG") != NULL;
    h->lines += strchr(line, '\n') == NULL;
}

static void messages_come_on_the_thread_that_calls(void **state)
{
    api_fixture *f = *state;
    heard h = {.thread = pthread_self()};
    cistern_error err = CISTERN_ERROR_INIT;
    cistern_pull_options o = CISTERN_PULL_OPTIONS_INIT;
    cistern_options *options = NULL;
    cistern_version *v = NULL;
    cistern *c = NULL;
    const char *file = CISTERN_TEST_DATA "/formats/data/plain.safetensors";
    assert_ok(cistern_options_new(&options, &err), &err);
    assert_ok(cistern_options_set(options, "store", temp_dir_path(&f->dir, "store"), &err), &err);
    assert_ok(cistern_options_set(options, "state", temp_dir_path(&f->dir, "state"), &err), &err);
    cistern_options_set_log(options, on_log, &h);
    assert_ok(cistern_new(options, &c, &err), &err);
    cistern_options_free(options);
    o.as = "plain"; /* readable, and no VGG: that is a warning */
    assert_ok(cistern_add(c, &file, 1, &o, NULL, NULL, &v, &err), &err);
    assert_int_equal(h.warnings, 1);
    assert_false(h.elsewhere);
    cistern_version_free(v);
    cistern_free(c);
}

#define T(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(each_step_ends_once_on_the_callers_thread),        T(a_hit_reports_nothing_that_is_not_done),
        T(another_thread_cancels_and_the_next_call_goes_on), T(a_signal_handler_cancels),
        T(a_run_is_cancelled_and_the_session_runs_again),    T(messages_come_on_the_thread_that_calls),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
