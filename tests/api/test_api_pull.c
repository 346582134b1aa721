/* Pull and add: once means once, updates, other names and facts on the same bytes, and everything that is refused. */
#include <pthread.h>
#include "api_fixture.h"

static void second_pull_makes_no_request(void **state)
{
    api_fixture *f = *state;
    cistern_pull_options o = CISTERN_PULL_OPTIONS_INIT;
    cistern_pull_result result = {.size = sizeof result};
    o.as = "digits";
    assert_string_equal(fixture_pull(f->c, f->url, &o, &result), "1");
    assert_int_equal(result.outcome, CISTERN_PULL_FETCHED);
    assert_true(result.bytes_received > 100000);
    origin_process_reset(&f->origin);
    assert_string_equal(fixture_pull(f->c, f->url, &o, &result), "1");
    assert_int_equal(result.outcome, CISTERN_PULL_HIT);
    assert_int_equal(result.requests, 0);
    assert_string_equal(fixture_pull(f->c, "digits", NULL, &result), "1");
    assert_int_equal(result.outcome, CISTERN_PULL_HIT);
    assert_int_equal(origin_process_count(&f->origin, NULL, "requests"), 0);
}

static void the_config_beside_it_gives_facts(void **state)
{
    api_fixture *f = *state;
    cistern_pull_options o = CISTERN_PULL_OPTIONS_INIT;
    cistern_version *v = NULL;
    cistern_facts facts = {.size = sizeof facts};
    o.as = "digits";
    assert_ok(cistern_pull(f->c, f->url, &o, NULL, NULL, &v, NULL), NULL);
    cistern_version_facts(v, &facts);
    assert_string_equal(facts.architecture, "vgg11_bn");
    assert_string_equal(facts.preprocess_source, "config.json");
    assert_int_equal(facts.input_height, 32);
    assert_int_equal(facts.classes, 10);
    assert_string_equal(facts.kind, "PyTorch zip");
    assert_non_null(cistern_version_label(v, 7));
    assert_null(cistern_version_label(v, 10));
    cistern_version_free(v);
}

static void update_asks_once_and_takes_what_changed(void **state)
{
    api_fixture *f = *state;
    cistern_pull_options o = CISTERN_PULL_OPTIONS_INIT;
    cistern_pull_result result = {.size = sizeof result};
    o.as = "digits";
    fixture_pull(f->c, f->url, &o, &result);
    o.update = 1;
    origin_process_reset(&f->origin);
    assert_string_equal(fixture_pull(f->c, f->url, &o, &result), "1");
    assert_int_equal(result.outcome, CISTERN_PULL_UNCHANGED);
    assert_int_equal(origin_process_count(&f->origin, NULL, "requests"), 1);
    fixture_copy(BUNDLED_NEXT, temp_dir_path(&f->dir, "origin/m.pth"));
    assert_string_equal(fixture_pull(f->c, f->url, &o, &result), "2");
    assert_int_equal(result.outcome, CISTERN_PULL_FETCHED);
    assert_string_equal(fixture_pull(f->c, f->url, &o, &result), "2");
    assert_int_equal(result.outcome, CISTERN_PULL_UNCHANGED);
    o.update = 0;
    origin_process_reset(&f->origin);
    assert_string_equal(fixture_pull(f->c, f->url, &o, &result), "2"); /* of several the newest is the hit */
    assert_int_equal(origin_process_count(&f->origin, NULL, "requests"), 0);
}

static void update_of_a_reference_asks_its_recorded_origin(void **state)
{
    api_fixture *f = *state;
    cistern_pull_options o = CISTERN_PULL_OPTIONS_INIT;
    cistern_pull_result result = {.size = sizeof result};
    o.as = "digits";
    fixture_pull(f->c, f->url, &o, &result);
    fixture_copy(BUNDLED_NEXT, temp_dir_path(&f->dir, "origin/m.pth"));
    o.as = NULL;
    o.update = 1;
    assert_string_equal(fixture_pull(f->c, "digits", &o, &result), "2");
}

