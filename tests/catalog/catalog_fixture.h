/* A real store in a scratch directory, and short ways to publish, move, look and do damage. */
#ifndef CATALOG_FIXTURE_H
#define CATALOG_FIXTURE_H

#include "cistern_test.h"
#include "temp_dir.h"
#include <sys/wait.h>
#include "base_sha256.h"
#include "catalog_alias.h"
#include "catalog_publish.h"
#include "catalog_remove.h"
#include "catalog_resolve.h"
#include "store_open.h"

typedef struct fixture {
    temp_dir dir;
    store *s;
    cistern_error err;
} fixture;

static inline int fixture_setup(void **state)
{
    fixture *f = calloc(1, sizeof *f);
    assert_non_null(f);
    temp_dir_make(&f->dir);
    assert_ok(store_init(f->dir.path, STORE_HOME, STORE_SHARING_USER, NULL, &f->s, NULL, &f->err), &f->err);
    *state = f;
    return 0;
}

static inline int fixture_teardown(void **state)
{
    fixture *f = *state;
    store_free(f->s);
    temp_dir_remove(&f->dir);
    free(f);
    return 0;
}

#define FIXTURE_TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)

/** One file whose bytes (and therefore digest) are the text. */
static inline catalog_file fixture_file(const char *text)
{
    catalog_file file = {.path = "vgg16.pth", .size = strlen(text)};
    base_digest digest;
    if (base_sha256_of(text, strlen(text), &digest, NULL) != CISTERN_OK)
        abort();
    base_digest_hex(&digest, file.sha256);
    memcpy(file.chunks_sha256, file.sha256, sizeof file.chunks_sha256);
    return file;
}

/** Publish a version of one file with these bytes. */
static inline cistern_status fixture_publish(store *s, const char *name, const char *tag, const char *text,
                                             const char *origin, catalog_published *out, cistern_error *err)
{
    catalog_file file = fixture_file(text);
    model_facts facts;
    model_facts_init(&facts);
    catalog_publication p = {.name = name,
                             .tag = tag,
                             .files = &file,
                             .file_count = 1,
                             .facts = &facts,
                             .origin = origin,
                             .who = "tester@here"};
    cistern_status st = catalog_publish(s, &p, out, err);
    model_facts_clear(&facts);
    return st;
}

/** Publish, which must succeed and make the version `expected`. */
static inline void fixture_add(fixture *f, const char *name, const char *tag, const char *text,
                               const char *expected)
{
    catalog_published done;
    assert_ok(fixture_publish(f->s, name, tag, text, NULL, &done, &f->err), &f->err);
    assert_true(done.created);
    assert_string_equal(done.version.tag, expected);
    catalog_version_clear(&done.version);
}

static inline cistern_status fixture_move(fixture *f, const char *name, const char *target, const char *alias,
                                          const char *expect)
{
    catalog_move m;
    bool moved = false;
    catalog_alias_change c = {
        .name = name, .alias = alias, .target = target, .expect = expect, .who = "mover@here"};
    catalog_move_init(&m);
    cistern_status st = catalog_alias_move(f->s, &c, &m, &moved, &f->err);
    if (st == CISTERN_OK)
        assert_string_equal(m.target, target);
    catalog_move_clear(&m);
    return st;
}

static inline cistern_status fixture_rollback(fixture *f, const char *name, const char *alias)
{
    catalog_move m;
    catalog_move_init(&m);
    cistern_status st = catalog_alias_rollback(f->s, name, alias, "roller@here", "it was slow", &m, &f->err);
    catalog_move_clear(&m);
    return st;
}

static inline cistern_status fixture_remove(fixture *f, const char *name, const char *tag, bool force)
{
    size_t count = 0;
    catalog_removal r = {
        .name = name, .tag = tag, .force = force, .who = "remover@here", .why = "bad labels"};
    return catalog_remove(f->s, &r, &count, &f->err);
}

