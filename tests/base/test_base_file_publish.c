#include "cistern_test.h"
#include "base_file.h"
#include "base_thread.h"
#include "temp_dir.h"
#include <errno.h>
#include <signal.h>
#include <sys/wait.h>

static const base_modes modes = {0440, 0660, 0750};

static void assert_content(const temp_dir *t, const char *path, const char *expected)
{
    cistern_error err = CISTERN_ERROR_INIT;
    base_buf buf;
    base_buf_init(&buf, 1 << 20);
    assert_ok(base_read_beneath(t->fd, path, &buf, &err), &err);
    assert_int_equal(buf.len, strlen(expected));
    assert_memory_equal(buf.data ? buf.data : "", expected, buf.len);
    base_buf_clear(&buf);
}

static mode_t mode_of(const temp_dir *t, const char *path)
{
    struct stat st;
    assert_int_equal(fstatat(t->fd, path, &st, AT_SYMLINK_NOFOLLOW), 0);
    return st.st_mode & 07777;
}

/* All names in a directory, also those that readers do not see. */
static int count_entries(const temp_dir *t, const char *path)
{
    int fd = openat(t->fd, path, O_RDONLY | O_DIRECTORY), count = 0;
    DIR *dir = fdopendir(fd);
    while (readdir(dir))
        count++;
    closedir(dir);
    return count - 2;
}

static void publish_twice_creates_once(void **state)
{
    (void)state;
    cistern_error err = CISTERN_ERROR_INIT;
    temp_dir t;
    bool created = false;
    temp_dir_make(&t);
    mode_t before = umask(0077);
    assert_ok(base_publish_bytes(t.fd, "a/b/doc.json", "first", 5, &modes, &created, &err), &err);
    umask(before);
    assert_true(created);
    assert_int_equal(mode_of(&t, "a/b/doc.json"), 0440);
    assert_int_equal(mode_of(&t, "a/b"), 0750);
    assert_ok(base_publish_bytes(t.fd, "a/b/doc.json", "second", 6, &modes, &created, &err), &err);
    assert_false(created);
    assert_content(&t, "a/b/doc.json", "first");
    assert_int_equal(count_entries(&t, "a/b"), 1);
    assert_ok(base_publish_bytes(t.fd, "top", "", 0, &modes, &created, &err), &err);
    assert_true(created);
    assert_content(&t, "top", "");
    temp_dir_remove(&t);
}

static void publish_never_touches_what_is_there(void **state)
{
    (void)state;
    cistern_error err = CISTERN_ERROR_INIT;
    temp_dir t;
    struct stat before, after;
    bool created = true;
    temp_dir_make(&t);
    assert_int_equal(symlinkat("target", t.fd, "link"), 0);
    assert_int_equal(mkdirat(t.fd, "dir", 0700), 0);
    close(openat(t.fd, "torn", O_WRONLY | O_CREAT, 0666));
    assert_int_equal(fstatat(t.fd, "torn", &before, 0), 0);
    assert_ok(base_publish_bytes(t.fd, "torn", "whole", 5, &modes, &created, &err), &err);
    assert_false(created);
    assert_int_equal(fstatat(t.fd, "torn", &after, 0), 0);
    assert_int_equal(after.st_ino, before.st_ino);
    assert_int_equal(after.st_size, 0);
    assert_int_equal(after.st_mode, before.st_mode);
    created = true;
    assert_ok(base_publish_bytes(t.fd, "link", "x", 1, &modes, &created, &err), &err);
    assert_false(created);
    assert_int_equal(faccessat(t.fd, "target", F_OK, 0), -1);
    assert_ok(base_publish_bytes(t.fd, "dir", "x", 1, &modes, &created, &err), &err);
    assert_false(created);
    assert_int_equal(count_entries(&t, "."), 3);
    temp_dir_remove(&t);
}

static void publish_goes_through_no_link(void **state)
{
    (void)state;
    cistern_error err = CISTERN_ERROR_INIT;
    temp_dir t, elsewhere;
    bool created = true;
    temp_dir_make(&t);
    temp_dir_make(&elsewhere);
    assert_int_equal(symlinkat(elsewhere.path, t.fd, "out"), 0);
    assert_fails(base_publish_bytes(t.fd, "out/doc", "x", 1, &modes, &created, &err), CISTERN_DAMAGED, &err);
    assert_fails(base_replace_bytes(t.fd, "out/doc", "x", 1, &modes, &err), CISTERN_DAMAGED, &err);
    assert_fails(base_replace_hint(t.fd, "out/doc", "x", 1, &modes, &err), CISTERN_DAMAGED, &err);
    assert_fails(base_unlink_beneath(t.fd, "out/doc", &err), CISTERN_DAMAGED, &err);
    assert_fails(base_publish_bytes(t.fd, "../doc", "x", 1, &modes, &created, &err), CISTERN_DAMAGED, &err);
    assert_fails(base_publish_bytes(t.fd, "a/", "x", 1, &modes, &created, &err), CISTERN_DAMAGED, &err);
    assert_true(created);
    assert_int_equal(count_entries(&elsewhere, "."), 0);
    temp_dir_remove(&t);
    temp_dir_remove(&elsewhere);
}

