/* Repair: a damaged blob made whole by fetching its damaged chunks only.
 *
 *   seed    the good chunks, told by the chunk list, become a partial of the blob's digest
 *   fetch   as any other (store_fetch.h): what is missing is asked for by ranges, the whole digest is checked
 *   publish the damaged file is set aside, the new inode gets the name
 *
 * The damaged file is never written. Without a usable chunk list nothing is seeded and the whole is fetched.
 */
#ifndef STORE_REPAIR_H
#define STORE_REPAIR_H

#include "store_fetch.h"

/**
 * Repair one blob, whatever it is like now.
 * @param source  something with exactly these bytes; it is told by the digest if it has not.
 * @param out     NULL allowed; out->resumed are the bytes that were good here.
 * @retval OK     also if another process has just brought it in. @retval DAMAGED  the source has other bytes: what is here
 *         stays as it is. @retval others  as store_fetch_begin, store_fetch_copy, store_fetch_publish
 */
cistern_status store_repair_run(store *s, const store_file *file, net_source *source, uint64_t wait_ms,
                                unsigned parallel, const base_run *run, store_fetch_got *out,
                                cistern_error *err) CISTERN_MUST_CHECK;

#endif
