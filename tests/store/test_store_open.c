/* Making and opening stores. */
#include "store_case.h"

static void write_root(const store_case *c, const char *json)
{
    mkdir(c->root, 0700);
    char path[2 * CASE_PATH];
    snprintf(path, sizeof path, "%s/cistern.json", c->root);
    unlink(path);
    case_write(path, json, strlen(json));
}

static int bare_setup(void **state)
{
    store_case *c = calloc(1, sizeof *c);
    case_make(c);
    *state = c;
    return 0;
}

static void init_then_open_gives_the_same_store(void **state)
{
    store_case *c = *state;
    store *again = NULL;
    bool created = true;
    assert_int_equal(strlen(store_id(c->s)), 32);
    assert_ok(store_open(c->root, &c->options, &again, err));
    assert_string_equal(store_id(again), store_id(c->s));
    assert_int_equal(store_role_of(again), STORE_HOME);
    assert_int_equal(store_sharing_of(again), STORE_SHARING_USER);
    assert_int_equal(store_owner(again), geteuid());
    assert_string_equal(store_path(again), c->root);
    store_free(again);
    assert_ok(store_init(c->root, STORE_HOME, STORE_SHARING_USER, &c->options, &again, &created, err));
    assert_false(created);
    assert_string_equal(store_id(again), store_id(c->s));
    store_free(again);
}

static void root_document_is_the_one_of_the_format(void **state)
{
    store_case *c = *state;
    char want[256], path[2 * CASE_PATH];
    base_buf found;
    struct stat st;
    base_buf_init(&found, 1000);
    snprintf(path, sizeof path, "%s/cistern.json", c->root);
    assert_ok(base_read_path(path, &found, err));
    snprintf(want, sizeof want,
             "{\"format\":1,\"id\":\"%s\",\"read_features\":[],\"role\":\"home\",\"sharing\":\"user\","
             "\"write_features\":[]}\n",
             store_id(c->s));
    assert_string_equal(found.data, want);
    base_buf_clear(&found);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0400);
    assert_int_equal(stat(c->root, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0700);
}

static void absent_and_empty_are_not_found(void **state)
{
    store_case *c = *state;
    store *s = NULL;
    assert_status(store_open(c->root, &c->options, &s, err), CISTERN_NOT_FOUND, "no store");
    mkdir(c->root, 0700);
    assert_status(store_open(c->root, &c->options, &s, err), CISTERN_NOT_FOUND, "no store");
    assert_null(s);
    assert_int_equal(case_entries(c, "."), 0); /* looking made nothing */
}

static void not_empty_and_no_store_is_refused(void **state)
{
    store_case *c = *state;
    store *s = NULL;
    char path[2 * CASE_PATH];
    mkdir(c->root, 0700);
    snprintf(path, sizeof path, "%s/notes.txt", c->root);
    case_write(path, "x", 1);
    assert_status(store_open(c->root, &c->options, &s, err), CISTERN_DAMAGED, "not empty");
    assert_status(store_init(c->root, STORE_HOME, STORE_SHARING_USER, &c->options, &s, NULL, err),
                  CISTERN_DAMAGED, "not empty");
    assert_int_equal(case_entries(c, "."), 1);
}

static void file_in_place_of_the_store_is_refused(void **state)
{
    store_case *c = *state;
    store *s = NULL;
    case_write(c->root, "x", 1);
    assert_status(store_open(c->root, &c->options, &s, err), CISTERN_USAGE, "not a directory");
    assert_status(store_init(c->root, STORE_HOME, STORE_SHARING_USER, &c->options, &s, NULL, err),
                  CISTERN_USAGE, "not a directory");
}

static const struct refusal {
    const char *json, *piece;
} refusals[] = {
    {"{\"format\":2}", "format 2"},
    {"{\"format\":2}", "use a cistern that knows format 2"},
    {"{\"format\":0}", "format 0"},
    {"{\"format\":\"1\"}", "format"},
    {"{}", "format"},
    {"", "cistern.json"},
    {"{\"format\":1,\"id\":\"zz\"}", "'id'"},
    {"{\"format\":1,\"id\":\"00112233445566778899aabbccddeeff\",\"read_features\":[\"shards\"]}", "'shards'"},
    {"{\"format\":1,\"id\":\"00112233445566778899aabbccddeeff\",\"read_features\":[],\"write_features\":7}",
     "'write_features'"},
    {"{\"format\":1,\"id\":\"00112233445566778899aabbccddeeff\",\"read_features\":[],\"role\":\"attic\","
     "\"sharing\":"
     "\"user\",\"write_features\":[]}",
     "'attic'"},
    {"{\"format\":1,\"id\":\"00112233445566778899aabbccddeeff\",\"read_features\":[],\"role\":\"home\","
     "\"sharing\":"
     "\"world\",\"write_features\":[]}",
     "'world'"},
};

static void wrong_root_documents_are_refused_by_name(void **state)
{
    store_case *c = *state;
    store *s = NULL;
    for (size_t i = 0; i < sizeof refusals / sizeof refusals[0]; i++) {
        write_root(c, refusals[i].json);
        assert_status(store_open(c->root, &c->options, &s, err), CISTERN_DAMAGED, refusals[i].piece);
        assert_null(s);
    }
}