static void a_server_without_validators_is_read_again_and_the_same_bytes_are_the_same_version(void **state)
{
    api_fixture *f = *state;
    cistern_pull_options o = CISTERN_PULL_OPTIONS_INIT;
    cistern_pull_result result = {.size = sizeof result};
    o.as = "digits";
    origin_process_faults(&f->origin, "{\"/m.pth\":{\"etag\":\"none\",\"no_last_modified\":true}}");
    assert_string_equal(fixture_pull(f->c, f->url, &o, &result), "1");
    o.update = 1;
    assert_string_equal(fixture_pull(f->c, f->url, &o, &result), "1");
    assert_int_equal(result.outcome, CISTERN_PULL_SAME);
}

static void last_modified_serves_where_there_is_no_etag(void **state)
{
    api_fixture *f = *state;
    cistern_pull_options o = CISTERN_PULL_OPTIONS_INIT;
    cistern_pull_result result = {.size = sizeof result};
    o.as = "digits";
    origin_process_faults(&f->origin, "{\"/m.pth\":{\"etag\":\"none\"}}");
    fixture_pull(f->c, f->url, &o, &result);
    o.update = 1;
    assert_string_equal(fixture_pull(f->c, f->url, &o, &result), "1");
    assert_int_equal(result.outcome, CISTERN_PULL_UNCHANGED);
}

static void other_facts_on_the_same_bytes_are_the_next_version_without_a_request(void **state)
{
    api_fixture *f = *state;
    cistern_pull_options o = CISTERN_PULL_OPTIONS_INIT;
    cistern_pull_result result = {.size = sizeof result};
    cistern_version *v = NULL;
    cistern_facts facts = {.size = sizeof facts};
    o.as = "digits";
    fixture_pull(f->c, f->url, &o, &result);
    origin_process_reset(&f->origin);
    o.preprocess = "torchvision";
    assert_string_equal(fixture_pull(f->c, f->url, &o, &result), "2");
    assert_int_equal(result.outcome, CISTERN_PULL_RECORDED);
    assert_string_equal(fixture_pull(f->c, f->url, &o, &result), "2");
    assert_int_equal(result.outcome, CISTERN_PULL_HIT);
    assert_int_equal(origin_process_count(&f->origin, NULL, "requests"), 0);
    assert_ok(cistern_resolve(f->c, "digits:2", &v, NULL), NULL);
    cistern_version_facts(v, &facts);
    assert_int_equal(facts.input_height, 224);
    assert_string_equal(facts.architecture, "vgg11_bn");
    assert_non_null(cistern_version_label(v, 3)); /* what the config said of the rest still holds */
    cistern_version_free(v);
}

static void a_reference_with_other_facts_is_the_next_version(void **state)
{
    api_fixture *f = *state;
    cistern_pull_options o = CISTERN_PULL_OPTIONS_INIT;
    cistern_pull_result result = {.size = sizeof result};
    cistern_version *v = NULL;
    cistern_error err = CISTERN_ERROR_INIT;
    char digest[65];
    o.as = "digits";
    fixture_pull(f->c, f->url, &o, &result);
    o.as = NULL;
    o.preprocess = "torchvision";
    assert_string_equal(fixture_pull(f->c, "digits:1", &o, &result), "2");
    assert_int_equal(result.outcome, CISTERN_PULL_RECORDED);
    assert_string_equal(fixture_pull(f->c, "digits", &o, &result), "2");
    assert_int_equal(result.outcome, CISTERN_PULL_HIT);
    memset(digest, 'b', 64);
    digest[64] = 0;
    o.sha256 = digest;
    assert_fails(cistern_pull(f->c, "digits", &o, NULL, NULL, &v, &err), CISTERN_DAMAGED, &err);
}

