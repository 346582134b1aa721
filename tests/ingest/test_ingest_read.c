/* Reading in another process: right answers, and every way in which that process can fail or lie. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include "cistern_test.h"
#include "base_confine.h"
#include "base_map.h"
#include "formats_read.h"
#include "base_scratch.h"
#include "ingest_read.h"
#include "temp_dir.h"

#define DATA CISTERN_TEST_DATA "/formats/data/"

static const ingest_options fake = {sizeof fake, CISTERN_BINARY_DIR "/bin/fake_import", -1};

static int open_data(const char *name)
{
    char path[1024];

    (void)snprintf(path, sizeof path, "%s%s", DATA, name);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    return fd;
}

/* An unlinked file of 40 zero bytes. */
static int forty_bytes(void)
{
    char path[] = "/tmp/cistern-ingest-XXXXXX";
    int fd = mkstemp(path);

    assert_true(fd >= 0);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(ftruncate(fd, 40), 0);
    return fd;
}

static void assert_no_process_left(void)
{
    assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
    assert_int_equal(errno, ECHILD);
}

static int count_descriptors(void)
{
    int n = 0;
    DIR *dir = opendir("/proc/self/fd");

    assert_non_null(dir);
    while (readdir(dir))
        n++;
    assert_int_equal(closedir(dir), 0);
    return n;
}

/* The fake program in this mode, on one file of 40 bytes. */
static cistern_status run_fake(const char *mode, const base_run *run, model_index **out, cistern_error *err)
{
    ingest_file file = {forty_bytes(), mode};
    int before = count_descriptors();
    cistern_status st = ingest_read(&fake, &file, 1, run, out, err);

    assert_int_equal(count_descriptors(), before);
    assert_no_process_left();
    close(file.fd);
    return st;
}

static void fake_refused(const char *mode, cistern_status status, const char *part, const char *file,
                         int line)
{
    cistern_error err = CISTERN_ERROR_INIT;
    model_index *index = NULL;

    assert_message_has(run_fake(mode, NULL, &index, &err), status, &err, part, file, line);
    assert_null(index);
}
#define assert_fake_refused(mode, part) fake_refused(mode, CISTERN_UNREADABLE, part, __FILE__, __LINE__)

/* ---- decoded tensors ---- */

/* Reads a file that needs decoding; the descriptor takes it from `skip` on. */
static cistern_status read_decoding(int fd, off_t skip, model_index **out, cistern_error *err)
{
    ingest_options options = INGEST_OPTIONS_INIT;
    ingest_file file = {open_data("keras/keras2_odd_chunks.h5"), "w"};

    options.decoded = fd;
    if (fd >= 0)
        assert_int_equal(lseek(fd, skip, SEEK_SET), skip);
    cistern_status st = ingest_read(&options, &file, 1, NULL, out, err);
    close(file.fd);
    return st;
}

static void what_must_be_decoded_goes_to_the_file(void **state)
{
    model_index *index = NULL, *again = NULL;
    base_map map;
    cistern_error err = CISTERN_ERROR_INIT;
    int fd;

    (void)state;
    assert_ok(base_scratch_file("test", &fd, &err), &err);
    assert_int_equal(pwrite(fd, "header", 6, 0), 6);
    assert_ok(read_decoding(fd, 6, &index, &err), &err);
    assert_int_equal(model_index_file_count(index), 2);
    assert_ok(base_map_fd(fd, &map, &err), &err);
    assert_memory_equal(map.data, "header", 6);
    assert_int_equal(model_index_file_size(index, 1), map.size - 6);
    formats_file whole = {.path = "w", .data = map.data + 6, .size = map.size - 6};
    assert_ok(formats_read(&whole, 1, NULL, &again, &err), &err); /* safetensors */
    model_index_free(again);
    model_index_free(index);
    base_map_clear(&map);
    index = NULL;
    assert_says(read_decoding(fd, 6, &index, &err), CISTERN_USAGE, &err,
                "the file for decoded tensors is not empty");
    close(fd);
}