typedef struct racer {
    const temp_dir *t;
    char text[8];
    int wins;
} racer;

static void *race(void *arg)
{
    racer *r = arg;
    for (int i = 0; i < 50; i++) {
        char path[32];
        bool created = false;
        snprintf(path, sizeof path, "d%d/%d", i / 10, i);
        if (base_publish_bytes(r->t->fd, path, r->text, 7, &modes, &created, NULL) != CISTERN_OK)
            return arg;
        r->wins += created;
    }
    return NULL;
}

static void of_many_publishers_one_creates(void **state)
{
    (void)state;
    cistern_error err = CISTERN_ERROR_INIT;
    temp_dir t;
    racer racers[4];
    base_thread threads[4];
    int wins = 0;
    temp_dir_make(&t);
    for (int i = 0; i < 4; i++) {
        racers[i] = (racer){.t = &t};
        snprintf(racers[i].text, sizeof racers[i].text, "racer %d", i);
        assert_ok(base_thread_start(&threads[i], race, &racers[i], &err), &err);
    }
    for (int i = 0; i < 4; i++) {
        base_thread_join(&threads[i]);
        wins += racers[i].wins;
    }
    assert_int_equal(wins, 50);
    for (int i = 0; i < 5; i++) {
        char path[32];
        snprintf(path, sizeof path, "d%d", i);
        assert_int_equal(count_entries(&t, path), 10);
    }
    temp_dir_remove(&t);
}

static void a_finished_inode_is_linked_once(void **state)
{
    (void)state;
    cistern_error err = CISTERN_ERROR_INIT;
    temp_dir t;
    struct stat from, to;
    bool created = false;
    int fd;
    temp_dir_make(&t);
    assert_ok(base_mkdirs(t.fd, "partial", &modes, &err), &err);
    assert_ok(base_create_beneath(t.fd, "partial/1.data", 0440, &fd, &err), &err);
    assert_ok(base_pwrite_full(fd, "blob", 4, 0, &err), &err);
    close(fd);
    assert_ok(base_publish_link(t.fd, "partial/1.data", "blobs/ab/abcd", &modes, &created, &err), &err);
    assert_true(created);
    assert_content(&t, "blobs/ab/abcd", "blob");
    assert_int_equal(fstatat(t.fd, "partial/1.data", &from, 0), 0);
    assert_int_equal(fstatat(t.fd, "blobs/ab/abcd", &to, 0), 0);
    assert_int_equal(from.st_ino, to.st_ino);
    assert_int_equal(to.st_nlink, 2);
    assert_ok(base_publish_link(t.fd, "partial/1.data", "blobs/ab/abcd", &modes, &created, &err), &err);
    assert_false(created);
    assert_ok(base_unlink_beneath(t.fd, "partial/1.data", &err), &err);
    assert_content(&t, "blobs/ab/abcd", "blob");
    temp_dir_remove(&t);
}

static void only_a_regular_file_is_linked(void **state)
{
    (void)state;
    cistern_error err = CISTERN_ERROR_INIT;
    temp_dir t;
    bool created = true;
    temp_dir_make(&t);
    assert_int_equal(symlinkat("/etc/passwd", t.fd, "link"), 0);
    assert_int_equal(mkfifoat(t.fd, "fifo", 0600), 0);
    assert_int_equal(mkdirat(t.fd, "dir", 0700), 0);
    assert_fails(base_publish_link(t.fd, "link", "blob", &modes, &created, &err), CISTERN_DAMAGED, &err);
    assert_fails(base_publish_link(t.fd, "fifo", "blob", &modes, &created, &err), CISTERN_DAMAGED, &err);
    assert_fails(base_publish_link(t.fd, "dir", "blob", &modes, &created, &err), CISTERN_DAMAGED, &err);
    assert_fails(base_publish_link(t.fd, "absent", "blob", &modes, &created, &err), CISTERN_NOT_FOUND, &err);
    assert_fails(base_publish_link(t.fd, "nodir/x", "blob", &modes, &created, &err), CISTERN_NOT_FOUND, &err);
    assert_true(created);
    assert_int_equal(faccessat(t.fd, "blob", F_OK, AT_SYMLINK_NOFOLLOW), -1);
    temp_dir_remove(&t);
}