static void a_named_version_of_known_bytes_needs_no_request(void **state)
{
    api_fixture *f = *state;
    cistern_pull_options o = CISTERN_PULL_OPTIONS_INIT;
    cistern_pull_result result = {.size = sizeof result};
    o.as = "digits";
    fixture_pull(f->c, f->url, &o, &result);
    origin_process_reset(&f->origin);
    o.as = "digits:gold";
    assert_string_equal(fixture_pull(f->c, f->url, &o, &result), "gold");
    assert_int_equal(result.outcome, CISTERN_PULL_RECORDED);
    assert_string_equal(fixture_pull(f->c, f->url, &o, &result), "gold");
    assert_int_equal(result.outcome, CISTERN_PULL_HIT);
    assert_int_equal(origin_process_count(&f->origin, NULL, "requests"), 0);
}

static void the_same_explicit_version_with_other_content_is_a_conflict(void **state)
{
    api_fixture *f = *state;
    cistern_pull_options o = CISTERN_PULL_OPTIONS_INIT;
    cistern_pull_result result = {.size = sizeof result};
    cistern_version *v = NULL;
    cistern_error err = CISTERN_ERROR_INIT;
    o.as = "digits:gold";
    fixture_pull(f->c, f->url, &o, &result);
    fixture_copy(BUNDLED_NEXT, temp_dir_path(&f->dir, "origin/n.pth"));
    snprintf(f->url, sizeof f->url, "http://127.0.0.1:%d/n.pth", f->origin.port);
    assert_fails(cistern_pull(f->c, f->url, &o, NULL, NULL, &v, &err), CISTERN_CONFLICT, &err);
    assert_ok(cistern_resolve(f->c, "digits:gold", &v, &err), &err);
    cistern_version_free(v);
}

/* The expected digest of a file, from the store after a pull under another name. */
static void digest_of_bundled(api_fixture *f, char out[65])
{
    cistern_version *v = NULL;
    const char *path = BUNDLED_FILE;
    cistern_pull_options o = CISTERN_PULL_OPTIONS_INIT;
    o.as = "probe";
    assert_ok(cistern_add(f->c, &path, 1, &o, NULL, NULL, &v, NULL), NULL);
    memcpy(out, cistern_version_digest(v), 65);
    cistern_version_free(v);
}

static void bytes_known_by_digest_are_not_transferred_under_any_name(void **state)
{
    api_fixture *f = *state;
    cistern_pull_options o = CISTERN_PULL_OPTIONS_INIT;
    cistern_pull_result result = {.size = sizeof result};
    char digest[65];
    digest_of_bundled(f, digest);
    o.as = "digits";
    o.sha256 = digest;
    origin_process_reset(&f->origin);
    fixture_pull(f->c, f->url, &o, &result);
    assert_int_equal(result.outcome, CISTERN_PULL_RECORDED);
    assert_int_equal(origin_process_count(&f->origin, "/m.pth", "bytes"), 0);
}

static void a_wrong_digest_publishes_nothing_and_shows_both(void **state)
{
    api_fixture *f = *state;
    cistern_pull_options o = CISTERN_PULL_OPTIONS_INIT;
    cistern_version *v = NULL;
    cistern_list *list = NULL;
    cistern_error err = CISTERN_ERROR_INIT;
    char wanted[65], text[2048];
    memset(wanted, 'a', 64);
    wanted[64] = 0;
    o.as = "digits";
    o.sha256 = wanted;
    assert_fails(cistern_pull(f->c, f->url, &o, NULL, NULL, &v, &err), CISTERN_DAMAGED, &err);
    cistern_error_format(&err, text, sizeof text);
    assert_non_null(strstr(text, wanted));
    assert_ok(cistern_list_versions(f->c, NULL, &list, &err), &err);
    assert_int_equal(cistern_list_count(list), 0);
    cistern_list_free(list);
}

static void a_digest_in_the_name_is_a_promise(void **state)
{
    api_fixture *f = *state;
    cistern_pull_options o = CISTERN_PULL_OPTIONS_INIT;
    cistern_pull_result result = {.size = sizeof result};
    cistern_version *v = NULL;
    cistern_error err = CISTERN_ERROR_INIT;
    char url[128];
    fixture_copy(BUNDLED_FILE, temp_dir_path(&f->dir, "origin/digits-20260101.pth"));
    snprintf(url, sizeof url, "http://127.0.0.1:%d/digits-20260101.pth", f->origin.port);
    assert_says(cistern_pull(f->c, url, NULL, NULL, NULL, &v, &err), CISTERN_DAMAGED, &err,
                "--ignore-name-digest");
    o.ignore_name_digest = 1;
    assert_string_equal(fixture_pull(f->c, url, &o, &result), "1");
    assert_ok(cistern_resolve(f->c, "digits", &v, &err), &err);
    cistern_version_free(v);
}

