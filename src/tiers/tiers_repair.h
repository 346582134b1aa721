/* Repairing a version's file from its recorded origin: only the damaged chunks are fetched. */
#ifndef TIERS_REPAIR_H
#define TIERS_REPAIR_H

#include "base_thread.h"
#include "catalog_version.h"
#include "tiers_chain.h"

typedef struct tiers_repaired {
    uint64_t received; /* bytes from the origin */
    uint64_t kept;     /* bytes that were good here */
} tiers_repaired;

/**
 * Bring file i of a version back, which was found damaged or absent.
 * @retval NOT_FOUND  no origin is recorded (it was added from local files), or the origin has it no more.
 * @retval DAMAGED    the origin has other bytes by now. @retval OFFLINE  no request may be made.
 * @retval others     as store_repair_run
 */
cistern_status tiers_repair_file(tiers *t, const catalog_version *v, size_t i, const base_run *run,
                                 tiers_repaired *out, cistern_error *err) CISTERN_MUST_CHECK;

#endif
