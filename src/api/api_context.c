/* The context: made from options, opens nothing by itself. */
#include "priv/api_types.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "base_host.h"
#include "base_mem.h"
#include "priv/api_options.h"

cistern_status cistern_cancel_new(cistern_cancel **out, cistern_error *err)
{
    cistern_cancel *cancel = NULL;
    cistern_status st = base_calloc(1, sizeof *cancel, &cancel, err);
    if (st != CISTERN_OK)
        return st;
    atomic_init(&cancel->owners, 1);
    *out = cancel;
    return CISTERN_OK;
}

cistern_cancel *api_cancel_ref(cistern_cancel *cancel)
{
    if (cancel)
        atomic_fetch_add(&cancel->owners, 1);
    return cancel;
}

void cistern_cancel_free(cistern_cancel *cancel)
{
    if (cancel && atomic_fetch_sub(&cancel->owners, 1) == 1)
        free(cancel);
}

void cistern_cancel_set(cistern_cancel *cancel)
{
    atomic_store(&cancel->token.set, 1);
}

void cistern_cancel_reset(cistern_cancel *cancel)
{
    atomic_store(&cancel->token.set, 0);
}

static void forward_log(void *user, int level, const char *line)
{
    const cistern *c = user;
    if (c->log_fn)
        c->log_fn(c->log_user, level, line);
}

static void forward_progress(void *user, const base_progress *p)
{
    const api_forward *forward = user;
    cistern_progress out = {sizeof out, p->what, p->done, p->total, p->resumed, p->last};
    forward->call.progress(forward->call.user, &out);
}

cistern_status api_run_init(const cistern *c, const cistern_call *call, api_forward *forward, base_run *out,
                            cistern_error *err)
{
    static const cistern_call none = CISTERN_CALL_INIT;
    memset(out, 0, sizeof *out);
    out->log = &c->log;
    forward->call = none;
    cistern_status st = api_sized_take(call, &forward->call, sizeof forward->call, "cistern_call", err);
    if (st != CISTERN_OK)
        return st;
    out->cancel = forward->call.cancel ? &forward->call.cancel->token : NULL;
    if (forward->call.progress) {
        out->progress = forward_progress;
        out->progress_user = forward;
    }
    return CISTERN_OK;
}

static cistern_status context_open(cistern *c, const cistern_options *options, cistern_error *err)
{
    tiers_options chain = TIERS_OPTIONS_INIT;
    nn_isa isa = NN_ISA_AUTO;
    const char *program = NULL;
    cistern_status st = nn_isa_parse(api_options_text(options, "isa"), &isa, err);
    api_options_chain(options, &chain);
    if (st == CISTERN_OK)
        st = nn_isa_resolve(isa, &c->isa, err);
    if (st != CISTERN_OK)
        return st;
    c->threads = (unsigned)api_options_number(options, "threads");
    c->keep_removed_s = api_options_seconds(options, "keep-removed");
    c->keep_partial_s = api_options_seconds(options, "keep-partial");
    if (c->threads == 0)
        c->threads = base_cpu_count();
    api_options_log(options, &c->log_fn, &c->log_user);
    program = api_options_text(options, "import-program");
    if (program[0])
        st = base_strdup(program, &c->import_program, err);
    if (st == CISTERN_OK)
        st = base_strdup(api_options_text(options, "torch-home"), &c->torch_home, err);
    if (st == CISTERN_OK)
        st = base_strdup(api_options_text(options, "keras-home"), &c->keras_home, err);
    return st == CISTERN_OK ? tiers_new(&chain, &c->chain, err) : st;
}

cistern_status cistern_new(const cistern_options *options, cistern **out, cistern_error *err)
{
    cistern *c = NULL;
    cistern_options *defaults = NULL;
    cistern_status st = base_calloc(1, sizeof *c, &c, err);
    if (st != CISTERN_OK)
        return st;
    c->log.fn = forward_log;
    c->log.user = c;
    if (!options)
        st = cistern_options_new(&defaults, err);
    if (st == CISTERN_OK)
        st = context_open(c, options ? options : defaults, err);
    cistern_options_free(defaults);
    if (st != CISTERN_OK) {
        cistern_free(c);
        return st;
    }
    *out = c;
    return CISTERN_OK;
}

static void crews_free(api_crew *crew)
{
    while (crew) {
        api_crew *next = crew->inherited;
        if (crew->process == getpid())
            base_pool_free(crew->pool);
        else
            base_pool_abandon(crew->pool);
        free(crew);
        crew = next;
    }
}

void cistern_free(cistern *c)
{
    if (!c)
        return;
    crews_free(atomic_load(&c->crew));
    tiers_free(c->chain);
    free(c->import_program);
    free(c->torch_home);
    free(c->keras_home);
    free(c);
}

const char *cistern_library_version(void)
{
    return CISTERN_VERSION_TEXT;
}

const char *cistern_isa(const cistern *c)
{
    return nn_isa_text(c->isa);
}

unsigned cistern_threads(const cistern *c)
{
    return c->threads;
}

void cistern_traffic(const cistern *c, uint64_t *requests, uint64_t *bytes)
{
    tiers_traffic(c->chain, requests, bytes);
}

/* The process is asked for at each call: after a fork the child has the memory of the threads and not the threads. Without a
 * lock, which another thread might have held at that moment. */
cistern_status api_pool(cistern *c, base_pool **out, cistern_error *err)
{
    api_crew *crew = atomic_load(&c->crew), *fresh = NULL;
    if (crew && crew->process == getpid()) {
        *out = crew->pool;
        return CISTERN_OK;
    }
    cistern_status st = base_calloc(1, sizeof *fresh, &fresh, err);
    if (st == CISTERN_OK)
        st = base_pool_new(c->threads, &fresh->pool, err);
    if (st != CISTERN_OK) {
        free(fresh);
        return st;
    }
    fresh->process = getpid();
    fresh->inherited = crew;
    if (atomic_compare_exchange_strong(&c->crew, &crew, fresh)) {
        *out = fresh->pool;
        return CISTERN_OK;
    }
    fresh->inherited = NULL; /* another thread was first */
    crews_free(fresh);
    *out = crew->pool;
    return CISTERN_OK;
}