static void offline_is_a_hit_or_exit_4(void **state)
{
    api_fixture *f = *state;
    static const char *const offline[] = {"offline", "yes", NULL};
    cistern *c = fixture_context(f, offline);
    cistern_pull_options o = CISTERN_PULL_OPTIONS_INIT;
    cistern_pull_result result = {.size = sizeof result};
    cistern_version *v = NULL;
    cistern_error err = CISTERN_ERROR_INIT;
    o.as = "digits";
    assert_fails(cistern_pull(c, f->url, &o, NULL, NULL, &v, &err), CISTERN_OFFLINE, &err);
    fixture_pull(f->c, f->url, &o, &result);
    assert_string_equal(fixture_pull(c, f->url, &o, &result), "1");
    o.update = 1;
    assert_fails(cistern_pull(c, f->url, &o, NULL, NULL, &v, &err), CISTERN_OFFLINE, &err);
    cistern_free(c);
}

typedef struct racer {
    pthread_t thread;
    api_fixture *f;
    cistern_status status;
    cistern_pull_outcome outcome;
} racer;

static void *race(void *arg)
{
    racer *r = arg;
    cistern *c = fixture_context(r->f, NULL);
    cistern_pull_options o = CISTERN_PULL_OPTIONS_INIT;
    cistern_pull_result result = {.size = sizeof result};
    cistern_version *v = NULL;
    o.as = "digits";
    r->status = cistern_pull(c, r->f->url, &o, NULL, &result, &v, NULL);
    r->outcome = result.outcome;
    cistern_version_free(v);
    cistern_free(c);
    return NULL;
}

static void eight_at_once_make_one_transfer(void **state)
{
    api_fixture *f = *state;
    racer racers[8];
    int fetched = 0;
    origin_process_faults(&f->origin, "{\"/m.pth\":{\"rate\":2000000}}");
    for (int i = 0; i < 8; i++) {
        racers[i].f = f;
        assert_int_equal(pthread_create(&racers[i].thread, NULL, race, &racers[i]), 0);
    }
    for (int i = 0; i < 8; i++) {
        pthread_join(racers[i].thread, NULL);
        assert_int_equal(racers[i].status, CISTERN_OK);
        fetched += racers[i].outcome == CISTERN_PULL_FETCHED;
    }
    assert_int_equal(fetched, 1);
    struct stat file;
    assert_int_equal(stat(BUNDLED_FILE, &file), 0);
    assert_int_equal(origin_process_count(&f->origin, "/m.pth", "bytes"), file.st_size);
}

static void a_page_instead_of_weights_is_explained_and_not_stored(void **state)
{
    api_fixture *f = *state;
    cistern_pull_options o = CISTERN_PULL_OPTIONS_INIT;
    cistern_version *v = NULL;
    cistern_list *list = NULL;
    cistern_error err = CISTERN_ERROR_INIT;
    o.as = "digits";
    origin_process_faults(&f->origin, "{\"/m.pth\":{\"html\":true}}");
    assert_says(cistern_pull(f->c, f->url, &o, NULL, NULL, &v, &err), CISTERN_UNREADABLE, &err, "HTML");
    assert_ok(cistern_list_versions(f->c, NULL, &list, &err), &err);
    assert_int_equal(cistern_list_count(list), 0);
    cistern_list_free(list);
}

