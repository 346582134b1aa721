/* From a source to a complete, checked partial: which kind of flow, what to do when it fails.
 *
 *                      strong validator or expected digest?  no ──> WHOLE (one GET from byte 0; each try anew)
 *                              │ yes                                   ^
 *                              v                                       │ server ignores ranges; changed three times
 *   bytes from before? ──> RANGES ─────────────────────────────────────┘
 *                              │ changed: everything anew, from a fresh stat
 *                              v
 *                      digest as expected? no, and bytes were from before: once more from nothing
 *
 * The decisions are made here; the threads are store_flow.c's.
 */
#include "priv/store_copy.h"
#include "priv/store_fetch_object.h"
#include "priv/store_flow.h"
#include "priv/store_object.h"
#include "priv/store_ticker.h"
#include "base_disk.h"
#include <inttypes.h>
#include <strings.h>

#define PARALLEL_DEFAULT 4u
#define PIECE_DEFAULT                                                                                        \
    ((uint64_t)32 << 20) /* bytes: one round trip in 32 MiB costs under 1 % at 1 Gbit/s and 20 ms */
#define PIECE_MIN   ((uint64_t)64 << 10)
#define LOCAL_PIECE ((uint64_t)4 << 20) /* bytes copied between two looks at a cancel */
#define CHANGES_MAX 3 /* clean restarts by ranges; then one plain request, which cannot mix two states */

typedef struct copy_job {
    store_fetch *fetch;
    net_source *source;
    const store_fetch_want *want;
    const base_run *run;
    store_fetch_got *got;
    net_stat stat;
    const char *validator; /* in stat, or NULL */
    bool must_look;        /* stat is not known, or not any more */
    bool plain;            /* WHOLE from now on */
    unsigned changes;
    bool retried; /* after a wrong digest of which a part was from before */
} copy_job;

static const char *short_hex(const base_digest *d, char out[BASE_SHA256_HEX])
{
    base_digest_hex(d, out);
    return out;
}

static cistern_status describe(const copy_job *job, store_partial_want *out, cistern_error *err)
{
    *out = (store_partial_want){.key = job->fetch->key,
                                .size = job->stat.size_known ? job->stat.size : STORE_SIZE_UNKNOWN,
                                .digest_known = job->want->sha256 != NULL,
                                .cancel = store_ticker_cancel(job->run)};
    if (!job->validator)
        return CISTERN_OK;
    return base_sha256_of(job->validator, strlen(job->validator), &out->validator, err);
}

static void drop_partial(copy_job *job)
{
    store_partial_drop(job->fetch->s, &job->fetch->key, &job->fetch->partial);
    job->fetch->keep = false;
}

/* Ask the source what it is now. */
static cistern_status look(copy_job *job, cistern_error *err)
{
    net_answer answer;
    memset(&answer, 0, sizeof answer);
    cistern_status status = net_retry_stat(job->source, job->run, &answer, err);
    if (status != CISTERN_OK)
        return status;
    job->stat = answer.stat;
    job->validator = net_stat_validator(&job->stat);
    atomic_store(&job->fetch->total, job->stat.size_known ? job->stat.size : 0);
    if (job->want->length_known && job->stat.size_known && job->stat.size != job->want->length)
        return base_fail(err, CISTERN_DAMAGED, "%s has %" PRIu64 " bytes, %" PRIu64 " expected",
                         net_source_shown(job->source), job->stat.size, job->want->length);
    return CISTERN_OK;
}

/* Whether ranges may be asked for: the bytes of two answers must be certain to be of one object. */
static bool may_use_ranges(const copy_job *job)
{
    bool safe = job->validator || job->want->sha256;
    return safe && !job->plain && job->stat.accepts_ranges && job->stat.size_known && job->stat.size > 0;
}

/* Have a partial: the one in hand, one from before, or a fresh one. */
static cistern_status have_partial(copy_job *job, bool ranges, cistern_error *err)
{
    store_fetch *fetch = job->fetch;
    store_partial_want want;
    bool found = false;
    cistern_status status = describe(job, &want, err);
    if (status != CISTERN_OK)
        return status;
    if (fetch->partial.fd >= 0) /* only a whole request comes here twice with the same partial */
        return store_partial_restart(fetch->s, &fetch->partial, want.size, err);
    want.complete_only = !ranges;
    if (ranges || job->validator)
        status = store_partial_find(fetch->s, fetch->claim.number, &want, &fetch->partial, &found, err);
    if (status != CISTERN_OK || found)
        return status;
    return store_partial_create(fetch->s, fetch->claim.number, &want, &fetch->partial, err);
}

