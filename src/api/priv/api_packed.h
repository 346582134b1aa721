/* A model's packed weights: found in the store, or made once in memory and then kept for the next process.
 *
 *   none ──api_packed_get──> mapped from the store
 *                       └──> made in memory ──api_packed_keep (after the first run)──> being written, by a thread
 *                                                                                        └─ joined by api_packed_clear
 * Invariants
 *  1. A model is packed once, however many sessions it has: the layout follows the context's instruction set.
 *  2. Keeping never delays an answer: it begins after the first run, and its failure costs only the next process time.
 *     The token of that run ends it, too; the next run then begins it again.
 *  3. Weights that are in no store are packed in memory only.
 */
#ifndef API_PACKED_H
#define API_PACKED_H

#include <pthread.h>
#include <stdatomic.h>
#include <sys/types.h>
#include "base_pool.h"
#include "base_thread.h"
#include "nn_pack.h"
#include "store_derived.h"

struct cistern_model;
struct cistern_cancel;
typedef struct api_guard api_guard;

typedef struct api_packed {
    pthread_mutex_t lock; /* guards everything here */
    const void *bytes;    /* NULL: none yet */
    size_t size;
    void *memory;               /* made here; NULL: mapped */
    store_derived_map map;      /* mapped; zero: not */
    _Atomic(api_guard *) guard; /* of the mapping; read without the lock */
    bool kept;                  /* in the store, or never to be */
    bool keeping;               /* `keeper` runs, in process `process` */
    pid_t process;
    base_thread keeper;
    struct cistern_cancel *keeper_cancel; /* an owner of it; NULL: none */
    atomic_bool given_up;                 /* the keeper was cancelled */
    char layout[48];                      /* of the key */
} api_packed;

void api_packed_init(api_packed *p);
/** Waits for the keeper. */
void api_packed_clear(struct cistern_model *m);

typedef struct api_packed_bytes {
    const void *bytes;
    size_t size;
    bool made; /* just now */
} api_packed_bytes;
/** The packed weights of a model, as long as it lives. @param cancel  of packing them; NULL allowed. @retval CANCELLED, NO_MEMORY */
cistern_status api_packed_get(struct cistern_model *m, const nn_net *net, const base_cancel *cancel,
                              api_packed_bytes *out, cistern_error *err) CISTERN_MUST_CHECK;
/** Begin to write what was made in memory, unless that was done. Never fails. @param cancel  gets an owner; NULL allowed. */
void api_packed_keep(struct cistern_model *m, struct cistern_cancel *cancel);
/** The same at once, with its failure. @retval CANCELLED  nothing was kept */
cistern_status api_packed_keep_now(struct cistern_model *m, const base_cancel *cancel,
                                   cistern_error *err) CISTERN_MUST_CHECK;

#endif
