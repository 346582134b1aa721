/* Documents: created once, never changed; hints: replaced. */
#include "store_case.h"
#include "store_doc.h"

static void create_then_read(void **state)
{
    store_case *c = *state;
    bool created = false, has = false;
    base_buf found;
    struct stat st;
    char path[2 * CASE_PATH];
    base_buf_init(&found, STORE_DOC_MAX);
    assert_ok(store_doc_create(c->s, "models/vgg16/versions/1.json", "{}\n", 3, &created, err));
    assert_true(created);
    assert_ok(store_doc_read(c->s, "models/vgg16/versions/1.json", &found, err));
    assert_string_equal(found.data, "{}\n");
    base_buf_clear(&found);
    snprintf(path, sizeof path, "%s/models/vgg16/versions/1.json", c->root);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0400);
    assert_int_equal(st.st_nlink, 1);
    snprintf(path, sizeof path, "%s/models/vgg16/versions", c->root);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0700);
    assert_int_equal(case_entries(c, "models/vgg16/versions"), 1); /* no temporary is left */
    assert_ok(store_doc_has(c->s, "models/vgg16", &has, err));
    assert_true(has);
    assert_ok(store_doc_has(c->s, "models/vgg16/versions/1.json", &has, err));
    assert_true(has);
    assert_ok(store_doc_has(c->s, "models/vgg17/versions/1.json", &has, err));
    assert_false(has);
    assert_status(store_doc_read(c->s, "models/vgg16/versions/2.json", &found, err), CISTERN_NOT_FOUND,
                  "2.json");
}

static void equal_content_is_success_other_is_a_conflict(void **state)
{
    store_case *c = *state;
    bool created = true;
    base_buf found;
    base_buf_init(&found, STORE_DOC_MAX);
    assert_ok(store_doc_create(c->s, "models/a/x.json", "one", 3, NULL, err));
    assert_ok(store_doc_create(c->s, "models/a/x.json", "one", 3, &created, err));
    assert_false(created);
    assert_status(store_doc_create(c->s, "models/a/x.json", "two", 3, NULL, err), CISTERN_CONFLICT,
                  "models/a/x.json");
    assert_status(store_doc_create(c->s, "models/a/x.json", "one more", 8, NULL, err), CISTERN_CONFLICT,
                  "other content");
    assert_ok(store_doc_read(c->s, "models/a/x.json", &found, err));
    assert_string_equal(found.data, "one");
    base_buf_clear(&found);
}

static void hint_is_replaced_and_removed(void **state)
{
    store_case *c = *state;
    base_buf found;
    bool has = true;
    base_buf_init(&found, 100);
    assert_ok(store_doc_hint(c->s, "models/a/versions/head", "1\n", 2, err));
    assert_ok(store_doc_hint(c->s, "models/a/versions/head", "2\n", 2, err));
    assert_ok(store_doc_read(c->s, "models/a/versions/head", &found, err));
    assert_string_equal(found.data, "2\n");
    base_buf_clear(&found);
    assert_ok(store_doc_remove_hint(c->s, "models/a/versions/head", err));
    assert_ok(store_doc_remove_hint(c->s, "models/a/versions/head", err));
    assert_ok(store_doc_has(c->s, "models/a/versions/head", &has, err));
    assert_false(has);
}

static void paths_that_leave_or_hide_are_refused(void **state)
{
    store_case *c = *state;
    static const char *const paths[] = {"",         "/etc/passwd", "models/../x",   "models//x", "./x",
                                        "models/.", "models/..",   "models/.tmp-1", ".tmp-1/x",  "models/"};
    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++) {
        base_buf found;
        base_buf_init(&found, 100);
        assert_status(store_doc_create(c->s, paths[i], "x", 1, NULL, err), CISTERN_USAGE, "path");
        assert_status(store_doc_read(c->s, paths[i], &found, err), CISTERN_USAGE, "path");
        assert_status(store_doc_hint(c->s, paths[i], "x", 1, err), CISTERN_USAGE, "path");
    }
}