static cistern_status run_flow(copy_job *job, store_flow_kind kind, store_flow_result *result,
                               cistern_error *err)
{
    store_fetch *fetch = job->fetch;
    uint64_t piece = job->want->piece ? job->want->piece : PIECE_DEFAULT;
    store_flow_plan plan = {
        .kind = kind,
        .s = fetch->s,
        .partial = &fetch->partial,
        .source = job->source,
        .validator = job->validator,
        .workers = job->want->parallel ? job->want->parallel : PARALLEL_DEFAULT,
        .piece = piece < PIECE_MIN ? PIECE_MIN : piece,
        .run = job->run,
        .beat_done = &fetch->done,
    };
    uint64_t resumed = store_ranges_bytes(&fetch->partial.present);
    if (resumed > 0)
        base_log_line(store_ticker_log(job->run), 1, "going on after %" PRIu64 " bytes that are here already",
                      resumed);
    cistern_status status = store_flow_run(&plan, result, err);
    job->got->transferred += result->received;
    job->got->requests += result->requests;
    if (kind == STORE_FLOW_WHOLE && result->received > 0)
        job->stat = result->answer.stat;
    if (status == CISTERN_OK)
        job->got->resumed = resumed;
    return status;
}

/* Everything is here: is it what was expected? */
static cistern_status check_digest(copy_job *job, const store_flow_result *result, cistern_error *err)
{
    char wanted[BASE_SHA256_HEX], found[BASE_SHA256_HEX];
    bool html = strncasecmp(job->stat.content_type, "text/html", 9) == 0;
    if (job->want->length_known && result->size != job->want->length)
        return base_fail(err, CISTERN_DAMAGED, "%s has %" PRIu64 " bytes, %" PRIu64 " expected%s",
                         net_source_shown(job->source), result->size, job->want->length,
                         html ? "; the server sent an HTML page" : "");
    if (!job->want->sha256 || base_digest_equal(job->want->sha256, &result->sha256))
        return CISTERN_OK;
    return base_fail(err, CISTERN_DAMAGED, "%s has SHA-256 %s, %s expected; nothing was stored%s",
                     net_source_shown(job->source), short_hex(&result->sha256, found),
                     short_hex(job->want->sha256, wanted), html ? "; the server sent an HTML page" : "");
}

/* Note everything; the bytes are complete, synced and read-only from now on. */
static cistern_status accept(store_fetch *fetch, store_flow_result *result, store_fetch_got *got,
                             cistern_error *err)
{
    base_buf list;
    base_buf_init(&list, SIZE_MAX / 2);
    cistern_status status = store_partial_complete(fetch->s, &fetch->key, &fetch->partial, result->size, err);
    if (status == CISTERN_OK)
        status = store_chunks_encode(&result->chunks, &list, &got->file.chunks, err);
    base_buf_clear(&list);
    if (status != CISTERN_OK) {
        store_chunks_clear(&result->chunks);
        return status;
    }
    got->file.sha256 = result->sha256;
    got->file.size = result->size;
    fetch->file = got->file;
    fetch->chunks = result->chunks;
    fetch->ready = true;
    store_object_fault(fetch->s, "copied");
    return CISTERN_OK;
}

/* A complete partial from before, known by its expected digest: no request is needed. */
static cistern_status try_complete(copy_job *job, bool *out_done, cistern_error *err)
{
    store_fetch *fetch = job->fetch;
    store_partial_want want;
    store_flow_result result;
    bool found = false;
    *out_done = false;
    if (!job->want->sha256)
        return CISTERN_OK;
    cistern_status status = describe(job, &want, err);
    want.complete_only = true;
    if (status == CISTERN_OK)
        status = store_partial_find(fetch->s, fetch->claim.number, &want, &fetch->partial, &found, err);
    if (status != CISTERN_OK || !found)
        return status;
    fetch->keep = true;
    status = run_flow(job, STORE_FLOW_HASH, &result, err);
    *out_done = status == CISTERN_OK && base_digest_equal(&result.sha256, job->want->sha256);
    if (*out_done)
        return accept(fetch, &result, job->got, err);
    store_chunks_clear(&result.chunks);
    if (status == CISTERN_OK)
        drop_partial(job);
    return status;
}

