/* The publisher's side of collecting: after a version was published, its bytes must be there to stay.
 *
 *   published ──> no collector's marker stands (else wait) ──> the blob is here? ──yes──> settled
 *                                  ^                                  └─ no: put it back from what is open ─┐
 *                                  └──────────────────────────────────────────────────────────────────────┘
 *
 * Where locks work none of this ever finds anything: a publisher holds its blobs (store_blob.h), and collectors skip
 * them. It is what rests on no lock.
 */
#ifndef TIERS_SETTLE_H
#define TIERS_SETTLE_H

#include "base_thread.h"
#include "store_chunks.h"
#include "tiers_chain.h"

/**
 * @param fd    an open file with the blob's bytes, to put it back from; -1: there is none.
 * @param path  for messages.
 * @retval CONFLICT   a collector does not end. @retval DAMAGED  it is gone, and there is nothing to put it back from.
 * @retval others     as store_fetch_add
 */
cistern_status tiers_settle_blob(store *s, const store_file *file, int fd, const char *path,
                                 const base_run *run, cistern_error *err) CISTERN_MUST_CHECK;

#endif
