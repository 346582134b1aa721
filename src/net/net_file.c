/* Sources that are files; see net_file.h.
 *
 * Invariants
 *  1. The descriptor that was judged (a regular file, the validator) is the one that is read.
 *  2. The file is judged again after the last byte: bytes that were written over meanwhile are a change, not a success.
 * A writer that changes a file and sets its times back within one tick of its clock is not seen; the digest is.
 */
#include "net_file.h"
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include "base_file.h"
#include "base_mem.h"
#include "priv/net_url_text.h"

#define PIECE_BYTES (1u << 20) /* of one read: large enough for a spinning disk */
#define PROGRESS_MS 100        /* at most 10 a second */

typedef struct file_source {
    net_source head;
    char *path;
} file_source;

static const net_options file_options = NET_OPTIONS_INIT; /* nothing of a file is worth another try */

static cistern_status fill_stat(const char *path, int fd, net_stat *out, cistern_error *err)
{
    base_identity id;
    cistern_status status = base_identity_of(fd, &id, err);
    if (status != CISTERN_OK)
        return status;
    const char *name = strrchr(path, '/') != NULL ? strrchr(path, '/') + 1 : path;
    out->size_known = true;
    out->size = id.size;
    out->accepts_ranges = true;
    snprintf(out->etag, sizeof out->etag, "\"file-%" PRIu64 "-%" PRIu64 "-%" PRId64 "-%" PRId64 "\"",
             id.inode, id.size, id.mtime_ns, id.ctime_ns);
    net_url_clean_name(name, strlen(name), out->file_name, sizeof out->file_name);
    snprintf(out->final_url, sizeof out->final_url, "%s", path);
    return CISTERN_OK;
}

static cistern_status open_file(const file_source *src, int *out_fd, net_stat *stat, cistern_error *err)
{
    struct stat info;
    int fd = open(src->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY); /* a FIFO must not hold us up */
    if (fd < 0)
        return base_fail_errno(err, errno, "cannot open '%s'", src->path);
    cistern_status status = CISTERN_OK;
    if (fstat(fd, &info) != 0)
        status = base_fail_errno(err, errno, "cannot look at '%s'", src->path);
    else if (!S_ISREG(info.st_mode))
        status = base_fail(err, CISTERN_USAGE, "'%s' is %s, a regular file is wanted", src->path,
                           S_ISDIR(info.st_mode) ? "a directory" : "a special file");
    if (status == CISTERN_OK)
        status = fill_stat(src->path, fd, stat, err);
    if (status != CISTERN_OK) {
        close(fd);
        return status;
    }
    *out_fd = fd;
    return CISTERN_OK;
}

static cistern_status file_stat(net_source *head, const base_run *run, net_answer *out, cistern_error *err)
{
    int fd = -1;
    (void)run; /* one system call */
    cistern_status status = open_file((file_source *)head, &fd, &out->stat, err);
    if (fd >= 0)
        close(fd);
    return status;
}

static cistern_status file_revalidate(net_source *head, const char *etag, const char *last_modified,
                                      const base_run *run, net_answer *out, cistern_error *err)
{
    (void)last_modified; /* files have a better validator, which file_stat always gives */
    cistern_status status = file_stat(head, run, out, err);
    if (status == CISTERN_OK)
        out->unchanged = etag != NULL && strcmp(etag, out->stat.etag) == 0;
    return status;
}

static cistern_status fail_changed(const file_source *src, net_answer *out, cistern_error *err)
{
    out->changed = true;
    return base_fail(err, CISTERN_CONFLICT, "'%s' was changed while it was being read", src->path);
}

/* First byte and length of what was asked; the file is as long as `out` says. */
static cistern_status judge_range(const file_source *src, const net_range *range, net_answer *out,
                                  uint64_t *first, uint64_t *length, cistern_error *err)
{
    uint64_t size = out->stat.size;
    *first = range != NULL ? range->first : 0;
    if (range == NULL) {
        *length = size;
        return CISTERN_OK;
    }
    if (range->total != 0 && range->total != size)
        return fail_changed(src, out, err);
    uint64_t last = range->last == NET_RANGE_END && size > 0 ? size - 1 : range->last;
    if (*first >= size || last >= size)
        return base_fail(err, CISTERN_NETWORK, "'%s' has %" PRIu64 " bytes, byte %" PRIu64 " was asked for",
                         src->path, size, last >= size ? last : *first);
    *length = last - *first + 1;
    return CISTERN_OK;
}