/* Add to the message what is kept and how to go on. */
static cistern_status say_kept(copy_job *job, cistern_status status, cistern_error *err)
{
    char text[CISTERN_ERROR_TEXT_MAX];
    unsigned long long kept = atomic_load(&job->fetch->done);
    if (!err || kept == 0)
        return status;
    int os_errno = err->os_errno;
    cistern_error_format(err, text, sizeof text);
    base_fail(err, status, "%.800s; %llu bytes are kept, and the same command goes on from there", text,
              kept);
    err->os_errno = os_errno;
    return status;
}

/* A flow failed. OK: try again, perhaps in another way; else the failure for good. */
static cistern_status after_failure(copy_job *job, cistern_status status, store_flow_kind kind,
                                    store_flow_result *result, net_retry *retry, cistern_error *err)
{
    store_fetch *fetch = job->fetch;
    if (result->range_ignored) {
        base_log_line(store_ticker_log(job->run), 1,
                      "the server does not send ranges; asking for the whole file");
        job->plain = true;
    } else if (result->changed) {
        job->plain = ++job->changes >= CHANGES_MAX;
        job->must_look = true;
        base_log_line(store_ticker_log(job->run), 0,
                      "the file was replaced at its origin meanwhile; starting again");
    } else if (kind == STORE_FLOW_WHOLE) {
        result->answer.received = 0; /* from byte 0 again: that is no progress */
        status = net_retry_wait(retry, status, &result->answer, job->run, err);
        if (status != CISTERN_OK)
            drop_partial(job);
        return status;
    } else {
        fetch->keep = fetch->partial.journal.next > 0;
        return fetch->keep && kind == STORE_FLOW_RANGES ? say_kept(job, status, err) : status;
    }
    base_error_clear(err);
    drop_partial(job);
    return CISTERN_OK;
}

/* All bytes came: take them, or (OK with fetch not ready) once more without those from before. */
static cistern_status after_success(copy_job *job, store_flow_result *result, cistern_error *err)
{
    cistern_status status = check_digest(job, result, err);
    if (status == CISTERN_OK)
        status = accept(job->fetch, result, job->got, err);
    else
        store_chunks_clear(&result->chunks);
    if (status == CISTERN_OK) {
        job->fetch->keep = true;
        return status;
    }
    drop_partial(job);
    if (status != CISTERN_DAMAGED || job->got->resumed == 0 || job->retried)
        return status;
    base_log_line(store_ticker_log(job->run), 0, "what was here from before is wrong; starting again");
    job->retried = true;
    base_error_clear(err);
    return CISTERN_OK;
}

/* A body with neither length nor chunks ends where the connection does, also where it was cut. */
static void warn_of_end(const copy_job *job, store_flow_kind kind, const store_flow_result *result)
{
    if (kind != STORE_FLOW_WHOLE || result->answer.end_proven || job->want->sha256 || job->want->length_known)
        return;
    base_log_line(store_ticker_log(job->run), 0,
                  "%s: the server did not say how long the file is; whether all of it came cannot be proven; "
                  "give --sha256",
                  net_source_shown(job->source));
}

static cistern_status try_once(copy_job *job, net_retry *retry, cistern_error *err)
{
    store_fetch *fetch = job->fetch;
    store_flow_result result;
    cistern_status status = CISTERN_OK;
    if (job->must_look)
        status = look(job, err);
    if (status != CISTERN_OK)
        return status;
    job->must_look = false;
    bool ranges = may_use_ranges(job);
    status = have_partial(job, ranges, err);
    if (status != CISTERN_OK)
        return status;
    store_flow_kind kind = fetch->partial.complete ? STORE_FLOW_HASH
                           : ranges                ? STORE_FLOW_RANGES
                                                   : STORE_FLOW_WHOLE;
    status = run_flow(job, kind, &result, err);
    if (status == CISTERN_OK)
        warn_of_end(job, kind, &result);
    if (status == CISTERN_OK)
        return after_success(job, &result, err);
    return after_failure(job, status, kind, &result, retry, err);
}