/** Where an alias is: its target, "" if it does not exist. One of two buffers, used in turn. */
static inline const char *fixture_at(fixture *f, const char *name, const char *alias)
{
    static char buffers[2][CATALOG_TAG_MAX + 1];
    static unsigned next;
    char *out = buffers[next++ % 2];
    catalog_move m;
    catalog_move_init(&m);
    assert_ok(catalog_alias_read(f->s, name, alias, &m, &f->err), &f->err);
    memcpy(out, m.target, sizeof m.target);
    catalog_move_clear(&m);
    return out;
}

/** Number of the move that holds. */
static inline uint32_t fixture_moves(fixture *f, const char *name, const char *alias)
{
    catalog_move m;
    catalog_move_init(&m);
    assert_ok(catalog_alias_read(f->s, name, alias, &m, &f->err), &f->err);
    uint32_t number = m.number;
    catalog_move_clear(&m);
    return number;
}

/** Resolve; the tag of the version on success ("" else). */
static inline cistern_status fixture_resolve(fixture *f, const char *text, char out[CATALOG_TAG_MAX + 1])
{
    catalog_reference ref;
    catalog_resolved r;
    catalog_resolved_init(&r);
    out[0] = '\0';
    cistern_status st = catalog_reference_parse(text, &ref, &f->err);
    if (st == CISTERN_OK)
        st = catalog_resolve(f->s, &ref, &r, &f->err);
    if (st == CISTERN_OK)
        memcpy(out, r.version.tag, CATALOG_TAG_MAX + 1);
    catalog_resolved_clear(&r);
    return st;
}

/** The whole text of a document; freed with free(). */
static inline char *fixture_get(fixture *f, const char *path)
{
    base_buf bytes;
    base_buf_init(&bytes, 8u << 20);
    assert_ok(base_read_beneath(f->dir.fd, path, &bytes, &f->err), &f->err);
    return base_buf_take(&bytes);
}

/** Put these bytes where a document is or is not, as an enemy or a broken disk would. */
static inline void fixture_put(fixture *f, const char *path, const void *bytes, size_t n)
{
    static const base_modes modes = {0400, 0600, 0700};
    assert_ok(base_replace_bytes(f->dir.fd, path, bytes, n, &modes, &f->err), &f->err);
}

/** Rewrite a document with the first `from` replaced by `to`. */
static inline void fixture_edit(fixture *f, const char *path, const char *from, const char *to)
{
    char *text = fixture_get(f, path);
    char *at = strstr(text, from);
    char out[16384];
    assert_non_null(at);
    int n = snprintf(out, sizeof out, "%.*s%s%s", (int)(at - text), text, to, at + strlen(from));
    assert_true(n > 0 && (size_t)n < sizeof out);
    fixture_put(f, path, out, (size_t)n);
    free(text);
}

/** A number inside a document that is known to be good. */
static inline bool fixture_has(fixture *f, const char *path)
{
    struct stat st;
    return fstatat(f->dir.fd, path, &st, AT_SYMLINK_NOFOLLOW) == 0;
}

/**
 * Run fn in `count` processes that all start at once, each with a store of its own; their exit codes (fn's results) are
 * counted in tally[0..255].
 */
static inline void fixture_race(fixture *f, int count, int (*fn)(store *s, int which), int tally[256])
{
    int gate[2];
    char byte;
    memset(tally, 0, 256 * sizeof *tally);
    assert_int_equal(pipe(gate), 0);
    for (int i = 0; i < count; i++) {
        pid_t pid = fork();
        assert_true(pid >= 0);
        if (pid == 0) {
            store *s = NULL;
            close(gate[1]);
            if (store_open(f->dir.path, NULL, &s, NULL) != CISTERN_OK || read(gate[0], &byte, 1) != 0)
                _exit(255);
            int code = fn(s, i);
            store_free(s);
            _exit(code);
        }
    }
    close(gate[0]);
    close(gate[1]); /* go */
    for (int i = 0; i < count; i++) {
        int status = 0;
        assert_true(wait(&status) > 0);
        assert_true(WIFEXITED(status));
        tally[WEXITSTATUS(status)]++;
    }
}

#endif
