/* Where the import program is looked for: beside the real file of the code that asks, and nowhere else.
 *
 * This program copies itself into installations of several shapes and runs there: `test_ingest_find --read FILE` reads one
 * file with default options and prints what came of it.
 */
#include <fcntl.h>
#include "cistern_test.h"
#include "ingest_read.h"
#include "priv/ingest_find.h"
#include "temp_dir.h"

#define IMPORT  CISTERN_BINARY_DIR "/libexec/cistern/cistern-import"
#define WEIGHTS CISTERN_TEST_DATA "/formats/data/zip_plain.pth"

static int read_here(const char *path)
{
    cistern_error err = CISTERN_ERROR_INIT;
    ingest_file file = {open(path, O_RDONLY | O_CLOEXEC), "w"};
    model_index *index = NULL;
    char text[2048];
    cistern_status st = ingest_read(NULL, &file, 1, NULL, &index, &err);

    cistern_error_format(&err, text, sizeof text);
    if (st)
        printf("%s\n", text);
    else
        printf("%zu tensors\n", model_index_count(index));
    model_index_free(index);
    return cistern_status_exit_code(st);
}

static void shell(const char *fmt, ...)
{
    char command[4096];
    va_list args;

    va_start(args, fmt);
    (void)vsnprintf(command, sizeof command, fmt, args);
    va_end(args);
    assert_int_equal(system(command), 0);
}

/* Make <dir>/<bin>/reader from this program; with an import program under <dir>/libexec if asked for. */
static void install(const temp_dir *t, const char *bin, bool with_import)
{
    shell("mkdir -p %s/%s %s/libexec/cistern && cp /proc/%d/exe %s/%s/reader", t->path, bin, t->path,
          (int)getpid(), t->path, bin);
    if (with_import)
        shell("cp %s %s/libexec/cistern/", IMPORT, t->path);
}

/* The first line of what a command prints. */
static void run(char *out, size_t size, const char *fmt, ...)
{
    char command[4096];
    va_list args;

    va_start(args, fmt);
    (void)vsnprintf(command, sizeof command, fmt, args);
    va_end(args);
    FILE *pipe = popen(command, "r");
    assert_non_null(pipe);
    assert_non_null(fgets(out, (int)size, pipe));
    (void)pclose(pipe);
}

static void found_beside_the_program(void **state)
{
    static const char *const places[] = {"bin", "lib/x86_64-linux-gnu"};

    (void)state;
    for (size_t i = 0; i < sizeof places / sizeof places[0]; i++) {
        temp_dir t;
        char said[2048];
        temp_dir_make(&t);
        install(&t, places[i], true);
        run(said, sizeof said, "cd / && %s/%s/reader --read %s", t.path, places[i], WEIGHTS);
        assert_string_equal(said, "9 tensors\n");
        temp_dir_remove(&t);
    }
}

/* A link to the program elsewhere does not change where it really is. */
static void found_through_a_link(void **state)
{
    temp_dir t;
    char said[2048];

    (void)state;
    temp_dir_make(&t);
    install(&t, "bin", true);
    shell("mkdir %s/elsewhere && ln -s %s/bin/reader %s/elsewhere/reader", t.path, t.path, t.path);
    run(said, sizeof said, "cd %s/elsewhere && PATH=. reader --read %s", t.path, WEIGHTS);
    assert_string_equal(said, "9 tensors\n");
    temp_dir_remove(&t);
}

static void a_missing_one_is_told_and_path_is_not_searched(void **state)
{
    temp_dir t;
    char said[2048], expected[2048];

    (void)state;
    temp_dir_make(&t);
    install(&t, "bin", false);
    run(said, sizeof said, "cd %s && PATH=%s:$PATH %s/bin/reader --read %s",
        CISTERN_BINARY_DIR "/libexec/cistern", CISTERN_BINARY_DIR "/libexec/cistern", t.path, WEIGHTS);
    (void)snprintf(
        expected, sizeof expected,
        "installation incomplete: no import program at %s/bin/../libexec/cistern/cistern-import; install "
        "cistern again\n",
        t.path);
    assert_string_equal(said, expected);
    temp_dir_remove(&t);
}

static void a_given_one_must_be_a_program(void **state)
{
    static const char *const bad[] = {"/nonexistent/cistern-import", "/etc/passwd", "/etc"};
    cistern_error err = CISTERN_ERROR_INIT;
    char *path = NULL;

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_says(ingest_find_program(bad[i], &path, &err), CISTERN_UNEXPECTED, &err,
                    "installation incomplete: no import program at ");
        assert_null(path);
    }
    assert_ok(ingest_find_program(IMPORT, &path, &err), &err);
    assert_string_equal(path, IMPORT);
    free(path);
}

/* A file that may be run but is no program. */
static void a_program_that_cannot_start_is_told(void **state)
{
    temp_dir t;
    ingest_options options = INGEST_OPTIONS_INIT;
    ingest_file file = {open(WEIGHTS, O_RDONLY | O_CLOEXEC), "w"};
    cistern_error err = CISTERN_ERROR_INIT;
    model_index *index = NULL;

    (void)state;
    temp_dir_make(&t);
    shell("printf nonsense > %s/import && chmod 755 %s/import", t.path, t.path);
    options.program = temp_dir_path(&t, "import");
    assert_says(ingest_read(&options, &file, 1, NULL, &index, &err), CISTERN_UNEXPECTED, &err,
                "cannot start the import program");
    close(file.fd);
    temp_dir_remove(&t);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(found_beside_the_program),
        cmocka_unit_test(found_through_a_link),
        cmocka_unit_test(a_missing_one_is_told_and_path_is_not_searched),
        cmocka_unit_test(a_given_one_must_be_a_program),
        cmocka_unit_test(a_program_that_cannot_start_is_told),
    };
    if (argc == 3 && strcmp(argv[1], "--read") == 0)
        return read_here(argv[2]);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
