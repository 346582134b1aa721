/* Fetching: exactly one process brings a file in, however many ask at once; resumable; published only when
 * right.
 *
 *      begin ──(another holds the claim: wait)──> its outcome: OK with *out NULL "look again", or its failure
 *        │ claim won: the caller looks in the catalogue again before any request
 *        v
 *      copy (from a source) or add (from a local file)   bytes in partial/, digests known, nothing published
 *        │        fd: the caller may parse the bytes now
 *        v
 *      publish   chunk list, then blob; the caller then publishes index, version, alias
 *        v
 *      end(status)   outcome written for those who wait; claim released; partial dropped or kept
 *
 * Invariants
 *  1. A process writes only into an inode that it created, and publishes only such an inode. The exception:
 * an inode whose every former owner is proven to have ended or died is adopted in place.
 *  2. Claims only save work: two owners at once cost bytes, never correctness.
 *  3. A `.data` with more than one link is complete and never opened for writing.
 *  4. Ranges, parallelism and resumption need a strong validator, compared in every answer, or an expected
 * SHA-256; otherwise one plain request from byte 0.
 *  5. A journal's record is believed only if its bytes are certain: written under this boot, or synced.
 * What it does not do: choose names, decide whether something is a hit, talk to more than the source it is
 * given.
 */
#ifndef STORE_FETCH_H
#define STORE_FETCH_H

#include "base_thread.h"
#include "net_source.h"
#include "store_chunks.h"

#define STORE_TAKEOVER_MS  20000u     /* default of store_options.takeover_ms */
#define STORE_WAIT_FOREVER UINT64_MAX /* as wait_ms */

typedef struct store_fetch store_fetch;

/** The key of a fetch: of the expected digest if there is one, else of the normalised origin (any text). */
cistern_status store_fetch_key(const base_digest *expected, const char *origin, base_digest *out,
                               cistern_error *err) CISTERN_MUST_CHECK;

/**
 * Get the right to fetch, waiting for whoever has it.
 * @param wait_ms  how long to wait for another process; 0: not at all; STORE_WAIT_FOREVER.
 * @param run      cancel; progress "wait" with the other's bytes; log. May be NULL.
 * @param out      the claim, until store_fetch_end; or NULL with OK: another process has just ended its fetch
 * of the same well, so look in the catalogue, and begin again if it is not there after all.
 * @retval TIMED_OUT  it still fetches (its pid is named). @retval DENIED, NO_SPACE, CANCELLED, NO_MEMORY,
 * UNEXPECTED
 * @retval any        the lasting failure of the one that was waited for, with its text.
 */
cistern_status store_fetch_begin(store *s, const base_digest *key, uint64_t wait_ms, const base_run *run,
                                 store_fetch **out, cistern_error *err) CISTERN_MUST_CHECK;

/** What is known before. Zero members: not known, defaults. Start from STORE_FETCH_WANT_INIT. */
typedef struct store_fetch_want {
    size_t size;               /* sizeof(store_fetch_want) */
    const base_digest *sha256; /* expected; NULL: none */
    bool length_known;
    uint64_t length;   /* bytes expected */
    unsigned parallel; /* ranged requests at a time; 0: 4 */
    uint64_t piece;    /* bytes asked for in one request; 0: 32 MiB */
} store_fetch_want;

#define STORE_FETCH_WANT_INIT                                                                                \
    {                                                                                                        \
        sizeof(store_fetch_want), NULL, false, 0, 0, 0                                                       \
    }

/** What came in. */
typedef struct store_fetch_got {
    store_file file;      /* digests and size */
    net_stat stat;        /* of the source, for the origin hint; zero for add */
    uint64_t transferred; /* bytes received in this call, those thrown away again included */
    uint64_t resumed;     /* bytes that were here from before */
    uint64_t requests;    /* reads from the source, its stat not counted */
} store_fetch_got;

/**
 * Copy everything from a source into the partial; hash it; check it. Returns with all bytes synced,
 * unpublished.
 * @param run  cancel within 100 ms; progress "fetch" (bytes, from this thread); log. May be NULL.
 * @param out  filled on success.
 * @retval DAMAGED    not the expected digest (both named) or length: the partial is deleted.
 * @retval NO_SPACE   said before the first byte where the length is known.
 * @retval NETWORK    cut for good; the partial is kept if it can be resumed, and the message says so.
 * @retval CONFLICT   the source kept changing while it was read.
 * @retval NOT_FOUND, REFUSED, CANCELLED, DENIED, NO_MEMORY, UNEXPECTED   the partial is kept if it holds
 * something.
 */
cistern_status store_fetch_copy(store_fetch *fetch, net_source *source, const store_fetch_want *want,
                                const base_run *run, store_fetch_got *out,
                                cistern_error *err) CISTERN_MUST_CHECK;

/**
 * The same from an open local file (reflink where possible, else a copy). Nothing is kept unless it is
 * published.
 * @param fd    a regular file, readable; borrowed. @param name  for messages.
 * @retval CONFLICT  the file changed while it was read. @retval USAGE not a regular file. @retval others as
 * copy.
 */
cistern_status store_fetch_add(store_fetch *fetch, int fd, const char *name, const store_fetch_want *want,
                               const base_run *run, store_fetch_got *out,
                               cistern_error *err) CISTERN_MUST_CHECK;

/** The complete, checked, perhaps unpublished bytes: a read-only descriptor, borrowed until end; -1 before
 * copy. */
int store_fetch_fd(const store_fetch *fetch);

/**
 * Publish chunk list and blob, each synced with its directories, then drop the partial's names. A damaged
 * blob under that name is set aside (damaged/) first. From then until end the blob is held against collectors.
 * @retval DENIED, NO_SPACE, UNEXPECTED, NO_MEMORY; CONFLICT: the partial was taken over by another process.
 */
cistern_status store_fetch_publish(store_fetch *fetch, const base_run *run,
                                   cistern_error *err) CISTERN_MUST_CHECK;

/** After publishing, and after no collector has the blob any more: put the chunk list back if one took it. */
cistern_status store_fetch_settle(store_fetch *fetch, cistern_error *err) CISTERN_MUST_CHECK;

/** Whether another process took the claim over, because this one stood still for too long: whatever failed since, the other
 *  brings the file in, so look again and wait for it. */
bool store_fetch_taken_over(const store_fetch *fetch);

/** Delete the partial's bytes now (they are not what was wanted, though no digest said so). */
void store_fetch_drop(store_fetch *fetch);

/**
 * Take the identity record of what was published, tell those who wait how it ended, release the claim, free
 * the fetch.
 * @param status  OK only after everything that belongs to it was published. Failures that are of the origin, its bytes or
 *                the disk (NOT_FOUND, NETWORK, NO_SPACE, DAMAGED, UNREADABLE) are returned to those who wait; after all
 *                others, which may rest on this process's own credentials, options and rights, the next of them tries itself.
 * @param why     its text for them; NULL allowed.
 * Never fails: what it cannot do only costs others time. NULL fetch allowed.
 */
void store_fetch_end(store_fetch *fetch, cistern_status status, const cistern_error *why);

#endif