static void without_such_a_file_it_is_refused(void **state)
{
    model_index *index = NULL;
    cistern_error err = CISTERN_ERROR_INIT;

    (void)state;
    assert_says(read_decoding(-1, 0, &index, &err), CISTERN_UNREADABLE, &err,
                "does not lie plain in the file");
}

static void a_full_disk_is_told(void **state)
{
    model_index *index = NULL;
    cistern_error err = CISTERN_ERROR_INIT;
    int fd = open("/dev/full", O_RDWR | O_CLOEXEC);

    (void)state;
    if (fd < 0)
        TEST_SKIP("no /dev/full");
    assert_says(read_decoding(fd, 0, &index, &err), CISTERN_NO_SPACE, &err, "cannot write decoded tensors");
    close(fd);
}

/* ---- the real program ---- */

static void assert_same_as_here(const char *name)
{
    ingest_file file = {open_data(name), name};
    base_map map;
    base_buf here, there;
    model_index *index = NULL, *mine = NULL;
    cistern_error err = CISTERN_ERROR_INIT;

    assert_ok(ingest_read(NULL, &file, 1, NULL, &index, &err), &err);
    assert_ok(base_map_fd(file.fd, &map, &err), &err);
    formats_file direct = {.path = name, .data = map.data, .size = map.size};
    assert_ok(formats_read(&direct, 1, NULL, &mine, &err), &err);
    base_buf_init(&here, MODEL_INDEX_BYTES_MAX);
    base_buf_init(&there, MODEL_INDEX_BYTES_MAX);
    assert_ok(model_index_encode(mine, &here, &err), &err);
    assert_ok(model_index_encode(index, &there, &err), &err);
    assert_int_equal(here.len, there.len);
    assert_memory_equal(here.data, there.data, here.len);
    base_buf_clear(&here);
    base_buf_clear(&there);
    model_index_free(index);
    model_index_free(mine);
    base_map_clear(&map);
    close(file.fd);
}

static void the_index_is_that_of_the_reader(void **state)
{
    static const char *const names[] = {"zip_checkpoint.pth", "legacy_many.pth", "py2_views.pth",
                                        "names.safetensors"};

    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        assert_same_as_here(names[i]);
    assert_no_process_left();
}

static void the_error_is_that_of_the_reader(void **state)
{
    ingest_file file = {open_data("zip_module_code.pth"), "x/module.pth"};
    cistern_error err = CISTERN_ERROR_INIT;
    model_index *index = NULL;

    (void)state;
    assert_says(ingest_read(NULL, &file, 1, NULL, &index, &err), CISTERN_UNREADABLE, &err,
                "x/module.pth: holds code: the pickle asks for \"posix.system\"");
    assert_true(err.has_offset);
    assert_int_equal(err.offset, 3485);
    close(file.fd);
}

static void several_files_keep_their_order(void **state)
{
    int second = open_data("plain.safetensors"), first = open_data("zip_parallel.pth");
    ingest_file files[] = {{first, "a"}, {second, "b"}};
    cistern_error err = CISTERN_ERROR_INIT;
    model_index *index = NULL;

    (void)state;
    assert_true(second < first); /* numbers the other way round */
    assert_ok(ingest_read(NULL, files, 2, NULL, &index, &err), &err);
    assert_int_equal(model_index_find(index, "module.weight")->file, 0);
    assert_int_equal(model_index_find(index, "steps")->file, 1);
    model_index_free(index);
    close(first);
    close(second);
}

