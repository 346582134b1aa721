/* Flows: pieces, workers, the caller's loop; see priv/store_flow.h. */
#include "priv/store_flow_state.h"
#include "priv/store_follow.h"
#include "priv/store_object.h"
#include "priv/store_syncer.h"
#include "priv/store_ticker.h"
#include "base_disk.h"
#include "base_mem.h"
#include <errno.h>

#define LOOK_MS      25u /* how often the caller looks: a cancel is passed on within that */
/* Received before it is written: one block of the page cache (see base_disk.h); libcurl hands over 16 KiB at a time. */
#define GATHER_BYTES ((size_t)BASE_DISK_BLOCK)
/* A slow transfer is written before that: so much of each connection, or what comes in that time, is lost at a kill. */
#define HOLD_BYTES   ((size_t)256 << 10)
#define HOLD_MS      50u

/* -- workers ------------------------------------------------------------------------------------------------ */

typedef struct worker {
    store_flow *flow;
    base_thread thread;
    store_piece *piece;
    net_answer answer;
    char *buffer; /* GATHER_BYTES */
    size_t gathered;
    uint64_t since; /* ms: when the first byte of these came */
} worker;

/* Log lines of workers are kept for the caller's thread. */
static void keep_line(void *user, int level, const char *line)
{
    store_flow *f = user;
    pthread_mutex_lock(&f->lock);
    if (f->lines < STORE_FLOW_LINES) {
        snprintf(f->line[f->lines], STORE_FLOW_LINE_MAX, "%s", line);
        f->line_level[f->lines++] = level;
    }
    pthread_mutex_unlock(&f->lock);
}

/* The size comes with the answer's head, whatever was said before; make room before the first byte. */
static cistern_status begin_whole(worker *w, cistern_error *err)
{
    store_partial *partial = w->flow->plan->partial;
    if (!w->answer.stat.size_known || partial->size == w->answer.stat.size)
        return CISTERN_OK;
    cistern_status status = base_disk_reserve(partial->fd, w->answer.stat.size, NULL, err);
    if (status != CISTERN_OK)
        return status;
    pthread_mutex_lock(&w->flow->lock);
    partial->size = w->answer.stat.size;
    w->piece->end = partial->size;
    pthread_mutex_unlock(&w->flow->lock);
    return CISTERN_OK;
}

/* How much to write for what was gathered: a block of which only the first part is there yet goes out whole, zeros behind, if
 * all of it is this piece's; so that the page cache holds it in one page, whatever the pace at which the rest comes. Of an
 * answer that does not say its length, what lies behind the end is cut off at the end. */
static size_t pad_block(worker *w, bool more)
{
    const store_piece *p = w->piece;
    bool known = w->flow->plan->partial->size != STORE_SIZE_UNKNOWN;
    if (!(known || more) || p->pos % BASE_DISK_BLOCK != 0 || p->end - p->pos < GATHER_BYTES)
        return w->gathered;
    memset(w->buffer + w->gathered, 0, GATHER_BYTES - w->gathered);
    return GATHER_BYTES;
}

/* Write what was gathered. Small writes of several workers would wait for each other on the inode's lock.
 * @param more  whether the answer goes on */
static cistern_status flush(worker *w, bool more, cistern_error *err)
{
    size_t n = w->gathered;
    if (n == 0)
        return CISTERN_OK;
    size_t whole = pad_block(w, more);
    w->gathered = 0;
    pthread_mutex_lock(&w->flow->writing);
    cistern_status status =
        base_pwrite_full(w->flow->plan->partial->fd, w->buffer, whole, w->piece->pos, err);
    pthread_mutex_unlock(&w->flow->writing);
    return status == CISTERN_OK ? store_flow_state_advance(w->flow, w->piece, n, err) : status;
}

/* Take bytes up to the end of a block; returns how many. */
static size_t gather(worker *w, const char *from, size_t n)
{
    uint64_t room = base_disk_to_block_end(w->piece->pos + w->gathered);
    size_t part = n < room ? n : (size_t)room;
    if (w->gathered == 0)
        w->since = base_monotonic_ms();
    memcpy(w->buffer + w->gathered, from, part);
    w->gathered += part;
    return part;
}

static bool is_due(const worker *w)
{
    return (w->piece->pos + w->gathered) % BASE_DISK_BLOCK == 0 ||
           (w->gathered >= HOLD_BYTES && base_monotonic_ms() - w->since >= HOLD_MS);
}