static void the_wrong_architecture_is_refused_with_what_is_missing(void **state)
{
    api_fixture *f = *state;
    cistern_pull_options o = CISTERN_PULL_OPTIONS_INIT;
    cistern_version *v = NULL;
    cistern_error err = CISTERN_ERROR_INIT;
    o.as = "digits";
    o.architecture = "vgg16";
    assert_says(cistern_pull(f->c, f->url, &o, NULL, NULL, &v, &err), CISTERN_UNREADABLE, &err, "features.");
    o.architecture = "vgg17";
    assert_fails(cistern_pull(f->c, f->url, &o, NULL, NULL, &v, &err), CISTERN_USAGE, &err);
}

static void failures_of_the_origin_have_their_own_status(void **state)
{
    static const struct {
        const char *fault;
        cistern_status status;
    } cases[] = {
        {"{\"/m.pth\":{\"status\":404}}", CISTERN_NOT_FOUND},
        {"{\"/m.pth\":{\"status\":410}}", CISTERN_NOT_FOUND},
        {"{\"/m.pth\":{\"status\":401}}", CISTERN_REFUSED},
        {"{\"/m.pth\":{\"status\":403}}", CISTERN_REFUSED},
        {"{\"/m.pth\":{\"status\":500}}", CISTERN_NETWORK},
        {"{\"/m.pth\":{\"cut_after\":100,\"etag\":\"none\"}}", CISTERN_NETWORK},
        {"{\"/m.pth\":{\"redirect_loop\":true}}", CISTERN_NETWORK},
    };
    api_fixture *f = *state;
    cistern_pull_options o = CISTERN_PULL_OPTIONS_INIT;
    cistern_version *v = NULL;
    o.as = "digits";
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        cistern_error err = CISTERN_ERROR_INIT;
        origin_process_faults(&f->origin, cases[i].fault);
        assert_fails(cistern_pull(f->c, f->url, &o, NULL, NULL, &v, &err), cases[i].status, &err);
    }
    origin_process_faults(&f->origin, "{}");
    assert_ok(cistern_pull(f->c, f->url, &o, NULL, NULL, &v, NULL), NULL);
    cistern_version_free(v);
}

static void cancelled_by(void *user, const cistern_progress *p)
{
    if (strcmp(p->step, "fetch") == 0)
        cistern_cancel_set(user);
}

static void a_cancelled_pull_is_resumed_by_the_next(void **state)
{
    api_fixture *f = *state;
    cistern_pull_options o = CISTERN_PULL_OPTIONS_INIT;
    cistern_call call = CISTERN_CALL_INIT;
    cistern_pull_result result = {.size = sizeof result};
    cistern_version *v = NULL;
    cistern_error err = CISTERN_ERROR_INIT;
    o.as = "digits";
    assert_ok(cistern_cancel_new(&call.cancel, NULL), NULL);
    call.progress = cancelled_by;
    call.user = call.cancel;
    origin_process_faults(&f->origin, "{\"/m.pth\":{\"rate\":1000000}}");
    assert_fails(cistern_pull(f->c, f->url, &o, &call, NULL, &v, &err), CISTERN_CANCELLED, &err);
    cistern_cancel_free(call.cancel);
    origin_process_faults(&f->origin, "{}");
    assert_string_equal(fixture_pull(f->c, f->url, &o, &result), "1");
}

static void add_needs_a_name_and_existing_files(void **state)
{
    api_fixture *f = *state;
    const char *paths[2] = {BUNDLED_FILE, "/nonexistent/x.pth"};
    cistern_pull_options o = CISTERN_PULL_OPTIONS_INIT;
    cistern_version *v = NULL;
    cistern_error err = CISTERN_ERROR_INIT;
    assert_fails(cistern_add(f->c, paths, 1, &o, NULL, NULL, &v, &err), CISTERN_USAGE, &err);
    o.as = "digits";
    assert_fails(cistern_add(f->c, &paths[1], 1, &o, NULL, NULL, &v, &err), CISTERN_NOT_FOUND, &err);
    assert_fails(cistern_add(f->c, paths, 2, &o, NULL, NULL, &v, &err), CISTERN_NOT_FOUND, &err);
    assert_int_not_equal(access(temp_dir_path(&f->dir, "store"), F_OK), 0); /* nothing was made for nothing */
    assert_ok(cistern_add(f->c, paths, 1, &o, NULL, NULL, &v, &err), &err);
    assert_string_equal(cistern_version_origin(v), "");
    cistern_version_free(v);
}