/* Descriptors with just the numbers that the program gets. */
static void low_descriptor_numbers_do_not_collide(void **state)
{
    int a = open_data("zip_parallel.pth"), b = open_data("plain.safetensors"), kept = dup(0);
    ingest_file files[] = {{5, "a"}, {4, "b"}, {0, "c"}};
    cistern_error err = CISTERN_ERROR_INIT;
    model_index *index = NULL;

    (void)state;
    int high_a = fcntl(a, F_DUPFD, 20), high_b = fcntl(b, F_DUPFD, 20), old4 = fcntl(4, F_DUPFD_CLOEXEC, 30),
        old5 = fcntl(5, F_DUPFD_CLOEXEC, 30), c = fcntl(open_data("zip_lone.pth"), F_DUPFD, 20);
    assert_int_equal(dup2(high_a, 5), 5);
    assert_int_equal(dup2(high_b, 4), 4);
    assert_int_equal(dup2(c, 0), 0);
    cistern_status st = ingest_read(NULL, files, 3, NULL, &index, &err);
    (void)(old4 >= 0 ? dup2(old4, 4) : close(4));
    (void)(old5 >= 0 ? dup2(old5, 5) : close(5));
    (void)dup2(kept, 0);
    assert_ok(st, &err);
    assert_int_equal(model_index_find(index, "module.weight")->file, 0);
    assert_int_equal(model_index_find(index, "steps")->file, 1);
    assert_int_equal(model_index_find(index, "tensor")->file, 2);
    model_index_free(index);
}

static void offsets_do_not_matter_and_do_not_move(void **state)
{
    ingest_file file = {open_data("zip_plain.pth"), "w"};
    cistern_error err = CISTERN_ERROR_INIT;
    model_index *index = NULL;

    (void)state;
    assert_int_equal(lseek(file.fd, 17, SEEK_SET), 17);
    assert_ok(ingest_read(NULL, &file, 1, NULL, &index, &err), &err);
    assert_int_equal(lseek(file.fd, 0, SEEK_CUR), 17);
    model_index_free(index);
    close(file.fd);
}

static void only_regular_files_are_read(void **state)
{
    ingest_file file = {open("/dev/null", O_RDONLY | O_CLOEXEC), "null"};
    cistern_error err = CISTERN_ERROR_INIT;
    model_index *index = NULL;

    (void)state;
    assert_says(ingest_read(NULL, &file, 1, NULL, &index, &err), CISTERN_DAMAGED, &err,
                "null is not a regular file");
    close(file.fd);
    file.fd = -1;
    assert_fails(ingest_read(NULL, &file, 1, NULL, &index, &err), CISTERN_UNEXPECTED, &err);
    assert_fails(ingest_read(NULL, &file, 0, NULL, &index, &err), CISTERN_USAGE, &err);
}

static void one_file_more_than_a_version_has_is_refused(void **state)
{
    static ingest_file files[MODEL_FILES_MAX + 1];
    int fd = open_data("zip_plain.pth");
    cistern_error err = CISTERN_ERROR_INIT;
    model_index *index = NULL;

    (void)state;
    for (size_t i = 0; i <= MODEL_FILES_MAX; i++)
        files[i] = (ingest_file){-1, "w"};
    files[0].fd = fd;
    assert_says(ingest_read(NULL, files, MODEL_FILES_MAX + 1, NULL, &index, &err), CISTERN_USAGE, &err,
                "4097 files to read, 1 to 4096 are allowed");
    /* as many are looked at, of which the second is none */
    assert_says(ingest_read(NULL, files, MODEL_FILES_MAX, NULL, &index, &err), CISTERN_UNEXPECTED, &err,
                "cannot read w");
    close(fd);
}

static void an_empty_file_is_told(void **state)
{
    ingest_file file = {forty_bytes(), "w"};
    cistern_error err = CISTERN_ERROR_INIT;
    model_index *index = NULL;

    (void)state;
    assert_int_equal(ftruncate(file.fd, 0), 0);
    assert_says(ingest_read(NULL, &file, 1, NULL, &index, &err), CISTERN_UNREADABLE, &err,
                "w: the file is empty");
    close(file.fd);
}

