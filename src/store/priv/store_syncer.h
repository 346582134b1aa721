/* Syncing while bytes arrive; see store_syncer.c. */
#ifndef STORE_SYNCER_H
#define STORE_SYNCER_H

#include "store_flow_state.h"

typedef struct store_syncer {
    store_flow *flow;
    base_thread thread;
    bool started;
} store_syncer;
cistern_status store_syncer_start(store_syncer *out, store_flow *f, cistern_error *err) CISTERN_MUST_CHECK;
void store_syncer_join(store_syncer *syncer);

#endif
