/* What a long-running call was given: progress, cancel, log. Each may be absent. */
#ifndef STORE_TICKER_H
#define STORE_TICKER_H

#include "base_thread.h"

/* Progress: at most ten calls a second and one at the end. */
typedef struct store_ticker {
    const base_run *run;
    base_progress p;
    uint64_t last_ms;
} store_ticker;
void store_ticker_init(store_ticker *t, const base_run *run, const char *what, uint64_t total);
void store_ticker_step(store_ticker *t, uint64_t done);
void store_ticker_end(store_ticker *t, uint64_t done);

const base_cancel *store_ticker_cancel(const base_run *run); /* run may be NULL */
const base_log *store_ticker_log(const base_run *run);

#endif