/* An embedder that ignores SIGCHLD: the kernel reaps, and nobody can ask how it ended. */
static void ignored_children_do_not_matter(void **state)
{
    struct sigaction ignore, before;
    ingest_file file = {open_data("zip_plain.pth"), "w"};
    cistern_error err = CISTERN_ERROR_INIT;
    model_index *index = NULL;

    (void)state;
    memset(&ignore, 0, sizeof ignore);
    ignore.sa_handler = SIG_IGN;
    assert_int_equal(sigaction(SIGCHLD, &ignore, &before), 0);
    cistern_status st = ingest_read(NULL, &file, 1, NULL, &index, &err);
    assert_int_equal(sigaction(SIGCHLD, &before, NULL), 0);
    assert_ok(st, &err);
    model_index_free(index);
    close(file.fd);
}

/* ---- the fake one ---- */

static void a_good_answer_is_taken(void **state)
{
    cistern_error err = CISTERN_ERROR_INIT;
    model_index *index = NULL;

    (void)state;
    assert_ok(run_fake("good", NULL, &index, &err), &err);
    assert_int_equal(model_index_count(index), 1);
    model_index_free(index);
}

static void lies_are_seen(void **state)
{
    (void)state;
    assert_fake_refused("beyond_the_file", "the reader gave no valid answer about this file");
    assert_fake_refused("other_size", "the reader gave no valid answer about this file");
    assert_fake_refused("garbage", "no valid answer about this file (it begins wrongly)");
    assert_fake_refused("silent", "no valid answer about this file (none at all)");
    assert_fake_refused("impossible_status", "no valid answer about this file (a malformed error)");
    assert_fake_refused("escapes", "a \\x1b[31mred\\x0a line");
    assert_fake_refused("no_memory", "reading this file takes more than 128 MiB of memory");
}

static void an_answer_has_a_limit(void **state)
{
    (void)state;
    assert_fake_refused("longest",
                        "no valid answer about this file (it begins wrongly)"); /* taken, and looked at */
    assert_fake_refused("one_byte_too_long",
                        "the reader's answer about this file has more than 67108888 bytes");
    assert_fake_refused("too_long",
                        "too_long: the reader's answer about this file has more than 67108888 bytes");
    assert_fake_refused("endless", "the reader's answer about this file has more than 67108888 bytes");
}

static void deaths_are_told(void **state)
{
    (void)state;
    assert_fake_refused("crashes", "crashes: the reader stopped on this file (signal 11)");
    assert_fake_refused("answers_and_crashes", "the reader stopped on this file (signal 11)");
    assert_fake_refused("cut_while_read",
                        "the reader stopped on this file (signal 7): was it cut short while it was read?");
    fake_refused("exits", CISTERN_UNEXPECTED, "the import program failed (exit 3)", __FILE__, __LINE__);
    fake_refused("answers_and_fails", CISTERN_UNEXPECTED, "the import program failed (exit 4)", __FILE__,
                 __LINE__);
    assert_fake_refused("answers_and_hangs", "the reader did not stop after its answer about this file");
}

typedef struct canceller {
    base_cancel cancel;
} canceller;

static void *cancel_soon(void *arg)
{
    canceller *c = arg;

    base_sleep_ms(100);
    atomic_store(&c->cancel.set, 1);
    return NULL;
}

static void cancel_ends_a_hanging_reader(void **state)
{
    static const char *const modes[] = {"hangs", "answers_and_hangs", "leaves_a_child"};

    (void)state;
    for (size_t i = 0; i < sizeof modes / sizeof modes[0]; i++) {
        canceller c = {.cancel = {0}};
        base_run run = {.cancel = &c.cancel};
        base_thread thread;
        cistern_error err = CISTERN_ERROR_INIT;
        model_index *index = NULL;
        assert_ok(base_thread_start(&thread, cancel_soon, &c, NULL), NULL);
        cistern_status st = run_fake(modes[i], &run, &index, &err);
        base_thread_join(&thread);
        assert_fails(st, CISTERN_CANCELLED, &err);
        assert_null(index);
    }
}

static void cancelled_before_it_begins(void **state)
{
    base_cancel cancel = {1};
    base_run run = {.cancel = &cancel};
    cistern_error err = CISTERN_ERROR_INIT;
    model_index *index = NULL;

    (void)state;
    assert_fails(run_fake("good", &run, &index, &err), CISTERN_CANCELLED, &err);
}

