/* A flow: one attempt at filling a partial, with all its threads.
 *
 *   workers (1 to 16)   ask for pieces in order and write them             │ low: every byte before it is there
 *   followers (2)       hash behind `low`, out of the page cache           │ (all of this under one lock)
 *   syncer              fdatasync every 64 MiB or 2 s, then firm records   │
 *   the caller          progress, cancel, log lines; nothing else
 *
 * Invariants
 *  1. Pieces ascend and do not overlap; a byte is written by one worker only.
 *  2. `low` never falls; followers read only what lies before it.
 *  3. A record goes into the journal only after its bytes were written (w) or synced (s).
 *  4. When run returns, every thread has ended.
 */
#ifndef STORE_FLOW_H
#define STORE_FLOW_H

#include <stdatomic.h>
#include "net_retry.h"
#include "store_chunks.h"
#include "store_partial.h"

#define STORE_FLOW_WORKERS_MAX 16

typedef enum store_flow_kind {
    STORE_FLOW_RANGES = 1, /* pieces by ranged requests */
    STORE_FLOW_WHOLE = 2,  /* one request from byte 0, one try, nothing journaled */
    STORE_FLOW_LOCAL = 3,  /* from a local file */
    STORE_FLOW_HASH = 4,   /* nothing to bring in: hash what is there */
} store_flow_kind;

/** What to do; borrowed for the call. */
typedef struct store_flow_plan {
    store_flow_kind kind;
    store *s;
    store_partial *partial; /* its size is the whole's, or unknown (WHOLE only) */
    net_source *source;     /* RANGES, WHOLE */
    const char *validator;  /* strong, or NULL */
    int local_fd;           /* LOCAL */
    unsigned workers;       /* RANGES */
    uint64_t piece;         /* bytes, RANGES and LOCAL */
    const base_run *run;
    atomic_ullong *beat_done; /* bytes there, for those who wait */
} store_flow_plan;

typedef struct store_flow_result {
    base_digest sha256;
    store_chunks chunks; /* owned by the caller on success */
    uint64_t size;
    net_answer answer; /* of the last attempt that failed, else of the last */
    /* Filled on failure too: */
    uint64_t received; /* bytes from the source */
    uint64_t requests;
    bool changed;       /* it is no longer the object that the validator names */
    bool range_ignored; /* the server does not do ranges after all */
} store_flow_result;

/** @retval as store_fetch_copy. NETWORK with range_ignored, CONFLICT with changed. */
cistern_status store_flow_run(const store_flow_plan *plan, store_flow_result *out,
                              cistern_error *err) CISTERN_MUST_CHECK;

#endif
