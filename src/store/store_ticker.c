/* Progress; see priv/store_ticker.h. */
#include "priv/store_ticker.h"

#define TICK_MS 100u /* between two calls of a progress function */

const base_cancel *store_ticker_cancel(const base_run *run)
{
    return run ? run->cancel : NULL;
}

const base_log *store_ticker_log(const base_run *run)
{
    return run ? run->log : NULL;
}

void store_ticker_init(store_ticker *t, const base_run *run, const char *what, uint64_t total)
{
    *t = (store_ticker){.run = run, .p = {.what = what, .total = total}};
}

void store_ticker_step(store_ticker *t, uint64_t done)
{
    if (!t->run || !t->run->progress)
        return;
    uint64_t now = base_monotonic_ms();
    if (t->last_ms != 0 && now - t->last_ms < TICK_MS)
        return;
    t->last_ms = now;
    t->p.done = done;
    t->run->progress(t->run->progress_user, &t->p);
}

void store_ticker_end(store_ticker *t, uint64_t done)
{
    if (!t->run || !t->run->progress)
        return;
    t->p.done = done;
    t->p.last = true;
    t->run->progress(t->run->progress_user, &t->p);
}