/* Four descriptors above 100 and one without close-on-exec, a variable, a blocked signal: none of it gets there. */
static void the_program_is_given_nothing_else(void **state)
{
    int stray = fcntl(0, F_DUPFD, 100);
    sigset_t some, before;

    (void)state;
    assert_true(stray >= 100);
    assert_int_equal(setenv("CISTERN_SECRET", "1", 1), 0);
    sigemptyset(&some);
    sigaddset(&some, SIGTERM);
    assert_int_equal(sigprocmask(SIG_BLOCK, &some, &before), 0);
    assert_fake_refused("surroundings", "; 0 blocked; 0 variables; group own; standard input empty");
    assert_int_equal(sigprocmask(SIG_SETMASK, &before, NULL), 0);
    close(stray);
}

static void the_sandbox_lets_readers_work(void **state)
{
    cistern_error err = CISTERN_ERROR_INIT;
    model_index *index = NULL;

    (void)state;
    assert_ok(run_fake("confined_works", NULL, &index, &err), &err);
    model_index_free(index);
    assert_fake_refused("confined_time", "reading this file takes more than");
}

#if !defined(CISTERN_SANITIZED)
/* Every way out ends with SIGSYS, with the whole sandbox or a part of it. */
static void assert_filtered(const char *parts)
{
    static const char *const modes[] = {"confined_open", "confined_read", "confined_socket", "confined_exec",
                                        "confined_code", "confined_map",  "confined_write",  "confined_kill"};
    char mode[64];

    for (size_t i = 0; i < sizeof modes / sizeof modes[0]; i++) {
        (void)snprintf(mode, sizeof mode, "%s%s", modes[i], parts);
        assert_fake_refused(
            mode, "the reader was stopped on this file when it asked for something forbidden (signal 31)");
    }
}
#endif

static void the_sandbox_forbids_all_else(void **state)
{
    (void)state;
#if defined(CISTERN_SANITIZED)
    TEST_SKIP("sanitizers need system calls that the sandbox forbids");
#else
    assert_filtered("");
    assert_fake_refused("confined_memory", "reading this file takes more than 128 MiB of memory");
#endif
}

static void the_filter_holds_where_the_kernel_has_no_landlock(void **state)
{
    (void)state;
#if defined(CISTERN_SANITIZED)
    TEST_SKIP("sanitizers need system calls that the sandbox forbids");
#else
    assert_filtered("+filter");
#endif
}

/* What the program wrote beyond the limit of its file never got there. */
static void decoded_tensors_have_a_limit(void **state)
{
    cistern_error err = CISTERN_ERROR_INIT;
    model_index *index = NULL;
    ingest_file file = {forty_bytes(), "confined_file"};
    struct stat st;

    (void)state;
    assert_int_equal(ftruncate(file.fd, 0), 0);
    assert_says(ingest_read(&fake, &file, 1, NULL, &index, &err), CISTERN_UNREADABLE, &err,
                "confined_file: decoding this file takes more than 4362076160 bytes");
    assert_int_equal(fstat(file.fd, &st), 0);
    assert_int_equal(st.st_size, 1);
    close(file.fd);
}

static void without_any_sandbox_nothing_is_read(void **state)
{
    (void)state;
#if defined(CISTERN_SANITIZED)
    TEST_SKIP("sanitizers need system calls that the sandbox forbids");
#else
    fake_refused("confined_works+nothing", CISTERN_UNEXPECTED,
                 "this kernel offers neither filters of system calls nor Landlock", __FILE__, __LINE__);
#endif
}

#if !defined(CISTERN_SANITIZED)
/* A socket with the name that the fake program tries. */
static int listen_by_name(void)
{
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    int n = snprintf(at.sun_path + 1, sizeof at.sun_path - 1, "cistern-test-%ld", (long)getpid());
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);

    assert_int_equal(
        bind(fd, (struct sockaddr *)&at, (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + (size_t)n)),
        0);
    assert_int_equal(listen(fd, 1), 0);
    return fd;
}