cistern_status store_copy_run(store_fetch *fetch, net_source *source, const store_fetch_want *want,
                              const base_run *run, store_fetch_got *out, cistern_error *err)
{
    copy_job job = {
        .fetch = fetch, .source = source, .want = want, .run = run, .got = out, .must_look = true};
    net_retry retry;
    bool done = false;
    if (fetch->ready || fetch->partial.fd >= 0)
        return base_fail(err, CISTERN_UNEXPECTED, "one fetch brings in one file");
    cistern_status status = try_complete(&job, &done, err);
    if (status == CISTERN_OK && done)
        fetch->keep = true;
    net_retry_init(&retry, source->options);
    while (status == CISTERN_OK && !fetch->ready)
        status = try_once(&job, &retry, err);
    out->stat = job.stat;
    return status;
}

/* -- local files -------------------------------------------------------------------------------------------- */

static cistern_status check_local(int fd, const char *name, base_identity *out, cistern_error *err)
{
    cistern_status status = base_identity_of(fd, out, err);
    if (status == CISTERN_OK && !S_ISREG(out->mode))
        return base_fail(err, CISTERN_USAGE, "'%s' is not a regular file", name);
    return status;
}

/* Share the extents, or reserve room for a copy. */
static cistern_status make_room(store_fetch *fetch, int fd, uint64_t size, cistern_error *err)
{
    store_partial *p = &fetch->partial;
    struct stat st;
    p->size = size;
    if (base_disk_clone(fd, p->fd) && fstat(p->fd, &st) == 0 && (uint64_t)st.st_size == size)
        return store_ranges_add(&p->present, 0, size, err);
    return store_partial_restart(fetch->s, p, size, err);
}

static cistern_status flow_local(store_fetch *fetch, int fd, const base_run *run, store_flow_result *result,
                                 cistern_error *err)
{
    store_flow_plan plan = {
        .kind = STORE_FLOW_LOCAL,
        .s = fetch->s,
        .partial = &fetch->partial,
        .local_fd = fd,
        .workers = 1,
        .piece = LOCAL_PIECE,
        .run = run,
        .beat_done = &fetch->done,
    };
    return store_flow_run(&plan, result, err);
}

static cistern_status check_local_result(int fd, const char *name, const base_identity *before,
                                         const store_fetch_want *want, const store_flow_result *result,
                                         cistern_error *err)
{
    char wanted[BASE_SHA256_HEX], found[BASE_SHA256_HEX];
    base_identity now;
    cistern_status status = base_identity_of(fd, &now, err);
    if (status != CISTERN_OK)
        return status;
    if (now.size != before->size || now.mtime_ns != before->mtime_ns || now.ctime_ns != before->ctime_ns)
        return base_fail(err, CISTERN_CONFLICT,
                         "'%s' changed while it was read; try again when it is complete", name);
    if (want->length_known && want->length != result->size)
        return base_fail(err, CISTERN_DAMAGED, "'%s' has %" PRIu64 " bytes, %" PRIu64 " expected", name,
                         result->size, want->length);
    if (want->sha256 && !base_digest_equal(want->sha256, &result->sha256))
        return base_fail(err, CISTERN_DAMAGED, "'%s' has SHA-256 %s, %s expected; nothing was stored", name,
                         short_hex(&result->sha256, found), short_hex(want->sha256, wanted));
    return CISTERN_OK;
}

cistern_status store_copy_local(store_fetch *fetch, int fd, const char *name, const store_fetch_want *want,
                                const base_run *run, store_fetch_got *out, cistern_error *err)
{
    base_identity before;
    store_flow_result result = {.requests = 0};
    store_partial_want fresh = {.key = fetch->key, .size = STORE_SIZE_UNKNOWN};
    if (fetch->ready || fetch->partial.fd >= 0)
        return base_fail(err, CISTERN_UNEXPECTED, "one fetch brings in one file");
    cistern_status status = check_local(fd, name, &before, err);
    if (status != CISTERN_OK)
        return status;
    atomic_store(&fetch->total, before.size);
    status = store_partial_create(fetch->s, fetch->claim.number, &fresh, &fetch->partial, err);
    if (status == CISTERN_OK)
        status = make_room(fetch, fd, before.size, err);
    if (status == CISTERN_OK)
        status = flow_local(fetch, fd, run, &result, err);
    if (status == CISTERN_OK)
        status = check_local_result(fd, name, &before, want, &result, err);
    if (status == CISTERN_OK) {
        out->transferred = result.received;
        status = accept(fetch, &result, out, err);
    } else {
        store_chunks_clear(&result.chunks);
    }
    if (status != CISTERN_OK)
        store_fetch_drop(fetch);
    return base_frame(err, status, "cannot add '%s'", name);
}
