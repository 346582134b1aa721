/* Reading weight files in the import program and judging what came of it.
 *
 * Invariants
 *  1. Sizes are measured here, by fstat on the caller's descriptors, and the answer is checked against them.
 *  2. Whatever the process does (crash, hang, lie, say too much) becomes a status; UNREADABLE where the files made it so.
 */
#include "ingest_read.h"

#include <errno.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include "base_mem.h"
#include "priv/ingest_answer.h"
#include "priv/ingest_child.h"
#include "priv/ingest_find.h"

static cistern_status measure(const ingest_file *files, size_t count, uint64_t *sizes, cistern_error *err)
{
    struct stat st;

    for (size_t i = 0; i < count; i++) {
        if (fstat(files[i].fd, &st) != 0)
            return base_fail_errno(err, errno, "cannot read %s", files[i].path);
        if (!S_ISREG(st.st_mode))
            return base_fail(err, CISTERN_DAMAGED, "%s is not a regular file", files[i].path);
        sizes[i] = (uint64_t)st.st_size;
    }
    return CISTERN_OK;
}

static cistern_status judge_death(int number, cistern_error *err)
{
    if (number == SIGXFSZ)
        return base_fail(err, CISTERN_UNREADABLE, "decoding this file takes more than %llu bytes",
                         (unsigned long long)INGEST_DECODED_MAX);
    if (number == SIGXCPU)
        return base_fail(err, CISTERN_UNREADABLE, "reading this file takes more than %u s of processor time",
                         INGEST_CPU_SECONDS);
    if (number == SIGSYS)
        return base_fail(
            err, CISTERN_UNREADABLE,
            "the reader was stopped on this file when it asked for something forbidden (signal %d)", number);
    if (number == SIGBUS)
        return base_fail(err, CISTERN_UNREADABLE,
                         "the reader stopped on this file (signal %d): was it cut short while it was read?",
                         number);
    return base_fail(err, CISTERN_UNREADABLE, "the reader stopped on this file (signal %d)", number);
}

/* How the process ended; OK: its answer counts. */
static cistern_status judge_end(const ingest_end *end, cistern_error *err)
{
    if (end->too_long)
        return base_fail(err, CISTERN_UNREADABLE,
                         "the reader's answer about this file has more than %zu bytes", INGEST_ANSWER_MAX);
    if (end->hung)
        return base_fail(err, CISTERN_UNREADABLE, "the reader did not stop after its answer about this file");
    if (end->known && WIFSIGNALED(end->wait_status))
        return judge_death(WTERMSIG(end->wait_status), err);
    if (end->known && WIFEXITED(end->wait_status) && WEXITSTATUS(end->wait_status) != 0)
        return base_fail(err, CISTERN_UNEXPECTED, "the import program failed (exit %d)",
                         WEXITSTATUS(end->wait_status));
    return CISTERN_OK;
}

/* Bytes of the decoded file from its offset on; `offset` < 0: where that is now. */
static cistern_status measure_decoded(int fd, off_t *offset, uint64_t *out, cistern_error *err)
{
    struct stat st;

    if (*offset < 0 && (*offset = lseek(fd, 0, SEEK_CUR)) < 0)
        return base_fail_errno(err, errno, "cannot use a file for decoded tensors");
    if (fstat(fd, &st) != 0)
        return base_fail_errno(err, errno, "cannot measure decoded tensors");
    *out = st.st_size > *offset ? (uint64_t)(st.st_size - *offset) : 0;
    return CISTERN_OK;
}

/* What is read, and what came of it. */
typedef struct reading {
    const char *program;
    const ingest_file *files;
    size_t count;
    uint64_t *sizes; /* of the files, and room for the decoded one's */
    int decoded;
    off_t offset; /* where the decoded one begins */
} reading;

static cistern_status take_answer(reading *r, const base_buf *answer, model_index **out, cistern_error *err)
{
    uint64_t decoded = 0;
    cistern_status st = CISTERN_OK;

    if (r->decoded >= 0)
        st = measure_decoded(r->decoded, &r->offset, &decoded, err);
    r->sizes[r->count] = decoded;
    return st ? st
              : ingest_answer_read(answer->data, answer->len, r->sizes, r->count + (decoded ? 1 : 0), out,
                                   err);
}

static cistern_status read_with(reading *r, const base_cancel *cancel, model_index **out, cistern_error *err)
{
    base_buf answer;
    ingest_child child;
    ingest_end end;
    uint64_t before = 0;
    cistern_status st = base_check_cancel(cancel, err);

    if (!st && r->decoded >= 0)
        st = measure_decoded(r->decoded, &r->offset, &before, err);
    if (!st && before)
        st = base_fail(err, CISTERN_USAGE, "the file for decoded tensors is not empty");
    if (!st)
        st = ingest_child_start(r->program, r->files, r->count, r->decoded, &child, err);
    if (st)
        return st;
    base_buf_init(&answer, INGEST_ANSWER_MAX);
    if ((st = ingest_child_finish(&child, cancel, &answer, &end, err)))
        goto out;
    if ((st = judge_end(&end, err))) {
        st = base_frame(err, st, "%s", r->files[0].path);
        goto out;
    }
    st = take_answer(r, &answer, out, err);
out:
    base_buf_clear(&answer);
    return st;
}

cistern_status ingest_read(const ingest_options *options, const ingest_file *files, size_t count,
                           const base_run *run, model_index **out, cistern_error *err)
{
    char *program = NULL;
    reading r = {.files = files, .count = count, .decoded = options ? options->decoded : -1, .offset = -1};
    cistern_status st;

    if (count == 0 || count > MODEL_FILES_MAX)
        return base_fail(err, CISTERN_USAGE, "%zu files to read, 1 to %d are allowed", count,
                         MODEL_FILES_MAX);
    if ((st = base_calloc(count + 1, sizeof *r.sizes, &r.sizes, err)) ||
        (st = measure(files, count, r.sizes, err)) ||
        (st = ingest_find_program(options ? options->program : NULL, &program, err)))
        goto out;
    r.program = program;
    st = read_with(&r, run ? run->cancel : NULL, out, err);
out:
    free(program);
    free(r.sizes);
    return st;
}