/* `what` ended with this error, as the program told. */
static void assert_told(const cistern_error *err, const char *what, int number)
{
    char part[64];

    (void)snprintf(part, sizeof part, "%s %d%s", what, number, strcmp(what, "map") == 0 ? "." : ",");
    assert_says(err->status, CISTERN_UNREADABLE, err, part);
}

static void assert_landlocked(const cistern_error *err, unsigned version)
{
    static const char *const denied[] = {"open",      "list",   "write",  "make",
                                         "directory", "unlink", "rename", "execute"};

    for (size_t i = 0; i < sizeof denied / sizeof denied[0]; i++)
        assert_told(err, denied[i], EACCES);
    if (version >= 3)
        assert_told(err, "truncate", EACCES);
    if (version >= 4) {
        assert_told(err, "connect", EACCES);
        assert_told(err, "bind", EACCES);
    }
    if (version >= 6) {
        assert_told(err, "name", EPERM);
        assert_told(err, "signal", EPERM);
    }
    assert_told(err, "read", 0); /* what was open before */
    assert_told(err, "map", 0);
}
#endif

static void landlock_holds_without_the_filter(void **state)
{
    (void)state;
#if defined(CISTERN_SANITIZED)
    TEST_SKIP("sanitizers need files that the sandbox forbids");
#else
    char path[] = "/tmp/cistern-landlock-XXXXXX";
    int second = mkstemp(path), listener = listen_by_name();
    ingest_file files[] = {{forty_bytes(), "landlocked+landlock"}, {second, path}};
    cistern_error err = CISTERN_ERROR_INIT;
    model_index *index = NULL;
    struct stat st;

    if (base_confine_landlock_version() == 0) {
        (void)unlink(path);
        TEST_SKIP("the kernel has no Landlock");
    }
    assert_int_equal(ftruncate(second, 40), 0);
    assert_fails(ingest_read(&fake, files, 2, NULL, &index, &err), CISTERN_UNREADABLE, &err);
    assert_landlocked(&err, base_confine_landlock_version());
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_size, 40);
    assert_int_equal(unlink(path), 0);
    close(listener);
    close(files[0].fd);
    close(second);
#endif
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_index_is_that_of_the_reader),
        cmocka_unit_test(the_error_is_that_of_the_reader),
        cmocka_unit_test(several_files_keep_their_order),
        cmocka_unit_test(low_descriptor_numbers_do_not_collide),
        cmocka_unit_test(offsets_do_not_matter_and_do_not_move),
        cmocka_unit_test(only_regular_files_are_read),
        cmocka_unit_test(one_file_more_than_a_version_has_is_refused),
        cmocka_unit_test(an_empty_file_is_told),
        cmocka_unit_test(ignored_children_do_not_matter),
        cmocka_unit_test(a_good_answer_is_taken),
        cmocka_unit_test(lies_are_seen),
        cmocka_unit_test(an_answer_has_a_limit),
        cmocka_unit_test(deaths_are_told),
        cmocka_unit_test(cancel_ends_a_hanging_reader),
        cmocka_unit_test(cancelled_before_it_begins),
        cmocka_unit_test(what_must_be_decoded_goes_to_the_file),
        cmocka_unit_test(without_such_a_file_it_is_refused),
        cmocka_unit_test(a_full_disk_is_told),
        cmocka_unit_test(the_program_is_given_nothing_else),
        cmocka_unit_test(the_sandbox_lets_readers_work),
        cmocka_unit_test(the_sandbox_forbids_all_else),
        cmocka_unit_test(the_filter_holds_where_the_kernel_has_no_landlock),
        cmocka_unit_test(landlock_holds_without_the_filter),
        cmocka_unit_test(without_any_sandbox_nothing_is_read),
        cmocka_unit_test(decoded_tensors_have_a_limit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
