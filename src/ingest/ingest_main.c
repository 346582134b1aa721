/* The import program: reads weight files that it was handed as descriptors, answers on a socket, ends.
 *
 * Started by ingest_child.c only. It maps the files, enters its sandbox, and only then looks at their bytes; so a reader
 * that is taken over by a hostile file can compute, answer and fill the file of decoded tensors, and nothing else. It prints nothing.
 * Exit status: 0 if it answered, 1 if it could not even do that, 2 if it was started in another way.
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include "base_close.h"
#include "base_disk.h"
#include "base_json.h"
#include "base_map.h"
#include "base_mem.h"
#include "formats_read.h"
#include "priv/ingest_answer.h"
#include "priv/ingest_sandbox.h"

static cistern_status map_files(char *const *paths, size_t count, formats_file *files, cistern_error *err)
{
    for (size_t i = 0; i < count; i++) {
        base_map map;
        cistern_status st = base_map_fd(INGEST_FILES_FD + (int)i, &map, err);
        if (st)
            return base_frame(err, st, "%s", paths[i]);
        files[i] = (formats_file){.path = paths[i], .data = map.data, .size = map.size};
        if (map.size) /* headers here and there: what lies between them need not be read ahead */
            (void)posix_madvise((void *)(uintptr_t)map.data, map.size, POSIX_MADV_RANDOM);
    }
    return CISTERN_OK;
}

static bool write_all(int fd, const void *bytes, size_t n)
{
    size_t done = 0;

    while (done < n) {
        ssize_t step = write(fd, (const char *)bytes + done, n - done);
        if (step < 0 && errno == EINTR)
            continue;
        if (step <= 0)
            return false;
        done += (size_t)step;
    }
    return true;
}

/* Decoded tensors, gathered up to the end of a block of the page cache (see base_disk.h). They go to the file's offset, which is
 * the parent's choice. */
typedef struct gathering {
    uint64_t offset; /* of the next byte to be written */
    size_t waiting;
    uint8_t block[BASE_DISK_BLOCK];
} gathering;

static cistern_status write_waiting(gathering *g, cistern_error *err)
{
    if (!write_all(INGEST_DECODED_FD, g->block, g->waiting))
        return base_fail_errno(err, errno, "cannot write decoded tensors");
    g->offset += g->waiting;
    g->waiting = 0;
    return CISTERN_OK;
}

/* A formats_sink. */
static cistern_status put_decoded(void *user, const void *bytes, size_t n, cistern_error *err)
{
    gathering *g = user;
    cistern_status st = CISTERN_OK;

    for (const uint8_t *from = bytes; !st && n > 0;) {
        uint64_t room = base_disk_to_block_end(g->offset + g->waiting);
        size_t part = n < room ? n : (size_t)room;
        memcpy(g->block + g->waiting, from, part);
        g->waiting += part;
        from += part;
        n -= part;
        if (part == room)
            st = write_waiting(g, err);
    }
    return st;
}

/* Everything between the descriptors and the answer's bytes. */
static cistern_status read_files(char *const *paths, size_t count, base_buf *answer, cistern_error *err)
{
    static const ingest_sandbox sandbox = {INGEST_DATA_MAX,   INGEST_CPU_SECONDS, INGEST_ANSWER_FD,
                                           INGEST_DECODED_FD, INGEST_DECODED_MAX, 0};
    formats_sink sink = {put_decoded, NULL};
    gathering *g = NULL;
    int flags = fcntl(INGEST_DECODED_FD, F_GETFL);
    bool writable = flags >= 0 && (flags & O_ACCMODE) != O_RDONLY;
    off_t offset = writable ? lseek(INGEST_DECODED_FD, 0, SEEK_CUR) : 0;
    formats_file *files = NULL;
    model_index *index = NULL;
    cistern_status st;

    json_object_seed(0); /* reads random numbers from the system, which the sandbox would not allow */
    if ((st = base_calloc(count, sizeof *files, &files, err)) || (st = base_calloc(1, sizeof *g, &g, err)))
        goto out;
    g->offset = offset > 0 ? (uint64_t)offset : 0;
    sink.user = g;
    if ((st = map_files(paths, count, files, err)) || (st = ingest_sandbox_enter(&sandbox, err)) ||
        (st = formats_read(files, count, writable ? &sink : NULL, &index, err)) ||
        (st = write_waiting(g, err)))
        goto out;
    st = ingest_answer_put_index(index, answer, err);
out:
    model_index_free(index);
    free(g);
    free(files);
    return st;
}

int main(int argc, char **argv)
{
    cistern_error err = CISTERN_ERROR_INIT;
    base_buf answer;

    if (argc < 2 || argc - 1 > MODEL_FILES_MAX)
        _exit(2);
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
    base_close_from(INGEST_FILES_FD + argc - 1);
    base_buf_init(&answer, INGEST_ANSWER_MAX);
    if (read_files(argv + 1, (size_t)argc - 1, &answer, &err) != CISTERN_OK) {
        base_buf_clear(&answer);
        if (ingest_answer_put_error(&err, &answer, NULL) != CISTERN_OK)
            _exit(1);
    }
    _exit(write_all(INGEST_ANSWER_FD, answer.data, answer.len)
              ? 0
              : 1); /* not exit: nothing is left to do that the sandbox would allow */
}