/* The state of one copy. */
typedef struct copy {
    const file_source *src;
    int fd;
    uint64_t first, length;
    net_sink sink;
    void *user;
    const base_run *run;
    net_answer *out;
    uint64_t told_ms;
} copy;

static void tell_progress(copy *c, bool last)
{
    uint64_t now = base_monotonic_ms();
    if (c->run == NULL || c->run->progress == NULL || (!last && now - c->told_ms < PROGRESS_MS))
        return;
    c->told_ms = now;
    base_progress progress = {.what = "fetch",
                              .done = c->first + c->out->received,
                              .total = c->out->stat.size,
                              .resumed = c->first,
                              .last = last};
    c->run->progress(c->run->progress_user, &progress);
}

static cistern_status copy_piece(copy *c, void *piece, cistern_error *err)
{
    uint64_t left = c->length - c->out->received;
    size_t n = left < PIECE_BYTES ? (size_t)left : PIECE_BYTES;
    cistern_status status = base_check_cancel(c->run != NULL ? c->run->cancel : NULL, err);
    if (status != CISTERN_OK)
        return status;
    status = base_pread_full(c->fd, piece, n, c->first + c->out->received, err);
    if (status == CISTERN_DAMAGED) /* it has become shorter */
        return fail_changed(c->src, c->out, err);
    if (status != CISTERN_OK)
        return base_frame(err, status, "cannot read '%s'", c->src->path);
    status = c->sink(c->user, piece, n, err);
    if (status == CISTERN_OK)
        c->out->received += n;
    c->out->reached = c->first + c->out->received;
    return status;
}

static cistern_status copy_all(copy *c, cistern_error *err)
{
    void *piece = NULL;
    net_stat after = {0};
    cistern_status status = base_alloc_aligned(PIECE_BYTES, 4096, &piece, err);
    while (status == CISTERN_OK && c->out->received < c->length) {
        status = copy_piece(c, piece, err);
        tell_progress(c, false);
    }
    free(piece);
    if (status == CISTERN_OK)
        status = fill_stat(c->src->path, c->fd, &after, err);
    if (status == CISTERN_OK && strcmp(after.etag, c->out->stat.etag) != 0)
        status = fail_changed(c->src, c->out, err);
    if (status == CISTERN_OK)
        tell_progress(c, true);
    return status;
}

static cistern_status file_read(net_source *head, const net_range *range, const char *validator,
                                net_sink sink, void *user, const base_run *run, net_answer *out,
                                cistern_error *err)
{
    copy c = {.src = (file_source *)head,
              .fd = -1,
              .sink = sink,
              .user = user,
              .run = run,
              .out = out,
              .told_ms = base_monotonic_ms()};
    cistern_status status = open_file(c.src, &c.fd, &out->stat, err);
    if (status != CISTERN_OK)
        return status;
    out->end_proven = true;
    if (validator != NULL && strcmp(validator, out->stat.etag) != 0)
        status = fail_changed(c.src, out, err);
    else
        status = judge_range(c.src, range, out, &c.first, &c.length, err);
    if (status == CISTERN_OK)
        status = copy_all(&c, err);
    close(c.fd);
    return status;
}

static void file_free(net_source *head)
{
    file_source *src = (file_source *)head;
    free(src->path);
    free(src);
}

cistern_status net_file_source_new(const char *path, net_source **out, cistern_error *err)
{
    static const net_source_ops ops = {file_stat, file_read, file_revalidate, file_free};
    file_source *src = NULL;
    cistern_status status = base_calloc(1, sizeof *src, &src, err);
    if (status != CISTERN_OK)
        return status;
    src->head.ops = &ops;
    src->head.options = &file_options;
    status = base_strdup(path, &src->path, err);
    if (status == CISTERN_OK)
        status = base_strdup(path, &src->head.shown, err);
    if (status != CISTERN_OK) {
        net_source_free(&src->head);
        return status;
    }
    *out = &src->head;
    return CISTERN_OK;
}
