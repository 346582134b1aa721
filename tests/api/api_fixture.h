/* A store of its own, an origin that serves the bundled model, a context; all gone at the end. */
#ifndef API_FIXTURE_H
#define API_FIXTURE_H

#include <pthread.h>
#include <cistern/cistern.h>
#include "cistern_test.h"
#include "origin_process.h"
#include "temp_dir.h"

#define BUNDLED       CISTERN_TEST_DATA "/../models/digits-vgg11_bn"
#define BUNDLED_FILE  BUNDLED "/digits-vgg11_bn.pth"
#define BUNDLED_NEXT  BUNDLED "/v2/digits-vgg11_bn.pth"
#define BUNDLED_IMAGE BUNDLED "/samples/seven.png"

typedef struct api_fixture {
    temp_dir dir;          /* store/, state/, origin/ */
    origin_process origin; /* serves origin/ */
    cistern *c;
    char url[128]; /* of m.pth there */
    char log[4096];
} api_fixture;

static inline void fixture_log(void *user, int level, const char *line)
{
    static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* several contexts may share one fixture */
    api_fixture *f = user;
    pthread_mutex_lock(&lock);
    size_t n = strlen(f->log);
    snprintf(f->log + n, sizeof f->log - n, "%d %s\n", level, line);
    pthread_mutex_unlock(&lock);
}

static inline void fixture_copy(const char *from, const char *to)
{
    static char buffer[1 << 16];
    FILE *in = fopen(from, "rb"), *out = fopen(to, "wb");
    size_t n;
    assert_non_null(in);
    assert_non_null(out);
    while ((n = fread(buffer, 1, sizeof buffer, in)) > 0)
        assert_int_equal(fwrite(buffer, 1, n, out), n);
    fclose(in);
    assert_int_equal(fclose(out), 0);
}

static inline void fixture_write_text(const char *path, const char *text)
{
    FILE *out = fopen(path, "wb");
    assert_non_null(out);
    assert_int_equal(fwrite(text, 1, strlen(text), out), strlen(text));
    assert_int_equal(fclose(out), 0);
}

/* A context over the fixture's store; `more` are further option names and values, ended by NULL, or NULL. */
static inline cistern *fixture_context(api_fixture *f, const char *const *more)
{
    cistern_options *o = NULL;
    cistern *c = NULL;
    cistern_error err = CISTERN_ERROR_INIT;
    assert_ok(cistern_options_new(&o, &err), &err);
    assert_ok(cistern_options_set(o, "store", temp_dir_path(&f->dir, "store"), &err), &err);
    assert_ok(cistern_options_set(o, "state", temp_dir_path(&f->dir, "state"), &err), &err);
    assert_ok(cistern_options_set(o, "threads", "2", &err), &err);
    assert_ok(cistern_options_set(o, "tries", "2", &err), &err);
    for (; more && *more; more += 2)
        assert_ok(cistern_options_set(o, more[0], more[1], &err), &err);
    cistern_options_set_log(o, fixture_log, f);
    assert_ok(cistern_new(o, &c, &err), &err);
    cistern_options_free(o);
    return c;
}

static inline int fixture_setup(void **state)
{
    api_fixture *f = calloc(1, sizeof *f);
    assert_non_null(f);
    temp_dir_make(&f->dir);
    assert_int_equal(mkdir(temp_dir_path(&f->dir, "origin"), 0700), 0);
    fixture_copy(BUNDLED_FILE, temp_dir_path(&f->dir, "origin/m.pth"));
    fixture_copy(BUNDLED "/config.json", temp_dir_path(&f->dir, "origin/config.json"));
    origin_process_start(&f->origin, temp_dir_path(&f->dir, "origin"), NULL);
    snprintf(f->url, sizeof f->url, "http://127.0.0.1:%d/m.pth", f->origin.port);
    f->c = fixture_context(f, NULL);
    *state = f;
    return 0;
}

static inline int fixture_teardown(void **state)
{
    api_fixture *f = *state;
    cistern_free(f->c);
    origin_process_stop(&f->origin);
    temp_dir_remove(&f->dir);
    free(f);
    return 0;
}

/* Pull and keep the outcome; the tag of the version comes back (one of four buffers in turn). */
static inline const char *fixture_pull(cistern *c, const char *origin, const cistern_pull_options *o,
                                       cistern_pull_result *result)
{
    static char tags[4][160];
    static unsigned next;
    char *tag = tags[next++ % 4];
    cistern_version *v = NULL;
    cistern_error err = CISTERN_ERROR_INIT;
    *result = (cistern_pull_result){.size = sizeof *result};
    assert_ok(cistern_pull(c, origin, o, NULL, result, &v, &err), &err);
    snprintf(tag, 160, "%s", cistern_version_tag(v));
    result->note = NULL;
    cistern_version_free(v);
    return tag;
}

#endif
