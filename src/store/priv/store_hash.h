/* Hashing a part of a file. */
#ifndef STORE_HASH_H
#define STORE_HASH_H

#include "base_sha256.h"
#include "store_ticker.h"

/** Hash n bytes of fd from `offset`; cancellable, with progress. */
cistern_status store_hash_range(int fd, uint64_t offset, uint64_t n, const base_run *run,
                                store_ticker *ticker, base_digest *out,
                                cistern_error *err) CISTERN_MUST_CHECK;

#endif