static cistern_status sink(void *user, const void *bytes, size_t n, cistern_error *err)
{
    worker *w = user;
    store_piece *p = w->piece;
    cistern_status status = base_check_cancel(&w->flow->stop, err);
    if (status == CISTERN_OK && w->flow->plan->kind == STORE_FLOW_WHOLE && p->pos + w->gathered == 0)
        status = begin_whole(w, err);
    if (status == CISTERN_OK && n > p->end - p->pos - w->gathered)
        return base_fail(err, CISTERN_DAMAGED, "the source sends more than the %llu bytes that it announced",
                         (unsigned long long)p->end);
    for (const char *from = bytes; status == CISTERN_OK && n > 0;) {
        size_t part = gather(w, from, n);
        from += part;
        n -= part;
        if (is_due(w))
            status = flush(w, true, err);
    }
    return status;
}

/* After an attempt, also after one that failed: what came is not asked for again. */
static cistern_status flush_rest(worker *w, cistern_status status, cistern_error *err)
{
    cistern_error late = CISTERN_ERROR_INIT;
    cistern_status flushed = flush(w, false, &late);
    if (flushed == CISTERN_OK || status != CISTERN_OK)
        return status;
    w->answer.transient = false;
    *err = late;
    return flushed;
}

static cistern_status one_request(worker *w, const base_run *run, cistern_error *err)
{
    const store_flow_plan *plan = w->flow->plan;
    net_range range = {.first = w->piece->pos, .last = w->piece->end - 1, .total = plan->partial->size};
    bool whole = plan->kind == STORE_FLOW_WHOLE;
    memset(&w->answer, 0, sizeof w->answer);
    pthread_mutex_lock(&w->flow->lock);
    w->flow->requests++;
    pthread_mutex_unlock(&w->flow->lock);
    cistern_status status = net_source_read(plan->source, whole ? NULL : &range,
                                            whole ? NULL : plan->validator, sink, w, run, &w->answer, err);
    status = flush_rest(w, status, err);
    if (status == CISTERN_OK && !whole && w->piece->pos != w->piece->end) {
        w->answer.transient = true;
        status = base_fail(err, CISTERN_NETWORK, "the source sent less than was asked for");
    }
    return status;
}

static void note_answer(store_flow *f, const worker *w)
{
    pthread_mutex_lock(&f->lock);
    if (!base_cancelled(&f->stop)) {
        f->answer = w->answer;
        f->changed = f->changed || w->answer.changed;
        f->range_ignored = f->range_ignored || w->answer.range_ignored;
    }
    pthread_mutex_unlock(&f->lock);
}

/* All tries of one piece. A whole has one try: the next is a flow of its own, from byte 0. */
static cistern_status fetch_piece(worker *w, const base_run *run, cistern_error *err)
{
    net_retry retry;
    net_retry_init(&retry, w->flow->plan->source->options);
    for (;;) {
        cistern_status status = one_request(w, run, err);
        if (status != CISTERN_OK || w->flow->plan->kind == STORE_FLOW_WHOLE)
            note_answer(w->flow, w);
        if (status == CISTERN_OK)
            return status;
        if (w->flow->plan->kind == STORE_FLOW_WHOLE || w->answer.changed || w->answer.range_ignored)
            return status;
        status = net_retry_wait(&retry, status, &w->answer, run, err);
        if (status != CISTERN_OK)
            return status;
    }
}

static cistern_status copy_piece(worker *w, cistern_error *err)
{
    store_piece *p = w->piece;
    cistern_status status = base_check_cancel(&w->flow->stop, err);
    if (status == CISTERN_OK)
        status = base_disk_copy_range(w->flow->plan->local_fd, w->flow->plan->partial->fd, p->first,
                                      p->end - p->first, err);
    return status == CISTERN_OK ? store_flow_state_advance(w->flow, p, (size_t)(p->end - p->first), err)
                                : status;
}