static void link_fifo_and_directory_in_place_of_a_document(void **state)
{
    store_case *c = *state;
    base_buf found;
    char path[2 * CASE_PATH];
    base_buf_init(&found, 100);
    assert_ok(store_doc_create(c->s, "models/a/real.json", "x", 1, NULL, err));
    snprintf(path, sizeof path, "%s/models/a/link.json", c->root);
    assert_int_equal(symlink("real.json", path), 0);
    snprintf(path, sizeof path, "%s/models/a/fifo.json", c->root);
    assert_int_equal(mkfifo(path, 0600), 0);
    snprintf(path, sizeof path, "%s/models/a/dir.json", c->root);
    assert_int_equal(mkdir(path, 0700), 0);
    snprintf(path, sizeof path, "%s/models/b", c->root);
    assert_int_equal(symlink("a", path), 0);
    assert_status(store_doc_read(c->s, "models/a/link.json", &found, err), CISTERN_DAMAGED, "symbolic link");
    assert_status(store_doc_read(c->s, "models/a/fifo.json", &found, err), CISTERN_DAMAGED,
                  "not a regular file");
    assert_status(store_doc_read(c->s, "models/a/dir.json", &found, err), CISTERN_DAMAGED,
                  "not a regular file");
    assert_status(store_doc_read(c->s, "models/b/real.json", &found, err), CISTERN_DAMAGED, "symbolic link");
    assert_status(store_doc_create(c->s, "models/a/fifo.json", "x", 1, NULL, err), CISTERN_DAMAGED,
                  "not a regular file");
}

static cistern_status collect(void *user, const char *name, cistern_error *err)
{
    (void)err;
    strcat(user, name);
    strcat(user, " ");
    return CISTERN_OK;
}

static void each_is_sorted_without_temporaries(void **state)
{
    store_case *c = *state;
    char names[200] = "", path[2 * CASE_PATH];
    assert_ok(store_doc_each(c->s, "models", collect, names, err));
    assert_string_equal(names, "");
    assert_ok(store_doc_create(c->s, "models/b/x", "x", 1, NULL, err));
    assert_ok(store_doc_create(c->s, "models/a/x", "x", 1, NULL, err));
    snprintf(path, sizeof path, "%s/models/.tmp-00", c->root);
    case_write(path, "torn", 4);
    assert_ok(store_doc_each(c->s, "models", collect, names, err));
    assert_string_equal(names, "a b ");
}

static void reading_only_writes_nothing(void **state)
{
    store_case *c = *state;
    c->options.read_only = true;
    case_reopen(c);
    assert_status(store_doc_create(c->s, "models/a/x", "x", 1, NULL, err), CISTERN_DENIED, "reading only");
    assert_status(store_doc_hint(c->s, "models/a/x", "x", 1, err), CISTERN_DENIED, "reading only");
    assert_status(store_doc_remove_hint(c->s, "models/a/x", err), CISTERN_DENIED, "reading only");
    assert_int_equal(case_entries(c, "."), 1);
}

typedef struct race {
    store_case *c;
    int number;
} race;

static int create_in_child(void *arg)
{
    race *r = arg;
    char text[32];
    bool created = false;
    int won = 0;
    for (int i = 0; i < 20; i++) {
        char path[64];
        snprintf(path, sizeof path, "models/a/aliases/x/%08d.json", i);
        snprintf(text, sizeof text, "writer %d", r->number);
        cistern_status status = store_doc_create(r->c->s, path, text, strlen(text), &created, NULL);
        if (status != CISTERN_OK && status != CISTERN_CONFLICT)
            return 200;
        won += status == CISTERN_OK && created;
    }
    return won;
}

static void of_many_writers_of_one_name_one_wins(void **state)
{
    store_case *c = *state;
    pid_t pid[6];
    int won = 0;
    fflush(NULL);
    for (int i = 0; i < 6; i++) {
        race r = {.c = c, .number = i};
        pid[i] = fork();
        if (pid[i] == 0)
            _exit(create_in_child(&r));
    }
    for (int i = 0; i < 6; i++) {
        int status;
        waitpid(pid[i], &status, 0);
        assert_true(WIFEXITED(status) && WEXITSTATUS(status) <= 20);
        won += WEXITSTATUS(status);
    }
    assert_int_equal(won, 20);
    assert_int_equal(case_entries(c, "models/a/aliases/x"), 20);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, case_setup, case_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(create_then_read),
        TEST(equal_content_is_success_other_is_a_conflict),
        TEST(hint_is_replaced_and_removed),
        TEST(paths_that_leave_or_hide_are_refused),
        TEST(link_fifo_and_directory_in_place_of_a_document),
        TEST(each_is_sorted_without_temporaries),
        TEST(reading_only_writes_nothing),
        TEST(of_many_writers_of_one_name_one_wins),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