static void adding_the_same_again_moves_nothing(void **state)
{
    api_fixture *f = *state;
    const char *path = BUNDLED_FILE, *next = BUNDLED_NEXT;
    cistern_pull_options o = CISTERN_PULL_OPTIONS_INIT;
    cistern_pull_result result = {.size = sizeof result};
    cistern_version *v = NULL;
    cistern_error err = CISTERN_ERROR_INIT;
    o.as = "digits";
    assert_ok(cistern_add(f->c, &path, 1, &o, NULL, NULL, &v, &err), &err);
    cistern_version_free(v);
    assert_ok(cistern_add(f->c, &next, 1, &o, NULL, NULL, &v, &err), &err);
    assert_string_equal(cistern_version_tag(v), "2");
    cistern_version_free(v);
    assert_ok(cistern_add(f->c, &path, 1, &o, NULL, &result, &v, &err), &err);
    assert_string_equal(cistern_version_tag(v), "1");
    assert_int_equal(result.outcome, CISTERN_PULL_SAME);
    assert_non_null(strstr(result.note, "latest points to version 2"));
    cistern_version_free(v);
}

static void bad_arguments_are_usage(void **state)
{
    static const char *const origins[] = {"gs://bucket/key", "ftp://host/x", "VGG16", "a//b", "", "x:y:z"};
    api_fixture *f = *state;
    cistern_pull_options o = CISTERN_PULL_OPTIONS_INIT;
    cistern_version *v = NULL;
    cistern_error err = CISTERN_ERROR_INIT;
    for (size_t i = 0; i < sizeof origins / sizeof origins[0]; i++)
        assert_fails(cistern_pull(f->c, origins[i], NULL, NULL, NULL, &v, &err), CISTERN_USAGE, &err);
    o.as = "Digits";
    assert_says(cistern_pull(f->c, f->url, &o, NULL, NULL, &v, &err), CISTERN_USAGE, &err, "digits");
    o.as = "digits:latest";
    assert_fails(cistern_pull(f->c, f->url, &o, NULL, NULL, &v, &err), CISTERN_CONFLICT, &err);
    o.as = "digits";
    o.sha256 = "abc";
    assert_fails(cistern_pull(f->c, f->url, &o, NULL, NULL, &v, &err), CISTERN_USAGE, &err);
}

#define T(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)
int main(void)
{
    const struct CMUnitTest tests[] = {
        T(second_pull_makes_no_request),
        T(the_config_beside_it_gives_facts),
        T(update_asks_once_and_takes_what_changed),
        T(update_of_a_reference_asks_its_recorded_origin),
        T(a_server_without_validators_is_read_again_and_the_same_bytes_are_the_same_version),
        T(last_modified_serves_where_there_is_no_etag),
        T(other_facts_on_the_same_bytes_are_the_next_version_without_a_request),
        T(a_reference_with_other_facts_is_the_next_version),
        T(a_named_version_of_known_bytes_needs_no_request),
        T(the_same_explicit_version_with_other_content_is_a_conflict),
        T(bytes_known_by_digest_are_not_transferred_under_any_name),
        T(a_wrong_digest_publishes_nothing_and_shows_both),
        T(a_digest_in_the_name_is_a_promise),
        T(offline_is_a_hit_or_exit_4),
        T(eight_at_once_make_one_transfer),
        T(a_page_instead_of_weights_is_explained_and_not_stored),
        T(the_wrong_architecture_is_refused_with_what_is_missing),
        T(failures_of_the_origin_have_their_own_status),
        T(a_cancelled_pull_is_resumed_by_the_next),
        T(add_needs_a_name_and_existing_files),
        T(adding_the_same_again_moves_nothing),
        T(bad_arguments_are_usage),
    };
    return cmocka_run_group_tests_name("api_pull", tests, NULL, NULL);
}