static void *worker_main(void *arg)
{
    worker *w = arg;
    store_flow *f = w->flow;
    cistern_error error = CISTERN_ERROR_INIT;
    base_log log = {.fn = keep_line, .user = f};
    base_run run = {.cancel = &f->stop, .log = &log};
    cistern_status status = base_calloc(1, GATHER_BYTES, &w->buffer, &error);
    while (status == CISTERN_OK && (w->piece = store_flow_state_take(f)) != NULL)
        status = f->plan->kind == STORE_FLOW_LOCAL ? copy_piece(w, &error) : fetch_piece(w, &run, &error);
    free(w->buffer);
    if (status != CISTERN_OK)
        store_flow_state_fail(f, status, &error);
    pthread_mutex_lock(&f->lock);
    f->working--;
    pthread_cond_broadcast(&f->attention);
    pthread_mutex_unlock(&f->lock);
    return NULL;
}

/* -- the caller --------------------------------------------------------------------------------------------- */

static void show_lines(store_flow *f)
{
    char line[STORE_FLOW_LINES][STORE_FLOW_LINE_MAX];
    int level[STORE_FLOW_LINES];
    pthread_mutex_lock(&f->lock);
    size_t lines = f->lines;
    memcpy(line, f->line, lines * sizeof f->line[0]);
    memcpy(level, f->line_level, lines * sizeof level[0]);
    f->lines = 0;
    pthread_mutex_unlock(&f->lock);
    for (size_t i = 0; i < lines; i++)
        base_log_line(store_ticker_log(f->plan->run), level[i], "%s", line[i]);
}

/* Until `busy` threads have ended: progress, cancel, log. */
static void attend(store_flow *f, const unsigned *busy, store_ticker *ticker)
{
    for (bool working = true; working;) {
        struct timespec deadline = store_flow_state_deadline(LOOK_MS);
        pthread_mutex_lock(&f->lock);
        if (*busy > 0)
            pthread_cond_timedwait(&f->attention, &f->lock, &deadline);
        working = *busy > 0;
        uint64_t done = f->plan->kind == STORE_FLOW_HASH ? f->hashed : f->present + f->written;
        if (f->plan->partial->size != STORE_SIZE_UNKNOWN)
            ticker->p.total = f->plan->partial->size;
        pthread_mutex_unlock(&f->lock);
        show_lines(f);
        atomic_store(f->plan->beat_done, done);
        store_ticker_step(ticker, done);
        cistern_error error = CISTERN_ERROR_INIT;
        cistern_status cancelled = base_check_cancel(store_ticker_cancel(f->plan->run), &error);
        if (cancelled != CISTERN_OK)
            store_flow_state_fail(f, cancelled, &error);
    }
}

/* The end of the answer is the end of the object, whatever was announced before; lock held. */
static void end_whole(store_flow *f)
{
    f->plan->partial->size = f->piece[0].pos;
    if (ftruncate(f->plan->partial->fd, (off_t)f->piece[0].pos) != 0)
        f->status = base_fail_errno(&f->error, errno, "cannot cut a partial to its size");
}

static void finish(store_flow *f)
{
    pthread_mutex_lock(&f->lock);
    if (f->status != CISTERN_OK) {
        store_flow_state_journal(f);
    } else {
        if (f->plan->kind == STORE_FLOW_WHOLE)
            end_whole(f);
        f->low = f->plan->partial->size;
        f->finished = true;
    }
    store_flow_state_wake(f);
    pthread_mutex_unlock(&f->lock);
}

static cistern_status take_result(store_flow *f, store_follower follower[2], store_flow_result *out,
                                  cistern_error *err)
{
    out->received = f->written;
    out->requests = f->requests;
    out->changed = f->changed;
    out->range_ignored = f->range_ignored;
    out->answer = f->answer;
    if (f->status != CISTERN_OK) {
        if (err)
            *err = f->error;
        return f->status;
    }
    out->size = f->plan->partial->size;
    out->sha256 = follower[0].whole;
    out->chunks =
        (store_chunks){.blob_size = out->size, .count = follower[1].chunks, .digest = follower[1].chunk};
    follower[1].chunk = NULL;
    return CISTERN_OK;
}

static unsigned workers_of(const store_flow *f)
{
    switch (f->plan->kind) {
    case STORE_FLOW_RANGES: {
        unsigned wanted =
            f->plan->workers < STORE_FLOW_WORKERS_MAX ? f->plan->workers : STORE_FLOW_WORKERS_MAX;
        return f->count < wanted ? (unsigned)f->count : wanted;
    }
    case STORE_FLOW_WHOLE:
    case STORE_FLOW_LOCAL:
        return 1;
    case STORE_FLOW_HASH:
        return 0;
    }
    return 0;
}