static void unknown_write_feature_is_read_only_by_name(void **state)
{
    store_case *c = *state;
    write_root(c, "{\"format\":1,\"id\":\"00112233445566778899aabbccddeeff\",\"later\":[1],\"read_features\":"
                  "[],\"role\":"
                  "\"home\",\"sharing\":\"user\",\"write_features\":[\"trees\"]}");
    assert_ok(store_open(c->root, &c->options, &c->s, err));
    assert_status(store_check_write(c->s, err), CISTERN_DENIED, "'trees'");
    base_digest key = case_digest("a", 1);
    store_fetch *fetch = NULL;
    assert_status(store_fetch_begin(c->s, &key, 0, NULL, &fetch, err), CISTERN_DENIED, "'trees'");
    assert_int_equal(case_entries(c, "."), 1);
}

static void shared_store_is_read_only_for_now(void **state)
{
    store_case *c = *state;
    store *s = NULL;
    write_root(
        c, "{\"format\":1,\"id\":\"00112233445566778899aabbccddeeff\",\"read_features\":[],\"role\":\"home\","
           "\"sharing\":\"group\",\"write_features\":[]}");
    assert_ok(store_open(c->root, &c->options, &c->s, err));
    assert_status(store_check_write(c->s, err), CISTERN_DENIED, "'group'");
    assert_int_equal(store_modes(c->s)->dir, 02770);
    assert_status(store_init(case_path(c, "b"), STORE_HOME, STORE_SHARING_GROUP, &c->options, &s, NULL, err),
                  CISTERN_USAGE, "not supported by this version");
    assert_status(store_init(case_path(c, "b"), STORE_CACHE, STORE_SHARING_USER, &c->options, &s, NULL, err),
                  CISTERN_USAGE, "not supported by this version");
    assert_int_equal(access(case_path(c, "b"), F_OK), -1);
}

static int init_in_child(void *arg)
{
    store_case *c = arg;
    store *s = NULL;
    cistern_status status = store_init(c->root, STORE_HOME, STORE_SHARING_USER, &c->options, &s, NULL, NULL);
    store_free(s);
    return status;
}

static void many_processes_make_one_store(void **state)
{
    store_case *c = *state;
    pid_t pid[8];
    fflush(NULL);
    for (int i = 0; i < 8; i++) {
        pid[i] = fork();
        if (pid[i] == 0)
            _exit(init_in_child(c));
    }
    for (int i = 0; i < 8; i++) {
        int status;
        waitpid(pid[i], &status, 0);
        assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    }
    assert_ok(store_open(c->root, &c->options, &c->s, err));
    assert_int_equal(case_entries(c, "."), 1);
}

static void link_in_place_of_the_root_document_is_refused(void **state)
{
    store_case *c = *state;
    store *s = NULL;
    char path[2 * CASE_PATH], moved[2 * CASE_PATH];
    snprintf(path, sizeof path, "%s/cistern.json", c->root);
    snprintf(moved, sizeof moved, "%s/elsewhere.json", c->top);
    assert_int_equal(rename(path, moved), 0);
    assert_int_equal(symlink(moved, path), 0);
    assert_status(store_open(c->root, &c->options, &s, err), CISTERN_DAMAGED, "symbolic link");
}

static int open_as_nobody(void *arg)
{
    store_case *c = arg;
    store *s = NULL;
    if (setgid(65534) != 0 || setuid(65534) != 0)
        return 99;
    return store_open(c->root, &c->options, &s, NULL) == CISTERN_DENIED ? 0 : 1;
}

static void other_user_is_denied(void **state)
{
    store_case *c = *state;
    if (geteuid() != 0) {
        print_message("skipped: needs root\n");
        skip();
    }
    chmod(c->top, 0755);
    int code = case_child(open_as_nobody, c);
    if (code == 99)
        skip();
    assert_int_equal(code, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(init_then_open_gives_the_same_store, case_setup, case_teardown),
        cmocka_unit_test_setup_teardown(root_document_is_the_one_of_the_format, case_setup, case_teardown),
        cmocka_unit_test_setup_teardown(absent_and_empty_are_not_found, bare_setup, case_teardown),
        cmocka_unit_test_setup_teardown(not_empty_and_no_store_is_refused, bare_setup, case_teardown),
        cmocka_unit_test_setup_teardown(file_in_place_of_the_store_is_refused, bare_setup, case_teardown),
        cmocka_unit_test_setup_teardown(wrong_root_documents_are_refused_by_name, bare_setup, case_teardown),
        cmocka_unit_test_setup_teardown(unknown_write_feature_is_read_only_by_name, bare_setup,
                                        case_teardown),
        cmocka_unit_test_setup_teardown(shared_store_is_read_only_for_now, bare_setup, case_teardown),
        cmocka_unit_test_setup_teardown(many_processes_make_one_store, bare_setup, case_teardown),
        cmocka_unit_test_setup_teardown(link_in_place_of_the_root_document_is_refused, case_setup,
                                        case_teardown),
        cmocka_unit_test_setup_teardown(other_user_is_denied, case_setup, case_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