static void a_hint_is_replaced_whole(void **state)
{
    (void)state;
    cistern_error err = CISTERN_ERROR_INIT;
    temp_dir t;
    temp_dir_make(&t);
    assert_ok(base_replace_bytes(t.fd, "a/head", "1", 1, &modes, &err), &err);
    assert_content(&t, "a/head", "1");
    int reader = openat(t.fd, "a/head", O_RDONLY);
    assert_ok(base_replace_bytes(t.fd, "a/head", "22", 2, &modes, &err), &err);
    assert_content(&t, "a/head", "22");
    assert_int_equal(mode_of(&t, "a/head"), 0660);
    char old[4] = "";
    assert_int_equal(read(reader, old, sizeof old), 1); /* who had it open still reads the old one */
    assert_int_equal(old[0], '1');
    close(reader);
    assert_int_equal(count_entries(&t, "a"), 1);
    temp_dir_remove(&t);
}

static void a_failed_replacement_leaves_no_temporary(void **state)
{
    (void)state;
    cistern_error err = CISTERN_ERROR_INIT;
    temp_dir t;
    temp_dir_make(&t);
    assert_int_equal(mkdirat(t.fd, "head", 0700), 0);
    assert_says(base_replace_bytes(t.fd, "head", "1", 1, &modes, &err), CISTERN_UNEXPECTED, &err,
                "cannot replace 'head': ");
    assert_int_equal(count_entries(&t, "."), 1);
    temp_dir_remove(&t);
}

static void removing_what_is_absent_is_success(void **state)
{
    (void)state;
    cistern_error err = CISTERN_ERROR_INIT;
    temp_dir t;
    temp_dir_make(&t);
    assert_ok(base_unlink_beneath(t.fd, "absent", &err), &err);
    assert_ok(base_unlink_beneath(t.fd, "no/such/dir", &err), &err);
    close(openat(t.fd, "file", O_WRONLY | O_CREAT, 0600));
    assert_ok(base_unlink_beneath(t.fd, "file", &err), &err);
    assert_int_equal(count_entries(&t, "."), 0);
    assert_int_equal(mkdirat(t.fd, "dir", 0700), 0);
    assert_fails(base_unlink_beneath(t.fd, "dir", &err), CISTERN_DAMAGED, &err);
    temp_dir_remove(&t);
}

static cistern_status count_name(void *user, const char *name, cistern_error *err)
{
    (void)err;
    (void)name;
    ++*(int *)user;
    return CISTERN_OK;
}

static void a_killed_publisher_leaves_nothing_that_is_read(void **state)
{
    (void)state;
    cistern_error err = CISTERN_ERROR_INIT;
    temp_dir t;
    int seen = 0;
    temp_dir_make(&t);
    assert_ok(base_mkdirs(t.fd, "d", &modes, &err), &err);
    for (int round = 0; round < 20; round++) {
        pid_t pid = fork();
        if (pid == 0) {
            static char large[1 << 20];
            for (unsigned i = 0;; i++) {
                char path[64];
                bool created;
                snprintf(path, sizeof path, "d/%d-%u", (int)getpid(), i);
                memset(large, 'a' + (int)(i % 26), sizeof large);
                if (base_publish_bytes(t.fd, path, large, sizeof large, &modes, &created, NULL) != CISTERN_OK)
                    _exit(1);
            }
        }
        base_sleep_ms((unsigned)(1 + 3 * round % 17));
        kill(pid, SIGKILL);
        assert_int_equal(waitpid(pid, NULL, 0), pid);
    }
    DIR *dir = fdopendir(openat(t.fd, "d", O_RDONLY | O_DIRECTORY));
    for (const struct dirent *entry; (entry = readdir(dir)) != NULL;) {
        struct stat st;
        if (entry->d_name[0] == '.')
            continue;
        assert_int_equal(fstatat(dirfd(dir), entry->d_name, &st, 0), 0);
        assert_int_equal(st.st_size, 1 << 20); /* every name that readers see is whole */
        assert_int_equal(st.st_mode & 07777, 0440);
        seen--;
    }
    closedir(dir);
    close(openat(t.fd, "d/.tmp-0123456789abcdef0123456789abcdef", O_WRONLY | O_CREAT, 0600));
    assert_ok(base_dir_each(t.fd, "d", count_name, &seen, &err), &err);
    assert_int_equal(seen, 0);
    temp_dir_remove(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(publish_twice_creates_once),
        cmocka_unit_test(publish_never_touches_what_is_there),
        cmocka_unit_test(publish_goes_through_no_link),
        cmocka_unit_test(of_many_publishers_one_creates),
        cmocka_unit_test(a_finished_inode_is_linked_once),
        cmocka_unit_test(only_a_regular_file_is_linked),
        cmocka_unit_test(a_hint_is_replaced_whole),
        cmocka_unit_test(a_failed_replacement_leaves_no_temporary),
        cmocka_unit_test(removing_what_is_absent_is_success),
        cmocka_unit_test(a_killed_publisher_leaves_nothing_that_is_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