static void init_flow(store_flow *f, const store_flow_plan *plan)
{
    pthread_condattr_t attributes;
    memset(f, 0, sizeof *f);
    f->plan = plan;
    f->present = store_ranges_bytes(&plan->partial->present);
    pthread_mutex_init(&f->lock, NULL);
    pthread_mutex_init(&f->writing, NULL);
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&f->moved, &attributes);
    pthread_cond_init(&f->due, &attributes);
    pthread_cond_init(&f->attention, &attributes);
    pthread_condattr_destroy(&attributes);
}

static void clear_flow(store_flow *f)
{
    pthread_cond_destroy(&f->attention);
    pthread_cond_destroy(&f->due);
    pthread_cond_destroy(&f->moved);
    pthread_mutex_destroy(&f->writing);
    pthread_mutex_destroy(&f->lock);
    free(f->piece);
    free(f);
}

static unsigned start_workers(store_flow *f, worker *workers, unsigned wanted)
{
    unsigned started = 0;
    cistern_error error = CISTERN_ERROR_INIT;
    cistern_status status = CISTERN_OK;
    f->working = wanted; /* no thread of this flow but followers, who do not look at it */
    for (; started < wanted && status == CISTERN_OK; started++) {
        workers[started] = (worker){.flow = f};
        status = base_thread_start(&workers[started].thread, worker_main, &workers[started], &error);
        if (status != CISTERN_OK)
            break;
    }
    if (started < wanted) {
        pthread_mutex_lock(&f->lock);
        f->working -= wanted - started;
        pthread_mutex_unlock(&f->lock);
        if (started == 0)
            store_flow_state_fail(f, status, &error);
    }
    return started;
}

static const char *step_name(store_flow_kind kind)
{
    switch (kind) {
    case STORE_FLOW_RANGES:
    case STORE_FLOW_WHOLE:
        return "fetch";
    case STORE_FLOW_LOCAL:
        return "copy";
    case STORE_FLOW_HASH:
        return "hash";
    }
    return "fetch";
}

/* The threads that go along; workers come last, so that a failure here has asked nobody for anything. */
static cistern_status start_company(store_flow *f, store_follower follower[2], store_syncer *syncer,
                                    cistern_error *err)
{
    cistern_status status = store_flow_state_cut(f, err);
    if (status == CISTERN_OK)
        status = store_follow_start(&follower[0], f, false, err);
    if (status == CISTERN_OK)
        status = store_follow_start(&follower[1], f, true, err);
    if (status == CISTERN_OK && f->plan->kind != STORE_FLOW_HASH)
        status = store_syncer_start(syncer, f, err);
    return status;
}

static void run_workers(store_flow *f, store_ticker *ticker)
{
    worker workers[STORE_FLOW_WORKERS_MAX];
    pthread_mutex_lock(&f->lock);
    store_flow_state_raise(f);
    pthread_mutex_unlock(&f->lock);
    unsigned started = start_workers(f, workers, workers_of(f));
    attend(f, &f->working, ticker);
    for (unsigned i = 0; i < started; i++)
        base_thread_join(&workers[i].thread);
    finish(f);
}

cistern_status store_flow_run(const store_flow_plan *plan, store_flow_result *out, cistern_error *err)
{
    store_follower follower[2] = {{.started = false}, {.started = false}};
    store_syncer syncer = {.started = false};
    cistern_error error = CISTERN_ERROR_INIT;
    store_ticker ticker;
    store_flow *f = NULL;
    memset(out, 0, sizeof *out);
    cistern_status status = base_calloc(1, sizeof *f, &f, err);
    if (status != CISTERN_OK)
        return status;
    init_flow(f, plan);
    store_ticker_init(&ticker, plan->run, step_name(plan->kind), 0);
    ticker.p.resumed = f->present;
    status = start_company(f, follower, &syncer, &error);
    if (status == CISTERN_OK)
        run_workers(f, &ticker);
    else
        store_flow_state_fail(f, status, &error);
    attend(f, &f->following, &ticker);
    store_follow_join(&follower[0]);
    store_follow_join(&follower[1]);
    store_syncer_join(&syncer);
    status = take_result(f, follower, out, err);
    if (status == CISTERN_OK)
        store_ticker_end(&ticker, out->size);
    show_lines(f);
    store_follow_clear(&follower[0]);
    store_follow_clear(&follower[1]);
    clear_flow(f);
    return status;
}
