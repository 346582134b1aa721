/* A source in memory that fails as it is told; keeps the contract of net_source.h. */
#ifndef FAKE_SOURCE_H
#define FAKE_SOURCE_H

#include <assert.h>
#include <stdatomic.h>
#include "net_source.h"
#include "store_case.h"

typedef struct fake_source {
    net_source base;
    net_options options;
    const uint8_t *bytes;
    size_t size;
    const char *etag; /* "" none */
    const char *content_type;
    bool no_ranges;      /* does not offer them */
    bool ignores_ranges; /* offers them, answers with the whole */
    bool no_size;
    bool end_unproven; /* the body ends where the connection does */
    size_t step;       /* bytes for each call of the sink */
    unsigned step_ms;  /* pause before each */
    atomic_ullong
        hold_at;        /* bytes of all answers after which every one stands still, as long as it is not 0 */
    int meet;           /* a read waits until so many have run at once; 0: it does not */
    uint64_t cut_after; /* bytes of one answer; 0: never … */
    atomic_int cut_times;   /* … so often */
    cistern_status failure; /* of every read and stat, for good; OK: none */
    /* From this read on (1 is the first) it is another object; 0: never. */
    int change_at;
    const uint8_t *changed_bytes;
    size_t changed_size;
    const char *changed_etag;
    bool flickers; /* a stat always shows the first state, a read the other */
    atomic_int reads, stats;
    atomic_ullong sent;
    atomic_int running, most_running;
} fake_source;

static inline void fake_state(fake_source *f, bool changed, net_stat *out)
{
    out->size_known = !f->no_size;
    out->size = changed ? f->changed_size : f->size;
    out->accepts_ranges = !f->no_ranges;
    snprintf(out->etag, sizeof out->etag, "%s", changed ? f->changed_etag : f->etag);
    snprintf(out->content_type, sizeof out->content_type, "%s", f->content_type);
}

static inline bool fake_changed(const fake_source *f, int read)
{
    return f->change_at != 0 && read >= f->change_at;
}

static inline cistern_status fake_stat(net_source *src, const base_run *run, net_answer *out,
                                       cistern_error *err)
{
    fake_source *f = (fake_source *)src;
    (void)run;
    atomic_fetch_add(&f->stats, 1);
    if (f->failure != CISTERN_OK)
        return base_fail(err, f->failure, "fake failure");
    fake_state(f, !f->flickers && fake_changed(f, atomic_load(&f->reads)), &out->stat);
    return CISTERN_OK;
}

static inline void fake_wait(const fake_source *f, const base_run *run)
{
    const base_cancel *cancel = run ? run->cancel : NULL;
    while (atomic_load(&f->most_running) < f->meet && !base_cancelled(cancel))
        base_sleep_ms(1);
    for (uint64_t at; (at = atomic_load(&f->hold_at)) != 0 && atomic_load(&f->sent) >= at;) {
        if (base_cancelled(cancel))
            break;
        base_sleep_ms(1);
    }
}

static inline cistern_status fake_send(fake_source *f, const uint8_t *bytes, size_t n, net_sink sink,
                                       void *user, const base_run *run, net_answer *out, cistern_error *err)
{
    size_t cut =
        f->cut_after && f->cut_after < n && atomic_fetch_sub(&f->cut_times, 1) > 0 ? (size_t)f->cut_after : n;
    for (size_t at = 0; at < cut;) {
        size_t part = f->step && f->step < cut - at ? f->step : cut - at;
        fake_wait(f, run);
        cistern_status status = base_check_cancel(run ? run->cancel : NULL, err);
        if (f->step_ms)
            base_sleep_ms(f->step_ms);
        if (status == CISTERN_OK)
            status = sink(user, bytes + at, part, err);
        if (status != CISTERN_OK)
            return status;
        at += part;
        out->received += part;
        atomic_fetch_add(&f->sent, part);
    }
    out->end_proven = !f->end_unproven && cut == n;
    if (cut == n)
        return CISTERN_OK;
    out->transient = true;
    return base_fail(err, CISTERN_NETWORK, "fake: the connection was cut");
}

static inline cistern_status fake_read_inner(fake_source *f, const net_range *range, const char *validator,
                                             net_sink sink, void *user, const base_run *run, net_answer *out,
                                             cistern_error *err)
{
    bool changed = fake_changed(f, atomic_fetch_add(&f->reads, 1) + 1);
    const uint8_t *bytes = changed ? f->changed_bytes : f->bytes;
    size_t size = changed ? f->changed_size : f->size;
    fake_state(f, changed, &out->stat);
    if (f->failure != CISTERN_OK)
        return base_fail(err, f->failure, "fake failure");
    if (validator && strcmp(validator, out->stat.etag) != 0) {
        out->changed = true;
        return base_fail(err, CISTERN_CONFLICT, "fake: it changed");
    }
    if (!range)
        return fake_send(f, bytes, size, sink, user, run, out, err);
    if (f->ignores_ranges) {
        out->range_ignored = true;
        return base_fail(err, CISTERN_NETWORK, "fake: no ranges");
    }
    if (range->total && range->total != size) {
        out->changed = true;
        return base_fail(err, CISTERN_CONFLICT, "fake: another size");
    }
    assert(range->first <= range->last && range->last < size);
    return fake_send(f, bytes + range->first, (size_t)(range->last - range->first + 1), sink, user, run, out,
                     err);
}

static inline cistern_status fake_read(net_source *src, const net_range *range, const char *validator,
                                       net_sink sink, void *user, const base_run *run, net_answer *out,
                                       cistern_error *err)
{
    fake_source *f = (fake_source *)src;
    int running = atomic_fetch_add(&f->running, 1) + 1;
    if (running > atomic_load(&f->most_running))
        atomic_store(&f->most_running, running);
    cistern_status status = fake_read_inner(f, range, validator, sink, user, run, out, err);
    atomic_fetch_sub(&f->running, 1);
    return status;
}

static inline cistern_status fake_revalidate(net_source *src, const char *etag, const char *last_modified,
                                             const base_run *run, net_answer *out, cistern_error *err)
{
    (void)etag;
    (void)last_modified;
    return fake_stat(src, run, out, err);
}

static inline void fake_free(net_source *src)
{
    (void)src; /* lives on the test's stack */
}

static const net_source_ops fake_ops = {fake_stat, fake_read, fake_revalidate, fake_free};

/* A healthy one with a strong ETag. */
static inline void fake_init(fake_source *f, const uint8_t *bytes, size_t size)
{
    static char shown[] = "fake:source";
    memset(f, 0, sizeof *f);
    f->options = (net_options)NET_OPTIONS_INIT;
    f->options.backoff_first_ms = 1;
    f->options.backoff_max_ms = 2;
    f->base = (net_source){.ops = &fake_ops, .options = &f->options, .shown = shown};
    f->bytes = bytes;
    f->size = size;
    f->etag = "\"one\"";
    f->content_type = "application/octet-stream";
    f->changed_etag = "\"two\"";
    f->step = 65536;
}

#endif
