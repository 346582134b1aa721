/* Full disks and missing permission. Needs root: a small tmpfs is mounted, another user is become. */
#include "fake_source.h"
#include "store_derived.h"
#include "store_doc.h"

#include <sys/mount.h>

#define MIB ((size_t)1 << 20)

static int tmpfs_setup(void **state)
{
    store_case *c = calloc(1, sizeof *c);
    case_make(c);
    *state = c;
    mkdir(c->root, 0700);
    if (geteuid() != 0 || mount("none", c->root, "tmpfs", 0, "size=8m,mode=0700") != 0)
        return 0; /* the test skips */
    assert_ok(store_init(c->root, STORE_HOME, STORE_SHARING_USER, &c->options, &c->s, NULL, err));
    return 0;
}

static int tmpfs_teardown(void **state)
{
    store_case *c = *state;
    store_free(c->s);
    c->s = NULL;
    umount(c->root);
    case_remove_tree(c->top);
    free(c);
    return 0;
}

static cistern_status fetch(store_case *c, fake_source *source, cistern_error *err)
{
    store_fetch *fetching = NULL;
    store_fetch_want want = STORE_FETCH_WANT_INIT;
    store_fetch_got got;
    base_digest key = case_digest("key", 3);
    cistern_status status = store_fetch_begin(c->s, &key, 0, NULL, &fetching, err);
    if (status != CISTERN_OK)
        return status;
    want.piece = MIB;
    status = store_fetch_copy(fetching, &source->base, &want, NULL, &got, err);
    if (status == CISTERN_OK)
        status = store_fetch_publish(fetching, NULL, err);
    store_fetch_end(fetching, status, err);
    return status;
}

static bool skipped(const store_case *c)
{
    if (!c->s)
        print_message("skipped: a tmpfs could not be mounted (needs root)\n");
    return !c->s;
}

static void full_disk_is_said_before_the_first_byte(void **state)
{
    store_case *c = *state;
    if (skipped(c))
        skip();
    uint8_t *bytes = case_bytes(12 * MIB, 1);
    fake_source source;
    fake_init(&source, bytes, 12 * MIB);
    assert_status(fetch(c, &source, err), CISTERN_NO_SPACE, "12582912 bytes are needed");
    assert_int_equal(source.sent, 0);
    assert_int_equal(case_partials(c), 0);
    free(bytes);
}

static void disk_that_fills_up_midway_is_no_space(void **state)
{
    store_case *c = *state;
    if (skipped(c))
        skip();
    uint8_t *bytes = case_bytes(12 * MIB, 1);
    fake_source source;
    fake_init(&source, bytes, 12 * MIB);
    source.no_size = true; /* so that nothing could be reserved */
    assert_status(fetch(c, &source, err), CISTERN_NO_SPACE, "cannot write");
    assert_int_equal(source.reads, 1); /* not tried again */
    assert_int_equal(case_partials(c), 0);
    source.size = MIB;
    assert_ok(fetch(c, &source, err));
    assert_true(case_has_blob(c, bytes, MIB));
    free(bytes);
}

static void full_disk_for_a_local_file_leaves_nothing(void **state)
{
    store_case *c = *state;
    if (skipped(c))
        skip();
    uint8_t *bytes = case_bytes(12 * MIB, 1);
    base_digest key = case_digest("k", 1);
    store_fetch *fetching = NULL;
    store_fetch_want want = STORE_FETCH_WANT_INIT;
    store_fetch_got got;
    case_write(case_path(c, "local.bin"), bytes, 12 * MIB);
    int fd = open(case_path(c, "local.bin"), O_RDONLY);
    assert_ok(store_fetch_begin(c->s, &key, 0, NULL, &fetching, err));
    assert_status(store_fetch_add(fetching, fd, "local.bin", &want, NULL, &got, err), CISTERN_NO_SPACE,
                  "are needed");
    store_fetch_end(fetching, CISTERN_NO_SPACE, NULL);
    assert_int_equal(case_partials(c), 0);
    close(fd);
    free(bytes);
}

static void full_disk_for_documents_and_derived_files(void **state)
{
    store_case *c = *state;
    if (skipped(c))
        skip();
    store_derived_key key = {.source = case_digest("s", 1), .kind = "packed", .version = 1, .layout = "any"};
    uint8_t *bytes = case_bytes(20 * MIB, 1);
    assert_status(store_derived_put(c->s, &key, bytes, 20 * MIB, NULL, err), CISTERN_NO_SPACE, "reserve");
    cistern_status status = CISTERN_OK;
    int made = 0;
    for (; status == CISTERN_OK && made < 10; made++) {
        char path[64];
        snprintf(path, sizeof path, "models/a/%d.json", made);
        status = store_doc_create(c->s, path, bytes, 3 * MIB, NULL, NULL);
    }
    assert_int_equal(status, CISTERN_NO_SPACE);
    assert_int_equal(case_entries(c, "models/a"), made - 1); /* neither torn nor temporary */
    free(bytes);
}

/* -- another user -------------------------------------------------------------------------------------------- */

static int as_nobody(void *arg)
{
    store_case *c = arg;
    store *s = NULL;
    store_fetch *fetching = NULL;
    base_digest key;
    bool created;
    if (setgid(65534) != 0 || setuid(65534) != 0)
        return 99;
    if (store_open(c->root, NULL, &s, NULL) != CISTERN_OK)
        return 1;
    if (store_fetch_key(NULL, "x", &key, NULL) != CISTERN_OK)
        return 2;
    if (store_fetch_begin(s, &key, 0, NULL, &fetching, NULL) != CISTERN_DENIED || fetching)
        return 3;
    if (store_doc_create(s, "models/a/x", "x", 1, &created, NULL) != CISTERN_DENIED)
        return 4;
    if (store_doc_hint(s, "models/a/head", "x", 1, NULL) != CISTERN_DENIED)
        return 5;
    store_derived_key derived = {.source = key, .kind = "packed", .version = 1, .layout = "any"};
    if (store_derived_put(s, &derived, "x", 1, NULL, NULL) != CISTERN_DENIED)
        return 6;
    store_free(s);
    return 0;
}

static void store_of_another_that_may_be_read_is_not_written(void **state)
{
    store_case *c = *state;
    if (geteuid() != 0) {
        print_message("skipped: needs root\n");
        skip();
    }
    char path[2 * CASE_PATH];
    assert_int_equal(chmod(c->top, 0755), 0);
    assert_int_equal(chmod(c->root, 0755), 0);
    snprintf(path, sizeof path, "%s/cistern.json", c->root);
    assert_int_equal(chmod(path, 0444), 0);
    int code = case_child(as_nobody, c);
    if (code == 99)
        skip();
    assert_int_equal(code, 0);
    assert_int_equal(case_entries(c, "."), 1);
}

#define TMPFS(name) cmocka_unit_test_setup_teardown(name, tmpfs_setup, tmpfs_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TMPFS(full_disk_is_said_before_the_first_byte),
        TMPFS(disk_that_fills_up_midway_is_no_space),
        TMPFS(full_disk_for_a_local_file_leaves_nothing),
        TMPFS(full_disk_for_documents_and_derived_files),
        cmocka_unit_test_setup_teardown(store_of_another_that_may_be_read_is_not_written, case_setup,
                                        case_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
