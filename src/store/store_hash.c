/* Hashing; see priv/store_hash.h. */
#include "priv/store_hash.h"
#include "base_file.h"
#include "base_map.h"
#include "base_mem.h"

#define HASH_STEP (1u << 20) /* bytes read at once: still in the second-level cache when hashed */
#define BRING     (8u << 20) /* bytes brought into the page cache at once: a multiple of HASH_STEP */

cistern_status store_hash_range(int fd, uint64_t offset, uint64_t n, const base_run *run,
                                store_ticker *ticker, base_digest *out, cistern_error *err)
{
    base_sha256 *hash = NULL;
    char *step = NULL;
    cistern_status status = base_sha256_new(&hash, err);
    if (status == CISTERN_OK)
        status = base_calloc(1, HASH_STEP, &step, err);
    for (uint64_t done = 0; status == CISTERN_OK && done < n;) {
        size_t part = n - done < HASH_STEP ? (size_t)(n - done) : HASH_STEP;
        status = base_check_cancel(store_ticker_cancel(run), err);
        if (status == CISTERN_OK && done % BRING == 0)
            base_map_bring(fd, offset + done, n - done < BRING ? n - done : BRING);
        if (status == CISTERN_OK)
            status = base_pread_full(fd, step, part, offset + done, err);
        if (status != CISTERN_OK)
            break;
        base_sha256_update(hash, step, part);
        done += part;
        if (ticker)
            store_ticker_step(ticker, done);
    }
    if (status == CISTERN_OK)
        base_sha256_final(hash, out);
    free(step);
    base_sha256_free(hash);
    return status;
}
